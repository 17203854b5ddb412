"""Steps of the coefficients as shares: the columns times the residuals, which nobody knows.

A party's step is P X^T e, with P a preconditioner it computed from its own columns and shows to
no one. X^T <e>_own it computes from what it holds, X^T <e>_peer under the peer's key: the
residuals are summed by bin first, and the few sums multiplied by the bins' weights of evidence
(CAESAR, Chen et al. 2021, protocol 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.blame import checking_message_of
from models.scorecard.columns import Design
from models.scorecard.evidence import EVIDENCE_BOUND, EVIDENCE_FRACTION
from models.scorecard.fixed_point import (
    CONDITIONER_FRACTION,
    WEIGHT_FRACTION,
    FixedPoint,
    Whole,
    whole,
)
from models.scorecard.frames import encrypt_and_send, receive_frames
from models.scorecard.messages import FRAME_CIPHERTEXTS, GradientSums, ResidualShares
from models.scorecard.row_packing import RowPacking
from models.scorecard.side import Side
from models.table import Floats
from protocols.paillier import Ciphertexts, PublicKey, Summands
from protocols.roles import Progress, Role, Send

DAMPING = 2.0**-8
"""Added to every curvature: no entry of a preconditioner is above 2^8 in magnitude."""
CURVATURE = 0.25
"""The logistic function's largest slope; the linear approximation's only one."""
CONDITIONER_BITS = 8 + CONDITIONER_FRACTION + 2  # 2^batch_bits is at most twice a batch's rows


@dataclass(frozen=True, eq=False)
class Conditioner:
    """What a party multiplies its gradients with: the inverse of its own columns' curvature."""

    inverse: Floats = field(repr=False)
    decay: Floats = field(repr=False)
    """The inverse times the penalty on each coefficient, for one row of all."""

    @classmethod
    def of(cls, design: Design, l2: float, *, intercept: bool) -> Conditioner:
        """Return the conditioner of all training rows; ``intercept``: the last has no penalty."""
        matrix = design.matrix()
        scale = float(4**EVIDENCE_FRACTION) * design.rows
        penalty = np.full(design.columns, l2 / design.rows)
        if intercept:
            penalty[-1] = 0.0
        curvature = CURVATURE * (matrix @ matrix.T) / scale  # of integers: exact, in any order
        inverse = _inverse((curvature + np.diag(penalty + DAMPING)).astype(np.float64))
        return cls(inverse, inverse * penalty)

    def whole(self, rows: int, fixed: FixedPoint) -> tuple[list[list[int]], list[list[int]]]:
        """Return the factors of gradients summed over ``rows`` rows, and those of coefficients."""
        gradient = np.ldexp(self.inverse, CONDITIONER_FRACTION + fixed.batch_bits) / rows
        weight = np.ldexp(self.decay, fixed.step_fraction - WEIGHT_FRACTION)
        return (
            np.rint(gradient).astype(np.int64).tolist(),
            np.rint(weight).astype(np.int64).tolist(),
        )


def _inverse(matrix: Floats) -> Floats:
    """Return the inverse of a positive definite matrix, by Gauss-Jordan elimination.

    Element by element in one order: a library's blocked code may give other last bits on another
    run, and a replayed step must send the same bytes.
    """
    size = len(matrix)
    work = np.hstack([matrix, np.eye(size)])
    for pivot in range(size):
        work[pivot] /= work[pivot, pivot]
        for row in range(size):
            if row != pivot:
                work[row] -= work[row, pivot] * work[pivot]
    return work[:, size:]


def gradient_packing(fixed: FixedPoint, columns: int, key_bits: int) -> RowPacking:
    """Return how residuals are packed for a party with ``columns`` columns."""
    one_column = fixed.batch_bits + fixed.residual_ring + EVIDENCE_BOUND.bit_length()
    value_bits = one_column + CONDITIONER_BITS + columns.bit_length() + 1  # and the penalty's
    return RowPacking.filling(value_bits, key_bits)


def own_gradient(design: Design, residuals: Whole) -> list[int]:
    """Return each column times ``residuals``, exactly."""
    gradient = []
    listed = residuals.tolist()
    for codes, values in zip(design.codes, design.values, strict=True):
        sums = [0] * len(values)
        for code, residual in zip(codes.tolist(), listed, strict=True):
            sums[code] += residual
        gradient.append(sum(v * s for v, s in zip(values.tolist(), sums, strict=True)))
    return gradient


