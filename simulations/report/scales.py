"""How a run's measures are written: shares in per cent, ranks with three decimals, amounts whole.

The first measure of the label's kind is what models are compared by.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.session.model_terms import Objective
from simulations.report import figures
from simulations.report.charts import Estimate
from simulations.report.model import RunReport
from simulations.report.strings import Strings
from simulations.report.worth import MEASURES, Difference, Numbers, Which

_AMOUNTS = ("rmse", "mae")
"""Measures in the label's own unit."""
_SHARES = ("accuracy",)


@dataclass(frozen=True)
class Scale:
    """How the measures of one run are written."""

    objective: Objective
    places: int
    """Decimals of amounts, alike for every model."""

    @classmethod
    def of(cls, run: RunReport) -> Scale:
        """Return the scale of ``run``."""
        largest = 0.0
        if isinstance(run.worth, Numbers):
            largest = max(metrics.rmse for metrics in run.worth.metrics.values())
        return cls(run.objective, figures.decimals(largest))

    @property
    def measures(self) -> tuple[str, ...]:
        """What is measured, by key."""
        return MEASURES[self.objective]

    @property
    def first(self) -> str:
        """What models are compared by."""
        return self.measures[0]

    def name(self, measure: str, t: Strings) -> str:
        """Return what a measure is called inside a sentence."""
        averaged = self.objective == "multiclass" and measure == "auc"
        return t["measure_mean_auc"] if averaged else t[f"measure_{measure}"]

    def head(self, measure: str, t: Strings, *, interval: bool = False) -> str:
        """Return what stands over a column of a measure."""
        name = self.name(measure, t)
        name = name[:1].upper() + name[1:]
        return t["with_interval"].format(measure=name) if interval else name

    def shown(self, measure: str, value: float, t: Strings) -> str:
        """Return a measure's value."""
        if measure in _SHARES:
            return figures.percent_1(value, t)
        if measure in _AMOUNTS:
            return figures.quantity(value, self.places)
        return figures.quantity(value, 3)

    def estimate(self, measure: str, estimate: Estimate, t: Strings) -> str:
        """Return a measure's value with its interval, in words."""
        value, low, high = (self.shown(measure, number, t) for number in estimate)
        return t["estimate"].format(value=value, low=low, high=high)

    def gap(self, value: float, *, signed: bool = True) -> str:
        """Return a difference in the first measure, without its unit; a true minus."""
        if self.first in _SHARES:
            text = figures.quantity(value * 100, 1)
        else:
            text = figures.quantity(value, self.places if self.first in _AMOUNTS else 3)
        rises = signed and value > 0 and text.strip("0.") != ""
        return f"+{text}" if rises else text

    def gap_with_unit(self, value: float, t: Strings, *, signed: bool = True) -> str:
        """Return a difference in the first measure; one of shares in percentage points."""
        text = self.gap(value, signed=signed)
        return t["percentage_points"].format(number=text) if self.first in _SHARES else text

    def is_nothing(self, gap: Difference) -> bool:
        """Whether a difference and its interval are all shown as zero."""
        ends = (gap.value, gap.low, gap.high)
        return all(self.gap(end, signed=False).strip("−0.") == "" for end in ends)


def measured(run: RunReport, which: Which, measure: str) -> float:
    """Return one model's measure."""
    return float(getattr(run.worth.metrics[which], measure))


def estimated(run: RunReport, which: Which, measure: str) -> Estimate:
    """Return one model's measure with its interval."""
    return (
        measured(run, which, measure),
        measured(run, which, f"{measure}_low"),
        measured(run, which, f"{measure}_high"),
    )


def has_interval(run: RunReport, measure: str) -> bool:
    """Whether a measure comes with an interval."""
    return hasattr(run.worth.metrics["joint"], f"{measure}_low")
