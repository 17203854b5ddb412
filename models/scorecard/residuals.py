"""Residuals as shares: the approximated logistic function of the predictors, minus the label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.blame import checking_message_of
from models.scorecard.fixed_point import (
    CUBIC_COEFFICIENT_BITS,
    CUBIC_FRACTION,
    CUBIC_SLOPE,
    FixedPoint,
    Whole,
    drop_bits,
    whole,
)
from models.scorecard.frames import encrypt_and_send, receive_frames
from models.scorecard.messages import FRAME_CIPHERTEXTS, CubeTerms, PredictorPowers
from models.scorecard.row_packing import Slots
from models.scorecard.side import Side
from protocols.paillier import Summands
from protocols.roles import Progress, Role, Send

Labels = npt.NDArray[Any]


def shared_residuals(
    side: Side, predictors: Whole, labels: Labels | None, progress: Progress
) -> Role[Whole]:
    """Return this party's shares of the residuals; only the active party has ``labels``."""
    fixed = side.fixed
    if fixed.sigmoid == "linear":
        constant = linear_constant(labels, fixed) if labels is not None else 0
        return drop_bits(predictors + constant, fixed.linear_dropped, fixed.predictor_ring)
    rounded = drop_bits(predictors, fixed.predictor_fraction - CUBIC_FRACTION, fixed.predictor_ring)
    cubes = yield from _shared_cubes(side, rounded, progress)
    constant = cubic_constant(labels) if labels is not None else 0
    residuals = cubic_polynomial(rounded, cubes) + constant
    return drop_bits(residuals, fixed.cubic_dropped, fixed.cubic_ring)


def linear_constant(labels: Labels, fixed: FixedPoint) -> Whole:
    """Return four times 1/2 minus the label, in units of a predictor."""
    return whole(2 - 4 * labels.astype(np.int64)) << fixed.predictor_fraction


def cubic_constant(labels: Labels) -> Whole:
    """Return 1/2 minus the label, in units of the cubic polynomial."""
    doubled = whole(1 - 2 * labels.astype(np.int64))
    return doubled << (3 * CUBIC_FRACTION + CUBIC_COEFFICIENT_BITS - 1)


def cubic_polynomial(rounded: Whole, cubes: Whole) -> Whole:
    """Return 49/256 z - z^3/256, in units of 2^-32."""
    return ((CUBIC_SLOPE * rounded) << (2 * CUBIC_FRACTION)) - cubes


def cube_slots(fixed: FixedPoint, key_bits: int) -> Slots:
    """Return the slots of two products of two numbers in the ring."""
    return Slots.filling(2 * fixed.cubic_ring + 1, key_bits)


def _shared_cubes(side: Side, rounded: Whole, progress: Progress) -> Role[Whole]:
    """Return shares of the cubes of numbers whose shares are ``rounded``.

    (a + b)^3 = a^3 + 3 a^2 b + 3 a b^2 + b^3: of the first half of the rows the active party
    encrypts a and a^2 and the passive party computes the mixed terms, of the others the other way
    round, so that both work.
    """
    fixed, own_key, peer_key = side.fixed, side.keys.own, side.keys.peer
    ring = (1 << fixed.cubic_ring) - 1
    middle = -(-len(rounded) // 2)
    halves = rounded[:middle], rounded[middle:]
    mine, theirs = halves if side.active else halves[::-1]
    slots = cube_slots(fixed, side.key_bits)

    plaintexts = _powers(mine.tolist(), slots, ring)
    yield from encrypt_and_send(
        side.peer,
        PredictorPowers,
        plaintexts,
        key=own_key,
        stream=side.encryption,
        progress=progress,
    )
    received = yield from receive_frames(
        side.peer, PredictorPowers, 2 * len(theirs), peer_key, progress
    )
    factors = [f for a in theirs.tolist() for f in (3 * a * a & ring, 3 * a & ring)]
    terms = Summands(peer_key)
    for frame in received:
        yield progress
        part = factors[len(terms) : len(terms) + len(frame)]
        terms.extend(peer_key.multiply(frame, part))
    starts = np.arange(0, len(factors), 2 * slots.slots, dtype=np.int64)
    sums = terms.sums(
        np.arange(len(factors), dtype=np.int64), np.append(starts, len(factors)).astype(np.int64)
    )
    masks = slots.masks(len(theirs), side.masks)
    hidden = [slots.join(masks[at : at + slots.slots]) for at in range(0, len(masks), slots.slots)]
    fresh = peer_key.rerandomise(peer_key.add_plaintexts(sums, hidden), side.rerandomisation)
    for start in range(0, len(fresh), FRAME_CIPHERTEXTS):
        part_ = fresh[start : start + FRAME_CIPHERTEXTS]
        yield Send(side.peer, CubeTerms(peer_key.encode(part_)))

    count = -(-len(mine) // slots.slots)
    replies = yield from receive_frames(side.peer, CubeTerms, count, own_key.public_key, progress)
    mixed: list[int] = []
    for reply in replies:
        yield progress
        decrypted = own_key.decrypt(reply)
        with checking_message_of(side.peer):
            for plaintext in decrypted:
                mixed += slots.part(plaintext)
    opened = mine**3 + whole(mixed[: len(mine)])
    held = theirs**3 - whole(masks)
    both = (opened, held) if side.active else (held, opened)
    return np.concatenate(both) & ring


def _powers(shares: Sequence[int], slots: Slots, ring: int) -> list[int]:
    """Return each share and its square in the slot its row's terms will have."""
    plaintexts = []
    for row, share in enumerate(shares):
        shift = row % slots.slots * slots.slot_bits
        plaintexts += [share << shift, (share * share & ring) << shift]
    return plaintexts
