"""A passive party: it has columns and a network that ends at the cut, and no label."""

from __future__ import annotations

from models.blame import checking_message_of
from models.split_network.batches import batches, frames
from models.split_network.encoding import TableEncoding
from models.split_network.layout import initial_weights, size
from models.split_network.messages import (
    CutGradients,
    CutOutputs,
    Singles,
    gradients_from_bytes,
    to_bytes,
)
from models.split_network.model import PassiveModel
from models.split_network.optimiser import AdamW
from models.split_network.options import NetworkOptions
from models.split_network.state import NetworkState
from models.table import ColumnTable
from protocols.errors import RemoteProtocolError
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import Suite


def train_epoch(
    *,
    state: NetworkState | None,
    inputs: Singles,
    options: NetworkOptions,
    active: PartyId,
    suite: Suite,
    public_seed: bytes,
    seed: bytes,
) -> Role[NetworkState]:
    """Passive party of one epoch, SPEC.md §3.1 (Vepakomma et al. 2018, vertically split).

    ``state`` is the epoch before's result, ``None`` before the first, which draws the first
    weights from ``seed``. ``inputs`` (rows, width) is the training table, encoded, in the row
    order all parties share; ``public_seed`` is known to all and orders the batches.

    Learns the gradient of the loss for each of its outputs: a function of the randomised labels,
    the active party's columns and weights. Reveals its outputs for every row, ``cut_units``
    numbers in [-1, 1]. Adversary: semi-honest (SPEC.md §5).
    """
    from models.split_network.network import BottomNetwork  # noqa: PLC0415 - loads PyTorch

    shapes = options.layout.bottom(inputs.shape[1])
    if state is None:
        stream = suite.stream(seed, b"split-network/1 weights")
        optimiser = AdamW.fresh(initial_weights(shapes, stream))
    else:
        optimiser = state.optimiser(size(shapes))
    epoch = 0 if state is None else state.epochs
    network = BottomNetwork(options.layout, inputs.shape[1], optimiser.weights)
    order = batches(len(inputs), epoch, options=options, suite=suite, public_seed=public_seed)
    for done, rows in enumerate(order):
        yield Progress("train", done, len(order))
        yield Send(active, CutOutputs(to_bytes(network.outputs(inputs[rows]))))
        reply = yield Receive(active, CutGradients)
        with checking_message_of(active):
            gradients = gradients_from_bytes(reply.values, len(rows), options.cut_units)
            if not optimiser.step(network.gradient(gradients), options):
                raise RemoteProtocolError("gradients that drive the network out of float32")
    yield Progress("train", len(order), len(order))
    return NetworkState.of(optimiser, epoch + 1)


def finish_training(
    *,
    state: NetworkState,
    inputs: Singles,
    encoding: TableEncoding,
    options: NetworkOptions,
    active: PartyId,
) -> Role[PassiveModel]:
    """Passive party after the last epoch, SPEC.md §3.2: returns its half of the model.

    Learns nothing. Reveals its final outputs for every training row. Adversary: semi-honest.
    """
    weights = state.optimiser(size(options.layout.bottom(encoding.width))).weights
    model = PassiveModel(options.layout, encoding, weights)
    yield from _send_outputs(model, inputs, active, "finish training")
    return model


def evaluate(*, model: PassiveModel, table: ColumnTable, active: PartyId) -> Role[None]:
    """Passive party of prediction, SPEC.md §3.3.

    All parties hold the same rows in the same order. Learns nothing. Reveals its outputs for
    every row. Adversary: semi-honest. Raises :class:`LocalProtocolError` naming the columns if
    the table's are not the model's.
    """
    yield from _send_outputs(model, model.encoding.apply(table), active, "predict")


def _send_outputs(model: PassiveModel, inputs: Singles, active: PartyId, step: str) -> Role[None]:
    from models.split_network.network import BottomNetwork  # noqa: PLC0415 - loads PyTorch

    network = BottomNetwork(model.layout, model.encoding.width, model.weights)
    for rows in frames(len(inputs)):
        yield Progress(step, rows.start, len(inputs))
        yield Send(active, CutOutputs(to_bytes(network.outputs(inputs[rows]))))
    yield Progress(step, len(inputs), len(inputs))
