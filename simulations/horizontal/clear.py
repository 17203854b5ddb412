"""The comparisons a horizontal simulation makes in the clear, where the scenario allows it.

All parties' files are read in one place: what the same options learn from all customers joined, and
what plain federated averaging of the same updates gives, which encrypted adding must reproduce.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from models.evaluation import auc
from models.horizontal.clear import FederatedRun, federated, pooled
from models.horizontal.splits import splits
from models.horizontal.table import TrainingTable
from models.table import Floats, Mask
from party_node.horizontal.table import simulated_seed
from party_node.horizontal.work import public_seed
from party_node.purchases import training_table
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.suite import Suite
from simulations.horizontal.sample import Setting


@dataclass(frozen=True)
class InTheClear:
    """All parties' tables, read from their files on this machine."""

    spec: HorizontalSpec
    suite: Suite
    tables: Mapping[str, TrainingTable]
    absent: Mapping[int, frozenset[str]]
    """Who was not in a training round's sum, or (0) in that of the statistics."""

    @classmethod
    def read(
        cls,
        setting: Setting,
        spec: HorizontalSpec,
        suite: Suite,
        absent: Mapping[int, frozenset[str]],
    ) -> InTheClear:
        """Prepare every party's table as its own node does."""
        with TemporaryDirectory(prefix="fedcrm-clear-") as folder:
            tables = {
                retailer.id: training_table(
                    retailer.registration,
                    spec.purchases,
                    suite,
                    Path(folder) / f"{retailer.id}.csv",
                ).table
                for retailer in setting.retailers
            }
        return cls(spec, suite, tables, absent)

    @cached_property
    def held_out(self) -> dict[str, Mask]:
        """Which customers measure, (repeats, n), by party."""
        return {
            party: splits(table.customers, self.spec.evaluation, self.suite)
            for party, table in self.tables.items()
        }

    @cached_property
    def averaged(self) -> FederatedRun:
        """Federated training as it ran, with the updates added in the clear."""
        return federated(
            self.tables,
            self.spec.model,
            self.spec.training,
            self.spec.evaluation,
            suite=self.suite,
            public_seed=public_seed(self.spec, self.suite),
            seeds={party: simulated_seed(self.spec, party, self.suite) for party in self.tables},
            absent=self.absent,
        )

    def pooled(self) -> dict[str, Floats]:
        """Return what a model of all customers joined says of each party's, (repeats, n)."""
        run = pooled(
            self.tables,
            self.spec.model,
            self.spec.training,
            self.spec.evaluation,
            suite=self.suite,
            public_seed=public_seed(self.spec, self.suite),
            seed=simulated_seed(self.spec, "pooled", self.suite),
        )
        return {party: run.predict(table) for party, table in self.tables.items()}

    def learning(self) -> tuple[tuple[int, float], ...]:
        """Return the AUC on all held-out customers after each round, the mean over the splits."""
        labels = np.concatenate([table.labels for table in self.tables.values()])
        held_out = np.concatenate(list(self.held_out.values()), axis=1)
        curve = []
        for state in self.averaged.states[1:]:
            run = FederatedRun(self.averaged.model, self.averaged.scaling, (state,))
            scores = np.concatenate([run.predict(table) for table in self.tables.values()], axis=1)
            values = [
                auc(labels[out], score[out]) for out, score in zip(held_out, scores, strict=True)
            ]
            curve.append((state.round, float(np.mean(values))))
        return tuple(curve)
