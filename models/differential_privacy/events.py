"""Noisy releases, as they are kept: append-only data whose meaning never changes.

One event is a number of runs of the sampled Gaussian mechanism (Mironov, Talwar and Zhang, "Renyi
Differential Privacy of the Sampled Gaussian Mechanism", arXiv 1908.10530, 2019, §3): each run takes
every customer independently with probability ``rate``, adds up one vector of L2 norm at most C for
each customer taken, and shows the sum plus Gaussian noise of standard deviation
``noise_multiplier`` x C in every coordinate. Neighbouring data sets differ in one customer that is
there or is not.

Lists of events compose by being joined: what several jobs told of a customer is the accountant's
answer for all their events together (:mod:`.accountant`).
"""

from __future__ import annotations

import math

from protocols.errors import LocalProtocolError
from protocols.stored import Stored

DECIMALS = 6
"""Rates and noise multipliers have at most so many: decimal text holds them without loss."""


class GaussianEvent(Stored, frozen=True):
    """``steps`` runs of the sampled Gaussian mechanism on the same customers.

    Raises :class:`LocalProtocolError` for a rate outside (0, 1], noise that is not above 0, and
    fewer steps than one.
    """

    rate: float
    """Probability with which each customer takes part in a step; 1 is every customer."""
    noise_multiplier: float
    """Standard deviation of the noise over the largest norm of one customer's part."""
    steps: int

    def __post_init__(self) -> None:
        """Refuse numbers outside their ranges."""
        if not 0 < self.rate <= 1:
            raise LocalProtocolError("the sampling rate of a privacy event must be in (0, 1]")
        if not 0 < self.noise_multiplier < math.inf:
            raise LocalProtocolError("the noise multiplier of a privacy event must be above 0")
        if self.steps < 1:
            raise LocalProtocolError("a privacy event has at least one step")

    def _is_consistent(self) -> bool:
        return True  # ``__post_init__`` has checked the fields


def rounded_up(value: float) -> float:
    """Return ``value`` with at most :data:`DECIMALS` decimals, never less than it."""
    found = round(value, DECIMALS)
    return found if found >= value else round(value + 10.0**-DECIMALS, DECIMALS)
