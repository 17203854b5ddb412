"""The reference itself: against brute force and against scikit-learn."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from models.boosted_trees import clear
from models.boosted_trees.options import OneSideShares, TreeOptions
from models.boosted_trees.results import initial_margins
from models.boosted_trees.target import sigmoid
from models.boosted_trees.tree import Leaf, OwnSplit, PeerSplit
from models.table import Column, ColumnTable
from protocols.errors import LocalProtocolError
from protocols.session.model_terms import OneSideSampling, TreeTerms
from tests.models.boosted_trees.training import (
    ACTIVE,
    PASSIVES,
    made_case,
    numeric,
    options,
    uniform,
)


def _gain(first, second, left, l2):
    def part(rows):
        return first[rows].sum() ** 2 / (second[rows].sum() + l2)

    return part(left) + part(~left) - part(np.ones_like(left))


@pytest.mark.parametrize("number", range(6))
def test_root_must_be_the_best_split_found_by_trying_all(number):
    rows, minimum, l2 = 200, 8, 0.5
    columns = tuple(numeric(f"c{k}", rows, number, missing=0.1 * k) for k in range(3))
    wave = sum((k + 1) * np.sin(np.nan_to_num(c.values)) for k, c in enumerate(columns))
    labels = (wave + 4 * uniform("noise", rows, number) > 3).astype(np.uint8)
    opts = options(bins=256, depth=1, trees=1, minimum_bin_count=minimum, l2=l2)
    model = clear.train_alone(ColumnTable(columns, rows), labels, opts)

    probability = labels.mean()
    first, second = probability - labels, np.full(rows, probability * (1 - probability))
    gains = []
    for column in columns:
        for edge in np.unique(column.values[~np.isnan(column.values)]):
            for missing_left in (False, True):
                missing = np.isnan(column.values)
                left = np.where(missing, missing_left, column.values <= edge)
                if minimum <= left.sum() <= rows - minimum:
                    gains.append(_gain(first, second, left, l2))
    root, left_leaf, right_leaf = model.trees[0].nodes
    assert isinstance(root, OwnSplit)
    assert root.gain == pytest.approx(max(gains), rel=1e-3)
    assert isinstance(left_leaf, Leaf)
    assert left_leaf.weights[0] * right_leaf.weights[0] < 0
    assert left_leaf.rows + right_leaf.rows == rows


def test_leaf_weights_must_be_newton_steps_and_add_up_to_the_margins():
    tables, labels = made_case(300, passives=PASSIVES)
    opts = options(trees=6, learning_rate=0.5, l2=2.0)
    model = clear.train(tables, labels, opts, active=ACTIVE, passives=PASSIVES)
    stump = clear.train(
        tables, labels, options(trees=1, depth=1, l2=2.0, learning_rate=0.5),
        active=ACTIVE, passives=PASSIVES,
    )  # fmt: skip
    start = initial_margins(labels, options())[:, 0]
    margins = stump.predict(tables).margins - start
    probability = labels.mean()
    for weight in np.unique(margins):
        rows = margins == weight
        newton = (labels[rows] - probability).sum() / (
            rows.sum() * probability * (1 - probability) + 2.0
        )
        assert weight == pytest.approx(0.5 * newton, rel=1e-3)
    losses = [
        -np.log(np.where(labels, p, 1 - p)).mean()
        for p in (sigmoid(start), model.predict(tables).probabilities)
    ]
    assert losses[1] < 0.6 * losses[0]


@pytest.mark.parametrize("number", [0, 1])
def test_auc_must_be_close_to_that_of_scikit_learn(number):
    tables, labels = made_case(4000, passives=PASSIVES, number=number)
    train, test = np.arange(3000), np.arange(3000, 4000)
    opts = options(trees=40, depth=3, bins=32, minimum_bin_count=20, learning_rate=0.2)
    model = clear.train(
        {party: table.take(train) for party, table in tables.items()},
        labels[train],
        opts,
        active=ACTIVE,
        passives=PASSIVES,
    )
    ours = model.predict({party: table.take(test) for party, table in tables.items()})

    features = np.column_stack(
        [_as_numbers(column) for table in tables.values() for column in table.columns]
    )
    theirs = HistGradientBoostingClassifier(
        max_iter=40, max_depth=3, max_bins=32, min_samples_leaf=20, learning_rate=0.2,
        l2_regularization=1.0, early_stopping=False,
        categorical_features=[k % 4 > 1 for k in range(features.shape[1])],
    ).fit(features[train], labels[train])  # fmt: skip
    auc = roc_auc_score(labels[test], ours.margins)
    reference = roc_auc_score(labels[test], theirs.predict_proba(features[test])[:, 1])
    assert auc > 0.8
    assert abs(auc - reference) < 0.01


def _as_numbers(column):
    if column.kind == "numeric":
        return column.values
    levels = {level: float(k) for k, level in enumerate(sorted({v for v in column.values if v}))}
    return np.array([levels.get(value, np.nan) for value in column.values])


def test_importance_must_share_out_every_gain():
    tables, labels = made_case(300, passives=PASSIVES)
    model = clear.train(tables, labels, options(trees=4), active=ACTIVE, passives=PASSIVES)
    importance = model.importance()
    assert list(importance) == [ACTIVE, *PASSIVES]
    own = model.active_half
    assert importance[ACTIVE] == own.importance()
    for party in PASSIVES:
        total = own.peer_importance()[party]
        assert sum(importance[party].values()) == pytest.approx(total)
        rows = model.passive_halves[party].importance()
        assert set(rows) == {bins.name for bins in model.passive_halves[party].binning.columns}
        assert {name for name, gain in importance[party].items() if gain} == {
            name for name, count in rows.items() if count
        }
        tests = model.passive_halves[party].describe()
        assert len(tests) == sum(len(tree.splits) for tree in model.passive_halves[party].trees)


def test_first_tree_must_be_the_active_partys_alone_if_agreed():
    tables, labels = made_case(300, passives=PASSIVES)
    opts = options(trees=2, first_tree_active_only=True)
    model = clear.train(tables, labels, opts, active=ACTIVE, passives=PASSIVES)
    alone = clear.train_alone(tables[ACTIVE], labels, opts)
    assert model.active_half.trees[0] == alone.trees[0]
    assert any(isinstance(node, PeerSplit) for node in model.active_half.trees[1].nodes)


def test_labels_and_rows_that_cannot_be_trained_on_must_be_refused():
    table = ColumnTable((numeric("v", 20),), 20)
    for labels in (np.zeros(20), np.ones(20), np.arange(20), np.full(20, 0.5)):
        with pytest.raises(LocalProtocolError, match="labels"):
            clear.train_alone(table, labels, options())
    with pytest.raises(LocalProtocolError, match="one label per row"):
        clear.train_alone(table, np.array([0, 1] * 9), options())


def test_column_of_one_value_must_offer_nothing():
    rows = 100
    constant = Column("v", "numeric", np.full(rows, 3.0))
    absent = Column("w", "categorical", np.full(rows, None, object))
    labels = (np.arange(rows) % 2).astype(np.uint8)
    model = clear.train_alone(ColumnTable((constant, absent), rows), labels, options())
    assert all(len(tree.nodes) == 1 for tree in model.trees)


def test_options_must_follow_the_signed_terms():
    terms = TreeTerms(
        objective="multiclass", classes=4, trees=20, depth=3, bins=32, learning_rate="0.1",
        l2="1.5", minimum_bin_count=20, first_tree_active_only=True, class_weights="balanced",
        row_sample="1", one_side_sampling=OneSideSampling(top="0.2", other="0.1"),
        early_stopping_rounds=5, validation_percent=20, paillier_bits=2048,
        paillier_randomness="exact",
    )  # fmt: skip
    opts = TreeOptions.from_terms(terms)
    assert opts == TreeOptions(
        20, 3, 32, 0.1, 1.5, 20, True, "multiclass", 4, "balanced", Decimal(1),
        OneSideShares(Decimal("0.2"), Decimal("0.1")), 5,
    )  # fmt: skip
    assert Decimal(terms.l2) == Decimal(opts.l2)
    assert opts.one_side_sampling.amplification == pytest.approx(8.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"trees": 0}, {"depth": 9}, {"bins": 1}, {"bins": 257}, {"minimum_bin_count": 4},
        {"learning_rate": 0.0}, {"learning_rate": 1.5}, {"l2": -1.0}, {"classes": 3},
        {"classes": 2, "objective": "multiclass"}, {"early_stopping_rounds": -1},
        {"row_sample": Decimal(0)}, {"row_sample": Decimal("1.01")},
        {"class_weights": "balanced", "objective": "regression"},
    ],
)  # fmt: skip
def test_options_outside_their_ranges_must_be_refused(changes):
    with pytest.raises(LocalProtocolError, match=next(iter(changes))):
        options(**changes)
