"""Gates on jobs that add up contributions: the same questions, and what changes in them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from compliance.catalogue import load_catalogue
from compliance.check import GATES, blocking, evaluate
from compliance.decision import Decision, Verdict
from compliance.facts import Facts
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.suite import get_suite
from tests.compliance.horizontal_specs import (
    NAMES,
    PRIVACY,
    balance,
    horizontal,
    made_up,
    pair,
    shop_facts,
)
from tests.compliance.specs import bank_facts, job, simulated_job

SUITE = get_suite("gm")
STAGES: Any = ("proposal", "start", "release")


def run(
    gate: str, spec: HorizontalSpec, facts: Facts | None = None, stage: Any = "start"
) -> Decision:
    return GATES[gate](spec, stage, facts or shop_facts(), load_catalogue())


def with_epsilon(epsilon: str, **changes: Any) -> HorizontalSpec:
    return pair(privacy=msgspec.structs.replace(PRIVACY, epsilon=epsilon), **changes)


@pytest.mark.parametrize("stage", STAGES)
def test_a_sound_job_must_not_be_blocked(stage: Any) -> None:
    for name in NAMES:
        facts = shop_facts(name, contributors=4, minimum_contributors=3)
        given = evaluate(horizontal(), stage=stage, facts=facts, suite=SUITE)
        assert [decision.gate for decision in given] == list(GATES)
        assert blocking(given) == ()
        assert all(decision.articles for decision in given)


@pytest.mark.parametrize("stage", STAGES)
def test_two_parties_with_noise_must_not_be_blocked(stage: Any) -> None:
    facts = shop_facts(contributors=2, minimum_contributors=2, privacy=balance())
    given = evaluate(pair(), stage=stage, facts=facts, suite=SUITE)
    assert blocking(given) == ()
    assert {d.gate for d in given if d.verdict is Verdict.NEEDS_APPROVAL} == set()


def test_facts_of_a_stranger_must_be_refused() -> None:
    with pytest.raises(ValueError, match="not in the job"):
        evaluate(horizontal(), stage="start", facts=bank_facts(), suite=SUITE)


# G02, G03, G15, G16, G22: shared with jobs on shared customers


def test_consent_must_not_be_said_to_cover_a_list_nobody_gets() -> None:
    decision = run("G02", horizontal(party={"legal_basis": "CN13_1"}))
    assert decision.verdict is Verdict.CONDITIONS
    (condition,) = decision.conditions
    assert condition.startswith("east, north, south, west, centre (CN13_1): ")
    assert "aligned list" not in condition
    assert "a model trained on them, which every party gets" in condition
    assert {"PIPL-13", "PIPL-14", "PIPL-23"} <= set(decision.articles)


def test_a_party_without_a_basis_must_be_denied_by_name() -> None:
    decision = run("G02", horizontal(last={"legal_basis": "EU6_1f"}))
    assert decision.verdict is Verdict.DENY
    assert "centre is in CN and cannot rely on EU basis EU6_1f" in decision.reason


@pytest.mark.parametrize("name", NAMES)
def test_every_party_must_be_asked_what_its_label_serves(name: str) -> None:
    assert run("G03", horizontal(), shop_facts(name)).verdict is Verdict.ALLOW
    for serves, why in ((None, "has not declared"), ("credit_need", "serves credit_need")):
        decision = run("G03", horizontal(), shop_facts(name, label_purpose=serves))
        assert decision.verdict is Verdict.DENY
        assert decision.hard
        assert why in decision.reason


def test_the_dataset_must_be_the_one_the_job_names() -> None:
    decision = run("G03", horizontal(), shop_facts(name="another"))
    assert decision.verdict is Verdict.DENY
    assert "'east_purchases'" in decision.reason


def test_missing_retention_and_self_approval_must_be_denied() -> None:
    assert run("G16", horizontal(retention=None)).verdict is Verdict.DENY
    assert run("G16", horizontal()).verdict is Verdict.ALLOW
    assert run("G22", horizontal(proposed_by="staff-west")).verdict is Verdict.DENY
    assert run("G22", horizontal()).verdict is Verdict.ALLOW
    assert run("G22", horizontal(), shop_facts(automatic_approval=True)).verdict is Verdict.DENY
    assert run("G22", made_up(), shop_facts(automatic_approval=True)).verdict is Verdict.CONDITIONS


def test_judging_credit_must_wait_for_a_legal_answer() -> None:
    assert run("G15", horizontal(purpose="creditworthiness")).stops
    assert run("G15", horizontal()).verdict is Verdict.CONDITIONS
    assert run("G15", made_up()).verdict is Verdict.ALLOW


# G10 contributions in a sum


def test_three_contributions_must_pass() -> None:
    decision = run("G10", horizontal())
    assert decision.verdict is Verdict.ALLOW
    assert decision.reason.startswith("A sum is opened from 3 contributions on")
    assert decision.articles == ("PIPL-73",)


def test_fewer_than_three_must_need_a_privacy_budget() -> None:
    decision = run("G10", pair())
    assert decision.verdict is Verdict.CONDITIONS
    assert "a sum of 2 contributions is fewer than the policy's 3" in decision.conditions[0]
    assert "noise is all that protects it" in decision.conditions[0]


def test_the_gate_must_not_rely_on_the_spec_to_refuse_two_without_noise() -> None:
    spec = pair()
    msgspec.structs.force_setattr(spec, "privacy", None)  # what no decoded spec can be
    decision = run("G10", spec)
    assert decision.verdict is Verdict.DENY
    assert "only a job with a privacy budget" in decision.reason
    assert decision.conditions == ()


def test_a_partys_own_minimum_must_hold() -> None:
    decision = run("G10", horizontal(), shop_facts(minimum_contributors=4))
    assert decision.verdict is Verdict.DENY
    assert "the 4 that east requires" in decision.reason


@pytest.mark.parametrize(
    ("opened", "stage", "verdict"),
    [
        (None, "start", "ALLOW"),
        (None, "release", "DENY"),
        (2, "release", "DENY"),
        (3, "release", "ALLOW"),
    ],
)
def test_every_opened_sum_must_reach_the_floor(
    opened: int | None, stage: Any, verdict: str
) -> None:
    decision = run("G10", horizontal(), shop_facts(contributors=opened), stage)
    assert decision.verdict is Verdict(verdict)
    if opened == 2:
        assert "2" not in decision.reason, "a size below the floor is not told"


# G11 privacy budget


def test_a_job_without_a_budget_must_be_recorded_as_none() -> None:
    for spec in (horizontal(), made_up()):
        decision = run("G11", spec)
        assert decision.verdict is Verdict.ALLOW
        assert decision.reason == "The job names no privacy budget; none is recorded."
    for other in (job(), simulated_job()):
        decided = GATES["G11"](other, "start", bank_facts(), load_catalogue())
        assert decided.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("spent", "after", "verdict"),
    [("0", "3", "ALLOW"), ("5", "8", "ALLOW"), ("5", "8.000001", "DENY"), ("8", "9", "DENY")],
)
def test_the_budget_must_hold_with_this_job_added(spent: str, after: str, verdict: str) -> None:
    decision = run("G11", pair(), shop_facts(privacy=balance(spent, after)))
    assert decision.verdict is Verdict(verdict)
    assert decision.hard
    assert decision.articles == ("PIPL-51",)
    assert "west" in decision.reason
    assert after in decision.reason
    if verdict == "DENY":
        assert decision.stops
        assert f"{spent} of 8 is used" in decision.reason


def test_before_the_releases_are_planned_the_start_must_decide() -> None:
    decision = run("G11", pair(), shop_facts(privacy=balance("5", None)), "proposal")
    assert decision.verdict is Verdict.CONDITIONS
    assert "the start decides again" in decision.conditions[0]
    used_up = run("G11", pair(), shop_facts(privacy=balance("8", None)), "proposal")
    assert used_up.verdict is Verdict.DENY
    assert "it would be more" in used_up.reason
    for stage in ("start", "release"):
        unplanned = run("G11", pair(), shop_facts(privacy=balance("0", None)), stage)
        assert unplanned.verdict is Verdict.DENY
        assert "has not planned" in unplanned.reason


@pytest.mark.parametrize("stage", STAGES)
def test_an_unknown_balance_must_be_denied(stage: Any) -> None:
    for facts in (shop_facts(), shop_facts(privacy=balance(delta="0.00001"))):
        decision = run("G11", pair(), facts, stage)
        assert decision.verdict is Verdict.DENY
        assert "was not asked" in decision.reason


def test_an_agreement_beyond_the_policy_must_be_denied() -> None:
    facts = shop_facts(privacy=balance())
    wide = pair(privacy=msgspec.structs.replace(PRIVACY, delta="0.00001"))
    assert "delta of 0.00001 is above the policy's 0.000001" in run("G11", wide, facts).reason
    large = run("G11", with_epsilon("8.1"), facts)
    assert large.verdict is Verdict.DENY
    assert "8.1 is above the policy's 8" in large.reason


def test_a_european_job_must_cite_the_european_article() -> None:
    spec = horizontal(party={"jurisdiction": "EU", "legal_basis": "EU6_1f"})
    assert run("G11", spec).articles == ("GDPR-25",)


# G17 protections


@pytest.mark.parametrize("method", ["masked_he", "masks"])
def test_masked_sums_must_pass(method: str) -> None:
    assert run("G17", horizontal(aggregation={"method": method})).verdict is Verdict.ALLOW


@pytest.mark.parametrize("method", ["ckks", "paillier"])
def test_a_key_that_every_party_holds_must_be_a_question_for_people(method: str) -> None:
    decision = run("G17", horizontal(aggregation={"method": method}))
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert not decision.stops
    assert f"With {method} alone every party holds the key" in decision.reason
    told = run("G17", made_up(aggregation={"method": method}))
    assert told.verdict is Verdict.CONDITIONS
    assert "real customers" in told.conditions[0]


def test_little_noise_must_be_a_question_where_it_is_all_there_is() -> None:
    assert run("G17", with_epsilon("4")).verdict is Verdict.ALLOW
    decision = run("G17", with_epsilon("4.5"))
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert "epsilon of 4.5 is above the policy's 4" in decision.reason
    many = horizontal(privacy=msgspec.structs.replace(PRIVACY, epsilon="4.5"))
    assert run("G17", many).verdict is Verdict.ALLOW
