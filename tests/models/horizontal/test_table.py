"""A table that is not what training takes must be refused, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.horizontal.table import joined
from protocols.errors import LocalProtocolError
from tests.models.horizontal.made import made_table, made_tables


def _with_value(value):
    def change(table):
        values = table.values.copy()
        values[3, 2] = value
        return replace(table, values=values)

    return change


REFUSED = {
    "no columns": (lambda t: replace(t, columns=()), "needs columns"),
    "one name twice": (lambda t: replace(t, columns=("a", "b", "a", "c")), "names that differ"),
    "single precision": (lambda t: replace(t, values=t.values.astype(np.float32)), "float64"),
    "a column less": (lambda t: replace(t, values=t.values[:, 1:]), "values .* of shape"),
    "a label less": (lambda t: replace(t, labels=t.labels[1:]), "labels .* of shape"),
    "short digests": (lambda t: replace(t, customers=t.customers[:, :16]), "customers"),
    "other positions": (lambda t: replace(t, source_rows=t.source_rows * 1.0), "source_rows"),
    "a missing value": (_with_value(np.nan), "'column 2' .* missing or infinite"),
    "an infinity": (_with_value(np.inf), "'column 2' .* missing or infinite"),
    "a label of 2": (lambda t: replace(t, labels=t.labels + np.uint8(1)), "must be 0 or 1"),
    "a customer twice": (
        lambda t: replace(t, customers=t.customers[np.r_[0, 0 : len(t.customers) - 1]]),
        "more than one row",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_training_table_is_refused(case):
    change, reason = REFUSED[case]
    with pytest.raises(LocalProtocolError, match=reason):
        change(made_table("a"))


def test_an_error_quotes_no_value():
    table = made_table("a")
    with pytest.raises(LocalProtocolError) as raised:
        replace(table, labels=np.full(60, 77, np.uint8))
    assert "77" not in str(raised.value)
    assert str(table.values[0, 0]) not in repr(table)


def test_joined_rows_are_all_rows_once():
    tables = list(made_tables(2).values())
    both = joined([*tables, tables[0]])
    assert both.rows == 120
    assert np.array_equal(both.values, np.concatenate([t.values for t in tables]))
    assert np.array_equal(both.labels, np.concatenate([t.labels for t in tables]))


def test_tables_with_other_columns_are_not_joined():
    with pytest.raises(LocalProtocolError, match="same columns"):
        joined([made_table("a", columns=3), made_table("b", columns=4)])
    with pytest.raises(LocalProtocolError, match="same columns"):
        joined([])
