"""The reference against independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from models.scorecard import clear
from models.scorecard.binning import weigh_own
from models.scorecard.columns import WeighedColumns
from models.scorecard.options import Scale
from models.scorecard.points import calibrated
from models.table import Column, ColumnTable
from protocols.errors import LocalProtocolError
from tests.models.scorecard.training import (
    ACTIVE,
    PARTIES,
    PASSIVE,
    PUBLIC_SEED,
    SUITE,
    made_case,
    options,
    uniform,
)


def _train(tables, labels, opts):
    return clear.train(
        tables,
        labels,
        opts,
        active=ACTIVE,
        passives=(PASSIVE,),
        suite=SUITE,
        public_seed=PUBLIC_SEED,
    )


def _noisy_case(rows):
    """Labels drawn from probabilities, so that no model can be perfect."""
    tables, _ = made_case(rows)
    signal = sum(tables[p].columns[0].values / 4 for p in PARTIES)
    signal = signal - sum(np.nan_to_num(tables[p].columns[1].values, nan=2) / 5 for p in PARTIES)
    labels = uniform("labels", rows) < 1 / (1 + np.exp(2 - signal))
    return tables, labels.astype(np.uint8)


def _evidence(model, tables):
    columns = []
    for party, half in ((ACTIVE, model.active_half), (PASSIVE, model.passive_half)):
        by_name = {column.name: column for column in tables[party].columns}
        for card in half.columns:
            codes = card.evidence.codes(by_name[card.evidence.name])
            columns.append(np.array(card.evidence.evidence)[codes] / 256)
    return np.column_stack(columns)


def _halves(tables, labels, rows):
    first, second = np.arange(rows // 2), np.arange(rows // 2, rows)
    return (
        ({p: t.take(first) for p, t in tables.items()}, labels[first]),
        ({p: t.take(second) for p, t in tables.items()}, labels[second]),
    )


@pytest.mark.parametrize("sigmoid", ["linear", "cubic"])
def test_scores_must_rank_and_calibrate_as_scikit_learns_regression(sigmoid):
    tables, labels = _noisy_case(16_000)
    (train, known), (test, held_out) = _halves(tables, labels, 16_000)
    model = _train(train, known, options(sigmoid=sigmoid, epochs=4, batch_rows=2048, bins=10))
    reference = LogisticRegression(C=1.0, max_iter=1000).fit(_evidence(model, train), known)
    theirs = reference.predict_proba(_evidence(model, test))[:, 1]
    ours = model.predict(test).probabilities
    assert roc_auc_score(held_out, theirs) > 0.65
    assert abs(roc_auc_score(held_out, ours) - roc_auc_score(held_out, theirs)) < 0.003
    assert log_loss(held_out, ours) == pytest.approx(log_loss(held_out, theirs), abs=0.005)


def test_linear_coefficients_must_be_those_of_the_penalised_least_squares():
    tables, labels = _noisy_case(3000)
    opts = options(epochs=40, batch_rows=3000, l2=30.0)
    model = _train(tables, labels, opts)
    x = np.column_stack([_evidence(model, tables), np.ones(3000)])
    penalty = np.diag([30.0] * (x.shape[1] - 1) + [0.0])
    # Zero of X^T (1/2 + X w / 4 - y) + penalty w.
    exact = np.linalg.solve(x.T @ x / 4 + penalty, x.T @ (labels - 0.5))
    own = model.uncalibrated[ACTIVE]
    ours = np.array([*own[:-1], *model.uncalibrated[PASSIVE], own[-1]])
    assert ours == pytest.approx(exact, abs=2e-3)


def test_the_calibration_must_be_the_logistic_regression_on_the_predictor():
    x = 6 * uniform("x", 4000) - 4
    labels = (uniform("y", 4000) < 1 / (1 + np.exp(0.7 - 1.8 * x))).astype(float)
    slope, intercept = calibrated(x, labels)
    reference = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(x[:, None], labels)
    assert slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert intercept == pytest.approx(reference.intercept_[0], rel=1e-4)


@pytest.mark.parametrize(
    ("predictors", "low", "high"),
    [
        (np.zeros(200), 1.0, 1.0),
        (np.repeat([1.0, -1.0], 100), 1.0, 1.0),  # the opposite of the labels
        (np.repeat([-1.0, 1.0], 100), 8.0, 64.0),  # the labels themselves
        (np.repeat([-0.01, 0.01], 100), 64.0, 64.0),
        (np.repeat([-(2.0**24), 2.0**24], 100), 1e-9, 64.0),
    ],
)
def test_the_calibration_must_stay_finite(predictors, low, high):
    labels = np.repeat([0.0, 1.0], 100)
    got, intercept = calibrated(predictors, labels)
    assert low <= got <= high
    assert np.isfinite(intercept)


def test_training_alone_must_use_own_columns_only():
    tables, labels = made_case(400)
    opts = options()
    model = clear.train_alone(tables[ACTIVE], labels, opts, suite=SUITE, public_seed=PUBLIC_SEED)
    predictions = model.predict_alone(tables[ACTIVE])
    assert roc_auc_score(labels, predictions.margins) > 0.7
    joint = _train(tables, labels, opts)
    ours, theirs = model.active_half.columns, joint.active_half.columns
    assert [card.evidence for card in ours] == [card.evidence for card in theirs]


def test_monotone_columns_must_rise_or_fall_throughout():
    tables, labels = _noisy_case(4000)
    opts = options(bins=12, minimum_information_value=0.0, maximum_correlation=1.0)
    broken = 0
    for table in tables.values():
        columns, _ = weigh_own(table, labels, opts)
        for column in columns:
            if column.bins.kind == "numeric":
                groups = list(column.groups[: column.bins.size])
                assert groups == sorted(groups)
                steps = np.diff([column.evidence[g] for g in dict.fromkeys(groups)])
                assert (steps >= 0).all() or (steps <= 0).all()
        free, _ = weigh_own(table, labels, options(bins=12, monotone=False))
        broken += sum(
            len(set(np.sign(np.diff(c.evidence[: c.bins.size])))) > 1
            for c in free
            if c.bins.kind == "numeric"
        )
    assert broken


@pytest.mark.parametrize("points_to_double", [1, 20, 40, 1000])
def test_points_must_mean_the_odds_the_scale_says(points_to_double):
    scale = Scale(600, 50, points_to_double)
    even = scale.units * np.array([600, 600 + points_to_double, 600 - points_to_double])
    assert np.exp(-scale.margins(even)) == pytest.approx([50, 100, 25])
    assert scale.scores(scale.margins(even)).tolist() == [
        600,
        600 + points_to_double,
        600 - points_to_double,
    ]
    assert 1 / (scale.factor * scale.units) <= 1 / 256


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(60), "too few of one label"),
        (np.array([1] * 9 + [0] * 51), "too few of one label"),
        (np.array([2] * 30 + [0] * 30), "0 or 1"),
        (np.zeros(59), "one label per row"),
    ],
)
def test_labels_nobody_can_learn_from_must_be_refused(labels, message):
    tables, _ = made_case(60)
    with pytest.raises(LocalProtocolError, match=message):
        _train(tables, labels, options())


def test_more_than_two_parties_must_be_refused():
    tables, labels = made_case(60)
    for passives in ((), (PASSIVE, "telecom")):
        with pytest.raises(LocalProtocolError, match="two parties"):
            clear.train(
                tables,
                labels,
                options(),
                active=ACTIVE,
                passives=passives,
                suite=SUITE,
                public_seed=PUBLIC_SEED,
            )


def test_a_column_in_one_bin_must_be_left_out_and_said_so():
    rows = 200
    columns = (
        Column("constant", "numeric", np.ones(rows)),
        Column("empty", "numeric", np.full(rows, np.nan)),
        Column("rare", "categorical", np.array(["x"] * 198 + ["y"] * 2, object)),
    )
    labels = (uniform("labels", rows) < 0.4).astype(np.uint8)
    chosen, left_out = weigh_own(ColumnTable(columns, rows), labels, options())
    assert chosen == ()
    assert [each.name for each in left_out] == ["constant", "empty", "rare"]
    assert {each.reason for each in left_out} == {"no two bins differ"}
    weighed = WeighedColumns(chosen, left_out, 0)
    assert weighed.design(ColumnTable(columns, rows), intercept=True).columns == 1
