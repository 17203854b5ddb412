"""Whatever a peer sends, a role ends normally or blames that peer, by name."""

from __future__ import annotations

import struct
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.split_network import active_party, passive_party
from models.split_network.label_noise import TrainingLabels
from models.split_network.layout import layers, size
from models.split_network.messages import CutGradients, CutOutputs
from models.split_network.optimiser import AdamW
from models.split_network.state import NetworkState
from protocols.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from protocols.roles import Receive, ReceiveEach
from protocols.wire import decode, encode
from tests.drive import drive
from tests.models.split_network.training import (
    ACTIVE,
    PASSIVES,
    encoded,
    epoch_roles,
    finish_roles,
    made_case,
    options,
    randomised,
    train_federated,
)

ROWS = 40
OPTIONS = options(epochs=1, batch_rows=16, hidden_units=4, cut_units=2)


@cache
def _case():
    tables, labels = made_case(ROWS, passives=PASSIVES)
    return tables, labels, encoded(tables)[1], randomised(labels, OPTIONS)


@cache
def _honest():
    """Each party's inbound messages of one honest epoch, as (sender, name, bytes)."""
    _, _, inputs, training = _case()
    _, transcript = drive(epoch_roles(inputs, training, OPTIONS))
    return {
        party: [(s, name, data) for s, to, name, data in transcript.messages if to == party]
        for party in (ACTIVE, *PASSIVES)
    }


def _feed(role, inbound):
    """Run one role on recorded messages; return its result."""
    queues = {sender: [d for s, _, d in inbound if s == sender] for sender, _, _ in inbound}
    answer = None
    try:
        while True:
            request = role.send(answer)
            answer = None
            if isinstance(request, Receive):
                answer = _decoded(queues[request.from_].pop(0), request.type, request.from_)
            elif isinstance(request, ReceiveEach):
                answer = {p: _decoded(queues[p].pop(0), request.type, p) for p in request.parties}
    except StopIteration as stop:
        return stop.value


def _decoded(data, type_, sender):
    """As the driver does: what does not decode is its sender's."""
    try:
        return decode(data, type_)
    except RemoteProtocolError as error:
        error.party = sender
        raise


def _train(party, inbound):
    _, _, inputs, training = _case()
    return _feed(epoch_roles(inputs, training, OPTIONS)[party], inbound)


def _singles(*values):
    return struct.pack(f"<{len(values)}f", *values)


def _changed(values, at, number):
    return values[: 4 * at] + _singles(number) + values[4 * at + 4 :]


BAD_VALUES = {
    "nothing": lambda v: b"",
    "a byte short": lambda v: v[:-1],
    "a byte more": lambda v: v + b"\0",
    "a row short": lambda v: v[:-8],
    "a row more": lambda v: v + v[:8],
    "not a number": lambda v: _changed(v, 3, float("nan")),
    "infinity": lambda v: _changed(v, 0, float("inf")),
    "minus infinity": lambda v: _changed(v, 5, -float("inf")),
    "enormous": lambda v: _changed(v, 1, 3e38),
}


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("name", BAD_VALUES)
@pytest.mark.parametrize("party", PASSIVES)
def test_passive_party_must_refuse_malformed_gradients(party, name, at):
    inbound = list(_honest()[party])
    message = decode(inbound[at][2], CutGradients)
    inbound[at] = (ACTIVE, "CutGradients", encode(CutGradients(BAD_VALUES[name](message.values))))
    with pytest.raises(RemoteProtocolError) as caught:
        _train(party, inbound)
    assert caught.value.party == ACTIVE


@pytest.mark.parametrize("number", [1.0000001, -2.0, 1e6])
def test_active_party_must_refuse_outputs_no_network_has(number):
    for name, change in {**BAD_VALUES, "": lambda v: _changed(v, 4, number)}.items():
        inbound = list(_honest()[ACTIVE])
        at = next(i for i, (sender, *_) in enumerate(inbound) if sender == "telecom")
        values = change(decode(inbound[at][2], CutOutputs).values)
        inbound[at] = ("telecom", "CutOutputs", encode(CutOutputs(values)))
        with pytest.raises(RemoteProtocolError) as caught:
            _train(ACTIVE, inbound)
        assert caught.value.party == "telecom", name


