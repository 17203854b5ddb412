"""Each gate lets a sound job pass, and refuses with a reason and the article it rests on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from compliance.catalogue import load_catalogue
from compliance.check import GATES
from compliance.decision import Decision, Verdict
from compliance.facts import Facts
from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import OneSideSampling, ScorecardTerms, SplitNetworkTerms
from tests.compliance.specs import (
    RETENTION,
    bank,
    bank_facts,
    job,
    retailer,
    retailer_facts,
    simulated_job,
)
from tests.protocols.session.test_model_terms import NETWORK, SCORECARD


def run(gate: str, spec: JobSpec, facts: Facts | None = None, stage: Any = "start") -> Decision:
    return GATES[gate](spec, stage, facts or bank_facts(), load_catalogue())


def eu(**changes: Any) -> dict[str, Any]:
    return {"jurisdiction": "EU", "legal_basis": "EU6_1f", **changes}


# G02 legal basis


def test_consent_in_china_must_pass_with_the_separate_consent_it_needs() -> None:
    decision = run("G02", job())
    assert decision.verdict is Verdict.CONDITIONS
    assert not decision.stops
    assert "PIPL-13" in decision.articles
    assert "PIPL-23" in decision.articles
    assert any(
        "bank, retailer (CN13_1)" in c and "separate consent" in c for c in decision.conditions
    )


@pytest.mark.parametrize(
    ("jurisdiction", "basis", "article", "clause"),
    [
        ("CN", "", "PIPL Art. 13", "PIPL-13"),
        ("CN", "  ", "PIPL Art. 13", "PIPL-13"),
        ("CN", "CN13_8", "PIPL Art. 13", "PIPL-13"),
        ("CN", "cn13_1", "PIPL Art. 13", "PIPL-13"),
        ("CN", "legitimate_interests", "PIPL Art. 13", "PIPL-13"),
        ("CN", "EU6_1f", "PIPL Art. 13", "PIPL-13"),
        ("EU", "", "GDPR Art. 6", "GDPR-6"),
        ("EU", "CN13_1", "GDPR Art. 6", "GDPR-6"),
        ("EU", "EU6_1g", "GDPR Art. 6", "GDPR-6"),
    ],
)
def test_a_missing_unknown_or_foreign_basis_must_be_denied_naming_the_article(
    jurisdiction: str, basis: str, article: str, clause: str
) -> None:
    party = retailer(jurisdiction=jurisdiction, legal_basis=basis)
    decision = run("G02", job(retailer_terms=party))
    assert decision.verdict is Verdict.DENY
    assert decision.hard
    assert decision.reason.startswith("retailer")
    assert article in decision.reason
    assert clause in decision.articles


def test_a_chinese_party_that_picks_legitimate_interests_must_be_told_why_not() -> None:
    decision = run("G02", job(retailer_terms=retailer(legal_basis="EU6_1f")))
    assert "retailer is in CN and cannot rely on EU basis EU6_1f" in decision.reason
    assert "legitimate interests" in decision.reason


def test_both_parties_problems_must_be_in_one_reason() -> None:
    spec = job(bank_terms=bank(legal_basis=""), retailer_terms=retailer(**eu(legal_basis="")))
    decision = run("G02", spec)
    assert "bank names no legal basis, which PIPL Art. 13 requires" in decision.reason
    assert "retailer names no legal basis, which GDPR Art. 6 requires" in decision.reason
    assert decision.articles == ("PIPL-13", "GDPR-6")


@pytest.mark.parametrize("basis", ["EU6_1a", "EU6_1b", "EU6_1c", "EU6_1d", "EU6_1e", "EU6_1f"])
def test_every_european_basis_must_pass_for_a_european_party(basis: str) -> None:
    decision = run("G02", job(retailer_terms=retailer(**eu(legal_basis=basis))))
    assert decision.verdict is Verdict.CONDITIONS
    assert any(condition.startswith(f"retailer ({basis})") for condition in decision.conditions)


@pytest.mark.parametrize("number", range(1, 8))
def test_every_chinese_basis_must_pass_for_a_chinese_party(number: int) -> None:
    decision = run("G02", job(bank_terms=bank(legal_basis=f"CN13_{number}")))
    assert decision.verdict is Verdict.CONDITIONS
    assert "PIPL-23" in decision.articles


@pytest.mark.parametrize("output_use", ["marketing", "lending_decision", ""])
def test_made_up_data_must_be_no_basis_outside_research(output_use: str) -> None:
    decision = run("G02", simulated_job(output_use=output_use))
    assert decision.verdict is Verdict.DENY
    assert "research_only" in decision.reason
    assert "PIPL Art. 13" in decision.reason


def test_made_up_data_must_pass_for_research_on_condition() -> None:
    decision = run("G02", simulated_job())
    assert decision.verdict is Verdict.CONDITIONS
    assert any("research only" in condition for condition in decision.conditions)
    assert decision.articles == ("PIPL-13", "PIPL-4")


# G03 purpose


def test_an_allowed_purpose_must_pass() -> None:
    decision = run("G03", job())
    assert decision.verdict is Verdict.ALLOW
    assert "PIPL-6" in decision.articles


def test_a_party_without_the_label_must_not_be_asked_what_the_label_serves() -> None:
    assert run("G03", job(), retailer_facts()).verdict is Verdict.ALLOW


def test_a_purpose_that_is_not_allowed_must_be_denied() -> None:
    decision = run("G03", job(), retailer_facts(allowed_purposes=("churn",)))
    assert decision.verdict is Verdict.DENY
    assert decision.hard
    assert "may serve churn, not credit_need" in decision.reason
    assert "PIPL-6" in decision.articles


def test_no_recorded_purpose_must_be_denied() -> None:
    decision = run("G03", job(), retailer_facts(allowed_purposes=()))
    assert decision.verdict is Verdict.DENY
    assert "no purpose" in decision.reason


def test_credit_need_data_must_not_be_reused_for_creditworthiness() -> None:
    spec = job(purpose="creditworthiness", output_use="lending_decision")
    decision = run("G03", spec)
    assert decision.verdict is Verdict.DENY
    assert "collected for credit need" in decision.reason
    assert "PIPL-14" in decision.articles


@pytest.mark.parametrize(
    ("purpose", "output_use", "carries"),
    [
        ("credit_need", "lending_decision", "research_only or marketing"),
        ("churn", "lending_decision", "research_only or marketing"),
        ("creditworthiness", "marketing", "research_only or lending_decision"),
        ("credit_need", "whatever", "research_only or marketing"),
        ("credit_need", "", "research_only or marketing"),
    ],
)
def test_a_use_the_purpose_does_not_carry_must_be_denied(
    purpose: str, output_use: str, carries: str
) -> None:
    facts = bank_facts(allowed_purposes=(purpose,), label_purpose=purpose)
    decision = run("G03", job(purpose=purpose, output_use=output_use), facts)
    assert decision.verdict is Verdict.DENY
    assert carries in decision.reason


def test_a_default_label_must_not_be_called_credit_need() -> None:
    facts = bank_facts(label_purpose="creditworthiness")
    decision = run("G03", job(), facts)
    assert decision.verdict is Verdict.DENY
    assert "serves creditworthiness; a job on it cannot be called credit_need" in decision.reason


def test_an_undeclared_label_must_be_denied() -> None:
    decision = run("G03", job(), bank_facts(label_purpose=None))
    assert decision.verdict is Verdict.DENY
    assert "has not declared" in decision.reason


def test_facts_about_another_dataset_must_not_vouch_for_this_one() -> None:
    decision = run("G03", job(), bank_facts(name="another_table"))
    assert decision.verdict is Verdict.DENY
    assert "'bank_customers'" in decision.reason
    assert "'another_table'" in decision.reason


def test_a_european_job_must_cite_european_articles_only() -> None:
    spec = job(bank_terms=bank(**eu()), retailer_terms=retailer(**eu()))
    assert run("G03", spec).articles == ("GDPR-5-1-B", "GDPR-6")


# G10 minimum cohort


def test_a_floor_at_the_policys_number_must_pass() -> None:
    decision = run("G10", job())
    assert decision.verdict is Verdict.ALLOW
    assert "not known yet" in decision.reason


@pytest.mark.parametrize(("size", "verdict"), [(999, "DENY"), (1000, "ALLOW"), (1001, "ALLOW")])
def test_the_intersection_must_reach_the_floor(size: int, verdict: str) -> None:
    decision = run("G10", job(), bank_facts(intersection_size=size), "release")
    assert decision.verdict is Verdict(verdict)
    assert "PIPL-73" in decision.articles


def test_a_size_below_the_floor_must_not_be_written_into_the_reason() -> None:
    decision = run("G10", job(), bank_facts(intersection_size=617))
    assert decision.verdict is Verdict.DENY
    assert "617" not in decision.reason
    assert "floor of 1,000" in decision.reason


def test_the_stricter_partys_floor_must_count() -> None:
    spec = job(retailer_terms=retailer(minimum_cohort=5000))
    decision = run("G10", spec, bank_facts(intersection_size=4999))
    assert decision.verdict is Verdict.DENY
    assert "5,000" in decision.reason


def test_nothing_must_be_released_while_the_size_is_unknown() -> None:
    decision = run("G10", job(), stage="release")
    assert decision.verdict is Verdict.DENY
    assert "before the size" in decision.reason


def test_a_low_floor_on_real_data_must_be_denied() -> None:
    low = {"minimum_cohort": 999}
    decision = run("G10", job(bank_terms=bank(**low), retailer_terms=retailer(**low)))
    assert decision.verdict is Verdict.DENY
    assert "999" in decision.reason
    assert "1,000" in decision.reason


def test_a_low_floor_must_be_denied_if_one_partys_data_is_real() -> None:
    made_up = {"legal_basis": "synthetic_or_public_data", "minimum_cohort": 50}
    spec = job(
        bank_terms=bank(**made_up),
        retailer_terms=retailer(minimum_cohort=50),
        output_use="research_only",
    )
    assert run("G10", spec).verdict is Verdict.DENY


def test_a_low_floor_on_made_up_data_must_pass_on_condition_that_says_so() -> None:
    decision = run("G10", simulated_job(), bank_facts(intersection_size=50), "release")
    assert decision.verdict is Verdict.CONDITIONS
    assert "floor of 50 is below the policy's 1,000" in decision.conditions[0]


def test_a_partys_own_minimum_must_hold_even_on_made_up_data() -> None:
    decision = run("G10", simulated_job(), bank_facts(minimum_cohort=51))
    assert decision.verdict is Verdict.DENY
    assert "51 that bank requires" in decision.reason


def test_a_partys_own_minimum_must_never_lower_the_policys() -> None:
    low = {"minimum_cohort": 10}
    spec = job(bank_terms=bank(**low), retailer_terms=retailer(**low))
    assert run("G10", spec, bank_facts(minimum_cohort=10)).verdict is Verdict.DENY


# G15 sector


def creditworthiness(**changes: Any) -> JobSpec:
    return job(purpose="creditworthiness", output_use="lending_decision", **changes)


def test_judging_credit_must_wait_for_a_legal_answer() -> None:
    decision = run("G15", creditworthiness())
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert decision.hard
    assert decision.stops
    assert "征信业管理条例 2, 7" in decision.reason
    assert "NFRA Art. 73" in decision.reason
    assert "20 working days" in decision.reason
    assert decision.articles == ("CRR-2", "CRR-7", "NFRA-73")


@pytest.mark.parametrize(
    "changes",
    [
        {"output_use": "lending_decision"},
        {"purpose": "creditworthiness", "output_use": "research_only"},
    ],
)
def test_lending_or_real_data_must_raise_the_question_too(changes: dict[str, str]) -> None:
    assert run("G15", job(**changes)).stops


def test_research_on_made_up_data_must_keep_the_question_visible_but_go_on() -> None:
    decision = run("G15", simulated_job(purpose="creditworthiness"))
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert not decision.hard
    assert not decision.stops
    assert "征信业管理条例" in decision.reason


def test_european_parties_must_be_asked_the_european_question() -> None:
    both = creditworthiness(bank_terms=bank(**eu()), retailer_terms=retailer(**eu()))
    decision = run("G15", both)
    assert decision.stops
    assert "AI Act Annex III 5(b)" in decision.reason
    assert "征信" not in decision.reason
    assert decision.articles == ("AIA-III-5B", "GDPR-22")


def test_a_job_across_the_border_must_be_asked_both() -> None:
    decision = run("G15", creditworthiness(retailer_terms=retailer(**eu())))
    assert "征信业管理条例" in decision.reason
    assert "AI Act" in decision.reason


def test_credit_need_on_real_chinese_data_must_carry_the_filing() -> None:
    decision = run("G15", job())
    assert decision.verdict is Verdict.CONDITIONS
    assert "NFRA Art. 73" in decision.conditions[0]


def test_credit_need_on_made_up_data_must_pass() -> None:
    assert run("G15", simulated_job()).verdict is Verdict.ALLOW


# G16 retention


def test_usual_retention_must_pass() -> None:
    decision = run("G16", job())
    assert decision.verdict is Verdict.ALLOW
    assert "row map 30, intermediate data 1, model 365, score table 365" in decision.reason


def test_missing_retention_must_be_denied() -> None:
    decision = run("G16", job(retention=None))
    assert decision.verdict is Verdict.DENY
    assert decision.hard
    assert "does not say when" in decision.reason
    assert decision.articles == ("PIPL-19", "PIPL-47")


@pytest.mark.parametrize(
    ("field", "days", "kind"),
    [
        ("row_map_days", 0, "row map 0 days"),
        ("intermediate_days", -1, "intermediate data -1 days"),
        ("model_days", 3651, "model 3651 days"),
        ("scores_days", 36500, "score table 36500 days"),
        ("row_map_days", 366, "row map 366 days"),
    ],
)
def test_zero_and_absurd_retention_must_be_denied(field: str, days: int, kind: str) -> None:
    decision = run("G16", job(retention=msgspec.structs.replace(RETENTION, **{field: days})))
    assert decision.verdict is Verdict.DENY
    assert kind in decision.reason
    assert "PIPL-19" in decision.articles


def test_longer_than_usual_retention_must_ask_for_the_reason() -> None:
    decision = run("G16", job(retention=msgspec.structs.replace(RETENTION, row_map_days=31)))
    assert decision.verdict is Verdict.CONDITIONS
    assert decision.conditions == ("write down why the row map is kept 31 days; 30 is usual",)


# G17 the model's protections


def trees(**changes: Any) -> Any:
    return {"model": msgspec.structs.replace(job().model, **({"minimum_bin_count": 20} | changes))}


def scorecard(minimum_class_count: int) -> dict[str, Any]:
    return {
        "model": msgspec.convert(
            {**SCORECARD, "minimum_class_count": minimum_class_count}, ScorecardTerms
        )
    }


def network(label_epsilon: str) -> dict[str, Any]:
    return {
        "model": msgspec.convert({**NETWORK, "label_epsilon": label_epsilon}, SplitNetworkTerms)
    }


@pytest.mark.parametrize("model", [trees(), scorecard(20), network("1"), network("0.5")])
def test_protections_at_the_policys_strength_must_pass(model: dict[str, Any]) -> None:
    assert run("G17", job(**model)).verdict is Verdict.ALLOW


@pytest.mark.parametrize("model", [trees(minimum_bin_count=19), scorecard(19)])
def test_cells_of_few_customers_must_be_denied_on_real_data(model: dict[str, Any]) -> None:
    decision = run("G17", job(**model))
    assert decision.verdict is Verdict.DENY
    assert decision.stops
    assert "19" in decision.reason
    assert "policy's 20" in decision.reason
    assert decision.articles == ("PIPL-51",)
    made_up = run("G17", simulated_job(**model))
    assert made_up.verdict is Verdict.CONDITIONS
    assert "real customers" in made_up.conditions[0]


SAMPLING = OneSideSampling(top="0.2", other="0.1")


@pytest.mark.parametrize("model", [trees(one_side_sampling=SAMPLING), network("1.5")])
def test_what_shows_labels_must_be_a_question_for_people(model: dict[str, Any]) -> None:
    decision = run("G17", job(**model))
    assert decision.verdict is Verdict.NEEDS_APPROVAL
    assert not decision.stops
    assert run("G17", simulated_job(**model)).verdict is Verdict.CONDITIONS


# G22 four eyes


def test_three_different_people_must_pass() -> None:
    decision = run("G22", job())
    assert decision.verdict is Verdict.ALLOW
    assert "NFRA-28" in decision.articles


@pytest.mark.parametrize("same", ["staff-b1", " STAFF-B1 ", "ｓｔａｆｆ-b1"])
def test_the_proposer_must_not_approve(same: str) -> None:
    decision = run("G22", job(bank_terms=bank(approver=same)))
    assert decision.verdict is Verdict.DENY
    assert decision.hard
    assert decision.reason == "bank's approver is the person who proposed the job."
    assert "NFRA-28" in decision.articles


def test_one_person_must_not_approve_for_two_parties() -> None:
    decision = run("G22", job(retailer_terms=retailer(approver="Staff-B7")))
    assert decision.verdict is Verdict.DENY
    assert "both bank and retailer" in decision.reason


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (job(retailer_terms=retailer(approver=" ")), "retailer names no approver."),
        (job(proposed_by=""), "The job does not say who proposed it."),
    ],
)
def test_unnamed_people_must_be_denied(spec: JobSpec, reason: str) -> None:
    decision = run("G22", spec)
    assert decision.verdict is Verdict.DENY
    assert decision.reason == reason


def test_software_must_not_approve_a_job_on_real_data() -> None:
    decision = run("G22", job(), bank_facts(automatic_approval=True))
    assert decision.verdict is Verdict.DENY
    assert "automatic" in decision.reason


def test_automatic_approval_of_a_simulation_must_be_said() -> None:
    decision = run("G22", simulated_job(), bank_facts(automatic_approval=True))
    assert decision.verdict is Verdict.CONDITIONS
    assert "no person read this job" in decision.conditions[0]
