"""The journal: what was written stays, is sealed, and whatever does not fit it ends the attempt."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, text, update

from party_node.errors import AttemptAbandoned, NodeError, PeerUnreachable
from party_node.journal import Journal, Outbound, forget_attempts, new_job_key
from party_node.keys import NodeKeys
from party_node.peer_channel.link import Deadlines
from party_node.store import (
    jobs,
    journal_acknowledged,
    journal_inbound,
    journal_outbound,
    journal_steps,
    open_database,
    transaction,
)
from protocols.suite import OpenError, get_suite
from tests.party_node.parties import pair, run_together

SUITE = get_suite("gm")
PEER = "retailer"
INPUTS = bytes(32)
MARKER = b"a value nobody else may read"
JOURNAL_TABLES = (journal_steps, journal_inbound, journal_outbound, journal_acknowledged)


def made_keys(name: str) -> NodeKeys:
    private, public = SUITE.generate_signing_key(bytes(32))
    return NodeKeys(SUITE, public, private, SUITE.hash(name.encode()))


KEYS = made_keys("bank")


def add_job(engine: Engine, job_id: str) -> None:
    with transaction(engine) as connection:
        connection.execute(
            insert(jobs).values(
                job_id=job_id,
                spec=b"",
                approvals=b"",
                status="running",
                attempt=1,
                journal_key=new_job_key(KEYS, job_id),
            )
        )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "node.sqlite")
    add_job(engine, "job-1")
    yield engine
    engine.dispose()


@pytest.fixture
def journal(engine: Engine) -> Journal:
    return Journal(engine, KEYS, "job-1", 1)


def again(engine: Engine, job_id: str = "job-1", attempt: int = 1) -> Journal:
    """Return the journal as a restarted process opens it."""
    return Journal(engine, KEYS, job_id, attempt)


def sent(journal: Journal, peer: str, ordinal: int, position: int, data: bytes) -> None:
    journal.record_outbound((peer, Outbound(ordinal, position, data)))


def cell(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar_one()


# -- steps -----------------------------------------------------------------------------------


def test_a_step_must_keep_its_seed_until_it_is_finished(journal: Journal, engine: Engine) -> None:
    step = journal.begin(0, "align/psi", INPUTS)
    assert (step.ordinal, step.name, step.result) == (0, "align/psi", None)
    assert len(step.seed) == 32
    assert journal.begin(0, "align/psi", INPUTS) == step
    assert again(engine).begin(0, "align/psi", INPUTS) == step


def test_a_finished_step_must_give_its_result(journal: Journal, engine: Engine) -> None:
    step = journal.begin(0, "align/psi", INPUTS)
    journal.begin(3, "train/keys", INPUTS)
    assert journal.begun_steps() == {0: False, 3: False}
    journal.finish(step, MARKER, 1500)
    for reader in (journal, again(engine)):
        assert reader.begin(0, "align/psi", INPUTS).result == MARKER
        assert reader.begun_steps() == {0: True, 3: False}
    assert again(engine, attempt=2).begun_steps() == {}


def test_an_empty_result_is_a_result(journal: Journal) -> None:
    journal.finish(journal.begin(0, "align/psi", INPUTS), b"", 0)
    assert journal.begin(0, "align/psi", INPUTS).result == b""
    assert journal.begun_steps() == {0: True}


def test_seeds_must_differ_between_steps_attempts_and_jobs(engine: Engine) -> None:
    add_job(engine, "job-2")
    seeds = {
        again(engine, job, attempt).begin(ordinal, "s", INPUTS).seed
        for job in ("job-1", "job-2")
        for attempt in (1, 2)
        for ordinal in range(3)
    }
    assert len(seeds) == 12


@pytest.mark.parametrize(("name", "inputs"), [("align/psi", b"\x01" * 32), ("train/keys", INPUTS)])
@pytest.mark.parametrize("finished", [False, True])
def test_a_step_with_other_inputs_must_abandon_the_attempt(
    journal: Journal, name: str, inputs: bytes, finished: bool
) -> None:
    step = journal.begin(0, "align/psi", INPUTS)
    if finished:
        journal.finish(step, b"result", 1)
    with pytest.raises(AttemptAbandoned, match="its inputs are not those"):
        journal.begin(0, name, inputs)
    assert journal.begin(0, "align/psi", INPUTS).seed == step.seed


def test_what_is_written_with_the_result_must_be_all_or_nothing(
    journal: Journal, engine: Engine
) -> None:
    step = journal.begin(0, "align/psi", INPUTS)

    def write_then_fail(connection: Connection) -> None:
        connection.execute(update(jobs).values(status="aligned"))
        raise ValueError("no event")

    with pytest.raises(ValueError, match="no event"):
        journal.finish(step, b"result", 1, also=write_then_fail)
    assert journal.begun_steps() == {0: False}
    assert journal.begin(0, "align/psi", INPUTS) == step
    assert cell(engine, "SELECT status FROM jobs") == "running"

    journal.finish(step, b"result", 1, also=lambda c: c.execute(update(jobs).values(status="ok")))
    assert journal.begin(0, "align/psi", INPUTS).result == b"result"
    assert cell(engine, "SELECT status FROM jobs") == "ok"


def test_a_step_must_not_be_finished_twice_or_after_it_was_forgotten(
    journal: Journal, engine: Engine
) -> None:
    step = journal.begin(0, "align/psi", INPUTS)
    journal.finish(step, b"result", 1)
    with pytest.raises(AttemptAbandoned, match="not open"):
        journal.finish(step, b"another", 1)
    assert journal.begin(0, "align/psi", INPUTS).result == b"result"

    step = journal.begin(1, "align/countersign", INPUTS)
    with transaction(engine) as connection:
        forget_attempts(connection, "job-1")
    written: list[int] = []
    with pytest.raises(AttemptAbandoned, match="not open"):
        journal.finish(step, b"result", 1, also=lambda _: written.append(1))
    assert written == []


# -- messages --------------------------------------------------------------------------------


def test_an_inbound_message_must_be_the_same_on_a_replay(journal: Journal, engine: Engine) -> None:
    journal.record_inbound(PEER, 0, 0, b"first")
    journal.record_inbound(PEER, 0, 1, b"second")
    sent(journal, PEER, 0, 0, b"answer")
    restarted = again(engine)
    restarted.record_inbound(PEER, 0, 0, b"first")
    with pytest.raises(AttemptAbandoned, match=r"retailer sent another message .* place 1 of step"):
        restarted.record_inbound(PEER, 0, 1, b"2nd")
    restarted.record_inbound(PEER, 0, 1, b"second")  # what was written first stays
    # The same place of another step, peer or attempt is another place.
    restarted.record_inbound(PEER, 1, 1, b"2nd")
    restarted.record_inbound("insurer", 0, 1, b"2nd")
    again(engine, attempt=2).record_inbound(PEER, 0, 1, b"2nd")


def test_what_nothing_depends_on_yet_may_be_another_after_a_restart(
    journal: Journal, engine: Engine
) -> None:
    step = journal.begin(0, "align/psi", INPUTS)
    journal.record_inbound(PEER, 0, 0, b"first")
    restarted = again(engine)
    restarted.record_inbound(PEER, 0, 0, b"1st")
    restarted.finish(step, b"result", 1)  # this depends on it
    with pytest.raises(AttemptAbandoned, match="sent another message"):
        again(engine).record_inbound(PEER, 0, 0, b"first")


def test_inbound_messages_must_be_written_once_and_only_if_what_depends_on_them_is(
    journal: Journal, engine: Engine
) -> None:
    step = journal.begin(0, "align/psi", INPUTS)
    journal.record_inbound(PEER, 0, 0, b"first")
    with pytest.raises(ZeroDivisionError):
        journal.finish(step, b"result", 1, also=lambda _: 1 // 0)  # type: ignore[arg-type]
    assert cell(engine, "SELECT count(*) FROM journal_inbound") == 0
    sent(journal, PEER, 0, 0, b"answer")
    sent(journal, "insurer", 0, 0, b"answer")
    journal.record_inbound(PEER, 0, 1, b"second")
    journal.finish(step, b"result", 1)
    assert cell(engine, "SELECT count(*) FROM journal_inbound") == 2


def test_two_processes_at_one_attempt_must_not_mix(journal: Journal, engine: Engine) -> None:
    another = again(engine)
    for process in (journal, another):
        process.record_inbound(PEER, 0, 0, b"in")
    sent(journal, PEER, 0, 0, b"out")
    with pytest.raises(AttemptAbandoned, match="another process"):
        sent(another, "insurer", 0, 0, b"out")
    assert cell(engine, "SELECT count(*) FROM journal_outbound") == 1


def test_an_outbound_message_must_be_the_same_on_a_replay(journal: Journal, engine: Engine) -> None:
    sent(journal, PEER, 0, 0, b"first")
    restarted = again(engine)
    sent(restarted, PEER, 0, 0, b"first")
    with pytest.raises(AttemptAbandoned, match="a replay made another message for retailer"):
        sent(restarted, PEER, 0, 0, b"1st")
    assert restarted.outbound_from(PEER, 0, 0) == [Outbound(0, 0, b"first")]


def sent_in_two_steps(journal: Journal) -> list[Outbound]:
    messages = [Outbound(o, p, b"%d/%d" % (o, p)) for o in (0, 1) for p in (0, 1, 2)]
    for message in reversed(messages):
        sent(journal, PEER, message.ordinal, message.position, message.data)
        sent(journal, "insurer", message.ordinal, message.position, b"not for retailer")
    return messages


def test_a_peer_must_get_what_it_lacks_in_order(journal: Journal, engine: Engine) -> None:
    messages = sent_in_two_steps(journal)
    restarted = again(engine)
    assert restarted.outbound_from(PEER, 0, 0) == messages
    assert restarted.outbound_from(PEER, 0, 2) == messages[2:]
    assert restarted.outbound_from(PEER, 0, 3) == messages[3:]
    assert restarted.outbound_from(PEER, 1, 0) == messages[3:]
    assert restarted.outbound_from(PEER, 1, 3) == []
    assert restarted.outbound_from(PEER, 2, 0) == []


@settings(max_examples=25, deadline=None)  # each makes a database
@given(st.binary(max_size=2000))
def test_any_bytes_must_come_back_from_the_journal(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    engine = open_database(tmp_path_factory.mktemp("journal") / "node.sqlite")
    try:
        add_job(engine, "job-1")
        journal = again(engine)
        sent(journal, PEER, 0, 0, data)
        assert again(engine).outbound_from(PEER, 0, 0) == [Outbound(0, 0, data)]
    finally:
        engine.dispose()


@pytest.mark.parametrize("place", [(0, 4), (1, 4), (2, 1), (7, 1)])
def test_a_peer_with_messages_never_sent_must_abandon_the_attempt(
    journal: Journal, engine: Engine, place: tuple[int, int]
) -> None:
    sent_in_two_steps(journal)
    with pytest.raises(AttemptAbandoned, match="retailer is ahead of this party's journal"):
        again(engine).outbound_from(PEER, *place)


def test_a_restored_journal_must_not_send_another_message_to_a_peer_that_went_on(
    engine: Engine,
) -> None:
    # The peer finished step 0. This journal is older than step 0: a replay would make messages
    # from a fresh seed, the peer would drop them, and the two would go on with different results.
    connected_first = again(engine)
    assert connected_first.outbound_from(PEER, 1, 0) == []
    with pytest.raises(AttemptAbandoned, match="retailer is ahead"):
        sent(connected_first, PEER, 0, 0, b"from a fresh seed")

    role_first = again(engine)
    sent(role_first, PEER, 0, 0, b"from a fresh seed")
    with pytest.raises(AttemptAbandoned, match="retailer is ahead"):
        role_first.outbound_from(PEER, 1, 0)


def test_a_peer_that_is_not_ahead_must_be_served_however_often_it_comes(journal: Journal) -> None:
    sent(journal, PEER, 0, 0, b"a")
    assert journal.outbound_from(PEER, 0, 0) == [Outbound(0, 0, b"a")]
    sent(journal, PEER, 0, 1, b"b")  # sent while connected, then the peer came back
    assert journal.outbound_from(PEER, 0, 1) == [Outbound(0, 1, b"b")]
    sent(journal, PEER, 1, 0, b"c")
    assert journal.outbound_from(PEER, 1, 0) == [Outbound(1, 0, b"c")]
    sent(journal, "insurer", 0, 0, b"d")  # another peer's place is its own
    assert journal.outbound_from("insurer", 0, 0) == [Outbound(0, 0, b"d")]


def test_a_backup_restored_before_the_peers_last_step_must_not_go_on(tmp_path: Path) -> None:
    bank, retailer = pair(tmp_path / "run", deadlines=Deadlines(2, 0.5))
    backup = tmp_path / "backup"
    with closing(sqlite3.connect(bank.home / "node.sqlite")) as source:
        source.execute("VACUUM INTO ?", (str(backup),))
    # The bank dies at the end of step 0, all messages exchanged; the retailer has finished it.
    run_together(lambda: bank.run(8), lambda: retailer.run(9))
    for file in bank.home.glob("node.sqlite*"):
        file.unlink()
    backup.rename(bank.home / "node.sqlite")
    run_together(bank.run, retailer.run)
    assert isinstance(bank.outcome, AttemptAbandoned), bank.outcome
    assert isinstance(retailer.outcome, AttemptAbandoned | PeerUnreachable), retailer.outcome


def test_an_acknowledged_step_must_lose_its_bytes_and_keep_its_digests(
    journal: Journal, engine: Engine
) -> None:
    messages = sent_in_two_steps(journal)
    journal.acknowledge(PEER, 0)
    with engine.connect() as connection:
        rows = connection.execute(
            select(journal_outbound).order_by("peer", "ordinal", "position")
        ).all()
    assert [(r.peer, r.ordinal, r.position, r.sealed is None) for r in rows] == [
        (peer, m.ordinal, m.position, peer == PEER and m.ordinal == 0)
        for peer in ("insurer", PEER)
        for m in messages
    ]
    assert all(len(row.digest) == 32 for row in rows)
    restarted = again(engine)
    assert restarted.outbound_from(PEER, 1, 0) == messages[3:]
    sent(restarted, PEER, 0, 0, b"0/0")  # a replay is still compared
    with pytest.raises(AttemptAbandoned):
        sent(restarted, PEER, 0, 0, b"0/1")


def test_a_peer_must_not_ask_for_what_it_acknowledged(journal: Journal) -> None:
    sent_in_two_steps(journal)
    journal.acknowledge(PEER, 0)
    for position in (0, 1, 3):
        with pytest.raises(AttemptAbandoned, match="behind what it has acknowledged"):
            journal.outbound_from(PEER, 0, position)
    journal.acknowledge(PEER, 1)
    with pytest.raises(AttemptAbandoned, match="behind what it has acknowledged"):
        journal.outbound_from(PEER, 1, 0)
    assert journal.outbound_from(PEER, 2, 0) == []
    assert len(journal.outbound_from("insurer", 0, 0)) == 6


def test_an_acknowledgement_must_not_go_back(journal: Journal, engine: Engine) -> None:
    sent_in_two_steps(journal)
    journal.acknowledge(PEER, 1)
    for older in (0, 1):
        journal.acknowledge(PEER, older)
    assert cell(engine, "SELECT ordinal FROM journal_acknowledged") == 1
    assert cell(engine, "SELECT count(*) FROM journal_acknowledged") == 1
    assert cell(engine, "SELECT count(sealed) FROM journal_outbound WHERE peer = 'retailer'") == 0


# -- at rest ---------------------------------------------------------------------------------


def test_nothing_secret_may_stand_readable_in_the_file(
    journal: Journal, engine: Engine, tmp_path: Path
) -> None:
    step = journal.begin(0, "align/psi", INPUTS)
    sent(journal, PEER, 0, 0, MARKER + b" sent")
    journal.record_inbound(PEER, 0, 0, MARKER + b" received")
    journal.finish(step, MARKER + b" result", 1)
    files = list(tmp_path.glob("node.sqlite*"))
    stored = b"".join(path.read_bytes() for path in files)
    assert journal.begin(0, "align/psi", INPUTS).result == MARKER + b" result"
    assert b"align/psi" in stored
    for secret in (MARKER, step.seed, KEYS.storage_secret, KEYS.derived("journal-keys")):
        assert secret not in stored
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


def test_a_sealed_value_must_not_open_in_another_place(journal: Journal, engine: Engine) -> None:
    journal.begin(0, "align/psi", INPUTS)
    journal.begin(1, "align/countersign", INPUTS)
    sent(journal, PEER, 0, 0, b"first")
    sent(journal, PEER, 0, 1, b"second")
    with transaction(engine) as connection:
        for table, column, key in (
            ("journal_steps", "seed", "ordinal"),
            ("journal_outbound", "sealed", "position"),
        ):
            moved = f"SELECT {column} FROM {table} WHERE {key} = 1"
            connection.execute(text(f"UPDATE {table} SET {column} = ({moved}) WHERE {key} = 0"))
    with pytest.raises(OpenError):
        journal.begin(0, "align/psi", INPUTS)
    with pytest.raises(OpenError):
        journal.outbound_from(PEER, 0, 0)


def test_a_job_key_must_open_for_its_job_and_node_only(journal: Journal, engine: Engine) -> None:
    with pytest.raises(OpenError):
        Journal(engine, made_keys("insurer"), "job-1", 1)
    add_job(engine, "job-2")
    with transaction(engine) as connection:
        other = select(jobs.c.journal_key).filter_by(job_id="job-1").scalar_subquery()
        connection.execute(update(jobs).filter_by(job_id="job-2").values(journal_key=other))
    with pytest.raises(OpenError):
        again(engine, "job-2")
    assert new_job_key(KEYS, "job-1") != new_job_key(KEYS, "job-1")


def test_a_job_without_a_journal_must_say_so(engine: Engine) -> None:
    with pytest.raises(NodeError, match="job-9 has no journal"):
        again(engine, "job-9")
    with transaction(engine) as connection:
        connection.execute(update(jobs).values(journal_key=None))
    with pytest.raises(NodeError, match="job-1 has no journal") as caught:
        again(engine)
    assert "closed" in caught.value.hint


# -- cost, and the end -----------------------------------------------------------------------


def test_cost_must_be_told_by_phase(journal: Journal, engine: Engine) -> None:
    assert journal.cost() == {}
    psi = journal.begin(0, "align/psi", INPUTS)
    for position, data in enumerate((b"123", b"4567")):
        sent(journal, PEER, 0, position, data)
        sent(journal, "insurer", 0, position, data)
    journal.record_inbound(PEER, 0, 0, bytes(100))
    journal.finish(psi, b"result", 1500)
    journal.finish(journal.begin(1, "align/countersign", INPUTS), b"", 30)
    keys = journal.begin(2, "train/keys", INPUTS)
    journal.record_inbound(PEER, 2, 0, bytes(7))
    journal.finish(keys, b"", 0)
    again(engine, attempt=2).begin(0, "align/psi", INPUTS)  # another attempt's cost is its own
    expected = {
        "align": {
            "messages_sent": 4,
            "bytes_sent": 14,
            "messages_received": 1,
            "bytes_received": 100,
            "wall_ms": 1530,
        },
        "train": {
            "messages_sent": 0,
            "bytes_sent": 0,
            "messages_received": 1,
            "bytes_received": 7,
            "wall_ms": 0,
        },
    }
    assert journal.cost() == expected
    journal.acknowledge(PEER, 0)  # what is forgotten was sent all the same
    assert again(engine).cost() == expected
    # A replay costs nothing twice.
    journal.record_inbound(PEER, 0, 0, bytes(100))
    sent(journal, PEER, 0, 0, b"123")
    assert journal.cost() == expected


def fill(journal: Journal) -> None:
    journal.finish(journal.begin(0, "align/psi", INPUTS), b"result", 1)
    journal.record_inbound(PEER, 0, 0, b"in")
    sent(journal, PEER, 0, 0, b"out")
    journal.acknowledge(PEER, 0)


def test_forgotten_attempts_must_leave_no_row_and_no_other_job_less(engine: Engine) -> None:
    add_job(engine, "job-2")
    for journal in (again(engine), again(engine, attempt=2), again(engine, "job-2")):
        fill(journal)
    with transaction(engine) as connection:
        forget_attempts(connection, "job-1")
    with engine.connect() as connection:
        for table in JOURNAL_TABLES:
            assert connection.execute(select(table.c.job_id)).scalars().all() == ["job-2"]
    assert again(engine).begun_steps() == {}
    assert again(engine, "job-2").begin(0, "align/psi", INPUTS).result == b"result"


def test_forgetting_must_be_undone_with_its_transaction(journal: Journal, engine: Engine) -> None:
    fill(journal)

    def forget_then_fail() -> None:
        with transaction(engine) as connection:
            forget_attempts(connection, "job-1")
            raise ValueError("not closed after all")

    with pytest.raises(ValueError, match="not closed"):
        forget_then_fail()
    assert again(engine).begin(0, "align/psi", INPUTS).result == b"result"


@pytest.mark.parametrize("name", ["node.sqlite", "a?b#c%41.sqlite", "客户 node.sqlite"])
def test_the_database_must_be_the_file_that_was_named(tmp_path: Path, name: str) -> None:
    engine = open_database(tmp_path / name)
    add_job(engine, "job-1")
    engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    reopened = open_database(tmp_path / name)
    assert cell(reopened, "SELECT job_id FROM jobs") == "job-1"
    reopened.dispose()
