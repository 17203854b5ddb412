"""Binning and the candidate lists, by brute force over the rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.binning import MISSING, ColumnBins, learn_binning
from models.boosted_trees.candidates import Candidate, goes_left, node_candidates
from models.table import Column, ColumnTable
from protocols.errors import LocalProtocolError

NUMBERS = st.one_of(
    st.floats(allow_infinity=False, width=64),
    st.integers(-3, 3).map(float),
    st.just(float("nan")),
)
LEVELS = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d", "e", ""]), st.text(max_size=2))


def _bins(column, bins):
    return learn_binning(ColumnTable((column,), len(column.values)), bins).columns[0]


def _numeric(values):
    return Column("v", "numeric", np.array(values, np.float64))


def _categorical(values):
    return Column("v", "categorical", np.array([*values, None], object)[:-1])


@settings(max_examples=150, deadline=None)
@given(st.lists(NUMBERS, max_size=60), st.integers(2, 12))
def test_numeric_codes_must_follow_the_edges(values, bins):
    learned = _bins(_numeric(values), bins)
    codes = learned.codes(_numeric(values))
    assert learned.size <= bins
    for value, code in zip(values, codes.tolist(), strict=True):
        if np.isnan(value):
            assert code == MISSING
        else:
            assert code == sum(edge < value for edge in learned.edges)
    used = {code for code in codes.tolist() if code != MISSING}
    assert used == set(range(learned.size)) or not used
    distinct = len({value for value in values if not np.isnan(value)})
    if distinct <= bins:
        assert learned.size == max(distinct, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(LEVELS, max_size=60), st.integers(2, 6), st.randoms(use_true_random=False))
def test_bins_must_not_depend_on_the_order_of_rows(values, bins, shuffler):
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    learned = _bins(_categorical(values), bins)
    assert learned == _bins(_categorical(shuffled), bins)
    counts = Counter(v for v in values if v is not None)
    assert learned.size <= bins
    assert learned.other == (len(counts) > bins)
    kept = min((counts[level] for level in learned.levels), default=0)
    assert all(count <= kept for level, count in counts.items() if level not in learned.levels)


def test_quantile_bins_must_hold_about_equal_numbers_of_rows():
    learned = _bins(_numeric(np.arange(1000.0) ** 3), 10)
    counts = np.bincount(learned.codes(_numeric(np.arange(1000.0) ** 3)))
    assert counts.tolist() == [100] * 10


def test_neighbouring_floats_must_stay_in_different_bins():
    values = [1.0, np.nextafter(1.0, 2), -1.7e308, 1.7e308, 0.0, 5e-324]
    assert _bins(_numeric(values), 8).size == len(values)


def test_unseen_values_must_have_their_defined_codes():
    seen = ["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"]
    capped, full = _bins(_categorical(seen), 3), _bins(_categorical(seen), 4)
    assert (capped.levels, capped.other, capped.size) == (("a", "b"), True, 3)
    assert (full.levels, full.other, full.size) == (("a", "b", "c", "d"), False, 4)
    asked = _categorical(["a", "d", "new", None])
    assert capped.codes(asked).tolist() == [0, 2, 2, MISSING]
    assert full.codes(asked).tolist() == [0, 3, 4, MISSING]
    for level in range(full.size):
        assert not goes_left(full.codes(asked), "categorical", Candidate(level, True))[2]


def test_descriptions_must_say_which_rows_go_left():
    numeric = _bins(_numeric([1.0, 2.0, 3.0]), 4)
    assert numeric.describe(0, False) == "v <= 1.5"
    assert numeric.describe(1, True) == "v <= 2.5 or missing"
    assert numeric.describe(2, False) == "v is present"
    levels = _bins(_categorical(["a", "a", "b", "c"]), 2)
    assert levels.describe(0, False) == "v == 'a'"
    assert levels.describe(1, True) == "v is none of the listed levels or missing"
    assert levels.describe(MISSING, True) == "v is missing"


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["numeric", "categorical"]),
    st.lists(st.integers(0, 14), min_size=1, max_size=7),
    st.integers(0, 14),
    st.integers(1, 9),
    st.booleans(),
)
def test_children_and_protected_differences_must_hold_enough_rows(
    kind, present, missing, minimum, protected
):
    edges = tuple(float(k) for k in range(len(present) - 1))
    levels = tuple("abcdefg"[: len(present)])
    bins = (
        ColumnBins("v", "numeric", edges, (), other=False)
        if kind == "numeric"
        else ColumnBins("v", "categorical", (), levels, other=False)
    )
    counts = np.array([missing, *present])
    codes = np.repeat(np.arange(-1, len(present)), counts).astype(np.int16)

    candidates = node_candidates(bins, counts, minimum, protected=protected)
    assert candidates == sorted(set(candidates))
    lefts = [goes_left(codes, kind, candidate) for candidate in candidates]
    for left in lefts:
        assert minimum <= left.sum() <= len(codes) - minimum
    if protected and lefts:
        # Whatever is computed from the sums and the total speaks for unions of these classes.
        classes = Counter(zip(*(left.tolist() for left in lefts), strict=True))
        assert min(classes.values()) >= minimum
    if not protected:
        assert _partitions(lefts) == _partitions(_all_lefts(kind, codes, len(present), minimum))


def _all_lefts(kind, codes, size, minimum):
    tests = [Candidate(b, m) for b in range(MISSING, size) for m in (False, True)]
    if not (codes == MISSING).any():
        tests = [Candidate(b, False) for b in range(size)]
    lefts = [goes_left(codes, kind, test) for test in tests]
    return [left for left in lefts if minimum <= left.sum() <= len(codes) - minimum]


def _partitions(lefts):
    """The splits as unordered pairs: the same rows on the other side are the same split."""
    return {min(left.tobytes(), (~left).tobytes()) for left in lefts}


def test_missing_rows_must_get_both_directions_only_where_enough_are_missing():
    bins = ColumnBins("v", "numeric", (0.0, 1.0, 2.0), (), other=False)
    few, enough = np.array([4, 10, 10, 10, 10]), np.array([5, 10, 10, 10, 10])
    default = [(0, False), (1, True), (2, True)]  # with the larger child
    assert node_candidates(bins, few, 5, protected=True) == default
    both = [(b, m) for b in range(3) for m in (False, True)] + [(3, False)]
    assert node_candidates(bins, enough, 5, protected=True) == both
    assert node_candidates(bins, few, 4, protected=False) == both


def test_small_level_must_not_be_what_the_others_leave():
    bins = ColumnBins("v", "categorical", (), ("a", "b", "c"), other=False)
    counts = np.array([0, 100, 80, 2])
    assert node_candidates(bins, counts, 5, protected=True) == [(0, False)]
    assert len(node_candidates(bins, counts, 2, protected=False)) == 3


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("numeric", np.array([1, 2])),
        ("numeric", np.array([1.0, np.inf])),
        ("numeric", np.zeros((2, 2))),
        ("categorical", np.array(["a", "b"])),
        ("categorical", np.array(["a", 3], object)),
    ],
)
def test_columns_of_the_wrong_type_must_be_refused(kind, values):
    with pytest.raises(LocalProtocolError, match="'v'"):
        Column("v", kind, values)


def test_tables_that_do_not_fit_must_be_refused():
    column = _numeric([1.0, 2.0])
    with pytest.raises(LocalProtocolError, match="2 rows, the table 3"):
        ColumnTable((column,), 3)
    with pytest.raises(LocalProtocolError, match="same name"):
        ColumnTable((column, column), 2)


def test_tables_with_other_columns_must_be_refused_by_their_names():
    values, levels = np.array([1.0, 2.0]), np.array(["a", None], object)
    amount, age = Column("amount", "numeric", values), Column("age", "numeric", values[::-1].copy())
    kind = Column("kind", "categorical", levels)
    binning = learn_binning(ColumnTable((amount, kind), 2), 4)
    reordered = binning.apply(ColumnTable((age, kind, amount), 2))
    assert [codes.tolist() for codes in reordered.codes] == [[0, 1], [0, MISSING]]
    with pytest.raises(LocalProtocolError) as caught:
        binning.apply(ColumnTable((Column("kind", "numeric", values), age), 2))
    assert "'amount' is missing" in str(caught.value)
    assert "'kind' is numeric here" in str(caught.value)


def test_rows_without_a_bin_must_not_be_trained_on():
    levels = Column("kind", "categorical", np.array(["a", "b", "new"], object))
    table = ColumnTable((levels,), 3)
    binned = learn_binning(table.take(np.arange(2)), 4).apply(table)
    assert binned.bag(np.arange(2)).codes[0].tolist() == [0, 1]
    with pytest.raises(LocalProtocolError, match="learned"):
        binned.bag(np.arange(3))


def test_values_must_not_be_in_the_representation():
    table = ColumnTable((_numeric([12345.5, 2.0]),), 2)
    assert "12345" not in repr(table)
    assert "array" not in repr(learn_binning(table, 4).apply(table))
