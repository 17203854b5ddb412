"""The comparison no federation can make: all tables joined in the clear on this machine.

Only a simulation has all files, and only a scenario that declares why it may join them gets this.
The parties' own reader, normalisation, held-out rule and options are used, so that a difference to
the joint model is a difference of the learning and of nothing else. What a model draws at random
(rows of a tree, batches, first weights) is drawn anew here, and a network's labels are the true
ones: where that matters the two models differ a little even if nothing was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boosted_trees import clear as clear_trees
from models.boosted_trees.options import TreeOptions
from models.predictions import Predictions
from models.scorecard import clear as clear_scorecard
from models.scorecard.options import ScorecardOptions
from models.split_network import clear as clear_network
from models.split_network.label_noise import TrainingLabels, checked_labels
from models.split_network.options import NetworkOptions
from models.table import ColumnTable, Mask
from party_node.datasets import Dataset, read_dataset
from party_node.phases.evaluate import measures
from party_node.phases.split import VALIDATION_SEED, chosen_rows
from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import (
    Objective,
    ScorecardTerms,
    SplitNetworkTerms,
    TreeTerms,
)
from protocols.suite import Suite
from simulations.job import registration
from simulations.scenario import Scenario, ScenarioError


@dataclass(frozen=True)
class Pooled:
    """What the model of the joined table does on the held-out customers, in file order."""

    objective: Objective
    source_rows: npt.NDArray[np.int64] = field(repr=False)
    """1-based data row of each customer in the active party's file, ascending."""
    labels: npt.NDArray[Any] = field(repr=False)
    scores: npt.NDArray[np.float64] = field(repr=False)
    """Probabilities, of each class for several; of a regression, numbers."""
    trained_on: int

    @property
    def measures(self) -> dict[str, float]:
        """How well the scores fit the labels, in the measures of the objective."""
        return measures(self.objective, self.labels, self.scores)

    def scores_of(self, source_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the scores of these rows, which may come in any order.

        Raises ``ValueError`` unless they are exactly the held-out customers: metrics of other
        customers cannot be compared.
        """
        if not np.array_equal(np.sort(source_rows), self.source_rows):
            raise ValueError("not the customers the pooled model was measured on")
        return self.scores[np.searchsorted(self.source_rows, source_rows)]


def compare_in_the_clear(scenario: Scenario, spec: JobSpec, suite: Suite) -> Pooled:
    """Return what all tables together give, with the spec's options and held-out rule.

    Raises :class:`ScenarioError` where the scenario does not allow it, ``DatasetError`` for a
    file that cannot be used.
    """
    if not scenario.pooling_allowed:
        raise ScenarioError(
            f"{scenario.source} does not allow joining the tables on this machine",
            'pooled_on_this_machine = "public", "synthetic" or "authorised: <reference>" does',
        )
    sides = _read_both(scenario, suite)
    positions = _joined(sides, active=spec.active_party.party_id)
    active, rows = sides[spec.active_party.party_id], positions[spec.active_party.party_id]
    customers = active.protocol_inputs[rows]
    terms = spec.measurement
    test = chosen_rows(suite, terms.split_seed, terms.held_out_percent, customers)
    assert active.labels is not None  # the registration of the active party has a label rule
    labels = active.labels[rows]

    def part(chosen: Mask) -> dict[str, ColumnTable]:
        return {p: side.table.take(positions[p][chosen]) for p, side in sides.items()}

    training = _Training(spec, suite, part(~test), labels[~test], customers[~test])
    predictions = training.predictions(part(test))
    regression = training.objective == "regression"
    return Pooled(
        objective=training.objective,
        source_rows=active.source_rows[rows[test]],
        labels=labels[test],
        scores=predictions.margins if regression else predictions.probabilities,
        trained_on=int((~test).sum()),
    )


@dataclass(frozen=True)
class _Training:
    """The training rows of the joined table."""

    spec: JobSpec
    suite: Suite
    tables: Mapping[str, ColumnTable] = field(repr=False)
    labels: npt.NDArray[Any] = field(repr=False)
    customers: npt.NDArray[np.uint8] = field(repr=False)

    @property
    def objective(self) -> Objective:
        """What kind of label the model predicts."""
        terms = self.spec.training
        return terms.objective if isinstance(terms, TreeTerms) else "binary"

    def predictions(self, test: Mapping[str, ColumnTable]) -> Predictions:
        """Train the spec's kind of model; return what it says of ``test``."""
        match self.spec.training:
            case TreeTerms() as terms:
                return self._trees(terms, test)
            case ScorecardTerms() as terms:
                return self._scorecard(terms, test)
            case SplitNetworkTerms() as terms:
                return self._network(terms, test)

    @property
    def _parties(self) -> dict[str, Any]:
        passives = tuple(party.party_id for party in self.spec.passive_parties)
        return {"active": self.spec.active_party.party_id, "passives": passives}

    def _seed(self, what: str) -> bytes:
        digest = self.spec.digest(self.suite)
        return self.suite.hash(b"fedcrm/pooled/v1\x00", digest, what.encode())

    def _trees(self, terms: TreeTerms, test: Mapping[str, ColumnTable]) -> Predictions:
        validation = None
        if terms.early_stopping_rounds:
            seed = VALIDATION_SEED + self.spec.measurement.split_seed
            validation = chosen_rows(self.suite, seed, terms.validation_percent, self.customers)
        sampling = clear_trees.Sampling(
            self.suite, self._seed("rows"), lambda tree: self._seed(f"rows of tree {tree}")
        )
        return clear_trees.train(
            self.tables,
            self.labels,
            TreeOptions.from_terms(terms),
            validation=validation,
            sampling=sampling,
            **self._parties,
        ).predict(test)

    def _scorecard(self, terms: ScorecardTerms, test: Mapping[str, ColumnTable]) -> Predictions:
        return clear_scorecard.train(
            self.tables,
            self.labels,
            ScorecardOptions.from_terms(terms),
            suite=self.suite,
            public_seed=self._seed("order"),
            **self._parties,
        ).predict(test)

    def _network(self, terms: SplitNetworkTerms, test: Mapping[str, ColumnTable]) -> Predictions:
        return clear_network.train(
            self.tables,
            self.labels,
            TrainingLabels(checked_labels(self.labels), 0.0),
            NetworkOptions.from_terms(terms),
            suite=self.suite,
            seeds={party: self._seed(f"weights of {party}") for party in self.tables},
            public_seed=self._seed("order"),
            **self._parties,
        ).predict(test)


def _read_both(scenario: Scenario, suite: Suite) -> dict[str, Dataset]:
    with TemporaryDirectory(prefix="fedcrm-pooled-") as folder:
        return {
            party.id: read_dataset(
                registration(scenario, party.id), suite, Path(folder) / f"{party.id}.csv"
            )
            for party in scenario.parties
        }


def _joined(sides: Mapping[str, Dataset], *, active: str) -> dict[str, npt.NDArray[np.int64]]:
    """Return each side's positions of the shared customers, in the active party's file order."""
    places = {
        party: {customer.tobytes(): i for i, customer in enumerate(side.protocol_inputs)}
        for party, side in sides.items()
    }
    shared = [c for c in places[active] if all(c in place for place in places.values())]
    return {
        party: np.array([place[customer] for customer in shared], dtype=np.int64)
        for party, place in places.items()
    }
