"""What a party puts into each sum, and what it makes of the sum once the parties opened it.

The sums of a job that were opened, in order: statistics for scaling, one a training round, counts
of scores. What was opened so far says what comes next, so that a sum that was lost is simply done
again under the next number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.horizontal.clear import alone
from models.horizontal.evaluation import score_counts
from models.horizontal.local_training import LocalUpdate, local_update
from models.horizontal.plan import COUNT_LIMBS, STATISTICS_LIMBS, sum_name, sums_of
from models.horizontal.prediction import predict
from models.horizontal.private_training import private_update
from models.horizontal.scaling import (
    Scaling,
    scaling_from,
    statistics,
)
from models.horizontal.server_optimiser import apply_mean
from models.horizontal.splits import splits
from models.horizontal.state import FederatedState, initial_state
from models.horizontal.table import TrainingTable
from models.table import Floats, Mask
from party_node.horizontal.private_plan import PrivatePlan
from protocols.secure_aggregation import (
    WrongTotal,
    dequantise,
    from_limbs,
    limbs,
    quantise,
)
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.stored import Stored
from protocols.suite import Suite

Words = npt.NDArray[np.int64]

_SEED_DOMAIN = b"fedcrm/horizontal-model/v1\x00"


class Learned(Stored, frozen=True):
    """What the opened sums came to: the same bytes at every party."""

    opened: int
    """Sums opened so far."""
    scaling: bytes
    state: bytes
    counts: tuple[int, ...]
    """Of the last sum: held-out customers of all parties by score and label."""

    def _is_consistent(self) -> bool:
        return self.opened >= 0 and bool(self.scaling) == bool(self.state) == (self.opened > 0)


NOTHING = Learned(0, b"", b"", ())


@dataclass(frozen=True)
class Work:
    """The job's arithmetic at one party that has ``table``."""

    spec: HorizontalSpec
    suite: Suite
    table: TrainingTable
    seed: bytes
    """Secret of this party for the whole job."""

    @property
    def sums(self) -> int:
        """How many sums the job opens."""
        return sums_of(self.spec)

    @cached_property
    def held_out(self) -> Mask:
        """Which customers measure and do not train, shape (repeats, n)."""
        return splits(self.table.customers, self.spec.evaluation, self.suite)

    def words(
        self, learned: Learned, value_bits: int, progress: Callable[[int, int], None]
    ) -> Words:
        """Return this party's words for the sum that comes after what was learned."""
        if learned.opened == 0:
            plan = self.private
            sums = statistics(self.table, self.held_out) if plan is None else plan.statistics
            return limbs(sums, STATISTICS_LIMBS)
        state, scaling = _model(learned)
        if learned.opened <= self.spec.training.rounds:
            update = self._update(state, scaling, progress)
            shares = np.minimum(update.rows / np.array(scaling.rows), 1.0)
            bound = float(self.spec.aggregation.update_bound)
            weighted = shares[:, None] * np.clip(update.delta, -bound, bound)
            return np.column_stack(
                (
                    quantise(weighted, bound, value_bits),
                    quantise(shares, 1.0, value_bits),
                )
            ).reshape(-1)
        probabilities = predict(state, scaling, self.table, self.spec.model)
        return limbs(score_counts(probabilities, self.table.labels, self.held_out), COUNT_LIMBS)

    @cached_property
    def private(self) -> PrivatePlan | None:
        """The noise of a job with a privacy budget."""
        if self.spec.privacy is None:
            return None
        return PrivatePlan(self.spec, self.suite, self.table, self.held_out, self.seed)

    def _update(
        self, state: FederatedState, scaling: Scaling, progress: Callable[[int, int], None]
    ) -> LocalUpdate:
        plan = self.private
        if plan is None:
            return local_update(
                state,
                scaling,
                self.table,
                self.held_out,
                model=self.spec.model,
                training=self.spec.training,
                suite=self.suite,
                seed=self.seed,
                progress=progress,
            )
        return private_update(
            state,
            scaling,
            self.table,
            self.held_out,
            model=self.spec.model,
            training=self.spec.training,
            rows=plan.rows,
            clip_norm=float(plan.terms.clip_norm),
            noise_multiplier=plan.noise_multiplier,
            suite=self.suite,
            seed=self.seed,
            progress=progress,
        )

    def name(self, learned: Learned) -> str:
        """Return what the next sum is, for an event."""
        return sum_name(self.spec, learned.opened)

    def alone(self) -> Floats:
        """Return the probabilities of a model of this party's customers only, (repeats, n)."""
        run = alone(
            self.table,
            self.spec.model,
            self.spec.training,
            self.spec.evaluation,
            suite=self.suite,
            public_seed=public_seed(self.spec, self.suite),
            seed=self.seed,
        )
        return predict(run.state, run.scaling, self.table, self.spec.model)


def public_seed(spec: HorizontalSpec, suite: Suite) -> bytes:
    """Return the seed of the first parameters, which every party derives from the spec."""
    return suite.hash(_SEED_DOMAIN, spec.evaluation.split_seed.to_bytes(8, "big"))


def apply(
    learned: Learned,
    words: Words,
    *,
    spec: HorizontalSpec,
    contributions: int,
    value_bits: int,
    suite: Suite,
) -> Learned:
    """Return what is known after the next opened sum.

    Raises :class:`WrongTotal` for sums that no contributions of honest parties have; whose they
    are nobody can tell, because nobody saw one.
    """
    columns, repeats = len(spec.purchases.columns), spec.evaluation.repeats
    if learned.opened == 0:
        scaling = scaling_from(from_limbs(words, STATISTICS_LIMBS), columns, repeats)
        state = initial_state(
            spec.model,
            spec.training,
            columns,
            repeats,
            suite=suite,
            public_seed=public_seed(spec, suite),
        )
        return Learned(1, scaling.to_bytes(), state.to_bytes(), ())
    if learned.opened <= spec.training.rounds:
        state, _ = _model(learned)
        mean = _mean(words, spec, contributions, value_bits)
        state = apply_mean(state, mean, spec.training)
        return Learned(learned.opened + 1, learned.scaling, state.to_bytes(), ())
    counts = tuple(from_limbs(words, COUNT_LIMBS))
    if min(counts) < 0:
        raise WrongTotal("the opened counts are negative: a contribution was out of range")
    return Learned(learned.opened + 1, learned.scaling, learned.state, counts)


def _mean(
    words: Words, spec: HorizontalSpec, contributions: int, value_bits: int
) -> npt.NDArray[np.float64]:
    """Return the weighted mean of the updates in a sum, shape (repeats, P)."""
    bound = float(spec.aggregation.update_bound)
    table = words.reshape(spec.evaluation.repeats, -1)
    weights = dequantise(table[:, -1], 1.0, value_bits)
    weighted = dequantise(table[:, :-1], bound, value_bits)
    step = 2.0 ** -(value_bits - 1) * contributions
    if (weights <= 0).any() or (weights > contributions * (1 + step)).any():
        raise WrongTotal("the opened weights are out of range: a contribution was not what it is")
    if (np.abs(weighted) > bound * (weights[:, None] + step)).any():
        raise WrongTotal("the opened updates are out of range: a contribution was not what it is")
    mean: npt.NDArray[np.float64] = weighted / weights[:, None]
    return mean


def _model(learned: Learned) -> tuple[FederatedState, Scaling]:
    return FederatedState.from_bytes(learned.state), Scaling.from_bytes(learned.scaling)
