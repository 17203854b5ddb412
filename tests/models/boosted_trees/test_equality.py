"""Federated trees equal the trees grown in the clear, split for split."""

from __future__ import annotations

import numpy as np
import pytest

from models.boosted_trees import active_party, clear, encrypted_histogram, passive_party
from models.boosted_trees.messages import CandidateSums, ChosenSplits
from models.boosted_trees.model import OwnSplit, PeerSplit
from models.boosted_trees.table import Column, ColumnTable
from protocols.wire import decode
from tests.drive import drive
from tests.models.boosted_trees import training
from tests.models.boosted_trees.training import (
    ACTIVE,
    PASSIVES,
    evaluate_federated,
    made_case,
    numeric,
    options,
    train_federated,
)
from tests.protocols.paillier.keys import SUITE, private_key


def _train_both(tables, labels, opts, passives, number=0):
    federated = train_federated(tables, labels, opts, passives=passives, number=number)
    reference = clear.train(tables, labels, opts, active=ACTIVE, passives=passives)
    return federated, reference


@pytest.mark.parametrize(
    ("number", "parties", "changes"),
    [
        (0, 1, {"depth": 1, "trees": 3}),
        (1, 1, {"depth": 2, "first_tree_active_only": True, "trees": 3}),
        (2, 1, {"depth": 3, "minimum_bin_count": 12}),
        (3, 1, {"depth": 4, "bins": 32, "l2": 0.0}),
        (14, 2, {"depth": 1, "trees": 6}),
        (5, 2, {"depth": 3, "first_tree_active_only": True, "learning_rate": 1.0}),
        (6, 2, {"depth": 4, "bins": 3, "minimum_bin_count": 9}),
    ],
)
def test_federated_trees_must_equal_the_clear_ones(number, parties, changes):
    passives = PASSIVES[:parties]
    tables, labels = made_case(150, passives=passives, number=number)
    opts = options(**changes)
    federated, reference = _train_both(tables, labels, opts, passives, number)
    assert federated.model == reference
    owners = {type(n) for tree in reference.active_half.trees for n in tree.nodes}
    assert {OwnSplit, PeerSplit} <= owners
    assert set(reference.active_half.peer_importance()) == set(passives)
    np.testing.assert_array_equal(federated.margins, reference.predict(tables).margins)


@pytest.mark.parametrize("cost", [0, 10**6], ids=["always subtract", "never subtract"])
def test_ways_to_sum_must_not_change_the_trees(monkeypatch, cost):
    monkeypatch.setattr(encrypted_histogram, "SUBTRACTION_COST", cost)
    monkeypatch.setattr(encrypted_histogram, "BLOCK_ROWS", 7)
    monkeypatch.setattr(passive_party, "PACK_BATCH", 1)
    monkeypatch.setattr(active_party, "DECRYPT_BATCH", 1)
    tables, labels = made_case(150, passives=PASSIVES[:1])
    federated, reference = _train_both(tables, labels, options(bins=32), PASSIVES[:1])
    assert federated.model == reference


@pytest.mark.slow
def test_larger_key_must_give_the_same_trees(monkeypatch):
    monkeypatch.setattr(training, "private_key", lambda: private_key(3072))
    tables, labels = made_case(400, passives=PASSIVES)
    opts = options(depth=4, bins=32, trees=3, minimum_bin_count=20)
    federated, reference = _train_both(tables, labels, opts, PASSIVES)
    assert federated.model == reference
    sums = [decode(data, CandidateSums) for data in federated.sent("CandidateSums")]
    assert {len(message.ciphertexts) % 768 for message in sums} == {0}


def test_prediction_must_equal_the_clear_one_on_rows_unlike_any_seen():
    tables, labels = made_case(150, passives=PASSIVES)
    federated, reference = _train_both(tables, labels, options(trees=3), PASSIVES)
    other, _ = made_case(77, passives=PASSIVES, number=9)
    for party, table in other.items():
        *columns, last = table.columns
        unseen = Column(last.name, "categorical", np.array(["never seen"] * 77, object))
        other[party] = ColumnTable((*columns, unseen), 77)
    predictions, transcript = evaluate_federated(federated.model, other)
    np.testing.assert_array_equal(predictions.margins, reference.predict(other).margins)
    assert len(np.unique(predictions.margins)) > 10
    assert {sender for sender, _, _, _ in transcript.messages} == set(PASSIVES)


def test_ties_must_go_to_the_active_party_then_to_the_first_candidate():
    rows = 120
    shared, weaker = numeric("shared", rows), numeric("weaker", rows)
    labels = (shared.values > 6).astype(np.uint8)
    copies = [Column(f"copy {k}", "numeric", shared.values) for k in range(3)]
    tables = {
        ACTIVE: ColumnTable((weaker,), rows),
        "retailer": ColumnTable((weaker, *copies), rows),
        "telecom": ColumnTable(tuple(copies), rows),
    }
    opts = options(depth=2, bins=16)
    federated, reference = _train_both(tables, labels, opts, PASSIVES)
    assert federated.model == reference
    root = reference.passive_halves["retailer"].trees[0].splits[0]
    assert (root.node, root.column) == (0, 1)
    assert not any(tree.splits for tree in reference.passive_halves["telecom"].trees)
    tied = [
        len(p)
        for data in federated.sent("ChosenSplits")
        for p in decode(data, ChosenSplits).positions
    ]
    assert max(tied) == 3

    tables[ACTIVE] = ColumnTable((weaker, shared), rows)
    opts = options(depth=2, bins=16, minimum_bin_count=5)
    federated, reference = _train_both(tables, labels, opts, PASSIVES)
    assert federated.model == reference
    assert isinstance(reference.active_half.trees[0].nodes[0], OwnSplit)


def test_parties_without_columns_or_enough_rows_must_still_agree():
    tables, labels = made_case(60, passives=PASSIVES)
    tables[ACTIVE] = ColumnTable((), 60)
    tables["telecom"] = ColumnTable((), 60)
    federated, reference = _train_both(tables, labels, options(), PASSIVES)
    assert federated.model == reference
    assert list(reference.active_half.peer_importance()) == ["retailer"]

    opts = options(minimum_bin_count=31)
    federated, reference = _train_both(tables, labels, opts, PASSIVES)
    assert federated.model == reference
    assert [len(tree.nodes) for tree in reference.active_half.trees] == [1, 1]


def test_seeds_must_change_every_ciphertext_and_no_tree():
    tables, labels = made_case(100, passives=PASSIVES[:1])
    one = train_federated(tables, labels, options(trees=1), passives=PASSIVES[:1])
    two = train_federated(tables, labels, options(trees=1), passives=PASSIVES[:1], number=1)
    again = train_federated(tables, labels, options(trees=1), passives=PASSIVES[:1])
    assert one.model == two.model
    assert one.transcripts[0].messages == again.transcripts[0].messages
    for name in ("EncryptedGradients", "CandidateSums"):
        assert not set(one.sent(name)) & set(two.sent(name))


def test_key_step_must_give_both_parties_the_same_key():
    roles = {
        ACTIVE: active_party.make_keys(
            passives=PASSIVES, suite=SUITE, bits=2048, seed=bytes(range(32))
        ),
        **{
            party: passive_party.receive_key(active=ACTIVE, suite=SUITE, bits=2048)
            for party in PASSIVES
        },
    }
    results, transcript = drive(roles)
    for party in PASSIVES:
        assert results[party] == results[ACTIVE].public_key
    assert results[ACTIVE].public_key != private_key().public_key
    assert len({data for _, _, _, data in transcript.messages}) == 1
