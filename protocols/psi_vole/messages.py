"""The messages of VOLE-PSI (SPEC.md §3). Long vectors travel in chunks of at most 1 MiB."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from protocols.arguments import MAX_CONTEXT_BYTES, MAX_ITEMS, MAX_NAME_CHARACTERS
from protocols.wire import Message

VERSION = "fedcrm-psi-vole/1"

RoleName: TypeAlias = Literal["receiver", "sender"]

CHUNK_BYTES = 1 << 20
WORD_BYTES = 8
SALT_BYTES = 32
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
    size: int
    salt: bytes
    """The Receiver's, under which its items have an encoding; the Sender's is empty."""

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_ITEMS:
            raise ValueError("size out of range")
        names = (self.version, self.suite, self.party, self.peer)
        if max(map(len, names)) > MAX_NAME_CHARACTERS or len(self.context) > MAX_CONTEXT_BYTES:
            raise ValueError("a name or the context is too long")
        if len(self.salt) != (SALT_BYTES if self.role == "receiver" else 0):
            raise ValueError("a salt of the wrong length")


class MaskedColumns(Message, frozen=True):
    """The next chunk of the Receiver's encoded items under its mask: a + P, 8 bytes a column."""

    max_bytes: ClassVar[int] = CHUNK_BYTES + _ENVELOPE_BYTES

    columns: bytes


class Tags(Message, frozen=True):
    """The next chunk of the Sender's tags, in ascending order."""

    max_bytes: ClassVar[int] = CHUNK_BYTES + _ENVELOPE_BYTES

    tags: bytes


class Matches(Message, frozen=True):
    """The next chunk of the Receiver's answers: which of the Sender's tags matched, a bit each."""

    max_bytes: ClassVar[int] = CHUNK_BYTES + _ENVELOPE_BYTES

    bits: bytes
