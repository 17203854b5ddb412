"""One party's append-only log, in the caller's database and the caller's transaction.

An event is written on the connection that changes the state it speaks of: both are committed or
neither is. Nothing here commits. If an event cannot be written, :class:`AuditError` is raised and
the caller rolls back: no event, no action (NIST SP 800-53 AU-5).

An effect outside the database (a file released, a key deleted) is two events: ``…intended``,
committed first, then the one that ends it. :func:`open_intents` lists what a restart must settle.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from audit.catalogue import INTENTS, EventType
from audit.checkpoint import (
    Checkpoint,
    CheckpointError,
    Sign,
    sign_checkpoint,
    verify_checkpoint,
)
from audit.event import (
    Actor,
    Event,
    EventDraft,
    EventError,
    EventRefused,
    Joint,
    JointDraft,
    Outcome,
    check_body,
    check_draft,
    decode_body,
    decode_event,
    encode_event,
    format_time,
    from_hex,
    joint_digest,
    joint_message,
    uuid7,
)
from audit.identity import OPENED, LogIdentity, identity_of
from audit.merkle import Frontier, leaf_hash
from audit.tables import checkpoints, create_tables, entries
from protocols.suite import InvalidSignature

__all__ = [
    "AuditError",
    "AuditLog",
    "Clock",
    "SystemClock",
    "create_tables",
    "log_identity",
    "open_intents",
    "read_checkpoints",
    "read_events",
]


class AuditError(Exception):
    """The log could not be read or written; whatever it was to record must not happen."""


class Clock(Protocol):
    """Where an event's time and the random part of its id come from."""

    def now(self) -> datetime:
        """Return the time, with a time zone."""

    def random(self, length: int) -> bytes:
        """Return ``length`` fresh random bytes."""


