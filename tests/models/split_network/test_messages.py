"""What the parties show each other: nothing more than SPEC.md §5 says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.split_network.label_noise import TrainingLabels
from models.split_network.messages import CutGradients, CutOutputs
from models.split_network.state import NetworkState
from protocols.roles import Progress, Receive, ReceiveEach, Send
from protocols.wire import decode
from tests.drive import drive
from tests.models.split_network.training import (
    ACTIVE,
    PASSIVES,
    encoded,
    epoch_roles,
    evaluate_federated,
    finish_roles,
    made_case,
    options,
    randomised,
    seed,
    train_federated,
)

ROWS = 100


def _shown(federated):
    """Every message to a passive party, in order, with what the active party got."""
    return [message for t in federated.transcripts for message in t.messages]


def test_what_passive_parties_see_must_depend_on_the_randomised_labels_alone():
    tables, labels = made_case(ROWS, passives=PASSIVES)
    training = randomised(labels, options())
    one = train_federated(tables, labels, options(), training)
    for other_labels in (1 - labels, np.zeros(ROWS), np.ones(ROWS, np.uint8)):
        other = train_federated(tables, other_labels, options(), training)
        assert _shown(other) == _shown(one)
        assert other.halves[ACTIVE].to_bytes() != one.halves[ACTIVE].to_bytes()
        for party in PASSIVES:
            assert other.halves[party].to_bytes() == one.halves[party].to_bytes()

    flipped = TrainingLabels(1 - training.values, training.flip_probability)
    assert _shown(train_federated(tables, labels, options(), flipped)) != _shown(one)


def test_a_last_step_that_diverges_must_show_nothing_and_keep_the_network():
    tables, labels = made_case(ROWS, passives=PASSIVES[:1])
    encodings, inputs = encoded(tables)
    opts = options(epochs=1)
    states, _ = drive(epoch_roles(inputs, randomised(labels, opts), opts))
    size = len(states[ACTIVE].weights) // 4
    huge = states[ACTIVE].optimiser(size)
    huge.weights[:] = 1e30
    states[ACTIVE] = NetworkState.of(huge, 1)

    halves, transcript = drive(finish_roles(encodings, inputs, labels, opts, states))
    assert {sender for sender, *_ in transcript.messages} == {PASSIVES[0]}
    assert np.array_equal(halves[ACTIVE].weights, huge.weights)


@pytest.mark.parametrize("passives", [PASSIVES[:1], PASSIVES], ids=["one", "two"])
def test_messages_must_be_the_batches_outputs_and_gradients(passives):
    tables, labels = made_case(ROWS, passives=passives)
    opts = options(batch_rows=32, cut_units=3)
    federated = train_federated(tables, labels, opts)
    for transcript in federated.transcripts[: opts.epochs]:
        names = [(s, r, n) for s, r, n, _ in transcript.messages]
        for party in passives:
            assert names.count((party, ACTIVE, "CutOutputs")) == 4
            assert names.count((ACTIVE, party, "CutGradients")) == 4
        assert len(names) == 8 * len(passives)
        for _, _, name, data in transcript.messages:
            type_ = {"CutOutputs": CutOutputs, "CutGradients": CutGradients}[name]
            assert len(decode(data, type_).values) == 25 * 3 * 4
    last = federated.transcripts[-1].messages
    assert [(s, r, n) for s, r, n, _ in last] == [(p, ACTIVE, "CutOutputs") for p in passives]


def test_evaluation_must_send_outputs_and_nothing_back():
    tables, labels = made_case(ROWS, passives=PASSIVES)
    halves = train_federated(tables, labels, options()).halves
    predictions, transcript = evaluate_federated(halves, tables)
    assert [(s, r, n) for s, r, n, _ in transcript.messages] == [
        (party, ACTIVE, "CutOutputs") for party in PASSIVES
    ]
    assert set(predictions.peer_contributions) == set(PASSIVES)
    assert set(predictions.contributions) == {c.name for c in tables[ACTIVE].columns}


def test_contributions_must_be_what_leaving_a_column_or_party_out_changes():
    tables, labels = made_case(ROWS, passives=PASSIVES)
    halves = train_federated(tables, labels, options(epochs=4)).halves
    predictions, _ = evaluate_federated(halves, tables)

    half = halves[ACTIVE]
    amount, age = half.encoding.columns[:2]
    mean_of_amount = tables[ACTIVE].columns[0].values.mean()
    column = replace(tables[ACTIVE].columns[0], values=np.full(ROWS, mean_of_amount))
    without = replace(tables[ACTIVE], columns=(column, *tables[ACTIVE].columns[1:]))
    left_out, _ = evaluate_federated(halves, {**tables, ACTIVE: without})
    change = predictions.margins - left_out.margins
    assert np.allclose(predictions.contributions[amount.name], change, atol=1e-5)
    assert np.abs(predictions.contributions[age.name]).max() > 0
    for values in predictions.peer_contributions.values():
        assert np.abs(values).max() > 0
        assert np.isfinite(values).all()

    # A party whose outputs are their mean for every row adds nothing.
    means = [np.tile(half.peer_means[number], (ROWS, 1)) for number in range(len(PASSIVES))]
    flat = half.predict(half.encoding.apply(tables[ACTIVE]), means)
    assert all(not values.any() for values in flat.peer_contributions.values())


def test_replay_must_send_the_same_bytes_and_other_seeds_others():
    tables, labels = made_case(ROWS, passives=PASSIVES)
    _, inputs = encoded(tables)
    training = randomised(labels, options())
    runs = [drive(epoch_roles(inputs, training, options())) for _ in range(2)]
    assert runs[0][1].messages == runs[1][1].messages
    for party in (ACTIVE, *PASSIVES):
        assert runs[0][0][party].to_bytes() == runs[1][0][party].to_bytes()
    other, _ = drive(epoch_roles(inputs, training, options(), number=1))
    assert all(other[party].weights != runs[0][0][party].weights for party in other)


def test_only_the_first_epoch_may_use_the_seed():
    tables, labels = made_case(ROWS, passives=PASSIVES[:1])
    _, inputs = encoded(tables)
    training = randomised(labels, options())
    states, _ = drive(epoch_roles(inputs, training, options()))
    one, _ = drive(epoch_roles(inputs, training, options(), states))
    two, _ = drive(epoch_roles(inputs, training, options(), states, number=1))
    assert seed(ACTIVE) != seed(ACTIVE, 1)
    assert one[ACTIVE].to_bytes() == two[ACTIVE].to_bytes()
    assert one[ACTIVE].epochs == 2
    assert one[ACTIVE].steps == 8


def test_roles_must_wait_only_for_agreed_parties_and_report_progress():
    tables, labels = made_case(ROWS, passives=PASSIVES)
    _, inputs = encoded(tables)
    waits = set()
    for party, role in epoch_roles(inputs, randomised(labels, options()), options()).items():
        request = next(role)
        assert request == Progress("train", 0, 4)
        while isinstance(request, Send | Progress):
            request = next(role)
        assert isinstance(request, Receive | ReceiveEach)
        waits.add((party, getattr(request, "parties", None) or (request.from_,)))
        role.close()
    assert waits == {(ACTIVE, PASSIVES), *((party, (ACTIVE,)) for party in PASSIVES)}
