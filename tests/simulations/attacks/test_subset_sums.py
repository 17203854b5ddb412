"""Sets of rows with a given sum, against all subsets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulations.attacks import subset_sums
from simulations.attacks.subset_sums import certain_rows, kinds


def _by_all_subsets(first, second, sums, smallest):
    rows = range(len(first))
    found = [
        chosen
        for size in range(smallest, len(first) - smallest + 1)
        for chosen in combinations(rows, size)
        if (sum(first[at] for at in chosen), sum(second[at] for at in chosen)) == sums
    ]
    inside = [bool(found) and all(at in chosen for chosen in found) for at in rows]
    outside = [bool(found) and all(at not in chosen for chosen in found) for at in rows]
    return inside, outside


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 2)), min_size=4, max_size=9),
    st.integers(1, 2),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_certain_rows_must_be_those_of_all_subsets(rows, smallest, data):
    first, second = (np.array(each, np.int64) for each in zip(*rows, strict=True))
    left = data.draw(
        st.sets(st.integers(0, len(rows) - 1), min_size=smallest, max_size=len(rows) - smallest)
    )
    sums = int(first[list(left)].sum()), int(second[list(left)].sum())
    node = kinds(first, second)
    inside, outside = certain_rows(node, *sums, smallest)
    expected = _by_all_subsets(first.tolist(), second.tolist(), sums, smallest)
    assert (inside.tolist(), outside.tolist()) == expected
    assert not inside[[at not in left for at in range(len(rows))]].any()
    assert not outside[list(left)].any()


def test_sums_that_no_rows_have_must_make_nobody_certain():
    node = kinds(np.array([1, 2, 3, 4]), np.array([1, 1, 1, 1]))
    inside, outside = certain_rows(node, 100, 2, 1)
    assert not inside.any()
    assert not outside.any()


def test_too_many_kinds_must_be_left_alone(monkeypatch):
    monkeypatch.setattr(subset_sums, "MOST_SUMS", 16)
    assert kinds(np.arange(20), np.ones(20, np.int64)) is None
    assert kinds(np.arange(8), np.ones(8, np.int64)) is not None
