"""What joining was worth to each party and to all, computed from a report's splits.

Two AUCs are told apart. *Within the parties*: every party ranks its own customers, and the
parties' AUCs are averaged by their held-out customers; all models have it. *Over all*: the
customers of all parties in one ranking; the joint and the pooled model have it.

Of several splits, intervals are the corrected resampled t interval of
``models/evaluation/repeats.py``. Of one split they are DeLong's: within the parties, the parties'
customers are different people, so the variance of the weighted mean is the sum of the squared
weights times each party's variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation import auc, auc_difference_interval
from models.evaluation.repeats import resampled_interval
from simulations.horizontal.report.model import HorizontalReport, PartyScore, SplitReport
from simulations.report.worth import WHICH, Difference, Which

_NORMAL_975 = 1.959963984540054


@dataclass(frozen=True)
class HeldOutScores:
    """One party's held-out customers on one split, all arrays of shape (n,)."""

    trained_on: int
    """Customers of the party that the models learned from."""
    rows: NDArray[np.int64]
    """The party's own row numbers."""
    labels: NDArray[np.uint8]
    alone: NDArray[np.float64]
    """Scores of the model trained on this party's customers only."""
    joint: NDArray[np.float64]
    pooled: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class PartyWorth:
    """What joining was worth to one party: means over the splits."""

    party_id: str
    held_out: int
    """Of the first split."""
    alone: float | None
    """AUC within the party; None where no split has one."""
    joint: float | None
    gain: Difference | None
    """Joint minus alone; None where there is no interval for it."""


@dataclass(frozen=True)
class Overall:
    """What joining was worth to all, and what learning apart cost: means over the splits."""

    within: Mapping[Which, float]
    """AUC within the parties, by model."""
    over_all: Mapping[Which, float]
    """AUC over all held-out customers, by model; no party could rank them all alone."""
    gain: Difference | None
    """Joint minus alone, within the parties; None where no party has both AUCs."""
    cost: Difference | None
    """Joint minus pooled, over all; None where nothing was pooled."""


def measured(split_seed: int, parties: Mapping[str, HeldOutScores]) -> SplitReport:
    """Return one split's report from every party's held-out scores.

    Raises ``ValueError`` where all held-out customers together are of one class, or where some
    parties have pooled scores and others none.
    """
    if len({scores.pooled is None for scores in parties.values()}) != 1:
        raise ValueError("every party has pooled scores, or none has")
    labels = np.concatenate([scores.labels for scores in parties.values()])
    joint = np.concatenate([scores.joint for scores in parties.values()])
    pooled, cost_error = None, None
    of_pooled = [scores.pooled for scores in parties.values() if scores.pooled is not None]
    if of_pooled:
        joined = np.concatenate(of_pooled)
        pooled = auc(labels, joined)
        if _least(labels) > 1:
            cost_error = auc_difference_interval(labels, joined, joint).standard_error
    return SplitReport(
        split_seed=split_seed,
        parties={party: _of_party(scores) for party, scores in parties.items()},
        joint=auc(labels, joint),
        pooled=pooled,
        cost_error=cost_error,
    )


def overall(run: HorizontalReport) -> Overall:
    """Return what all parties' held-out customers say."""
    by_model: dict[Which, float] = {}
    for which in WHICH:
        values = _present(within(split, which) for split in run.splits)
        if values:
            by_model[which] = _mean(values)
    over_all: dict[Which, float] = {"joint": _mean([split.joint for split in run.splits])}
    cost = None
    if run.has_pooled:
        over_all["pooled"] = _mean(_present(split.pooled for split in run.splits))
        cost = _difference(run.splits, cost_of, lambda split: split.cost_error)
    return Overall(by_model, over_all, _difference(run.splits, gain_of, _gain_error), cost)


def by_party(run: HorizontalReport) -> tuple[PartyWorth, ...]:
    """Return what joining was worth to each party, in the report's order."""
    return tuple(_party_worth(run, party.party_id) for party in run.parties)


