"""kill -9 of a party, or of the coordinator, at every step: the same job ends with the same model.

Three parties of which all three are needed, so that every loss is felt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import pytest

from coordinator.horizontal.opening_store import OpeningStore
from coordinator.horizontal.recorder import Recorder
from party_node.horizontal.state import PartyState
from protocols.session.phase_report import Phase
from tests.integration.horizontal.conftest import MakeJob
from tests.integration.horizontal.faulty_job import FaultyJob, Killed, Tap

STEPS = ("advertise", "share", "contribute", "consist", "unmask", "finish", "close")
METHOD = "masked_he"


@pytest.fixture
def job(make_job: MakeJob) -> FaultyJob:
    return make_job(parties=3, aggregation__method=METHOD)


@pytest.fixture(scope="module")
def undisturbed(make_job: MakeJob) -> dict[str, bytes]:
    job = make_job(parties=3, aggregation__method=METHOD)
    job.drive()
    assert job.record.status == "closed"
    return job.models()


def check_ended_alike(job: FaultyJob, undisturbed: dict[str, bytes]) -> None:
    """The model is the undisturbed one, and no number was used twice."""
    assert job.record.status == "closed"
    assert job.models() == undisturbed
    assert [one.name for one in job.opened()] == ["statistics", "round-1", "round-2", "evaluation"]
    assert len(job.events("coordinator", "sum.added")) == 4
    epochs = [event.counts["epoch"] for event in job.events("coordinator", "epoch.begun")]
    assert epochs == sorted(set(epochs))
    for party in job.parties:
        for type_ in ("sum.contributed", "sum.list_signed", "sum.shares_revealed", "sum.opened"):
            numbers = [event.counts["sum_number"] for event in job.events(party, type_)]
            assert numbers == sorted(set(numbers)), type_
        assert len(job.events(party, "release.done")) == 1
        assert len(job.events(party, "journal.destroyed")) == 1
        assert not (job.home(party) / "sent" / job.spec.job_id).exists()
    assert job.report().precision is not None


class KilledOnce:
    """Ends a party's process once at each step it comes to, in turn another party's."""

    def __init__(self, parties: tuple[str, ...], when: Literal["before", "after"]) -> None:
        self._victims = {step: parties[i % 3] for i, step in enumerate(STEPS)}
        self._when = when
        self.killed: list[str] = []

    def __call__(self, party: str, step: Phase, letters: Mapping[str, bytes], when: str) -> None:
        del letters
        if when == self._when and step not in self.killed and self._victims[step] == party:
            self.killed.append(step)
            raise Killed


@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.slow), "after"])
def test_a_party_killed_at_every_step(
    job: FaultyJob, undisturbed: dict[str, bytes], when: Literal["before", "after"]
) -> None:
    killed = KilledOnce(job.parties, when)
    for _ in range(8):
        job.drive(at_step=killed)
        if job.record.status == "closed":
            break
        assert job.record.status == "failed"
    assert set(killed.killed) == set(STEPS)
    check_ended_alike(job, undisturbed)


def test_a_party_killed_in_the_middle_of_every_step(
    job: FaultyJob, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a step did is kept, its answer is not: done again it comes to the same."""
    keep, killed = PartyState.keep_answer, set()

    def killed_before(self: PartyState, connection: Any, place: str, answer: Any) -> None:
        step = place.partition("/")[0]
        if step not in killed:
            killed.add(step)
            raise Killed
        keep(self, connection, place, answer)

    monkeypatch.setattr(PartyState, "keep_answer", killed_before)
    for _ in range(8):
        job.drive()
        if job.record.status == "closed":
            break
    assert killed == set(STEPS) - {"close"}
    check_ended_alike(job, undisturbed)


class KilledCoordinator(Tap):
    """Ends the coordinator's process when it has sent the messages of a step."""

    def __init__(self) -> None:
        self.killed: list[str] = []

    def sent(self, step: str) -> None:
        if step not in self.killed:
            self.killed.append(step)
            raise Killed


def drive_until_closed(job: FaultyJob, tap: Tap | None = None) -> int:
    """Start the coordinator again whenever it was killed; return how often it was."""
    for times in range(12):
        try:
            job.drive(tap)
        except Killed:
            continue
        assert job.record.status == "closed", job.told()
        return times
    raise AssertionError("the job does not come to its end")


def test_the_coordinator_killed_at_every_step(
    job: FaultyJob, undisturbed: dict[str, bytes]
) -> None:
    tap = KilledCoordinator()
    assert drive_until_closed(job, tap) == len(STEPS)
    assert set(tap.killed) == set(STEPS)
    check_ended_alike(job, undisturbed)


@pytest.mark.slow
def test_the_coordinator_killed_around_each_of_its_records(
    job: FaultyJob, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: set[str] = set()

    def once(owner: type, name: str, when: str) -> None:
        honest: Callable[..., Any] = getattr(owner, name)

        def acted(*args: Any, **named: Any) -> Any:
            place = f"{when} {name}"
            if when == "before" and place not in killed:
                killed.add(place)
                raise Killed
            result = honest(*args, **named)
            if when == "after" and place not in killed:
                killed.add(place)
                raise Killed
            return result

        monkeypatch.setattr(owner, name, acted)

    places = [
        (Recorder, "epoch_begun", "before"),
        (Recorder, "sum_started", "after"),
        (OpeningStore, "bind", "after"),
        (OpeningStore, "keep", "before"),
        (OpeningStore, "keep", "after"),
        (Recorder, "sum_opened", "after"),
        (OpeningStore, "keep_told", "after"),
        (Recorder, "closed", "before"),
        (Recorder, "closed", "after"),
    ]
    for place in places:
        once(*place)
    times = drive_until_closed_or_done(job)
    assert times == len(places) == len(killed)
    check_ended_alike(job, undisturbed)


def drive_until_closed_or_done(job: FaultyJob) -> int:
    """As a simulation's resume does, drive only what is not closed."""
    for times in range(12):
        if job.record.status == "closed":
            return times
        try:
            job.drive()
        except Killed:
            continue
    raise AssertionError("the job does not come to its end")
