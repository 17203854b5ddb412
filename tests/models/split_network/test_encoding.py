"""Columns to inputs, on tables training never saw too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.split_network.encoding import LARGEST_INPUT, MOST_LEVELS, learn_encoding
from models.table import Column, ColumnTable
from protocols.errors import LocalProtocolError


def _table(*columns):
    return ColumnTable(columns, len(columns[0].values))


def _numeric(*values, name="x"):
    return Column(name, "numeric", np.array(values, np.float64))


def _categorical(*values, name="c"):
    return Column(name, "categorical", np.array(values, object))


def test_numbers_must_be_standardised_by_the_training_rows():
    encoding = learn_encoding(_table(_numeric(1, 2, 3, 6)))
    scale = np.std([1, 2, 3, 6])
    inputs = encoding.apply(_table(_numeric(3, 3 + scale, 1e300, -1e300)))
    assert inputs[:, 0] == pytest.approx([0, 1, LARGEST_INPUT, -LARGEST_INPUT])
    assert encoding.width == 1
    assert inputs.dtype == np.float32


def test_missing_numbers_must_be_the_mean_and_marked_if_training_had_some():
    with_missing = learn_encoding(_table(_numeric(1, np.nan, 3)))
    assert with_missing.apply(_table(_numeric(np.nan, 2))).tolist() == [[0, 1], [0, 0]]
    assert with_missing.means == pytest.approx([0, 1 / 3])
    without = learn_encoding(_table(_numeric(1, 3)))
    assert without.apply(_table(_numeric(np.nan, 3))).tolist() == [[0], [1]]


@pytest.mark.parametrize(
    "values", [(7, 7, 7), (np.nan, np.nan), (1e308, -1e308), (5e-324, 0), (0.1, 0.1, 0.1), (0, 0)]
)
def test_extreme_columns_must_give_finite_inputs(values):
    encoding = learn_encoding(_table(_numeric(*values)))
    tried = (0.0, 1.0, 1e308, -1e308, np.nan, 5e-324)
    inputs = encoding.apply(_table(_numeric(*tried)))
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() <= LARGEST_INPUT


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=20))
def test_any_numbers_must_give_standard_inputs(values):
    encoding = learn_encoding(_table(_numeric(*values)))
    inputs = encoding.apply(_table(_numeric(*values)))
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() <= LARGEST_INPUT
    present = np.array([v for v in values if not np.isnan(v)])
    if len(present):
        assert (np.diff(inputs[~np.isnan(values), 0][np.argsort(present)]) >= 0).all()


def test_levels_must_have_a_place_each_and_the_rare_share_one():
    common = [f"level {i:02}" for i in range(MOST_LEVELS - 1)]
    values = common * 3 + ["rare a", "rare b", "rare c"]
    encoding = learn_encoding(_table(_categorical(*values)))
    (column,) = encoding.columns
    assert column.levels == tuple(common)
    assert encoding.width == MOST_LEVELS
    inputs = encoding.apply(_table(_categorical("level 04", "rare b", "never seen", None)))
    assert np.flatnonzero(inputs[0]).tolist() == [4]
    assert np.flatnonzero(inputs[1]).tolist() == [MOST_LEVELS - 1]
    assert np.flatnonzero(inputs[2]).tolist() == [MOST_LEVELS - 1]
    assert not inputs[3].any()


def test_levels_never_seen_must_be_no_level_and_missing_ones_marked():
    encoding = learn_encoding(_table(_categorical("b", None, "a", "b")))
    inputs = encoding.apply(_table(_categorical("a", "b", "z", None)))
    assert inputs.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert encoding.means == pytest.approx([0.25, 0.5, 0.25])
    assert encoding.places() == {"c": slice(0, 3)}


def test_columns_must_be_found_by_name():
    first, second = _numeric(1, 2, 3, name="x"), _categorical("a", "b", "a")
    encoding = learn_encoding(_table(first, second))
    swapped = encoding.apply(_table(second, first))
    assert np.array_equal(swapped, encoding.apply(_table(first, second)))


def test_columns_that_do_not_fit_must_be_named():
    encoding = learn_encoding(
        _table(_numeric(1, 2, name="age"), _categorical("a", "b", name="kind"))
    )
    for columns, text in (
        ((_numeric(1, name="age"),), "missing: kind$"),
        (
            (_numeric(1, name="age"), _categorical("a", name="kind"), _numeric(1, name="more")),
            "not known to the model: more$",
        ),
        (
            (_categorical("a", name="age"), _categorical("a", name="other")),
            "missing: kind; not known to the model: other; of another kind than in training: age$",
        ),
    ):
        with pytest.raises(LocalProtocolError, match=text):
            encoding.apply(_table(*columns))


def test_tables_without_columns_or_rows_must_do_or_be_refused():
    encoding = learn_encoding(ColumnTable((), 3))
    assert encoding.apply(ColumnTable((), 2)).shape == (2, 0)
    with pytest.raises(LocalProtocolError, match="no row"):
        learn_encoding(ColumnTable((), 0))
