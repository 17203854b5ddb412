"""The active party: it has the label, its own columns, and the top of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.blame import checking_message_of
from models.predictions import Predictions
from models.split_network.batches import batches, frames
from models.split_network.encoding import TableEncoding
from models.split_network.label_noise import TrainingLabels, checked_labels
from models.split_network.layout import Shape, initial_weights, layers, size
from models.split_network.messages import (
    LARGEST_GRADIENT,
    CutGradients,
    CutOutputs,
    Singles,
    outputs_from_bytes,
    to_bytes,
)
from models.split_network.model import ActiveModel
from models.split_network.optimiser import AdamW
from models.split_network.options import NetworkOptions
from models.split_network.state import NetworkState
from models.table import ColumnTable, Rows
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId, Progress, ReceiveEach, Role, Send
from protocols.suite import RandomStream, Suite

DIVERGED = "the training diverged; a lower learning_rate keeps it from that"


def train_epoch(
    *,
    state: NetworkState | None,
    inputs: Singles,
    labels: TrainingLabels,
    options: NetworkOptions,
    passives: tuple[PartyId, ...],
    suite: Suite,
    public_seed: bytes,
    seed: bytes,
) -> Role[NetworkState]:
    """Active party of one epoch, SPEC.md §3.1 (Vepakomma et al. 2018, vertically split).

    ``state`` is the epoch before's result, ``None`` before the first, which draws the first
    weights from ``seed``. ``inputs`` (rows, width) and ``labels`` are of the training rows, in
    the order all parties share; ``passives`` is the agreed party order.

    Learns every passive party's outputs for every row. Reveals to each the loss's gradient for
    its own outputs, computed from the randomised labels alone. Adversary: semi-honest
    (SPEC.md §5). Raises :class:`LocalProtocolError` if the training diverges.
    """
    from models.split_network.network import ActiveNetwork  # noqa: PLC0415 - loads PyTorch

    if len(labels.values) != len(inputs):
        raise LocalProtocolError("there must be one label per row")
    shapes = options.layout.active(inputs.shape[1], len(passives))
    if state is None:
        stream = suite.stream(seed, b"split-network/1 weights")
        optimiser = AdamW.fresh(first_weights(shapes, labels, stream))
    else:
        optimiser = state.optimiser(size(shapes))
    epoch = 0 if state is None else state.epochs
    network = ActiveNetwork(options.layout, inputs.shape[1], len(passives), optimiser.weights)
    order = batches(len(inputs), epoch, options=options, suite=suite, public_seed=public_seed)
    for done, rows in enumerate(order):
        yield Progress("train", done, len(order))
        outputs = yield from _receive_outputs(passives, len(rows), options.cut_units)
        own, back = network.gradients(inputs[rows], outputs, labels, rows)
        if not (_sendable(back) and optimiser.step(own, options)):
            raise LocalProtocolError(DIVERGED)
        for party, gradients in zip(passives, back, strict=True):
            yield Send(party, CutGradients(to_bytes(gradients)))
    yield Progress("train", len(order), len(order))
    return NetworkState.of(optimiser, epoch + 1)


def first_weights(shapes: Sequence[Shape], labels: TrainingLabels, stream: RandomStream) -> Singles:
    """Return the weights before training; the last bias is the log odds of the labels."""
    weights = initial_weights(shapes, stream)
    layers(weights, shapes)[-1][:] = math.log(labels.base_rate / (1 - labels.base_rate))
    return weights


def finish_training(
    *,
    state: NetworkState,
    inputs: Singles,
    encoding: TableEncoding,
    labels: npt.NDArray[Any],
    options: NetworkOptions,
    passives: tuple[PartyId, ...],
    suite: Suite,
    public_seed: bytes,
) -> Role[ActiveModel]:
    """Active party after the last epoch, SPEC.md §3.2: returns its half of the model.

    ``labels`` (0 and 1) are the true ones. With the passive parties' final outputs at hand the
    active party trains its two networks on, by itself, on the labels it has always known; should
    that diverge, the networks stay as they were.

    Learns every passive party's final outputs for every training row. Reveals nothing: no message
    is sent. Adversary: semi-honest.
    """
    true_labels = TrainingLabels(checked_labels(labels), 0.0)
    if len(true_labels.values) != len(inputs):
        raise LocalProtocolError("there must be one label per row")
    shapes = options.layout.active(inputs.shape[1], len(passives))
    optimiser = AdamW.fresh(state.optimiser(size(shapes)).weights)
    outputs = yield from _receive_all(passives, len(inputs), options.cut_units, "finish training")
    weights = optimiser.weights
    for epoch in range(state.epochs, state.epochs + options.epochs):
        yield Progress("train on the true labels", epoch - state.epochs, options.epochs)
        order = batches(len(inputs), epoch, options=options, suite=suite, public_seed=public_seed)
        if not learn_alone(optimiser, inputs, outputs, true_labels, order=order, options=options):
            # To stop here would show the others something of the true labels.
            weights = state.optimiser(size(shapes)).weights
            break
    yield Progress("train on the true labels", options.epochs, options.epochs)
    means = [values.mean(axis=0, dtype=np.float64) for values in outputs]
    return ActiveModel(
        options.layout,
        encoding,
        weights,
        passives,
        np.array(means, np.float32).reshape(len(passives), options.cut_units),
    )


def learn_alone(
    optimiser: AdamW,
    inputs: Singles,
    outputs: Sequence[Singles],
    labels: TrainingLabels,
    *,
    order: Sequence[Rows],
    options: NetworkOptions,
) -> bool:
    """Train the active party's networks for one epoch, with the peers' ``outputs`` as they are.

    Returns whether every number stayed finite.
    """
    from models.split_network.network import ActiveNetwork  # noqa: PLC0415 - loads PyTorch

    network = ActiveNetwork(options.layout, inputs.shape[1], len(outputs), optimiser.weights)
    for rows in order:
        peers = [values[rows] for values in outputs]
        own, _ = network.gradients(inputs[rows], peers, labels, rows)
        if not optimiser.step(own, options):
            return False
    return True


def evaluate(
    *, model: ActiveModel, table: ColumnTable, passives: tuple[PartyId, ...]
) -> Role[Predictions]:
    """Active party of prediction, SPEC.md §3.3: returns a margin for each row of ``table``.

    All parties hold the same rows in the same order. Learns every passive party's outputs for
    every row. Reveals nothing. Adversary: semi-honest. Raises :class:`LocalProtocolError` if the
    model was trained with other parties, and naming the columns if the table's are not its own.
    """
    if set(model.passives) != set(passives):
        raise LocalProtocolError(f"the model was trained with {', '.join(model.passives)}")
    inputs = model.encoding.apply(table)
    cut_units = model.layout.cut_units
    outputs = yield from _receive_all(model.passives, table.rows, cut_units, "predict")
    return model.predict(inputs, outputs)


def _receive_outputs(
    passives: tuple[PartyId, ...], rows: int, cut_units: int
) -> Role[list[Singles]]:
    """Return each passive party's outputs for the next rows, in the order of ``passives``."""
    replies = yield ReceiveEach(passives, CutOutputs)
    outputs = []
    for party in passives:
        with checking_message_of(party):
            outputs.append(outputs_from_bytes(replies[party].values, rows, cut_units))
    return outputs


def _receive_all(
    passives: tuple[PartyId, ...], rows: int, cut_units: int, step: str
) -> Role[list[Singles]]:
    outputs = [np.zeros((rows, cut_units), np.float32) for _ in passives]
    for frame in frames(rows):
        yield Progress(step, frame.start, rows)
        received = yield from _receive_outputs(passives, frame.stop - frame.start, cut_units)
        for values, part in zip(outputs, received, strict=True):
            values[frame] = part
    yield Progress(step, rows, rows)
    return outputs


def _sendable(gradients: Sequence[Singles]) -> bool:
    return all(bool((np.abs(values) <= LARGEST_GRADIENT).all()) for values in gradients)
