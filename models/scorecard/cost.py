"""What a training will cost, told before it runs (SPEC.md §4 has the parameters).

Ciphertexts of rows are exact. How many columns are chosen, and into how many bins they are joined,
the labels decide: that is expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from models.cost import Cost, Operation, Operations
from models.scorecard.binning import label_packing
from models.scorecard.fixed_point import FixedPoint, batch_count
from models.scorecard.gradients import gradient_packing
from models.scorecard.messages import FRAME_CIPHERTEXTS
from models.scorecard.options import ScorecardOptions
from models.scorecard.predictors import predictor_slots
from models.scorecard.regression import SHARE_BYTES
from models.scorecard.residuals import cube_slots
from protocols.roles import PartyId

CHOSEN_SHARE = 0.6
"""Columns expected to be chosen, and bins to be left of a column, where options can drop any."""
EVIDENCE_BITS = 7
"""Bits of a typical weight of evidence in units of 2^-8."""
CONDITIONER_BITS = 12
"""Bits of a typical entry of a preconditioner."""
CELL_PASSES = 8
"""Times a batch's bins are gone through in the clear."""


def training_cost(
    *,
    rows: int,
    options: ScorecardOptions,
    key_bits: int,
    active: PartyId,
    passive: PartyId,
    active_bins: Sequence[int],
    passive_bins: Sequence[int],
) -> Cost:
    """Return what training on ``rows`` rows is expected to cost.

    ``active_bins`` and ``passive_bins`` have the number of fine bins of each of the party's
    columns, that of the missing values counted; ``options.bins`` + 1 is the most it can be.
    """
    wire = _Wire(key_bits // 4)
    wire.add("PaillierKey", 2, key_bits // 8)
    keys: Operations = {"key_generations": 1}
    labels, bins = _binning(rows, sum(passive_bins), len(passive_bins), key_bits, wire)
    sides = (
        _Training([*_expected(active_bins, options), 1], _expected(passive_bins, options)),
        _Training(_expected(passive_bins, options), [*_expected(active_bins, options), 1]),
    )
    batch = _Batch(rows, options, key_bits)
    stages = [(batch.predictors(side), batch.gradients(side)) for side in sides]
    cubes = batch.cubes() if options.sigmoid == "cubic" else {}
    for side in sides:
        batch.add_messages(side, wire)
    wire.add("OpenedShares", 1, SHARE_BYTES * len(sides[0].own))
    wire.add("OpenedShares", 1, SHARE_BYTES * len(sides[1].own))
    wire.add("TrainingPredictors", 1, 4 * rows)
    wire.add("Calibration", 1, 8)
    return Cost(
        bytes=dict(wire.bytes),
        messages=dict(wire.messages),
        checkpoints=3 + options.epochs,
        stages=(
            {active: keys, passive: keys},
            {active: labels[0], passive: labels[1]},
            {active: bins},
            {active: stages[0][0], passive: stages[1][0]},
            {active: cubes, passive: cubes},
            {active: stages[0][1], passive: stages[1][1]},
        ),
        calls={active: batch.calls(sides[0]), passive: batch.calls(sides[1])},
    )


def scoring_cost(
    *, rows: int, active: PartyId, passive: PartyId, active_columns: int, passive_columns: int
) -> Cost:
    """Return what scoring ``rows`` rows costs, with so many columns in each half."""
    wire = _Wire(0)
    wire.add("PartialScores", 1, 4 * rows)
    return Cost(
        bytes=dict(wire.bytes),
        messages=dict(wire.messages),
        checkpoints=1,
        stages=(
            {
                active: {"table_cells": rows * active_columns},
                passive: {"table_cells": rows * passive_columns},
            },
        ),
    )


class _Wire:
    """Bytes and messages by type, as :mod:`protocols.wire` encodes them."""

    def __init__(self, ciphertext_bytes: int) -> None:
        self._unit = ciphertext_bytes
        self.bytes: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()

    def add(self, name: str, count: int, size: int) -> None:
        """Count ``count`` messages of one byte string of ``size`` bytes each."""
        if count:
            header = 2 if size < 256 else 3 if size < 65_536 else 5
            self.bytes[name] += count * (2 + len(name) + header + size)
            self.messages[name] += count

    def add_frames(self, name: str, times: int, ciphertexts: int) -> None:
        """Count ``times`` lists of ``ciphertexts`` each, in frames."""
        full, rest = divmod(ciphertexts, FRAME_CIPHERTEXTS)
        self.add(name, times * full, FRAME_CIPHERTEXTS * self._unit)
        self.add(name, times * bool(rest), rest * self._unit)


def _frames(ciphertexts: int) -> int:
    return -(-ciphertexts // FRAME_CIPHERTEXTS)


@dataclass(frozen=True)
class _Training:
    """One party's chosen columns and its peer's, as bins of each."""

    own: list[int]
    peer: list[int]


def _expected(bins: Sequence[int], options: ScorecardOptions) -> list[int]:
    """Return the bins of the columns that are expected to be chosen."""
    keeps_all = not options.minimum_information_value and options.maximum_correlation == 1
    share = 1.0 if keeps_all else CHOSEN_SHARE
    chosen = sorted(bins)[len(bins) - round(share * len(bins)) :]
    return [max(2, round(CHOSEN_SHARE * size)) for size in chosen]


def _binning(
    rows: int, bins: int, columns: int, key_bits: int, wire: _Wire
) -> tuple[tuple[Operations, Operations], Operations]:
    """Return what both parties do with the labels, and what the active party does with bins."""
    packing = label_packing(rows, key_bits)
    sent = packing.ciphertexts(rows)
    joined = round(CHOSEN_SHARE * bins)
    wire.add_frames("EncryptedLabels", 1, sent)
    for count in (bins, joined):
        wire.add("BinSums", 1, count * key_bits // 4)
    wire.add("BinFloors", 1, bins)
    wire.add("BinEvidence", 1, 9 * joined)
    wire.add("ChosenColumns", 2, 1)
    returned = bins + joined
    passive: Operations = {
        "decodings": sent,
        "preparations": sent,
        "additions": rows * columns,
        "squarings": bins * (packing.rows - 1) * packing.plain.slot_bits,
        "products": bins * (packing.rows - 1) + returned,
        "rerandomisations": returned,
        "encodings": returned,
        "table_cells": CELL_PASSES * rows * columns,
    }
    active: Operations = {"encryptions": sent, "encodings": sent}
    return (active, passive), {"decodings": returned, "decryptions": returned}


class _Batch:
    """All batches of all epochs."""

    def __init__(self, rows: int, options: ScorecardOptions, key_bits: int) -> None:
        self._batches = batch_count(rows, options)
        self._steps = options.epochs * self._batches
        self._rows = -(-rows // self._batches)
        self._cells = options.epochs * rows
        self._fixed = FixedPoint.of(rows, options)
        self._key_bits = key_bits

    def _times(self, counts: Operations, cells: int) -> Operations:
        total = {kind: self._steps * count for kind, count in counts.items()}
        return {**total, "table_cells": self._cells * cells}

    def predictors(self, side: _Training) -> Operations:
        """Return a party's work on the predictors."""
        mine = predictor_slots(self._fixed, len(side.own), self._key_bits).slots
        theirs = predictor_slots(self._fixed, len(side.peer), self._key_bits).slots
        sent, received = len(side.peer) * (theirs + 1), len(side.own) * (mine + 1)
        table, answers = sum(side.own) * mine, -(-self._rows // mine)
        returned = -(-self._rows // theirs)
        counts: Operations = {
            "encryptions": sent,
            "encodings": sent + answers,
            "decodings": received + returned,
            "factor_bits": table * EVIDENCE_BITS,
            "preparations": table,
            "additions": self._rows * len(side.own),
            "products": answers,
            "rerandomisations": answers,
            "decryptions": returned,
        }
        return self._times(counts, CELL_PASSES * len(side.own))

    def gradients(self, side: _Training) -> Operations:
        """Return a party's work on the steps."""
        columns, bins = len(side.own), sum(side.own)
        packing = gradient_packing(self._fixed, columns, self._key_bits)
        k = packing.rows
        received = packing.ciphertexts(self._rows) if columns else 0
        sent = self._residuals(side)
        counts: Counter[Operation] = Counter()
        counts["encryptions"] = sent
        counts["encodings"] = sent + columns
        counts["decodings"] = received + len(side.peer)
        counts["decryptions"] = len(side.peer)
        counts["preparations"] = received + k * bins + 2 * columns**2
        counts["additions"] = self._rows * columns + k * bins + 2 * columns**2
        counts["factor_bits"] = k * bins * EVIDENCE_BITS + 2 * columns**2 * CONDITIONER_BITS
        counts["squarings"] = columns * (k - 1) * packing.plain.slot_bits
        counts["products"] = columns * k
        counts["rerandomisations"] = columns
        return self._times(counts, CELL_PASSES * columns)

    def _residuals(self, side: _Training) -> int:
        packing = gradient_packing(self._fixed, len(side.peer), self._key_bits)
        return packing.ciphertexts(self._rows) if side.peer else 0

    def cubes(self) -> Operations:
        """Return a party's work on the cubes of half the rows."""
        slots = cube_slots(self._fixed, self._key_bits).slots
        rows = -(-self._rows // 2)
        answers = -(-rows // slots)
        counts: Operations = {
            "encryptions": 2 * rows,
            "encodings": 2 * rows + answers,
            "decodings": 2 * rows + answers,
            "factor_bits": 2 * rows * self._fixed.cubic_ring,
            "preparations": 2 * rows,
            "additions": 2 * rows,
            "products": answers,
            "rerandomisations": answers,
            "decryptions": answers,
        }
        return self._times(counts, 1)

    def calls(self, side: _Training) -> Operations:
        """Return how many calls a party's work takes; frames are calls of their own."""
        slots = predictor_slots(self._fixed, len(side.own), self._key_bits).slots
        answers = _frames(-(-self._rows // slots))
        weights, residuals = _frames(len(side.peer) * (slots + 1)), _frames(self._residuals(side))
        shifts = gradient_packing(self._fixed, len(side.own), self._key_bits).rows - 1
        counts: Counter[Operation] = Counter()
        counts["encryptions"] = weights + residuals
        counts["encodings"] = counts["decodings"] = weights + residuals + answers + 1
        counts["factor_bits"] = 3
        counts["preparations"] = 3 + residuals
        counts["additions"] = answers + 3
        counts["squarings"] = shifts
        counts["products"] = answers + shifts + 1
        counts["rerandomisations"] = counts["decryptions"] = answers + 1
        if self._fixed.sigmoid == "cubic":
            powers = _frames(2 * -(-self._rows // 2))
            counts.update({"encryptions": powers, "factor_bits": powers, "preparations": powers})
            counts.update({"additions": 1, "products": 1, "rerandomisations": 1, "decryptions": 1})
        return {kind: self._steps * count for kind, count in counts.items()}

    def add_messages(self, side: _Training, wire: _Wire) -> None:
        """Add the messages one party sends."""
        mine = predictor_slots(self._fixed, len(side.own), self._key_bits).slots
        theirs = predictor_slots(self._fixed, len(side.peer), self._key_bits).slots
        wire.add_frames("WeightShares", self._steps, len(side.peer) * (theirs + 1))
        wire.add_frames("PredictorSums", self._steps, -(-self._rows // mine))
        wire.add_frames("ResidualShares", self._steps, self._residuals(side))
        wire.add_frames("GradientSums", self._steps, len(side.own))
        if self._fixed.sigmoid == "cubic":
            slots = cube_slots(self._fixed, self._key_bits).slots
            rows = -(-self._rows // 2)
            wire.add_frames("PredictorPowers", self._steps, 2 * rows)
            wire.add_frames("CubeTerms", self._steps, -(-rows // slots))
