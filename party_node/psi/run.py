"""One run of ``fedcrm psi``: read, meet, agree, match, sign, write. The order is the story."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import dataclass

import msgspec

from party_node.errors import AttemptAbandoned, JobRefused, NodeError, PeerUnreachable
from party_node.peer_channel.transport import ConnectionLost
from party_node.psi.guard import check_change, rounded_down
from party_node.psi.match import match_all_rounds
from party_node.psi.meeting import Meeting, connect, ended_for_both, meet
from party_node.psi.options import PsiOptions
from party_node.psi.run_state import PartsInMemory, RunState
from party_node.psi.setting_out import Ready, Watcher, set_out
from party_node.psi.table import Found, Rows, Table
from party_node.psi.table_out import write_matching
from protocols.errors import ProtocolError
from protocols.session.note_exchange import exchange_notes
from protocols.session.psi_negotiation import exchange_signatures
from protocols.session.psi_spec import PsiSpec

_MOST_HANGUPS = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended, as ``--json`` prints it."""

    protocol: str
    suite: str
    reveal: str
    rows: int
    peer_rows: int
    intersection: int | None
    """The shared customers; rounded down to the floor where the size itself is revealed; None
    where this side does not learn it."""
    total: int | None
    opened: bool
    """Whether the floor was reached."""
    written: int
    """Rows in the output file."""
    rejected: int
    wall_s: float
    """From the connection on: agreement, match, signatures, output."""
    match_s: float
    """Of these, the match alone."""
    cpu_s: float
    bytes_sent: int
    bytes_received: int
    """Of the connection on which the run ended."""
    rss_mib: int
    kernels: str
    resumed: bool


def run_psi(options: PsiOptions, watcher: Watcher) -> Summary:
    """Run one side to its end and return how it went.

    Raises :class:`NodeError` or a protocol error; by then the peer has been told why, the log has
    it, and what another call can go on from is kept.
    """
    with set_out(options, watcher) as ready:
        try:
            return _Run(ready).to_its_end()
        except (NodeError, ProtocolError) as error:
            if ready.evidence is not None:
                with contextlib.suppress(NodeError):  # the first error is the one to tell
                    ready.evidence.fail(error)
            if isinstance(error, JobRefused):
                _forget_state(ready)
            raise


def _forget_state(ready: Ready) -> None:
    """Remove what is kept to go on from."""
    if (state := RunState.find(ready.own.state_folder, ready.own.inputs)) is not None:
        state.destroy()
    ready.rounds.forget()


class _Run:
    """One run over as many connections as it takes.

    A side that has all it gets stays until the other says so too, or does not come back: if the
    other was killed before its own end, it needs this side once more.
    """

    def __init__(self, ready: Ready) -> None:
        self._ready = ready
        self._memory = PartsInMemory()
        self._run_id = ""
        self._hung_up = 0
        self._summary: Summary | None = None

    def to_its_end(self) -> Summary:
        """Meet, match and conclude; again from what is finished whenever the peer drops out."""
        while True:
            try:
                return self._once()
            except ConnectionLost as error:
                self._lost(error)

    def _once(self) -> Summary:
        ready = self._ready
        try:
            connection = connect(ready.dialer, ready.own.peer, ready.own.deadlines.connect_s)
            ready.watcher.connected(connection)
            started = time.monotonic()
            meeting = meet(connection, ready.own, ready.confirm, finished=self._summary is not None)
        except (PeerUnreachable, AttemptAbandoned):
            # The peer has ended as well, and only its last word was lost.
            if (summary := self._summary or self._left_behind()) is None:
                raise
            return self._over(summary)
        if meeting.spec.run_id != self._run_id:
            self._run_id, self._memory = meeting.spec.run_id, PartsInMemory()
        with ended_for_both(meeting.streams):
            found = _match(ready, meeting, self._memory)
            self._summary = _conclude(ready, meeting, found, started)
            meeting.state.conclude(msgspec.msgpack.encode(self._summary))
            if not meeting.streams.leave():
                raise ConnectionLost("the last word did not come")
        return self._over(self._summary)

    def _lost(self, error: ConnectionLost) -> None:
        own = self._ready.own
        if not self._run_id:
            self._hung_up += 1
            if self._hung_up == _MOST_HANGUPS:
                raise PeerUnreachable(
                    f"{own.peer} hung up {self._hung_up} times before both had agreed ({error})",
                    "see what the other side's terminal says, then start both again",
                ) from None
        self._ready.watcher.say(
            f"lost the connection to {own.peer} ({error}); waiting "
            f"{own.deadlines.connect_s:.0f} s for it to come back"
        )

    def _left_behind(self) -> Summary | None:
        """Return how the run ended that a killed process had ended already, if one did."""
        own = self._ready.own
        state = RunState.find(own.state_folder, own.inputs)
        if state is None or not state.summary:
            return None
        return msgspec.msgpack.decode(state.summary, type=Summary)

    def _over(self, summary: Summary) -> Summary:
        """Remove what is kept to go on from, and return how it ended."""
        _forget_state(self._ready)
        return summary


