"""The same rounds in the clear, in one process: what encrypted aggregation must reproduce.

Who holds every party's table can compute what secure aggregation hides: this module is for
simulations and tests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from models.horizontal.local_training import LocalUpdate, local_update
from models.horizontal.prediction import predict
from models.horizontal.scaling import Scaling, scaling_from, statistics
from models.horizontal.server_optimiser import apply_mean
from models.horizontal.splits import splits
from models.horizontal.state import FederatedState, initial_state
from models.horizontal.table import TrainingTable, joined
from models.table import Floats
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId
from protocols.session.horizontal_terms import FederatedTraining, HorizontalModel
from protocols.session.job_spec import EvaluationTerms
from protocols.suite import Suite

_ONLY: PartyId = "only"


@dataclass(frozen=True, eq=False)
class FederatedRun:
    """A finished training: the scaling, and the state before the first and after every round."""

    model: HorizontalModel
    scaling: Scaling
    states: tuple[FederatedState, ...]

    @property
    def state(self) -> FederatedState:
        """The final state."""
        return self.states[-1]

    def predict(self, table: TrainingTable) -> Floats:
        """Return the final model's probabilities, shape (repeats, n)."""
        return predict(self.state, self.scaling, table, self.model)


def federated(
    tables: Mapping[PartyId, TrainingTable],
    model: HorizontalModel,
    training: FederatedTraining,
    evaluation: EvaluationTerms,
    *,
    suite: Suite,
    public_seed: bytes,
    seeds: Mapping[PartyId, bytes],
    absent: Mapping[int, Collection[PartyId]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FederatedRun:
    """Return the training all parties do together, updates added in float64.

    ``seeds`` are the parties' own, as :func:`.local_update` takes them. ``absent`` names who is
    missing from the mean of a round (the first is 1; 0 is the scaling's statistics): the mean is
    that of those who stayed. ``progress`` is called with (rounds done, rounds in all).

    Raises as :func:`.local_update` does, and :class:`LocalProtocolError` for parties with other
    columns and rounds without a party.
    """
    names = {table.columns for table in tables.values()}
    if len(names) != 1:
        raise LocalProtocolError("the parties' tables must have the same columns in one order")
    columns = len(names.pop())
    absent = absent or {}
    held_out = {party: splits(t.customers, evaluation, suite) for party, t in tables.items()}

    present = _present(tables, absent, 0)
    sums = [statistics(tables[party], held_out[party]) for party in present]
    scaling = scaling_from(
        [sum(numbers) for numbers in zip(*sums, strict=True)], columns, evaluation.repeats
    )
    state = initial_state(
        model, training, columns, evaluation.repeats, suite=suite, public_seed=public_seed
    )
    states = [state]
    for number in range(1, training.rounds + 1):
        updates = [
            local_update(
                state,
                scaling,
                tables[party],
                held_out[party],
                model=model,
                training=training,
                suite=suite,
                seed=seeds[party],
            )
            for party in _present(tables, absent, number)
        ]
        state = apply_mean(state, weighted_mean(updates), training)
        states.append(state)
        if progress is not None:
            progress(number, training.rounds)
    return FederatedRun(model, scaling, tuple(states))


def weighted_mean(updates: Collection[LocalUpdate]) -> Floats:
    """Return the mean of the updates weighted by their rows, shape (repeats, P)."""
    total = sum(update.rows for update in updates)
    weighted = [update.rows[:, None] * update.delta for update in updates]
    mean: Floats = np.sum(weighted, axis=0) / np.asarray(total)[:, None]
    return mean


def pooled(
    tables: Mapping[PartyId, TrainingTable],
    model: HorizontalModel,
    training: FederatedTraining,
    evaluation: EvaluationTerms,
    *,
    suite: Suite,
    public_seed: bytes,
    seed: bytes,
) -> FederatedRun:
    """Return the training of one party that has all rows, with the same options and passes."""
    return alone(
        joined(list(tables.values())),
        model,
        training,
        evaluation,
        suite=suite,
        public_seed=public_seed,
        seed=seed,
    )


def alone(
    table: TrainingTable,
    model: HorizontalModel,
    training: FederatedTraining,
    evaluation: EvaluationTerms,
    *,
    suite: Suite,
    public_seed: bytes,
    seed: bytes,
) -> FederatedRun:
    """Return the training of one party without the others, with the same options and passes.

    Scaled by its own rows. The means are of its own updates only, so that under fedavg the rounds
    are one uninterrupted run of mini-batch gradient steps.
    """
    return federated(
        {_ONLY: table},
        model,
        training,
        evaluation,
        suite=suite,
        public_seed=public_seed,
        seeds={_ONLY: seed},
    )


def _present(
    tables: Mapping[PartyId, TrainingTable],
    absent: Mapping[int, Collection[PartyId]],
    number: int,
) -> list[PartyId]:
    present = [party for party in tables if party not in absent.get(number, ())]
    if not present:
        raise LocalProtocolError(f"no party is left in round {number}")
    return present
