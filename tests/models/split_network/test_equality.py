"""The parties' network equals the one trained in one process on the joined table, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from models.split_network import clear
from models.split_network.model import ActiveModel, PassiveModel
from models.table import ColumnTable
from tests.models.split_network.training import (
    ACTIVE,
    PASSIVES,
    SUITE,
    evaluate_federated,
    made_case,
    options,
    seed,
    train_clear,
    train_federated,
)


def _must_be_equal(federated, joined):
    assert federated.halves[ACTIVE].to_bytes() == joined.active_half.to_bytes()
    for party, half in joined.passive_halves.items():
        assert federated.halves[party].to_bytes() == half.to_bytes()


@pytest.mark.parametrize("passives", [PASSIVES[:1], PASSIVES], ids=["one", "two"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"label_epsilon": None},
        {"label_epsilon": 0.5, "cut_units": 1, "hidden_units": 1, "batch_rows": 16},
        {"cut_units": 16, "hidden_units": 100, "batch_rows": 100_000},
        {"cut_units": 5, "hidden_units": 33, "batch_rows": 17, "weight_decay": 0.0},
    ],
    ids=["usual", "no label noise", "smallest", "one batch", "odd sizes"],
)
def test_the_federated_network_must_equal_the_joined_one_bit_for_bit(passives, changes):
    tables, labels = made_case(203, passives=passives)
    opts = options(**changes)
    federated, joined = train_federated(tables, labels, opts), train_clear(tables, labels, opts)
    _must_be_equal(federated, joined)

    predictions, _ = evaluate_federated(federated.halves, tables)
    expected = joined.predict(tables)
    assert predictions.to_bytes() == expected.to_bytes()


@pytest.mark.parametrize("empty", [ACTIVE, PASSIVES[0]])
def test_a_party_without_columns_must_do(empty):
    tables, labels = made_case(100, passives=PASSIVES[:1])
    tables[empty] = ColumnTable((), 100)
    federated = train_federated(tables, labels, options())
    _must_be_equal(federated, train_clear(tables, labels, options()))
    predictions, _ = evaluate_federated(federated.halves, tables)
    assert len(set(predictions.margins)) > 1


def test_more_rows_than_a_frame_must_do(monkeypatch):
    monkeypatch.setattr("models.split_network.batches.FRAME_ROWS", 64)
    tables, labels = made_case(130, passives=PASSIVES)
    federated = train_federated(tables, labels, options(epochs=1))
    _must_be_equal(federated, train_clear(tables, labels, options(epochs=1)))
    frames = [
        t for t in federated.transcripts[-1].messages if t[:3] == ("telecom", ACTIVE, "CutOutputs")
    ]
    assert len(frames) == 3
    predictions, _ = evaluate_federated(federated.halves, tables)
    assert predictions.margins.shape == (130,)


def test_a_network_alone_must_be_what_the_roles_make_of_no_peer():
    tables, labels = made_case(100, passives=())
    half = clear.train_alone(tables[ACTIVE], labels, options(), suite=SUITE, seed=seed(ACTIVE))
    assert half.passives == ()
    margins = half.predict(half.encoding.apply(tables[ACTIVE]), []).margins
    assert margins[labels == 1].mean() > margins[labels == 0].mean()


def test_halves_must_survive_their_bytes():
    tables, labels = made_case(100, passives=PASSIVES)
    halves = train_federated(tables, labels, options()).halves
    for party, half in halves.items():
        type_ = ActiveModel if party == ACTIVE else PassiveModel
        again = type_.from_bytes(half.to_bytes())
        assert again.to_bytes() == half.to_bytes()
        halves = {**halves, party: again}
    predictions, _ = evaluate_federated(halves, tables)
    assert np.isfinite(predictions.margins).all()
