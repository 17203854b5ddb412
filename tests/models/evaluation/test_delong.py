"""DeLong's intervals against the definition, a bootstrap and their nominal coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation import Interval, auc, auc_difference_interval, auc_interval
from tests.models.evaluation.samples import Draws, samples


def covariance_by_definition(labels: list[int], columns: list[list[float]]) -> np.ndarray:
    """DeLong et al. 1988 word for word: every pair of a positive and a negative, O(m n)."""
    label = np.asarray(labels, bool)
    kernels = []
    for column in columns:
        score = np.asarray(column, float)
        x, y = score[label][:, None], score[~label][None, :]
        kernels.append((y < x) + 0.5 * (y == x))
    m, n = kernels[0].shape
    total = np.zeros((len(columns), len(columns)))
    for r, first in enumerate(kernels):
        for s, second in enumerate(kernels):
            v10_r, v10_s = first.mean(axis=1), second.mean(axis=1)
            v01_r, v01_s = first.mean(axis=0), second.mean(axis=0)
            s10 = ((v10_r - first.mean()) * (v10_s - second.mean())).sum() / (m - 1)
            s01 = ((v01_r - first.mean()) * (v01_s - second.mean())).sum() / (n - 1)
            total[r, s] = s10 / m + s01 / n
    return total


def two_models(seed: bytes, customers: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and two correlated, tied scores of which the second ranks better."""
    draws = Draws(seed)
    labels = draws.uniform(customers) < 0.25
    shared = draws.normal(customers)
    a = np.round(shared + 0.5 * labels + draws.normal(customers) / 2, 1)
    b = np.round(shared + 1.0 * labels + draws.normal(customers) / 2, 1)
    return labels, a, b


@given(samples(smallest_class=2))
def test_one_auc_must_equal_the_definition(sample: tuple[list[int], list[float]]) -> None:
    labels, scores = sample
    interval = auc_interval(labels, scores)
    variance = covariance_by_definition(labels, [scores])[0, 0]
    assert interval.estimate == pytest.approx(auc(labels, scores), abs=1e-12)
    assert interval.standard_error**2 == pytest.approx(variance, abs=1e-12)


@given(samples(smallest_class=2), st.randoms())
def test_a_difference_must_equal_the_definition(
    sample: tuple[list[int], list[float]], shuffler: object
) -> None:
    labels, a = sample
    b = list(a)
    shuffler.shuffle(b)  # type: ignore[attr-defined]
    covariance = covariance_by_definition(labels, [a, b])
    interval = auc_difference_interval(labels, a, b)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert interval.estimate == pytest.approx(auc(labels, b) - auc(labels, a), abs=1e-12)
    assert interval.standard_error**2 == pytest.approx(variance, abs=1e-12)
    assert -1 <= interval.low <= interval.estimate <= interval.high <= 1


def test_a_tied_sample_of_hundreds_must_equal_the_definition() -> None:
    labels, a, b = two_models(b"sample 3")
    covariance = covariance_by_definition(labels.astype(int).tolist(), [a.tolist(), b.tolist()])
    assert auc_interval(labels, a).standard_error ** 2 == pytest.approx(covariance[0, 0])
    assert auc_interval(labels, b).standard_error ** 2 == pytest.approx(covariance[1, 1])
    paired = auc_difference_interval(labels, a, b)
    expected = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert paired.standard_error**2 == pytest.approx(expected)


def test_a_hand_computed_case() -> None:
    # Positives 3, 1; negatives 2, 0. Pairs won: 3>2, 3>0, 1>0; AUC 3/4.
    # V10 = (1, 1/2), V01 = (1/2, 1): S10 = S01 = 1/8, variance = 1/16 + 1/16.
    interval = auc_interval([1, 1, 0, 0], [3, 1, 2, 0])
    assert interval.estimate == 0.75
    assert interval.standard_error == pytest.approx(math.sqrt(1 / 8))
    assert interval.low == pytest.approx(0.75 - 1.959963984540054 * math.sqrt(1 / 8))
    assert interval.high == 1


