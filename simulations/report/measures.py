"""What joining was worth, from labels and scores of held-out rows.

The measures are ``models/evaluation``'s; here they take the report's shape. Of a yes-or-no label,
labels are 0 and 1 and scores probabilities, of shape (n,); of a number, both are numbers (n,); of
classes, labels are 0 ... k - 1 and scores probabilities (n, k). Errors are those of
``models.evaluation``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation import (
    accuracy_difference_interval,
    accuracy_interval,
    auc_difference_interval,
    auc_interval,
    calibration_table,
    class_measures,
    confusion,
    one_vs_rest_aucs,
    regression_measures,
    rmse_difference_interval,
    rmse_interval,
    top_fraction,
)
from models.evaluation.bootstrap import ks_interval
from models.evaluation.delong import Interval
from models.evaluation.repeats import resampled_interval
from protocols.session.model_terms import Objective
from simulations.report.worth import (
    MEASURES,
    Classes,
    ClassMetrics,
    Curve,
    Decisions,
    Difference,
    Differences,
    Mean,
    Metrics,
    NumberCurve,
    NumberMetrics,
    NumberReach,
    Numbers,
    OneClass,
    OverRepeats,
    Points,
    Ranking,
    Reach,
    Repeat,
    Which,
)

MOST_POINTS = 201
REACHED = (0.05, 0.1, 0.2)
"""The shares of best-scored customers that are looked at."""
_BOOTSTRAP_SEED = 2003
"""One number for every report, so that equal scores give equal intervals."""
_LOWEST: Mapping[str, float] = dict.fromkeys(
    ("auc", "ks", "rmse", "mae", "accuracy", "log_loss"), 0
)
_HIGHEST: Mapping[str, float] = dict.fromkeys(("auc", "ks", "accuracy", "r2"), 1)
"""Ends of the measures' scales, where they have any."""
_Scores: TypeAlias = Mapping[Which, ArrayLike]


def ranking(labels: ArrayLike, scores: _Scores, threshold: str) -> Ranking:
    """Return what scores by model are worth for a yes-or-no label."""
    return Ranking(
        metrics={which: metrics(labels, score) for which, score in scores.items()},
        differences=_differences(labels, scores, auc_difference_interval),
        curves={which: curve(labels, score) for which, score in scores.items()},
        reach={which: reach(labels, score) for which, score in scores.items()},
        threshold=threshold,
        decisions={
            which: decisions(labels, score, float(threshold)) for which, score in scores.items()
        },
    )


def metrics(labels: ArrayLike, scores: ArrayLike) -> Metrics:
    """Return AUC and KS with 95 % intervals: DeLong's, and a stratified bootstrap's."""
    area = auc_interval(labels, scores)
    distance = ks_interval(labels, scores, seed=_BOOTSTRAP_SEED)
    return Metrics(
        auc=area.estimate,
        auc_low=area.low,
        auc_high=area.high,
        ks=distance.estimate,
        ks_low=distance.low,
        ks_high=distance.high,
    )


def reach(labels: ArrayLike, scores: ArrayLike) -> tuple[Reach, ...]:
    """Return what the best-scored 5, 10 and 20 % of customers contain."""
    found = ((share, top_fraction(labels, scores, share)) for share in REACHED)
    return tuple(
        Reach(
            share=share,
            customers=best.customers,
            gain=best.gain,
            precision=best.precision,
            lift=best.lift,
        )
        for share, best in found
    )


def decisions(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Decisions:
    """Return the decisions "yes from ``threshold`` on", counted against the labels."""
    counts = confusion(labels, scores, threshold)
    right = counts.true_positives + counts.true_negatives
    return Decisions(
        true_positives=counts.true_positives,
        false_positives=counts.false_positives,
        true_negatives=counts.true_negatives,
        false_negatives=counts.false_negatives,
        precision=counts.precision,
        recall=counts.recall,
        accuracy=right / (right + counts.false_positives + counts.false_negatives),
    )


def curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Return the points of ROC, gain and calibration.

    Customers with equal scores move together, so no order among them is invented.
    """
    tenths = calibration_table(labels, scores)
    score = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    positive = np.asarray(labels, dtype=np.float64)[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.concatenate([[0.0], np.cumsum(positive)[last_of_tie]])
    taken = np.concatenate([[0.0], last_of_tie + 1.0])
    true_rate = found / found[-1]
    false_rate = (taken - found) / (taken[-1] - found[-1])
    return Curve(
        roc=_thinned(false_rate, true_rate),
        gain=_thinned(taken / taken[-1], true_rate),
        calibration=tuple(
            (tenth.mean_predicted, tenth.observed, tenth.customers) for tenth in tenths
        ),
    )


def numbers(labels: ArrayLike, predictions: _Scores) -> Numbers:
    """Return what predicted numbers by model are worth."""
    label = np.asarray(labels, dtype=np.float64)
    total = label.min() >= 0 and label.sum() > 0
    return Numbers(
        metrics={which: _number_metrics(label, made) for which, made in predictions.items()},
        differences=_differences(label, predictions, rmse_difference_interval),
        usual_rmse=float(label.std()),
        curves={
            which: _number_curve(label, np.asarray(made), total=total)
            for which, made in predictions.items()
        },
        reach={which: _number_reach(label, np.asarray(made)) for which, made in predictions.items()}
        if total
        else {},
    )


def _number_metrics(labels: ArrayLike, predictions: ArrayLike) -> NumberMetrics:
    interval = rmse_interval(labels, predictions)
    found = regression_measures(labels, predictions)
    return NumberMetrics(**found, rmse_low=interval.low, rmse_high=interval.high)


def _number_curve(
    label: NDArray[np.float64], predicted: NDArray[np.float64], *, total: bool
) -> NumberCurve:
    order = np.argsort(predicted, kind="stable")
    tenths = [rows for rows in np.array_split(order, 10) if rows.size]
    calibration = tuple(
        (float(predicted[rows].mean()), float(label[rows].mean()), rows.size) for rows in tenths
    )
    if not total:
        return NumberCurve(calibration=calibration)
    taken, brought = _brought(label, predicted)
    return NumberCurve(calibration=calibration, gain=_thinned(taken / taken[-1], brought))


def _brought(
    label: NDArray[np.float64], predicted: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return counts of customers, highest prediction first, and their share of the labels' total.

    Customers with equal predictions move together, so no order among them is invented.
    """
    order = np.argsort(-predicted, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(predicted[order])), order.size - 1)
    taken = np.concatenate([[0.0], last_of_tie + 1.0])
    return taken, np.concatenate([[0.0], np.cumsum(label[order])[last_of_tie] / label.sum()])


