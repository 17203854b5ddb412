"""The attacks find what is there to be found, and label noise takes it away."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation import auc
from models.split_network.batches import batches
from models.split_network.leakage import (
    best_auc_against,
    direction_auc,
    direction_scores,
    leakage,
    norm_scores,
)
from models.split_network.messages import CutGradients
from protocols.wire import decode
from tests.models.split_network.training import (
    ACTIVE,
    PASSIVES,
    PUBLIC_SEED,
    SUITE,
    evaluate_federated,
    made_case,
    options,
    randomised,
    train_federated,
)

ROWS = 900
RETAILER = PASSIVES[:1]


def test_scores_must_be_lengths_and_cosines():
    gradients = np.array([[3, 4], [0, 0], [-6, -8], [4, -3]], np.float32)
    assert norm_scores(gradients) == pytest.approx([5, 0, 10, 5])
    assert direction_scores(gradients, gradients[:1]) == pytest.approx([1, 0, -1, 0])
    opposed = direction_scores(gradients, gradients[[0, 2]])
    assert opposed == pytest.approx([0, 0, 0, 0])


def test_opposite_directions_must_leak_every_label():
    labels = np.arange(40) % 4 == 0
    sign = np.where(labels, -1.0, 1.0)[:, None]
    lengths = np.where(labels, 3.0, 1.0)[:, None]
    gradients = (sign * lengths * np.array([[1, 2, 3]])).astype(np.float32)
    found = leakage([gradients, gradients], [labels, labels])
    assert (found.norm, found.direction) == (1.0, 1.0)
    assert direction_auc(gradients, labels, 1) == 1.0


def test_batches_that_say_nothing_must_be_passed_over():
    gradients = np.ones((4, 2), np.float32)
    labels = np.array([1, 0, 1, 0])
    found = leakage([gradients] * 3, [labels, np.zeros(4), np.array([1, 0, 0, 0])])
    assert (found.norm, found.direction) == (0.5, 0.5)
    with pytest.raises(ValueError, match="two positives"):
        leakage([gradients], [np.ones(4)])


def _received(federated, epoch, opts):
    """The gradients the retailer got in one epoch, with each batch's rows."""
    rows = batches(ROWS, epoch, options=opts, suite=SUITE, public_seed=PUBLIC_SEED)
    sent = [d for _, _, n, d in federated.transcripts[epoch].messages if n == "CutGradients"]
    values = [np.frombuffer(decode(data, CutGradients).values, "<f4") for data in sent]
    return [v.reshape(len(r), -1) for v, r in zip(values, rows, strict=True)], rows


def test_label_noise_must_keep_the_attacks_below_what_epsilon_allows():
    tables, labels = made_case(ROWS, passives=RETAILER)
    found = {}
    for epsilon in (None, 1.0):
        opts = options(epochs=6, batch_rows=300, label_epsilon=epsilon)
        federated = train_federated(tables, labels, opts)
        by_epoch = []
        for epoch in range(opts.epochs):
            gradients, rows = _received(federated, epoch, opts)
            by_epoch.append(leakage(gradients, [labels[r] for r in rows], known=8))
        found[epsilon] = max(each.direction for each in by_epoch)
    assert found[None] > 0.99
    bound = best_auc_against(randomised(labels, options(label_epsilon=1.0)).flip_probability)
    assert bound == pytest.approx(0.731, abs=0.001)
    # Sampling error of an AUC over 900 rows, 270 of them positive, is about 0.018.
    assert found[1.0] < bound + 0.06


def test_the_last_step_must_win_back_what_label_noise_cost():
    tables, labels = made_case(ROWS, passives=RETAILER)
    train, test = np.arange(600), np.arange(600, ROWS)
    parts = {party: table.take(train) for party, table in tables.items()}
    held_out = {party: table.take(test) for party, table in tables.items()}
    opts = options(epochs=12, batch_rows=64, label_epsilon=1.0)
    halves = train_federated(parts, labels[train], opts).halves
    joint = auc(labels[test], evaluate_federated(halves, held_out)[0].margins)
    # Trained to the end on the randomised labels only.
    training = randomised(labels[train], opts)
    noisy = train_federated(parts, training.values, opts, training).halves
    without = auc(labels[test], evaluate_federated(noisy, held_out)[0].margins)
    assert joint > 0.75
    assert joint > without
    assert ACTIVE in halves
