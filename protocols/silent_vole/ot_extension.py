"""Oblivious transfer extension: the trees' transfers out of 128 base transfers.

Y. Ishai, J. Kilian, K. Nissim, E. Petrank, "Extending Oblivious Transfers Efficiently", CRYPTO
2003, §3, semi-honest, in the form of random transfers. Roles are those of VOLE: its Receiver
chooses and holds both keys of each base transfer, its Sender holds one of each, chosen by the bits
of delta. Row i is 128 bits; the Receiver's t_i and the Sender's q_i differ by delta where the
Receiver chose 1, so that the pads H(q_i), H(q_i + delta) are what it has one of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.silent_vole.keys import purpose, session_hash
from protocols.suite import Octets, Suite, Words

_LABEL = purpose("extension")


def correct(
    suite: Suite, pairs: Sequence[tuple[bytes, bytes]], choices: Octets
) -> tuple[bytes, Words]:
    """Return the Receiver's corrections and its rows t_i, shape (transfers, 2).

    ``pairs`` are the 128 pairs of base keys, ``choices`` one bit to a byte, a multiple of eight.
    """
    length = len(choices) // 8
    first = _columns(suite, [pair[0] for pair in pairs], length)
    second = _columns(suite, [pair[1] for pair in pairs], length)
    second ^= first
    second ^= np.packbits(choices, bitorder="little")
    return second.tobytes(), _rows(first)


def apply(suite: Suite, keys: Sequence[bytes], bits: Octets, corrections: bytes) -> Words:
    """Return the Sender's rows q_i, shape (transfers, 2).

    ``keys`` are the 128 base keys that ``bits`` chose; ``corrections`` are of checked length.
    """
    length = len(corrections) // len(keys)
    columns = _columns(suite, keys, length)
    received = np.frombuffer(corrections, np.uint8).reshape(len(keys), length)
    columns ^= received & (np.uint8(0) - bits[:, None])
    return _rows(columns)


def pads(suite: Suite, context: bytes, rows: Words) -> Words:
    """Return the hash of each row, one pad to a row; correlation robust, see SPEC.md §4."""
    padded = np.empty_like(rows)
    session_hash(suite, context, "extension pads").hash_blocks(rows, padded)
    return padded


def _columns(suite: Suite, keys: Sequence[bytes], length: int) -> Octets:
    expanded = b"".join(suite.stream(key, _LABEL).bytes(length) for key in keys)
    return np.frombuffer(bytearray(expanded), np.uint8).reshape(len(keys), length)


def _rows(columns: Octets) -> Words:
    """Return the transposed bit matrix, 128 bits to a row, bit j from column j."""
    bits = np.unpackbits(columns, axis=1, bitorder="little")
    rows = np.packbits(np.ascontiguousarray(bits.T), axis=1, bitorder="little")
    return rows.view("<u8").astype(np.uint64, copy=False)
