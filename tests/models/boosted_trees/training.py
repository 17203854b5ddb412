"""Made tables, and whole trainings of them through the real roles and the real encoding."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.binning import learn_binning
from models.boosted_trees import active_party, passive_party
from models.boosted_trees.clear import ClearModel, Sampling
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.results import active_model, initial_margins, passive_model
from models.boosted_trees.sampling import training_mask
from models.table import Column, ColumnTable
from tests.drive import Transcript, drive
from tests.protocols.paillier.keys import SUITE, private_key, stream

ACTIVE = "bank"
PASSIVES = ("retailer", "telecom")
SAMPLING_SEED = SUITE.hash(b"what the parties signed")


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


def made_case(rows, *, passives, number=0, objective="binary"):
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
    if objective == "regression":
        return tables, 1000.0 * np.exp(signal / 3)
    if objective == "multiclass":
        cuts = np.quantile(signal, [0.5, 0.8])
        return tables, np.searchsorted(cuts, signal).astype(np.uint8)
    return tables, (signal > np.quantile(signal, 0.6)).astype(np.uint8)


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


def sampling(number=0):
    """What the trees in the clear must be told to draw the rows of a federated run."""
    return Sampling(SUITE, SAMPLING_SEED, lambda tree: seed(ACTIVE, tree, number))


def tree_roles(
    tree, binned, labels, opts, *, margins=None, number=0, validation=None, losses=(), key=None
):
    """The roles of one tree, by party; of the first one if there are no ``margins``."""
    key = key or private_key()
    passives = tuple(party for party in binned if party != ACTIVE)
    if margins is None:
        margins = initial_margins(labels, opts, validation)
    agreed = {
        "tree": tree,
        "options": opts,
        "passive_columns": max((len(binned[p].codes) for p in passives), default=0),
        "suite": SUITE,
        "sampling_seed": SAMPLING_SEED,
        "validation": validation,
    }
    roles = {
        ACTIVE: active_party.grow_tree(
            **agreed,
            binned=binned[ACTIVE],
            labels=labels,
            margins=margins,
            passives=passives,
            private_key=key,
            seed=seed(ACTIVE, tree, number),
            losses=losses,
        )
    }
    for party in passives:
        roles[party] = passive_party.grow_tree(
            **agreed,
            binned=binned[party],
            active=ACTIVE,
            public_key=key.public_key,
            seed=seed(party, tree, number),
        )
    return roles


def learn(tables, opts, validation=None):
    binned = {}
    for party, table in tables.items():
        rows = np.flatnonzero(training_mask(validation, table.rows))
        binned[party] = learn_binning(table.take(rows), opts.bins).apply(table)
    return binned


def train_federated(tables, labels, opts, *, passives, number=0, validation=None, key=None):
    binned = learn(tables, opts, validation)
    margins, losses = initial_margins(labels, opts, validation), ()
    results = {party: [] for party in tables}
    transcripts = []
    for tree in range(opts.trees):
        roles = tree_roles(
            tree, binned, labels, opts,
            margins=margins, number=number, validation=validation, losses=losses, key=key,
        )  # fmt: skip
        done, transcript = drive(roles)
        transcripts.append(transcript)
        for party, result in done.items():
            results[party].append(type(result).from_bytes(result.to_bytes()))
        margins, losses = done[ACTIVE].margins, done[ACTIVE].losses
        assert {result.kept for result in done.values()} == {done[ACTIVE].kept}
        if done[ACTIVE].stopped:
            break
    model = ClearModel(
        ACTIVE,
        active_model(binned[ACTIVE].binning, labels, opts, results[ACTIVE], validation),
        {p: passive_model(binned[p].binning, results[p]) for p in passives},
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
