"""What a party releases in a job with a privacy budget, and with how much noise.

Planned before the first release and always alike: the noise of the row count is fixed, and what it
leaves of the budget decides the noise of the training steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from models.differential_privacy.accountant import noise_for
from models.differential_privacy.events import GaussianEvent
from models.horizontal.private_training import (
    Sampling,
    counting,
    private_statistics,
    sampling,
)
from models.horizontal.table import TrainingTable
from models.table import Mask
from party_node.purchases.usual_ranges import usual_ranges
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.horizontal_terms import PrivacyTerms
from protocols.suite import Suite

COUNT_NOISE = 20.0
"""Deviation of the noise on the number of training rows: for an epsilon of 2 a small part of it."""
_COUNT_SHARE = 0.1
"""The most of the budget the row count may take; a smaller budget gets more noise."""


@dataclass(frozen=True)
class PrivatePlan:
    """Noise and events of one party's part in one job."""

    spec: HorizontalSpec
    suite: Suite
    table: TrainingTable
    held_out: Mask
    seed: bytes

    @property
    def terms(self) -> PrivacyTerms:
        """The budget."""
        assert self.spec.privacy is not None  # a plan is made of a job that has one
        return self.spec.privacy

    @cached_property
    def count_noise(self) -> float:
        """Deviation of the noise on the row count."""
        share = _COUNT_SHARE * float(self.terms.epsilon)
        return max(COUNT_NOISE, noise_for(share, float(self.terms.delta), 1.0, 1))

    @cached_property
    def statistics(self) -> list[int]:
        """What is released for the first sum."""
        return private_statistics(
            self.table,
            self.held_out,
            usual_ranges(self.spec.purchases),
            noise_multiplier=self.count_noise,
            suite=self.suite,
            seed=self.suite.derive(self.seed, b"fedcrm/horizontal/private rows", 32),
        )

    @property
    def rows(self) -> int:
        """The noisy row count, which decides sampling and weight."""
        return self.statistics[0]

    @property
    def sampling(self) -> Sampling:
        """How customers are drawn in each step."""
        return sampling(self.rows, self.spec.training)

    @cached_property
    def noise_multiplier(self) -> float:
        """The noise of every training step, in units of the clipping norm."""
        return noise_for(
            float(self.terms.epsilon),
            float(self.terms.delta),
            self.sampling.rate,
            self.sampling.steps * self.spec.training.rounds,
            besides=[counting(self.count_noise)],
        )

    def release(self, opened: int) -> GaussianEvent:
        """Return what the contribution after ``opened`` opened sums costs."""
        if opened == 0:
            return counting(self.count_noise)
        return self.sampling.event(self.noise_multiplier)

    @property
    def events(self) -> list[GaussianEvent]:
        """Return everything the job releases of this party."""
        return [
            counting(self.count_noise),
            self.sampling.event(self.noise_multiplier, self.spec.training.rounds),
        ]
