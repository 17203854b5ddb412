"""The model as its owners can read it, what it was predicted to cost, and no tree where none is."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from models.scorecard.model import INTERCEPT_NAME
from simulations.report import wording
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.model import RunReport, metrics_json
from simulations.report.page import render
from simulations.report.readable import points_of, start_of
from tests.simulations.page_reader import Page
from tests.simulations.sample_models import (
    multiclass,
    network,
    points,
    regression,
    repeated,
    scorecard,
)
from tests.simulations.sample_run import plain_run, several_parties


def built(run: dict[str, Any]) -> RunReport:
    return msgspec.convert(run, RunReport)


def about_people(run: dict[str, Any]) -> RunReport:
    """The same run where the partners' columns may not stand in the report one by one."""
    return built(run | {"pooled_on_this_machine": "authorised: contract 7"})


def test_points_table_must_have_every_column_and_bin_in_order() -> None:
    page = Page(render(built(scorecard())))
    table = page.section("en-points")
    for expected in (
        "600 points are odds of 50 to 1 against it, and every 20 points more double these odds",
        "Every customer begins with 487.0 points",
        "Seniority information value 0.412, coefficient 0.931",
        "≤ 1 22.4 % 0.87 −23.4 > 1 and ≤ 4.5 26.1 % 0.25 −7.0",
        "> 12 or missing 21.8 % −1.04 28.0",
        "fixed or freelance 81.0 %",
        "partime or any other 17.0 %",
        "> 1,125.5 and ≤ 1,200,000 60.0 %",
        "bank: 2 of 7 columns are in the scorecard.",
        "retailer: 1 of 4 columns are in the scorecard.",
    ):
        assert expected in table, expected
    assert table.index("Seniority") < table.index("Job") < table.index("Price")
    chinese = page.section("zh-points")
    for expected in (
        "> 1 且 ≤ 4.5", "> 12、缺失", "partime、其他", "每名客户的起始分为 487.0 分",
    ):  # fmt: skip
        assert expected in chinese, expected


def test_whole_points_must_have_no_decimals() -> None:
    whole = points()
    whole["halves"]["bank"][0]["bins"][0]["points"] = -23
    table = Page(render(built(scorecard(points=whole)))).section("en-points")
    assert "begins with 487 points" in table
    assert "22.4 % 0.87 −23 " in table


def test_partners_points_must_stand_only_where_they_may() -> None:
    run = about_people(scorecard())
    page = Page(render(run))
    assert "Seniority" in page.section("en-points")
    assert "Price" not in page.section("en-points") + page.section("zh-points")
    assert "retailer alone can print the points of its columns" in page.section("en-points")
    assert set(metrics_json(run)["points"]["halves"]) == {"bank"}
    assert set(metrics_json(built(scorecard()))["points"]["halves"]) == {"bank", "retailer"}


def test_joint_table_must_stand_for_every_party_approved_it() -> None:
    both = points()
    both["joint"] = both["halves"]
    run = about_people(scorecard(points=both))
    table = Page(render(run)).section("en-points")
    assert "Seniority" in table
    assert "Price" in table
    assert "All organisations agreed that bank gets the whole table" in table
    facts = metrics_json(run)["points"]
    assert set(facts["joint"]) == {"bank", "retailer"}
    assert set(facts["halves"]) == {"bank"}


def test_a_partner_that_approved_the_joint_table_must_be_named_in_the_importance_too() -> None:
    both = points()
    both["joint"] = both["halves"]
    used = Page(render(about_people(scorecard(points=both)))).section("en-importance")
    assert "Price" in used
    assert "as a group" not in used
    apart = Page(render(about_people(scorecard()))).section("en-importance")
    assert "Price" not in apart
    assert "as a group" in apart


def test_a_coefficient_of_the_wrong_sign_must_be_marked() -> None:
    turned = points()
    turned["halves"]["bank"][1]["coefficient"] = -0.2
    table = Page(render(built(scorecard(points=turned)))).section("en-points")
    assert "coefficient −0.200 counts against its own weight of evidence" in table
    assert table.count("counts against") == 1
    assert "counts against" not in Page(render(built(scorecard()))).section("en-points")


