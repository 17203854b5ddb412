"""The messages of private intersection-sum (SPEC.md §3). Lists travel in chunks."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from protocols.arguments import MAX_CONTEXT_BYTES, MAX_ITEMS, MAX_NAME_CHARACTERS
from protocols.wire import Message

VERSION = "fedcrm-psi-sum/1"
SIGNATURE_PREFIX = b"fedcrm/psi-sum/v1\x00"
"""Stands before a statement when it is signed: the same key signs other things elsewhere."""

RoleName: TypeAlias = Literal["receiver", "sender"]
To: TypeAlias = Literal["both", "receiver"]

VALUE_LIMIT = 1 << 32
"""A value is below this."""
TOTAL_LIMIT = 1 << 48
"""What all values of a run add up to is below this."""

CHUNK_ITEMS = 8192
ELEMENT_BYTES = 32
POINT_BYTES = 33
CIPHERTEXT_BYTES = 2 * POINT_BYTES
_ENVELOPE_BYTES = 64  # the type's name and the lengths around one or two byte strings


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
    to: To
    size: int

    def __post_init__(self) -> None:
        if not (1 <= self.floor <= MAX_ITEMS and 0 <= self.size <= MAX_ITEMS):
            raise ValueError("floor or size out of range")
        names = (self.version, self.suite, self.party, self.peer)
        if max(map(len, names)) > MAX_NAME_CHARACTERS or len(self.context) > MAX_CONTEXT_BYTES:
            raise ValueError("a name or the context is too long")


class EncryptionKey(Message, frozen=True):
    """The public key of the Sender's values, made for this run."""

    max_bytes: ClassVar[int] = POINT_BYTES + _ENVELOPE_BYTES

    point: bytes


class BlindedItems(Message, frozen=True):
    """The next chunk of the Receiver's items, hashed to the group and blinded: a H(x)."""

    max_bytes: ClassVar[int] = CHUNK_ITEMS * ELEMENT_BYTES + _ENVELOPE_BYTES

    elements: bytes


class ValuedItems(Message, frozen=True):
    """The next chunk of the Sender's items, blinded, b H(y), and of their values, encrypted."""

    max_bytes: ClassVar[int] = CHUNK_ITEMS * (ELEMENT_BYTES + CIPHERTEXT_BYTES) + _ENVELOPE_BYTES

    elements: bytes
    ciphertexts: bytes
    """``CIPHERTEXT_BYTES`` for each element, in the same order."""


class EvaluatedItems(Message, frozen=True):
    """The next chunk of the Receiver's items under both scalars, b a H(x), shuffled."""

    max_bytes: ClassVar[int] = CHUNK_ITEMS * ELEMENT_BYTES + _ENVELOPE_BYTES

    elements: bytes


class Cardinality(Message, frozen=True):
    """How many items are shared, or nothing if that is below the floor."""

    max_bytes: ClassVar[int] = _ENVELOPE_BYTES

    size: int | None


class SizeStatement(Message, frozen=True):
    """The statement of what was compared (canonical JSON), and its signature."""

    max_bytes: ClassVar[int] = 16384

    statement: bytes
    signature: bytes


class EncryptedSum(Message, frozen=True):
    """The shared items' sum, encrypted and re-randomised.

    All of the ciphertext if the sum is for both, its first point if it is for the Receiver alone.
    """

    max_bytes: ClassVar[int] = CIPHERTEXT_BYTES + _ENVELOPE_BYTES

    points: bytes


class DecryptionShare(Message, frozen=True):
    """The Sender's private key times the first point of the encrypted sum."""

    max_bytes: ClassVar[int] = POINT_BYTES + _ENVELOPE_BYTES

    point: bytes


class SumStatement(Message, frozen=True):
    """The same statement with the sum, where that is for both, and its signature."""

    max_bytes: ClassVar[int] = 16384

    statement: bytes
    signature: bytes
