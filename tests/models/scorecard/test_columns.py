"""A party's columns as bins: what values become, and how the bins are worded."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from models.binning import ColumnBins
from models.scorecard.binning import weigh_own
from models.scorecard.columns import EvidenceColumn, WeighedColumns, after_floors, fine_columns
from models.table import Column, ColumnTable
from protocols.errors import DecodeError, LocalProtocolError
from tests.models.scorecard.training import ACTIVE, made_case, options

ROWS = 400


def _numeric(values):
    return Column("income", "numeric", np.array(values, np.float64))


def test_fine_bins_must_hold_every_row_once_with_missing_last():
    tables, _ = made_case(ROWS)
    for column, source in zip(fine_columns(tables[ACTIVE], 5), tables[ACTIVE].columns, strict=True):
        assert sum(column.rows) == ROWS
        assert np.bincount(column.codes).tolist() == list(column.rows)
        missing = [v is None or (source.kind == "numeric" and np.isnan(v)) for v in source.values]
        last = column.codes == len(column.rows) - 1
        assert (last == missing).all() or not any(missing)
        ordered = len(column.rows) - any(missing)
        assert column.ordered == (ordered if source.kind == "numeric" else 0)


def test_a_missing_bin_that_joined_another_must_leave_the_others_in_order():
    table = ColumnTable((_numeric([1.0, 2.0, 3.0, 4.0] * 9 + [np.nan] * 2),), 38)
    (column,) = fine_columns(table, 4)
    assert column.rows == (9, 9, 9, 9, 2)
    (joined,) = after_floors([column], [[True, True, True, True, False]])
    assert joined.rows == (11, 9, 9, 9)
    assert joined.ordered == 4
    (apart,) = after_floors([column], [[True, True, True, False, True]])
    assert apart.rows == (9, 9, 18, 2)
    assert apart.ordered == 3


def _column(kind="numeric", **changes):
    bins = (
        ColumnBins("c", "numeric", (1.0, 2.5, 7.0), (), other=False)
        if kind == "numeric"
        else ColumnBins("c", "categorical", (), ("a", "b", "d"), other=True)
    )
    values = {
        "bins": bins,
        "groups": (0, 0, 1, 1, -1, 1),
        "rows": (10, 20),
        "evidence": (30, -40),
        "information_value": 0.5,
    }
    return EvidenceColumn(**(values | changes))


def test_values_must_find_their_final_bin():
    column = _column()
    values = _numeric([0.0, 1.0, 2.5, 2.6, 7.0, 8.0, np.nan])
    assert column.codes(values).tolist() == [0, 0, 0, 1, 1, 1, 1]
    levels = _column("categorical")
    source = Column("c", "categorical", np.array(["a", "b", "d", "e", None], object))
    assert levels.codes(source).tolist() == [0, 0, 1, 1, 1]


def test_a_level_never_seen_must_be_in_no_bin():
    bins = ColumnBins("c", "categorical", (), ("a", "b"), other=False)
    column = _column(bins=bins, groups=(0, 1, -1, -1))
    source = Column("c", "categorical", np.array(["a", "z", None], object))
    assert column.codes(source).tolist() == [0, -1, -1]


def test_bins_must_be_worded_for_people():
    assert _column().describe(0) == "<= 2.5"
    assert _column().describe(1) == "> 2.5 or missing"
    assert _column(groups=(0, 1, 1, 0, -1, 0), rows=(1, 1)).describe(1) == "> 1 and <= 7"
    assert _column("categorical").describe(0) == "a or b"
    assert _column("categorical").describe(1) == "d or any other or missing"
    one = ColumnBins("c", "numeric", (), (), other=False)
    assert _column(bins=one, groups=(0, -1, 1)).describe(0) == "any value"


@pytest.mark.parametrize(
    "changes",
    [
        {"groups": (0, 0, 1, 1, -1)},
        {"groups": (0, 0, 1, 1, 0, 1)},
        {"groups": (0, 0, 2, 1, -1, 1)},
        {"groups": (0, 0, 0, 0, -1, 0)},
        {"rows": (10,)},
        {"rows": (10, 0)},
        {"evidence": (30, 2048)},
        {"evidence": (30,)},
        {"information_value": -0.1},
        {"information_value": float("nan")},
        {"information_value": float("inf")},
    ],
)
def test_bins_that_do_not_fit_together_must_be_refused(changes):
    with pytest.raises(ValueError, match=r"bin|number"):
        _column(**changes)


def _weighed():
    tables, labels = made_case(ROWS)
    return tables[ACTIVE], WeighedColumns(*weigh_own(tables[ACTIVE], labels, options()), 3)


def test_the_result_must_survive_storage_and_refuse_other_bytes():
    _, weighed = _weighed()
    data = weighed.to_bytes()
    assert WeighedColumns.from_bytes(data) == weighed
    for other in (b"", data[:-1], data + b"\0", msgspec.msgpack.encode([1, 2])):
        with pytest.raises(DecodeError):
            WeighedColumns.from_bytes(other)


def test_a_design_must_hold_the_evidence_of_every_row():
    table, weighed = _weighed()
    design = weighed.design(table, intercept=True)
    assert design.columns == len(weighed.columns) + 1
    matrix = design.matrix()
    assert (matrix[-1] == 256).all()
    by_name = {column.name: column for column in table.columns}
    for row, column in zip(matrix, weighed.columns, strict=False):
        codes = column.codes(by_name[column.name])
        assert (row == np.array(column.evidence)[codes]).all()
        assert np.bincount(codes).tolist() == list(column.rows)
    half = design.take(np.arange(0, ROWS, 2))
    assert (half.matrix() == matrix[:, ::2]).all()


def test_other_rows_than_the_training_rows_must_be_refused():
    table, weighed = _weighed()
    never_seen = np.full(ROWS, "never seen", object)
    columns = [
        Column(c.name, c.kind, c.values if c.kind == "numeric" else never_seen)
        for c in table.columns
    ]
    with pytest.raises(LocalProtocolError, match="not the rows"):
        weighed.design(ColumnTable(tuple(columns), ROWS), intercept=False)
    with pytest.raises(LocalProtocolError, match="'bank amount' is missing"):
        weighed.design(ColumnTable(table.columns[1:], ROWS), intercept=False)