def test_rows_of_a_node_must_become_columns_of_most_information_first() -> None:
    start = {"column": INTERCEPT_NAME, "bin": "any", "share": 1.0, "woe": 0.0, "iv": 0.0,
             "coefficient": -1.5, "points": 512.5}  # fmt: skip
    rows = [
        {"column": name, "bin": bin_, "share": 0.5, "woe": 0.1, "iv": iv, "coefficient": 0.9,
         "points": at}
        for name, iv in (("Age", 0.1), ("Income", 0.3))
        for at, bin_ in enumerate(("<= 1", "> 1"))
    ]  # fmt: skip
    found = points_of([start, *rows])
    assert [column.column for column in found] == ["Income", "Age"]
    assert [(bin_.bin, bin_.points) for bin_ in found[1].bins] == [("<= 1", 0), ("> 1", 1)]
    assert start_of([start, *rows]) == 512.5
    assert start_of(rows) is None
    with pytest.raises(KeyError):
        points_of([{"column": "Age"}])


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ("<= 1.5", "≤\u00a01.5", "≤\u00a01.5"),
        ("> -2", ">\u00a0−2", ">\u00a0−2"),
        ("> 1e-07 and <= 2500", ">\u00a00.0000001 and ≤\u00a02,500",
         ">\u00a00.0000001 且 ≤\u00a02,500"),
        ("any value", "any value", "任意值"),
        ("missing", "missing", "缺失"),
        ("A or B or any other or missing", "A or B or any other or missing", "A、B、其他、缺失"),
        ("> high", "> high", "> high"),
        ("自有 or 租赁", "自有 or 租赁", "自有、租赁"),
    ],
)  # fmt: skip
def test_bins_must_be_told_in_both_languages(text: str, english: str, chinese: str) -> None:
    assert wording.bin_text(text, ENGLISH) == english
    assert wording.bin_text(text, CHINESE) == chinese


def test_network_must_show_its_layers_and_what_the_clear_one_learned_from() -> None:
    page = Page(render(built(network())))
    layers = page.section("en-layers")
    assert "own columns, layer 1 12 32 own columns, layer 2 32 8" in layers
    assert "all organisations, layer 2 32 1" in layers
    assert "自有特征列，第 1 层" in page.section("zh-layers")
    assert "the whole network learned from the true labels" in page.text
    assert "learned from the true labels" not in Page(render(built(plain_run()))).text
    assert "standardises its own numbers" in page.section("en-quality")


@pytest.mark.parametrize("made", [scorecard, network])
def test_a_model_without_trees_must_not_be_told_as_trees(made: Any) -> None:
    page = Page(render(built(made())))
    words = {scorecard: ("a scorecard", "评分卡"), network: ("a split neural network", "神经网络")}
    assert words[made][0] in page.section("en-asked")
    assert words[made][1] in page.section("zh-asked")
    for half in (page.text, page.chinese):
        assert not re.search(r"\btrees?\b|\bsplits on\b|分裂|棵", half)
    facts = json.loads(json.dumps(metrics_json(built(made())), allow_nan=False))
    assert facts["train"]["model"] == {scorecard: "scorecard", network: "split_network"}[made]
    assert facts["objective"] == "binary"


def test_what_was_predicted_must_stand_beside_what_was_measured() -> None:
    run = scorecard()
    run["train"] |= {"predicted_s": 19.0, "predicted_bytes": 8_000_000}
    page = Page(render(built(run)))
    cost = page.section("en-cost")
    assert "the node of bank predicted what it would cost" in cost
    assert "time 19.0 s 21.4 s bytes sent by all 8.0 MB 8.1 MB" in cost
    assert "事前预估与实测" in page.section("zh-cost")
    assert metrics_json(built(run))["train"]["predicted_s"] == 19.0
    untold = Page(render(built(scorecard()))).section("en-cost")
    assert "predicted" not in untold
    assert "predicted_s" not in metrics_json(built(scorecard()))["train"]


ENGLISH_PROSE = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")


@pytest.mark.parametrize(
    "made",
    [
        plain_run,
        regression,
        multiclass,
        scorecard,
        network,
        several_parties,
        lambda: repeated(regression()),
    ],
)
def test_no_english_may_be_left_in_chinese(made: Any) -> None:
    run = made()
    run["train"] |= {"predicted_s": 19.0, "predicted_bytes": 8_000_000}
    run["parameters"] |= {
        "class_weights": "balanced", "paillier_randomness": "exact", "sigmoid": "cubic",
    }  # fmt: skip
    page = Page(render(built(run)))
    left = [
        text
        for text, language in page.words["zh"]
        if language == "zh-CN" and ENGLISH_PROSE.search(text) and not text.startswith("fedcrm ")
    ]
    assert left == []
    assert not {"balanced", "exact", "cubic"} & set(page.section("zh-parameters").split())
    assert len(page.words["zh"]) > 200
