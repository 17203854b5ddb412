"""Coefficients to points: score = offset + factor ln(odds of label 0)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.scorecard.columns import Design, EvidenceColumn
from models.scorecard.evidence import EVIDENCE_FRACTION
from models.scorecard.fixed_point import STEP_BITS, WEIGHT_FRACTION, Whole, centred
from models.scorecard.options import Scale
from models.table import Floats
from protocols.errors import DecodeError, RemoteProtocolError

PARTIAL_FRACTION = 6
"""Training predictors are shown to the active party in units of 2^-6."""
NEWTON_STEPS = 50
LARGEST_SLOPE = 64.0
LARGEST_SUM = (1 << 31) - 1
LARGEST_PREDICTOR = 1024


def opened_coefficients(own: Whole, peer: Whole, ring: int, steps: int) -> list[float]:
    """Return the mean of the coefficients over an epoch of ``steps``, from both shares' totals.

    Raises :class:`RemoteProtocolError` for a number of shares or numbers there cannot be. That
    the peer sent other shares than its own, and that training did not converge, look alike.
    """
    if len(own) != len(peer):
        raise RemoteProtocolError("shares of another number of columns")
    totals = centred(own + peer, ring)
    if not plausible(totals, steps):
        raise RemoteProtocolError(
            "shares that open to no coefficients: they are not those of this training, or it did "
            "not converge (a lower learning_rate, or larger batches, would help)"
        )
    return mean_coefficients(totals, steps)


def plausible(totals: Whole, steps: int) -> bool:
    """Whether sums of coefficients over ``steps`` are so small that training can have converged."""
    return all(abs(total) >> (STEP_BITS + WEIGHT_FRACTION) < steps for total in totals.tolist())


def mean_coefficients(totals: Whole, steps: int) -> list[float]:
    """Return the coefficients whose sums over ``steps`` are ``totals``."""
    return [math.ldexp(total / steps, -WEIGHT_FRACTION) for total in totals.tolist()]


def linear_part(design: Design, coefficients: Sequence[float]) -> Floats:
    """Return each row's weights of evidence times ``coefficients``, without an intercept."""
    total = np.zeros(design.rows)
    for codes, values, coefficient in zip(design.codes, design.values, coefficients, strict=True):
        total += np.ldexp(coefficient * values, -EVIDENCE_FRACTION)[codes]
    return total


def calibrated(predictors: Floats, labels: Floats) -> tuple[float, float]:
    """Return (slope, intercept) of the logistic regression of the labels on the predictors.

    By Newton's method, two parameters (Platt 1999 without its smoothing). The approximated
    logistic function bends the scale of the coefficients, not the order they give; this mends the
    scale. Predictors that say nothing, or the opposite, keep the slope 1; it never exceeds
    :data:`LARGEST_SLOPE`, where the classes could be told apart without error.
    """
    base = math.log(labels.mean()) - math.log(1 - labels.mean())
    intercept, slope = base - float(predictors.mean()), 1.0
    fixed_slope = not np.ptp(predictors)
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (intercept + slope * predictors)))
        errors, weights = p - labels, np.maximum(p * (1 - p), 1e-9)
        g0, g1 = float(errors.sum()), float((errors * predictors).sum())
        h00, h01 = float(weights.sum()), float((weights * predictors).sum())
        h11 = float((weights * predictors**2).sum())
        determinant = h00 * h11 - h01 * h01
        if fixed_slope or determinant <= 1e-9 * h00 * h11:
            intercept -= g0 / h00
            continue
        intercept -= (h11 * g0 - h01 * g1) / determinant
        slope -= (h00 * g1 - h01 * g0) / determinant
        if not 0 < slope <= LARGEST_SLOPE:
            slope, fixed_slope = (1.0 if slope <= 0 else LARGEST_SLOPE), True
    return slope, intercept


def bin_points(column: EvidenceColumn, coefficient: float, scale: Scale) -> tuple[int, ...]:
    """Return the points of each bin, in units: fewer where label 1 is more likely."""
    each = math.ldexp(-scale.factor * scale.units * coefficient, -EVIDENCE_FRACTION)
    return tuple(round(each * units) for units in column.evidence)


def intercept_points(intercept: float, scale: Scale) -> int:
    """Return the points every customer starts with, in units."""
    return round(scale.units * (scale.offset - scale.factor * intercept))


def partial_to_bytes(predictors: Floats) -> bytes:
    """Return predictors in units of 2^-6, little-endian int32."""
    limited = np.clip(predictors, -LARGEST_PREDICTOR, LARGEST_PREDICTOR)
    return points_to_bytes(np.rint(np.ldexp(limited, PARTIAL_FRACTION)).astype(np.int64))


def partial_from_bytes(data: bytes, rows: int) -> Floats:
    """Return what :func:`partial_to_bytes` wrote; raises :class:`DecodeError`."""
    predictors: Floats = np.ldexp(points_from_bytes(data, rows).astype(float), -PARTIAL_FRACTION)
    if rows and np.abs(predictors).max() > LARGEST_PREDICTOR:
        raise DecodeError("predictors that no coefficients give")
    return predictors


def points_to_bytes(points: npt.NDArray[np.int64]) -> bytes:
    """Return whole numbers below 2^31, little-endian int32."""
    return np.clip(points, -LARGEST_SUM, LARGEST_SUM).astype("<i4").tobytes()


def points_from_bytes(data: bytes, rows: int) -> npt.NDArray[np.int64]:
    """Return what :func:`points_to_bytes` wrote, one number a row; raises :class:`DecodeError`."""
    if len(data) != 4 * rows:
        raise DecodeError("numbers for another count of rows")
    return np.frombuffer(data, "<i4").astype(np.int64)
