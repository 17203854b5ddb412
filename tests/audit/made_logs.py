"""Logs made for tests: two parties, fixed keys and clocks, real signatures."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from audit.bundle import export
from audit.checkpoint import Checkpoint
from audit.countersign import keep_checkpoint
from audit.event import (
    Actor,
    Event,
    EventDraft,
    JointBody,
    JointDraft,
    JointSignature,
    Outcome,
    encode_body,
    joint_message,
)
from audit.identity import LogIdentity
from audit.log import AuditLog, create_tables, read_checkpoints
from protocols.suite import Suite, get_suite

SUITE: Suite = get_suite("gm")
SERVICE = Actor(kind="service", id="node-1", role="node", authn="local")
OFFICER = Actor(kind="human", id="officer-7", role="officer", authn="password")
OK = Outcome(status="success", code="ok")


class FixedClock:
    """Ten milliseconds an event, and random bytes that count."""

    def __init__(self, salt: int = 0) -> None:
        self._time = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
        self._salt = salt
        self._drawn = 0

    def now(self) -> datetime:
        self._time += timedelta(milliseconds=10)
        return self._time

    def random(self, length: int) -> bytes:
        self._drawn += 1
        return SUITE.hash(bytes([self._salt]), self._drawn.to_bytes(4, "big"))[:length]


def draft(type_: str, **fields: Any) -> EventDraft:
    return EventDraft(**({"type": type_, "actor": SERVICE, "outcome": OK} | fields))


@dataclass
class Party:
    """One organisation with its key, database and log."""

    origin: str
    seed: int
    source: Any = "party_node"
    private_key: bytes = field(init=False, repr=False)
    identity: LogIdentity = field(init=False)
    engine: Engine = field(init=False)
    log: AuditLog = field(init=False)

    def __post_init__(self) -> None:
        self.private_key, public_key = SUITE.generate_signing_key(bytes([self.seed]) * 32)
        self.identity = LogIdentity(self.origin, SUITE, public_key, self.source)
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        with self.begin() as connection:
            create_tables(connection)
            self.log = AuditLog.create(
                connection, self.identity, actor=SERVICE, clock=FixedClock(self.seed)
            )

    def clone(self) -> Party:
        """Return a copy with its own database: making one anew takes many signatures."""
        twin = copy.copy(self)
        twin.engine = create_engine("sqlite://", poolclass=StaticPool)
        ours, its = self.engine.raw_connection(), twin.engine.raw_connection()
        ours.driver_connection.backup(its.driver_connection)
        ours.close()
        its.close()
        twin.log = AuditLog(self.identity, copy.deepcopy(self.log._clock))
        return twin

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            yield connection

    def sign(self, message: bytes) -> bytes:
        return SUITE.sign(self.private_key, message, SUITE.hash(message))

    def append(self, type_: str, **fields: Any) -> Event:
        with self.begin() as connection:
            return self.log.append(connection, draft(type_, **fields))

    def checkpoint(self) -> Checkpoint:
        with self.begin() as connection:
            return self.log.checkpoint(connection, self.sign)

    def latest_note(self) -> bytes:
        with self.begin() as connection:
            return read_checkpoints(connection)[-1]

    def keep_checkpoint_of(self, other: Party) -> None:
        with self.begin() as connection:
            self.log.append(
                connection,
                keep_checkpoint(
                    other.latest_note(),
                    suite=SUITE,
                    origin=other.origin,
                    public_key=other.identity.public_key,
                    actor=SERVICE,
                ),
            )

    def bundle(self, **options: Any) -> bytes:
        with self.begin() as connection:
            return export(connection, **options)

    def signature(self, body: bytes) -> JointSignature:
        return JointSignature(
            origin=self.origin,
            public_key=self.identity.public_key.hex(),
            signature=self.sign(joint_message(body)).hex(),
        )


def joint_body(
    type_: str,
    parties: list[Party],
    *,
    counts: Mapping[str, int] | None = None,
    details: Mapping[str, Any] | None = None,
) -> bytes:
    return encode_body(
        JointBody(
            type=type_,
            job="job-1",
            attempt=1,
            parties=tuple(sorted(p.origin for p in parties)),
            counts=dict(counts or {}),
            details=dict(details or {}),
        )
    )


def countersigned(body: bytes, parties: list[Party]) -> JointDraft:
    ordered = sorted(parties, key=lambda p: p.origin)
    return JointDraft(body=body, signatures=tuple(p.signature(body) for p in ordered))


def append_joint(type_: str, parties: list[Party], **contents: Any) -> None:
    """Write one doubly signed event into every party's log."""
    joint = countersigned(joint_body(type_, parties, **contents), parties)
    for party in parties:
        party.append(type_, job="job-1", attempt=1, joint=joint)


def small_job(source: str = "party_node") -> tuple[Party, Party]:
    """A bank and a retailer, to do with as a test likes."""
    bank, retailer = _small_job(source)
    return bank.clone(), retailer.clone()


@cache
def _small_job(source: str) -> tuple[Party, Party]:
    """A bank and a retailer with a few events each, and the other's checkpoint kept."""
    bank, retailer = Party("bank.example/log", 1, source), Party("retailer.example/log", 2, source)
    both = [bank, retailer]
    bank.append(
        "dataset.registered",
        object=None,
        details={"identifier_kind": "phone", "columns": ["年收入", "age"]},
        counts={"rows": 1200, "rejected": 3},
    )
    retailer.append("dataset.registered", counts={"rows": 4000})
    append_joint("job.approved", both, details={"spec_digest": "ab" * 32})
    for party in both:
        party.checkpoint()
    append_joint("psi.completed", both, counts={"intersection": 812, "floor": 100})
    intended = bank.append(
        "release.intended", job="job-1", actor=OFFICER, details={"output": "scores"}
    )
    bank.append("release.done", job="job-1", intent=intended.seq, counts={"customers": 812})
    for party in both:
        party.checkpoint()
    retailer.keep_checkpoint_of(bank)
    bank.keep_checkpoint_of(retailer)
    for party in both:
        party.checkpoint()
    return bank, retailer