class SystemClock:
    """The machine's clock and random source."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def random(self, length: int) -> bytes:
        """Return ``length`` fresh random bytes."""
        return secrets.token_bytes(length)


class AuditLog:
    """Appends events to one log and signs its checkpoints. Holds no private key and no state."""

    def __init__(self, identity: LogIdentity, clock: Clock | None = None) -> None:
        self.identity = identity
        self._clock = clock or SystemClock()

    @classmethod
    def create(
        cls,
        connection: Connection,
        identity: LogIdentity,
        *,
        actor: Actor,
        clock: Clock | None = None,
    ) -> AuditLog:
        """Open a new log with its ``log.opened`` entry; the tables exist and are empty.

        Raises :class:`AuditError` if there is a log already.
        """
        if _tail(connection) is not None:
            raise AuditError("this database holds a log already; open it instead")
        log = cls(identity, clock)
        log.append(
            connection,
            EventDraft(
                type=OPENED,
                actor=actor,
                outcome=Outcome(status="success", code="ok"),
                details={
                    "suite": identity.suite.name,
                    "public_key": identity.public_key.hex(),
                },
            ),
        )
        return log

    @classmethod
    def open(cls, connection: Connection, clock: Clock | None = None) -> AuditLog:
        """Return the log that the database holds; raises :class:`AuditError` if there is none."""
        return cls(log_identity(connection), clock)

    def append(self, connection: Connection, draft: EventDraft) -> Event:
        """Write one event in the caller's transaction and return it.

        Raises :class:`~audit.event.EventRefused` if the catalogue does not allow the draft and
        :class:`AuditError` if it cannot be written; the caller then rolls back.
        """
        return self.append_all(connection, [draft])[0]

    def append_all(self, connection: Connection, drafts: Sequence[EventDraft]) -> list[Event]:
        """Write several events in order, all or none; as :meth:`append`."""
        if not drafts:
            return []
        suite = self.identity.suite
        tail = _tail(connection)
        seq, previous = (0, bytes(suite.digest_bytes)) if tail is None else (tail[0] + 1, tail[1])
        events: list[Event] = []
        rows: list[dict[str, Any]] = []
        for draft in drafts:
            row = check_draft(draft)
            if (row.name == OPENED) != (seq == 0):
                raise EventRefused("log.opened is the first entry of a log, and only that")
            _check_intent(connection, draft, row, rows)
            event = self._event(draft, row, seq, previous)
            entry = encode_event(event)
            try:
                # What is written can be read back: this also refuses wrongly typed fields.
                events.append(decode_event(entry))
            except EventError as error:
                raise EventRefused(f"{row.name}: {error}") from None
            previous = leaf_hash(suite, entry)
            rows.append(
                {
                    "seq": seq,
                    "type": event.type,
                    "job": event.job,
                    "intent": event.intent,
                    "joint_digest": event.joint.digest if event.joint else None,
                    "leaf_hash": previous,
                    "entry": entry,
                }
            )
            seq += 1
        try:
            connection.execute(entries.insert(), rows)
        except SQLAlchemyError as error:
            raise AuditError(
                "the audit event could not be written (another writer came first, the event is "
                "there already, or the database refused it); roll back and try again"
            ) from error
        return events

    def checkpoint(self, connection: Connection, sign: Sign) -> Checkpoint:
        """Sign and store a checkpoint over every entry so far; return it.

        The entries since the last checkpoint are hashed again from their bytes, and the last
        checkpoint's own signature and root are verified: a log that was altered underneath is
        not signed. If nothing was added since, the last checkpoint is returned.
        Raises :class:`AuditError`.
        """
        try:
            return self._checkpoint(connection, sign)
        except CheckpointError as error:
            raise AuditError(f"the checkpoint was not signed by the log's key: {error}") from None
        except SQLAlchemyError as error:
            raise AuditError("the checkpoint could not be written; roll back") from error

    def _checkpoint(self, connection: Connection, sign: Sign) -> Checkpoint:
        suite = self.identity.suite
        frontier = self._last_frontier(connection)
        start = frontier.size
        query = select(entries).where(entries.c.seq >= start).order_by(entries.c.seq)
        for row in connection.execute(query):
            if row.seq != frontier.size or leaf_hash(suite, row.entry) != row.leaf_hash:
                raise AuditError(f"entry {row.seq} was altered; run fsck; nothing was signed")
            frontier.append(row.leaf_hash)
        if frontier.size == 0:
            raise AuditError("there is no log to sign")
        checkpoint = Checkpoint(self.identity.origin, frontier.size, frontier.root())
        if frontier.size > start:
            note = sign_checkpoint(
                checkpoint, suite=suite, public_key=self.identity.public_key, sign=sign
            )
            connection.execute(
                checkpoints.insert(),
                {"tree_size": frontier.size, "note": note, "frontier": frontier.to_bytes()},
            )
        return checkpoint

    def _event(self, draft: EventDraft, row: EventType, seq: int, previous: bytes) -> Event:
        now = self._clock.now()
        unix_ms = int(now.timestamp() * 1000)
        return Event(
            id=uuid7(unix_ms, self._clock.random(10)),
            type=draft.type,
            source=self.identity.source,
            log_origin=self.identity.origin,
            seq=seq,
            time=format_time(now),
            actor=draft.actor,
            outcome=draft.outcome,
            object=draft.object,
            job=draft.job,
            attempt=draft.attempt,
            phase=draft.phase,
            purpose=draft.purpose,
            legal_basis=draft.legal_basis,
            contract_digest=draft.contract_digest,
            policy=draft.policy,
            counts=draft.counts,
            details=draft.details,
            payload_digest=draft.payload_digest,
            intent=draft.intent,
            joint=self._joint(draft) if draft.joint else None,
            visibility=row.visibility,
            retention_class=row.retention,
            prev_hash=previous.hex(),
        )

    def _joint(self, draft: EventDraft) -> Joint:
        """Return the joint statement, checked: nothing enters the log that would fail later."""
        assert draft.joint is not None
        where, suite = f"the joint statement of {draft.type}", self.identity.suite
        try:
            body = decode_body(draft.joint.body)
        except EventError as error:
            raise EventRefused(f"{where}: {error}") from None
        check_body(body)
        if (body.type, body.job, body.attempt) != (draft.type, draft.job, draft.attempt):
            raise EventRefused(f"{where} is about another type, job or attempt than its event")
        if body.parties != tuple(s.origin for s in draft.joint.signatures):
            raise EventRefused(f"{where} needs one signature of each party, in the parties' order")
        if (self.identity.origin, self.identity.public_key.hex()) not in [
            (s.origin, s.public_key) for s in draft.joint.signatures
        ]:
            raise EventRefused(f"{where} is not signed by this log's own key")
        self._verify_signatures(where, draft.joint)
        return Joint(
            body=body,
            digest=joint_digest(suite, draft.joint.body),
            signatures=draft.joint.signatures,
        )

    def _verify_signatures(self, where: str, joint: JointDraft) -> None:
        for signature in joint.signatures:
            try:
                self.identity.suite.verify(
                    from_hex(signature.public_key),
                    joint_message(joint.body),
                    from_hex(signature.signature),
                )
            except (InvalidSignature, ValueError):
                raise EventRefused(
                    f"{where}: the signature of {signature.origin} does not verify"
                ) from None

    def _last_frontier(self, connection: Connection) -> Frontier:
        suite = self.identity.suite
        last = connection.execute(
            select(checkpoints).order_by(checkpoints.c.tree_size.desc()).limit(1)
        ).one_or_none()
        if last is None:
            return Frontier(suite)
        try:
            frontier = Frontier.from_bytes(suite, last.tree_size, last.frontier)
            signed = verify_checkpoint(
                last.note,
                suite=suite,
                origin=self.identity.origin,
                public_key=self.identity.public_key,
            )
        except ValueError as error:
            raise AuditError(f"the last checkpoint was altered; run fsck ({error})") from None
        if (signed.tree_size, signed.root_hash) != (frontier.size, frontier.root()):
            raise AuditError("the last checkpoint was altered; run fsck")
        return frontier


def log_identity(connection: Connection) -> LogIdentity:
    """Return whose log the database holds; raises :class:`AuditError` if it holds none."""
    first = next(iter(read_events(connection, stop=1)), None)
    if first is None:
        raise AuditError("this database holds no log")
    try:
        return identity_of(first)
    except EventError as error:
        raise AuditError(str(error)) from None


def read_events(
    connection: Connection,
    *,
    job: str | None = None,
    type_: str | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Event]:
    """Yield events in order, ``start`` <= seq < ``stop``, of one job or type if given.

    Raises :class:`AuditError` at an entry that is not an event: a broken log is not skipped over.
    """
    query = select(entries.c.seq, entries.c.entry).where(entries.c.seq >= start)
    if stop is not None:
        query = query.where(entries.c.seq < stop)
    if job is not None:
        query = query.where(entries.c.job == job)
    if type_ is not None:
        query = query.where(entries.c.type == type_)
    try:
        for seq, entry in connection.execute(query.order_by(entries.c.seq)):
            try:
                yield decode_event(entry)
            except EventError as error:
                raise AuditError(f"entry {seq}: {error}; run fsck") from None
    except SQLAlchemyError as error:
        raise AuditError("this database holds no readable log") from error


def read_checkpoints(connection: Connection) -> list[bytes]:
    """Return every signed note, smallest tree first."""
    query = select(checkpoints.c.note).order_by(checkpoints.c.tree_size)
    return list(connection.execute(query).scalars())


def open_intents(connection: Connection) -> list[Event]:
    """Return the ``…intended`` events that no later event has ended, oldest first."""
    ended = select(entries.c.intent).where(entries.c.intent.is_not(None))
    query = (
        select(entries.c.entry)
        .where(entries.c.type.in_(sorted(INTENTS)), entries.c.seq.not_in(ended))
        .order_by(entries.c.seq)
    )
    try:
        return [decode_event(entry) for entry in connection.execute(query).scalars()]
    except EventError as error:
        raise AuditError(f"an intent cannot be read: {error}; run fsck") from None


def _tail(connection: Connection) -> tuple[int, bytes] | None:
    query = select(entries.c.seq, entries.c.leaf_hash).order_by(entries.c.seq.desc()).limit(1)
    try:
        row = connection.execute(query).one_or_none()
    except SQLAlchemyError as error:
        raise AuditError("the audit log cannot be read; nothing was written") from error
    return None if row is None else (row.seq, row.leaf_hash)


def _check_intent(
    connection: Connection, draft: EventDraft, row: EventType, pending: Sequence[dict[str, Any]]
) -> None:
    """Refuse an end without its open intent; the same rule holds in the verifier."""
    if draft.intent is None:
        if row.end_required:
            raise EventRefused(f"{row.name} must name the seq of the {row.ends} event it ends")
        return
    if row.ends is None:
        raise EventRefused(f"{row.name} ends no intent")
    found = [(r["type"], r["job"]) for r in pending if r["seq"] == draft.intent]
    if not found:
        query = select(entries.c.type, entries.c.job).where(entries.c.seq == draft.intent)
        found = [(r.type, r.job) for r in connection.execute(query)]
    if found != [(row.ends, draft.job)]:
        raise EventRefused(f"{row.name} must name a {row.ends} event of the same job")
    ended = select(func.count()).where(entries.c.intent == draft.intent)
    if connection.execute(ended).scalar_one() or any(r["intent"] == draft.intent for r in pending):
        raise EventRefused(f"the {row.ends} event {draft.intent} is ended already")