def _number_reach(
    label: NDArray[np.float64], predicted: NDArray[np.float64]
) -> tuple[NumberReach, ...]:
    taken, brought = _brought(label, predicted)
    found = []
    for share in REACHED:
        customers = max(1, int(np.floor(share * label.size + 0.5)))
        gain = float(np.interp(customers, taken, brought))
        found.append(
            NumberReach(
                share=share, customers=customers, gain=gain, lift=gain * label.size / customers
            )
        )
    return tuple(found)


def classes(labels: ArrayLike, probabilities: _Scores, names: Sequence[str]) -> Classes:
    """Return what probabilities by model are worth; ``names`` are the classes' own."""
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=len(names))
    return Classes(
        metrics={which: _class_metrics(labels, made) for which, made in probabilities.items()},
        differences=_differences(labels, probabilities, accuracy_difference_interval),
        names=tuple(names),
        customers=tuple(counts.tolist()),
        by_class={which: _by_class(labels, made) for which, made in probabilities.items()},
    )


def _class_metrics(labels: ArrayLike, probabilities: ArrayLike) -> ClassMetrics:
    interval = accuracy_interval(labels, probabilities)
    found = class_measures(labels, probabilities)
    return ClassMetrics(**found, accuracy_low=interval.low, accuracy_high=interval.high)


def _by_class(labels: ArrayLike, probabilities: ArrayLike) -> tuple[OneClass, ...]:
    label = np.asarray(labels, dtype=np.int64)
    probability = np.asarray(probabilities, dtype=np.float64)
    areas = one_vs_rest_aucs(label, probability)
    k = len(areas)
    named = np.bincount(label * k + probability.argmax(axis=1), minlength=k * k).reshape(k, k)
    found = []
    for of, area in enumerate(areas):
        right, are, put = int(named[of, of]), int(named[of].sum()), int(named[:, of].sum())
        wrong = np.where(np.arange(k) == of, 0, named[of])
        found.append(
            OneClass(
                recall=right / are if are else None,
                precision=right / put if put else None,
                auc=area,
                mistaken_for=int(wrong.argmax()) if wrong.any() else None,
            )
        )
    return tuple(found)


def over_repeats(objective: Objective, repeats: Sequence[Repeat]) -> OverRepeats | None:
    """Return the means over repeated splits with corrected intervals; None for fewer than two."""
    if len(repeats) < 2:
        return None

    def over(values: Sequence[float]) -> Interval:
        return resampled_interval(
            values,
            trained_on=[repeat.trained_on for repeat in repeats],
            measured_on=[repeat.customers for repeat in repeats],
        )

    def mean(measure: str, values: Sequence[float]) -> Mean:
        found = over(values)
        # The interval itself is not cut to any scale; the measures live on theirs.
        return Mean(
            mean=found.estimate,
            low=max(_LOWEST.get(measure, found.low), found.low),
            high=min(_HIGHEST.get(measure, found.high), found.high),
        )

    measures = MEASURES[objective]
    gain = over([repeat.joint[measures[0]] - repeat.alone[measures[0]] for repeat in repeats])
    return OverRepeats(
        alone={name: mean(name, [repeat.alone[name] for repeat in repeats]) for name in measures},
        joint={name: mean(name, [repeat.joint[name] for repeat in repeats]) for name in measures},
        joint_minus_alone=Difference(value=gain.estimate, low=gain.low, high=gain.high),
    )


def _differences(
    labels: ArrayLike,
    scores: _Scores,
    interval: Callable[[ArrayLike, ArrayLike, ArrayLike], Interval],
) -> Differences:
    """Return joint minus each of the others; ``interval(labels, a, b)`` is of b minus a."""

    def joint_minus(which: Which) -> Difference:
        gap = interval(labels, scores[which], scores["joint"])
        return Difference(value=gap.estimate, low=gap.low, high=gap.high)

    return Differences(
        joint_minus_alone=joint_minus("alone"),
        joint_minus_pooled=joint_minus("pooled") if "pooled" in scores else None,
    )


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    """Keep at most ``MOST_POINTS`` of the points, both ends among them."""
    keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.int64))
    return tuple((round(float(x[i]), 4), round(float(y[i]), 4)) for i in keep)
