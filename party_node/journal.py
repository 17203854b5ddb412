"""The journal of one job attempt: what makes a killed party continue as if nothing had happened.

A role is deterministic in (inputs, seed, inbound messages). The journal therefore holds, sealed
under a key of the job's own: the seed and input digest of each step, the digest of each inbound
message that something sent or stored can depend on, and the bytes of each outbound message until
the peer has acknowledged the step it belongs to. A finished step's result is stored, and its role
never runs again. Anything that does not fit what was written before abandons the attempt
(:class:`AttemptAbandoned`).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from party_node.errors import AttemptAbandoned, NodeError
from party_node.keys import NodeKeys, seal, unseal
from party_node.store import (
    horizontal_state,
    jobs,
    journal_acknowledged,
    journal_inbound,
    journal_outbound,
    journal_steps,
    transaction,
)
from protocols.suite import Suite


@dataclass(frozen=True, slots=True)
class Step:
    """One generator of the job: its place in order, its seed and, once finished, its result."""

    ordinal: int
    name: str
    seed: bytes = field(repr=False)
    result: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message this party has sent or will send, at its place in the stream to a peer."""

    ordinal: int
    position: int
    data: bytes = field(repr=False)


class Journal:
    """The journal of (job, attempt); safe to use from the role's and the links' threads."""

    def __init__(self, engine: Engine, keys: NodeKeys, job_id: str, attempt: int) -> None:
        self._engine = engine
        self._suite: Suite = keys.suite
        self._job_id = job_id
        self._attempt = attempt
        self._key = job_key(engine, keys, job_id)
        self._where = {"job_id": job_id, "attempt": attempt}
        # Inbound messages noted and not yet written: added to by the role's thread alone, taken
        # away from the front by whoever writes them.
        self._unwritten: list[dict[str, Any]] = []
        # What the tables hold of the steps under way, so that no message asks the database.
        self._digests: dict[tuple[str, int], dict[tuple[str, int], bytes]] = {}
        # Of this process: the place each peer last asked for, and the first new message to each
        # that was recorded before it asked.
        self._places = threading.Lock()
        self._asked: dict[str, tuple[int, int]] = {}
        self._never_sent: dict[str, tuple[int, int]] = {}

    # -- steps -------------------------------------------------------------------------------

    def begin(self, ordinal: int, name: str, input_digest: bytes) -> Step:
        """Return the step at ``ordinal``: as journaled, or new with a fresh seed."""
        with transaction(self._engine) as connection:
            row = connection.execute(
                select(journal_steps).filter_by(ordinal=ordinal, **self._where)
            ).one_or_none()
            if row is None:
                seed = secrets.token_bytes(32)
                connection.execute(
                    insert(journal_steps).values(
                        ordinal=ordinal,
                        name=name,
                        input_digest=input_digest,
                        seed=self._seal(seed, f"seed/{ordinal}"),
                        **self._where,
                    )
                )
                return Step(ordinal, name, seed, None)
        if row.name != name or row.input_digest != input_digest:
            raise AttemptAbandoned(
                f"step {name}: its inputs are not those the journal was started with"
            )
        seed = self._open(row.seed, f"seed/{ordinal}")
        result = None if row.result is None else self._open(row.result, f"result/{ordinal}")
        return Step(ordinal, name, seed, result)

    def finish(
        self,
        step: Step,
        result: bytes,
        wall_ms: int,
        also: Callable[[Connection], None] | None = None,
    ) -> None:
        """Store the step's result; ``also`` writes its events in the same transaction.

        Raises :class:`AttemptAbandoned` when the step is gone or finished: another process works
        on this attempt, or the job was closed.
        """
        with transaction(self._engine) as connection:
            updated = connection.execute(
                update(journal_steps)
                .filter_by(ordinal=step.ordinal, result=None, **self._where)
                .values(result=self._seal(result, f"result/{step.ordinal}"), wall_ms=wall_ms)
            )
            if updated.rowcount != 1:
                raise AttemptAbandoned(f"step {step.name} is not open in the journal")
            self._insert(connection, journal_inbound, self._unwritten)
            if also is not None:
                also(connection)
        self._unwritten.clear()
        for table in (journal_inbound, journal_outbound):
            self._digests.pop((table.name, step.ordinal), None)

    def begun_steps(self) -> dict[int, bool]:
        """Return, for each step that was begun, by ordinal, whether it has a result."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(journal_steps.c.ordinal, journal_steps.c.result.is_not(None)).filter_by(
                    **self._where
                )
            )
            return {ordinal: bool(finished) for ordinal, finished in rows}

    # -- messages ----------------------------------------------------------------------------

    def record_inbound(self, peer: str, ordinal: int, position: int, data: bytes) -> None:
        """Note the digest of an inbound message before it is used, or on a replay compare it.

        It is written together with the next message or result of this party, which may depend on
        it. Before that nothing that does has left this process, and whoever restarts it may as
        well be told something else: a message that is only received waits for no disk.
        """
        digest = self._suite.hash(data)
        known = self._known(journal_inbound, ordinal)
        before = known.get((peer, position))
        if before is None:
            known[peer, position] = digest
            place = {"peer": peer, "ordinal": ordinal, "position": position}
            self._unwritten.append(place | self._where | {"digest": digest, "length": len(data)})
        elif before != digest:
            raise AttemptAbandoned(
                f"{peer} sent another message than before at place {position} of step {ordinal}"
            )

    def record_outbound(self, *messages: tuple[str, Outbound]) -> None:
        """Store messages, each with its peer, before they are sent; on a replay compare them.

        All of them, and the inbound ones noted before, in one transaction.
        """
        noted = len(self._unwritten)
        with self._places:
            new = [row for peer, message in messages for row in self._new_row(peer, message)]
            if new or noted:
                with transaction(self._engine) as connection:
                    self._insert(connection, journal_outbound, new)
                    self._insert(connection, journal_inbound, self._unwritten[:noted])
            for row in new:
                known = self._known(journal_outbound, row["ordinal"])
                known[row["peer"], row["position"]] = row["digest"]
        del self._unwritten[:noted]

    def _new_row(self, peer: str, message: Outbound) -> Iterator[dict[str, Any]]:
        """Yield the row of a message that was not recorded before; compare one that was."""
        ordinal, position, data = message.ordinal, message.position, message.data
        digest = self._suite.hash(data)
        known = self._known(journal_outbound, ordinal).get((peer, position))
        if known is None:
            self._check_not_ahead(peer, (ordinal, position))
            sealed = self._seal(data, f"outbound/{peer}/{ordinal}/{position}")
            place = {"peer": peer, "ordinal": ordinal, "position": position}
            yield place | self._where | {"digest": digest, "length": len(data), "sealed": sealed}
        elif known != digest:
            raise AttemptAbandoned(
                f"a replay made another message for {peer} at place {position} of step {ordinal}"
            )

    def _known(self, table: Table, ordinal: int) -> dict[tuple[str, int], bytes]:
        """Return the digests of a step's messages in ``table``, by peer and place; read once."""
        key = table.name, ordinal
        if key not in self._digests:
            columns = table.c.peer, table.c.position, table.c.digest
            with self._engine.connect() as connection:
                rows = connection.execute(
                    select(*columns).filter_by(ordinal=ordinal, **self._where)
                )
                self._digests[key] = {(row.peer, row.position): row.digest for row in rows}
        return self._digests[key]

    @staticmethod
    def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        try:
            if rows:
                connection.execute(insert(table), rows)
        except IntegrityError:
            raise AttemptAbandoned("another process works on this attempt of the job") from None

    def outbound_from(self, peer: str, ordinal: int, position: int) -> list[Outbound]:
        """Return what ``peer`` still wants, in order, from its place in the stream on.

        Raises :class:`AttemptAbandoned` when the peer is ahead of this journal (it has messages
        this journal never sent: an old backup was restored here) or behind what it has
        acknowledged (an old backup was restored there).
        """
        o = journal_outbound.c
        with self._places, self._engine.connect() as connection:
            if self._never_sent.pop(peer, (ordinal, position)) < (ordinal, position):
                raise AttemptAbandoned(f"{peer} is ahead of this party's journal")
            self._asked[peer] = (ordinal, position)
            if position > 0:
                before = connection.execute(
                    select(o.digest).filter_by(
                        peer=peer, ordinal=ordinal, position=position - 1, **self._where
                    )
                ).scalar_one_or_none()
                if before is None:
                    raise AttemptAbandoned(f"{peer} is ahead of this party's journal")
            if ordinal <= self._acknowledged(connection, peer):
                raise AttemptAbandoned(f"{peer} is behind what it has acknowledged")
            rows = connection.execute(
                select(o.ordinal, o.position, o.sealed)
                .filter_by(peer=peer, **self._where)
                .where((o.ordinal > ordinal) | ((o.ordinal == ordinal) & (o.position >= position)))
                .order_by(o.ordinal, o.position)
            ).all()
        return [
            Outbound(
                r.ordinal,
                r.position,
                self._open(r.sealed, f"outbound/{peer}/{r.ordinal}/{r.position}"),
            )
            for r in rows
        ]

    def _check_not_ahead(self, peer: str, place: tuple[int, int]) -> None:
        """Refuse a new message at a place the peer has passed.

        It went on from there with another message, and only a journal older than that one, a
        restored backup, can have forgotten it and run the step again with a fresh seed.
        """
        if peer not in self._asked:
            self._never_sent.setdefault(peer, place)
        elif place < self._asked[peer]:
            raise AttemptAbandoned(f"{peer} is ahead of this party's journal")

    def acknowledge(self, peer: str, ordinal: int) -> None:
        """``peer`` has finished step ``ordinal`` for good: forget the bytes sent to it for it."""
        key = {"peer": peer, **self._where}
        with transaction(self._engine) as connection:
            if ordinal <= self._acknowledged(connection, peer):
                return
            connection.execute(delete(journal_acknowledged).filter_by(**key))
            connection.execute(insert(journal_acknowledged).values(ordinal=ordinal, **key))
            connection.execute(
                update(journal_outbound)
                .filter_by(**key)
                .where(journal_outbound.c.ordinal <= ordinal)
                .values(sealed=None)
            )

    def _acknowledged(self, connection: Connection, peer: str) -> int:
        found = connection.execute(
            select(journal_acknowledged.c.ordinal).filter_by(peer=peer, **self._where)
        ).scalar_one_or_none()
        return -1 if found is None else found

    # -- cost --------------------------------------------------------------------------------

    def cost(self) -> dict[str, dict[str, int]]:
        """Return per phase (the part of a step's name before ``/``) messages, bytes and time."""
        phases: dict[str, dict[str, int]] = {}
        with self._engine.connect() as connection:
            steps = connection.execute(
                select(journal_steps.c.ordinal, journal_steps.c.name, journal_steps.c.wall_ms)
                .filter_by(**self._where)
                .order_by(journal_steps.c.ordinal)
            ).all()
            phase_of = {row.ordinal: row.name.split("/")[0] for row in steps}
            for row in steps:
                phase = phases.setdefault(phase_of[row.ordinal], dict.fromkeys(_COST_KEYS, 0))
                phase["wall_ms"] += row.wall_ms or 0
            for table, side in ((journal_outbound, "sent"), (journal_inbound, "received")):
                for ordinal, count, length in connection.execute(
                    select(table.c.ordinal, func.count(), func.sum(table.c.length))
                    .filter_by(**self._where)
                    .group_by(table.c.ordinal)
                ):
                    phase = phases[phase_of[ordinal]]
                    phase[f"messages_{side}"] += count
                    phase[f"bytes_{side}"] += length
        return phases

    # -- sealing -----------------------------------------------------------------------------

    def _seal(self, data: bytes, purpose: str) -> bytes:
        return seal(self._suite, self._key, data, self._bind(purpose))

    def _open(self, sealed: bytes, purpose: str) -> bytes:
        return unseal(self._suite, self._key, sealed, self._bind(purpose))

    def _bind(self, purpose: str) -> bytes:
        return f"fedcrm/journal/v1/{self._job_id}/{self._attempt}/{purpose}".encode()


