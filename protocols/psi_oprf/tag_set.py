"""The Sender's side that needs no peer: an epoch's key, and the tags of a set under it.

Jarecki and Liu, "Fast Secure Computation of Set Intersection", SCN 2010: F(k, x) = hash(x, k H(x)),
the 2HashDH form that RFC 9497 (December 2023) specifies; SPEC.md §8 has the differences.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from protocols.arguments import ITEM_BYTES, check_items, check_seed
from protocols.errors import LocalProtocolError
from protocols.kernels.sorting import all_words, sort_rows
from protocols.psi_oprf.messages import (
    CHUNK_QUERIES,
    CHUNK_TAGS,
    DIGEST_BYTES,
    ELEMENT_BYTES,
    KEY_ID_BYTES,
    MAX_QUOTA,
    MAX_TAG_BYTES,
    MIN_TAG_BYTES,
    VERSION,
)
from protocols.roles import Progress
from protocols.suite import Indices, Items, Octets, Suite

STATISTICAL_SECURITY = 40
SCALAR_BYTES = 32
TAG_PREFIX = b"fedcrm/oprf-tag/v1\x00"
TAG_SET_PREFIX = b"fedcrm/oprf-tags/v1\x00"


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The key of one epoch; whoever has it computes every tag, so it is stored as a secret."""

    id: bytes
    """16 public bytes that name the key."""
    scalar: bytes = field(repr=False)
    """Secret, 32 bytes big endian, one that the suite's group takes."""

    def __post_init__(self) -> None:
        if len(self.id) != KEY_ID_BYTES or len(self.scalar) != SCALAR_BYTES:
            raise LocalProtocolError(
                f"an epoch key has an id of {KEY_ID_BYTES} and a scalar of {SCALAR_BYTES} bytes"
            )


def draw_epoch_key(suite: Suite, seed: bytes) -> EpochKey:
    """Return the epoch key of ``seed``, 32 fresh secret bytes that nothing else uses."""
    check_seed(seed)
    scalar = suite.group.random_scalar(suite.stream(seed, f"{VERSION} epoch key".encode("ascii")))
    name = suite.derive(seed, f"{VERSION} epoch key id".encode("ascii"), KEY_ID_BYTES)
    return EpochKey(name, scalar.to_bytes(SCALAR_BYTES, "big"))


@dataclass(frozen=True, slots=True, eq=False)
class TagSet:
    """A set's tags under one epoch key, as the Sender makes them and the Receiver keeps them."""

    key_id: bytes
    tags: Octets = field(repr=False)
    """Shape (n, tag length), rows strictly ascending as byte strings; may be a mapped file."""
    digest: bytes
    """:func:`tag_set_digest` of the other two: kept with them, for it takes reading all tags."""

    def __post_init__(self) -> None:
        tags = self.tags
        if len(self.key_id) != KEY_ID_BYTES or len(self.digest) != DIGEST_BYTES:
            raise LocalProtocolError("a tag set's key id or digest is of another length")
        if (
            tags.dtype != np.uint8
            or tags.ndim != 2
            or not MIN_TAG_BYTES <= tags.shape[1] <= MAX_TAG_BYTES
            or not tags.flags.c_contiguous
        ):
            raise LocalProtocolError(
                f"tags must be {MIN_TAG_BYTES} to {MAX_TAG_BYTES} bytes each, contiguous rows"
            )


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedSet:
    """A set under an epoch key, and the way back from its tags."""

    tag_set: TagSet
    order: Indices = field(repr=False)
    """The j-th tag is that of item ``order[j]``; it stays with the Sender."""


