"""The messages of narrowing to common customers (SPEC.md §3)."""

from __future__ import annotations

from typing import ClassVar

from protocols.arguments import MAX_CONTEXT_BYTES, MAX_ITEMS, MAX_NAME_CHARACTERS
from protocols.wire import Message

VERSION = "fedcrm-common-customers/1"
SIGNATURE_PREFIX = b"fedcrm/common-customers/v1\x00"
"""Stands before the statement when it is signed: the same key signs other things elsewhere."""

MAX_PASSIVE_PARTIES = 64
MAX_DIGEST_BYTES = 64
MAX_SIGNATURE_BYTES = 256
CHUNK_POSITIONS = 1 << 16
POSITION_BYTES = 4


class Narrowing(Message, frozen=True):
    """What the active party takes the run to be, and whether enough customers are common to all.

    ``common`` is their number, None below the floor. ``pairs`` are the digests of the statements
    of the active party's intersection with each of ``passives``, in their order.
    """

    max_bytes: ClassVar[int] = 65536

    version: str
    suite: str
    active: str
    passives: tuple[str, ...]
    context: bytes
    floor: int
    common: int | None
    pairs: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.floor <= MAX_ITEMS:
            raise ValueError("floor out of range")
        if self.common is not None and not self.floor <= self.common <= MAX_ITEMS:
            raise ValueError("common customers fewer than the floor, or too many")
        if not 2 <= len(self.passives) == len(self.pairs) <= MAX_PASSIVE_PARTIES:
            raise ValueError("a digest for each passive party, two or more of them")
        names = (self.version, self.suite, self.active, *self.passives)
        if max(map(len, names)) > MAX_NAME_CHARACTERS or len(self.context) > MAX_CONTEXT_BYTES:
            raise ValueError("a name or the context is too long")
        if max(map(len, self.pairs)) > MAX_DIGEST_BYTES:
            raise ValueError("a digest is too long")


class OtherSignatures(Message, frozen=True):
    """The other passive parties' signatures over the statement, in the order of ``passives``."""

    max_bytes: ClassVar[int] = MAX_PASSIVE_PARTIES * (MAX_SIGNATURE_BYTES + 8) + 64

    signatures: tuple[bytes, ...]


class CommonPositions(Message, frozen=True):
    """The next chunk of the common customers' places in the pair's shared order.

    4 bytes each, big endian, in the order all parties of the job share from here on.
    """

    max_bytes: ClassVar[int] = CHUNK_POSITIONS * POSITION_BYTES + 64

    positions: bytes
