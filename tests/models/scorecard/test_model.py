"""The halves: what their owners read, what scoring needs, and bytes that are none."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import model_file
from models.scorecard import clear
from models.scorecard.model import ActiveScorecard, PassiveScorecard
from models.scorecard.options import Scale
from models.table import Column, ColumnTable
from protocols.errors import DecodeError, LocalProtocolError
from tests.models.scorecard.training import (
    ACTIVE,
    PASSIVE,
    PUBLIC_SEED,
    SUITE,
    made_case,
    options,
)

ROWS = 400


@cache
def _model():
    tables, labels = made_case(ROWS)
    model = clear.train(
        tables,
        labels,
        options(),
        active=ACTIVE,
        passives=(PASSIVE,),
        suite=SUITE,
        public_seed=PUBLIC_SEED,
    )
    return tables, model


def test_the_table_must_hold_every_bin_with_points_that_follow_from_it():
    _, model = _model()
    for half, extra in ((model.active_half, 1), (model.passive_half, 0)):
        table = half.table()
        assert len(table) == extra + sum(len(card.points) for card in half.columns)
        rows = table[extra:]
        for row in rows:
            exact = -half.scale.factor * row.coefficient * row.weight_of_evidence
            assert abs(row.points - exact) <= 0.5001 / half.scale.units
        for card in half.columns:
            own = [row for row in rows if row.column == card.evidence.name]
            assert sum(row.rows_share for row in own) == pytest.approx(1)
            assert len({row.bin for row in own}) == len(own)
    assert model.active_half.table()[0].column == "(all customers)"


def test_a_score_must_be_the_sum_of_the_table_by_hand():
    tables, model = _model()
    predictions = model.predict(tables)
    scale = model.active_half.scale
    for row in (0, 17, 399):
        total = model.active_half.table()[0].points
        for party, half in ((ACTIVE, model.active_half), (PASSIVE, model.passive_half)):
            table = {(r.column, r.bin): r.points for r in half.table()}
            for card in half.columns:
                (column,) = [c for c in tables[party].columns if c.name == card.evidence.name]
                code = int(card.evidence.codes(column)[row])
                total += table[card.evidence.name, card.evidence.describe(code)]
        margin = (scale.offset - total) / scale.factor
        assert predictions.margins[row] == pytest.approx(margin, abs=1e-9)


def test_values_never_seen_must_get_no_points():
    _, model = _model()
    half = model.active_half
    names = [card.evidence.name for card in half.columns]
    assert "bank kind" in names
    columns = tuple(
        Column(
            card.evidence.name,
            card.evidence.bins.kind,
            np.array(["never seen"], object)
            if card.evidence.bins.kind == "categorical"
            else np.array([5.0]),
        )
        for card in half.columns
    )
    points = half.points(ColumnTable(columns, 1))
    assert points[names.index("bank kind")].tolist() == [0]


def test_missing_columns_must_be_named_and_others_ignored():
    tables, model = _model()
    half = model.passive_half
    names = [card.evidence.name for card in half.columns]
    more = Column("more", "numeric", np.zeros(ROWS))
    extra = ColumnTable((*tables[PASSIVE].columns[::-1], more), ROWS)
    for got, want in zip(half.points(extra), half.points(tables[PASSIVE]), strict=True):
        assert (got == want).all()
    fewer = ColumnTable(tuple(c for c in extra.columns if c.name not in names[:2]), ROWS)
    with pytest.raises(LocalProtocolError) as caught:
        half.points(fewer)
    assert all(repr(name) in str(caught.value) for name in names[:2])
    other = tuple(Column(c.name, "numeric", np.zeros(ROWS)) for c in tables[PASSIVE].columns)
    with pytest.raises(LocalProtocolError, match="trained on a categorical one"):
        half.points(ColumnTable(other, ROWS))


def test_importance_must_be_the_spread_of_the_log_odds():
    tables, model = _model()
    half = model.active_half
    for card in half.columns:
        (column,) = [c for c in tables[ACTIVE].columns if c.name == card.evidence.name]
        evidence = np.array(card.evidence.evidence)[card.evidence.codes(column)] / 256
        spread = np.std(card.coefficient * evidence)
        assert half.importance()[card.evidence.name] == pytest.approx(spread)


def test_halves_must_state_the_columns_they_need():
    _, model = _model()
    for half, role in ((model.active_half, "active_party"), (model.passive_half, "passive_party")):
        file = model_file.decode(half.to_bytes(), kind="scorecard", role=role)
        assert file.fact("columns") == [
            {"name": card.evidence.name, "kind": card.evidence.bins.kind} for card in half.columns
        ]
        assert type(half).from_bytes(half.to_bytes()) == half


def test_the_other_half_must_be_refused():
    _, model = _model()
    with pytest.raises(DecodeError, match="the active party's is needed"):
        ActiveScorecard.from_bytes(model.passive_half.to_bytes())
    with pytest.raises(DecodeError, match="the passive party's is needed"):
        PassiveScorecard.from_bytes(model.active_half.to_bytes())


@cache
def _file():
    return model_file.decode(
        _model()[1].active_half.to_bytes(), kind="scorecard", role="active_party"
    )


@pytest.mark.parametrize(
    ("facts", "arrays"),
    [
        ({"scale": None}, {}),
        ({"scale": {"base_points": 600, "base_odds": 0, "points_to_double": 20}}, {}),
        ({"passive": 7}, {}),
        ({"more": "facts"}, {}),
        ({"columns": []}, {}),
        ({"left_out": []}, {}),
        ({}, {"coefficients": None}),
        ({}, {"coefficients": np.zeros(0)}),
        ({}, {"coefficients": np.zeros(99)}),
        ({}, {"information_values": np.zeros((2, 2))}),
        ({}, {"groups.0": np.zeros(1, np.int64)}),
        ({}, {"points.0": np.zeros(1, np.int64)}),
        ({}, {"points.0": np.full(5, 2**40)}),
        ({}, {"rows.0": np.zeros(5, np.int64)}),
        ({}, {"edges.0": np.array([2.0, 1.0])}),
        ({}, {"intercept": np.zeros(2)}),
        ({}, {"intercept_points": np.array([2**40])}),
        ({}, {"more": np.zeros(1)}),
    ],
)
def test_a_half_that_does_not_fit_together_must_be_refused(facts, arrays):
    file = _file()
    changed = model_file.ModelFile(
        file.kind,
        file.role,
        {k: v for k, v in (dict(file.facts) | facts).items() if v is not None},
        {k: v for k, v in (dict(file.arrays) | arrays).items() if v is not None},
    )
    with pytest.raises(DecodeError):
        ActiveScorecard.from_bytes(model_file.encode(changed))


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), st.integers(0, 2000)))
def test_any_bytes_must_decode_or_raise_only_a_decode_error(change):
    data = _model()[1].passive_half.to_bytes()
    if isinstance(change, int):
        at = change % len(data)
        data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    else:
        data = change
    try:
        half = PassiveScorecard.from_bytes(data)
    except DecodeError:
        return
    assert half.to_bytes() == data


@pytest.mark.parametrize("values", [(-1, 20, 20), (600, 0, 20), (600, 20, 0), (600, 20, 1001)])
def test_scales_outside_their_ranges_must_be_refused(values):
    with pytest.raises(LocalProtocolError, match="must be between"):
        Scale(*values)
