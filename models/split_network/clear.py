"""The same network trained in one process on the joined table: what the roles must equal.

One graph from every party's inputs to the loss, and one backward pass through it: no cut, no
message, no gradient handed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.predictions import Predictions
from models.split_network.active_party import DIVERGED, first_weights, learn_alone
from models.split_network.batches import batches, frames
from models.split_network.encoding import learn_encoding
from models.split_network.label_noise import TrainingLabels, checked_labels
from models.split_network.layout import initial_weights, layers
from models.split_network.messages import Singles
from models.split_network.model import ActiveModel, PassiveModel
from models.split_network.optimiser import AdamW
from models.split_network.options import NetworkOptions
from models.table import ColumnTable, Rows
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId
from protocols.suite import Suite


@dataclass(frozen=True, eq=False)
class ClearModel:
    """All halves in one place."""

    active: PartyId
    active_half: ActiveModel
    passive_halves: Mapping[PartyId, PassiveModel]

    def predict(self, tables: Mapping[PartyId, ColumnTable]) -> Predictions:
        """Return each row's margin; ``tables`` are all parties', rows in one order."""
        outputs = [
            _outputs(half, half.encoding.apply(tables[party]))
            for party, half in self.passive_halves.items()
        ]
        own = self.active_half.encoding.apply(tables[self.active])
        return self.active_half.predict(own, outputs)


def train(
    tables: Mapping[PartyId, ColumnTable],
    labels: npt.NDArray[Any],
    randomised: TrainingLabels,
    options: NetworkOptions,
    *,
    active: PartyId,
    passives: tuple[PartyId, ...],
    suite: Suite,
    seeds: Mapping[PartyId, bytes],
    public_seed: bytes,
) -> ClearModel:
    """Return the model the roles of ``active`` and ``passives`` end up with, weight for weight.

    ``labels`` (0 and 1) are the true ones, ``randomised`` what training sees of them; ``seeds``
    are those of each party's first epoch.
    """
    encodings = {party: learn_encoding(tables[party]) for party in (active, *passives)}
    inputs = {party: encodings[party].apply(tables[party]) for party in encodings}
    widths = {party: encodings[party].width for party in encodings}

    layout, rows = options.layout, len(labels)
    streams = {p: suite.stream(seeds[p], b"split-network/1 weights") for p in encodings}
    own_shapes = layout.active(widths[active], len(passives))
    optimisers = {active: AdamW.fresh(first_weights(own_shapes, randomised, streams[active]))}
    for party in passives:
        weights = initial_weights(layout.bottom(widths[party]), streams[party])
        optimisers[party] = AdamW.fresh(weights)

    orders = [
        batches(rows, epoch, options=options, suite=suite, public_seed=public_seed)
        for epoch in range(2 * options.epochs)
    ]
    for order in orders[: options.epochs]:
        _train_epoch(
            optimisers,
            inputs,
            randomised,
            order,
            options=options,
            parties=(active, *passives),
        )

    halves = {
        party: PassiveModel(layout, encodings[party], optimisers[party].weights)
        for party in passives
    }
    outputs = [_outputs(halves[party], inputs[party]) for party in passives]
    optimiser = AdamW.fresh(optimisers[active].weights.copy())
    true_labels = TrainingLabels(checked_labels(labels), 0.0)
    for order in orders[options.epochs :]:
        if not learn_alone(
            optimiser, inputs[active], outputs, true_labels, order=order, options=options
        ):
            optimiser = optimisers[active]
            break
    means = np.array([values.mean(axis=0, dtype=np.float64) for values in outputs], np.float32)
    means = means.reshape(len(passives), options.cut_units)
    half = ActiveModel(layout, encodings[active], optimiser.weights, passives, means)
    return ClearModel(active, half, halves)


def train_alone(
    table: ColumnTable,
    labels: npt.NDArray[Any],
    options: NetworkOptions,
    *,
    suite: Suite,
    seed: bytes,
) -> ActiveModel:
    """Return what the active party's columns and true labels give without anybody else's."""
    encoding = learn_encoding(table)
    inputs = encoding.apply(table)
    true_labels = TrainingLabels(checked_labels(labels), 0.0)
    shapes = options.layout.active(encoding.width, 0)
    stream = suite.stream(seed, b"split-network/1 weights")
    optimiser = AdamW.fresh(first_weights(shapes, true_labels, stream))
    for epoch in range(options.epochs):
        order = batches(len(labels), epoch, options=options, suite=suite, public_seed=seed)
        if not learn_alone(optimiser, inputs, (), true_labels, order=order, options=options):
            raise LocalProtocolError(DIVERGED)
    means = np.zeros((0, options.cut_units), np.float32)
    return ActiveModel(options.layout, encoding, optimiser.weights, (), means)


def _train_epoch(
    optimisers: Mapping[PartyId, AdamW],
    inputs: Mapping[PartyId, Singles],
    labels: TrainingLabels,
    order: list[Rows],
    *,
    options: NetworkOptions,
    parties: tuple[PartyId, ...],
) -> None:
    """Train every party's networks for one epoch; the first of ``parties`` is the active one."""
    import torch  # noqa: PLC0415 - takes a second

    from models.split_network import network  # noqa: PLC0415 - loads PyTorch

    active, passives = parties[0], parties[1:]
    layout = options.layout
    shapes = {party: layout.bottom(inputs[party].shape[1]) for party in passives}
    below = len(layout.bottom(0))
    shapes[active] = layout.active(inputs[active].shape[1], len(passives))
    weights = {party: layers(optimisers[party].weights, shapes[party]) for party in parties}
    for rows in order:
        with network.reproducible(), torch.enable_grad():
            leaves = {party: network.leaves(weights[party]) for party in parties}
            outputs = [
                network.bottom(leaves[party][:below], torch.tensor(inputs[party][rows]))
                for party in parties
            ]
            margins = network.top(leaves[active][below:], outputs)
            value = network.loss(
                margins, network.label_tensor(labels, rows), labels.flip_probability
            )
            every = [leaf for party in parties for leaf in leaves[party]]
            gradients = iter(torch.autograd.grad(value, every))
            steps = {p: network.flat([next(gradients) for _ in leaves[p]]) for p in parties}
        for party, optimiser in optimisers.items():
            if not optimiser.step(steps[party], options):
                raise LocalProtocolError(DIVERGED)


def _outputs(half: PassiveModel, inputs: Singles) -> Singles:
    from models.split_network.network import BottomNetwork  # noqa: PLC0415 - loads PyTorch

    network = BottomNetwork(half.layout, half.encoding.width, half.weights)
    parts = [network.outputs(inputs[rows]) for rows in frames(len(inputs))]
    return np.concatenate([np.zeros((0, half.layout.cut_units), np.float32), *parts])
