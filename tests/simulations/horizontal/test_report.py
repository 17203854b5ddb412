"""The page of a horizontal run says what the run says, for 3 parties and for 50."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from simulations.horizontal.report import wording
from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.report.page import render
from simulations.horizontal.report.strings import IN_CHINESE, IN_ENGLISH
from simulations.horizontal.report.worth import overall
from tests.simulations.horizontal.sample_report import (
    names,
    one_dropped_each_round,
    plain_report,
    sample_report,
)
from tests.simulations.page_reader import Page

MANY: dict[str, Any] = {
    "parties": 50,
    "rounds": 70,
    "dropped": {5: names(50)[3:14], 9: names(50)[:2]},
    "pooled": False,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"parties": 3},
        MANY,
        {"splits": 10, "dropped": one_dropped_each_round(), "lost": {4}},
        {"private": True, "precision": None, "learning": [], "wire": {}, "peak_memory_bytes": None},
        {"method": "paillier", "review": [], "learned": {}},
    ],
)
def test_page_must_need_nothing_else_and_be_well_formed(changes: dict[str, Any]) -> None:
    text = render(sample_report(**changes))
    page = Page(text)
    assert page.open == []
    assert not re.search(r"https?:|url\(|@import|<[^>]*\son\w+=|built-in|None(?! covers)", text)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert all(target[1:] in ids for target in page.values("href"))
    for reference in page.values("aria-labelledby"):
        assert set(reference.split()) <= set(ids)
    assert page.tags.count("script") == 1
    assert render(sample_report(**changes)) == text


def test_page_must_say_first_what_joining_was_worth_and_cost() -> None:
    run = sample_report()
    page, whole = Page(render(run)), overall(run)
    assert whole.gain is not None
    assert whole.cost is not None
    short = page.section("en-short")
    for expected in (
        f"5 organisations rank their own customers better: mean AUC {whole.within['joint']:.3f} "
        f"instead of {whole.within['alone']:.3f} alone",
        f"a gain of {whole.gain.value:.3f} (95 % interval {whole.gain.low:.3f} to",
        f"joining all tables in the clear gives AUC {whole.over_all['pooled']:.3f}, learning "
        f"apart and encrypted {whole.over_all['joint']:.3f}",
        "All 5 organisations took part in each of the 12 encrypted sums",
        run.review[0].english,
    ):
        assert expected in short, expected
    for expected in (
        *(sentence.english for sentence in run.review),
        *(sentence.english for said in run.learned.values() for sentence in said),
        *run.provenance, *run.limits,
        "1.3 × 10⁻⁸", "4.5 × 10⁻⁸", "Nobody was missing in any sum",
        "DeLong", "No differential privacy was agreed", run.spec_digest,
        "fedcrm audit verify --trust trust.toml coordinator.zip retailer-01.zip",
        "33.5 MB", "1.2 GB", "median", "24,310", "number out of range 3", "22.0 %",
        "90 days up to 2026-09-30", "its contribution is added to those of 2 others or more",
    ):  # fmt: skip
        assert expected in page.text, expected
    assert "Repeated splits" not in page.text


def test_figures_must_stand_in_both_halves() -> None:
    page = Page(render(sample_report(splits=3, dropped=one_dropped_each_round())))
    found = {half: re.findall(r"[+−]?[01]\.\d{3}", page.text_of(half)) for half in ("en", "zh")}
    assert len(found["en"]) > 30
    assert sorted(found["en"]) == sorted(found["zh"])


def test_splits_must_be_listed_and_their_mean_decide_the_headline() -> None:
    run = sample_report(splits=10)
    page, whole = Page(render(run)), overall(run)
    assert whole.gain is not None
    assert f"{whole.within['alone']:.3f} alone over 10 splits" in page.section("en-short")
    assert "corrected 95 % interval" in page.section("en-short")
    assert "Nadeau and Bengio 2003" in page.section("en-worth")
    assert "DeLong" not in page.text
    listed = page.section("en-repeats")
    for number in range(1, 11):
        assert f" {number} " in listed
    assert "those of the means also cover other splits" in page.text


def test_a_party_dropped_in_every_round_must_be_told_round_by_round() -> None:
    page = Page(render(sample_report(dropped=one_dropped_each_round(), lost={4})))
    rounds = page.section("en-rounds")
    assert "In 10 of 13 encrypted sums somebody was missing" in rounds
    assert "1 of 13 could not be opened; the next sum did the same work again" in rounds
    assert "any 3 of those who stay can take its masks off" in rounds
    assert "round 1 sum 1 retailer-02 (no answer in time) 4/5" in rounds
    assert "not opened only 2 of the 4 shares it needs came" in rounds
    assert rounds.count("(no answer in time)") == 10
    told = page.values("aria-label")
    assert "retailer-02: in 11 of 13 sums; missing in round 1 and round 5" in told
    assert any(said.startswith("retailer-02：参加 13 次求和中的 11 次") for said in told)
    assert "from two sums with different contributors" in page.section("en-learned")


def test_fifty_parties_must_be_told_without_a_line_for_each() -> None:
    page = Page(render(sample_report(**MANY)))
    rounds = page.section("en-rounds")
    assert "retailer-04, retailer-05" not in rounds
    assert "retailer-08 (no answer in time) and 6 others" in rounds
    learned = page.section("en-learned")
    assert learned.count("every organisation") == 1
    assert "retailer-07" not in learned
    assert "One dot is one organisation" in page.section("en-worth")
    assert "Terms : every organisation CN" in page.section("en-asked").replace("Terms:", "Terms :")
    for party in names(50):
        assert party in page.section("en-brought")
    # Equal neighbours are one bar, so that 72 sums of 50 parties stay a small file.
    assert page.tags.count("i") < 500


def test_run_without_pooling_must_say_so() -> None:
    page = Page(render(sample_report(pooled=False)))
    assert "were not joined in the clear" in page.section("en-short")
    assert "in the clear" not in page.section("en-worth")
    assert "together minus in the clear" not in page.text
    assert "All files were read together" not in page.text


def test_privacy_budget_must_be_told_for_every_party() -> None:
    run = sample_report(private=True)
    page = Page(render(run))
    assert run.privacy is not None
    privacy = page.section("en-privacy")
    for party, spent in run.privacy.spent.items():
        assert f"{party} 2.0 {spent:.3f} 3.820" in privacy
    assert "Delta is 0.00001" in privacy
    assert "epsilon at most, of the 2.0 agreed" in page.section("en-short")
    assert "bounded by that organisation's epsilon" in page.section("en-learned")
    assert "No differential privacy" not in page.text


def test_model_beyond_its_stated_precision_must_be_warned_of_first() -> None:
    text = render(sample_report(precision={"largest_difference": 2e-3, "bound": 1e-6}))
    page = Page(text)
    assert page.text.index("Do not use this model") < page.text.index("Learning together")
    assert page.chinese.index("请勿使用此模型") < page.chinese.index("联合学习后")
    exact = Page(render(sample_report(precision={"largest_difference": 0.0, "bound": 1e-6})))
    assert "Encryption itself changed nothing" in exact.text


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("masked_he", "the masks keep an update from whoever holds the key"),
        ("masks", "pairwise masks alone"),
        ("ckks", "under one key that all organisations hold"),
        ("paillier", "under one key that all organisations hold"),
    ],
)
def test_method_must_be_told_with_what_drop_outs_mean_to_it(method: str, said: str) -> None:
    page = Page(render(sample_report(method=method)))
    assert said in page.section("en-reads")
    masked = method in {"masked_he", "masks"}
    assert ("take its masks off" in page.section("en-rounds")) == masked


def test_party_without_an_auc_must_be_told_and_left_out() -> None:
    report = plain_report(parties=3)
    unknown = {"alone": None, "joint": None, "pooled": None, "gain_error": None}
    for party in names(3)[:2]:
        report["splits"][0]["parties"][party] |= unknown
    run = msgspec.convert(report, HorizontalReport)
    page, whole = Page(render(run)), overall(run)
    assert whole.within["alone"] == report["splits"][0]["parties"]["retailer-03"]["alone"]
    assert page.section("en-worth").count("not measured") == 6
    assert "Of 1 organisations measured" in page.section("en-worth")
    assert "fewer than two held-out customers of an outcome" in page.section("en-worth")
    report["splits"][0]["parties"]["retailer-03"] |= unknown
    nobody = msgspec.convert(report, HorizontalReport)
    assert "cannot be told" in Page(render(nobody)).section("en-short")


def test_text_from_a_scenario_must_be_escaped_everywhere() -> None:
    hostile = "<script>alert('x')</script>\"&{{ 7 * 7 }}"
    report = plain_report(
        parties=3,
        title=hostile,
        scenario=hostile,
        agreement=hostile,
        label=hostile,
        provenance=[hostile],
        limits=[hostile],
        columns=[hostile],
        cut=hostile,
        parameters={hostile: hostile},
        versions={hostile: hostile},
        primitives={hostile: [hostile]},
        review=[{"english": hostile, "chinese": hostile}],
        pooled_on_this_machine=hostile,
    )
    for gate in report["gates"]:
        gate |= {"reason": hostile, "articles": [hostile]}
    plain = msgspec.json.encode(report).replace(b"retailer-02", b"<script>r2</script>")
    report = msgspec.json.decode(plain)
    report["sums"][3]["missing"] = {"<script>r2</script>": "refused"}
    report["sums"][3]["contributors"] = ["retailer-01", "retailer-03"]
    report["sums"][4] |= {"opened": False, "lost": hostile}
    report["parties"][0]["rejected"] = {hostile: 1}
    text = render(msgspec.convert(report, HorizontalReport))
    assert text.count("<script") == 1
    assert text.count("&lt;script&gt;") > 60
    assert "{{ 7 * 7 }}" in Page(text).text
    assert Page(text).tags.count("script") == 1


@pytest.mark.parametrize(
    ("gain", "english", "chinese"),
    [
        ((0.2, 0.1, 0.3), "better: .* a gain of 0.200 .*0.100 to 0.300", "提高 0.200"),
        ((-0.2, -0.3, -0.1), "worse: .* a loss of 0.200 .*0.100 to 0.300", "下降 0.200"),
        ((0.01, -0.01, 0.03), r"no difference .* \+0.010 .*−0.010 to \+0.030", "包含零"),
    ],
)
@pytest.mark.parametrize("splits", [1, 3])
def test_headline_must_follow_the_interval(
    gain: tuple[float, float, float], english: str, chinese: str, splits: int
) -> None:
    run = sample_report(splits=splits)
    value, low, high = gain
    whole = overall(run)
    changed = msgspec.convert({"value": value, "low": low, "high": high}, type(whole.gain))
    told = type(whole)(whole.within, whole.over_all, changed, whole.cost)
    assert re.search(english, wording.headline(run, told, IN_ENGLISH))
    assert chinese in wording.headline(run, told, IN_CHINESE)
    assert "None" not in wording.headline(run, told, IN_ENGLISH)


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        ((-0.2, -0.3, -0.1), "It cost accuracy"),
        ((0.0, -0.001, 0.001), "It cost no accuracy that can be shown"),
        ((0.2, 0.1, 0.3), "It cost no accuracy:"),
    ],
)
def test_cost_of_learning_apart_must_follow_the_interval(
    cost: tuple[float, float, float], words: str
) -> None:
    run = sample_report()
    whole = overall(run)
    value, low, high = cost
    changed = msgspec.convert({"value": value, "low": low, "high": high}, type(whole.cost))
    told = type(whole)(whole.within, whole.over_all, whole.gain, changed)
    assert wording.against_pooled(run, told, IN_ENGLISH).startswith(words)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run["parties"].pop(),
        lambda run: run["splits"].clear(),
        lambda run: run["splits"][0]["parties"].pop("retailer-01"),
        lambda run: run["sums"][0]["contributors"].pop(),
        lambda run: run["sums"][0]["missing"].update({"retailer-01": "no_answer"}),
        lambda run: run["sums"][0].update(round=1),
        lambda run: run["sums"][0].update(lost="because"),
        lambda run: run["sums"][0]["party_s"].update(stranger=1.0),
        lambda run: run["wire"].update(stranger={}),
        lambda run: run["learned"].update(stranger=[]),
        lambda run: run["parties"][0].update(left=10_000),
        lambda run: run["parties"][0].update(rejected={"missing_date": 10**9}),
        lambda run: run["splits"][0]["parties"]["retailer-01"].update(joint=None),
        lambda run: run.update(method="secagg"),
        lambda run: run.update(unknown=1),
    ],
)
def test_parts_that_do_not_belong_together_must_be_refused(spoil: Any) -> None:
    report = plain_report()
    spoil(report)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(report, HorizontalReport)