_COST_KEYS = ("messages_sent", "bytes_sent", "messages_received", "bytes_received", "wall_ms")


def has_journal(engine: Engine, job_id: str) -> bool:
    """Return whether the journal of ``job_id`` was not destroyed yet."""
    with engine.connect() as connection:
        return (
            connection.execute(
                select(jobs.c.journal_key).filter_by(job_id=job_id)
            ).scalar_one_or_none()
            is not None
        )


def new_job_key(keys: NodeKeys, job_id: str) -> bytes:
    """Return a fresh journal key for ``job_id``, sealed under the node's storage key."""
    return seal(
        keys.suite,
        keys.derived("journal-keys"),
        secrets.token_bytes(keys.suite.key_bytes),
        b"fedcrm/journal-key/v1/" + job_id.encode(),
    )


def job_key(engine: Engine, keys: NodeKeys, job_id: str) -> bytes:
    """Return the key all that is kept of a running job is sealed under."""
    with engine.connect() as connection:
        sealed = connection.execute(
            select(jobs.c.journal_key).filter_by(job_id=job_id)
        ).scalar_one_or_none()
    if sealed is None:
        raise NodeError(f"job {job_id} has no journal", "it was closed, or never approved here")
    return unseal(
        keys.suite,
        keys.derived("journal-keys"),
        sealed,
        b"fedcrm/journal-key/v1/" + job_id.encode(),
    )


def forget_attempts(connection: Connection, job_id: str) -> None:
    """Delete every journal row of ``job_id``: an attempt was abandoned, or the job closed."""
    for table in (
        journal_steps,
        journal_inbound,
        journal_outbound,
        journal_acknowledged,
        horizontal_state,
    ):
        connection.execute(delete(table).filter_by(job_id=job_id))
