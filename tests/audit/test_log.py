"""The log is append-only, written in the caller's transaction, and refuses what would fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from audit.event import EventRefused, JointDraft, JointSignature, decode_event
from audit.identity import LogIdentity
from audit.log import (
    AuditError,
    AuditLog,
    SystemClock,
    create_tables,
    log_identity,
    open_intents,
    read_checkpoints,
    read_events,
)
from audit.merkle import leaf_hash, root_hash
from audit.tables import UnsupportedDatabase, checkpoints, entries
from tests.audit.made_logs import (
    SERVICE,
    SUITE,
    FixedClock,
    Party,
    append_joint,
    countersigned,
    draft,
    joint_body,
    small_job,
)


@pytest.fixture
def party() -> Party:
    return Party("bank.example/log", 1)


def size(party: Party) -> int:
    with party.begin() as connection:
        return connection.execute(select(func.count()).select_from(entries)).scalar_one()


def stored(party: Party) -> list[bytes]:
    with party.begin() as connection:
        return list(connection.execute(select(entries.c.entry).order_by(entries.c.seq)).scalars())


def test_first_entry_says_whose_log_it_is(party: Party) -> None:
    with party.begin() as connection:
        assert log_identity(connection) == party.identity
        assert AuditLog.open(connection).identity == party.identity
        with pytest.raises(AuditError, match="holds a log already"):
            AuditLog.create(connection, party.identity, actor=SERVICE)


def test_entries_form_a_chain(party: Party) -> None:
    for _ in range(3):
        party.append("job.closed", job="job-1")
    lines = stored(party)
    events = [decode_event(line) for line in lines]
    assert [event.seq for event in events] == [0, 1, 2, 3]
    assert events[0].prev_hash == "00" * 32
    for before, event in zip(lines, events[1:], strict=False):
        assert event.prev_hash == leaf_hash(SUITE, before).hex()


def test_log_fills_in_what_the_caller_cannot_know(party: Party) -> None:
    event = party.append("align.created", job="job-1", counts={"rows": 5})
    assert (event.log_origin, event.source) == ("bank.example/log", "party_node")
    assert (event.visibility, event.retention_class) == ("local", "JOINT")
    assert event.time == "2026-11-21T08:00:00.020Z"
    assert event.id[14] == "7"


def test_system_clock_gives_utc_and_fresh_randomness() -> None:
    clock = SystemClock()
    assert str(clock.now().tzinfo) == "UTC"
    assert len(clock.random(10)) == 10
    assert clock.random(10) != clock.random(10)


def test_several_events_are_written_in_order_or_not_at_all(party: Party) -> None:
    with party.begin() as connection:
        written = party.log.append_all(connection, [draft("job.closed"), draft("job.expired")])
        assert party.log.append_all(connection, []) == []
    assert [event.seq for event in written] == [1, 2]
    with pytest.raises(EventRefused), party.begin() as connection:
        party.log.append_all(connection, [draft("job.closed"), draft("no.such")])
    assert size(party) == 3


def test_rolled_back_transaction_leaves_nothing(party: Party) -> None:
    before = stored(party)
    with party.engine.connect() as connection:
        change = connection.begin()
        assert party.log.append(connection, draft("job.closed", job="job-1")).seq == 1
        change.rollback()
    assert stored(party) == before
    assert party.append("job.closed", job="job-2").seq == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET entry = x'00' WHERE seq = 1",
        "UPDATE audit_entries SET seq = 9 WHERE seq = 1",
        "DELETE FROM audit_entries WHERE seq = 1",
        "DELETE FROM audit_entries",
        "INSERT OR REPLACE INTO audit_entries SELECT * FROM audit_entries WHERE seq = 1",
        "INSERT OR REPLACE INTO audit_entries (seq, type, intent, leaf_hash, entry) "
        "VALUES (4, 'x', 1, x'00', x'00')",
        "INSERT INTO audit_entries (seq, type, leaf_hash, entry) VALUES (9, 'x', x'00', x'00')",
        "INSERT INTO audit_entries (seq, type, leaf_hash, entry) VALUES (-1, 'x', x'00', x'00')",
        "INSERT INTO audit_entries SELECT * FROM audit_entries WHERE seq = 1 "
        "ON CONFLICT (seq) DO UPDATE SET entry = x'00'",
        "UPDATE audit_checkpoints SET note = x'00'",
        "DELETE FROM audit_checkpoints",
        "INSERT OR REPLACE INTO audit_checkpoints SELECT tree_size, x'00', x'00' "
        "FROM audit_checkpoints",
    ],
)
def test_triggers_refuse_every_change(party: Party, statement: str) -> None:
    intended = party.append("release.intended", job="job-1")
    party.append("release.done", job="job-1", intent=intended.seq)
    party.append("job.closed", job="job-1")
    party.checkpoint()
    before = stored(party)
    with pytest.raises(DBAPIError, match="append-only"), party.begin() as connection:
        connection.execute(text(statement))
    assert stored(party) == before
    with party.begin() as connection:
        assert len(read_checkpoints(connection)) == 1


def test_writer_that_lost_a_race_is_refused(tmp_path: Path) -> None:
    party = Party("bank.example/log", 1)
    with party.begin() as connection:
        rows = [dict(row) for row in connection.execute(select(entries).order_by("seq")).mappings()]
    engine = create_engine(f"sqlite:///{tmp_path / 'log.sqlite'}")
    with engine.begin() as connection:
        create_tables(connection)
        connection.execute(insert(entries), rows)
        # The other writer's entry lands between our read of the tail and our insert.
        stale = dict(rows[0]) | {"seq": 1}
        original = connection.execute

        def racing(statement: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(statement, "is_insert", False):
                original(insert(entries), [stale])
            return original(statement, *args, **kwargs)

        connection.execute = racing  # type: ignore[method-assign]
        with pytest.raises(AuditError, match="another writer came first"):
            party.log.append(connection, draft("job.closed"))
    engine.dispose()


def test_without_a_readable_log_nothing_is_written(party: Party) -> None:
    with party.begin() as connection:
        connection.execute(text("DROP TABLE audit_entries"))
        with pytest.raises(AuditError, match="cannot be read; nothing was written"):
            party.log.append(connection, draft("job.closed"))
        with pytest.raises(AuditError):
            log_identity(connection)


def test_tables_are_not_created_where_nothing_keeps_them_append_only() -> None:
    class OtherDialect:
        name = "postgresql"

    class OtherConnection:
        dialect = OtherDialect()

    with pytest.raises(UnsupportedDatabase, match="append-only triggers"):
        entries.dispatch.after_create(entries, OtherConnection())


def test_wrongly_typed_drafts_are_refused(party: Party) -> None:
    for fields in ({"attempt": "1"}, {"attempt": -1}, {"attempt": 1.5}):
        with pytest.raises(EventRefused, match=r"job.closed: not an event"):
            party.append("job.closed", **fields)
    assert size(party) == 1


def test_events_are_read_by_job_type_and_position(party: Party) -> None:
    party.append("job.closed", job="job-1")
    party.append("job.expired", job="job-1")
    party.append("job.closed", job="job-2")
    with party.begin() as connection:
        assert [e.seq for e in read_events(connection)] == [0, 1, 2, 3]
        assert [e.seq for e in read_events(connection, job="job-1")] == [1, 2]
        assert [e.seq for e in read_events(connection, type_="job.closed")] == [1, 3]
        assert [e.seq for e in read_events(connection, start=1, stop=3)] == [1, 2]


# -- intents --------------------------------------------------------------------------------


def test_open_intents_are_those_without_an_end(party: Party) -> None:
    first = party.append("release.intended", job="job-1")
    second = party.append("deletion.intended", job="job-1")
    with party.begin() as connection:
        assert [e.seq for e in open_intents(connection)] == [first.seq, second.seq]
    party.append("release.failed", job="job-1", intent=first.seq)
    party.append("journal.destroyed", job="job-1", intent=second.seq)
    with party.begin() as connection:
        assert open_intents(connection) == []


@pytest.mark.parametrize(
    ("type_", "fields", "reason"),
    [
        ("release.done", {"job": "job-1"}, "must name the seq of the release.intended"),
        ("release.done", {"job": "job-1", "intent": 0}, "a release.intended event of the same"),
        ("release.done", {"job": "job-2", "intent": 1}, "a release.intended event of the same"),
        ("release.done", {"job": "job-1", "intent": 99}, "a release.intended event of the same"),
        ("decrypt.failed", {"job": "job-1", "intent": 1}, "a decrypt.intended event of the same"),
        ("release.done", {"job": "job-1", "intent": 2}, "event 2 is ended already"),
        ("job.closed", {"job": "job-1", "intent": 1}, "ends no intent"),
    ],
)
def test_end_without_its_open_intent_is_refused(
    party: Party, type_: str, fields: dict[str, Any], reason: str
) -> None:
    party.append("release.intended", job="job-1")
    party.append("release.intended", job="job-1")
    party.append("release.done", job="job-1", intent=2)
    with pytest.raises(EventRefused, match=reason):
        party.append(type_, **fields)


def test_intent_may_end_in_its_own_batch_once(party: Party) -> None:
    begin = draft("release.intended", job="job-1")
    end = draft("release.done", job="job-1", intent=1)
    with party.begin() as connection:
        party.log.append_all(connection, [begin, end])
    with pytest.raises(EventRefused, match="ended already"), party.begin() as connection:
        party.log.append_all(
            connection, [begin, msgspec.structs.replace(end, intent=3)] + [end] * 2
        )


def test_log_is_opened_once(party: Party) -> None:
    with pytest.raises(EventRefused, match="first entry of a log"):
        party.append("log.opened")


# -- joint statements ------------------------------------------------------------------------


def test_joint_event_holds_the_statement_and_every_signature() -> None:
    bank, retailer = small_job()
    with bank.begin() as ours, retailer.begin() as theirs:
        mine = [e for e in read_events(ours) if e.joint]
        other = [e for e in read_events(theirs) if e.joint]
    assert [e.joint for e in mine] == [e.joint for e in other]
    assert [e.type for e in mine] == ["job.approved", "psi.completed"]
    assert mine[0].seq != other[0].seq or mine[0].prev_hash != other[0].prev_hash


def test_joint_statements_that_would_not_verify_are_refused() -> None:
    bank, retailer = Party("bank", 1), Party("retailer", 2)
    both = [bank, retailer]
    body = joint_body("psi.completed", both, counts={"intersection": 812})
    good = countersigned(body, both)
    forged = JointSignature(
        origin="retailer",
        public_key=retailer.identity.public_key.hex(),
        signature=bank.signature(body).signature,
    )
    upper = msgspec.structs.replace(
        good.signatures[1], public_key=good.signatures[1].public_key.upper()
    )
    stranger = Party("stranger", 3)
    cases: list[tuple[JointDraft, dict[str, Any], str]] = [
        (good, {"attempt": 2}, "another type, job or attempt"),
        (good, {"job": "job-2"}, "another type, job or attempt"),
        (JointDraft(body=body, signatures=good.signatures[:1]), {}, "one signature of each party"),
        (JointDraft(body=body, signatures=good.signatures[::-1]), {}, "one signature of each"),
        (JointDraft(body=body, signatures=(good.signatures[0], forged)), {}, "retailer does not"),
        (JointDraft(body=body, signatures=(good.signatures[0], upper)), {}, "retailer does not"),
        (JointDraft(body=body + b" ", signatures=good.signatures), {}, "canonical form"),
        (JointDraft(body=b"{}", signatures=good.signatures), {}, "not a statement"),
        (
            countersigned(joint_body("psi.completed", [retailer, stranger]), [retailer, stranger]),
            {},
            "not signed by this log's own key",
        ),
    ]
    for joint, fields, reason in cases:
        with pytest.raises(EventRefused, match=reason):
            bank.append("psi.completed", **({"job": "job-1", "attempt": 1} | fields), joint=joint)
    with pytest.raises(EventRefused, match="catalogue calls joint"):
        append_joint("align.created", both)
    assert size(bank) == 1


def test_one_joint_statement_is_logged_once() -> None:
    bank, retailer = Party("bank", 1), Party("retailer", 2)
    append_joint("psi.completed", [bank, retailer])
    with pytest.raises(AuditError, match="is there already"):
        append_joint("psi.completed", [bank, retailer])
    assert size(bank) == 2


# -- checkpoints -----------------------------------------------------------------------------


def test_checkpoints_cover_every_entry_so_far(party: Party) -> None:
    for count in (1, 5, 2):
        for _ in range(count):
            party.append("job.closed", job="job-1")
        checkpoint = party.checkpoint()
        leaves = [leaf_hash(SUITE, line) for line in stored(party)]
        assert checkpoint.root_hash == root_hash(SUITE, leaves)
        assert checkpoint.tree_size == len(leaves)
        assert party.checkpoint() == checkpoint
    with party.begin() as connection:
        assert len(read_checkpoints(connection)) == 3


def test_checkpoint_by_another_key_is_not_stored(party: Party) -> None:
    other = Party("other", 9)
    with pytest.raises(AuditError, match="not signed by the log's key"), party.begin() as c:
        party.log.checkpoint(c, other.sign)
    with party.begin() as connection:
        assert read_checkpoints(connection) == []


def test_log_altered_underneath_is_not_signed(party: Party) -> None:
    party.append("job.closed", job="job-1")
    with party.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_update"))
        connection.execute(text("UPDATE audit_entries SET entry = entry || x'20' WHERE seq = 1"))
    with pytest.raises(AuditError, match="entry 1 was altered"):
        party.checkpoint()


@pytest.mark.parametrize(
    "change", ["note = x'00'", "frontier = zeroblob(length(frontier))", "tree_size = 1"]
)
def test_log_with_an_altered_checkpoint_is_not_signed(party: Party, change: str) -> None:
    party.append("job.closed", job="job-1")
    party.checkpoint()
    party.append("job.closed", job="job-1")
    with party.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_checkpoints_no_update"))
        connection.execute(text(f"UPDATE audit_checkpoints SET {change}"))
        assert connection.execute(select(func.count()).select_from(checkpoints)).scalar_one() == 1
    with pytest.raises(AuditError, match="checkpoint was altered"):
        party.checkpoint()


def test_empty_database_has_no_log_to_sign() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        create_tables(connection)
        _, public_key = SUITE.generate_signing_key(bytes(32))
        log = AuditLog(LogIdentity("a", SUITE, public_key, "party_node"), FixedClock())
        with pytest.raises(AuditError, match="no log to sign"):
            log.checkpoint(connection, lambda message: message)
        with pytest.raises(AuditError, match="holds no log"):
            AuditLog.open(connection)
    engine.dispose()