def within(split: SplitReport, which: Which) -> float | None:
    """Return the parties' AUCs, averaged by held-out customers; a party without one is left out."""
    values: list[tuple[int, float | None]] = [
        (score.held_out, getattr(score, which)) for score in split.parties.values()
    ]
    known = [(customers, value) for customers, value in values if value is not None]
    if not known:
        return None
    return sum(customers * value for customers, value in known) / sum(c for c, _ in known)


def gain_of(split: SplitReport) -> float | None:
    """Return joint minus alone within the parties, on one split."""
    alone, joint = within(split, "alone"), within(split, "joint")
    return None if alone is None or joint is None else joint - alone


def cost_of(split: SplitReport) -> float | None:
    """Return joint minus pooled over all, on one split."""
    return None if split.pooled is None else split.joint - split.pooled


def _of_party(scores: HeldOutScores) -> PartyScore:
    alone = joint = pooled = error = None
    if _least(scores.labels) > 1:  # DeLong's variance needs two of each class
        alone, joint = auc(scores.labels, scores.alone), auc(scores.labels, scores.joint)
        error = auc_difference_interval(scores.labels, scores.alone, scores.joint).standard_error
        if scores.pooled is not None:
            pooled = auc(scores.labels, scores.pooled)
    return PartyScore(
        trained_on=scores.trained_on,
        held_out=len(scores.labels),
        left=int(scores.labels.sum()),
        alone=alone,
        joint=joint,
        pooled=pooled,
        gain_error=error,
    )


def _party_worth(run: HorizontalReport, party: str) -> PartyWorth:
    scores = [split.parties[party] for split in run.splits]
    measured_on = [score for score in scores if score.alone is not None]
    alone = _present(score.alone for score in measured_on)
    joint = _present(score.joint for score in measured_on)
    gain = None
    gaps = [b - a for a, b in zip(alone, joint, strict=True)]
    if len(gaps) > 1:
        found = resampled_interval(
            gaps,
            trained_on=[score.trained_on for score in measured_on],
            measured_on=[score.held_out for score in measured_on],
        )
        gain = _within_scale(found.estimate, found.low, found.high)
    elif gaps and measured_on[0].gain_error is not None and len(scores) == 1:
        gain = _normal(gaps[0], measured_on[0].gain_error)
    return PartyWorth(
        party_id=party,
        held_out=scores[0].held_out,
        alone=_mean(alone) if alone else None,
        joint=_mean(joint) if joint else None,
        gain=gain,
    )


def _gain_error(split: SplitReport) -> float | None:
    """Return the standard error of the gain; None where a party that counts has none."""
    counted = [score for score in split.parties.values() if score.alone is not None]
    customers = sum(score.held_out for score in counted)
    variance = 0.0
    for score in counted:
        if score.gain_error is None:
            return None
        variance += (score.held_out / customers * score.gain_error) ** 2
    return math.sqrt(variance) if counted else None


def _difference(
    splits: Sequence[SplitReport],
    value: Callable[[SplitReport], float | None],
    error: Callable[[SplitReport], float | None],
) -> Difference | None:
    counted = [(split, gap) for split in splits if (gap := value(split)) is not None]
    if len(counted) > 1:
        found = resampled_interval(
            [gap for _, gap in counted],
            trained_on=[split.trained_on for split, _ in counted],
            measured_on=[split.held_out for split, _ in counted],
        )
        return _within_scale(found.estimate, found.low, found.high)
    if len(splits) == 1 and counted and (of_one := error(splits[0])) is not None:
        return _normal(counted[0][1], of_one)
    return None


def _normal(value: float, error: float) -> Difference:
    margin = _NORMAL_975 * error
    return _within_scale(value, value - margin, value + margin)


def _within_scale(value: float, low: float, high: float) -> Difference:
    """Return a difference of AUCs: no interval reaches beyond -1 and 1."""
    return Difference(value=value, low=max(-1.0, low), high=min(1.0, high))


def _least(labels: NDArray[np.uint8]) -> int:
    """Return how many customers the smaller class has."""
    positives = int(labels.sum())
    return min(positives, len(labels) - positives)


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
