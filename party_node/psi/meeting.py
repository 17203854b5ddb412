"""How the two sides meet: connect, exchange offers, agree on a spec or go on with an agreed one."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from party_node.errors import AttemptAbandoned, JobRefused, PeerUnreachable
from party_node.psi.drive import run_role
from party_node.psi.run_state import RunState
from party_node.psi.streams import CountedConnection, Deadlines, Streams
from protocols.errors import RemoteProtocolError
from protocols.roles import Role
from protocols.session.psi_negotiation import (
    MAX_ATTEMPTS,
    NONCE_BYTES,
    RELEASE,
    Decision,
    Offer,
    exchange_decisions,
    exchange_offers,
)
from protocols.session.psi_spec import (
    PsiSpec,
    PsiTerms,
    agree_on_spec,
    decode_psi_terms,
    encode_psi_terms,
)
from protocols.suite import Suite

if TYPE_CHECKING:
    from party_node.psi.evidence import Evidence

T = TypeVar("T")

CONTROL_STREAM = 0
_CONTROL_BYTES = 1 << 20
_TICK_S = 0.5


class Dialer(Protocol):
    """Reaches the one peer, by listening or by connecting."""

    @property
    def trouble(self) -> str:
        """What happened last instead of a connection."""

    def dial(self, timeout: float) -> CountedConnection | None:
        """Return a connection, or None when the peer did not appear within ``timeout``."""

    def close(self) -> None:
        """Stop listening."""


@dataclass(frozen=True)
class Self:
    """This side, as long as the process lives."""

    terms: PsiTerms
    suite: Suite
    peer: str
    """The peer's id, as pinned or, with ``--lab``, as assumed until it says so."""
    pinned_key: bytes | None
    """The peer's signature key; None with ``--lab``: whatever it says is believed."""
    pinned_certificate: str | None
    inputs: bytes
    """Digest of file and options: what an interrupted run must have in common with this one."""
    state_folder: Path
    created_at: str
    evidence: Evidence | None
    deadlines: Deadlines


@dataclass(frozen=True, slots=True)
class Meeting:
    """Both sides connected and agreed."""

    streams: Streams
    spec: PsiSpec
    state: RunState
    attempt: int
    resumed: bool

    def run(self, role: Role[T], step: str) -> T:
        """Run a role of the frame around the match."""
        return _control(self.streams, role, step)


def connect(dialer: Dialer, peer: str, deadline_s: float) -> CountedConnection:
    """Return a connection to ``peer``; raises :class:`PeerUnreachable` after the deadline."""
    give_up = time.monotonic() + deadline_s
    while time.monotonic() < give_up:
        connection = dialer.dial(_TICK_S)
        if connection is not None:
            return connection
    raise PeerUnreachable(
        f"waited {deadline_s:.0f} s for {peer}; {dialer.trouble}",
        "one side runs with --listen, the other with --connect to it: start it, check HOST:PORT "
        "and the firewall; --wait sets the deadline",
    )


def meet(
    connection: CountedConnection,
    own: Self,
    confirm: Callable[[PsiSpec], bool],
    *,
    finished: bool = False,
) -> Meeting:
    """Agree with the peer on a run: an interrupted one both know, or a new one.

    ``finished`` says that this process has ended the interrupted run and is here only in case the
    peer has not: if the peer does not know of it, :class:`AttemptAbandoned` is raised.
    """
    streams = Streams(connection, own.peer, own.deadlines)
    with ended_for_both(streams):
        return _Negotiation(streams, own, confirm).agree(finished)


