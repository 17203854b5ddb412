"""What the coordinator writes down of sums, epochs, traffic and the end, and finds again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.event import Event
from audit.log import read_events
from coordinator.coordinator import Coordinator
from coordinator.horizontal.exchange import Traffic
from coordinator.horizontal.job_ended import JobEnded
from coordinator.horizontal.opening_store import OpeningStore
from coordinator.horizontal.recorder import Recorder, SumRecord
from models.horizontal.plan import epoch_terms
from protocols.secure_aggregation import ContributorList, Enrolled, Opening, Refusal
from tests.compliance.horizontal_specs import NAMES, horizontal

SPEC = horizontal()
PRESENT = ("centre", "east", "north", "west")
OPENED = SumRecord(
    number=0,
    name="statistics",
    status="opened",
    contributors=PRESENT,
    missing={"south": "no_answer"},
    lost="",
    bytes=4000,
    wall_ms=120,
    party_ms={"east": 30, "coordinator": 4},
)
LOST = SumRecord(
    number=0,
    name="round-1",
    status="lost",
    contributors=("east",),
    missing=dict.fromkeys(NAMES[1:], "no_answer"),
    lost="1 contribution; at least 4 are needed",
    bytes=9,
    wall_ms=5,
    party_ms={},
)
LIST = ContributorList(
    terms=bytes(32),
    number=0,
    roster=bytes(32),
    sharers=bytes(32),
    opened=0,
    model=bytes(32),
    contributors=PRESENT,
    contributions=(bytes(32),) * 4,
    total=b"\x07" * 32,
)


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[Coordinator]:
    made = Coordinator.create(tmp_path / "home", "gm", simulated=True)
    made.propose(SPEC)
    yield made
    made.close()


@pytest.fixture
def recorder(coordinator: Coordinator) -> Recorder:
    return Recorder(coordinator, SPEC, 1)


def events(recorder: Recorder, type_: str) -> list[Event]:
    with recorder.coordinator.engine.connect() as connection:
        return list(read_events(connection, job=SPEC.job_id, type_=type_))


def test_a_sums_number_is_used_when_it_is_started(recorder: Recorder) -> None:
    assert recorder.next_number() == 0
    recorder.sum_started(0, "statistics")
    assert recorder.next_number() == 1
    assert [(one.number, one.status) for one in recorder.sums()] == [(0, "started")]
    record = recorder.coordinator.job(SPEC.job_id)
    assert (record.status, record.phase, record.attempt) == ("running", "contribute", 1)


def test_each_attempt_has_its_own_numbers(recorder: Recorder) -> None:
    recorder.sum_started(0, "statistics")
    second = Recorder(recorder.coordinator, SPEC, 2)
    assert (second.next_number(), second.next_epoch(), second.sums()) == (0, 0, [])


def test_a_key_epochs_number_is_used_once_even_after_a_crash(recorder: Recorder) -> None:
    assert [recorder.next_epoch() for _ in range(3)] == [0, 1, 2]
    again = Coordinator.open(recorder.coordinator.home)
    try:
        assert Recorder(again, SPEC, 1).next_epoch() == 3
    finally:
        again.close()


def test_an_epoch_is_logged_with_who_is_in_it(recorder: Recorder) -> None:
    terms = epoch_terms(SPEC, 1, epoch=0, first=0, suite=recorder.coordinator.suite)
    recorder.epoch_begun(Enrolled(terms, b"\x01" * 32, PRESENT, PRESENT, bytes(32), {}))
    (event,) = events(recorder, "epoch.begun")
    assert event.details["roster_digest"] == "01" * 32
    assert event.details["parties"] == list(PRESENT)
    assert event.counts == {
        "epoch": 0,
        "first_sum": 0,
        "sums": SPEC.aggregation.key_rounds,
        "parties": 4,
        "threshold": 4,
        "floor": 3,
    }


def test_an_opened_sum_is_read_back_and_logged_without_its_content(recorder: Recorder) -> None:
    recorder.sum_started(0, "statistics")
    recorder.sum_opened(OPENED, LIST, 0, 3)
    assert recorder.sums() == [OPENED]
    (missing,) = events(recorder, "sum.parties_missing")
    assert missing.details["parties"] == ["south"]
    (added,) = events(recorder, "sum.added")
    assert added.details["sum_digest"] == "07" * 32
    assert (added.counts["contributors"], added.counts["ciphertexts"]) == (4, 3)
    assert added.counts["bytes"] == 4000


def test_nobody_missing_is_no_event(recorder: Recorder) -> None:
    recorder.sum_started(0, "statistics")
    whole = SumRecord(0, "statistics", "opened", NAMES, {}, "", 5000, 1, {})
    recorder.sum_opened(whole, LIST, 0, 1)
    assert events(recorder, "sum.parties_missing") == []


def test_a_lost_sum_keeps_its_number(recorder: Recorder) -> None:
    recorder.sum_started(0, "round-1")
    recorder.sum_lost(LOST, 0)
    assert recorder.sums() == [LOST]
    assert recorder.next_number() == 1
    (event,) = events(recorder, "sum.lost")
    assert (event.details["step"], event.counts["missing"]) == ("round-1", 4)


def test_what_was_not_taken_is_logged_without_what_it_said(recorder: Recorder) -> None:
    recorder.refused(3, 1, [Refusal("east", "contribute", "a reason the party may have shaped")])
    (event,) = events(recorder, "sum.contribution_refused")
    assert (event.details["party"], event.details["step"]) == ("east", "contribute")
    assert event.counts == {"sum_number": 3, "epoch": 1}
    assert "shaped" not in str(event)


def test_a_sum_opened_just_before_a_crash_is_recorded_after_it(
    recorder: Recorder, tmp_path: Path
) -> None:
    store = OpeningStore(tmp_path / "openings")
    recorder.sum_started(0, "statistics")
    recorder.sum_started(1, "round-1")
    store.keep(Opening(LIST, (), (), (b"one", b"two")))
    recorder.catch_up(store)
    first, second = recorder.sums()
    assert (first.status, first.contributors, first.missing) == (
        "opened",
        PRESENT,
        {"south": "no_answer"},
    )
    assert second.status == "started"
    recorder.catch_up(store)
    assert len(events(recorder, "sum.added")) == 1


def test_traffic_adds_up_by_party_and_step(recorder: Recorder) -> None:
    recorder.traffic({("east", "share"): Traffic(1, 10, 1, 20), ("west", "share"): Traffic(1, 5)})
    recorder.traffic({("east", "share"): Traffic(2, 30, 0, 1), ("east", "unmask"): Traffic(1, 7)})
    assert recorder.all_traffic() == {
        ("east", "share"): Traffic(3, 40, 1, 21),
        ("west", "share"): Traffic(1, 5, 0, 0),
        ("east", "unmask"): Traffic(1, 7, 0, 0),
    }


@pytest.mark.parametrize(
    ("end", "by", "details"),
    [
        (
            JobEnded("refused", "gate G10 says no", party="east", hint="change the job"),
            "east",
            {"party": "east"},
        ),
        (JobEnded("failed", "too few"), "coordinator", {"reason": "failed"}),
    ],
)
def test_an_end_is_recorded_with_its_reason(
    recorder: Recorder, end: JobEnded, by: str, details: dict[str, Any]
) -> None:
    recorder.ended(end)
    record = recorder.coordinator.job(SPEC.job_id)
    assert record.status == end.status
    payload = {"message": end.message, "hint": end.hint, "party": end.party}
    assert record.outcome["reports"] == {by: {"status": end.status, "payload": payload}}
    (event,) = events(recorder, f"job.{end.status}")
    assert event.details == details


def test_a_closed_job_names_who_holds_its_results(recorder: Recorder) -> None:
    recorder.closed(PRESENT)
    record = recorder.coordinator.job(SPEC.job_id)
    assert (record.status, set(record.outcome["reports"])) == ("closed", set(PRESENT))
    assert len(events(recorder, "job.closed")) == 1
