"""What moves a margin, put down to columns and parties; models in the label's own unit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss

from models.boosted_trees import clear
from models.boosted_trees.model import ActiveModel, PassiveModel
from models.boosted_trees.tree import Leaf, OwnSplit
from models.table import Column
from tests.models.boosted_trees.training import ACTIVE, PASSIVES, made_case, options

OBJECTIVES = ("binary", "regression", "multiclass")


def _trained(objective, rows=300, **changes):
    tables, labels = made_case(rows, passives=PASSIVES, objective=objective)
    opts = options(objective=objective, classes=3 if objective == "multiclass" else 1, **changes)
    return tables, labels, clear.train(tables, labels, opts, active=ACTIVE, passives=PASSIVES)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_contributions_must_add_up_to_the_margins(objective):
    tables, _, model = _trained(objective, trees=4)
    other, _ = made_case(90, passives=PASSIVES, number=5)
    half = model.active_half
    predictions = model.predict(other)
    parts = [*predictions.contributions.values(), *predictions.peer_contributions.values()]
    worth = np.array(half.base_score) + sum(tree.worth()[0] for tree in half.trees)
    start = half.center + half.scale * worth
    total = sum(parts) + (start if objective == "multiclass" else start[0])
    np.testing.assert_allclose(total, predictions.margins, rtol=1e-9, atol=1e-9)
    shape = (90, 3) if objective == "multiclass" else (90,)
    assert {part.shape for part in parts} == {shape} == {predictions.margins.shape}
    assert list(predictions.contributions) == [column.name for column in tables[ACTIVE].columns]
    assert set(predictions.peer_contributions) == set(PASSIVES)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_contributions_of_the_training_rows_must_average_to_nothing(objective):
    tables, _, model = _trained(objective, trees=3)
    predictions = model.predict(tables)
    scale = model.active_half.scale
    for part in (*predictions.contributions.values(), *predictions.peer_contributions.values()):
        np.testing.assert_allclose(part.mean(axis=0) / scale, 0.0, atol=1e-9)


def test_a_split_must_be_put_down_to_its_own_column():
    tables, _, model = _trained("binary", trees=1, depth=1, learning_rate=1.0)
    half = model.active_half.trees[0]
    root, left, right = half.nodes
    assert isinstance(left, Leaf)
    worth = half.worth()[0]
    mean = (left.weights[0] * left.rows + right.weights[0] * right.rows) / (left.rows + right.rows)
    assert worth[0] == pytest.approx(mean)
    predictions = model.predict(tables)
    moved = (
        predictions.contributions[model.active_half.binning.columns[root.column].name]
        if isinstance(root, OwnSplit)
        else predictions.peer_contributions[root.party]
    )
    np.testing.assert_allclose(
        np.unique(moved), np.sort([left.weights[0] - mean, right.weights[0] - mean])
    )
    others = [p for p in (*predictions.contributions.values(),) if p is not moved]
    assert not np.any(others)


def test_a_column_the_model_does_not_use_must_not_matter():
    tables, _, model = _trained("binary")
    more = (*tables["retailer"].columns, Column("more", "numeric", np.zeros(300)))
    wider = tables | {"retailer": type(tables["retailer"])(more[::-1], 300)}
    np.testing.assert_array_equal(model.predict(wider).margins, model.predict(tables).margins)


def _features(tables):
    parts = []
    for table in tables.values():
        for column in table.columns:
            if column.kind == "numeric":
                parts.append(column.values)
            else:
                levels = sorted({v for v in column.values if v is not None})
                codes = {level: float(k) for k, level in enumerate(levels)}
                parts.append(np.array([codes.get(v, np.nan) for v in column.values]))
    return np.column_stack(parts)


@pytest.mark.parametrize("objective", ["regression", "multiclass"])
def test_models_must_be_about_as_good_as_those_of_scikit_learn(objective):
    tables, labels = made_case(4000, passives=PASSIVES, objective=objective)
    train, test = np.arange(3000), np.arange(3000, 4000)
    opts = options(
        trees=40, depth=3, bins=32, minimum_bin_count=20, learning_rate=0.2,
        objective=objective, classes=3 if objective == "multiclass" else 1,
    )  # fmt: skip
    model = clear.train(
        {party: table.take(train) for party, table in tables.items()},
        labels[train], opts, active=ACTIVE, passives=PASSIVES,
    )  # fmt: skip
    ours = model.predict({party: table.take(test) for party, table in tables.items()})
    made = (
        HistGradientBoostingClassifier
        if objective == "multiclass"
        else HistGradientBoostingRegressor
    )
    theirs = made(
        max_iter=40, max_depth=3, max_bins=32, min_samples_leaf=20, learning_rate=0.2,
        l2_regularization=1.0, early_stopping=False,
        categorical_features=[k % 4 > 1 for k in range(12)],
    ).fit(_features(tables)[train], labels[train])  # fmt: skip
    if objective == "regression":
        own = np.sqrt(np.square(ours.margins - labels[test]).mean())
        reference = np.sqrt(
            np.square(theirs.predict(_features(tables)[test]) - labels[test]).mean()
        )
        assert own < 0.7 * labels[test].std()
    else:
        own = log_loss(labels[test], ours.probabilities)
        reference = log_loss(labels[test], theirs.predict_proba(_features(tables)[test]))
        assert own < 0.7 * log_loss(labels[test], np.tile([0.5, 0.3, 0.2], (1000, 1)))
    assert own < 1.05 * reference


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_halves_from_their_files_must_predict_the_same(objective):
    tables, _, model = _trained(objective)
    again = clear.ClearModel(
        ACTIVE,
        ActiveModel.from_bytes(model.active_half.to_bytes()),
        {p: PassiveModel.from_bytes(h.to_bytes()) for p, h in model.passive_halves.items()},
    )
    assert again == model
    np.testing.assert_array_equal(again.predict(tables).margins, model.predict(tables).margins)
