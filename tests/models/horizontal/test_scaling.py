"""Statistics must be exact, and the scaling what one would compute from all rows in one place."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.horizontal.scaling import (
    FRACTION_BITS,
    STATISTICS_BITS,
    Scaling,
    scaling_from,
    statistics,
    statistics_length,
)
from models.horizontal.splits import splits
from protocols.errors import LocalProtocolError
from tests.models.horizontal.made import (
    SUITE,
    damaged,
    evaluation,
    made_table,
    made_tables,
    numbered,
)


def _sums(tables, terms):
    parts = [statistics(t, splits(t.customers, terms, SUITE)) for t in tables]
    return [sum(numbers) for numbers in zip(*parts, strict=True)]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_statistics_are_the_exact_sums(data):
    numbers = st.floats(-(2.0**32), 2.0**32) | st.sampled_from([2.0**32, -(2.0**32), 2.0**-30])
    rows = data.draw(st.integers(1, 6))
    values = np.array(data.draw(st.lists(numbers, min_size=rows, max_size=rows)))[:, None]
    out = np.array([data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows))])
    table = numbered(values)
    units = [round(Fraction(v) * 2**FRACTION_BITS) for v in values[:, 0].tolist()]
    kept = [unit for unit, gone in zip(units, out[0], strict=True) if not gone]
    found = statistics(table, out)
    assert found[0] == len(kept)
    assert found[1] == int(table.labels[~out[0]].sum())
    assert found[2:] == [sum(kept), sum(unit * unit for unit in kept)]


def test_the_largest_sums_fit_the_stated_width():
    largest = numbered(np.full((1, 1), -(2.0**32)))
    rows, _, total, squares = statistics(largest, np.zeros((1, 1), bool))
    assert rows == 1
    assert 128 * 2**31 * total >= -(2 ** (STATISTICS_BITS - 1))
    assert 128 * 2**31 * squares < 2 ** (STATISTICS_BITS - 1)


def test_parties_together_have_the_scaling_of_all_rows():
    tables, terms = list(made_tables(3).values()), evaluation(repeats=3)
    found = scaling_from(_sums(tables, terms), 4, 3)
    for repeat in range(3):
        kept = [~splits(t.customers, terms, SUITE)[repeat] for t in tables]
        rows = np.concatenate([t.values[k] for t, k in zip(tables, kept, strict=True)])
        labels = np.concatenate([t.labels[k] for t, k in zip(tables, kept, strict=True)])
        assert np.allclose(found.mean[repeat], rows.mean(axis=0), rtol=1e-9)
        assert np.allclose(found.deviation[repeat], rows.std(axis=0), rtol=1e-8)
        assert (found.rows[repeat], found.positives[repeat]) == (len(rows), labels.sum())


def test_a_large_offset_does_not_cost_the_deviation():
    values = 1e9 + np.arange(40.0)[:, None]
    found = scaling_from(statistics(numbered(values), np.zeros((1, 40), bool)), 1, 1)
    assert found.deviation[0, 0] == pytest.approx(np.arange(40.0).std(), rel=1e-12)


def test_a_constant_column_has_deviation_one():
    values = np.column_stack([np.full(30, 0.1), np.arange(30.0)])
    found = scaling_from(statistics(numbered(values), np.zeros((1, 30), bool)), 2, 1)
    assert found.deviation[0].tolist() == [1.0, np.arange(30.0).std()]
    assert found.mean[0, 0] == pytest.approx(0.1, abs=2.0**-30)


def test_many_rows_are_summed_in_parts_without_overflow():
    rows = (1 << 18) + 3
    many = numbered(np.full((rows, 1), 2.0**32 - 2.0**-21))
    held_out = np.zeros((1, rows), bool)
    unit = 2**62 - 2**9
    assert statistics(many, held_out) == [rows, rows, rows * unit, rows * unit * unit]


REFUSED = {
    "one number less": (lambda s: s[:-1], "another length"),
    "no rows": (lambda s: [0, *s[1:]], "no training rows"),
    "more positives than rows": (lambda s: [s[0], s[0] + 1, *s[2:]], "contradict"),
    "squares too small": (lambda s: [*s[:6], 0, *s[7:]], "contradict"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_sums_of_no_rows_are_refused(case):
    change, reason = REFUSED[case]
    table = made_table("a")
    sums = statistics(table, np.zeros((1, 60), bool))
    assert len(sums) == statistics_length(4, 1)
    with pytest.raises(LocalProtocolError, match=reason):
        scaling_from(change(sums), 4, 1)


def test_a_value_too_large_names_its_column():
    with pytest.raises(LocalProtocolError, match="'column 0'") as raised:
        statistics(numbered(np.array([[2.0**33]])), np.zeros((1, 1), bool))
    assert "8589934592" not in str(raised.value)


@pytest.mark.parametrize("shape", [(60,), (2, 59), (0, 60)])
def test_a_split_of_other_rows_is_refused(shape):
    with pytest.raises(LocalProtocolError, match=r"held_out|repeat"):
        statistics(made_table("a"), np.zeros(shape, bool))


def test_stored_scaling_reads_back_and_damage_is_refused():
    terms = evaluation()
    scaling = scaling_from(_sums(list(made_tables(2, rows=20).values()), terms), 4, 2)
    assert Scaling.from_bytes(scaling.to_bytes()) == scaling
    for data in damaged(scaling.to_bytes()):
        try:
            found = Scaling.from_bytes(data)
        except LocalProtocolError:
            continue
        assert found.to_bytes() == data
        assert (found.deviation > 0).all()
