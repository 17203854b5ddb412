"""The comparison no federation can make: both tables joined in the clear on this machine.

Only a simulation has both files, and only a scenario that declares why it may join them gets this.
The parties' own reader, normalisation, held-out rule and tree options are used, so that a
difference to the joint model is a difference of the learning and of nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from models.boosted_trees import clear
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.table import ColumnTable
from party_node.datasets import Dataset, read_dataset
from protocols.identifiers import held_out
from protocols.session.job_spec import JobSpec
from protocols.suite import Suite
from simulations.job import registration
from simulations.report.measures import metrics
from simulations.report.model import Metrics
from simulations.scenario import Scenario, ScenarioError


@dataclass(frozen=True)
class Pooled:
    """What the model of the joined table does on the held-out customers, in file order."""

    metrics: Metrics
    source_rows: npt.NDArray[np.int64]
    """1-based data row of each customer in the active party's file, ascending."""
    labels: npt.NDArray[np.uint8]
    scores: npt.NDArray[np.float64]
    """Probabilities."""
    trained_on: int

    def scores_of(self, source_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the scores of these rows, which may come in any order.

        Raises ``ValueError`` unless they are exactly the held-out customers: metrics of other
        customers cannot be compared.
        """
        if not np.array_equal(np.sort(source_rows), self.source_rows):
            raise ValueError("not the customers the pooled model was measured on")
        return self.scores[np.searchsorted(self.source_rows, source_rows)]


def compare_in_the_clear(scenario: Scenario, spec: JobSpec, suite: Suite) -> Pooled:
    """Return what both tables together give, with the spec's options and held-out rule.

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
    active = sides[spec.active_party.party_id]
    customers = active.protocol_inputs[positions[spec.active_party.party_id]]
    terms = spec.evaluation
    test = np.array(
        [
            held_out(suite, terms.split_seed, terms.held_out_percent, customer.tobytes())
            for customer in customers
        ],
        dtype=np.bool_,
    )

    def part(rows: npt.NDArray[np.bool_]) -> dict[str, ColumnTable]:
        return {p: side.table.take(positions[p][rows]) for p, side in sides.items()}

    assert active.labels is not None  # the registration of the active party has a label rule
    labels = active.labels[positions[spec.active_party.party_id]]
    model = clear.train(
        part(~test),
        labels[~test],
        TreeOptions.from_terms(spec.model),
        active=spec.active_party.party_id,
        passives=tuple(party.party_id for party in spec.passive_parties),
    )
    scores = model.predict(part(test)).probabilities
    return Pooled(
        metrics=metrics(labels[test], scores),
        source_rows=active.source_rows[positions[spec.active_party.party_id][test]],
        labels=labels[test],
        scores=scores,
        trained_on=int((~test).sum()),
    )


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
