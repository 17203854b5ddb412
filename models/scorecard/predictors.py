"""Linear predictors as shares: each party's columns times its coefficients, which nobody knows.

X w = X <w>_own + X <w>_peer. The first product a party computes from what it holds; the second
from the peer's share, which came encrypted under the peer's key (CAESAR, Chen et al. 2021,
protocol 2). A column has few distinct weights of evidence, so every product of one with the
encrypted coefficient is computed once, and a row is a sum of table entries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.blame import checking_message_of
from models.scorecard.columns import Design
from models.scorecard.evidence import EVIDENCE_BOUND
from models.scorecard.fixed_point import FixedPoint, Whole, whole
from models.scorecard.frames import encrypt_and_send, frames, receive_frames
from models.scorecard.gradients import gradient_packing
from models.scorecard.messages import PredictorSums, WeightShares
from models.scorecard.row_packing import Slots
from models.scorecard.side import Side
from protocols.paillier import Ciphertexts, PublicKey, Summands
from protocols.roles import Progress, Role, Send


def predictor_slots(fixed: FixedPoint, columns: int, key_bits: int) -> Slots:
    """Return the slots of predictors over ``columns`` columns."""
    value_bits = fixed.predictor_ring + EVIDENCE_BOUND.bit_length() + columns.bit_length()
    return Slots.filling(value_bits, key_bits)


def weight_plaintexts(
    shares: Sequence[int], slots: Slots, fixed: FixedPoint, target_shift: int
) -> list[int]:
    """Return each share in every slot, then each in the slot where a gradient's sum ends up."""
    width = slots.slot_bits
    spread = [share << (width * slot) for share in shares for slot in range(slots.slots)]
    low = (1 << fixed.residual_ring) - 1
    return spread + [(share & low) << target_shift for share in shares]


def shared_predictors(
    side: Side, design: Design, own: Sequence[int], peer: Sequence[int], progress: Progress
) -> Role[tuple[Whole, Ciphertexts]]:
    """Return this party's shares of the rows' predictors, and the peer's shares of its weights.

    ``own`` and ``peer`` are this party's shares of both parties' coefficients. What is returned
    second is encrypted under the peer's key, one ciphertext a column, for the penalty's gradient.
    """
    fixed, peer_key = side.fixed, side.keys.peer
    opened = predictor_slots(fixed, side.peer_columns, side.key_bits)
    target = gradient_packing(fixed, side.peer_columns, side.key_bits).target_shift
    plaintexts = weight_plaintexts(peer, opened, fixed, target)
    yield from encrypt_and_send(
        side.peer,
        WeightShares,
        plaintexts,
        key=side.keys.own,
        stream=side.encryption,
        progress=progress,
    )

    slots = predictor_slots(fixed, side.own_columns, side.key_bits)
    spread = side.own_columns * slots.slots
    count = spread + side.own_columns
    received = yield from receive_frames(side.peer, WeightShares, count, peer_key, progress)
    weights = Ciphertexts.join([peer_key.zeros(0), *received])
    yield progress
    table, positions = _table(design, weights[:spread], slots, peer_key)
    masks = slots.masks(design.rows, side.masks)
    for frame in frames(-(-design.rows // slots.slots)):
        yield progress
        rows = range(frame.start * slots.slots, min(frame.stop * slots.slots, design.rows))
        starts = np.arange(rows.start, rows.stop, slots.slots, dtype=np.int64) - rows.start
        offsets = np.append(starts, len(rows)) * design.columns
        sums = table.sums(positions[rows.start : rows.stop].reshape(-1), offsets)
        hidden = [
            slots.join(masks[at : min(at + slots.slots, rows.stop)])
            for at in range(rows.start, rows.stop, slots.slots)
        ]
        hidden_sums = peer_key.add_plaintexts(sums, hidden)
        fresh = peer_key.rerandomise(hidden_sums, side.rerandomisation)
        yield Send(side.peer, PredictorSums(peer_key.encode(fresh)))

    predictors = own_predictors(design, own) - whole(masks)
    count = -(-design.rows // opened.slots)
    own_key = side.keys.own
    replies = yield from receive_frames(
        side.peer, PredictorSums, count, own_key.public_key, progress
    )
    parts: list[int] = []
    for reply in replies:
        yield progress
        decrypted = own_key.decrypt(reply)
        with checking_message_of(side.peer):
            for plaintext in decrypted:
                parts += opened.part(plaintext)
    predictors = predictors + whole(parts[: design.rows])
    return predictors & ((1 << fixed.predictor_ring) - 1), weights[spread:]


def own_predictors(design: Design, weights: Sequence[int]) -> Whole:
    """Return each row's weights of evidence times ``weights``, exactly."""
    total = whole([0] * design.rows)
    for codes, values, weight in zip(design.codes, design.values, weights, strict=True):
        total = total + whole([value * weight for value in values.tolist()])[codes]
    return total


def _table(
    design: Design, weights: Ciphertexts, slots: Slots, key: PublicKey
) -> tuple[Summands, np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    """Return all products of a weight of evidence and a coefficient, in every slot.

    And where each row's are among them, shape (rows, columns).
    """
    slot = np.arange(slots.slots, dtype=np.int64)
    sources, factors, bases, base = [], [], [], 0
    for column, values in enumerate(design.values):
        sources.append(np.tile(column * slots.slots + slot, len(values)))
        factors.append(np.repeat(values, slots.slots))
        bases.append(base)
        base += len(values) * slots.slots
    summands = Summands(key)
    if design.columns:
        spread = weights.take(np.concatenate(sources))
        summands.extend(key.multiply(spread, np.concatenate(factors).tolist()))
    row_slot = np.arange(design.rows, dtype=np.int64) % slots.slots
    positions = design.codes.T * slots.slots + row_slot[:, None] + np.array(bases, np.int64)
    return summands, positions