def conditioned(
    factors: tuple[list[list[int]], list[list[int]]],
    gradient: Sequence[int],
    weights: Sequence[int],
) -> Whole:
    """Return the step that a gradient and coefficients give, exactly."""
    stacked = [*gradient, *weights]
    return whole(
        [
            sum(f * x for f, x in zip([*by_gradient, *by_weight], stacked, strict=True))
            for by_gradient, by_weight in zip(*factors, strict=True)
        ]
    )


def shared_steps(
    side: Side,
    design: Design,
    *,
    conditioner: Conditioner,
    residuals: Whole,
    weights: Sequence[int],
    encrypted_weights: Ciphertexts,
    progress: Progress,
) -> Role[tuple[Whole, Whole]]:
    """Return this party's shares of its own columns' step and of the peer's.

    ``residuals`` and ``weights`` are its shares, ``encrypted_weights`` the peer's shares of this
    party's coefficients, each in the slot of a sum.
    """
    fixed, own_key, peer_key = side.fixed, side.keys.own, side.keys.peer
    low = (1 << fixed.residual_ring) - 1
    opened = gradient_packing(fixed, side.peer_columns, side.key_bits)
    plaintexts = opened.plaintexts(residuals.tolist()) if side.peer_columns else []
    yield from encrypt_and_send(
        side.peer,
        ResidualShares,
        plaintexts,
        key=own_key,
        stream=side.encryption,
        progress=progress,
    )

    factors = conditioner.whole(design.rows, fixed)
    own = conditioned(factors, own_gradient(design, residuals), weights)
    if side.own_columns:
        packing = gradient_packing(fixed, side.own_columns, side.key_bits)
        count = packing.ciphertexts(design.rows)
        received = yield from receive_frames(side.peer, ResidualShares, count, peer_key, progress)
        summands = Summands(peer_key)
        for frame in received:
            summands.extend(frame)
        yield progress
        gradient = packing.align(_column_sums(design, summands, packing, peer_key), peer_key)
        step = _conditioned(factors, Ciphertexts.join([gradient, encrypted_weights]), peer_key)
        plaintexts, masks = packing.hide(step, side.masks, target=True)
        hidden = peer_key.add_plaintexts(step, plaintexts)
        fresh = peer_key.rerandomise(hidden, side.rerandomisation)
        for start in range(0, len(fresh), FRAME_CIPHERTEXTS):
            part = fresh[start : start + FRAME_CIPHERTEXTS]
            yield Send(side.peer, GradientSums(peer_key.encode(part)))
        own = own - masks

    replies = yield from receive_frames(
        side.peer, GradientSums, side.peer_columns, own_key.public_key, progress
    )
    peer: list[int] = []
    for reply in replies:
        yield progress
        decrypted = own_key.decrypt(reply)
        with checking_message_of(side.peer):
            peer += opened.opened(decrypted)
    return own & low, whole(peer) & low


def _column_sums(
    design: Design, summands: Summands, packing: RowPacking, key: PublicKey
) -> Ciphertexts:
    """Return, for each column and row residue, the residuals' sum weighted by evidence."""
    k = packing.rows
    positions, offsets, last = [], [np.zeros(1, np.int64)], 0
    weighted, weighted_offsets, first = [], [0], 0
    for codes, values in zip(design.codes, design.values, strict=True):
        by_bin, ends = packing.segments(codes, len(values))
        positions.append(by_bin)
        offsets.append(ends[1:] + last)
        last += int(ends[-1])
        bins = np.arange(len(values), dtype=np.int64)
        for j in range(k):
            weighted.append(first + bins * k + j)
            weighted_offsets.append(weighted_offsets[-1] + len(values))
        first += len(values) * k
    sums = summands.sums(np.concatenate(positions), np.concatenate(offsets))
    factors = np.repeat(np.concatenate(design.values), k)
    products = Summands(key)
    products.extend(key.multiply(sums, factors.tolist()))
    return products.sums(np.concatenate(weighted), np.array(weighted_offsets, np.int64))


def _conditioned(
    factors: tuple[list[list[int]], list[list[int]]], stacked: Ciphertexts, key: PublicKey
) -> Ciphertexts:
    """Return what :func:`conditioned` does, under encryption."""
    matrix = np.hstack([np.array(part, np.int64) for part in factors])
    rows, columns = np.nonzero(matrix)
    products = Summands(key)
    products.extend(key.multiply(stacked.take(columns), matrix[rows, columns].tolist()))
    counts = np.bincount(rows, minlength=len(matrix))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return products.sums(np.arange(len(columns), dtype=np.int64), offsets)
