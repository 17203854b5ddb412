"""Bins, weights of evidence and the choice of columns, as pure functions of counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from models.scorecard.evidence import (
    EVIDENCE_BOUND,
    Counts,
    choose_columns,
    correlation,
    implied_counts,
    in_units,
    information_value,
    join_monotone,
    join_withheld,
    sum_counts,
    weights_of_evidence,
)
from protocols.errors import RemoteProtocolError

one_class = st.integers(1, 400)
counts = st.tuples(one_class, one_class).map(lambda pair: Counts(sum(pair), pair[0]))


def test_weights_and_information_value_must_be_those_of_a_hand_computed_table():
    # Two bins, 100 rows each: 10 and 40 of label 1. ln((10/50)/(90/150)) = ln(1/3), and so on.
    table = [Counts(100, 10), Counts(100, 40)]
    assert weights_of_evidence(table) == pytest.approx([math.log(1 / 3), math.log(2)])
    value = (0.2 - 0.6) * math.log(1 / 3) + (0.8 - 0.4) * math.log(2)
    assert information_value(table) == pytest.approx(value)


def test_units_must_round_and_stay_within_their_bound():
    assert [in_units(w) for w in (0.0, 1.0, -0.25, 0.001, 9.0, -9.0)] == [
        0,
        256,
        -64,
        0,
        EVIDENCE_BOUND,
        -EVIDENCE_BOUND,
    ]


@pytest.mark.parametrize(
    ("rows", "above", "ordered", "joined"),
    [
        # A withheld bin joins the neighbour with fewer rows; at the end the only one.
        ([50, 5, 40], [True, False, True], 3, [(0,), (1, 2)]),
        ([5, 50, 40], [False, True, True], 3, [(0, 1), (2,)]),
        ([50, 40, 5], [True, True, False], 3, [(0,), (1, 2)]),
        # A run joins as one; ties go to the left.
        ([40, 5, 6, 40], [True, False, False, True], 4, [(0, 1, 2), (3,)]),
        # Missing values and levels join the bin with the most rows.
        ([50, 60, 5], [True, True, False], 2, [(0,), (1, 2)]),
        ([50, 5, 60, 6], [True, False, True, False], 0, [(0,), (1, 2, 3)]),
        # Ordered bins without one above the floor among them join what there is.
        ([5, 6, 90], [False, False, True], 2, [(0, 1, 2)]),
        ([5, 6], [False, False], 2, [(0, 1)]),
    ],
)
def test_withheld_bins_must_join_one_above_the_floor(rows, above, ordered, joined):
    assert join_withheld(rows, above, ordered=ordered) == joined


@given(st.lists(st.tuples(st.integers(1, 99), st.booleans()), min_size=1, max_size=12), st.data())
def test_every_bin_must_be_joined_once_and_runs_stay_neighbours(bins, data):
    ordered = data.draw(st.integers(0, len(bins)))
    rows, above = [r for r, _ in bins], [a for _, a in bins]
    joined = join_withheld(rows, above, ordered=ordered)
    assert sorted(at for group in joined for at in group) == list(range(len(bins)))
    assert len(joined) == max(1, sum(above))
    for group in joined:
        inside = [at for at in group if at < ordered]
        if any(above[at] for at in inside):
            assert inside == list(range(inside[0], inside[-1] + 1))


@given(st.lists(counts, min_size=1, max_size=10))
def test_monotone_bins_must_be_the_isotonic_fit(table):
    runs = join_monotone(table)
    assert [at for run in runs for at in run] == list(range(len(table)))
    shares = [(c := sum_counts(table, run)).positives / c.rows for run in runs]
    steps = np.diff(shares)
    assert (steps > 0).all() or (steps < 0).all()
    rising = bool(len(steps) == 0 or steps[0] > 0)
    fit = IsotonicRegression(increasing=rising).fit_transform(
        range(len(table)),
        [c.positives / c.rows for c in table],
        sample_weight=[c.rows for c in table],
    )
    ours = [share for run, share in zip(runs, shares, strict=True) for _ in run]
    assert ours == pytest.approx(fit, abs=1e-9)


@given(st.lists(counts, min_size=1, max_size=8))
def test_of_two_directions_the_one_with_more_information_must_win(table):
    kept = information_value([sum_counts(table, run) for run in join_monotone(table)])
    back = [sum_counts(table[::-1], run) for run in join_monotone(table[::-1])]
    assert kept == pytest.approx(information_value(back), abs=1e-12)
    assert kept <= information_value(table) + 1e-12


@st.composite
def _columns_of_one_table(draw):
    """Several columns' bins over the same rows."""
    first = draw(st.lists(counts, min_size=2, max_size=6))
    total = sum_counts(first, range(len(first)))
    columns = [first]
    for _ in range(draw(st.integers(0, 2))):
        if min(total.positives, total.negatives) < 4:
            break
        positives = draw(st.integers(1, total.positives - 1))
        negatives = draw(st.integers(1, total.negatives - 1))
        part = Counts(positives + negatives, positives)
        rest = Counts(total.rows - part.rows, total.positives - positives)
        columns.append([part, rest])
    return columns


