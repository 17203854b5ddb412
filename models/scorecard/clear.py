"""The same scorecard computed in the clear on the joined table: the reference, and training alone.

Bins, weights of evidence and chosen columns are those of the protocol exactly; the arithmetic of
the regression is the same whole numbers but for the protocol's roundings of shares, which are off
by less than one unit at random where these round to the nearest (SPEC.md §4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.predictions import Predictions
from models.scorecard.binning import check_labels, weigh_own
from models.scorecard.columns import Design, WeighedColumns
from models.scorecard.fixed_point import (
    CUBIC_FRACTION,
    MOMENTUM,
    RATE_FRACTION,
    WEIGHT_FRACTION,
    FixedPoint,
    Whole,
    batch_count,
    batches,
    whole,
)
from models.scorecard.gradients import Conditioner, conditioned, own_gradient
from models.scorecard.model import ActiveScorecard, CardColumn, PassiveScorecard
from models.scorecard.options import ScorecardOptions, only_passive
from models.scorecard.points import (
    bin_points,
    calibrated,
    intercept_points,
    linear_part,
    mean_coefficients,
    partial_from_bytes,
    partial_to_bytes,
    plausible,
)
from models.scorecard.predictors import own_predictors
from models.scorecard.regression import rate_units
from models.scorecard.residuals import (
    Labels,
    cubic_constant,
    cubic_polynomial,
    linear_constant,
)
from models.table import ColumnTable
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId
from protocols.suite import Suite

ALONE, NOBODY = "alone", "nobody"


@dataclass(frozen=True)
class ClearScorecard:
    """Both halves of a scorecard in one place."""

    active: PartyId
    active_half: ActiveScorecard
    passive_half: PassiveScorecard
    uncalibrated: Mapping[PartyId, tuple[float, ...]] = field(default_factory=dict)
    """The coefficients as training left them; the active party's last is the intercept."""

    def predict_alone(self, table: ColumnTable) -> Predictions:
        """Return the predictions of :func:`train_alone`'s card."""
        nothing = ColumnTable((), table.rows)
        return self.predict({self.active: table, self.active_half.passive: nothing})

    def predict(self, tables: Mapping[PartyId, ColumnTable]) -> Predictions:
        """Return the predictions for rows of the joined table; tables by party."""
        half, peer = self.active_half, self.active_half.passive
        own = half.points(tables[self.active])
        rows = tables[self.active].rows
        partial = sum(self.passive_half.points(tables[peer]), np.zeros(rows, np.int64))
        total = sum([*own, partial], np.full(rows, half.intercept_points))
        factor = half.scale.factor * half.scale.units
        contributions = {
            card.evidence.name: -points / factor
            for card, points in zip(half.columns, own, strict=True)
        }
        return Predictions(half.scale.margins(total), contributions, {peer: -partial / factor})


def train(
    tables: Mapping[PartyId, ColumnTable],
    labels: Labels,
    options: ScorecardOptions,
    *,
    active: PartyId,
    passives: tuple[PartyId, ...],
    suite: Suite,
    public_seed: bytes,
) -> ClearScorecard:
    """Return the scorecard of the joined table.

    ``tables`` holds each party's columns over the same rows in the same order; ``labels`` are 0
    and 1. Raises :class:`LocalProtocolError` for lengths that differ and too few of one label.
    """
    passive = only_passive(passives)
    if any(table.rows != len(labels) for table in tables.values()):
        raise LocalProtocolError("there must be one label per row of every table")
    check_labels(labels, len(labels), options)
    weighed = {
        party: WeighedColumns(*weigh_own(tables[party], labels, options), 0)
        for party in (active, passive)
    }
    designs = (
        weighed[active].design(tables[active], intercept=True),
        weighed[passive].design(tables[passive], intercept=False),
    )
    own, peer = regress(designs, labels, options, suite=suite, public_seed=public_seed)
    coefficients = own[:-1]
    passive_part = linear_part(designs[1], peer)
    shown = partial_from_bytes(partial_to_bytes(passive_part), len(labels))
    own_part = linear_part(weighed[active].design(tables[active], intercept=False), coefficients)
    slope, intercept = calibrated(own_part + shown, labels.astype(np.float64))

    def cards(party: PartyId, each: list[float]) -> tuple[CardColumn, ...]:
        return tuple(
            CardColumn(column, slope * c, bin_points(column, slope * c, options.scale))
            for column, c in zip(weighed[party].columns, each, strict=True)
        )

    start = intercept_points(intercept, options.scale)
    return ClearScorecard(
        active,
        ActiveScorecard(
            options.scale,
            cards(active, coefficients),
            weighed[active].left_out,
            passive,
            intercept,
            start,
        ),
        PassiveScorecard(options.scale, cards(passive, peer), weighed[passive].left_out),
        {active: tuple(own), passive: tuple(peer)},
    )