def _largest_gradients():
    """The retailer's inbound messages with every gradient at the limit of what it takes."""
    honest = [decode(data, CutGradients).values for _, _, data in _honest()["retailer"]]
    largest = [CutGradients(_singles(1e6) * (len(values) // 4)) for values in honest]
    return [(ACTIVE, "CutGradients", encode(message)) for message in largest]


def test_gradients_at_the_limit_must_end_in_finite_weights():
    state = _train("retailer", _largest_gradients())
    assert NetworkState.from_bytes(state.to_bytes()) == state


def test_gradients_that_push_the_network_out_of_float32_must_be_blamed():
    _, _, inputs, training = _case()
    shapes = OPTIONS.layout.bottom(inputs["retailer"].shape[1])
    optimiser = AdamW.fresh(np.zeros(size(shapes), np.float32))
    first, _, second, _ = layers(optimiser.weights, shapes)
    first[:], second[:] = 1e-30, 1e28  # outputs as usual, a gradient of the first layer of 1e34
    optimiser.steps = 1
    states = {"retailer": NetworkState.of(optimiser, 1)}
    role = epoch_roles(inputs, training, OPTIONS, states)["retailer"]
    with pytest.raises(RemoteProtocolError, match="float32") as caught:
        _feed(role, _largest_gradients())
    assert caught.value.party == ACTIVE


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_bytes_in_any_place_must_end_in_blame_or_normally(data):
    party = data.draw(st.sampled_from((ACTIVE, *PASSIVES)))
    inbound = list(_honest()[party])
    at = data.draw(st.integers(0, len(inbound) - 1))
    sender, name, honest = inbound[at]
    drawn = st.one_of(
        st.binary(max_size=40),
        st.sampled_from([d for _, _, d in _honest()[party]]),
        st.tuples(st.integers(0, len(honest) - 1), st.integers(1, 255)).map(
            lambda k: honest[: k[0]] + bytes([honest[k[0]] ^ k[1]]) + honest[k[0] + 1 :]
        ),
    )
    inbound[at] = (sender, name, data.draw(drawn))
    try:
        result = _train(party, inbound)
    except RemoteProtocolError as error:
        blamed = error.party
    else:
        blamed = sender
        assert NetworkState.from_bytes(result.to_bytes()) == result
    assert blamed == sender


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_checkpoint_bytes_must_decode_or_be_refused(data):
    try:
        state = NetworkState.from_bytes(data)
    except DecodeError:
        return
    assert state.to_bytes() == data


@pytest.mark.parametrize(
    "fields",
    [
        [0, 1, b"", b"", b""],
        [1, 0, b"", b"", b""],
        [1, 1, b"1234", b"", b"1234"],
        [1, 1, b"123", b"123", b"123"],
        [1, 1, _singles(float("nan")), _singles(0), _singles(0)],
        [1, 1, _singles(0), _singles(0), _singles(float("inf"))],
        [True, 1, b"", b"", b""],
        [1, 1, b"", b""],
    ],
)
def test_checkpoints_that_are_none_must_not_decode(fields):
    with pytest.raises(DecodeError):
        NetworkState.from_bytes(msgspec.msgpack.encode(["NetworkState", *fields]))


def test_a_checkpoint_of_another_network_must_be_refused():
    tables, labels, inputs, training = _case()
    states, _ = drive(epoch_roles(inputs, training, OPTIONS))
    other = options(epochs=1, hidden_units=5, cut_units=2)
    for party in (ACTIVE, *PASSIVES):
        with pytest.raises(LocalProtocolError, match="another size"):
            next(epoch_roles(inputs, training, other, states)[party])
        role = finish_roles(encoded(tables)[0], inputs, labels, other, states)[party]
        with pytest.raises(LocalProtocolError, match="another size"):
            next(role)


def test_evaluation_must_refuse_outputs_for_other_rows():
    tables, labels, *_ = _case()
    halves = train_federated(tables, labels, OPTIONS).halves

    def evaluate(values):
        role = active_party.evaluate(
            model=halves[ACTIVE], table=tables[ACTIVE], passives=tuple(reversed(PASSIVES))
        )
        inbound = [
            ("retailer", "CutOutputs", encode(CutOutputs(bytes(ROWS * 8)))),
            ("telecom", "CutOutputs", encode(CutOutputs(values))),
        ]
        return _feed(role, inbound)

    assert len(evaluate(bytes(ROWS * 8)).margins) == ROWS
    for values in (b"", bytes(ROWS * 8 - 4), bytes(ROWS * 8 + 8), _singles(2.0) * 2 * ROWS):
        with pytest.raises(RemoteProtocolError) as caught:
            evaluate(values)
        assert caught.value.party == "telecom"


def test_evaluation_must_refuse_other_parties_than_trained():
    tables, labels, *_ = _case()
    model = train_federated(tables, labels, OPTIONS).halves[ACTIVE]
    for passives in ((), PASSIVES[:1], (*PASSIVES, "insurer")):
        role = active_party.evaluate(model=model, table=tables[ACTIVE], passives=passives)
        with pytest.raises(LocalProtocolError, match="retailer, telecom"):
            next(role)


def test_own_arguments_that_do_not_fit_must_be_refused():
    tables, labels, inputs, training = _case()
    short = TrainingLabels(training.values[:-1], training.flip_probability)
    with pytest.raises(LocalProtocolError, match="label"):
        next(epoch_roles(inputs, short, OPTIONS)[ACTIVE])
    states, _ = drive(epoch_roles(inputs, training, OPTIONS))
    encodings, _ = encoded(tables)
    for wrong in (labels[:-1], labels + 1, labels.astype(float) / 2):
        with pytest.raises(LocalProtocolError, match="label"):
            next(finish_roles(encodings, inputs, wrong, OPTIONS, states)[ACTIVE])


def test_a_passive_party_must_name_columns_that_do_not_fit():
    tables, labels, *_ = _case()
    half = train_federated(tables, labels, OPTIONS).halves["retailer"]
    role = passive_party.evaluate(model=half, table=tables["telecom"], active=ACTIVE)
    with pytest.raises(LocalProtocolError, match=r"missing: retailer amount.*telecom amount"):
        next(role)
