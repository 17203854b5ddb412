"""What a report measures agrees with other implementations, and its charts with the numbers."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import pytest
from markupsafe import Markup
from scipy import stats
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from simulations.report import figures
from simulations.report.charts import Axis, Charts
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.measures import (
    curve,
    decisions,
    metrics,
    over_repeats,
    ranking,
    reach,
)
from simulations.report.page import render
from simulations.report.worth import Reach, Repeat
from tests.simulations.sample_run import made_scores, repeated, sample_run


def test_measures_must_agree_with_another_implementation() -> None:
    labels, scores = made_scores()
    found = metrics(labels, scores["alone"])
    assert found.auc == pytest.approx(roc_auc_score(labels, scores["alone"]))
    assert found.auc_low < found.auc < found.auc_high
    of_classes = [scores["alone"][labels == label] for label in (0, 1)]
    assert found.ks == pytest.approx(stats.ks_2samp(*of_classes).statistic)
    assert found.ks_low < found.ks < found.ks_high
    assert metrics(labels, scores["alone"]) == found
    gap = ranking(labels, scores, "0.5").differences.joint_minus_alone
    expected = roc_auc_score(labels, scores["joint"]) - roc_auc_score(labels, scores["alone"])
    assert gap.value == pytest.approx(expected)
    assert gap.sign == "more"


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9, 1.0])
def test_decisions_must_agree_with_another_implementation(threshold: float) -> None:
    labels, scores = made_scores()
    answers = scores["joint"] >= threshold
    found = decisions(labels, scores["joint"], threshold)
    matrix = confusion_matrix(labels, answers)
    counts = [[found.true_negatives, found.false_positives]]
    counts += [[found.false_negatives, found.true_positives]]
    assert counts == matrix.tolist()
    assert found.accuracy == pytest.approx(accuracy_score(labels, answers))
    assert found.recall == pytest.approx(recall_score(labels, answers))
    if answers.any():
        assert found.precision == pytest.approx(precision_score(labels, answers))
    else:
        assert found.precision is None


def test_reach_must_agree_with_counting_the_best_scored() -> None:
    labels, scores = made_scores()
    best = np.argsort(-scores["joint"], kind="stable")
    for found, share in zip(reach(labels, scores["joint"]), (0.05, 0.1, 0.2), strict=True):
        taken = best[: round(share * len(labels))]
        assert found.customers == len(taken)
        assert found.gain == pytest.approx(labels[taken].sum() / labels.sum())
        assert found.precision == pytest.approx(labels[taken].mean())
        assert found.lift == pytest.approx(labels[taken].mean() / labels.mean())


@pytest.mark.parametrize("which", ["alone", "joint", "pooled"])
def test_curve_must_agree_with_another_implementation(which: str) -> None:
    labels, scores = made_scores(150)
    points = curve(labels, scores[which])
    false_rate, true_rate, _ = roc_curve(labels, scores[which], drop_intermediate=False)
    assert np.allclose(points.roc, np.column_stack([false_rate, true_rate]), atol=1e-4)
    assert points.gain[0] == (0, 0)
    assert points.gain[-1] == (1, 1)
    assert sum(customers for _, _, customers in points.calibration) == 150
    weighted = sum(observed * customers for _, observed, customers in points.calibration)
    assert weighted == pytest.approx(labels.sum())


def test_curve_must_not_order_customers_of_equal_score() -> None:
    labels = np.array([1, 0, 1, 0])
    same = curve(labels, np.full(4, 0.5))
    assert same.roc == ((0, 0), (1, 1))
    assert reach(labels, np.full(4, 0.5))[2].gain == pytest.approx(0.25)
    long = curve(np.tile(labels, 1000), np.linspace(0, 1, 4000))
    assert len(long.roc) <= 201


def test_means_over_splits_must_be_the_corrected_interval() -> None:
    repeats = msgspec.convert(repeated()["repeats"], list[Repeat])
    found = over_repeats("binary", repeats)
    assert found is not None
    gains = [repeat.joint["auc"] - repeat.alone["auc"] for repeat in repeats]
    share = sum(r.customers for r in repeats) / sum(r.trained_on for r in repeats)
    margin = stats.t.ppf(0.975, 2) * np.sqrt((1 / 3 + share) * np.var(gains, ddof=1))
    assert found.joint_minus_alone.value == pytest.approx(np.mean(gains))
    assert found.joint_minus_alone.low == pytest.approx(np.mean(gains) - margin)
    assert found.joint["ks"].mean == pytest.approx(np.mean([r.joint["ks"] for r in repeats]))
    assert found.alone["auc"].low < found.alone["auc"].mean < found.alone["auc"].high
    assert over_repeats("binary", repeats[:1]) is None
    assert over_repeats("binary", []) is None


def test_means_must_stay_on_the_scale_of_their_measure() -> None:
    repeats = msgspec.convert(repeated()["repeats"], list[Repeat])
    wide = [
        msgspec.structs.replace(repeat, joint=repeat.joint | {"auc": auc})
        for repeat, auc in zip(repeats, (0.5, 0.99, 0.98), strict=True)
    ]
    found = over_repeats("binary", wide)
    assert found is not None
    assert found.joint["auc"].high == 1


def test_chart_must_escape_names_and_describe_its_numbers() -> None:
    row = ("joint", "<b>", (0.8, 0.7, 0.9), "0.800 (0.700 to 0.900)")
    drawn = Charts(ENGLISH).intervals("a < b", "AUC", [row], Axis.of_tenths(0.5))
    assert isinstance(drawn, Markup)
    assert "<b>" not in drawn
    assert "&lt;b&gt; 0.800 (0.700 to 0.900)" in drawn
    assert "a &lt; b" in drawn
    reached = Reach(share=0.05, customers=9, gain=0.2, precision=0.9, lift=12.34)
    bars = Charts(ENGLISH).bars("t", "x", "y", [("joint", "<i>", [reached])])
    assert "<i>" not in bars
    assert "&lt;i&gt;: 5 % 12.3×" in bars


def pairs_of(body: str) -> list[tuple[float, float]]:
    pairs = [tuple(p.split(",")) for q in re.findall(r'points="(.*?)"', body) for p in q.split()]
    pairs += re.findall(r'cx="(.*?)" cy="(.*?)"', body)
    pairs += re.findall(r'x1="(.*?)" y1="(.*?)"', body)
    pairs += re.findall(r'x2="(.*?)" y2="(.*?)"', body)
    pairs += re.findall(r'<text class="\w+" x="(.*?)" y="(.*?)"', body)
    boxes = re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', body)
    pairs += [(x, y) for x, y, _, _ in boxes]
    pairs += [(float(x) + float(w), float(y) + float(h)) for x, y, w, h in boxes]
    return [(float(x), float(y)) for x, y in pairs]


@pytest.mark.parametrize("lift", [0.4, 1.0, 9.7, 48.0])
def test_charts_must_stay_inside_their_picture(lift: float) -> None:
    low = {"auc": 0.31, "auc_low": 0.22, "auc_high": 0.41, "ks": 0.1, "ks_low": 0.0, "ks_high": 0.3}
    best = [
        {"share": s, "customers": 9, "gain": 0.1, "precision": 0.1, "lift": lift}
        for s in (0.05, 0.1, 0.2)
    ]
    run = sample_run(
        metrics={"alone": low, "joint": low | {"auc_high": 1.0}, "pooled": low},
        reach=dict.fromkeys(("alone", "joint", "pooled"), best),
    )
    text = render(run)
    pictures = re.findall(r'<svg viewBox="0 0 ([\d ]+)".*?>(.*?)</svg>', text)
    assert len(pictures) == 10
    for box, body in pictures:
        width, height = map(float, box.split())
        pairs = pairs_of(body)
        assert pairs
        for x, y in pairs:
            assert 0 <= x <= width
            assert 0 <= y <= height
        assert body.count('class="axis"') >= 1  # every chart names its axis


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.metric(0.1235), "0.123"),
        (figures.quantity(-0.1, 3), "−0.100"),
        (figures.quantity(-0.0001, 3), "0.000"),
        (figures.quantity(1234.56, 1), "1,234.6"),
        (figures.quantity(-1234.56, 0), "−1,235"),
        (figures.compact(1500), "1.5k"),
        (figures.compact(-2_500_000), "−2.5M"),
        (figures.compact(0.25), "0.25"),
        (figures.compact(0), "0"),
        (str(figures.decimals(1234.5)), "0"),
        (str(figures.decimals(999.9)), "1"),
        (str(figures.decimals(0.01234)), "5"),
        (str(figures.decimals(0.0)), "0"),
        (figures.size(999), "999 B"),
        (figures.size(1_000), "1.0 kB"),
        (figures.size(999_900), "1.0 MB"),
        (figures.size(123_456_789), "123 MB"),
        (figures.size(5_000_000_000_000), "5000 GB"),
        (figures.seconds(0.0123), "12 ms"),
        (figures.seconds(12.34), "12.3 s"),
        (figures.seconds(119.99), "120.0 s"),
        (figures.seconds(179.9), "3 min 00 s"),
        (figures.percent(0.505, ENGLISH), "50 %"),
        (figures.percent(0.003, ENGLISH), "<1 %"),
        (figures.percent(0.0, ENGLISH), "0 %"),
        (figures.percent_1(0.4567, ENGLISH), "45.7 %"),
        (figures.percent_1(0.0001, ENGLISH), "<0.1 %"),
        (figures.percent_1(0.0, ENGLISH), "0.0 %"),
        (figures.percent(0.5, CHINESE), "50%"),
        (figures.percent_1(0.0001, CHINESE), "<0.1%"),
        (figures.whole(1234567), "1,234,567"),
        (figures.times(1.849), "1.8×"),
        (figures.value("2026-11-21"), "2026-11-21"),
        (figures.value(0.0), "0"),
        (figures.value(3.0), "3"),
        (figures.value(0.12345), "0.1235"),
        (figures.value(-2.5), "−2.5"),
        (figures.value(999.96), "1000"),
        (figures.value(1234567.8), "1,234,568"),
        (figures.value(-12345.0), "−12,345"),
        (figures.value(1e18), "1e+18"),
        (figures.value(0.00001234), "1.23e-05"),
    ],
)
def test_figures_must_read_well(shown: str, expected: str) -> None:
    assert shown == expected
