"""The messages of ECDH-PSI (SPEC.md §3). Lists travel in chunks."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from protocols.arguments import MAX_CONTEXT_BYTES, MAX_ITEMS, MAX_NAME_CHARACTERS
from protocols.wire import Message

VERSION = "fedcrm-psi-ecdh/2"
SIGNATURE_PREFIX = b"fedcrm/psi-size/v2\x00"
"""Stands before a statement when it is signed: the same key signs other things elsewhere."""

RoleName: TypeAlias = Literal["receiver", "sender"]
Reveal: TypeAlias = Literal["list", "size"]
To: TypeAlias = Literal["both", "receiver"]

CHUNK_ITEMS = 8192
ELEMENT_BYTES = 32
CHUNK_INDICES = 65536
INDEX_BYTES = 4
_ENVELOPE_BYTES = 64  # the type's name and the lengths around one byte string


class Terms(Message, frozen=True):
    """What a party takes the run to be, and how many items it brings; the first message."""

    max_bytes: ClassVar[int] = 8192

    version: str
    suite: str
    party: str
    peer: str
    role: RoleName
    context: bytes
    floor: int
    reveal: Reveal
    to: To
    size: int

    def __post_init__(self) -> None:
        if not (1 <= self.floor <= MAX_ITEMS and 0 <= self.size <= MAX_ITEMS):
            raise ValueError("floor or size out of range")
        names = (self.version, self.suite, self.party, self.peer)
        if max(map(len, names)) > MAX_NAME_CHARACTERS or len(self.context) > MAX_CONTEXT_BYTES:
            raise ValueError("a name or the context is too long")


class BlindedItems(Message, frozen=True):
    """The next chunk of the sender's own items, hashed to the group and blinded: a H(x)."""

    max_bytes: ClassVar[int] = CHUNK_ITEMS * ELEMENT_BYTES + _ENVELOPE_BYTES

    elements: bytes


class EvaluatedItems(Message, frozen=True):
    """The next chunk of the other party's items under both scalars, b a H(x), shuffled."""

    max_bytes: ClassVar[int] = CHUNK_ITEMS * ELEMENT_BYTES + _ENVELOPE_BYTES

    elements: bytes


class SizeStatement(Message, frozen=True):
    """The statement of the intersection's size (canonical JSON), and its signature."""

    max_bytes: ClassVar[int] = 16384

    statement: bytes
    signature: bytes


class Opening(Message, frozen=True):
    """The next chunk of the shuffle of the evaluated list.

    ``indices`` are 4 bytes each, big endian: the j-th says which blinded item, in the order they
    were received, the j-th evaluated item came from.
    """

    max_bytes: ClassVar[int] = CHUNK_INDICES * INDEX_BYTES + _ENVELOPE_BYTES

    indices: bytes
