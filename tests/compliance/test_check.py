"""All gates together: what stops a job, and how several answers become one."""

from __future__ import annotations

from importlib.resources import files
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.check import GATES, blocking, evaluate
from compliance.decision import Decision, Verdict, strictest
from protocols.suite import canonical, get_suite
from tests.compliance.specs import bank_facts, job, retailer, retailer_facts, simulated_job

SUITE = get_suite("gm")
STAGES: Any = ("proposal", "start", "release")

decisions = st.builds(
    Decision,
    gate=st.sampled_from(sorted(GATES)),
    verdict=st.sampled_from(Verdict),
    hard=st.booleans(),
    reason=st.just("Because."),
    articles=st.lists(st.sampled_from(["PIPL-6", "PIPL-13", "GDPR-6"]), max_size=2).map(tuple),
    conditions=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple),
)


def rank(decision: Decision) -> tuple[int, bool]:
    return decision.verdict.severity, decision.hard


@pytest.mark.parametrize("stage", STAGES)
def test_a_sound_job_must_not_be_blocked(stage: Any) -> None:
    for facts in (bank_facts(intersection_size=1000), retailer_facts(intersection_size=1000)):
        given_ = evaluate(job(), stage=stage, facts=facts, suite=SUITE)
        assert [decision.gate for decision in given_] == list(GATES)
        assert blocking(given_) == ()


def test_a_simulation_with_a_credit_question_must_run_and_show_it() -> None:
    facts = bank_facts(
        allowed_purposes=("creditworthiness",),
        label_purpose="creditworthiness",
        intersection_size=60,
        automatic_approval=True,
    )
    spec = simulated_job(purpose="creditworthiness")
    given_ = evaluate(spec, stage="release", facts=facts, suite=SUITE)
    assert blocking(given_) == ()
    shown = {d.gate for d in given_ if d.verdict is Verdict.NEEDS_APPROVAL}
    assert shown == {"G15"}
    assert strictest(given_).verdict is Verdict.NEEDS_APPROVAL


@pytest.mark.parametrize("basis", ["", "made_up_basis"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_job_without_a_basis_must_be_blocked_naming_the_article(basis: str, stage: Any) -> None:
    spec = job(retailer_terms=retailer(legal_basis=basis))
    stopped = blocking(
        evaluate(spec, stage=stage, facts=bank_facts(intersection_size=5000), suite=SUITE)
    )
    assert [decision.gate for decision in stopped] == ["G02"]
    assert "PIPL Art. 13" in stopped[0].reason


def test_blocking_must_keep_denials_and_hard_questions_only() -> None:
    def decision(verdict: Verdict, hard: bool) -> Decision:
        return Decision(gate="G00", verdict=verdict, hard=hard, reason="r", articles=())

    everything = [decision(verdict, hard) for verdict in Verdict for hard in (False, True)]
    assert [(d.verdict.value, d.hard) for d in blocking(everything)] == [
        ("NEEDS_APPROVAL", True),
        ("DENY", False),
        ("DENY", True),
    ]


def test_facts_of_a_stranger_must_be_refused() -> None:
    with pytest.raises(ValueError, match="'grocer', which is not in the job"):
        evaluate(job(), stage="start", facts=bank_facts(party_id="grocer"), suite=SUITE)


def test_decisions_must_carry_digests_that_change_with_their_inputs() -> None:
    def digests(spec: Any, stage: Any, facts: Any) -> tuple[str, str]:
        first, *rest = evaluate(spec, stage=stage, facts=facts, suite=SUITE)
        assert all(d.inputs_digest == first.inputs_digest for d in rest)
        assert all(d.bundle_digest == first.bundle_digest for d in rest)
        return first.bundle_digest, first.inputs_digest

    seen = [
        digests(job(), "proposal", bank_facts()),
        digests(job(), "start", bank_facts()),
        digests(job(title="Another"), "start", bank_facts()),
        digests(job(), "start", bank_facts(intersection_size=1000)),
        digests(job(), "start", retailer_facts()),
    ]
    assert len({bundle for bundle, _ in seen}) == 1
    assert len({inputs for _, inputs in seen}) == len(seen)
    assert digests(job(), "proposal", bank_facts()) == seen[0]


def test_a_decision_must_fit_the_canonical_form_of_events() -> None:
    for decision in evaluate(job(), stage="start", facts=bank_facts(), suite=SUITE):
        event = msgspec.json.decode(msgspec.json.encode(decision))
        assert event["verdict"] in {verdict.value for verdict in Verdict}
        assert canonical.decode(canonical.encode(event)) == event
        again = msgspec.convert(event, Decision)
        assert again == decision


def test_every_gate_file_must_be_in_the_registry() -> None:
    names = {
        entry.name[:3].upper()
        for entry in files("compliance.gates").iterdir()
        if entry.name.startswith("g") and entry.name.endswith(".py")
    }
    assert names == set(GATES)


def test_verdicts_must_run_from_mildest_to_strictest_and_refuse_string_order() -> None:
    order = [Verdict.ALLOW, Verdict.CONDITIONS, Verdict.NEEDS_APPROVAL, Verdict.DENY]
    assert all(a.severity < b.severity for a, b in pairwise(order))
    with pytest.raises(TypeError):
        assert Verdict.ALLOW < Verdict.DENY  # type: ignore[operator]


def test_no_decision_must_not_count_as_permission() -> None:
    with pytest.raises(ValueError, match="not a permission"):
        strictest(())


@given(st.lists(decisions, min_size=1), st.lists(decisions))
def test_strictest_must_be_monotone(given_: list[Decision], more: list[Decision]) -> None:
    before, after = strictest(given_), strictest(given_ + more)
    assert rank(after) >= rank(before)
    assert after.stops >= before.stops
    assert set(before.conditions) <= set(after.conditions)
    assert set(before.articles) <= set(after.articles)


@given(st.lists(decisions, min_size=1))
def test_strictest_must_block_exactly_when_one_of_them_does(given_: list[Decision]) -> None:
    assert strictest(given_).stops == bool(blocking(given_))


@given(st.permutations([Verdict.ALLOW, Verdict.CONDITIONS, Verdict.NEEDS_APPROVAL, Verdict.DENY]))
def test_strictest_must_not_depend_on_order(order: list[Verdict]) -> None:
    given_ = [
        Decision(gate="G00", verdict=verdict, hard=True, reason=verdict.value, articles=())
        for verdict in order
    ]
    assert strictest(given_).reason == "DENY"
    assert strictest(given_[1:]).verdict.severity == max(v.severity for v in order[1:])
