"""How two parties come to one PsiSpec and end with one word: the messages around the match."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from protocols.errors import RemoteProtocolError
from protocols.roles import Receive, Role, Send
from protocols.session.psi_spec import MAX_BUCKETS
from protocols.wire import Message

RELEASE = "fedcrm-psi-negotiation/1"
NONCE_BYTES = 16
MAX_ATTEMPTS = 1 << 31
_ATTEMPT = np.dtype("<u4")

Attempts: TypeAlias = npt.NDArray[np.int64]


class Offer(Message, frozen=True):
    """What the sender of this message brings and wants; the first message of a connection."""

    max_bytes: ClassVar[int] = 16384

    release: str
    terms: bytes
    """Canonical :class:`~protocols.session.psi_spec.PsiTerms`."""
    nonce: bytes
    created_at: str
    resumes: str
    """Id of the interrupted run this party can go on with; empty if there is none."""
    attempt: int
    """How often this party has connected for that run."""

    def __post_init__(self) -> None:
        if len(self.nonce) != NONCE_BYTES or not 0 <= self.attempt < MAX_ATTEMPTS:
            raise ValueError("nonce or attempt out of range")
        if max(map(len, (self.release, self.created_at, self.resumes))) > 200:
            raise ValueError("a text is too long")


class Decision(Message, frozen=True):
    """Whether the party approves the spec both computed, and its signature if it does."""

    max_bytes: ClassVar[int] = 1024

    spec_digest: bytes
    approved: bool
    signature: bytes


class Standing(Message, frozen=True):
    """In which attempt the party finished each part, 4 bytes little endian each; 0: not yet.

    The attempt and not a mere yes: what the two parties keep of a part fits together only if it
    comes from one execution, and one of them may have been killed in the middle of a second.
    """

    max_bytes: ClassVar[int] = MAX_BUCKETS * _ATTEMPT.itemsize + 64

    attempts: bytes


class Outcome(Message, frozen=True):
    """What the receiver tells the sender at the end: whether the floor was reached."""

    max_bytes: ClassVar[int] = 64

    opened: bool


class StatementSignature(Message, frozen=True):
    """A party's signature over the statement of the outcome, which both have."""

    max_bytes: ClassVar[int] = 1024

    signature: bytes


def exchange_offers(own: Offer, *, peer: str) -> Role[Offer]:
    """Send ``own`` and return the peer's; refuses another release."""
    yield Send(peer, own)
    theirs: Offer = yield Receive(peer, Offer)
    if theirs.release != RELEASE:
        raise RemoteProtocolError(f"Offer: peer's release of the protocol is not {RELEASE}")
    return theirs


def exchange_decisions(own: Decision, *, peer: str) -> Role[Decision]:
    """Send this party's decision and return the peer's over the same spec."""
    yield Send(peer, own)
    theirs: Decision = yield Receive(peer, Decision)
    if theirs.spec_digest != own.spec_digest:
        raise RemoteProtocolError("Decision: peer decided on another spec than ours")
    return theirs


def exchange_standings(own: Attempts, *, peer: str) -> Role[Attempts]:
    """Send in which attempt each part was finished here, 0 for none; return the peer's."""
    yield Send(peer, Standing(own.astype(_ATTEMPT).tobytes()))
    theirs: Standing = yield Receive(peer, Standing)
    if len(theirs.attempts) != len(own) * _ATTEMPT.itemsize:
        raise RemoteProtocolError("Standing: not of as many parts as the spec has")
    return np.frombuffer(theirs.attempts, _ATTEMPT).astype(np.int64)


def tell_outcome(opened: bool, *, peer: str) -> Role[None]:
    """Tell the sender whether the floor was reached."""
    yield Send(peer, Outcome(opened))


def hear_outcome(*, peer: str) -> Role[bool]:
    """Hear from the receiver whether the floor was reached."""
    outcome: Outcome = yield Receive(peer, Outcome)
    return outcome.opened


def exchange_signatures(own: bytes, *, peer: str) -> Role[bytes]:
    """Send the own signature of the outcome; return the peer's, not yet verified."""
    yield Send(peer, StatementSignature(own))
    theirs: StatementSignature = yield Receive(peer, StatementSignature)
    return theirs.signature