def test_bootstrap_must_give_about_the_same_standard_errors() -> None:
    labels, a, b = two_models(b"sample 5")
    draws = Draws(b"bootstrap")
    positives, negatives = np.flatnonzero(labels), np.flatnonzero(~labels)
    one, difference = [], []
    for _ in range(2000):
        rows = np.concatenate([draws.resample(positives), draws.resample(negatives)])
        auc_a, auc_b = auc(labels[rows], a[rows]), auc(labels[rows], b[rows])
        one.append(auc_a)
        difference.append(auc_b - auc_a)
    assert np.std(one) == pytest.approx(auc_interval(labels, a).standard_error, rel=0.08)
    paired = auc_difference_interval(labels, a, b)
    assert np.std(difference) == pytest.approx(paired.standard_error, rel=0.08)
    assert paired.low > 0, "the better model is told apart"


def test_intervals_must_cover_the_truth_about_as_often_as_they_say() -> None:
    # Two normal populations one apart: the true AUC is Phi(1 / sqrt 2).
    truth = 0.5 * (1 + math.erf(0.5))
    draws = Draws(b"coverage")
    labels = np.arange(300) < 100
    covered = 0
    for _ in range(1000):
        interval = auc_interval(labels, draws.normal(300) + labels)
        covered += interval.low <= truth <= interval.high
    assert 925 <= covered <= 970


def test_pairing_must_narrow_the_difference_of_correlated_models() -> None:
    labels, a, b = two_models(b"sample 7")
    independent = math.hypot(
        auc_interval(labels, a).standard_error, auc_interval(labels, b).standard_error
    )
    assert auc_difference_interval(labels, a, b).standard_error < independent / 1.5


@given(samples(smallest_class=2))
def test_intervals_must_follow_order_alone_and_mirror_swapped_labels(
    sample: tuple[list[int], list[float]],
) -> None:
    labels, scores = sample
    interval = auc_interval(labels, scores)
    place = {score: rank for rank, score in enumerate(sorted(set(scores)))}
    assert auc_interval(labels, [3.0 * place[score] for score in scores]) == interval
    mirrored = auc_interval([1 - label for label in labels], scores)
    assert mirrored.standard_error == pytest.approx(interval.standard_error, abs=1e-9)
    assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-9)
    assert mirrored.high == pytest.approx(1 - interval.low, abs=1e-9)


@given(samples(smallest_class=2))
def test_a_difference_must_change_sign_with_its_arguments_and_vanish_against_itself(
    sample: tuple[list[int], list[float]],
) -> None:
    labels, a = sample
    b = a[::-1]
    there, back = auc_difference_interval(labels, a, b), auc_difference_interval(labels, b, a)
    assert back.estimate == -there.estimate
    assert back.low == pytest.approx(-there.high, abs=1e-9)
    assert back.high == pytest.approx(-there.low, abs=1e-9)
    itself = auc_difference_interval(labels, a, a)
    assert itself.estimate == 0
    assert itself.standard_error == pytest.approx(0, abs=1e-7)


def test_perfect_separation_must_give_a_point() -> None:
    interval = auc_interval([0, 0, 1, 1], [1, 2, 3, 4])
    assert interval == Interval(estimate=1, standard_error=0, low=1, high=1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 0, 0, 0], "two examples of each class; here are 1 positive and 3 negative"),
        ([1, 1, 1, 0], "two examples of each class; here are 3 positive and 1 negative"),
        ([1, 1, 1, 1], "no negative example"),
        ([0, 0, 0, 0], "no positive example"),
    ],
)
def test_too_few_of_a_class_must_be_refused(labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auc_interval(labels, [1, 2, 3, 4])
    with pytest.raises(ValueError, match=message):
        auc_difference_interval(labels, [1, 2, 3, 4], [4, 3, 2, 1])


def test_scores_of_different_customers_must_be_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        auc_difference_interval([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3])
