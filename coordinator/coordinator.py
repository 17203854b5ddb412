"""The coordinator: proposes jobs, collects approvals, drives phases, keeps its own log.

It holds no data and no key of any party, and nothing it says is believed: a party checks every
signature of a job itself.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from sqlalchemy import Connection, Engine, insert, select, update

from audit.catalogue import DetailValue
from audit.database import open_database, transaction
from audit.event import Actor, EventDraft, Outcome, Source, joint_message
from audit.identity import LogIdentity, log_origin
from audit.key_files import create_secret_file, load_secret_file
from audit.log import AuditLog, create_tables
from audit.statements import approval_statement
from coordinator.horizontal.drive import HorizontalDrive
from coordinator.job_drive import JobDrive, PhaseOutcome
from coordinator.store import jobs, metadata
from protocols.session.approval import encode_approvals, verify_approvals
from protocols.session.decoded_spec import Spec, decode_spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.job_spec import JobSpec
from protocols.session.phase_report import Phase
from protocols.suite import Suite, get_suite

_SUCCESS = Outcome(status="success", code="ok")


S_co = TypeVar("S_co", bound=Spec, covariant=True)
K = TypeVar("K", JobSpec, HorizontalSpec)


@dataclass(frozen=True)
class JobRecord(Generic[S_co]):
    """A job as the coordinator knows it."""

    spec: S_co
    approvals: bytes
    status: str
    attempt: int
    phase: Phase | None
    outcome: dict[str, Any]
    """Of the last phase: ``lost`` and, by party, ``status`` and what the party reported."""


@dataclass(frozen=True)
class Coordinator:
    """One opened coordinator; everything is read from its home folder."""

    home: Path
    suite: Suite
    engine: Engine
    log: AuditLog

    @classmethod
    def create(cls, home: Path, suite_name: str, *, simulated: bool) -> Coordinator:
        """Make a new home with a key, a database and an empty log."""
        suite = get_suite(suite_name)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        private, public = suite.generate_signing_key(secrets.token_bytes(32))
        create_secret_file(home / "keys" / "signing.key", private)
        source: Source = "simulation" if simulated else "party_node"
        identity = LogIdentity(
            origin=log_origin("coordinator", source),
            suite=suite,
            public_key=public,
            source=source,
        )
        engine = open_database(home / "coordinator.sqlite", metadata)
        with transaction(engine) as connection:
            create_tables(connection)
            AuditLog.create(connection, identity, actor=_actor())
        engine.dispose()
        return cls.open(home)

    @classmethod
    def open(cls, home: Path) -> Coordinator:
        """Open the coordinator whose home is ``home``."""
        engine = open_database(home / "coordinator.sqlite", metadata)
        with transaction(engine) as connection:
            log = AuditLog.open(connection)
        return cls(home, log.identity.suite, engine, log)

    def close(self) -> None:
        """Release the database."""
        self.engine.dispose()

    def propose(self, spec: Spec) -> None:
        """Record a new job."""
        with transaction(self.engine) as connection:
            connection.execute(
                insert(jobs).values(
                    job_id=spec.job_id,
                    spec=spec.to_bytes(),
                    approvals=b"{}",
                    status="proposed",
                    attempt=1,
                    phase="",
                    outcome=b"{}",
                )
            )
            self.event(
                connection,
                spec,
                "job.proposed",
                details={
                    "spec_digest": spec.digest(self.suite).hex(),
                    "suite": spec.suite,
                    "protocol": spec.protocol,
                    "algorithm": spec.algorithm,
                    "parties": [p.party_id for p in spec.participants],
                },
                counts={"parties": len(spec.participants), "floor": spec.floor},
            )

    def record_refusal(self, spec: Spec, party: str, message: str) -> None:
        """Record that ``party`` refused the job before it ran."""
        with transaction(self.engine) as connection:
            self.update(
                connection,
                spec,
                status="refused",
                outcome=json.dumps({"lost": "", "reports": {party: _refused(message)}}).encode(),
            )
            self.event(connection, spec, "job.refused", details={"party": party})
            self.checkpoint(connection)

    def record_approvals(
        self, spec: Spec, approvals: Mapping[str, bytes], keys: Mapping[str, bytes]
    ) -> None:
        """Verify and store every party's approval; the job may run from here on."""
        statement = approval_statement(
            spec.job_id,
            [log_origin(party.party_id, self.log.identity.source) for party in spec.participants],
            spec.digest(self.suite).hex(),
        )
        verify_approvals(spec, joint_message(statement), approvals, keys, self.suite)
        with transaction(self.engine) as connection:
            self.update(
                connection,
                spec,
                status="approved",
                approvals=encode_approvals(approvals),
            )
            for party in sorted(approvals):
                self.event(
                    connection,
                    spec,
                    "job.approved",
                    details={"party": party, "spec_digest": spec.digest(self.suite).hex()},
                )

    def job(self, job_id: str) -> JobRecord[Spec]:
        """Return the job; raises ``KeyError``."""
        with self.engine.connect() as connection:
            row = connection.execute(select(jobs).filter_by(job_id=job_id)).one_or_none()
        if row is None:
            raise KeyError(job_id)
        return JobRecord(
            decode_spec(row.spec),
            row.approvals,
            row.status,
            row.attempt,
            row.phase or None,
            json.loads(row.outcome),
        )

    def latest_job(self, kind: type[K], chosen: Callable[[K], bool]) -> JobRecord[K] | None:
        """Return the last job whose spec is a ``kind`` and ``chosen``; None without one."""
        with self.engine.connect() as connection:
            job_ids = list(connection.execute(select(jobs.c.job_id)).scalars())
        latest: JobRecord[K] | None = None
        for record in map(self.job, job_ids):
            spec = record.spec
            if not isinstance(spec, kind) or not chosen(spec):
                continue
            if latest is None or spec.created_at > latest.spec.created_at:
                latest = replace(record, spec=spec)  # type: ignore[assignment]
        return latest

    def server_app(
        self, job_id: str, keys: dict[str, bytes], stop: Callable[[int], None]
    ) -> ServerApp:
        """Return the ServerApp that drives ``job_id`` from where it stands."""
        record = self.job(job_id)
        app = ServerApp()

        @app.main()
        def main(grid: Grid, context: Context) -> None:
            del context
            self.drive(record, keys, stop, grid)

        return app

    def drive(
        self,
        record: JobRecord[Spec],
        keys: dict[str, bytes],
        stop: Callable[[int], None],
        grid: Grid,
    ) -> None:
        """Drive a job over ``grid`` from where it stands to its end, well or not."""
        spec = record.spec
        if isinstance(spec, HorizontalSpec):
            horizontal = JobRecord(
                spec,
                record.approvals,
                record.status,
                record.attempt,
                record.phase,
                record.outcome,
            )
            HorizontalDrive(self, horizontal, keys).run(grid)
            return
        JobDrive(
            spec=spec,
            approvals=record.approvals,
            suite=self.suite,
            public_keys=keys,
            attempt=record.attempt,
            first_phase=_resume_from(record.phase),
            on_phase=lambda phase, attempt: self._record_phase(spec, phase, attempt),
            on_outcome=lambda outcome: self._record_outcome(spec, outcome),
            stop=stop,
        ).run(grid)

    def record_pooled_comparison(
        self, spec: Spec, *, train: int, held_out: int, **measured: str
    ) -> None:
        """Record that a simulation joined both tables in the clear to compare.

        ``measured`` has a decimal by measure: ``auc``, ``rmse`` or ``accuracy``.
        """
        with transaction(self.engine) as connection:
            self.event(
                connection,
                spec,
                "comparison.pooled",
                details={f"{measure}_pooled": value for measure, value in measured.items()},
                counts={"train": train, "held_out": held_out},
            )
            self.checkpoint(connection)

    # -- recording ---------------------------------------------------------------------------

    def _record_phase(self, spec: JobSpec, phase: Phase, attempt: int) -> None:
        with transaction(self.engine) as connection:
            self.update(connection, spec, status="running", phase=phase, attempt=attempt)
            self.event(
                connection,
                spec,
                "phase.started",
                attempt=attempt,
                phase=phase,
                details={"step": phase},
            )

    def _record_outcome(self, spec: JobSpec, outcome: PhaseOutcome) -> None:
        status = outcome.status
        reports = {
            party: {"status": report.status, "payload": payload}
            for party, (report, payload) in outcome.reports.items()
        }
        job_status = {"done": "closed" if outcome.phase == "close" else "running"}.get(
            status, status
        )
        with transaction(self.engine) as connection:
            self.update(
                connection,
                spec,
                status=job_status,
                outcome=json.dumps({"lost": outcome.lost, "reports": reports}).encode(),
            )
            for type_, details, counts in _events_of(outcome):
                self.event(
                    connection,
                    spec,
                    type_,
                    attempt=outcome.attempt,
                    phase=outcome.phase,
                    details=details,
                    counts=counts,
                )
            self.checkpoint(connection)

    # -- the database and the log -----------------------------------------------------------

    def update(self, connection: Connection, spec: Spec, **values: object) -> None:
        """Change the job's row in the caller's transaction."""
        connection.execute(update(jobs).filter_by(job_id=spec.job_id).values(**values))

    def event(
        self,
        connection: Connection,
        spec: Spec,
        type_: str,
        *,
        attempt: int | None = None,
        phase: str | None = None,
        details: dict[str, DetailValue] | None = None,
        counts: dict[str, int] | None = None,
    ) -> None:
        """Append an event bound to the job in the caller's transaction."""
        self.log.append(
            connection,
            EventDraft(
                type=type_,
                actor=_actor(),
                outcome=_SUCCESS,
                job=spec.job_id,
                attempt=attempt,
                phase=phase,
                purpose=spec.purpose,
                contract_digest=spec.digest(self.suite).hex(),
                details=details or {},
                counts=counts or {},
            ),
        )

    def checkpoint(self, connection: Connection) -> None:
        """Sign the log's present size and root."""
        private = load_secret_file(self.home / "keys" / "signing.key")
        self.log.checkpoint(
            connection, lambda message: self.suite.sign(private, message, secrets.token_bytes(32))
        )


