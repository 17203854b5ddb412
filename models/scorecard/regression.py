"""Logistic regression on shares: one epoch of either party.

CAESAR: Chen et al., "When Homomorphic Encryption Marries Secret Sharing", KDD 2021, algorithm 1.
Coefficients, predictors, residuals and steps exist only as two shares, one at each party.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from models.scorecard.columns import Design, WeighedColumns
from models.scorecard.fixed_point import (
    MOMENTUM,
    RATE_FRACTION,
    WEIGHT_FRACTION,
    FixedPoint,
    Whole,
    batch_count,
    batches,
    shorten,
    whole,
)
from models.scorecard.gradients import Conditioner, shared_steps
from models.scorecard.keys import Keys
from models.scorecard.options import ScorecardOptions
from models.scorecard.predictors import shared_predictors
from models.scorecard.residuals import Labels, shared_residuals
from models.scorecard.side import Side
from protocols.errors import DecodeError, LocalProtocolError
from protocols.roles import PartyId, Progress, Role
from protocols.suite import Suite
from protocols.wire import Message, decode, encode

SHARE_BYTES = 32
"""Bytes of one stored share; the widest ring has fewer bits."""


@dataclass(frozen=True, eq=False)
class TrainingState:
    """One party's shares after an epoch, of its own columns' numbers and of the peer's.

    Each is uniform by itself. ``totals`` are the sums of the coefficients after every step of the
    epoch: their mean is the model.
    """

    epoch: int
    """Epochs done."""
    weights: tuple[Whole, Whole] = field(repr=False)
    velocities: tuple[Whole, Whole] = field(repr=False)
    totals: tuple[Whole, Whole] = field(repr=False)

    @classmethod
    def start(cls, own_columns: int, peer_columns: int) -> TrainingState:
        """Return the state before the first epoch: all zero, as everyone knows."""
        zeros = whole([0] * own_columns), whole([0] * peer_columns)
        return cls(0, zeros, zeros, zeros)

    def to_bytes(self) -> bytes:
        """Return the canonical encoding. Secret: with the peer's state it opens the model."""
        parts = [part for pair in (self.weights, self.velocities, self.totals) for part in pair]
        return encode(_StoredState(self.epoch, tuple(shares_to_bytes(part) for part in parts)))

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainingState:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        stored = decode(data, _StoredState)
        if len(stored.shares) != 6 or stored.epoch < 1:
            raise DecodeError("not the state of a scorecard's training")
        own_w, peer_w, own_v, peer_v, own_t, peer_t = map(shares_from_bytes, stored.shares)
        if not len(own_w) == len(own_v) == len(own_t):
            raise DecodeError("shares of different numbers of columns")
        if not len(peer_w) == len(peer_v) == len(peer_t):
            raise DecodeError("shares of different numbers of columns")
        return cls(stored.epoch, (own_w, peer_w), (own_v, peer_v), (own_t, peer_t))


class _StoredState(Message, frozen=True):
    epoch: int
    shares: tuple[bytes, ...]


def shares_to_bytes(shares: Whole) -> bytes:
    """Return shares, big endian, :data:`SHARE_BYTES` each."""
    return b"".join(share.to_bytes(SHARE_BYTES, "big") for share in shares.tolist())


def shares_from_bytes(data: bytes) -> Whole:
    """Return what :func:`shares_to_bytes` wrote; raises :class:`DecodeError`."""
    if len(data) % SHARE_BYTES:
        raise DecodeError("shares do not fill their bytes")
    return whole(
        [
            int.from_bytes(data[start : start + SHARE_BYTES], "big")
            for start in range(0, len(data), SHARE_BYTES)
        ]
    )


def run_epoch(
    *,
    epoch: int,
    design: Design,
    labels: Labels | None,
    weighed: WeighedColumns,
    state: TrainingState | None,
    options: ScorecardOptions,
    peer: PartyId,
    keys: Keys,
    suite: Suite,
    public_seed: bytes,
    seed: bytes,
) -> Role[TrainingState]:
    """Run epoch number ``epoch`` (from 0); ``labels`` are the active party's, others have None."""
    active = labels is not None
    peer_columns = weighed.peer_columns + (not active)  # the intercept is the active party's
    if state is None:
        state = TrainingState.start(design.columns, peer_columns)
    if state.epoch != epoch or [len(part) for part in state.weights] != [
        design.columns,
        peer_columns,
    ]:
        raise LocalProtocolError("the state is not that of this training before this epoch")
    fixed = FixedPoint.of(design.rows, options)
    side = Side(
        peer,
        active,
        keys,
        fixed,
        design.columns,
        peer_columns,
        suite.stream(seed, b"scorecard/1 encryption"),
        suite.stream(seed, b"scorecard/1 masks"),
        suite.stream(seed, b"scorecard/1 re-randomisation"),
    )
    conditioner = Conditioner.of(design, options.l2, intercept=active)
    weights, velocities = state.weights, state.velocities
    totals = TrainingState.start(design.columns, peer_columns).totals
    total = batch_count(design.rows, options)
    for done, rows in enumerate(
        batches(design.rows, epoch, options=options, suite=suite, public_seed=public_seed)
    ):
        progress = Progress("train", done, total)
        yield progress
        batch = design.take(rows)
        own, of_peer = weights[0].tolist(), weights[1].tolist()
        predictors, encrypted = yield from shared_predictors(side, batch, own, of_peer, progress)
        known = labels[rows] if labels is not None else None
        residuals = yield from shared_residuals(side, predictors, known, progress)
        steps = yield from shared_steps(
            side,
            batch,
            conditioner=conditioner,
            residuals=residuals,
            weights=own,
            encrypted_weights=encrypted,
            progress=progress,
        )
        ring = (1 << fixed.predictor_ring) - 1
        velocities = (
            _velocity(velocities[0], steps[0], side, options),
            _velocity(velocities[1], steps[1], side, options),
        )
        weights = (weights[0] + velocities[0] & ring, weights[1] + velocities[1] & ring)
        totals = (totals[0] + weights[0] & ring, totals[1] + weights[1] & ring)
    yield Progress("train", total, total)
    return TrainingState(epoch + 1, weights, velocities, totals)


def _velocity(velocity: Whole, step: Whole, side: Side, options: ScorecardOptions) -> Whole:
    """Return shares of the next change of the coefficients: heavy ball (Polyak 1964)."""
    fixed, first = side.fixed, side.active
    short = shorten(step, fixed.step_fraction - WEIGHT_FRACTION, fixed.residual_ring, first=first)
    moved = MOMENTUM * velocity - rate_units(options) * short
    ring = fixed.predictor_ring
    return shorten(moved, RATE_FRACTION, ring, first=first) & ((1 << ring) - 1)


def rate_units(options: ScorecardOptions) -> int:
    """Return the learning rate in units of 2^-8, at least one."""
    return max(1, round(options.learning_rate * (1 << RATE_FRACTION)))