@given(_columns_of_one_table())
def test_weights_and_sizes_must_imply_the_counts(columns):
    weights = [weights_of_evidence(column) for column in columns]
    if not any(w for column in weights for w in column):
        return  # every bin is like the whole: nothing fixes the base rate, and nothing needs it
    rows = [[c.rows for c in column] for column in columns]
    assert implied_counts(rows, weights) == columns


def test_the_weakest_evidence_of_a_large_table_must_imply_its_counts():
    half = 500_000
    column = [Counts(half, half // 2), Counts(half, half // 2 + 1)]
    weights = weights_of_evidence(column)
    assert 0 < weights[1] < 1e-5
    assert implied_counts([[half, half]], [weights]) == [column]


@pytest.mark.parametrize(
    "weights",
    [
        [[0.1, 0.3]],
        [[-0.1, -0.3]],
        [[1e9, -1e9]],
        [[60.0, -60.0]],
        [[-1.08, 0.69]],
        [[math.log(1 / 3), math.log(2)], [0.5, -0.5]],
    ],
)
def test_weights_no_counts_have_must_be_refused(weights):
    with pytest.raises(RemoteProtocolError):
        implied_counts([[100, 100]] * len(weights), weights)


def test_no_columns_must_imply_no_counts():
    assert implied_counts([], []) == []


def test_columns_must_be_chosen_by_information_and_correlation():
    a = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    b = a * 10 + np.array([0, 1, 0, 0, 0, 0, 0, 1])  # almost a
    c = np.array([3, 1, 2, 0, 3, 1, 2, 0])
    flat = np.zeros(8, int)
    units = np.array([a, b, c, flat, c])
    reasons = choose_columns(
        [0.3, 0.5, 0.2, 0.9, 0.01],
        units,
        minimum_information_value=0.02,
        maximum_correlation=0.9,
    )
    assert [bool(reason) for reason in reasons] == [True, False, False, True, True]
    assert "correlated" in reasons[0]
    assert "below the minimum" in reasons[4]
    everything = choose_columns(
        [0.3, 0.5, 0.2], units[:3], minimum_information_value=0, maximum_correlation=1
    )
    assert everything == ["", "", ""]


@given(st.lists(st.tuples(st.integers(-2047, 2047), st.integers(-2047, 2047)), min_size=3))
def test_correlation_must_be_pearsons(pairs):
    left, right = np.array(pairs, np.int64).T
    if np.ptp(left) and np.ptp(right):
        assert correlation(left, right) == pytest.approx(np.corrcoef(left, right)[0, 1], abs=1e-9)
    else:
        assert correlation(left, right) == 0
