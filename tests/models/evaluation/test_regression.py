"""Errors of predicted numbers against scikit-learn, and their intervals against real coverage."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from models.evaluation import regression_measures, rmse_difference_interval, rmse_interval
from tests.models.evaluation.samples import Draws

number = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
rows = st.lists(st.tuples(number, number, number), min_size=2, max_size=40).filter(
    lambda made: len({label for label, _, _ in made}) > 1
)


def made(seed: bytes, customers: int, *, long_tail: bool) -> tuple[np.ndarray, ...]:
    """Labels and two models' predictions: the first knows one of two traits, the second both."""
    draws = Draws(seed)
    one, other, noise = (draws.normal(customers) for _ in range(3))
    if not long_tail:
        return one + other + noise, one, one + other
    return np.exp(0.5 * (one + other + noise)), np.exp(0.5 * one), np.exp(0.5 * (one + other))


@given(rows)
def test_measures_must_agree_with_another_implementation(
    sample: list[tuple[float, float, float]],
) -> None:
    labels, predictions, _ = (np.array(column) for column in zip(*sample, strict=True))
    found = regression_measures(labels, predictions)
    assert list(found) == ["rmse", "mae", "r2"]
    assert found["rmse"] == pytest.approx(root_mean_squared_error(labels, predictions))
    assert found["mae"] == pytest.approx(mean_absolute_error(labels, predictions))
    assert found["r2"] == pytest.approx(r2_score(labels, predictions), rel=1e-9, abs=1e-9)


def test_saying_the_mean_to_everybody_must_explain_nothing_and_the_truth_everything() -> None:
    labels = np.array([1.0, 2.0, 6.0])
    assert regression_measures(labels, np.full(3, 3.0))["r2"] == 0
    assert regression_measures(labels, labels) == {"rmse": 0, "mae": 0, "r2": 1}
    assert regression_measures(labels, -labels)["r2"] < 0


@given(rows)
def test_intervals_must_hold_their_estimates(sample: list[tuple[float, float, float]]) -> None:
    labels, a, b = (np.array(column) for column in zip(*sample, strict=True))
    one, gap = rmse_interval(labels, a), rmse_difference_interval(labels, a, b)
    of_a, of_b = (regression_measures(labels, model)["rmse"] for model in (a, b))
    assert one.estimate == pytest.approx(of_a)
    assert 0 <= one.low <= one.estimate <= one.high
    assert gap.estimate == pytest.approx(of_b - of_a)
    assert gap.low <= gap.estimate <= gap.high
    turned = rmse_difference_interval(labels, b, a)
    assert (turned.low, turned.high) == (-gap.high, -gap.low)


def test_standard_errors_must_be_those_of_resampled_customers() -> None:
    labels, a, b = made(b"resampled", 800, long_tail=False)
    draws, everybody = Draws(b"draws"), np.arange(800)
    drawn = np.array(
        [
            [regression_measures(labels[r], model[r])["rmse"] for model in (a, b)]
            for r in (draws.resample(everybody) for _ in range(400))
        ]
    )
    gap = rmse_difference_interval(labels, a, b)
    assert gap.standard_error == pytest.approx((drawn[:, 1] - drawn[:, 0]).std(ddof=1), rel=0.1)
    assert rmse_interval(labels, a).standard_error == pytest.approx(drawn[:, 0].std(), rel=0.1)
    # Both models err on the same noise: unpaired, the difference would look less certain.
    apart = math.hypot(*(rmse_interval(labels, model).standard_error for model in (a, b)))
    assert gap.standard_error < 0.95 * apart


@pytest.mark.parametrize(
    ("long_tail", "customers", "least"), [(False, 100, 0.90), (False, 400, 0.91), (True, 400, 0.85)]
)
def test_interval_must_hold_the_truth_about_as_often_as_its_docstring_says(
    long_tail: bool, customers: int, least: float
) -> None:
    labels, a, b = made(b"truth", 1_000_000, long_tail=long_tail)
    truth = rmse_difference_interval(labels, a, b).estimate
    held, repeats = 0, 300
    for repeat in range(repeats):
        sample = made(b"coverage%d" % repeat, customers, long_tail=long_tail)
        found = rmse_difference_interval(*sample)
        held += found.low <= truth <= found.high
    assert least <= held / repeats <= 0.99


def test_more_customers_must_give_a_narrower_interval() -> None:
    widths = []
    for customers in (200, 800, 3200):
        found = rmse_difference_interval(*made(b"width", customers, long_tail=False))
        widths.append(found.high - found.low)
    assert all(wide > 1.5 * narrow for wide, narrow in pairwise(widths))


def test_predictions_that_are_right_everywhere_must_give_a_point() -> None:
    labels = [1.0, 2.0, 4.0]
    found = rmse_interval(labels, labels)
    assert (found.low, found.estimate, found.high, found.standard_error) == (0, 0, 0, 0)
    assert rmse_difference_interval(labels, labels, labels).high == 0


@pytest.mark.parametrize(
    ("labels", "predictions", "said"),
    [
        ([1, 2], [1, 2, 3], "equally long"),
        ([[1, 2]], [[1, 2]], "one-dimensional"),
        ([1, math.nan], [1, 2], "finite"),
        ([1, 2], [1, math.inf], "finite"),
        ([3, 3], [1, 2], "2 labels are equal"),
        ([3], [1], "1 labels are equal"),
        ([], [], "0 labels are equal"),
    ],
)
def test_what_cannot_be_measured_must_be_refused(
    labels: list[float], predictions: list[float], said: str
) -> None:
    for measure in (regression_measures, rmse_interval):
        with pytest.raises(ValueError, match=said):
            measure(labels, predictions)
    with pytest.raises(ValueError, match=said):
        rmse_difference_interval(labels, predictions, predictions)
