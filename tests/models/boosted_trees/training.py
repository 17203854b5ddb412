"""Made tables, and whole trainings of them through the real roles and the real encoding."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.boosted_trees import active_party, passive_party
from models.boosted_trees.binning import learn_binning
from models.boosted_trees.clear import ClearModel
from models.boosted_trees.gradients import base_score, initial_margins
from models.boosted_trees.model import ActiveModel, PassiveModel
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.table import Column, ColumnTable
from tests.drive import Transcript, drive
from tests.protocols.paillier.keys import SUITE, private_key, stream

ACTIVE = "bank"
PASSIVES = ("retailer", "telecom")


def options(**changes):
    values = {
        "trees": 2,
        "depth": 3,
        "bins": 8,
        "learning_rate": 0.3,
        "l2": 1.0,
        "minimum_bin_count": 5,
        "first_tree_active_only": False,
    }
    return TreeOptions(**(values | changes))


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


def made_case(rows, *, passives, number=0):
    """Tables with every kind of column, and labels that depend on all parties' columns."""
    tables = {}
    signal = 3 * uniform("noise", rows, number)
    for party in (ACTIVE, *passives):
        columns = (
            numeric(f"{party} amount", rows, number),
            numeric(f"{party} age", rows, number, missing=0.2),
            categorical(f"{party} kind", rows, ["a", "b", "c", "d"], number, missing=0.1),
            categorical(f"{party} rare", rows, ["x"] * 30 + ["y", "z"], number),
        )
        tables[party] = ColumnTable(columns, rows)
        signal = signal + columns[0].values / 5 - np.nan_to_num(columns[1].values, nan=-3) / 4
        signal = signal + 2 * (columns[2].values == "b")
    labels = (signal > np.quantile(signal, 0.6)).astype(np.uint8)
    return tables, labels


@dataclass
class Federated:
    model: ClearModel
    margins: np.ndarray
    transcripts: list[Transcript] = field(default_factory=list)

    def sent(self, type_name):
        return [
            data for t in self.transcripts for _, _, name, data in t.messages if name == type_name
        ]


def seed(party, tree, number=0):
    return SUITE.hash(f"{party}/{tree}/{number}".encode())


def tree_roles(tree, binned, labels, opts, *, margins=None, number=0):
    """The roles of one tree, by party; of the first one if there are no ``margins``."""
    key = private_key()
    passives = tuple(party for party in binned if party != ACTIVE)
    if margins is None:
        margins = initial_margins(labels)
    roles = {
        ACTIVE: active_party.grow_tree(
            tree=tree,
            binned=binned[ACTIVE],
            labels=labels,
            margins=margins,
            options=opts,
            passives=passives,
            private_key=key,
            suite=SUITE,
            seed=seed(ACTIVE, tree, number),
        )
    }
    for party in passives:
        roles[party] = passive_party.grow_tree(
            tree=tree,
            binned=binned[party],
            options=opts,
            active=ACTIVE,
            public_key=key.public_key,
            suite=SUITE,
            seed=seed(party, tree, number),
        )
    return roles


def learn(tables, opts):
    return {p: learn_binning(table, opts.bins).apply(table) for p, table in tables.items()}


def train_federated(tables, labels, opts, *, passives, number=0):
    binned = learn(tables, opts)
    margins = initial_margins(labels)
    halves = {party: [] for party in tables}
    transcripts = []
    for tree in range(opts.trees):
        roles = tree_roles(tree, binned, labels, opts, margins=margins, number=number)
        results, transcript = drive(roles)
        margins = results[ACTIVE].margins
        halves[ACTIVE].append(results[ACTIVE].half)
        for party in passives:
            halves[party].append(results[party])
        transcripts.append(transcript)
    model = ClearModel(
        ACTIVE,
        ActiveModel(base_score(labels), binned[ACTIVE].binning, tuple(halves[ACTIVE])),
        {p: PassiveModel(binned[p].binning, tuple(halves[p])) for p in passives},
    )
    return Federated(model, margins, transcripts)


def evaluate_federated(model, tables):
    roles = {
        party: passive_party.evaluate(model=half, table=tables[party], active=ACTIVE)
        for party, half in model.passive_halves.items()
    }
    roles[ACTIVE] = active_party.evaluate(
        model=model.active_half, table=tables[ACTIVE], passives=tuple(model.passive_halves)
    )
    results, transcript = drive(roles)
    return results[ACTIVE], transcript
