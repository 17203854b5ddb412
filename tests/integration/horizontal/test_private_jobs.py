"""Jobs with a privacy budget: reserved, spent with each release, settled; never exceeded."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.horizontal.plan import sums_of
from party_node.errors import JobRefused
from party_node.horizontal import steps, table
from party_node.horizontal.step_context import StepContext
from simulations.scenario_tables import ScenarioError
from tests.integration.horizontal.conftest import MakeJob
from tests.integration.horizontal.faulty_job import FaultyJob
from tests.integration.horizontal.test_parties_away import Away

PRIVATE = {"privacy": {"epsilon": "4", "delta": "0.000001"}, "aggregation__minimum_contributors": 2}
ONE, TWO = "retailer-1", "retailer-2"


def budget(job: FaultyJob, party: str, what: str) -> list[dict[str, object]]:
    events = job.events(party, f"privacy.budget_{what}")
    return [{**event.details, **event.counts} for event in events]


@pytest.fixture(scope="module")
def closed(make_job: MakeJob) -> FaultyJob:
    job = make_job(parties=2, **PRIVATE)
    job.drive()
    return job


def test_two_parties_may_where_each_ones_noise_is_enough(closed: FaultyJob) -> None:
    assert closed.record.status == "closed", closed.told()
    assert closed.spec.floor == 2
    assert [one.name for one in closed.opened()] == ["statistics", "round-1", "round-2"]
    assert set(closed.models()) == {ONE, TWO}
    assert len(set(closed.models().values())) == 1


def test_without_a_budget_two_are_too_few(make_job: MakeJob) -> None:
    with pytest.raises(ScenarioError, match="fewer than 3 contributions"):
        make_job(parties=2, aggregation__minimum_contributors=2)


def test_each_release_is_entered_once(closed: FaultyJob) -> None:
    for party in (ONE, TWO):
        (reserved,), (settled,) = (
            budget(closed, party, "reserved"),
            budget(closed, party, "settled"),
        )
        spent = budget(closed, party, "spent")
        assert len(spent) == sums_of(closed.spec) == 3
        epsilons = [Decimal(str(each["epsilon"])) for each in spent]
        assert epsilons == sorted(set(epsilons))
        assert epsilons[-1] == Decimal(str(reserved["epsilon"])) == Decimal(str(settled["epsilon"]))
        assert Decimal("3.9") < epsilons[-1] <= 4
        assert all(each["delta"] == "0.000001" for each in (reserved, *spent, settled))
        for event in closed.events(party, "sum.contributed"):
            assert event.details["dp_used"] is True


def test_what_is_lost_and_sent_again_is_spent_once(make_job: MakeJob) -> None:
    job = make_job(parties=2, **PRIVATE)
    job.drive(at_step=Away({("contribute", 1, TWO): "after", ("unmask", 3, ONE): "before"}))
    assert job.record.status == "closed"
    assert [one.status for one in job.sums()].count("lost") == 2
    for party in (ONE, TWO):
        assert len(budget(job, party, "spent")) == 3


def test_an_aborted_job_keeps_what_it_released(make_job: MakeJob) -> None:
    job = make_job(parties=2, **PRIVATE)
    job.drive(at_step=Away({("contribute", number, TWO): "before" for number in range(1, 9)}))
    assert job.record.status == "failed"
    assert len(budget(job, ONE, "spent")) == 2
    assert len(budget(job, TWO, "spent")) == 1
    assert not budget(job, ONE, "settled")


def test_a_refused_job_spends_nothing(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = table.prepare_table

    def refusing(context: StepContext) -> None:
        prepare(context)
        if context.party == TWO:
            raise JobRefused("this party says no")

    monkeypatch.setattr(steps, "prepare_table", refusing)
    job = make_job(parties=2, **PRIVATE)
    job.drive()
    assert job.record.status == "refused"
    assert job.told()["party"] == TWO
    for party in (ONE, TWO):
        assert not budget(job, party, "spent")
    reserved, settled = budget(job, ONE, "reserved"), budget(job, ONE, "settled")
    assert len(reserved) == len(settled) == 1
    assert Decimal(str(settled[0]["epsilon"])) == 0
    assert Decimal(str(settled[0]["balance"])) == 8


def test_a_job_over_the_policys_total_is_refused_by_its_gate(make_job: MakeJob) -> None:
    most = PRIVATE | {"privacy": {"epsilon": "7.5", "delta": "0.000001"}, "training__rounds": 1}
    job = make_job(parties=2, **most)
    job.drive()
    assert job.record.status == "closed", job.told()
    left = budget(job, ONE, "settled")[0]["balance"]
    job.agree_anew(minutes=1)
    job.drive()
    assert job.record.status == "refused"
    told = job.told()
    assert "gate G11 says" in told["message"]
    assert job.opened() == []
    assert len(budget(job, ONE, "settled")) == 1
    assert budget(job, ONE, "settled")[0]["balance"] == left
    for party in (ONE, TWO):
        assert len(budget(job, party, "spent")) == 2  # of the first job
        assert len(job.events(party, "release.done")) == 1