def train_alone(
    table: ColumnTable,
    labels: Labels,
    options: ScorecardOptions,
    *,
    suite: Suite,
    public_seed: bytes,
) -> ClearScorecard:
    """Return the scorecard the active party gets from its own columns, with no one else."""
    tables = {ALONE: table, NOBODY: ColumnTable((), table.rows)}
    return train(
        tables,
        labels,
        options,
        active=ALONE,
        passives=(NOBODY,),
        suite=suite,
        public_seed=public_seed,
    )


def regress(
    designs: tuple[Design, Design],
    labels: Labels,
    options: ScorecardOptions,
    *,
    suite: Suite,
    public_seed: bytes,
) -> tuple[list[float], list[float]]:
    """Return both parties' coefficients after all epochs; the first design has the intercept."""
    rows = designs[0].rows
    fixed = FixedPoint.of(rows, options)
    conditioners = tuple(
        Conditioner.of(design, options.l2, intercept=at == 0) for at, design in enumerate(designs)
    )
    weights = [whole([0] * design.columns) for design in designs]
    velocities = list(weights)
    totals = list(weights)
    for epoch in range(options.epochs):
        totals = [whole([0] * design.columns) for design in designs]
        for batch in batches(rows, epoch, options=options, suite=suite, public_seed=public_seed):
            taken = [design.take(batch) for design in designs]
            predictors = own_predictors(taken[0], weights[0].tolist()) + own_predictors(
                taken[1], weights[1].tolist()
            )
            residuals = _residuals(predictors, labels[batch], fixed)
            for at, (design, conditioner) in enumerate(zip(taken, conditioners, strict=True)):
                step = conditioned(
                    conditioner.whole(len(batch), fixed),
                    own_gradient(design, residuals),
                    weights[at].tolist(),
                )
                short = _round(step, fixed.step_fraction - WEIGHT_FRACTION)
                moved = MOMENTUM * velocities[at] - rate_units(options) * short
                velocities[at] = _round(moved, RATE_FRACTION)
            weights = [w + v for w, v in zip(weights, velocities, strict=True)]
            totals = [t + w for t, w in zip(totals, weights, strict=True)]
    steps = batch_count(rows, options)
    if not all(plausible(total, steps) for total in totals):
        raise LocalProtocolError(
            "the training did not converge: lower learning_rate, or use larger batches"
        )
    own, peer = (mean_coefficients(total, steps) for total in totals)
    return own, peer


def _residuals(predictors: Whole, labels: Labels, fixed: FixedPoint) -> Whole:
    if fixed.sigmoid == "linear":
        return _round(predictors + linear_constant(labels, fixed), fixed.linear_dropped)
    rounded = _round(predictors, fixed.predictor_fraction - CUBIC_FRACTION)
    residuals = cubic_polynomial(rounded, rounded**3) + cubic_constant(labels)
    return _round(residuals, fixed.cubic_dropped)


def _round(numbers: Whole, bits: int) -> Whole:
    """Return the numbers divided by 2^bits, half up."""
    return (numbers + (1 << (bits - 1))) >> bits