def _resume_from(phase: Phase | None) -> Phase:
    """Return the phase to go on with: tokens to match are not kept, so they are asked for again."""
    return "align" if phase is None or phase == "match" else phase


def _actor() -> Actor:
    return Actor(kind="service", id="coordinator", role="coordinator", authn="local")


def _refused(message: str) -> dict[str, Any]:
    return {"status": "refused", "payload": {"message": message, "hint": ""}}


def _events_of(
    outcome: PhaseOutcome,
) -> list[tuple[str, dict[str, DetailValue], dict[str, int]]]:
    """Return the coordinator's own events of a phase's end; it logs sizes, never a result."""
    events: list[tuple[str, dict[str, DetailValue], dict[str, int]]] = []
    if outcome.status == "abandoned":
        events.append(
            (
                "attempt.abandoned",
                {"reason": "journals-did-not-match"},
                {"next_attempt": outcome.attempt + 1},
            )
        )
    elif outcome.status == "done":
        events.append(("phase.completed", {"step": outcome.phase}, {}))
        _, payload = next(iter(outcome.reports.values()))
        if "intersection" in payload:
            counts = {name: payload[name] for name in ("intersection", "floor")}
            events.append(("psi.completed", {"protocol": payload["protocol"]}, counts))
        if outcome.phase == "close":
            events.append(("job.closed", {"reason": "released"}, {}))
    else:
        parties = [p for p, (report, _) in outcome.reports.items() if report.status != "done"]
        for party in parties or ["unknown"]:
            events.append(
                (
                    "phase.failed",
                    {"step": outcome.phase, "party": party, "reason": outcome.status},
                    {},
                )
            )
        events.append(
            (
                {"refused": "job.refused", "stopped": "job.stopped"}.get(
                    outcome.status, "job.failed"
                ),
                {"reason": outcome.status} if outcome.status != "refused" else {},
                {},
            )
        )
    return events
