"""Everything one side does before it meets the other: identity, log, table, kernels, door."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from party_node.clock import utc_now
from party_node.errors import NodeError
from party_node.psi.door import Door, open_door
from party_node.psi.guard import Change, Guard
from party_node.psi.meeting import Dialer, Self
from party_node.psi.options import PsiOptions
from party_node.psi.rehearsal import rehearse
from party_node.psi.rounds import Rounds, read_rounds, rounds_of_prepared, table_session
from party_node.psi.run_state import only_run
from party_node.psi.streams import CountedConnection
from party_node.psi.table_out import check_output
from protocols.identifiers import RULES_VERSION
from protocols.session.psi_spec import (
    ECDH_ROWS,
    MAX_KEYS,
    MAX_ROWS,
    KeyTerms,
    PsiProtocol,
    PsiSpec,
    PsiTerms,
)
from protocols.suite import Suite, get_suite

if TYPE_CHECKING:
    from party_node.psi.evidence import Evidence
    from party_node.psi.oprf_cache import PreparedSet


_SLOW_S = 4.0


class Watcher(Protocol):
    """Who watches a run: a terminal, a script's log, or a test."""

    def say(self, text: str) -> None:
        """Tell the operator one line."""

    def connected(self, connection: CountedConnection) -> None:
        """Know the connection whose bytes are shown from now on."""

    def progress(self, step: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` units of ``step`` are finished; from any thread."""

    def confirm(self, spec: PsiSpec, own: str) -> bool:
        """Show the spec to the officer and return whether it is approved."""


@dataclass
class Ready:
    """One side, ready to meet the other."""

    options: PsiOptions
    watcher: Watcher
    own: Self
    private_key: bytes = field(repr=False)
    dialer: Dialer
    rounds: Rounds
    evidence: Evidence | None
    guard: Guard | None
    prepared: PreparedSet | None = None
    changed: Change | None = None
    """How the set differs from the last run's, once that is known."""
    guarded: bool = False
    approved: tuple[PsiTerms, PsiTerms] | None = None
    """Both sides' terms as the officer has approved them in this process."""
    match_s: float = 0.0

    def prepared_set(self) -> PreparedSet | None:
        """Return the sender's set for ``oprf``, prepared now if it was not before."""
        if self.options.role == "sender" and self.prepared is None:
            self.prepared = prepare_for_queries(
                self.options, self.own.suite, self.rounds, self.watcher
            )
        return self.prepared

    def confirm(self, spec: PsiSpec) -> bool:
        """Ask this side's officer, or nobody where ``--yes`` or ``--lab`` answers.

        The very terms that were approved before are not asked about again: the connection was
        lost before the other side had this side's word.
        """
        if spec.both == self.approved:
            return True
        if not self.watcher.confirm(spec, self.own.terms.party_id):
            return False
        self.approved = spec.both
        return True


@contextlib.contextmanager
def set_out(options: PsiOptions, watcher: Watcher) -> Iterator[Ready]:
    """Prepare one side and clear up after it. Raises :class:`NodeError` with what to do."""
    parts = contextlib.ExitStack()
    with parts:
        parts.enter_context(only_run(options.state_folder))
        door = open_door(options, watcher.say)
        parts.callback(door.dialer.close)
        suite = get_suite(options.suite, options.kernels)
        evidence = None
        if options.log is not None:
            # Lazily: a run without a log loads no database.
            from party_node.psi.evidence import Evidence  # noqa: PLC0415
            from party_node.psi.log_folder import Signer  # noqa: PLC0415

            signer = Signer(door.name, suite, door.public_key, door.private_key)
            evidence = Evidence.open(options.log, signer, options.officer)
            parts.callback(evidence.close)
        if options.output is not None:
            check_output(options.input, options.output)
        prepared = _find_prepared(options, suite)
        if prepared is not None:
            rounds = rounds_of_prepared(
                options,
                suite,
                rows=len(prepared.rows),
                digest=prepared.table_digest,
                session=table_session(options, suite),
            )
        else:
            rounds = read_rounds(options, suite)
            if options.protocol == "oprf" and options.role == "sender":
                prepared = prepare_for_queries(options, suite, rounds, watcher)
        with _told_if_slow(watcher):
            for protocol in _expected_protocols(options, rounds.rows):
                rehearse(suite, protocol)
        own = Self(
            terms=_terms(options, door, rounds),
            suite=suite,
            peer=door.peer_name,
            pinned_key=door.peer_key,
            pinned_certificate=door.peer_certificate,
            inputs=_inputs_digest(options, rounds, suite),
            state_folder=options.state_folder,
            created_at=utc_now(),
            evidence=evidence,
            deadlines=options.deadlines,
        )
        guard = None if options.log is None else Guard(options.log, suite, door.peer_name)
        yield Ready(
            options=options,
            watcher=watcher,
            own=own,
            private_key=door.private_key,
            dialer=door.dialer,
            rounds=rounds,
            evidence=evidence,
            guard=guard,
            prepared=prepared,
        )


@contextlib.contextmanager
def _told_if_slow(watcher: Watcher) -> Iterator[None]:
    """Say what takes long where the kernels are not compiled yet: the first run on a machine."""
    timer = threading.Timer(
        _SLOW_S,
        watcher.say,
        ("compiling for this machine, once; `fedcrm doctor` does it ahead of the first run",),
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _find_prepared(options: PsiOptions, suite: Suite) -> PreparedSet | None:
    """Return what an earlier run of the sender prepared of this very table, if it may be used."""
    if options.cache is None or options.role != "sender" or options.rotate:
        return None
    from party_node.psi.oprf_cache import find_prepared  # noqa: PLC0415

    return find_prepared(options.cache, suite, table_session(options, suite), options.quota)


def prepare_for_queries(
    options: PsiOptions, suite: Suite, rounds: Rounds, watcher: Watcher
) -> PreparedSet:
    """Begin a new epoch for the sender's table: one multiplication a row."""
    from party_node.psi.oprf_cache import prepare_set  # noqa: PLC0415

    assert options.cache is not None
    watcher.say(f"preparing {rounds.rows:,} rows under a new key, once, in {options.cache}")
    items, rows = rounds.rounds[0].whole()
    return prepare_set(
        options.cache,
        suite,
        items,
        rows,
        session=rounds.session,
        table_digest=rounds.digest,
        quota=options.quota,
        on_progress=watcher.progress,
    )


def _terms(options: PsiOptions, door: Door, rounds: Rounds) -> PsiTerms:
    try:
        return _checked_terms(options, door, rounds)
    except ValueError as error:
        raise NodeError(
            str(error),
            "--basis is a short reference such as CN13_1; a table has at most "
            f"{MAX_ROWS:,} rows and {MAX_KEYS} key columns",
        ) from None


def _checked_terms(options: PsiOptions, door: Door, rounds: Rounds) -> PsiTerms:
    return PsiTerms(
        party_id=door.name,
        role=options.role,
        public_key=door.public_key.hex(),
        certificate_digest=door.certificate,
        legal_basis=options.basis,
        minimum_cohort=options.floor,
        rows=rounds.rows,
        cores=options.cores,
        protocol=options.protocol,
        cached=options.cache is not None,
        values=options.values is not None,
        reveal=options.reveal,
        to=options.to,
        suite=options.suite,
        purpose=options.purpose,
        key=KeyTerms(kinds=options.kinds, match=options.match, rules=RULES_VERSION),
    )


def _inputs_digest(options: PsiOptions, rounds: Rounds, suite: Suite) -> bytes:
    """Return the digest of everything a resumed run must have in common with this one."""
    fields = (
        options.role, options.keys, options.kinds, options.match, options.region, options.suite,
        options.protocol, options.reveal, options.to, options.values, options.purpose,
        options.basis, options.floor, options.kernels,
    )  # fmt: skip
    # Of fixed lengths but the last: the parts cannot be taken for one another.
    excused = suite.hash(rounds.excused.tobytes())
    return suite.hash(b"fedcrm/psi-inputs/v1\x00", rounds.digest, excused, repr(fields).encode())


def _expected_protocols(options: PsiOptions, rows: int) -> list[PsiProtocol]:
    """Return the protocols whose kernels are loaded before the peer is there."""
    if options.reveal == "sum":
        return ["sum"]
    if options.reveal == "size" or options.protocol == "ecdh":
        return ["ecdh"]
    if options.protocol == "oprf":
        return ["oprf"]
    if options.protocol == "vole":
        return ["vole"]
    return ["vole" if rows > ECDH_ROWS else "ecdh"]