def tag_length(size: int, quota: int) -> int:
    """Return the bytes of a tag: a query that matches none of ``size`` tags by chance, 2^-40.

    So unlikely is it that any of ``quota`` queries does: 40 bits, and log2 of both numbers.
    """
    bits = STATISTICAL_SECURITY + size.bit_length() + quota.bit_length()
    return max(MIN_TAG_BYTES, -(-bits // 8))


def evaluate_set(
    items: Items, *, suite: Suite, key: EpochKey, quota: int
) -> Generator[Progress, None, EvaluatedSet]:
    """Return the tags of ``items`` (distinct 32-byte digests, shape (n, 32)), sorted.

    ``quota`` is the most queries that any one peer may ask in the epoch, 1 to 2^30; the tags are
    as long as it asks for. Yields progress, one multiplication an item. Raises
    ``LocalProtocolError`` for unusable arguments.
    """
    check_items(items)
    if not 1 <= quota <= MAX_QUOTA:
        raise LocalProtocolError(f"quota must be between 1 and {MAX_QUOTA}")
    scalar = epoch_scalar(key, suite)
    tags = np.empty((len(items), tag_length(len(items), quota)), dtype=np.uint8)
    for start in range(0, len(items), CHUNK_QUERIES):
        chunk = items[start : start + CHUNK_QUERIES]
        elements = suite.group.hash_and_multiply(scalar, chunk, group_dst(key.id))
        tags[start : start + len(chunk)] = tags_of(suite, key.id, chunk, elements, tags.shape[1])
        yield Progress("evaluate", start + len(chunk), len(items))
    order, repeated = sort_rows(tags)
    if len(repeated):  # for 10^7 items and 10 bytes, once in 2^34 keys
        raise LocalProtocolError("two items have one tag under this key: draw another key")
    tags = np.take(tags, order, axis=0)
    return EvaluatedSet(TagSet(key.id, tags, tag_set_digest(suite, key.id, tags)), order)


def epoch_scalar(key: EpochKey, suite: Suite) -> int:
    """Return the key's scalar; raises ``LocalProtocolError`` if the group does not take it."""
    scalar = int.from_bytes(key.scalar, "big")
    try:
        suite.group.multiply(scalar, b"")
    except ValueError:
        raise LocalProtocolError(f"the epoch key is none of suite {suite.name}") from None
    return scalar


def group_dst(key_id: bytes) -> bytes:
    """Return the domain separation tag: under another key an item is another point."""
    return VERSION.encode("ascii") + b" " + key_id


def tags_of(suite: Suite, key_id: bytes, items: Items, elements: bytes, length: int) -> Octets:
    """Return the first ``length`` bytes of hash(prefix, key id, item, k H(item)) for each item."""
    both = np.empty((len(items), ITEM_BYTES + ELEMENT_BYTES), dtype=np.uint8)
    both[:, :ITEM_BYTES] = items
    both[:, ITEM_BYTES:] = np.frombuffer(elements, dtype=np.uint8).reshape(-1, ELEMENT_BYTES)
    offsets = np.arange(len(items) + 1, dtype=np.int64) * both.shape[1]
    digests = suite.hash_many(TAG_PREFIX + key_id, both.reshape(-1), offsets, framed=False)
    return digests[:, :length]


def tag_set_digest(suite: Suite, key_id: bytes, tags: Octets) -> bytes:
    """Return the digest by which both parties name a tag set; reads all of it."""
    digests = [
        suite.hash(tags[start : start + CHUNK_TAGS].tobytes())
        for start in range(0, len(tags), CHUNK_TAGS)
    ]
    return digest_of_chunks(suite, key_id, tags.shape, digests)


def digest_of_chunks(
    suite: Suite, key_id: bytes, shape: tuple[int, ...], digests: list[bytes]
) -> bytes:
    """Return the digest of a tag set of ``shape`` from the digests of its chunks."""
    size, length = shape
    head = size.to_bytes(8, "big") + length.to_bytes(1, "big")
    return suite.hash(TAG_SET_PREFIX, key_id, head, *digests)


def is_ascending(tags: Octets) -> bool:
    """Return whether the rows are strictly ascending as byte strings."""
    words = all_words(tags)
    below = np.zeros(max(len(tags) - 1, 0), dtype=np.bool_)
    for column in range(words.shape[1] - 1, -1, -1):
        here, following = words[:-1, column], words[1:, column]
        below = (here < following) | ((here == following) & below)
    return bool(below.all())
