"""Federated trees equal the trees grown in the clear, split for split and bit for bit."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from models.boosted_trees import (
    active_party,
    clear,
    encrypted_histogram,
    passive_party,
    row_packing,
)
from models.boosted_trees.messages import CandidateSums, ChosenSplits
from models.boosted_trees.options import OneSideShares
from models.boosted_trees.tree import OwnSplit, PeerSplit
from models.table import Column, ColumnTable
from protocols.wire import decode
from tests.drive import drive
from tests.models.boosted_trees.training import (
    ACTIVE,
    PASSIVES,
    evaluate_federated,
    made_case,
    numeric,
    options,
    sampling,
    train_federated,
    uniform,
)
from tests.models.boosted_trees.transparent import transparent_key
from tests.protocols.paillier.keys import SUITE, VECTOR_SUITE, private_key

ONE_SIDE = OneSideShares(Decimal("0.25"), Decimal("0.3"))
FORWARD_COSTS = {"one row": 0, "some rows": 4_000, "many rows": 10**7}


def _train_both(tables, labels, opts, passives, *, number=0, validation=None, key=None):
    federated = train_federated(
        tables, labels, opts, passives=passives, number=number, validation=validation, key=key
    )
    reference = clear.train(
        tables, labels, opts,
        active=ACTIVE, passives=passives, validation=validation, sampling=sampling(number),
    )  # fmt: skip
    return federated, reference


def _must_agree(federated, reference, tables, validation):
    assert federated.model == reference
    assert federated.model.active_half.to_bytes() == reference.active_half.to_bytes()
    half = reference.active_half
    if validation is None:  # every tree is kept, so the last margins are the model's
        predicted = reference.predict(tables).margins.reshape(federated.margins.shape)
        np.testing.assert_array_equal(half.center + half.scale * federated.margins, predicted)


CASES = [
    pytest.param({"depth": 1, "trees": 3}, id="depth 1"),
    pytest.param({"depth": 2, "first_tree_active_only": True, "trees": 3}, id="first tree alone"),
    pytest.param({"depth": 4, "bins": 32, "l2": 0.0}, id="depth 4"),
    pytest.param({"bins": 3, "minimum_bin_count": 12}, id="few bins"),
    pytest.param({"row_sample": Decimal("0.6")}, id="row sample"),
    pytest.param({"one_side_sampling": ONE_SIDE, "learning_rate": 1.0}, id="one-side sampling"),
    pytest.param({"early_stopping_rounds": 1, "trees": 6, "learning_rate": 1.0}, id="stopping"),
    pytest.param(
        {
            "early_stopping_rounds": 2,
            "trees": 4,
            "row_sample": Decimal("0.7"),
            "first_tree_active_only": True,
        },
        id="stopping and sample",
    ),
    pytest.param(
        {"early_stopping_rounds": 3, "trees": 3, "one_side_sampling": ONE_SIDE},
        id="stopping and one side",
    ),
]


@pytest.mark.parametrize("packed", FORWARD_COSTS)
@pytest.mark.parametrize("parties", [1, 2])
@pytest.mark.parametrize("objective", ["binary", "balanced", "regression", "multiclass"])
@pytest.mark.parametrize("changes", CASES)
def test_every_option_must_give_the_clear_trees(
    monkeypatch, request, *, changes, objective, parties, packed
):
    monkeypatch.setattr(row_packing, "FORWARD_COST", FORWARD_COSTS[packed])
    number = len(request.node.name)
    weights = "balanced" if objective == "balanced" else "none"
    objective = "binary" if objective == "balanced" else objective
    if objective == "multiclass":
        changes = changes | {"classes": 3, "class_weights": "balanced" if parties == 2 else "none"}
    else:
        changes = changes | {"class_weights": weights}
    opts = options(objective=objective, **changes)
    passives = PASSIVES[:parties]
    tables, labels = made_case(150, passives=passives, number=number, objective=objective)
    validation = None
    if opts.early_stopping_rounds:
        validation = uniform("validation", 150, number) < 0.25
    federated, reference = _train_both(
        tables, labels, opts, passives,
        number=number, validation=validation, key=transparent_key(),
    )  # fmt: skip
    _must_agree(federated, reference, tables, validation)


@pytest.mark.parametrize(
    ("number", "parties", "packed", "changes"),
    [
        (0, 1, "some rows", {"depth": 1, "trees": 3}),
        (3, 1, "one row", {"depth": 3, "bins": 32, "l2": 0.0}),
        (14, 2, "many rows", {"depth": 1, "trees": 6}),
        (5, 2, "some rows", {"first_tree_active_only": True, "learning_rate": 1.0}),
        (6, 2, "some rows", {"objective": "regression", "depth": 2}),
        (7, 1, "some rows", {"objective": "multiclass", "classes": 3}),
    ],
)
def test_encrypted_trees_must_equal_the_clear_ones(monkeypatch, number, parties, packed, changes):
    monkeypatch.setattr(row_packing, "FORWARD_COST", FORWARD_COSTS[packed])
    passives = PASSIVES[:parties]
    opts = options(**changes)
    tables, labels = made_case(150, passives=passives, number=number, objective=opts.objective)
    federated, reference = _train_both(tables, labels, opts, passives, number=number)
    _must_agree(federated, reference, tables, None)
    owners = {type(n) for tree in reference.active_half.trees for n in tree.nodes}
    assert PeerSplit in owners
    assert OwnSplit in owners or opts.depth < 3
    assert set(reference.active_half.peer_importance()) == set(passives)


@pytest.mark.skipif(VECTOR_SUITE.kernels != "avx512", reason="needs AVX-512 IFMA")
def test_both_kernels_must_send_the_same_bytes(monkeypatch):
    monkeypatch.setattr(row_packing, "FORWARD_COST", FORWARD_COSTS["some rows"])
    tables, labels = made_case(120, passives=PASSIVES[:1])
    one, two = (
        train_federated(
            tables, labels, options(trees=1, depth=2),
            passives=PASSIVES[:1], key=private_key(2048, kernels),
        )
        for kernels in ("portable", "avx512")
    )  # fmt: skip
    assert one.model == two.model
    assert one.transcripts[0].messages == two.transcripts[0].messages


@pytest.mark.parametrize("cost", [0, 10**6], ids=["always subtract", "never subtract"])
def test_ways_to_sum_must_not_change_the_trees(monkeypatch, cost):
    monkeypatch.setattr(encrypted_histogram, "SUBTRACTION_COST", cost)
    monkeypatch.setattr(encrypted_histogram, "MOST_POSITIONS", 200)
    monkeypatch.setattr(active_party, "DECRYPT_BATCH", 1)
    for module in (active_party, passive_party):
        monkeypatch.setattr(module, "FRAME_CIPHERTEXTS", 7)
    tables, labels = made_case(150, passives=PASSIVES[:1])
    federated, reference = _train_both(
        tables, labels, options(bins=32, depth=4), PASSIVES[:1], key=transparent_key()
    )
    assert federated.model == reference
    assert len(federated.sent("EncryptedGradients")) > 10


@pytest.mark.slow
def test_larger_key_must_give_the_same_trees():
    tables, labels = made_case(400, passives=PASSIVES)
    opts = options(depth=4, bins=32, trees=3, minimum_bin_count=20)
    federated, reference = _train_both(tables, labels, opts, PASSIVES, key=private_key(3072))
    assert federated.model == reference
    sums = [decode(data, CandidateSums) for data in federated.sent("CandidateSums")]
    assert {len(message.ciphertexts) % 768 for message in sums} == {0}


@pytest.mark.slow
def test_a_table_of_real_size_must_give_the_clear_trees():
    tables, labels = made_case(6000, passives=PASSIVES)
    opts = options(depth=5, bins=32, trees=2, minimum_bin_count=20)
    federated, reference = _train_both(tables, labels, opts, PASSIVES)
    assert federated.model == reference


@pytest.mark.parametrize("objective", ["binary", "regression", "multiclass"])
def test_prediction_must_equal_the_clear_one_on_rows_unlike_any_seen(objective):
    tables, labels = made_case(150, passives=PASSIVES, objective=objective)
    opts = options(trees=3, objective=objective, classes=3 if objective == "multiclass" else 1)
    federated, reference = _train_both(tables, labels, opts, PASSIVES, key=transparent_key())
    other, _ = made_case(77, passives=PASSIVES, number=9)
    for party, table in other.items():
        *columns, last = table.columns
        unseen = Column(last.name, "categorical", np.array(["never seen"] * 77, object))
        other[party] = ColumnTable((*columns, unseen), 77)
    predictions, transcript = evaluate_federated(federated.model, other)
    expected = reference.predict(other)
    np.testing.assert_array_equal(predictions.margins, expected.margins)
    assert len(np.unique(predictions.margins)) > 10
    assert {sender for sender, _, _, _ in transcript.messages} == set(PASSIVES)
    for name, moved in expected.contributions.items():
        np.testing.assert_array_equal(predictions.contributions[name], moved)
    for party, moved in expected.peer_contributions.items():
        np.testing.assert_array_equal(predictions.peer_contributions[party], moved)


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
    federated, reference = _train_both(tables, labels, opts, PASSIVES, key=transparent_key())
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
    federated, reference = _train_both(tables, labels, opts, PASSIVES, key=transparent_key())
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
    assert not federated.sent("EncryptedGradients")  # nothing to search, nothing to send


def test_seeds_must_change_every_ciphertext_and_no_tree():
    tables, labels = made_case(100, passives=PASSIVES[:1])
    one, two, again = (
        train_federated(tables, labels, options(trees=1), passives=PASSIVES[:1], number=number)
        for number in (0, 1, 0)
    )
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
