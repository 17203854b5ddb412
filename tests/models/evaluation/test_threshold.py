"""Confusion and calibration against scikit-learn and by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from models.evaluation import CalibrationBin, calibration_table, confusion
from tests.models.evaluation.samples import Draws, samples


@given(samples(), st.sampled_from([-3.0, 0.0, 0.25, 0.3, 7.0, 1e7]))
def test_confusion_must_agree_with_scikit_learn(
    sample: tuple[list[int], list[float]], threshold: float
) -> None:
    labels, scores = sample
    flagged = [score >= threshold for score in scores]
    tn, fp, fn, tp = confusion_matrix(labels, flagged).ravel()
    counts = confusion(labels, scores, threshold)
    assert counts.true_positives == tp
    assert counts.false_positives == fp
    assert counts.true_negatives == tn
    assert counts.false_negatives == fn
    assert counts.recall == pytest.approx(recall_score(labels, flagged))
    assert counts.false_positive_rate == pytest.approx(fp / (fp + tn))
    if any(flagged):
        assert counts.precision == pytest.approx(precision_score(labels, flagged))
    else:
        assert counts.precision is None


def test_a_score_at_the_threshold_must_be_flagged() -> None:
    counts = confusion([0, 1, 1], [0.5, 0.5, 0.4], 0.5)
    assert (counts.true_positives, counts.false_positives, counts.false_negatives) == (1, 1, 1)


def test_a_threshold_that_is_not_a_number_must_be_refused() -> None:
    with pytest.raises(ValueError, match="threshold"):
        confusion([0, 1], [0.1, 0.2], math.nan)


def test_calibration_must_be_as_counted_by_hand() -> None:
    labels = [0, 0, 1, 0, 1, 1]
    table = calibration_table(labels, [0.1, 0.2, 0.3, 0.4, 0.8, 0.9], bins=3)
    assert [(b.lowest, b.highest, b.customers, b.observed) for b in table] == [
        (0.1, 0.2, 2, 0.0),
        (0.3, 0.4, 2, 0.5),
        (0.8, 0.9, 2, 1.0),
    ]
    assert [b.mean_predicted for b in table] == pytest.approx([0.15, 0.35, 0.85])


def test_equal_probabilities_must_share_a_bin() -> None:
    table = calibration_table([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.9], bins=4)
    assert table == (
        CalibrationBin(lowest=0.5, highest=0.5, customers=3, mean_predicted=0.5, observed=1 / 3),
        CalibrationBin(lowest=0.9, highest=0.9, customers=1, mean_predicted=0.9, observed=1.0),
    )


def test_a_calibrated_model_must_look_calibrated() -> None:
    draws = Draws(b"calibrated")
    probability = draws.uniform(50_000)
    labels = draws.uniform(50_000) < probability
    table = calibration_table(labels, probability)
    assert [b.customers for b in table] == [5_000] * 10
    for b in table:
        assert b.observed == pytest.approx(b.mean_predicted, abs=0.03)


@given(samples(), st.integers(1, 12))
def test_bins_must_cover_every_customer_once_and_in_order(
    sample: tuple[list[int], list[float]], bins: int
) -> None:
    labels, scores = sample
    probability = [0.5 + math.atan(score) / 4 for score in scores]
    table = calibration_table(labels, probability, bins)
    assert 1 <= len(table) <= bins
    assert sum(b.customers for b in table) == len(labels)
    assert sum(b.observed * b.customers for b in table) == pytest.approx(sum(labels))
    for b in table:
        assert b.lowest <= b.mean_predicted + 1e-12
        assert b.mean_predicted <= b.highest + 1e-12
    for before, after in pairwise(table):
        assert before.highest < after.lowest


@pytest.mark.parametrize(
    ("probabilities", "bins", "message"),
    [
        ([0.1, 1.1], 10, "between 0 and 1"),
        ([-0.1, 0.5], 10, "between 0 and 1"),
        ([0.1, 0.5], 0, "bins must be at least 1"),
    ],
)
def test_what_cannot_be_calibrated_must_say_why(
    probabilities: list[float], bins: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        calibration_table([0, 1], probabilities, bins)


def test_one_absent_class_must_be_refused() -> None:
    with pytest.raises(ValueError, match="no positive example"):
        confusion([0, 0], [0.1, 0.2], 0.5)
    with pytest.raises(ValueError, match="no negative example"):
        calibration_table([1, 1], [0.1, 0.2])
