"""The messages of OPRF-PSI (SPEC.md §3). Lists travel in chunks."""

from __future__ import annotations

from typing import ClassVar

from protocols.arguments import MAX_CONTEXT_BYTES, MAX_ITEMS, MAX_NAME_CHARACTERS
from protocols.wire import Message

VERSION = "fedcrm-psi-oprf/1"
SIGNATURE_PREFIX = b"fedcrm/oprf-terms/v1\x00"
"""Stands before the terms when they are signed: the same key signs other things elsewhere."""

CHUNK_QUERIES = 8192
ELEMENT_BYTES = 32
CHUNK_TAGS = 65536
MIN_TAG_BYTES = 8
MAX_TAG_BYTES = 16
CHUNK_PLACES = 65536
PLACE_BYTES = 4
KEY_ID_BYTES = 16
DIGEST_BYTES = 32
MAX_QUOTA = 1 << 30
MAX_SIGNATURE_BYTES = 128
_ENVELOPE_BYTES = 64  # the type's name and the lengths around one byte string


class QueryTerms(Message, frozen=True):
    """What the Receiver takes the run to be, and how many items it asks about."""

    max_bytes: ClassVar[int] = 8192

    version: str
    suite: str
    party: str
    peer: str
    context: bytes
    queries: int
    cached: bytes
    """Digest of the tag set it kept, empty if it has none."""

    def __post_init__(self) -> None:
        _check_names(self.version, self.suite, self.party, self.peer, context=self.context)
        if not 0 <= self.queries <= MAX_ITEMS or len(self.cached) not in (0, DIGEST_BYTES):
            raise ValueError("number of queries or digest out of range")


class AnswerTerms(Message, frozen=True):
    """What the Sender takes the run to be, its tag set, and how many queries it still answers.

    ``signature`` is over the statement that both terms give (SPEC.md §3).
    """

    max_bytes: ClassVar[int] = 8192

    version: str
    suite: str
    party: str
    peer: str
    context: bytes
    key_id: bytes
    tags: int
    tag_bytes: int
    tag_set: bytes
    """Digest of the tag set."""
    quota_left: int
    signature: bytes

    def __post_init__(self) -> None:
        _check_names(self.version, self.suite, self.party, self.peer, context=self.context)
        if not (0 <= self.tags <= MAX_ITEMS and 0 <= self.quota_left <= MAX_QUOTA):
            raise ValueError("number of tags or quota out of range")
        if not MIN_TAG_BYTES <= self.tag_bytes <= MAX_TAG_BYTES:
            raise ValueError("tag length out of range")
        if len(self.key_id) != KEY_ID_BYTES or len(self.tag_set) != DIGEST_BYTES:
            raise ValueError("key id or digest of another length")
        if len(self.signature) > MAX_SIGNATURE_BYTES:
            raise ValueError("signature too long")


class TermsSignature(Message, frozen=True):
    """The Receiver's signature over the same statement."""

    max_bytes: ClassVar[int] = MAX_SIGNATURE_BYTES + _ENVELOPE_BYTES

    signature: bytes


class TagChunk(Message, frozen=True):
    """The next chunk of the Sender's tags, sorted as byte strings."""

    max_bytes: ClassVar[int] = CHUNK_TAGS * MAX_TAG_BYTES + _ENVELOPE_BYTES

    tags: bytes


class BlindedQueries(Message, frozen=True):
    """The next chunk of the Receiver's items, hashed to the group and blinded: r H(x)."""

    max_bytes: ClassVar[int] = CHUNK_QUERIES * ELEMENT_BYTES + _ENVELOPE_BYTES

    elements: bytes


class EvaluatedQueries(Message, frozen=True):
    """A chunk of queries under the epoch key, k r H(x), in the order they came."""

    max_bytes: ClassVar[int] = CHUNK_QUERIES * ELEMENT_BYTES + _ENVELOPE_BYTES

    elements: bytes


class Matches(Message, frozen=True):
    """How many of the Sender's tags matched."""

    max_bytes: ClassVar[int] = _ENVELOPE_BYTES

    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= MAX_ITEMS:
            raise ValueError("number of matches out of range")


class MatchedTags(Message, frozen=True):
    """The next chunk of the matched tags: places in the tag list, 4 bytes each, big endian."""

    max_bytes: ClassVar[int] = CHUNK_PLACES * PLACE_BYTES + _ENVELOPE_BYTES

    places: bytes


def _check_names(*names: str, context: bytes) -> None:
    if max(map(len, names)) > MAX_NAME_CHARACTERS or len(context) > MAX_CONTEXT_BYTES:
        raise ValueError("a name or the context is too long")
