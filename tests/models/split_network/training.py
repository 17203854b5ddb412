"""Made tables, and whole trainings of them through the real roles and the real encoding."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.split_network import active_party, clear, passive_party
from models.split_network.encoding import learn_encoding
from models.split_network.label_noise import training_labels
from models.split_network.model import ActiveModel, PassiveModel
from models.split_network.options import NetworkOptions
from models.split_network.state import NetworkState
from models.table import Column, ColumnTable
from protocols.suite import get_suite
from tests.drive import Transcript, drive

SUITE = get_suite("intl")
ACTIVE = "bank"
PASSIVES = ("retailer", "telecom")
PUBLIC_SEED = bytes(32)
LABEL_KEY = b"\7" * 32


def options(**changes):
    values = {
        "cut_units": 3,
        "hidden_units": 8,
        "epochs": 2,
        "batch_rows": 32,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "label_epsilon": 2.0,
    }
    return NetworkOptions(**(values | changes))


def uniform(purpose, rows, number=0):
    seed = SUITE.hash(f"{purpose}/{number}".encode())
    return (SUITE.stream(seed, b"made").words(rows) >> np.uint64(11)).astype(float) / 2**53


def numeric(name, rows, number=0, missing=0.0):
    values = np.round(10 * uniform(name, rows, number), 2)
    values[uniform(name + " missing", rows, number) < missing] = np.nan
    return Column(name, "numeric", values)


def categorical(name, rows, levels, number=0, missing=0.0):
    drawn = (len(levels) * uniform(name, rows, number)).astype(int)
    values = np.array(levels, object)[drawn]
    values[uniform(name + " missing", rows, number) < missing] = None
    return Column(name, "categorical", values)


def made_case(rows, *, passives, number=0):
    """Tables with every kind of column, and labels that depend on all parties' columns."""
    tables = {}
    signal = 3 * uniform("noise", rows, number)
    for party in (ACTIVE, *passives):
        columns = (
            numeric(f"{party} amount", rows, number),
            numeric(f"{party} age", rows, number, missing=0.2),
            categorical(f"{party} kind", rows, ["a", "b", "c", "d"], number, missing=0.1),
        )
        tables[party] = ColumnTable(columns, rows)
        signal = signal + columns[0].values / 5 - np.nan_to_num(columns[1].values, nan=-3) / 4
        signal = signal + 2 * (columns[2].values == "b")
    labels = (signal > np.quantile(signal, 0.7)).astype(np.uint8)
    return tables, labels


def identities(rows):
    return np.frombuffer(
        b"".join(SUITE.hash(number.to_bytes(8, "big")) for number in range(rows)), np.uint8
    ).reshape(rows, 32)


def randomised(labels, opts, key=LABEL_KEY):
    return training_labels(labels, identities(len(labels)), options=opts, suite=SUITE, key=key)


def seed(party, number=0):
    return SUITE.hash(f"{party}/{number}".encode())


def encoded(tables):
    encodings = {party: learn_encoding(table) for party, table in tables.items()}
    return encodings, {party: encodings[party].apply(tables[party]) for party in tables}


def epoch_roles(inputs, training, opts, states=None, number=0):
    """The roles of one epoch, by party; of the first one if there are no ``states``."""
    states = states or {}
    passives = tuple(party for party in inputs if party != ACTIVE)
    given = {"options": opts, "suite": SUITE, "public_seed": PUBLIC_SEED}
    roles = {
        ACTIVE: active_party.train_epoch(
            state=states.get(ACTIVE),
            inputs=inputs[ACTIVE],
            labels=training,
            passives=passives,
            seed=seed(ACTIVE, number),
            **given,
        )
    }
    for party in passives:
        roles[party] = passive_party.train_epoch(
            state=states.get(party),
            inputs=inputs[party],
            active=ACTIVE,
            seed=seed(party, number),
            **given,
        )
    return roles


def finish_roles(encodings, inputs, labels, opts, states):
    passives = tuple(party for party in inputs if party != ACTIVE)
    roles = {
        ACTIVE: active_party.finish_training(
            state=states[ACTIVE],
            inputs=inputs[ACTIVE],
            encoding=encodings[ACTIVE],
            labels=labels,
            options=opts,
            passives=passives,
            suite=SUITE,
            public_seed=PUBLIC_SEED,
        )
    }
    for party in passives:
        roles[party] = passive_party.finish_training(
            state=states[party],
            inputs=inputs[party],
            encoding=encodings[party],
            options=opts,
            active=ACTIVE,
        )
    return roles


@dataclass
class Federated:
    halves: dict[str, ActiveModel | PassiveModel]
    transcripts: list[Transcript] = field(default_factory=list)

    def sent(self, type_name, party=None):
        return [
            data
            for t in self.transcripts
            for sender, to, name, data in t.messages
            if name == type_name and party in (None, sender, to)
        ]


def train_federated(tables, labels, opts, training=None):
    """Train through checkpoints: every state goes through its bytes."""
    training = randomised(labels, opts) if training is None else training
    encodings, inputs = encoded(tables)
    states, transcripts = {}, []
    for _ in range(opts.epochs):
        results, transcript = drive(epoch_roles(inputs, training, opts, states))
        states = {p: NetworkState.from_bytes(state.to_bytes()) for p, state in results.items()}
        transcripts.append(transcript)
    halves, transcript = drive(finish_roles(encodings, inputs, labels, opts, states))
    return Federated(halves, [*transcripts, transcript])


def train_clear(tables, labels, opts, training=None):
    return clear.train(
        tables,
        labels,
        randomised(labels, opts) if training is None else training,
        opts,
        active=ACTIVE,
        passives=tuple(party for party in tables if party != ACTIVE),
        suite=SUITE,
        seeds={party: seed(party) for party in tables},
        public_seed=PUBLIC_SEED,
    )


def evaluate_federated(halves, tables):
    passives = tuple(party for party in halves if party != ACTIVE)
    roles = {
        party: passive_party.evaluate(model=halves[party], table=tables[party], active=ACTIVE)
        for party in passives
    }
    roles[ACTIVE] = active_party.evaluate(
        model=halves[ACTIVE], table=tables[ACTIVE], passives=passives
    )
    results, transcript = drive(roles)
    return results[ACTIVE], transcript