@contextlib.contextmanager
def ended_for_both(streams: Streams) -> Iterator[None]:
    """Whatever ends the run here ends it at the peer too, with the reason."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, RemoteProtocolError):
            error.party = error.party or streams.peer
        streams.end(error)
        raise


class _Negotiation:
    """From two offers to one spec that both sides approved."""

    def __init__(self, streams: Streams, own: Self, confirm: Callable[[PsiSpec], bool]) -> None:
        self._streams = streams
        self._own = own
        self._confirm = confirm

    def agree(self, finished: bool) -> Meeting:
        """Exchange offers; go on with the run both know, or begin one."""
        own = self._own
        state = RunState.find(own.state_folder, own.inputs)
        if state is not None and state.spec.of(own.terms.role) != own.terms:
            state = None
        offer = Offer(
            release=RELEASE,
            terms=encode_psi_terms(own.terms),
            nonce=secrets.token_bytes(NONCE_BYTES),
            created_at=own.created_at,
            resumes=state.spec.run_id if state else "",
            attempt=state.attempt if state else 0,
        )
        theirs = self._run(exchange_offers(offer, peer=own.peer), "offer")
        terms = decode_psi_terms(theirs.terms)
        self._check_identity(terms)
        self._streams.peer = terms.party_id
        if state is not None and theirs.resumes == state.spec.run_id:
            return self._go_on(terms, state, max(offer.attempt, theirs.attempt) + 1)
        if finished:
            raise AttemptAbandoned(
                f"{own.terms.party_id} has just ended its run and {terms.party_id} begins another",
                "run both again",
            )
        return self._begin(terms, offer, theirs)

    def _check_identity(self, theirs: PsiTerms) -> None:
        """Check that the peer is who was pinned."""
        own = self._own
        if own.pinned_key is None:
            return
        if theirs.party_id != own.peer or theirs.public_key != own.pinned_key.hex():
            raise RemoteProtocolError("the offer is not from the pinned identity", party=own.peer)
        if theirs.certificate_digest != own.pinned_certificate:
            raise RemoteProtocolError("the offer names another certificate", party=own.peer)

    def _go_on(self, theirs: PsiTerms, state: RunState, attempt: int) -> Meeting:
        """Go on with the interrupted run that both know.

        Both approved it, or it would not be kept; but only one of them may have the other's word.
        """
        own, spec = self._own, state.spec
        other = spec.sender if own.terms.role == "receiver" else spec.receiver
        if other != theirs or attempt >= MAX_ATTEMPTS:
            raise RemoteProtocolError(
                "resumes the interrupted run with other terms than it was agreed with",
                party=theirs.party_id,
            )
        state.connected(attempt)
        if own.evidence is not None:
            own.evidence.resume(spec, attempt)
        self._exchange_decisions(theirs, spec, approved=True)
        return Meeting(self._streams, spec, state, attempt, resumed=True)

    def _begin(self, theirs: PsiTerms, own_offer: Offer, peers_offer: Offer) -> Meeting:
        own = self._own
        receiver, sender, first, second = own.terms, theirs, own_offer, peers_offer
        if own.terms.role == "sender":
            receiver, sender, first, second = theirs, own.terms, peers_offer, own_offer
        digest = own.suite.hash(b"fedcrm/psi-run/v1\x00", first.nonce, second.nonce)
        try:
            spec = agree_on_spec(f"psi-{digest.hex()[:24]}", first.created_at, receiver, sender)
        except ValueError as error:
            raise RemoteProtocolError(f"the offers give no spec: {error}", party=own.peer) from None
        return self._decide(theirs, spec)

    def _decide(self, theirs: PsiTerms, spec: PsiSpec) -> Meeting:
        """Both officers decide on the spec; raises :class:`JobRefused` unless both approve."""
        own, evidence = self._own, self._own.evidence
        if evidence is not None:
            evidence.propose(spec)
        approved = self._confirm(spec)
        if approved and evidence is not None:
            evidence.approve()
        # Kept before the peer hears of it: a side that is killed with the other's approval in
        # hand, or on its way, comes back to this run and not to another.
        state = RunState.begin(own.state_folder, spec, own.inputs) if approved else None
        try:
            self._exchange_decisions(theirs, spec, approved=approved)
        except JobRefused:
            if state is not None:
                state.destroy()
            raise
        assert state is not None
        return Meeting(self._streams, spec, state, state.attempt, resumed=False)

    def _exchange_decisions(self, theirs: PsiTerms, spec: PsiSpec, *, approved: bool) -> None:
        """Tell the peer and hear from it; raises :class:`JobRefused` unless both approve."""
        own, evidence = self._own, self._own.evidence
        signature = evidence.approval() if evidence is not None and approved else b""
        decision = Decision(spec.digest(own.suite), approved, signature)
        answer = self._run(exchange_decisions(decision, peer=own.peer), "decision")
        if not (approved and answer.approved):
            refuser = theirs.party_id if approved else own.terms.party_id
            if evidence is not None:
                evidence.refuse(refuser)
            raise JobRefused(f"{refuser} did not approve the run", "nothing was compared")
        if evidence is not None:
            evidence.agree(bytes.fromhex(theirs.public_key), signature, answer.signature)

    def _run(self, role: Role[T], step: str) -> T:
        return _control(self._streams, role, step)


def _control(streams: Streams, role: Role[T], step: str) -> T:
    stream = streams.open(CONTROL_STREAM, most_bytes=_CONTROL_BYTES)
    return run_role(role, stream, step=step)
