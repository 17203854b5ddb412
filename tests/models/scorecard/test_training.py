"""The federated scorecard must be the one computed in the clear on the joined table."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from models.scorecard import clear
from models.scorecard.model import ActiveScorecard, PassiveScorecard
from models.scorecard.regression import TrainingState
from models.table import ColumnTable
from protocols.errors import DecodeError, LocalProtocolError
from tests.drive import drive
from tests.models.scorecard.training import (
    ACTIVE,
    PARTIES,
    PASSIVE,
    PUBLIC_SEED,
    SUITE,
    epoch_roles,
    finish_roles,
    made_case,
    numeric,
    options,
    score_federated,
    train_federated,
)

ROWS = 240
# A unit of a coefficient is 2^-18, of a cubed predictor 2^-8; a few roundings differ by one each.
TOLERANCE = {"linear": 2**-15, "cubic": 2**-10}


def _clear(tables, labels, opts):
    return clear.train(
        tables,
        labels,
        opts,
        active=ACTIVE,
        passives=(PASSIVE,),
        suite=SUITE,
        public_seed=PUBLIC_SEED,
    )


def _cases():
    return {
        "linear": options(epochs=2, batch_rows=120),
        "cubic": options(sigmoid="cubic"),
        "no penalty": options(l2=0.0, monotone=False, maximum_correlation=1.0),
        "small steps": options(learning_rate=0.01, l2=50.0, bins=3),
    }


@cache
def _trained(name):
    tables, labels = made_case(ROWS)
    opts = _cases()[name]
    return tables, labels, opts, train_federated(tables, labels, opts)


@pytest.mark.parametrize("name", ["linear", "cubic", "no penalty", "small steps"])
def test_federated_scorecard_must_equal_the_clear_one(name):
    tables, labels, opts, federated = _trained(name)
    reference = _clear(tables, labels, opts)
    halves = (
        (federated.model.active_half, reference.active_half),
        (federated.model.passive_half, reference.passive_half),
    )
    for got, want in halves:
        # Bins, weights of evidence, information values and the choice: exactly.
        assert [card.evidence for card in got.columns] == [card.evidence for card in want.columns]
        assert got.left_out == want.left_out
        assert len(got.columns) > 1
        for mine, clear_card in zip(got.columns, want.columns, strict=True):
            assert np.abs(np.subtract(mine.points, clear_card.points)).max() <= 1
    for party in PARTIES:
        errors = np.subtract(federated.model.uncalibrated[party], reference.uncalibrated[party])
        assert np.abs(errors).max() < TOLERANCE[opts.sigmoid]
    intercepts = halves[0][0].intercept, halves[0][1].intercept
    # It is fitted on the passive party's part in units of 2^-6, which may round another way.
    assert intercepts[0] == pytest.approx(intercepts[1], abs=5e-3)


def test_a_passive_party_without_a_chosen_column_must_be_no_obstacle():
    tables, labels = made_case(ROWS)
    tables = tables | {PASSIVE: ColumnTable((numeric("noise of no one", ROWS),), ROWS)}
    opts = options(minimum_information_value=0.5)
    federated = train_federated(tables, labels, opts)
    assert federated.model.passive_half.columns == ()
    assert len(federated.model.passive_half.left_out) == 1
    reference = _clear(tables, labels, opts)
    errors = np.subtract(federated.model.uncalibrated[ACTIVE], reference.uncalibrated[ACTIVE])
    assert np.abs(errors).max() < TOLERANCE["linear"]
    predictions, _ = score_federated(federated.model, tables)
    assert not predictions.peer_contributions[PASSIVE].any()


def test_training_again_from_a_stored_state_must_send_the_same_bytes():
    tables, labels, opts, federated = _trained("linear")
    stored = {p: TrainingState.from_bytes(s.to_bytes()) for p, s in federated.states[0].items()}
    again, transcript = drive(
        epoch_roles(1, tables, labels, weighed=federated.weighed, states=stored, opts=opts)
    )
    assert transcript.messages == federated.transcripts["epoch 1"].messages
    for party in PARTIES:
        assert again[party].to_bytes() == federated.states[1][party].to_bytes()


def test_a_stored_state_must_refuse_other_bytes():
    *_, federated = _trained("linear")
    data = federated.states[0][ACTIVE].to_bytes()
    for other in (b"", data[:-1], data + b"\0", data[: len(data) // 2]):
        with pytest.raises(DecodeError):
            TrainingState.from_bytes(other)


def test_a_state_of_another_epoch_must_be_refused():
    tables, labels, opts, federated = _trained("linear")
    roles = epoch_roles(
        0, tables, labels, weighed=federated.weighed, states=federated.states[0], opts=opts
    )
    for role in roles.values():
        with pytest.raises(LocalProtocolError, match="before this epoch"):
            next(role)


def test_scores_must_be_the_clear_ones_and_add_up():
    tables, _, _, federated = _trained("linear")
    predictions, transcript = score_federated(federated.model, tables)
    assert predictions.margins == pytest.approx(federated.model.predict(tables).margins, abs=1e-12)
    half = federated.model.active_half
    start = half.scale.margins(np.array([half.intercept_points]))[0]
    parts = [*predictions.contributions.values(), *predictions.peer_contributions.values()]
    assert predictions.margins == pytest.approx(start + sum(parts), abs=1e-9)
    assert set(predictions.contributions) == {card.evidence.name for card in half.columns}
    assert [(s, name) for s, _, name, _ in transcript.messages] == [(PASSIVE, "PartialScores")]
    scores = half.scale.scores(predictions.margins)
    assert scores.dtype == np.int64
    assert np.corrcoef(scores, predictions.probabilities)[0, 1] < -0.8


def test_halves_must_survive_storage():
    *_, federated = _trained("linear")
    active, passive = federated.model.active_half, federated.model.passive_half
    assert ActiveScorecard.from_bytes(active.to_bytes()) == active
    assert PassiveScorecard.from_bytes(passive.to_bytes()) == passive


def test_finishing_twice_must_give_the_same_halves():
    tables, labels, opts, federated = _trained("linear")
    halves, _ = drive(finish_roles(tables, labels, federated.weighed, federated.states[-1], opts))
    assert halves[ACTIVE].to_bytes() == federated.model.active_half.to_bytes()
    assert halves[PASSIVE].to_bytes() == federated.model.passive_half.to_bytes()
