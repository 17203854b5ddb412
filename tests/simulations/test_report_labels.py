"""A page about a number or a class says what fits it, and nothing that only fits yes or no."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from simulations.report import wording
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.measures import classes, numbers
from simulations.report.model import RunReport, metrics_json
from simulations.report.page import render
from simulations.report.scales import Scale
from simulations.report.worth import Classes, Numbers
from tests.simulations.page_reader import Page
from tests.simulations.sample_models import (
    CLASSES,
    made_classes,
    made_numbers,
    multiclass,
    regression,
    repeated,
)
from tests.simulations.sample_run import plain_run


def built(run: dict[str, Any]) -> RunReport:
    return msgspec.convert(run, RunReport)


def without_pooling(run: dict[str, Any]) -> dict[str, Any]:
    worth = run["worth"]
    del worth["differences"]["joint_minus_pooled"]
    for part in worth.values():
        if isinstance(part, dict):
            part.pop("pooled", None)
    return run


def test_number_must_be_told_by_its_errors() -> None:
    run = built(regression())
    assert isinstance(run.worth, Numbers)
    page = Page(render(run))
    alone, joint = run.worth.metrics["alone"], run.worth.metrics["joint"]
    assert joint.rmse < alone.rmse
    for expected in (
        f"predicts more closely: RMSE {joint.rmse:.1f} instead of {alone.rmse:.1f}",
        f"{alone.rmse - joint.rmse:.1f} less (95 % interval",
        f"{joint.rmse:.1f} ({joint.rmse_low:.1f} to {joint.rmse_high:.1f})",
        f"{joint.mae:.1f}",
        f"{joint.r2:.3f}",
        f"would give an RMSE of {run.worth.usual_rmse:.1f}",
        f"−{alone.rmse - joint.rmse:.1f}",
        "R² is the share of the differences",
        "which share of the total of all customers they hold",
        "Mean prediction of a tenth",
        "what the label is objective a number",
    ):
        assert expected in page.text, expected
    assert "的预测更接近实际" in page.chinese
    assert "平均预测值" in page.chinese


def test_class_must_be_told_by_how_often_it_is_right() -> None:
    run = built(multiclass())
    assert isinstance(run.worth, Classes)
    page = Page(render(run))
    alone, joint = run.worth.metrics["alone"], run.worth.metrics["joint"]
    gap = run.worth.differences.joint_minus_alone
    assert gap.sign == "more"
    for expected in (
        f"the right class more often: for {joint.accuracy * 100:.1f} % of customers instead of "
        f"{alone.accuracy * 100:.1f} %, {gap.value * 100:.1f} percentage points more (95 % "
        f"interval {gap.low * 100:.1f} to {gap.high * 100:.1f})",
        "Joining both tables in the clear gives the same: accuracy",
        f"{joint.log_loss:.3f}",
        f"{joint.auc:.3f}",
        "There are 4 classes. Always naming the commonest of the 600 held-out customers, grocery",
        "Agresti and Min",
    ):
        assert expected in page.text, expected
    assert "判对类别的客户增多" in page.chinese
    assert "个百分点" in page.chinese
    by_class = page.section("en-classes")
    for k, name in enumerate(CLASSES):
        found = run.worth.by_class["joint"][k]
        assert found.recall is not None
        assert f"{name} {run.worth.customers[k]} " in by_class
        assert f"{found.recall * 100:.1f} %" in by_class


@pytest.mark.parametrize("made", [regression, multiclass])
def test_nothing_that_only_fits_yes_or_no_must_be_said(made: Any) -> None:
    page = Page(render(built(made())))
    ids = set(page.values("id"))
    assert "en-decisions" not in ids
    assert "ROC" not in page.text + page.chinese
    assert "had the outcome" not in page.text
    assert "正样本" not in page.chinese
    assert not re.search(r"\bKS\b", page.text)
    assert ("en-reach" in ids) == (made is regression)
    assert ("en-classes" in ids) == (made is multiclass)


@pytest.mark.parametrize("made", [regression, multiclass])
def test_metrics_json_must_hold_the_measures_of_the_label(made: Any) -> None:
    measures = {regression: {"rmse", "mae", "r2"}, multiclass: {"accuracy", "log_loss", "auc"}}
    facts = json.loads(json.dumps(metrics_json(built(made())), allow_nan=False))
    assert facts["objective"] == made.__name__
    for which in ("alone", "joint", "pooled"):
        assert set(facts["metrics"][which]) >= measures[made]
    assert not {"curves", "worth", "decisions", "threshold"} & set(facts)
    assert "positives" not in facts["held_out"]
    gap = facts["differences"]["joint_minus_alone"]
    first = "rmse" if made is regression else "accuracy"
    joint, alone = (facts["metrics"][which][first] for which in ("joint", "alone"))
    assert gap["value"] == pytest.approx(joint - alone)
    assert gap["low"] < gap["value"] < gap["high"]
    bare = metrics_json(built(without_pooling(made())))
    assert set(bare["metrics"]) == {"alone", "joint"}
    assert set(bare["differences"]) == {"joint_minus_alone"}


@pytest.mark.parametrize("made", [regression, multiclass])
def test_splits_must_be_listed_and_decide_the_headline(made: Any) -> None:
    run = built(repeated(made()))
    assert run.over_repeats is not None
    page, first = Page(render(run)), Scale.of(run).first
    shown = Scale.of(run).shown(first, run.over_repeats.joint[first].mean, ENGLISH)
    assert shown in wording.headline(run, ENGLISH)
    assert "over 3 splits" in page.text
    assert "3 次划分" in page.chinese
    for repeat in run.repeats:
        assert Scale.of(run).shown(first, repeat.joint[first], ENGLISH) in page.text


SAID = {
    ("en", "binary"): ("better", "worse"),
    ("en", "regression"): ("less closely", "more closely"),
    ("en", "multiclass"): ("more often", "less often"),
    ("zh-CN", "binary"): ("提高", "下降"),
    ("zh-CN", "regression"): ("偏离实际更多", "更接近实际"),
    ("zh-CN", "multiclass"): ("增多", "减少"),
}
"""By language and label: what is said of a measure that rises, and of one that falls."""


@pytest.mark.parametrize("t", [ENGLISH, CHINESE])
@pytest.mark.parametrize("made", [plain_run, regression, multiclass])
@pytest.mark.parametrize("several", [False, True])
def test_headline_must_follow_the_interval(t: Any, made: Any, several: bool) -> None:
    unit = 100 if made is regression else 1

    def said(value: float, low: float, high: float) -> str:
        run = repeated(made()) if several else made()
        gap = {"value": value * unit, "low": low * unit, "high": high * unit}
        run["worth"]["differences"]["joint_minus_alone"] = gap
        if several:
            run["over_repeats"]["joint_minus_alone"] = gap
        return wording.headline(built(run), t)

    rises, falls = SAID[t["language"], made()["worth"]["objective"]]
    assert rises in said(0.2, 0.1, 0.3)
    assert falls in said(-0.2, -0.3, -0.1)
    assert "−" not in said(-0.2, -0.3, -0.1)  # the size of a fall, in words
    unclear = said(0.01, -0.01, 0.03)
    assert {"en": "which includes zero", "zh-CN": "包含零"}[t["language"]] in unclear
    assert re.search(r"−[1-9.0]+ (to|至) \+[1-9.0]+", unclear)
    assert not re.search(f"{rises}|{falls}", unclear)


def test_amounts_must_have_four_digits_whatever_their_unit() -> None:
    for unit, digits in ((1000.0, r"\d{3},\d{3}"), (1.0, r"\d{3}\.\d"), (0.001, r"0\.\d{4}")):
        run = built(regression(unit=unit))
        assert re.search(f"RMSE {digits} instead of {digits}, ", wording.headline(run, ENGLISH))
        assert Page(render(run)).open == []


def test_labels_below_zero_must_have_no_share_of_a_total() -> None:
    run = built(regression(below_zero=True))
    assert isinstance(run.worth, Numbers)
    assert run.worth.reach == {}
    page = Page(render(run))
    assert "en-reach" not in page.values("id")
    assert "R², joint; alone" in page.text
    assert metrics_json(run)["reach"] == {}


def test_classes_must_agree_with_another_implementation() -> None:
    labels, probabilities = made_classes()
    found = classes(labels, probabilities, CLASSES)
    named = probabilities["joint"].argmax(axis=1)
    recalls = recall_score(labels, named, average=None)
    precisions = precision_score(labels, named, average=None)
    for k, one in enumerate(found.by_class["joint"]):
        assert one.recall == pytest.approx(recalls[k])
        assert one.precision == pytest.approx(precisions[k])
        assert one.auc == pytest.approx(roc_auc_score(labels == k, probabilities["joint"][:, k]))
        wrong = np.bincount(named[(labels == k) & (named != k)], minlength=4)
        assert one.mistaken_for is not None
        assert wrong[one.mistaken_for] == wrong.max()
    assert sum(found.customers) == len(labels)
    assert found.names[found.commonest] == CLASSES[np.bincount(labels).argmax()]


def test_a_class_without_customers_must_not_break_the_page() -> None:
    labels, probabilities = made_classes()
    kept = labels != 3
    worth = classes(labels[kept], {w: p[kept] for w, p in probabilities.items()}, CLASSES)
    assert worth.by_class["joint"][3].recall is None
    assert worth.by_class["joint"][3].auc is None
    run = multiclass()
    run["worth"] = msgspec.to_builtins(worth)
    assert "travel 0 none none none" in Page(render(built(run))).section("en-classes")


def test_many_classes_must_stand_in_the_table_only() -> None:
    names = tuple(f"class {k}" for k in range(12))
    labels = np.arange(600) % 12
    sure = np.full((600, 12), 0.01)
    sure[np.arange(600), labels] = 0.89
    run = multiclass()
    worth = classes(labels, {"alone": sure[:, ::-1], "joint": sure, "pooled": sure}, names)
    run["worth"] = msgspec.to_builtins(worth)
    page = Page(render(built(run)))
    assert "class 11" in page.section("en-classes")
    assert page.tags.count("svg") == 2  # one in each language


def test_share_of_the_total_must_agree_with_adding_up() -> None:
    labels, predictions = made_numbers()
    found = numbers(labels, predictions)
    best = np.argsort(-predictions["joint"], kind="stable")
    for reached in found.reach["joint"]:
        taken = labels[best[: reached.customers]]
        assert reached.customers == round(reached.share * len(labels))
        assert reached.gain == pytest.approx(taken.sum() / labels.sum())
        assert reached.lift == pytest.approx(taken.mean() / labels.mean())
    assert found.curves["joint"].gain[-1] == (1, 1)
    tenths = found.curves["joint"].calibration
    assert sum(customers for _, _, customers in tenths) == len(labels)
    total = sum(mean * customers for _, mean, customers in tenths)
    assert total == pytest.approx(labels.sum())
    same = numbers(labels, {"alone": np.ones(600), "joint": np.ones(600)})
    assert same.reach["joint"][0].lift == pytest.approx(1)
    assert same.usual_rmse == pytest.approx(labels.std())


@pytest.mark.parametrize("made", [regression, multiclass])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run["worth"]["metrics"].pop("pooled"),
        lambda run: run["worth"]["metrics"].pop("alone"),
        lambda run: run["worth"]["differences"].pop("joint_minus_pooled"),
        lambda run: run["held_out"].update(positives=3),
        lambda run: run["worth"].update(objective="binary"),
        lambda run: run["worth"].pop("objective"),
        lambda run: run["worth"].update(by_class={}, curves={}),
    ],
)
def test_parts_that_do_not_belong_together_must_be_refused(made: Any, spoil: Any) -> None:
    run = made()
    spoil(run)
    with pytest.raises(msgspec.ValidationError):
        built(run)
