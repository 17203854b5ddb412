"""Which rows a tree learns from, and when growing ends."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from models.boosted_trees import clear
from models.boosted_trees.gradients import Fixed
from models.boosted_trees.options import OneSideShares
from models.boosted_trees.results import check_trees_kept, trees_kept
from models.boosted_trees.sampling import (
    TreeRows,
    bag_size,
    one_side_bag,
    public_bag,
    sampled_gradients,
    training_mask,
)
from models.boosted_trees.target import Target
from protocols.errors import LocalProtocolError
from tests.models.boosted_trees.training import (
    ACTIVE,
    PASSIVES,
    SAMPLING_SEED,
    made_case,
    options,
    sampling,
    uniform,
)
from tests.protocols.paillier.keys import SUITE, stream

SHARES = OneSideShares(Decimal("0.2"), Decimal("0.1"))


def _bag(tree, training, share="0.3", seed=SAMPLING_SEED):
    return public_bag(tree, training, options(row_sample=Decimal(share)), SUITE, seed)


def test_row_sample_must_be_uniform_exact_and_different_for_each_tree():
    training = uniform("training", 400) < 0.75
    rows = np.flatnonzero(training)
    bags = [_bag(tree, training) for tree in range(200)]
    counts = np.zeros(400, int)
    for bag in bags:
        assert len(bag) == int(Decimal("0.3") * len(rows))
        assert (np.diff(bag) > 0).all()
        counts[bag] += 1
    assert not counts[~training].any()
    # 200 draws with probability 0.3: 60 on average, standard deviation 6.5.
    assert abs(counts[rows].mean() - 60) < 0.5
    assert 35 < counts[rows].min() < counts[rows].max() < 90
    assert np.array_equal(bags[3], _bag(3, training))
    assert not np.array_equal(_bag(3, training, seed=bytes(32)), bags[3])
    assert np.array_equal(_bag(0, training, share="1"), rows)


def test_row_sample_without_a_seed_must_be_refused():
    with pytest.raises(LocalProtocolError, match="seed"):
        _bag(0, np.ones(9, np.bool_), seed=b"")
    tables, labels = made_case(60, passives=())
    for changes in ({"row_sample": Decimal("0.5")}, {"one_side_sampling": SHARES}):
        with pytest.raises(LocalProtocolError, match="seeds"):
            clear.train_alone(tables[ACTIVE], labels, options(**changes))


@pytest.mark.parametrize("objective", ["binary", "regression", "multiclass"])
def test_one_side_sample_must_take_the_largest_gradients_and_weigh_the_rest(objective):
    _, labels = made_case(500, passives=PASSIVES, objective=objective)
    opts = options(
        objective=objective, classes=3 if objective == "multiclass" else 1,
        one_side_sampling=SHARES,
    )  # fmt: skip
    training = uniform("training", 500) < 0.8
    target = Target.of(labels, training, opts)
    margins = target.initial_margins() + uniform("margins", 500)[:, None]
    rows = np.flatnonzero(training)
    bag, weights = one_side_bag(target, margins, training, SHARES, stream(b"one side"))
    sizes = np.abs(
        target.gradients(margins, rows, np.ones(len(rows)), 1.0, Fixed(1 << 24, 1, 1)).first
    ).sum(axis=1)
    top = int(Decimal("0.2") * len(rows))
    other = int(Decimal("0.1") * len(rows))
    assert len(bag) == bag_size(len(rows), opts) == top + other
    assert np.isin(bag, rows).all()
    light = bag[weights < 1]
    assert len(light) == top
    assert sizes[np.isin(rows, light)].min() >= sizes[~np.isin(rows, light)].max()
    # (1 - 0.2) / 0.1: eight times the weight of the rows with large gradients.
    assert weights.max() / weights.min() == pytest.approx(8.0)
    gradients = sampled_gradients(target, margins, bag, weights, opts)
    heavy = weights == 1.0
    plain = target.gradients(margins, bag, np.ones(len(bag)), 1.0, Fixed.of(opts))
    real = gradients.first * gradients.first_unit
    expected = plain.first * plain.first_unit * np.where(heavy, 8.0, 1.0)[:, None]
    np.testing.assert_allclose(real, expected, atol=2e-4)
    # The estimate of the total's scale is unbiased (Ke et al. 2017, §3.2): counts add up.
    seconds = (gradients.second * gradients.second_unit).sum()
    if objective == "regression":
        assert seconds == pytest.approx(len(rows), rel=0.02)


def test_equal_gradients_must_go_to_the_earlier_rows():
    labels = np.array([0, 1] * 50)
    opts = options(one_side_sampling=SHARES)
    training = np.ones(100, np.bool_)
    target = Target.of(labels, training, opts)
    bag, weights = one_side_bag(
        target, target.initial_margins(), training, SHARES, stream(b"one side")
    )
    assert bag[weights < 1].tolist() == list(range(20))


def test_rows_must_be_in_the_bag_or_among_the_others():
    rows = TreeRows.of(np.array([1, 4]), 6)
    assert rows.others.tolist() == [0, 2, 3, 5]
    for mask in (np.ones(3, np.bool_), np.ones(4, np.int64), np.ones((4, 1), np.bool_)):
        with pytest.raises(LocalProtocolError, match="mask"):
            training_mask(mask, 4)
    with pytest.raises(LocalProtocolError, match="no row"):
        training_mask(np.ones(4, np.bool_), 4)


def test_growing_must_end_after_the_agreed_wait_and_keep_the_best():
    opts = options(trees=6, early_stopping_rounds=2)
    losses = (0.6, 0.5, 0.5, 0.55, 0.4, 0.3)
    said = [trees_kept(losses[: tree + 1], opts) for tree in range(6)]
    assert said == [0, 0, 0, 2, 5, 6] or said[:4] == [0, 0, 0, 2]
    assert trees_kept((0.6, 0.5, 0.4), options(trees=3, early_stopping_rounds=2)) == 3
    assert trees_kept((0.4, 0.5), options(trees=2, early_stopping_rounds=2)) == 1
    for tree in range(4):
        check_trees_kept(said[tree], tree, opts)


def test_a_model_that_stopped_must_have_the_best_loss_of_all_its_trees():
    tables, labels = made_case(400, passives=PASSIVES)
    validation = uniform("validation", 400) < 0.3
    opts = options(trees=40, learning_rate=1.0, early_stopping_rounds=3)
    model = clear.train(
        tables, labels, opts, active=ACTIVE, passives=PASSIVES, validation=validation
    )
    kept = len(model.active_half.trees)
    assert 1 <= kept < 37
    assert {len(half.trees) for half in model.passive_halves.values()} == {kept}
    long = clear.train(
        tables, labels, options(trees=kept + 3, learning_rate=1.0, early_stopping_rounds=100),
        active=ACTIVE, passives=PASSIVES, validation=validation,
    )  # fmt: skip
    assert model == long


def test_stopping_without_validation_rows_must_be_refused():
    tables, labels = made_case(60, passives=())
    for validation in (None, np.zeros(60, np.bool_)):
        with pytest.raises(LocalProtocolError, match="validation"):
            clear.train_alone(
                tables[ACTIVE], labels, options(early_stopping_rounds=1), validation=validation
            )


def test_rows_left_out_must_still_move_and_validation_rows_never_train():
    tables, labels = made_case(300, passives=PASSIVES)
    validation = uniform("validation", 300) < 0.25
    opts = options(trees=3, row_sample=Decimal("0.5"), early_stopping_rounds=3)
    arguments = {"active": ACTIVE, "passives": PASSIVES, "validation": validation}
    one = clear.train(tables, labels, opts, sampling=sampling(), **arguments)
    flipped = np.where(validation, 1 - labels, labels)
    two = clear.train(tables, flipped, opts, sampling=sampling(), **arguments)
    shared = min(len(one.active_half.trees), len(two.active_half.trees))
    assert one.active_half.trees[:shared] == two.active_half.trees[:shared]
    for tree in one.active_half.trees:
        # Leaves count every training row, in the tree's bag or not.
        assert sum(leaf.rows for leaf in tree.leaves) == int((~validation).sum())
