"""AUC, KS and the top fraction against scikit-learn and scipy, and their own invariants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, mannwhitneyu
from sklearn.metrics import roc_auc_score

from models.evaluation import auc, ks, top_fraction
from tests.models.evaluation.samples import Draws, samples

MEASURES = [auc, ks, lambda labels, scores: top_fraction(labels, scores, 0.3).gain]


def by_class(labels: list[int], scores: list[float]) -> tuple[list[float], list[float]]:
    positives = [s for label, s in zip(labels, scores, strict=True) if label]
    negatives = [s for label, s in zip(labels, scores, strict=True) if not label]
    return positives, negatives


@given(samples())
def test_auc_must_equal_the_count_of_pairs(sample: tuple[list[int], list[float]]) -> None:
    positives, negatives = by_class(*sample)
    wins = sum((p > n) + (p == n) / 2 for p in positives for n in negatives)
    assert auc(*sample) == wins / (len(positives) * len(negatives))


@given(samples())
def test_auc_must_agree_with_scikit_learn_and_scipy(sample: tuple[list[int], list[float]]) -> None:
    labels, scores = sample
    positives, negatives = by_class(labels, scores)
    u = mannwhitneyu(positives, negatives, method="asymptotic").statistic
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auc(labels, scores) == pytest.approx(u / len(positives) / len(negatives), abs=1e-12)


@given(samples(smallest_class=2))
def test_ks_must_agree_with_scipy(sample: tuple[list[int], list[float]]) -> None:
    positives, negatives = by_class(*sample)
    expected = ks_2samp(positives, negatives, method="asymp").statistic
    assert ks(*sample) == pytest.approx(expected, abs=1e-12)


def test_a_large_sample_must_agree_with_the_libraries() -> None:
    draws = Draws(b"a large sample")
    labels = draws.uniform(20_000) < 0.1
    scores = np.round(draws.normal(20_000) + labels, 2)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert ks(labels, scores) == pytest.approx(
        ks_2samp(scores[labels], scores[~labels], method="asymp").statistic, abs=1e-12
    )


@given(samples())
def test_ranking_must_not_change_under_an_increasing_map(
    sample: tuple[list[int], list[float]],
) -> None:
    labels, scores = sample
    place = {score: rank for rank, score in enumerate(sorted(set(scores)))}
    mapped = [math.exp(place[score] / 10) - 40 for score in scores]
    for measure in MEASURES:
        assert measure(labels, mapped) == measure(labels, scores)


@given(samples(), st.randoms())
def test_ranking_must_not_depend_on_the_order_of_rows(
    sample: tuple[list[int], list[float]], shuffler: Any
) -> None:
    rows = list(zip(*sample, strict=True))
    shuffler.shuffle(rows)
    labels, scores = (list(column) for column in zip(*rows, strict=True))
    for measure in MEASURES:
        assert measure(labels, scores) == measure(*sample)


@given(samples())
def test_swapping_the_labels_must_mirror_the_auc_and_keep_the_ks(
    sample: tuple[list[int], list[float]],
) -> None:
    labels, scores = sample
    swapped = [1 - label for label in labels]
    assert auc(swapped, scores) == pytest.approx(1 - auc(labels, scores), abs=1e-12)
    assert auc(labels, [-score for score in scores]) == auc(swapped, scores)
    assert ks(swapped, scores) == ks(labels, scores)


@given(samples())
def test_measures_must_stay_on_their_scale(sample: tuple[list[int], list[float]]) -> None:
    assert 0 <= auc(*sample) <= 1
    assert 0 <= ks(*sample) <= 1
    # KS is the largest vertical distance of the ROC curve from the diagonal, and the two
    # triangles it spans with the diagonal bound the area between them from below.
    assert ks(*sample) >= abs(2 * auc(*sample) - 1) / 2 - 1e-12


def test_known_cases() -> None:
    labels = [0, 0, 1, 1]
    assert auc(labels, [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert ks(labels, [0.1, 0.4, 0.35, 0.8]) == 0.5
    assert auc(labels, [1, 2, 3, 4]) == ks(labels, [1, 2, 3, 4]) == 1
    assert auc(labels, [4, 3, 2, 1]) == 0
    assert auc(labels, [5, 5, 5, 5]) == 0.5
    assert ks(labels, [5, 5, 5, 5]) == 0
    assert auc([False, True], [0.0, 1.0]) == 1


def test_the_top_must_count_positives_gain_and_lift() -> None:
    labels = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    scores = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    top = top_fraction(labels, scores, 0.2)
    assert (top.customers, top.positives, top.precision) == (2, 2, 1)
    assert top.gain == pytest.approx(2 / 3)
    assert top.lift == pytest.approx(1 / 0.3)
    everybody = top_fraction(labels, scores, 1)
    assert (everybody.customers, everybody.positives) == (10, 3)
    assert everybody.gain == 1
    assert everybody.lift == pytest.approx(1)
    assert top_fraction(labels, scores, 0.001).customers == 1
    assert top_fraction(labels, scores, 0.3).customers == 3


def test_ties_at_the_cut_must_count_their_expectation() -> None:
    top = top_fraction([1, 0, 1, 0, 0], [9, 5, 5, 5, 1], 0.4)
    assert top.customers == 2
    assert top.positives == pytest.approx(1 + 1 / 3)
    assert top_fraction([1, 0, 0, 0], [5, 5, 5, 5], 0.5).lift == pytest.approx(1)


@given(samples(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_wider_top_must_gain_at_least_as_much(
    sample: tuple[list[int], list[float]], one: float, other: float
) -> None:
    narrow, wide = sorted((one, other))
    small, large = top_fraction(*sample, narrow), top_fraction(*sample, wide)
    assert small.customers <= large.customers
    assert small.gain <= large.gain + 1e-12
    assert 0 <= small.gain <= 1 + 1e-12


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, math.nan])
def test_a_fraction_off_the_scale_must_be_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction must be above 0"):
        top_fraction([0, 1], [0.1, 0.2], fraction)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 0, 0], [1, 2, 3], "no positive example among 3 labels"),
        ([1, 1], [1, 2], "no negative example among 2 labels"),
        ([], [], "no positive example among 0 labels|labels must be 0 and 1"),
        ([0, 1, 2], [1, 2, 3], "labels must be 0 and 1"),
        ([0, 1, math.nan], [1, 2, 3], "labels must be 0 and 1"),
        (["no", "yes"], [1, 2], "labels must be 0 and 1"),
        ([0, 1], [1, 2, 3], "equally long"),
        ([[0, 1]], [[1, 2]], "one-dimensional"),
        ([0, 1], [1, math.nan], "scores must be finite"),
        ([0, 1], [1, math.inf], "scores must be finite"),
    ],
)
def test_what_cannot_be_measured_must_say_why(
    measure: Any, labels: Any, scores: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measure(labels, scores)