def _match(ready: Ready, meeting: Meeting, memory: PartsInMemory) -> Found:
    """Run the rounds of the match, behind the guard."""
    spec = meeting.spec
    _guard(ready, spec)
    if ready.evidence is not None:
        ready.evidence.start({"own_set": ready.rounds.rows, "rejected": ready.rounds.rejected})
    table = Table(
        spec=spec,
        role=ready.options.role,
        suite=ready.own.suite,
        private_key=ready.private_key,
        streams=meeting.streams,
        parts=meeting.state if spec.buckets > 1 else memory,
        attempt=meeting.attempt,
        cores=min(spec.receiver.cores, spec.sender.cores),
        cache=ready.options.cache,
        on_progress=ready.watcher.progress,
    )
    prepared = ready.prepared_set() if spec.protocol == "oprf" else None
    started = time.monotonic()
    found = match_all_rounds(table, ready.rounds, prepared)
    ready.match_s = time.monotonic() - started
    return found


def _guard(ready: Ready, spec: PsiSpec) -> None:
    """Compare this party's set with its last against the same peer; refuse what tells too much.

    Where a size or a sum comes out, the set is remembered before the peer can have learned
    anything of it: a peer that drops out with its result must not be followed by a nearly equal
    set that is compared with an older one.
    """
    guard, listed = ready.guard, spec.reveal == "list"
    if guard is None or ready.guarded or (listed and ready.rounds.unread):
        return
    ready.changed = guard.compare(ready.rounds.items(), ready.rounds.excused)
    ready.guarded = True
    if listed:
        return
    try:
        check_change(ready.changed, spec.floor)
    except NodeError:
        assert ready.evidence is not None
        ready.evidence.refuse_by_guard(ready.rounds.rows)
        raise
    guard.remember(ready.rounds.items())


def _conclude(ready: Ready, meeting: Meeting, found: Found, started: float) -> Summary:
    """Sign how it ended, write what this side gets, keep the peer's checkpoint."""
    spec = meeting.spec
    if ready.evidence is not None:
        _sign_outcome(ready, meeting, found)
    written = 0
    if found.rows is not None and ready.options.output is not None:
        written = len(found.rows)
        _release(ready, found.rows)
    if ready.guard is not None and spec.reveal == "list" and not ready.rounds.unread:
        ready.guard.remember(ready.rounds.items())
    if ready.evidence is not None:
        note = ready.evidence.checkpoint_note()
        peer = meeting.streams.peer
        notes = meeting.run(exchange_notes(note, peers=(peer,)), "close")
        ready.evidence.keep_peers_note(peer, notes[peer])
        ready.evidence.end()
    connection = meeting.streams.connection
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Summary(
        protocol=spec.protocol,
        suite=spec.suite,
        reveal=spec.reveal,
        rows=ready.rounds.rows,
        peer_rows=found.peer_rows,
        intersection=shown_size(spec, found.size),
        total=found.total,
        opened=found.opened,
        written=written,
        rejected=ready.rounds.rejected,
        wall_s=round(time.monotonic() - started, 3),
        match_s=round(ready.match_s, 3),
        cpu_s=round(time.process_time(), 3),
        bytes_sent=connection.bytes_sent,
        bytes_received=connection.bytes_received,
        rss_mib=usage.ru_maxrss // 1024,
        kernels=ready.own.suite.kernels,
        resumed=meeting.resumed,
    )


def shown_size(spec: PsiSpec, size: int | None) -> int | None:
    """Return the size as the spec lets it be shown: exact with the list, else rounded down."""
    if size is None or spec.reveal == "list":
        return size
    return rounded_down(size, spec.floor)


def _known_to_both(spec: PsiSpec) -> bool:
    """Return whether both parties learn the size, so that both can sign it."""
    if spec.to == "both" or spec.protocol == "sum":
        return True
    return spec.protocol == "ecdh" and spec.reveal == "list"


def _sign_outcome(ready: Ready, meeting: Meeting, found: Found) -> None:
    evidence, spec = ready.evidence, meeting.spec
    assert evidence is not None
    size = shown_size(spec, found.size) if _known_to_both(spec) and found.opened else None
    statement = evidence.statement(refused=not found.opened, shown_size=size)
    own = evidence.sign_statement(statement)
    peers = meeting.run(exchange_signatures(own, peer=meeting.streams.peer), "statement")
    counts = {"own_set": ready.rounds.rows, "peer_set": found.peer_rows}
    learned = ["size-of-the-other-set"]
    if found.opened:
        if found.size is not None:
            counts["intersection"] = shown_size(spec, found.size) or 0
            learned.append("size-of-the-intersection")
        if found.rows is not None:
            learned.append("which-own-customers-are-shared")
        if found.total is not None:
            learned.append("sum-over-shared-customers")
        if ready.changed is not None:
            counts |= {"added": ready.changed.added, "removed": ready.changed.removed}
    evidence.finish(
        statement, (own, peers), refused=not found.opened, learned=learned, counts=counts
    )


def _release(ready: Ready, rows: Rows) -> None:
    """Write the matching rows, between two events: intended, done."""
    assert ready.options.output is not None
    evidence = ready.evidence
    intent = None if evidence is None else evidence.intend_release(len(rows))
    try:
        digest = write_matching(
            ready.options.input,
            ready.options.output,
            rows,
            ready.own.suite,
            since=ready.rounds.stamp,
        )
    except NodeError as error:
        if evidence is not None and intent is not None:
            evidence.release_failed(intent, error)
        raise
    if evidence is not None and intent is not None:
        evidence.released(intent, len(rows), digest)
