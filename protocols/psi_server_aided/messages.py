"""The messages of server-aided PSI (SPEC.md §3): between the parties, and with the coordinator."""

from __future__ import annotations

from typing import ClassVar

from protocols.arguments import MAX_CONTEXT_BYTES, MAX_ITEMS, MAX_NAME_CHARACTERS
from protocols.errors import RemoteProtocolError
from protocols.roles import PartyId
from protocols.suite import Suite
from protocols.wire import Message

VERSION = "fedcrm-psi-server-aided/1"
KEY_PREFIX = b"fedcrm/psi-token-keys/v1\x00"
"""Stands before what the parties sign and MAC to agree on keys."""
SIGNATURE_PREFIX = b"fedcrm/psi-matches/v1\x00"
"""Stands before the statement of the result when it is signed."""

TOKEN_BYTES = 16
_SMALL_BYTES = 8192


class _Terms(Message, frozen=True):
    """What every first message of a step says: the run its sender takes part in."""

    max_bytes: ClassVar[int] = _SMALL_BYTES

    version: str
    suite: str
    party: str
    peer: str
    context: bytes

    def __post_init__(self) -> None:
        names = (self.version, self.suite, self.party, self.peer)
        if max(map(len, names)) > MAX_NAME_CHARACTERS or len(self.context) > MAX_CONTEXT_BYTES:
            raise ValueError("a name or the context is too long")


class KeyOffer(_Terms, frozen=True):
    """The initiator's ephemeral public key, and what it takes the run to be."""

    ephemeral_key: bytes


class KeyAnswer(Message, frozen=True):
    """The responder's ephemeral public key, its signature over both keys, and its MAC."""

    max_bytes: ClassVar[int] = 1024

    ephemeral_key: bytes
    signature: bytes
    mac: bytes


class KeyConfirmation(Message, frozen=True):
    """The initiator's signature over both ephemeral keys, and its MAC."""

    max_bytes: ClassVar[int] = 1024

    signature: bytes
    mac: bytes


class MatchTerms(_Terms, frozen=True):
    """How many items the sender brought, and whether the coordinator opened the matches to it."""

    floor: int
    size: int
    opened: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (1 <= self.floor <= MAX_ITEMS and 0 <= self.size <= MAX_ITEMS):
            raise ValueError("floor or size out of range")


class MatchesMac(Message, frozen=True):
    """The sender's MAC over the statement of the result, the matched tokens in it."""

    max_bytes: ClassVar[int] = 256

    mac: bytes


class TokenList(Message, frozen=True):
    """A party's tokens for the coordinator: 16 bytes each, sorted as byte strings."""

    max_bytes: ClassVar[int] = MAX_ITEMS * TOKEN_BYTES + _SMALL_BYTES

    version: str
    party: str
    peer: str
    context: bytes
    tokens: bytes


class MatchAnswer(Message, frozen=True):
    """What the coordinator tells one party: whether the floor is reached, and what matched.

    ``matched`` has one bit for each token of that party's own list, in its order, the first
    token's the highest bit of the first byte; unused bits are zero. It is empty unless ``opened``:
    below the floor nothing but the two list sizes is told.
    """

    max_bytes: ClassVar[int] = MAX_ITEMS // 8 + _SMALL_BYTES

    version: str
    context: bytes
    own_size: int
    peer_size: int
    opened: bool
    matched: bytes

    def __post_init__(self) -> None:
        if not (0 <= self.own_size <= MAX_ITEMS and 0 <= self.peer_size <= MAX_ITEMS):
            raise ValueError("size out of range")
        if len(self.matched) != (-(-self.own_size // 8) if self.opened else 0):
            raise ValueError("as many bits as tokens, or none at all")
        unused = -self.own_size % 8
        if self.matched and self.matched[-1] & ((1 << unused) - 1):
            raise ValueError("unused bits must be zero")


def check_terms(
    terms: _Terms, *, party: PartyId, peer: PartyId, suite: Suite, context: bytes
) -> None:
    """Return if the peer takes the run to be what this party does."""
    name = type(terms).__name__
    if terms.version != VERSION:
        raise RemoteProtocolError(f"{name}: peer's protocol version is not ours, {VERSION}")
    if terms.suite != suite.name:
        raise RemoteProtocolError(f"{name}: peer's suite is not ours, {suite.name}")
    if (terms.party, terms.peer) != (peer, party):
        raise RemoteProtocolError(f"{name}: peer's run is between other parties")
    if terms.context != context:
        raise RemoteProtocolError(
            f"{name}: peer's context is not ours; both must run the same signed spec and attempt"
        )
