"""Parties that fall away and come back, at every step: the model is that of those who stayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from protocols.session.phase_report import Phase
from simulations.horizontal.faults import Dropped, OneAwayEachRound
from tests.integration.horizontal.conftest import MakeJob
from tests.integration.horizontal.faulty_job import FaultyJob

ROUNDS = 10


@pytest.fixture(scope="module")
def one_away(make_job: MakeJob) -> FaultyJob:
    job = make_job(training__rounds=ROUNDS)
    job.drive(at_step=OneAwayEachRound(job.parties))
    return job


def test_each_round_is_the_average_of_those_who_stayed(one_away: FaultyJob) -> None:
    assert one_away.record.status == "closed"
    fault = OneAwayEachRound(one_away.parties)
    sums = one_away.sums()
    assert [one.status for one in sums] == ["opened"] * (ROUNDS + 2)
    for one in sums[1:]:
        gone = fault.away(one.number)
        assert set(one.contributors) == set(one_away.parties) - {gone}
        assert one.missing == {gone: "no_answer"}
    precision = one_away.precision()
    assert precision.largest_difference <= precision.bound


def test_all_parties_hold_one_model(one_away: FaultyJob) -> None:
    models = one_away.models()
    assert set(models) == set(one_away.parties)
    assert len(set(models.values())) == 1


class Away:
    """Takes parties away before their work or after it; keys are step, epoch or sum, party."""

    def __init__(self, plan: Mapping[tuple[str, int, str], Literal["before", "after"]]) -> None:
        self._plan = plan
        self._epoch: dict[str, int] = {}
        self.happened: set[tuple[str, int, str]] = set()

    def __call__(
        self,
        party: str,
        step: Phase,
        letters: Mapping[str, bytes],
        when: Literal["before", "after"],
    ) -> None:
        if "epoch" in letters:
            self._epoch[party] = int.from_bytes(letters["epoch"], "big")
        number = self._epoch.get(party, 0)
        if "number" in letters:
            number = int.from_bytes(letters["number"], "big")
        place = (step, number, party)
        if self._plan.get(place) == when:
            self.happened.add(place)
            raise Dropped


ONE, TWO, THREE, FOUR, FIVE = (f"retailer-{number}" for number in range(1, 6))
PLAN: dict[tuple[str, int, str], Literal["before", "after"]] = {
    # Epoch 0: a signature and some shares are lost, then a contribution.
    ("consist", 0, TWO): "before",
    ("unmask", 0, THREE): "after",
    ("contribute", 1, FOUR): "before",
    ("consist", 1, FOUR): "after",
    ("unmask", 2, TWO): "before",
    # Epoch 1, sums 3 to 5: one does not advertise, comes back and lacks what was learned.
    ("advertise", 1, FIVE): "before",
    # Epoch 2, sums 6 to 8: from 7 on it contributes again.
    ("contribute", 8, ONE): "after",
    # Epoch 3: its key maker shares nothing, so there is another, 4, for sums 9 to 11.
    ("share", 3, ONE): "before",
    # One is away for two sums of an epoch and contributes to the third.
    ("contribute", 9, TWO): "before",
    ("contribute", 10, TWO): "before",
    # Epoch 5, sums 12 to 14: one advertises, its shares are lost; it is told in the end.
    ("share", 5, THREE): "after",
}


@pytest.fixture(scope="module")
def planned(make_job: MakeJob) -> tuple[FaultyJob, Away]:
    job, away = make_job(training__rounds=13, aggregation__key_rounds=3), Away(PLAN)
    job.drive(at_step=away)
    return job, away


def test_a_job_goes_on_whatever_step_loses_a_party(planned: tuple[FaultyJob, Away]) -> None:
    job, away = planned
    assert away.happened == set(PLAN)
    assert job.record.status == "closed"
    missing = {one.number: one.missing for one in job.sums()}
    gone: dict[int, dict[str, Any]] = {number: {} for number in range(15)}
    gone[1] = {FOUR: "no_answer"}
    gone[3] = gone[4] = gone[5] = gone[6] = {FIVE: "next_epoch"}
    gone[8] = {ONE: "no_answer"}
    gone[9] = gone[10] = {TWO: "no_answer"}
    gone[12] = gone[13] = gone[14] = {THREE: "next_epoch"}
    assert missing == gone
    assert all(one.status == "opened" for one in job.sums())


def test_the_model_is_that_of_those_who_stayed(planned: tuple[FaultyJob, Away]) -> None:
    job, _ = planned
    precision = job.precision()
    assert precision.largest_difference <= precision.bound


def test_who_was_away_holds_the_same_model(planned: tuple[FaultyJob, Away]) -> None:
    job, _ = planned
    assert set(job.models()) == set(job.parties)
    assert len(set(job.models().values())) == 1
    told = [event.counts["opened"] for event in job.events(FIVE, "sum.contributed")]
    assert told == [0, 1, 2, 7, 8, 9, 10, 11, 12, 13, 14]


def test_epochs_and_sums_are_numbered_once(planned: tuple[FaultyJob, Away]) -> None:
    job, _ = planned
    epochs = [event.counts["epoch"] for event in job.events("coordinator", "epoch.begun")]
    assert epochs == [0, 1, 2, 4, 5, 6]
    for party in job.parties:
        numbers = [e.counts["sum_number"] for e in job.events(party, "sum.contributed")]
        assert numbers == sorted(set(numbers))


# -- too few ----------------------------------------------------------------------------------


def lost(step: str, numbers: range, parties: tuple[str, ...]) -> Away:
    return Away({(step, n, party): "before" for n in numbers for party in parties})


@pytest.fixture(scope="module")
def with_lost_sums(make_job: MakeJob) -> FaultyJob:
    """Too few contributions to sum 1, signatures of 3 and shares of 5."""
    job = make_job(training__rounds=3)
    plan = {
        **{("contribute", 1, party): "before" for party in (ONE, TWO)},
        **{("consist", 3, party): "after" for party in (TWO, THREE)},
        ("contribute", 5, FIVE): "before",
        **{("unmask", 5, party): "before" for party in (THREE, FOUR)},
        ("finish", 0, FOUR): "after",
    }
    away = Away(plan)  # type: ignore[arg-type]
    job.drive(at_step=away)
    assert away.happened == set(plan)
    return job


def test_a_lost_sum_keeps_its_number_and_the_work_is_done_again(with_lost_sums: FaultyJob) -> None:
    job = with_lost_sums
    assert job.record.status == "closed"
    found = [(one.number, one.name, one.status) for one in job.sums()]
    assert found == [
        (0, "statistics", "opened"),
        (1, "round-1", "lost"),
        (2, "round-1", "opened"),
        (3, "round-2", "lost"),
        (4, "round-2", "opened"),
        (5, "round-3", "lost"),
        (6, "round-3", "opened"),
        (7, "evaluation", "opened"),
    ]
    told = {one.number: one.lost for one in job.sums() if one.lost}
    assert told[1].startswith("3 contributions; at least 4")
    assert told[3].startswith("3 parties signed")
    assert told[5].startswith("3 parties revealed their shares; 4 recover")
    precision = job.precision()
    assert precision.largest_difference <= precision.bound


def test_work_that_was_listed_is_added_for_the_same_contributors_only(
    with_lost_sums: FaultyJob,
) -> None:
    fifth, sixth = with_lost_sums.sums()[5:7]
    assert FIVE not in sixth.contributors
    assert fifth.contributors == sixth.contributors
    assert set(with_lost_sums.models()) == set(with_lost_sums.parties)


def test_a_job_ends_when_too_many_are_gone(make_job: MakeJob) -> None:
    job = make_job(training__rounds=3)
    job.drive(at_step=lost("contribute", range(1, 9), (TWO, FOUR)))
    assert job.record.status == "failed"
    told = job.told()
    assert told["message"].startswith("round-1: 3 sums were lost one after another")
    assert f"3 contributions; at least 4 are added; missing: {TWO}, {FOUR}" in told["message"]
    assert [one.status for one in job.sums()] == ["opened", "lost", "lost", "lost"]
    assert not job.models()
    job.drive()
    assert job.record.status == "closed"
    assert [one.number for one in job.sums()] == list(range(8))
    assert len(set(job.models().values())) == 1


def test_a_job_that_finds_too_few_for_keys_says_who_is_there(make_job: MakeJob) -> None:
    job = make_job(training__rounds=3)
    job.drive(at_step=lost("advertise", range(3), (TWO, FOUR)))
    assert job.record.status == "failed"
    assert "3 parties advertised keys; 4 are needed" in job.told()["message"]
    assert job.sums() == []
