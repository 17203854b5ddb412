"""expand_message_xmd (RFC 9380, August 2023, §5.3.1) of many items at once.

Any processor runs it. ``protocols.suite.hash_to_curve.expand_message_xmd`` computes the same of
one message.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from protocols.kernels import sha2, sm3
from protocols.kernels.hash_lanes import Indices, Octets

MAX_TAG_BYTES = 255
MAX_BLOCKS = 255
BATCH = 1 << 12  # what one hash writes for the next is still in the cache


class _Digest(Protocol):
    def __call__(
        self, prefix: bytes, data: Octets, offsets: Indices, *, framed: bool
    ) -> Octets: ...


class _Hash(NamedTuple):
    digest: _Digest
    digest_bytes: int
    block_bytes: int


_HASHES = {
    "sm3": _Hash(sm3.digest_many, 32, 64),
    "sha512": _Hash(sha2.sha512_many, 64, 128),
}


def expand(items: Octets, tag: bytes, length: int, hash: str = "sha512") -> Octets:
    """Return ``length`` uniform bytes for each item, shape (n, length).

    ``items`` are rows of one width, ``tag`` the domain separation tag (beyond 255 bytes it is
    hashed first, §5.3.3), ``hash`` is ``sm3`` or ``sha512``. Raises ``ValueError`` for an empty
    tag (§3.1) and a length the hash cannot fill.
    """
    function = _HASHES[hash]
    blocks = -(-length // function.digest_bytes)
    if items.dtype != np.uint8 or items.ndim != 2:
        raise ValueError("items must be rows of bytes")
    if not tag:
        raise ValueError("the domain separation tag must not be empty")
    if length < 1 or blocks > MAX_BLOCKS or length > 0xFFFF:
        raise ValueError("length must be positive and within 255 blocks of the hash")
    if len(tag) > MAX_TAG_BYTES:
        long_tag = np.frombuffer(tag, np.uint8)[np.newaxis]
        tag = _digest_rows(function, b"H2C-OVERSIZE-DST-", long_tag).tobytes()
    tag_prime = tag + bytes([len(tag)])

    expanded = np.empty((len(items), length), np.uint8)
    for start in range(0, len(items), BATCH):
        batch = slice(start, start + BATCH)
        expanded[batch] = _expand_batch(function, items[batch], tag_prime, length, blocks)
    return expanded


def _expand_batch(
    function: _Hash, items: Octets, tag_prime: bytes, length: int, blocks: int
) -> Octets:
    width = blocks * function.digest_bytes
    expanded = np.empty((len(items), width), np.uint8)
    z_pad = bytes(function.block_bytes)
    suffix = length.to_bytes(2, "big") + b"\x00" + tag_prime
    first = _digest_rows(function, z_pad, _with_suffix(items, suffix))
    block = np.zeros_like(first)  # b_1 has no block before it to mix in
    for number in range(1, blocks + 1):
        suffix = number.to_bytes(1, "big") + tag_prime
        block = _digest_rows(function, b"", _with_suffix(first ^ block, suffix))
        expanded[:, (number - 1) * function.digest_bytes :][:, : function.digest_bytes] = block
    return expanded[:, :length]


def _with_suffix(rows: Octets, suffix: bytes) -> Octets:
    longer = np.empty((len(rows), rows.shape[1] + len(suffix)), np.uint8)
    longer[:, : rows.shape[1]] = rows
    longer[:, rows.shape[1] :] = np.frombuffer(suffix, np.uint8)
    return longer


def _digest_rows(function: _Hash, prefix: bytes, rows: Octets) -> Octets:
    count, width = rows.shape
    offsets = np.arange(count + 1, dtype=np.int64) * width
    return function.digest(prefix, rows.reshape(-1), offsets, framed=False)
