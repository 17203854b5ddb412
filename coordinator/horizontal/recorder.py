"""What the coordinator writes down of a horizontal job: its own table of sums, its own log.

It knows who contributed and how many bytes came; of a sum's content it knows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import delete, func, insert, select, update

from audit.catalogue import DetailValue
from audit.database import transaction
from coordinator.horizontal.exchange import Traffic
from coordinator.horizontal.job_ended import JobEnded
from coordinator.horizontal.opening_store import OpeningStore
from coordinator.store import horizontal_epochs, horizontal_sums, horizontal_traffic
from protocols.secure_aggregation import (
    ContributorList,
    Enrolled,
    Opening,
    Refusal,
    list_digest,
)
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.phase_report import Phase

if TYPE_CHECKING:
    from coordinator.coordinator import Coordinator


Absence: TypeAlias = Literal["no_answer", "next_epoch", "refused"]
"""No answer in time; away when the keys in use were agreed; or its contribution was refused."""


@dataclass(frozen=True)
class SumRecord:
    """One sum as the coordinator knows it."""

    number: int
    name: str
    status: str
    """``started``, ``opened`` or ``lost``."""
    contributors: tuple[str, ...]
    missing: dict[str, Absence]
    """Parties that are not in the sum, and why."""
    lost: str
    """Why it could not be opened; empty where it was."""
    bytes: int
    """Of all contributions together."""
    wall_ms: int
    party_ms: dict[str, int]
    """Each party's own work on it, and under ``coordinator`` the adding."""


