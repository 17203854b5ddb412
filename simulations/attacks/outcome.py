"""What an attack achieved: success with and without a protection, against a stated baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.evaluation.repeats import student_t_975


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of one measure over independent seeds, and its 95 % interval.

    Student's t over the seeds: it covers what a seed draws (customers, known labels, the
    attacker's and the protocol's randomness), and says nothing of other data.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """Return the estimate from one value a seed, at least two, all finite."""
        found = np.asarray(values, dtype=np.float64)
        if len(found) < 2 or not np.isfinite(found).all():
            raise ValueError("an interval needs at least two finite values")
        mean = float(found.mean())
        error = float(found.std(ddof=1)) / math.sqrt(len(found))
        margin = student_t_975(len(found) - 1) * error
        return cls(mean, mean - margin, mean + margin)

    def __str__(self) -> str:
        """Return mean and interval as a person reads them."""
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Attack:
    """Who attacks what, and how success is counted."""

    name: str
    model: str
    attacker: str
    target: str
    method: str
    measure: str
    """What the figures are, with their range."""
    baseline: str
    """What the same measure is taken of without the attacked messages."""


@dataclass(frozen=True, slots=True)
class Side:
    """Another measure of the same runs: what a protection costs, or what it is measured with."""

    measure: str
    without: Estimate
    protected: Estimate

    @classmethod
    def of(cls, measure: str, without: Sequence[float], protected: Sequence[float]) -> Side:
        """Return the measure from one pair of values a seed."""
        return cls(measure, Estimate.of(without), Estimate.of(protected))

    def __str__(self) -> str:
        """Return both means as a person reads them."""
        return f"{self.measure}: {self.without.mean:.3f} to {self.protected.mean:.3f}"


@dataclass(frozen=True, slots=True)
class Result:
    """One attack with and without one protection, over the same seeds."""

    attack: Attack
    protection: str
    without_is: str
    """What the run without the protection is."""
    with_is: str
    data: str
    seeds: int
    baseline: Estimate
    without: Estimate
    protected: Estimate
    difference: Estimate
    """Protected minus without, seed by seed."""
    side: Side | None = None

    @property
    def meaning(self) -> str:
        """What the figures say, in one sentence that follows from them and nothing else."""
        what = f"{self.protection} ({self.with_is} instead of {self.without_is})"
        change = f"{self.without.mean:.3f} to {self.protected.mean:.3f}"
        if self.difference.high < 0:
            effect = f"lowers the attacker's success from {change}"
        elif self.difference.low > 0:
            effect = f"raises the attacker's success from {change}"
        else:
            effect = f"makes no difference that {self.seeds} runs can show ({change})"
        if self.protected.low > self.baseline.high:
            left = f"the attacker still gains over the baseline of {self.baseline.mean:.3f}"
        elif self.protected.high < self.baseline.low:
            left = f"the attacker is worse off than the baseline of {self.baseline.mean:.3f}"
        else:
            left = f"what is left cannot be told from the baseline of {self.baseline.mean:.3f}"
        cost = f" ({self.side})" if self.side else ""
        return f"{what[0].upper()}{what[1:]} {effect}; {left}{cost}."

    def as_json(self) -> dict[str, Any]:
        """Return the result as the command prints it."""
        attack = self.attack
        return {
            "attack": attack.name,
            "model": attack.model,
            "attacker": attack.attacker,
            "target": attack.target,
            "method": attack.method,
            "measure": attack.measure,
            "protection": self.protection,
            "data": self.data,
            "seeds": self.seeds,
            "baseline": {"is": attack.baseline, **asdict(self.baseline)},
            "without": {"is": self.without_is, **asdict(self.without)},
            "with": {"is": self.with_is, **asdict(self.protected)},
            "difference": asdict(self.difference),
            "side": asdict(self.side) if self.side else None,
            "meaning": self.meaning,
        }


def compare(
    attack: Attack,
    *,
    protection: str,
    without_is: str,
    with_is: str,
    data: str,
    baseline: Sequence[float],
    without: Sequence[float],
    protected: Sequence[float],
    side: Side | None = None,
) -> Result:
    """Return the result of runs in pairs: entry i of all three comes from seed i."""
    pairs = zip(without, protected, strict=True)
    return Result(
        attack,
        protection,
        without_is,
        with_is,
        data,
        len(without),
        Estimate.of(baseline),
        Estimate.of(without),
        Estimate.of(protected),
        Estimate.of([after - before for before, after in pairs]),
        side,
    )
