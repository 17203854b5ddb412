"""Ciphertexts of BFV and CKKS as they travel: residues of two polynomials, nothing else.

A ciphertext (c_0, c_1) in R_q^2, R_q = Z_q[x] / (x^4096 + 1), is 2 x 4096 integers below q, eight
bytes each, little endian: what SEAL keeps of it, in the same order. Adding ciphertexts of either
scheme is adding these integers modulo q, so whoever adds needs no library that reads ciphertexts,
and a hostile contribution meets no decoder: each byte string of the right length whose integers
are below q is a ciphertext, and only that is checked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.errors import RemoteProtocolError
from protocols.sum_ciphers.interface import Method, check_sizes
from protocols.sum_ciphers.totals import Residues, Totals

DEGREE = 4096
MODULUS = 1152921504606830593
"""q, the largest prime below 2^60 that is 1 modulo 8192: SEAL's ``CoeffModulus::Create``."""
SPECIAL_MODULUS = 40961
"""SEAL wants a second prime, for keys that are never made; no ciphertext is modulo it."""
COEFFICIENT_BITS = (60, 16)
CIPHERTEXT_BYTES = 2 * DEGREE * 8
CHUNK_CIPHERTEXTS = 64
"""4 MiB."""

_BLOCK = 1 << 15  # residues added at a time: they and the sum stay in a core's cache


def check_ciphertexts(chunks: Sequence[bytes], *, length: int, slots: int) -> None:
    """Refuse chunks that are not ciphertexts of ``length`` words, ``slots`` to each.

    Raises :class:`RemoteProtocolError` for other sizes, a residue that is not below q, and a
    ciphertext whose c_1 is zero: that one would be its plaintext in the clear ("transparent").
    """
    check_sizes(
        chunks,
        length=length,
        unit_words=slots,
        unit_bytes=CIPHERTEXT_BYTES,
        chunk_words=slots * CHUNK_CIPHERTEXTS,
    )
    for number, chunk in enumerate(chunks):
        residues = np.frombuffer(chunk, "<u8")
        if int(residues.max()) >= MODULUS:
            raise RemoteProtocolError(f"chunk {number}: a residue is not below the modulus")
        if not residues.reshape(-1, 2, DEGREE)[:, 1].any(axis=1).all():
            raise RemoteProtocolError(f"chunk {number}: a ciphertext is transparent")


class RingAdder:
    """Adds ciphertexts of one method; ``slots`` words stand in each."""

    def __init__(self, method: Method, slots: int, expected: bytes, public: bytes) -> None:
        if public != expected:
            raise RemoteProtocolError(f"{method}: public parameters are not this release's")
        self.method: Method = method
        self._slots = slots
        self._totals = Totals("<u8", _add)

    def check(self, chunks: Sequence[bytes], *, length: int) -> None:
        """Refuse what is not a contribution; see :func:`check_ciphertexts`."""
        check_ciphertexts(chunks, length=length, slots=self._slots)

    def start(self) -> None:
        """Begin a new sum."""
        self._totals.start()

    def add(self, chunks: Sequence[bytes]) -> None:
        """Add a contribution that was checked."""
        self._totals.add(chunks)

    def total(self) -> list[bytes]:
        """Return the sum's chunks."""
        return self._totals.chunks()


def _add(total: Residues, residues: Residues) -> None:
    q = np.uint64(MODULUS)
    for start in range(0, len(total), _BLOCK):
        part = total[start : start + _BLOCK]
        np.add(part, residues[start : start + _BLOCK], out=part)
        # Below q the difference wraps round to more than the sum itself.
        np.minimum(part, part - q, out=part)