@dataclass(frozen=True)
class Recorder:
    """Writes for one attempt of one job."""

    coordinator: Coordinator
    spec: HorizontalSpec
    attempt: int

    def next_number(self) -> int:
        """Return the first number no sum of this attempt has used."""
        with self.coordinator.engine.connect() as connection:
            last = connection.execute(
                select(func.max(horizontal_sums.c.number)).filter_by(**self._where)
            ).scalar_one_or_none()
        return 0 if last is None else last + 1

    def next_epoch(self) -> int:
        """Return the first number no key epoch of this attempt has used; it is used from now on."""
        used = self._epoch()
        epoch = 0 if used is None else used + 1
        with transaction(self.coordinator.engine) as connection:
            connection.execute(delete(horizontal_epochs).filter_by(**self._where))
            connection.execute(insert(horizontal_epochs).values(epoch=epoch, **self._where))
        return epoch

    def _epoch(self) -> int | None:
        """Return the last key epoch's number, None before the first."""
        with self.coordinator.engine.connect() as connection:
            return connection.execute(
                select(horizontal_epochs.c.epoch).filter_by(**self._where)
            ).scalar_one_or_none()

    def epoch_begun(self, enrolled: Enrolled) -> None:
        """Log a key epoch."""
        terms = enrolled.terms
        self._event(
            "epoch.begun",
            {
                "roster_digest": enrolled.roster.hex(),
                "scheme": self.spec.aggregation.method,
                "parties": list(enrolled.members),
            },
            {
                "epoch": terms.epoch,
                "first_sum": terms.first,
                "sums": terms.sums,
                "parties": len(enrolled.members),
                "threshold": terms.threshold,
                "floor": terms.floor,
            },
        )

    def sum_started(self, number: int, name: str) -> None:
        """Make a sum's number used, before anybody is asked to contribute."""
        with transaction(self.coordinator.engine) as connection:
            connection.execute(
                insert(horizontal_sums).values(
                    number=number,
                    name=name,
                    status="started",
                    contributors="[]",
                    missing="{}",
                    lost="",
                    bytes=0,
                    wall_ms=0,
                    party_ms="{}",
                    **self._where,
                )
            )
            self.coordinator.update(
                connection,
                self.spec,
                status="running",
                phase="contribute",
                attempt=self.attempt,
            )

    def refused(self, number: int, epoch: int, refusals: Iterable[Refusal]) -> None:
        """Log what was not taken, and why."""
        for refusal in refusals:
            self._event(
                "sum.contribution_refused",
                {"step": refusal.step, "party": refusal.party, "reason": "not-taken"},
                {"sum_number": number, "epoch": epoch},
            )

    def sum_opened(
        self, record: SumRecord, contributors: ContributorList, epoch: int, pieces: int
    ) -> None:
        """Record a sum that the parties can open."""
        self._close_sum(record)
        details: dict[str, DetailValue] = {
            "step": record.name,
            "contributors_digest": list_digest(contributors, self.coordinator.suite).hex(),
        }
        counts = {
            "sum_number": record.number,
            "epoch": epoch,
            "contributors": len(record.contributors),
            "missing": len(record.missing),
        }
        if record.missing:
            missing: dict[str, DetailValue] = {
                "reason": "no-usable-contribution",
                "parties": sorted(record.missing),
            }
            self._event("sum.parties_missing", details | missing, counts)
        self._event(
            "sum.added",
            details
            | {"scheme": self.spec.aggregation.method, "sum_digest": contributors.total.hex()},
            counts | {"ciphertexts": pieces, "bytes": record.bytes, "duration_ms": record.wall_ms},
        )

    def catch_up(self, store: OpeningStore) -> None:
        """Record the sums whose opening was kept just before a crash, and not yet recorded."""
        for record in self.sums():
            if record.status != "started" or record.number not in store.numbers():
                continue
            chunks = store.chunks(record.number)
            contributors = Opening.read(store.note(record.number), chunks).contributors
            present = contributors.contributors
            missing: dict[str, Absence] = {
                party.party_id: "no_answer"
                for party in self.spec.parties
                if party.party_id not in present
            }
            opened = replace(record, status="opened", contributors=present, missing=missing)
            self.sum_opened(opened, contributors, self._epoch() or 0, len(chunks))

    def sum_lost(self, record: SumRecord, epoch: int) -> None:
        """Record a sum that nobody can open."""
        self._close_sum(record)
        self._event(
            "sum.lost",
            {"step": record.name, "reason": "too-few"},
            {
                "sum_number": record.number,
                "epoch": epoch,
                "contributors": len(record.contributors),
                "missing": len(record.missing),
                "threshold": self.spec.aggregation.threshold,
                "floor": self.spec.floor,
            },
        )

    def ended(self, end: JobEnded) -> None:
        """Record that the job does not go on, and why."""
        report = {
            "status": end.status,
            "payload": {"message": end.message, "hint": end.hint, "party": end.party},
        }
        self._outcome(end.status, {end.party or "coordinator": report})
        details: dict[str, DetailValue] = {"party": end.party} if end.party else {}
        if end.status != "refused":
            details["reason"] = end.status
        self._event(f"job.{end.status}", details, {})

    def closed(self, parties: Iterable[str]) -> None:
        """Record that these parties hold their results and the job is over."""
        self._outcome("closed", {party: {"status": "done", "payload": {}} for party in parties})
        self._event("job.closed", {"reason": "released"}, {})

    def traffic(self, counted: Mapping[tuple[str, Phase], Traffic]) -> None:
        """Add what was sent since the last time to what is known of each party and step."""
        with transaction(self.coordinator.engine) as connection:
            for (party, step), found in counted.items():
                where = {**self._where, "party": party, "step": step}
                before = connection.execute(
                    select(horizontal_traffic).filter_by(**where)
                ).one_or_none()
                values = {
                    name: value + (getattr(before, name) if before is not None else 0)
                    for name, value in asdict(found).items()
                }
                connection.execute(delete(horizontal_traffic).filter_by(**where))
                connection.execute(insert(horizontal_traffic).values(**where, **values))

    def all_traffic(self) -> dict[tuple[str, str], Traffic]:
        """Return messages and bytes by party and step."""
        names = [field.name for field in fields(Traffic)]
        with self.coordinator.engine.connect() as connection:
            rows = connection.execute(select(horizontal_traffic).filter_by(**self._where)).all()
        return {
            (row.party, row.step): Traffic(**{name: getattr(row, name) for name in names})
            for row in rows
        }

    def sums(self) -> list[SumRecord]:
        """Return every sum of this attempt, by number."""
        with self.coordinator.engine.connect() as connection:
            rows = connection.execute(
                select(horizontal_sums).filter_by(**self._where).order_by(horizontal_sums.c.number)
            ).all()
        return [
            SumRecord(
                row.number,
                row.name,
                row.status,
                tuple(json.loads(row.contributors)),
                json.loads(row.missing),
                row.lost,
                row.bytes,
                row.wall_ms,
                json.loads(row.party_ms),
            )
            for row in rows
        ]

    @property
    def _where(self) -> dict[str, Any]:
        return {"job_id": self.spec.job_id, "attempt": self.attempt}

    def _close_sum(self, record: SumRecord) -> None:
        with transaction(self.coordinator.engine) as connection:
            connection.execute(
                update(horizontal_sums)
                .filter_by(number=record.number, **self._where)
                .values(
                    status=record.status,
                    contributors=json.dumps(record.contributors),
                    missing=json.dumps(record.missing),
                    lost=record.lost,
                    bytes=record.bytes,
                    wall_ms=record.wall_ms,
                    party_ms=json.dumps(record.party_ms),
                )
            )

    def _outcome(self, status: str, reports: dict[str, Any]) -> None:
        outcome = json.dumps({"lost": "", "reports": reports}).encode()
        with transaction(self.coordinator.engine) as connection:
            self.coordinator.update(connection, self.spec, status=status, outcome=outcome)

    def _event(self, type_: str, details: dict[str, DetailValue], counts: dict[str, int]) -> None:
        with transaction(self.coordinator.engine) as connection:
            self.coordinator.event(
                connection, self.spec, type_, attempt=self.attempt, details=details, counts=counts
            )
            self.coordinator.checkpoint(connection)
