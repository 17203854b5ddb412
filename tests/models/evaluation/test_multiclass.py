"""Measures of several classes against scikit-learn, and the interval of a paired difference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from models.evaluation import (
    accuracy_difference_interval,
    accuracy_interval,
    class_measures,
    one_vs_rest_aucs,
)
from tests.models.evaluation.samples import Draws


@st.composite
def samples(draw: Any, models: int = 1) -> tuple[np.ndarray, ...]:
    """Labels with every one of three to five classes, and that many models' probabilities."""
    classes = draw(st.integers(3, 5))
    more = draw(st.lists(st.integers(0, classes - 1), max_size=30))
    labels = np.array(draw(st.permutations([*range(classes), *more])))
    weight = st.integers(1, 4)
    row = st.lists(weight, min_size=classes, max_size=classes)
    made = [
        np.array(draw(st.lists(row, min_size=len(labels), max_size=len(labels))), dtype=float)
        for _ in range(models)
    ]
    return labels, *(weights / weights.sum(axis=1, keepdims=True) for weights in made)


def classified(seed: bytes, customers: int) -> tuple[np.ndarray, ...]:
    """Labels of three classes, and two models' probabilities: the second knows twice as much."""
    draws = Draws(seed)
    traits = np.stack([draws.normal(customers) for _ in range(3)], axis=1)
    noise = np.stack([draws.normal(customers) for _ in range(3)], axis=1)
    labels = (traits + noise).argmax(axis=1)
    known = [np.exp(strength * traits + (1 - strength) * noise[::-1]) for strength in (0.4, 0.8)]
    return labels, *(weights / weights.sum(axis=1, keepdims=True) for weights in known)


@given(samples())
def test_measures_must_agree_with_another_implementation(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, probabilities = sample
    found = class_measures(labels, probabilities)
    assert list(found) == ["accuracy", "log_loss", "auc"]
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, probabilities.argmax(axis=1)))
    assert found["log_loss"] == pytest.approx(log_loss(labels, probabilities))
    assert found["auc"] == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr"))


def test_a_class_nobody_has_must_be_left_out_of_the_mean() -> None:
    labels = np.array([0, 1, 1, 0, 1])
    probabilities = np.array(
        [[0.5, 0.2, 0.3], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.4, 0.4, 0.2], [0.2, 0.7, 0.1]]
    )
    areas = one_vs_rest_aucs(labels, probabilities)
    expected = [roc_auc_score(labels == k, probabilities[:, k]) for k in (0, 1)]
    assert areas == [*map(pytest.approx, expected), None]
    assert class_measures(labels, probabilities)["auc"] == pytest.approx(np.mean(expected))


def test_a_class_called_impossible_must_cost_much_but_not_everything() -> None:
    labels, probabilities = [0, 1], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    assert class_measures(labels, probabilities)["log_loss"] == pytest.approx(-math.log(1e-9) / 2)


@given(samples(models=2))
def test_intervals_must_hold_their_estimates_and_stay_on_the_scale(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, a, b = sample
    one, gap = accuracy_interval(labels, a), accuracy_difference_interval(labels, a, b)
    of_a, of_b = (class_measures(labels, model)["accuracy"] for model in (a, b))
    assert one.estimate == pytest.approx(of_a)
    assert 0 <= one.low <= one.estimate + 1e-12
    assert one.estimate - 1e-12 <= one.high <= 1
    assert gap.estimate == pytest.approx(of_b - of_a)
    assert -1 <= gap.low <= gap.estimate + 1e-12
    assert gap.estimate - 1e-12 <= gap.high <= 1
    assert (gap.low == gap.high) == np.array_equal(a, b)
    turned = accuracy_difference_interval(labels, b, a)
    assert (turned.low, turned.high) == (pytest.approx(-gap.high), pytest.approx(-gap.low))


def test_accuracy_interval_must_be_wilsons() -> None:
    labels, a, _ = classified(b"wilson", 200)
    found = accuracy_interval(labels, a)
    right = int((a.argmax(axis=1) == labels).sum())
    expected = stats.binomtest(right, 200).proportion_ci(method="wilson")
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_paired_interval_must_be_that_of_the_table_with_half_a_customer_more_in_each_cell() -> None:
    """By the multinomial variance of a difference of two cells' shares."""
    both, won, lost, neither = 227, 132, 107, 678
    cells = np.repeat([0, 1, 2, 3], [both, won, lost, neither])
    labels = np.arange(len(cells)) % 2

    def names(right: np.ndarray) -> np.ndarray:
        return np.eye(3)[np.where(right, labels, 2)]

    found = accuracy_difference_interval(
        labels, names(np.isin(cells, (0, 2))), names(np.isin(cells, (0, 1)))
    )
    shares = (np.array([both, won, lost, neither]) + 0.5) / (len(cells) + 2)
    covariance = (np.diag(shares) - np.outer(shares, shares)) / (len(cells) + 2)
    weights = np.array([0, 1, -1, 0])
    middle, error = weights @ shares, math.sqrt(weights @ covariance @ weights)
    assert found.estimate == pytest.approx((won - lost) / len(cells))
    assert found.low == pytest.approx(middle + stats.norm.ppf(0.025) * error)
    assert found.high == pytest.approx(middle + stats.norm.ppf(0.975) * error)


@pytest.mark.parametrize("customers", [60, 300])
def test_paired_interval_must_hold_the_truth_about_as_often_as_it_says(customers: int) -> None:
    labels, a, b = classified(b"truth", 400_000)
    truth = accuracy_difference_interval(labels, a, b).estimate
    held, repeats = 0, 300
    for repeat in range(repeats):
        found = accuracy_difference_interval(*classified(b"coverage%d" % repeat, customers))
        held += found.low <= truth <= found.high
    assert 0.92 <= held / repeats <= 0.99


@pytest.mark.parametrize(
    ("labels", "probabilities", "said"),
    [
        ([0, 1], [[0.5, 0.5]], "one label and one row"),
        ([0, 1], [0.5, 0.5], "one label and one row"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "whole numbers"),
        ([0, 0.5], [[0.5, 0.5], [0.5, 0.5]], "whole numbers"),
        (["a", "b"], [[0.5, 0.5], [0.5, 0.5]], "whole numbers"),
        ([0, 1], [[0.5, 0.5], [1.5, -0.5]], "between 0 and 1"),
        ([0, 1], [[0.5, 0.5], [math.nan, 0.5]], "between 0 and 1"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.4]], "add up to 1"),
        ([1, 1], [[0.5, 0.5], [0.5, 0.5]], "2 labels are of one class"),
    ],
)
def test_what_cannot_be_measured_must_be_refused(
    labels: Any, probabilities: Any, said: str
) -> None:
    for measure in (class_measures, one_vs_rest_aucs, accuracy_interval):
        with pytest.raises(ValueError, match=said):
            measure(labels, probabilities)
    with pytest.raises(ValueError, match=said):
        accuracy_difference_interval(labels, probabilities, probabilities)
