"""The coordinator: proposes jobs, collects approvals, drives phases, keeps its own log.

It holds no data and no key of any party, and nothing it says is believed: a party checks every
signature of a job itself.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from coordinator.job_drive import JobDrive, PhaseOutcome
from coordinator.store import jobs, metadata
from protocols.session.approval import encode_approvals, verify_approvals
from protocols.session.decoded_spec import decode_spec
from protocols.session.job_spec import JobSpec
from protocols.session.phase_report import Phase
from protocols.suite import Suite, get_suite

_SUCCESS = Outcome(status="success", code="ok")


@dataclass(frozen=True)
class JobRecord:
    """A job as the coordinator knows it."""

    spec: JobSpec
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

    def propose(self, spec: JobSpec) -> None:
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
            self._event(
                connection,
                spec,
                "job.proposed",
                details={
                    "spec_digest": spec.digest(self.suite).hex(),
                    "suite": spec.suite,
                    "protocol": spec.alignment.protocol,
                    "algorithm": spec.model.kind,
                    "parties": [p.party_id for p in spec.parties],
                },
                counts={"parties": len(spec.parties), "floor": spec.cohort_floor},
            )

    def record_refusal(self, spec: JobSpec, party: str, message: str) -> None:
        """Record that ``party`` refused the job before it ran."""
        with transaction(self.engine) as connection:
            self._update(
                connection,
                spec,
                status="refused",
                outcome=json.dumps({"lost": "", "reports": {party: _refused(message)}}).encode(),
            )
            self._event(connection, spec, "job.refused", details={"party": party})
            self._checkpoint(connection)

    def record_approvals(
        self, spec: JobSpec, approvals: Mapping[str, bytes], keys: Mapping[str, bytes]
    ) -> None:
        """Verify and store every party's approval; the job may run from here on."""
        statement = approval_statement(
            spec.job_id,
            [log_origin(party.party_id, self.log.identity.source) for party in spec.parties],
            spec.digest(self.suite).hex(),
        )
        verify_approvals(spec, joint_message(statement), approvals, keys, self.suite)
        with transaction(self.engine) as connection:
            self._update(
                connection,
                spec,
                status="approved",
                approvals=encode_approvals(approvals),
            )
            for party in sorted(approvals):
                self._event(
                    connection,
                    spec,
                    "job.approved",
                    details={"party": party, "spec_digest": spec.digest(self.suite).hex()},
                )

    def job(self, job_id: str) -> JobRecord:
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

    def latest_job(self, *, scoring: bool = False) -> JobRecord | None:
        """Return the last of the jobs that train, or of those that score; None without one."""
        with self.engine.connect() as connection:
            job_ids = connection.execute(select(jobs.c.job_id).order_by(jobs.c.job_id.desc()))
            found = [self.job(job_id) for job_id in job_ids.scalars()]
        of_kind = (record for record in found if record.spec.is_scoring == scoring)
        return max(of_kind, key=lambda record: record.spec.created_at, default=None)

    def server_app(
        self, job_id: str, keys: dict[str, bytes], stop: Callable[[int], None]
    ) -> ServerApp:
        """Return the ServerApp that drives ``job_id`` from where it stands."""
        record = self.job(job_id)
        app = ServerApp()

        @app.main()
        def main(grid: Grid, context: Context) -> None:
            del context
            JobDrive(
                spec=record.spec,
                approvals=record.approvals,
                suite=self.suite,
                public_keys=keys,
                attempt=record.attempt,
                first_phase=_resume_from(record.phase),
                on_phase=lambda phase, attempt: self._record_phase(record.spec, phase, attempt),
                on_outcome=lambda outcome: self._record_outcome(record.spec, outcome),
                stop=stop,
            ).run(grid)

        return app

    def record_pooled_comparison(
        self, spec: JobSpec, *, train: int, held_out: int, **measured: str
    ) -> None:
        """Record that a simulation joined both tables in the clear to compare.

        ``measured`` has a decimal by measure: ``auc``, ``rmse`` or ``accuracy``.
        """
        with transaction(self.engine) as connection:
            self._event(
                connection,
                spec,
                "comparison.pooled",
                details={f"{measure}_pooled": value for measure, value in measured.items()},
                counts={"train": train, "held_out": held_out},
            )
            self._checkpoint(connection)

    # -- recording ---------------------------------------------------------------------------

    def _record_phase(self, spec: JobSpec, phase: Phase, attempt: int) -> None:
        with transaction(self.engine) as connection:
            self._update(connection, spec, status="running", phase=phase, attempt=attempt)
            self._event(
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
            self._update(
                connection,
                spec,
                status=job_status,
                outcome=json.dumps({"lost": outcome.lost, "reports": reports}).encode(),
            )
            for type_, details, counts in _events_of(outcome):
                self._event(
                    connection,
                    spec,
                    type_,
                    attempt=outcome.attempt,
                    phase=outcome.phase,
                    details=details,
                    counts=counts,
                )
            self._checkpoint(connection)

    def _update(self, connection: Connection, spec: JobSpec, **values: object) -> None:
        connection.execute(update(jobs).filter_by(job_id=spec.job_id).values(**values))

    def _event(
        self,
        connection: Connection,
        spec: JobSpec,
        type_: str,
        *,
        attempt: int | None = None,
        phase: str | None = None,
        details: dict[str, DetailValue] | None = None,
        counts: dict[str, int] | None = None,
    ) -> None:
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

    def _checkpoint(self, connection: Connection) -> None:
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
