"""One training of the split network by the real roles, and what both parties received."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.evaluation import auc
from models.split_network import active_party, passive_party
from models.split_network.batches import batches
from models.split_network.encoding import learn_encoding
from models.split_network.label_noise import training_labels
from models.split_network.messages import (
    CutGradients,
    CutOutputs,
    Singles,
    gradients_from_bytes,
    outputs_from_bytes,
)
from models.split_network.options import NetworkOptions
from models.split_network.state import NetworkState
from models.table import Rows
from simulations.attacks.customers import ACTIVE, PASSIVE, SUITE, SharedCustomers, stream_of
from simulations.attacks.recorder import Recording, record

HELD_OUT = 0.3
"""Share of the customers that only measure what the model is worth."""


@dataclass(frozen=True, eq=False)
class Training:
    """One training: what both parties received, and what the model is worth."""

    gradients: list[Singles] = field(repr=False)
    """The passive party's view: one array a batch, in the order they came."""
    rows: list[Rows] = field(repr=False)
    """The training customers of each batch."""
    outputs: Singles = field(repr=False)
    """The active party's view: the final outputs of the cut, by training customer."""
    held_out_auc: float


def training_customers(customers: SharedCustomers) -> SharedCustomers:
    """Return those the network learns from: the first ones."""
    return customers.take(np.arange(_trained_on(customers)))


def network_options(
    *, label_epsilon: float | None, cut_units: int, quick: bool = False
) -> NetworkOptions:
    """Return the options of a training; ``quick`` for few customers."""
    return NetworkOptions(
        cut_units=cut_units,
        hidden_units=32,
        epochs=5 if quick else 10,
        batch_rows=64 if quick else 128,
        learning_rate=0.01,
        weight_decay=0.0001,
        label_epsilon=label_epsilon,
    )


def train(customers: SharedCustomers, options: NetworkOptions, seed: int) -> Training:
    """Train the real roles on the first customers and measure the model on the others."""
    trained = training_customers(customers)
    encodings = {party: learn_encoding(table) for party, table in trained.tables.items()}
    inputs = {party: encodings[party].apply(table) for party, table in trained.tables.items()}
    labels = training_labels(
        trained.labels,
        np.arange(trained.count, dtype=">u8").view(np.uint8).reshape(trained.count, 8),
        options=options,
        suite=SUITE,
        key=stream_of(seed, "label key").bytes(32),
    )
    public_seed = stream_of(seed, "batches").bytes(32)
    states: dict[str, NetworkState | None] = {ACTIVE: None, PASSIVE: None}
    gradients: list[Singles] = []
    order: list[Rows] = []
    for epoch in range(options.epochs):
        recording = record(
            {
                ACTIVE: active_party.train_epoch(
                    state=states[ACTIVE],
                    inputs=inputs[ACTIVE],
                    labels=labels,
                    options=options,
                    passives=(PASSIVE,),
                    suite=SUITE,
                    public_seed=public_seed,
                    seed=stream_of(seed, "active").bytes(32),
                ),
                PASSIVE: passive_party.train_epoch(
                    state=states[PASSIVE],
                    inputs=inputs[PASSIVE],
                    options=options,
                    active=ACTIVE,
                    suite=SUITE,
                    public_seed=public_seed,
                    seed=stream_of(seed, "passive").bytes(32),
                ),
            }
        )
        states = recording.results
        rows = batches(trained.count, epoch, options=options, suite=SUITE, public_seed=public_seed)
        gradients += [
            gradients_from_bytes(message.values, len(part), options.cut_units)
            for message, part in zip(recording.received(PASSIVE, CutGradients), rows, strict=True)
        ]
        order += rows
    active, passive = states[ACTIVE], states[PASSIVE]
    assert active is not None  # there is at least one epoch
    assert passive is not None
    finished = record(
        {
            ACTIVE: active_party.finish_training(
                state=active,
                inputs=inputs[ACTIVE],
                encoding=encodings[ACTIVE],
                labels=trained.labels,
                options=options,
                passives=(PASSIVE,),
                suite=SUITE,
                public_seed=public_seed,
            ),
            PASSIVE: passive_party.finish_training(
                state=passive,
                inputs=inputs[PASSIVE],
                encoding=encodings[PASSIVE],
                options=options,
                active=ACTIVE,
            ),
        }
    )
    outputs = np.concatenate(
        [
            outputs_from_bytes(
                f.values, len(f.values) // (4 * options.cut_units), options.cut_units
            )
            for f in finished.received(ACTIVE, CutOutputs)
        ]
    )
    return Training(gradients, order, outputs, _held_out_auc(finished, customers))


def _trained_on(customers: SharedCustomers) -> int:
    return round(customers.count * (1 - HELD_OUT))


def _held_out_auc(halves: Recording, customers: SharedCustomers) -> float:
    others = customers.take(np.arange(_trained_on(customers), customers.count))
    predicted = record(
        {
            ACTIVE: active_party.evaluate(
                model=halves.results[ACTIVE], table=others.tables[ACTIVE], passives=(PASSIVE,)
            ),
            PASSIVE: passive_party.evaluate(
                model=halves.results[PASSIVE], table=others.tables[PASSIVE], active=ACTIVE
            ),
        }
    )
    return auc(others.labels, predicted.results[ACTIVE].margins)
