"""The page says what the run says, escapes what a file brought, and needs nothing but itself."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from simulations.report import wording
from simulations.report.english import ENGLISH
from simulations.report.model import RunReport, metrics_json
from simulations.report.page import render
from simulations.report.worth import Ranking
from tests.simulations.page_reader import Page
from tests.simulations.sample_run import plain_run, repeated, sample_run, several_parties


def with_gate(gate: str, **changes: object) -> RunReport:
    gates = [g | changes if g["gate"] == gate else g for g in plain_run()["gates"]]
    return sample_run(gates=gates)


def built(run: dict[str, Any]) -> RunReport:
    return msgspec.convert(run, RunReport)


def ranking_of(run: RunReport) -> Ranking:
    assert isinstance(run.worth, Ranking)
    return run.worth


def without_pooling(declared: str = "no") -> dict[str, Any]:
    run = plain_run(pooled_on_this_machine=declared)
    del run["worth"]["differences"]["joint_minus_pooled"]
    for name in ("metrics", "curves", "reach", "decisions"):
        del run["worth"][name]["pooled"]
    return run


@pytest.mark.parametrize("run", [plain_run(), several_parties(), repeated(), without_pooling()])
def test_page_must_need_nothing_else_and_be_well_formed(run: dict[str, Any]) -> None:
    text = render(built(run))
    page = Page(text)
    assert page.open == []
    assert not {"img", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import|<[^>]*\son\w+=", text)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = page.values("href")
    assert targets
    assert all(target.startswith("#") and target[1:] in ids for target in targets)
    for reference in page.values("aria-labelledby"):
        assert set(reference.split()) <= set(ids)
    assert render(built(run)) == text


def test_only_the_pages_own_script_must_be_allowed_to_run() -> None:
    page = Page(render(sample_run()))
    assert len(page.scripts) == 1
    digest = b64encode(sha256(page.scripts[0].encode()).digest()).decode()
    (policy,) = (value for value in page.values("content") if "default-src" in value)
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_page_must_say_what_the_run_says() -> None:
    run = sample_run()
    page = Page(render(run))
    worth = ranking_of(run)
    alone, joint = worth.metrics["alone"], worth.metrics["joint"]
    numbers = [f"{value:.3f}" for value in (alone.auc, alone.auc_low, joint.ks, joint.ks_high)]
    for expected in (
        wording.headline(run, ENGLISH),
        "3,919", "4,008", "3,521",
        *numbers,
        "not anonymous",
        *(sentence.said(ENGLISH) for said in run.learned.values() for sentence in said),
        *run.provenance, *run.limits,
        "identifier occurs twice", "40.4 MB", "95.3 s",
        "0c" * 32, "1d" * 32, run.spec_digest,
        "fedcrm audit verify --trust trust.toml bank.zip retailer.zip",
        "learning_rate", "3.11.9", "79 %", "20261121", "personal data (PIPL Art. 23)",
        "made-up data, or a published research table".capitalize(),
    ):  # fmt: skip
        assert expected in page.text, expected


def test_figures_must_stand_in_both_halves() -> None:
    """A number of the run that one language forgot would be a different report."""
    run = sample_run()
    page = Page(render(run))
    numbers = {
        half: sorted(re.findall(r"\d[\d,.]*\d|\d", page.text_of(half))) for half in ("en", "zh")
    }
    metrics = {n for n in numbers["en"] if re.fullmatch(r"[01]\.\d{3}", n)}
    assert len(metrics) > 10
    for number in metrics | {"3,919", "4,008", "3,521", "40.4", "95.3", "1,204", "20261121"}:
        assert numbers["en"].count(number) == numbers["zh"].count(number), number


def test_lift_and_gain_must_stand_for_every_model() -> None:
    run = sample_run()
    said = Page(render(run)).text
    for which in ("alone", "joint", "pooled"):
        for reach in ranking_of(run).reach[which]:
            assert f"{reach.share * 100:.0f} % ({reach.customers:,} customers)" in said
            assert f"lift {reach.lift:.1f}×" in said
            assert f"gain {reach.gain * 100:.0f} %" in said


def test_decisions_must_be_counted_against_always_giving_the_usual_answer() -> None:
    run = sample_run()
    said = Page(render(run)).text
    joint = ranking_of(run).decisions["joint"]
    assert joint.precision is not None
    assert "A score of 0.5 or more is counted as yes." in said
    assert f"Precision {joint.precision * 100:.1f} % Recall {joint.recall * 100:.1f} %" in said
    assert f"Accuracy {joint.accuracy * 100:.1f} %" in said
    counted = f"yes {joint.true_positives} {joint.false_positives} no {joint.false_negatives}"
    assert counted in said
    assert run.held_out.positives is not None
    share = run.held_out.positives / run.held_out.customers
    usual = "yes" if share > 0.5 else "no"
    right = f"{max(share, 1 - share) * 100:.1f} %"
    assert f"Always answering {usual} would already be right for {right}" in said
    decisions = plain_run()["worth"]["decisions"]
    decisions["alone"] |= {"precision": None, "true_positives": 0, "false_positives": 0}
    assert "nobody answered yes" in Page(render(sample_run(decisions=decisions))).text


def test_repeats_must_decide_the_headline_and_be_listed() -> None:
    run = built(repeated())
    page = Page(render(run))
    assert run.over_repeats is not None
    gain = run.over_repeats.joint_minus_alone
    assert "mean AUC 0.820 instead of 0.610 over 3 splits, a gain of 0.210" in page.text
    assert f"(corrected 95 % interval {gain.low:.3f} to {gain.high:.3f})" in page.text
    assert "On the first split, joining both tables in the clear gives" in page.text
    assert "Nadeau and Bengio 2003" in page.text
    assert "those of the means also cover other splits" in page.text
    for repeat in run.repeats:
        alone, joint = repeat.alone, repeat.joint
        assert f"{alone['auc']:.3f} {joint['auc']:.3f} {alone['ks']:.3f}" in page.text
    assert "3 次划分" in page.chinese
    once = Page(render(sample_run()))
    assert "Nadeau" not in once.text
    assert "en-repeats" not in once.values("id")


def test_several_partners_must_be_told_with_every_pairwise_intersection() -> None:
    run = built(several_parties())
    page = Page(render(run))
    for expected in (
        "Joined with retailer and telco, bank ranks",
        "bank ran one intersection with each of retailer and telco and learned each of them",
        "Only the 3,002 customers common to all were used",
        "customers common to all",
        "which 3,340 of its 3,919 customers are also customers of telco, and that telco brought "
        "5,120",
        "which 3,002 of them are common to all, and so also customers of retailer",
        "columns of telco",
        "fedcrm audit verify --trust trust.toml bank.zip retailer.zip telco.zip",
    ):
        assert expected in page.text, expected
    assert "retailer 和 telco" in page.chinese
    assert "ran one intersection with each" not in Page(render(sample_run())).text


def test_server_aided_must_say_first_what_a_colluding_coordinator_could_do() -> None:
    run = plain_run()
    psi = run["psi"] | {"protocol": "server_aided"}
    learned = run["learned"] | {"coordinator": [{"key": "token_matches"}, {"key": "no_names"}]}
    page = Page(render(built(run | {"psi": psi, "learned": learned})))
    warning = "enumerate the other's whole list"
    assert page.text.index(warning) < page.text.index("Joined with retailer")
    assert page.chinese.index("完整客户名单") < page.chinese.index("联合建模后")
    assert "which keyed tokens of two lists match" in page.text
    plain = Page(render(sample_run()))
    assert warning not in plain.text
    assert "do not pass through it" in plain.text


@pytest.mark.parametrize(
    ("suite", "english", "chinese"),
    [("gm", "national algorithms", "国密算法"), ("intl", "international algorithms", "国际算法")],
)
def test_suite_must_be_named_in_words(suite: str, english: str, chinese: str) -> None:
    page = Page(render(sample_run(suite=suite)))
    assert english in page.text
    assert chinese in page.chinese


def test_columns_must_be_compared_within_their_party_only() -> None:
    run = sample_run()
    assert wording.own_shares(run, "bank") == [("Seniority", 0.6), ("Income", 0.3), ("Job", 0.1)]
    assert wording.own_shares(run, "retailer") == [("Price", 0.79), ("Age", 0.21)]
    text = Page(render(run)).text
    assert "columns of bank 20 % columns of retailer 80 %" in text
    unused = sample_run(importance={"bank": {"Income": 0.0}}, gain_by_party={"bank": 0.0})
    assert "no column of this party was used" in Page(render(unused)).text


@pytest.mark.parametrize("declared", ["no", "authorised: contract 7"])
def test_partners_columns_must_stand_as_a_group_where_the_data_is_about_people(
    declared: str,
) -> None:
    run = built(without_pooling(declared))
    page = Page(render(run))
    used = page.section("en-importance")
    assert "columns of retailer 80 %" in used
    assert "Price" not in used
    assert "Seniority" in used
    assert "the columns of retailer are shown as a group" in used
    quality = page.section("en-quality")
    assert "11,140" not in quality
    assert "the columns of retailer are not profiled in it" in quality
    assert "median 165" in quality
    facts = metrics_json(run)
    assert set(facts["importance"]) == {"bank"}
    assert "columns" not in facts["quality"]["retailer"]
    assert "columns" in facts["quality"]["bank"]
    shown = metrics_json(sample_run())
    assert set(shown["importance"]) == {"bank", "retailer"}
    assert "columns" in shown["quality"]["retailer"]


def test_data_quality_must_show_every_column_and_its_warnings() -> None:
    page = Page(render(sample_run()))
    for expected in (
        "1,204 identifiers respelled",
        "1,840 with the outcome (47.0 %)",
        "Income number 381 (9.7 %) 90 6 to 959 , median 165",
        "Job category 2 (0.1 %) 4 most frequent: 66 %",
        "the same values as Assets",
        "not used",
        "tells the outcome almost alone: is it the label in disguise",
        "Since date none 90 2019-02-01 to 2024-12-31 , median 2021-07-15",
        "Nothing is filled in, and nothing is standardised",
    ):
        assert expected in page.text, expected
    assert "是否为变相的标签" in page.chinese
    bare = Page(render(sample_run(quality={}, rejects={})))
    assert "identifiers respelled" not in bare.text
    assert "No row was rejected." in bare.text


def test_primitives_must_be_listed_with_use_user_and_reason() -> None:
    page = Page(render(sample_run()))
    for expected in (
        "SM2 signatures, and points of the intersection protocols.suite.sm2_curve",
        "Paillier arithmetic on encrypted numbers protocols.paillier.private_key",
        "Paillier sums over encrypted values need a homomorphic scheme",
        "made up a reason nobody translated",
    ):
        assert expected in page.text, expected
    assert "对密文求和需要同态加密" in page.chinese
    untraced = sample_run(primitives={}, primitive_exceptions={})
    assert "kept no record of the primitives" in Page(render(untraced)).text


def test_cost_must_be_told_for_every_phase_and_sender() -> None:
    cost = Page(render(sample_run())).section("en-cost")
    assert "find shared customers 4.2 s bank 400 kB 9 retailer 412 kB 9" in cost
    assert "train 95.3 s bank 40.0 MB 140 retailer 1.2 MB 120" in cost
    assert "total 99.5 s bank 40.4 MB 149 retailer 1.6 MB 129" in cost


def test_text_from_a_scenario_must_be_escaped_everywhere() -> None:
    hostile = "<script>alert('x')</script>\"&{{ 7 * 7 }}"
    run = plain_run(
        title=hostile,
        agreement=hostile,
        label=hostile,
        provenance=[hostile],
        limits=[hostile],
        versions={hostile: hostile},
        parameters={hostile: hostile},
        rejects={"bank": {hostile: 1}},
        importance={"bank": {hostile: 0.5}},
        pooled_on_this_machine=hostile,
        primitives={hostile: [hostile]},
        primitive_exceptions={hostile: hostile},
    )
    run["learned"]["bank"] = [{"key": "columns", "values": {"others": [hostile]}}]
    run["quality"]["bank"]["columns"][0]["name"] = hostile
    for gate in run["gates"]:
        gate |= {"reason": hostile, "articles": [hostile], "conditions": [hostile]}
    text = render(built(run))
    assert text.count("<script") == 1
    assert text.count("&lt;script&gt;") >= 36
    assert "{{ 7 * 7 }}" in Page(text).text
    assert Page(text).tags.count("script") == 1


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        ((0.2, 0.1, 0.3), "better: AUC .* a gain of 0.200 \\(95 % interval 0.100 to 0.300\\)"),
        ((-0.2, -0.3, -0.1), "worse: AUC .* a loss of 0.200 \\(95 % interval 0.100 to 0.300\\)"),
        ((0.01, -0.01, 0.03), "no difference .* \\+0.010 .*−0.010 to \\+0.030, which includes"),
        ((-0.01, -0.03, 0.0), "no difference .* −0.010 .*−0.030 to 0.000, which includes"),
    ],
)
def test_headline_must_follow_the_interval(gap: tuple[float, float, float], words: str) -> None:
    value, low, high = gap
    run = sample_run(
        differences={
            "joint_minus_alone": {"value": value, "low": low, "high": high},
            "joint_minus_pooled": {"value": 0.0, "low": 0.0, "high": 0.0},
        }
    )
    assert re.search(words, wording.headline(run, ENGLISH))
    assert "gives the same" in wording.against_pooled(run, ENGLISH)


def test_run_without_pooling_must_say_so() -> None:
    report = built(without_pooling())
    text = Page(render(report)).text
    assert "were not joined in the clear" in text
    assert "joint minus pooled" not in text
    facts = metrics_json(report)
    assert set(facts["metrics"]) == {"alone", "joint"}
    assert set(facts["differences"]) == {"joint_minus_alone"}


def test_question_for_legal_must_stand_before_the_headline() -> None:
    run = with_gate("G15", verdict="NEEDS_APPROVAL", hard=False, reason="Legal: may we?")
    page = Page(render(run))
    assert page.text.index("A legal answer is needed") < page.text.index("Joined with retailer")
    assert page.chinese.index("须先取得法律意见") < page.chinese.index("联合建模后")
    assert "This run went on because" in page.text
    assert "people have to decide" in page.text
    assert "A legal answer is needed" not in Page(render(sample_run())).text
    refused = Page(render(with_gate("G03", verdict="DENY", reason="Never."))).text
    assert refused.index("does not allow this") < refused.index("Joined with retailer")


def test_strictest_and_latest_decision_of_a_gate_must_be_shown() -> None:
    gates = plain_run()["gates"]
    strict = {"verdict": "DENY", "reason": "No.", "articles": ["PIPL-14"]}
    gates[1] |= strict  # one party, at proposal
    outcomes = {o.gate: o for o in wording.gate_outcomes(sample_run(gates=gates))}
    assert [*outcomes] == ["G02", "G03", "G15"]
    assert outcomes["G03"].reason == "No."
    assert set(outcomes["G03"].articles) == {"PIPL-6", "PIPL-14"}
    assert outcomes["G02"].reason == "bank says so at release."
    assert outcomes["G02"].conditions == ("see to it",)


def test_clauses_cited_must_be_explained_from_the_catalogue() -> None:
    run = with_gate("G15", articles=["NFRA-73", "made-up-9"])
    page = Page(render(run))
    assert "check before quoting" in page.text
    assert "银行保险机构数据安全管理办法" in page.text
    assert "引用前请核对原文" in page.chinese
    for half in ("en", "zh"):
        assert {f"{half}-clause-NFRA-73", f"{half}-clause-made-up-9"} <= set(page.values("id"))


def test_metrics_json_must_hold_the_keys_of_the_design() -> None:
    facts = json.loads(json.dumps(metrics_json(sample_run()), allow_nan=False))
    assert facts["parties"] == ["bank", "retailer"]
    assert set(facts["psi"]) >= {"protocol", "sizes", "intersection", "wall_s", "bytes"}
    assert facts["psi"]["sizes"] == {"bank": 3919, "retailer": 4008}
    assert set(facts["train"]) >= {"model", "rounds", "wall_s", "bytes"}
    for which in ("alone", "joint", "pooled"):
        assert set(facts["metrics"][which]) >= {"auc", "ks", "ks_low", "ks_high"}
        assert [reach["share"] for reach in facts["reach"][which]] == [0.05, 0.1, 0.2]
        assert "accuracy" in facts["decisions"][which]
    assert set(facts["learned"]) == {"bank", "retailer", "coordinator"}
    assert (
        facts["learned"]["retailer"][-1] == "nothing about the held-out customers' scores or labels"
    )
    assert facts["audit"]["bank"] == {"events": 61, "root": "0c" * 32, "bundle": "bank.zip"}
    assert {"scenario", "suite", "purpose"} <= set(facts)
    assert "curves" not in facts
    assert facts["party_terms"]["retailer"]["columns"] == ["Price", "Age", "Home", "Marital"]


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": 1},
        {"learned": {"stranger": [{"key": "no_scores"}]}},
        {"learned": {"bank": [{"key": "no such sentence"}]}},
        {"curves": {}},
        {"reach": {}},
        {"purpose": None},
        {"suite": "rot13"},
        {"repeats": repeated()["repeats"]},
        {"over_repeats": repeated()["over_repeats"]},
        {"parties": plain_run()["parties"][:1]},
        {"parties": plain_run()["parties"][1:]},
        {"psi": plain_run()["psi"] | {"pairwise": {}}},
        {"psi": plain_run()["psi"] | {"pairwise": {"retailer": 1, "telco": 1}}},
        {"rejects": {"coordinator": {}}},
    ],
)
def test_report_of_the_wrong_shape_must_be_refused(changes: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        sample_run(**changes)
