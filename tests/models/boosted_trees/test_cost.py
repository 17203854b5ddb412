"""The predicted cost against messages and operations counted in a run."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

import pytest

from models.boosted_trees import row_packing
from models.boosted_trees.cost import ColumnShape, column_shapes, training_cost
from protocols.paillier import PrivateKey, PublicKey, Summands
from tests.models.boosted_trees.training import (
    ACTIVE,
    PASSIVES,
    learn,
    made_case,
    options,
    train_federated,
    uniform,
)
from tests.models.boosted_trees.transparent import transparent_key

COUNTED = (
    (PublicKey, "subtract", "subtractions", lambda _, a, b: len(a)),
    (PublicKey, "shift", "squarings", lambda _, a, bits: len(a) * bits),
    (PublicKey, "rerandomise", "rerandomisations", lambda _, a, s: len(a)),
    (PublicKey, "encode", "encodings", lambda _, a: len(a)),
    (PublicKey, "decode", "decodings", lambda key, data: len(data) // key.ciphertext_bytes),
    (PrivateKey, "encrypt", "encryptions", lambda _, a, s: len(a)),
    (PrivateKey, "decrypt", "decryptions", lambda _, a: len(a)),
    (Summands, "extend", "preparations", lambda _, a: len(a)),
    (Summands, "sums", "additions", lambda _, positions, offsets: len(positions)),
)


AS_AGREED = row_packing.FORWARD_COST


@contextmanager
def _counting(monkeypatch):
    counts = Counter()

    def counted(method, kind, size):
        def call(self, *arguments):
            counts[kind] += size(self, *arguments)
            return method(self, *arguments)

        return call

    with monkeypatch.context() as patch:
        for owner, name, kind, size in COUNTED:
            patch.setattr(owner, name, counted(getattr(owner, name), kind, size))
        yield counts


@pytest.mark.parametrize(
    ("rows", "parties", "forward_cost", "changes"),
    [
        (3000, 1, AS_AGREED, {"trees": 2, "bins": 32}),
        (3000, 2, AS_AGREED, {"trees": 2, "bins": 32, "first_tree_active_only": True}),
        (1500, 1, 10**4, {"trees": 3, "bins": 16, "depth": 4}),
        (1500, 2, AS_AGREED, {"trees": 2, "bins": 16, "depth": 2, "early_stopping_rounds": 2}),
        (2000, 1, 10**4, {"trees": 2, "objective": "multiclass", "classes": 3}),
        (2000, 1, 10**4, {"trees": 2, "objective": "regression"}),
    ],
)
def test_prediction_must_be_close_to_what_a_run_counts(
    monkeypatch, *, rows, parties, forward_cost, changes
):
    monkeypatch.setattr(row_packing, "FORWARD_COST", forward_cost)
    passives = PASSIVES[:parties]
    opts = options(**({"minimum_bin_count": 20, "depth": 3} | changes))
    tables, labels = made_case(rows, passives=passives, objective=opts.objective)
    validation = uniform("validation", rows) < 0.2 if opts.early_stopping_rounds else None
    training = rows if validation is None else int((~validation).sum())
    binned = learn(tables, opts, validation)
    cost = training_cost(
        rows=training,
        options=opts,
        key_bits=2048,
        active=ACTIVE,
        active_columns=len(binned[ACTIVE].codes),
        passive_columns={party: column_shapes(binned[party], opts) for party in passives},
        validation_rows=rows - training,
    )
    with _counting(monkeypatch) as counts:
        federated = train_federated(
            tables, labels, opts, passives=passives, validation=validation, key=transparent_key()
        )
    bytes_, messages = Counter(), Counter()
    for transcript in federated.transcripts:
        for _, _, name, data in transcript.messages:
            bytes_[name] += len(data)
            messages[name] += 1
    predicted = Counter(cost.bytes)
    assert cost.bytes["EncryptedGradients"] == bytes_["EncryptedGradients"]
    # With many rows in a ciphertext little is exact: the answers are most of what is sent.
    within = 0.15 if forward_cost == AS_AGREED else 0.25
    assert predicted.total() == pytest.approx(bytes_.total(), rel=within)
    assert predicted["CandidateSums"] == pytest.approx(bytes_["CandidateSums"], rel=0.3)
    assert sum(cost.messages.values()) == pytest.approx(messages.total() + parties, rel=0.25)
    assert cost.checkpoints == 1 + opts.trees

    operations = Counter()
    for stage in cost.stages:
        for party_operations in stage.values():
            operations.update(party_operations)
    assert operations["encryptions"] * parties == counts["preparations"]
    for kind, count in counts.items():
        if kind != "subtractions":  # they are few, and on small tables a question of chance
            assert operations[kind] == pytest.approx(count, rel=0.3), kind
    assert operations["key_generations"] == 1
    assert operations["table_cells"] > rows * len(binned[ACTIVE].codes)


def test_a_model_without_peers_must_cost_no_byte():
    opts = options()
    cost = training_cost(
        rows=100, options=opts, key_bits=2048, active=ACTIVE, active_columns=4, passive_columns={}
    )
    assert cost.bytes == {}
    assert cost.messages == {}


def test_the_agreed_figure_must_be_kept():
    opts = options(trees=20, depth=3, bins=32, minimum_bin_count=20)
    cost = training_cost(
        rows=24_000, options=opts, key_bits=2048, active=ACTIVE,
        active_columns=13, passive_columns={"retailer": [ColumnShape(32)] * 10},
    )  # fmt: skip
    assert sum(cost.bytes.values()) < 75_000_000


def test_columns_must_be_described_as_the_root_offers_them():
    tables, _ = made_case(300, passives=PASSIVES[:1])
    opts = options(minimum_bin_count=20)
    binned = learn(tables, opts)["retailer"]
    amount, age, kind, rare = column_shapes(binned, opts)
    assert amount == ColumnShape(8, 0.0)
    assert age.bins == 8
    assert 0.15 < age.missing < 0.25
    assert age.candidates(300, 20) == 15
    assert age.candidates(60, 20) == 1
    assert kind.bins >= 3
    assert rare.bins == 1
