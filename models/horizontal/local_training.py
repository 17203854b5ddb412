"""What a party does in one round: some passes over its own rows, from the global parameters on.

FedAvg's ClientUpdate (McMahan, Moore, Ramage, Hampson and Aguera y Arcas, "Communication-Efficient
Learning of Deep Networks from Decentralized Data", AISTATS 2017, Algorithm 1): plain mini-batch
gradient steps. FedProx (Li, Sahu, Zaheer, Sanjabi, Talwalkar and Smith, "Federated Optimization in
Heterogeneous Networks", MLSys 2020, Algorithm 2) minimises the loss plus mu/2 |w - w^t|^2 instead,
w^t being the round's global parameters; here as there by as many gradient steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from models.horizontal.layout import hidden_units, shapes, size
from models.horizontal.not_finite import NotFinite
from models.horizontal.scaling import Scaling, check_split
from models.horizontal.state import FederatedState
from models.horizontal.table import TrainingTable
from models.table import Floats, Mask, Rows
from protocols.errors import LocalProtocolError
from protocols.session.horizontal_terms import FederatedTraining, HorizontalModel
from protocols.suite import Suite

Progressed: TypeAlias = Callable[[int, int], None]
"""Called with (passes done, passes in all)."""


@dataclass(frozen=True, eq=False)
class LocalUpdate:
    """What a party adds to a round's mean: how far its own rows moved each repeat's parameters."""

    delta: Floats = field(repr=False)
    """Shape (repeats, P), finite."""
    rows: Rows
    """Training rows of each repeat, (repeats,): what the update is weighted by."""


@dataclass(frozen=True, eq=False)
class Batches:
    """One pass over every repeat's training rows, side by side.

    Step k takes ``rows[k]`` (repeats, b) with ``shares[k]``: one over the batch's size, and 0 for
    the places a shorter batch, or a repeat that has finished its pass, leaves empty.
    """

    rows: list[Rows]
    shares: list[Floats]


def local_update(
    state: FederatedState,
    scaling: Scaling,
    table: TrainingTable,
    held_out: Mask,
    *,
    model: HorizontalModel,
    training: FederatedTraining,
    suite: Suite,
    seed: bytes,
    progress: Progressed | None = None,
) -> LocalUpdate:
    """Return the party's update of round ``state.round + 1``, of all repeats.

    ``held_out`` is (repeats, n). ``seed`` is one secret of the party for the whole job: a round's
    batches are drawn from it and the round, so that a round done again gives the same update. The
    loss of a repeat is the mean negative log likelihood of a batch plus l2/2 times the squares of
    its matrices (biases are not penalised).

    Raises :class:`NotFinite` when training diverges, and :class:`LocalProtocolError` for a repeat
    without training rows and for parts that do not fit together.
    """
    import torch  # noqa: PLC0415 - takes a second

    from models.horizontal import network  # noqa: PLC0415 - loads PyTorch

    training_rows = check_parts(state, scaling, table, held_out, model)
    layer_shapes = shapes(hidden_units(model), len(table.columns))
    rate, mu = float(training.learning_rate), float(training.proximal)
    l2 = float(model.l2)
    start = state.parameters
    with network.reproducible(), torch.no_grad():
        inputs = network.Inputs(table.values, scaling.mean, scaling.deviation)
        labels = torch.tensor(table.labels, dtype=torch.float64)
        anchor = network.tensors(start, layer_shapes)
        layers = network.tensors(start, layer_shapes)
        for epoch in range(training.local_epochs):
            number = state.round * training.local_epochs + epoch
            order = batches(
                training_rows, number, batch_rows=training.batch_rows, suite=suite, seed=seed
            )
            for rows, shares in zip(order.rows, order.shares, strict=True):
                chosen = torch.tensor(rows)
                gradients = network.gradients(
                    layers, inputs.take(chosen), labels[chosen], torch.tensor(shares)
                )
                # A repeat that has finished its pass stands still, penalties and all.
                active = torch.tensor(shares.any(axis=1).astype(np.float64))
                for layer, gradient, origin in zip(layers, gradients, anchor, strict=True):
                    step = gradient
                    if l2 and layer.ndim == 3:
                        step = step.add(layer, alpha=l2)
                    if mu:
                        step = step.add(layer - origin, alpha=mu)
                    layer.sub_(active.reshape(-1, *[1] * (layer.ndim - 1)) * step, alpha=rate)
            if not all(bool(torch.isfinite(layer).all()) for layer in layers):
                raise diverged(state.round, training)
            if progress is not None:
                progress(epoch + 1, training.local_epochs)
        moved = network.flat(layers)
    return LocalUpdate(moved - start, np.array([len(rows) for rows in training_rows], np.int64))


def check_parts(
    state: FederatedState,
    scaling: Scaling,
    table: TrainingTable,
    held_out: Mask,
    model: HorizontalModel,
) -> list[Rows]:
    """Return each repeat's training rows; refuse parts that do not fit together."""
    check_split(table, held_out)
    columns = len(table.columns)
    if not len(held_out) == scaling.repeats == state.repeats:
        raise LocalProtocolError("split, scaling and state must have as many repeats")
    if scaling.columns != columns or state.parameters.shape[1] != size(
        hidden_units(model), columns
    ):
        raise LocalProtocolError("the table's columns are not those the model was set up for")
    training_rows = [np.flatnonzero(~out) for out in held_out]
    for repeat, rows in enumerate(training_rows):
        if not len(rows):
            raise LocalProtocolError(
                f"no customer is left to train on in repeat {repeat}: the party has too few"
            )
    return training_rows


def batches(
    training_rows: Sequence[Rows], number: int, *, batch_rows: int, suite: Suite, seed: bytes
) -> Batches:
    """Return pass ``number`` (from 0, over the whole job) over every repeat's rows.

    Each repeat's rows in an order of its own, drawn from ``seed``, in the fewest batches of at most
    ``batch_rows`` whose sizes differ by at most one.
    """
    cut = []
    for repeat, rows in enumerate(training_rows):
        stream = suite.stream(seed, f"horizontal/1 batches {number} {repeat}".encode())
        shuffled = rows[stream.permutation(len(rows))]
        cut.append(np.array_split(shuffled, -(-len(rows) // batch_rows)))
    found = Batches([], [])
    for step in range(max(map(len, cut))):
        due = [own[step] if step < len(own) else np.zeros(0, np.int64) for own in cut]
        width = max(map(len, due))
        rows, shares = np.zeros((len(cut), width), np.int64), np.zeros((len(cut), width))
        for repeat, batch in enumerate(due):
            rows[repeat, : len(batch)] = batch
            shares[repeat, : len(batch)] = 1 / max(len(batch), 1)
        found.rows.append(rows)
        found.shares.append(shares)
    return found


def diverged(round: int, training: FederatedTraining) -> NotFinite:
    """Return the error of local training whose parameters are no longer finite."""
    return NotFinite(
        f"local training diverged in round {round + 1}: a smaller learning_rate than "
        f"{training.learning_rate} (or a smaller l2 or proximal) is needed"
    )
