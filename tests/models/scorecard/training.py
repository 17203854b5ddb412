"""Made tables, and whole trainings of them through the real roles and the real encoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from models.scorecard import active_party, passive_party
from models.scorecard.clear import ClearScorecard
from models.scorecard.fixed_point import FixedPoint, batch_count
from models.scorecard.keys import Keys
from models.scorecard.options import Scale, ScorecardOptions
from models.scorecard.points import opened_coefficients
from models.table import Column, ColumnTable
from protocols.paillier import generate_private_key
from protocols.suite import get_suite
from tests.drive import drive

ACTIVE = "bank"
PASSIVE = "retailer"
PARTIES = (ACTIVE, PASSIVE)
SUITE = get_suite("gm", "portable")
PUBLIC_SEED = b"order of the batches".ljust(32, b"\0")


def stream(purpose, number=0):
    return SUITE.stream(number.to_bytes(32, "big"), purpose)


@cache
def private_keys(bits=2048):
    return {p: generate_private_key(bits, stream(p.encode()), SUITE) for p in PARTIES}


@cache
def keys(bits=2048):
    own = private_keys(bits)
    return {
        ACTIVE: Keys(own[ACTIVE], own[PASSIVE].public_key),
        PASSIVE: Keys(own[PASSIVE], own[ACTIVE].public_key),
    }


def options(**changes):
    values = {
        "bins": 5,
        "minimum_class_count": 5,
        "monotone": True,
        "minimum_information_value": 0.02,
        "maximum_correlation": 0.95,
        "epochs": 1,
        "batch_rows": 200,
        "learning_rate": 0.5,
        "l2": 1.0,
        "sigmoid": "linear",
        "scale": Scale(600, 20, 40),
        "joint_table": False,
    }
    return ScorecardOptions(**(values | changes))


def uniform(purpose, rows, number=0):
    words = np.frombuffer(stream(purpose.encode(), number).bytes(4 * rows), "<u4")
    return words / 2**32


def numeric(name, rows, number=0, missing=0.0):
    values = np.round(10 * uniform(name, rows, number), 2)
    values[uniform(name + " missing", rows, number) < missing] = np.nan
    return Column(name, "numeric", values)


def categorical(name, rows, levels, number=0, missing=0.0):
    drawn = (len(levels) * uniform(name, rows, number)).astype(int)
    values = np.array(levels, object)[drawn]
    values[uniform(name + " missing", rows, number) < missing] = None
    return Column(name, "categorical", values)


def made_case(rows, number=0):
    """Tables with every kind of column, and labels that depend on both parties' columns."""
    tables = {}
    signal = 4 * uniform("noise", rows, number) - 1
    for party in PARTIES:
        columns = (
            numeric(f"{party} amount", rows, number),
            numeric(f"{party} age", rows, number, missing=0.2),
            categorical(f"{party} kind", rows, ["a", "b", "c", "d"], number, missing=0.1),
            categorical(f"{party} rare", rows, ["x"] * 30 + ["y", "z"], number),
        )
        tables[party] = ColumnTable(columns, rows)
        signal = signal + columns[0].values / 5 - np.nan_to_num(columns[1].values, nan=-3) / 4
        signal = signal + 1.5 * (columns[2].values == "b")
    labels = (signal > np.quantile(signal, 0.7)).astype(np.uint8)
    return tables, labels


@dataclass
class Federated:
    model: ClearScorecard
    weighed: dict
    states: list
    transcripts: dict = field(default_factory=dict)

    def sent(self, type_name):
        return [
            (sender, data)
            for transcript in self.transcripts.values()
            for sender, _, name, data in transcript.messages
            if name == type_name
        ]


def seed(party, step, number=0):
    return SUITE.hash(f"{party}/{step}/{number}".encode())


def weigh_roles(tables, labels, opts, number=0, suite=SUITE):
    return {
        ACTIVE: active_party.weigh_columns(
            table=tables[ACTIVE],
            labels=labels,
            options=opts,
            passives=(PASSIVE,),
            keys=keys()[ACTIVE],
            suite=suite,
            seed=seed(ACTIVE, "weigh", number),
        ),
        PASSIVE: passive_party.weigh_columns(
            table=tables[PASSIVE],
            options=opts,
            active=ACTIVE,
            keys=keys()[PASSIVE],
            suite=suite,
            seed=seed(PASSIVE, "weigh", number),
        ),
    }


def epoch_roles(epoch, tables, labels, *, weighed, states, opts, number=0):
    shared = {"epoch": epoch, "options": opts, "suite": SUITE, "public_seed": PUBLIC_SEED}
    return {
        ACTIVE: active_party.train_epoch(
            table=tables[ACTIVE],
            labels=labels,
            weighed=weighed[ACTIVE],
            state=states[ACTIVE],
            passives=(PASSIVE,),
            keys=keys()[ACTIVE],
            seed=seed(ACTIVE, epoch, number),
            **shared,
        ),
        PASSIVE: passive_party.train_epoch(
            table=tables[PASSIVE],
            weighed=weighed[PASSIVE],
            state=states[PASSIVE],
            active=ACTIVE,
            keys=keys()[PASSIVE],
            seed=seed(PASSIVE, epoch, number),
            **shared,
        ),
    }


def finish_roles(tables, labels, weighed, states, opts):
    return {
        ACTIVE: active_party.finish(
            table=tables[ACTIVE],
            labels=labels,
            weighed=weighed[ACTIVE],
            state=states[ACTIVE],
            options=opts,
            passives=(PASSIVE,),
        ),
        PASSIVE: passive_party.finish(
            table=tables[PASSIVE],
            weighed=weighed[PASSIVE],
            state=states[PASSIVE],
            options=opts,
            active=ACTIVE,
        ),
    }


def train_federated(tables, labels, opts, number=0):
    weighed, transcript = drive(weigh_roles(tables, labels, opts, number))
    transcripts = {"weigh": transcript}
    states = {ACTIVE: None, PASSIVE: None}
    history = []
    for epoch in range(opts.epochs):
        roles = epoch_roles(
            epoch, tables, labels, weighed=weighed, states=states, opts=opts, number=number
        )
        states, transcripts[f"epoch {epoch}"] = drive(roles)
        history.append(states)
    halves, transcripts["finish"] = drive(finish_roles(tables, labels, weighed, states, opts))
    opened = opened_totals(states, tables[ACTIVE].rows, opts)
    model = ClearScorecard(ACTIVE, halves[ACTIVE], halves[PASSIVE], opened)
    return Federated(model, weighed, history, transcripts)


def opened_totals(states, rows, opts):
    """Both parties' coefficients, from all shares: what nobody has during training."""
    ring, steps = FixedPoint.of(rows, opts).predictor_ring, batch_count(rows, opts)
    a, p = states[ACTIVE].totals, states[PASSIVE].totals
    return {
        ACTIVE: tuple(opened_coefficients(a[0], p[1], ring, steps)),
        PASSIVE: tuple(opened_coefficients(p[0], a[1], ring, steps)),
    }


def score_federated(model, tables):
    results, transcript = drive(
        {
            ACTIVE: active_party.score(
                half=model.active_half, table=tables[ACTIVE], passives=(PASSIVE,)
            ),
            PASSIVE: passive_party.score(
                half=model.passive_half, table=tables[PASSIVE], active=ACTIVE
            ),
        }
    )
    return results[ACTIVE], transcript
