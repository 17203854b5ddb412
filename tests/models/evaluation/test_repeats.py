"""The corrected resampled t interval against the paper's formula, SciPy, and its coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.evaluation.repeats import resampled_interval, student_t_975
from tests.models.evaluation.samples import Draws

splits = st.lists(
    st.tuples(st.floats(-1, 1), st.integers(1, 5000), st.integers(1, 5000)),
    min_size=2,
    max_size=20,
)


@pytest.mark.parametrize("degrees", [*range(1, 41), 99, 100, 1000])
def test_quantile_must_agree_with_scipy(degrees: int) -> None:
    assert student_t_975(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=1e-9)


@pytest.mark.parametrize(("degrees", "printed"), [(1, 12.706), (4, 2.776), (9, 2.262), (30, 2.042)])
def test_quantile_must_agree_with_a_printed_table(degrees: int, printed: float) -> None:
    assert student_t_975(degrees) == pytest.approx(printed, abs=5e-4)


@given(splits)
def test_interval_must_be_the_papers_formula(made: list[tuple[float, int, int]]) -> None:
    values, train, test = (list(column) for column in zip(*made, strict=True))
    j = len(values)
    mean = sum(values) / j
    variance = sum((value - mean) ** 2 for value in values) / (j - 1)
    n1, n2 = sum(train) / j, sum(test) / j
    corrected = (1 / j + n2 / n1) * variance
    margin = stats.t.ppf(0.975, j - 1) * math.sqrt(corrected)
    found = resampled_interval(values, trained_on=train, measured_on=test)
    assert found.estimate == pytest.approx(mean, abs=1e-12)
    assert found.standard_error == pytest.approx(math.sqrt(corrected), abs=1e-9)
    assert found.low == pytest.approx(mean - margin, abs=1e-6)
    assert found.high == pytest.approx(mean + margin, abs=1e-6)


def test_interval_must_be_wider_than_the_plain_one_and_never_vanish_with_more_splits() -> None:
    values = [0.80, 0.82, 0.84, 0.83, 0.81]
    found = resampled_interval(values, trained_on=[800] * 5, measured_on=[200] * 5)
    plain = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert found.high - found.low == pytest.approx((plain[1] - plain[0]) * math.sqrt(1 + 5 / 4))
    many = resampled_interval(values * 4, trained_on=[800] * 20, measured_on=[200] * 20)
    floor = 2 * stats.norm.ppf(0.975) * math.sqrt(200 / 800 * np.var(values * 4, ddof=1))
    assert floor < many.high - many.low < found.high - found.low


def test_equal_values_must_give_a_point() -> None:
    found = resampled_interval([0.5, 0.5, 0.5], trained_on=[8] * 3, measured_on=[2] * 3)
    assert (found.low, found.estimate, found.high) == (0.5, 0.5, 0.5)


def test_interval_must_hold_the_truth_where_repeated_splits_of_one_sample_mislead() -> None:
    """A "model" that is a mean of its training half: its squared error over fresh customers."""
    plain_held, corrected_held, repeats = 0, 0, 200
    truth = 1 + 1 / 80  # unit noise, plus the variance of a mean of 80
    for repeat in range(repeats):
        draws = Draws(b"splits%d" % repeat)
        customers = draws.normal(100)
        errors = []
        for _ in range(10):
            order = np.argsort(draws.uniform(100))
            train, test = customers[order[:80]], customers[order[80:]]
            errors.append(float(((test - train.mean()) ** 2).mean()))
        found = resampled_interval(errors, trained_on=[80] * 10, measured_on=[20] * 10)
        corrected_held += found.low <= truth <= found.high
        low, high = stats.t.interval(0.95, 9, np.mean(errors), stats.sem(errors))
        plain_held += low <= truth <= high
    assert corrected_held / repeats > 0.85
    assert plain_held / repeats < corrected_held / repeats - 0.1


@pytest.mark.parametrize(
    ("values", "train", "test", "said"),
    [
        ([0.5], [8], [2], "at least two"),
        ([0.5, 0.6], [8], [2, 2], "both its sizes"),
        ([0.5, 0.6], [8, 0], [2, 2], "somebody"),
        ([0.5, math.nan], [8, 8], [2, 2], "finite"),
    ],
)
def test_what_gives_no_interval_must_be_refused(
    values: list[float], train: list[int], test: list[int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        resampled_interval(values, trained_on=train, measured_on=test)


def test_no_degree_of_freedom_must_be_refused() -> None:
    with pytest.raises(ValueError, match="degree"):
        student_t_975(0)
