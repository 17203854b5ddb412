"""The messages of training and scoring; SPEC.md §3 says when each is sent."""

from __future__ import annotations

import math
from typing import ClassVar

from models.scorecard.columns import MAX_COLUMNS
from protocols.wire import Message

FRAME_CIPHERTEXTS = 1024
"""Ciphertexts in one message; the last of a list has what is left."""
MAX_BINS = MAX_COLUMNS * 51


class PaillierKey(Message, frozen=True):
    """Both ways: the modulus of the sender's key."""

    max_bytes: ClassVar[int] = 1024
    modulus: bytes


class Frame(Message, frozen=True):
    """Base of the messages that carry the next :data:`FRAME_CIPHERTEXTS` of a list."""

    max_bytes: ClassVar[int] = 1 << 20
    ciphertexts: bytes


class EncryptedLabels(Frame, frozen=True):
    """Active to passive: the labels, several rows to a ciphertext."""


class BinSums(Message, frozen=True):
    """Passive to active: class counts of its bins, shuffled; first fine, then joined."""

    max_bytes: ClassVar[int] = 1 << 26
    ciphertexts: bytes


class BinFloors(Message, frozen=True):
    """Active to passive: which bins hold enough rows of either class."""

    max_bytes: ClassVar[int] = 2 * MAX_BINS
    above: tuple[bool, ...]


class BinEvidence(Message, frozen=True):
    """Active to passive: the weight of evidence of each joined bin."""

    max_bytes: ClassVar[int] = 16 * MAX_BINS
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is no number."""
        if not all(map(math.isfinite, self.weights)):
            raise ValueError("weights must be finite")


class ChosenColumns(Message, frozen=True):
    """Both ways: how many of its columns the sender puts into the model."""

    max_bytes: ClassVar[int] = 64
    count: int

    def __post_init__(self) -> None:
        """Refuse a number of columns no table has."""
        if not 0 <= self.count <= MAX_COLUMNS:
            raise ValueError("no such number of columns")


class WeightShares(Frame, frozen=True):
    """Both ways: the sender's shares of the receiver's coefficients, under the sender's key."""


class PredictorSums(Frame, frozen=True):
    """Both ways: the sender's columns times those shares, masked."""


class PredictorPowers(Frame, frozen=True):
    """Both ways, cubic sigmoid: the sender's shares of some rows' predictors, and their squares."""


class CubeTerms(Frame, frozen=True):
    """Both ways, cubic sigmoid: the mixed terms of those rows' cubes, masked."""


class ResidualShares(Frame, frozen=True):
    """Both ways: the sender's shares of the residuals, several rows to a ciphertext."""


class GradientSums(Frame, frozen=True):
    """Both ways: the step of the sender's coefficients by those shares, masked."""


class OpenedShares(Message, frozen=True):
    """Both ways, at the end: the sender's shares of the receiver's coefficients."""

    max_bytes: ClassVar[int] = 64 * MAX_COLUMNS
    shares: bytes


class TrainingPredictors(Message, frozen=True):
    """Passive to active: its columns' part of each training row's predictor, in 2^-6."""

    rows: bytes


class Calibration(Message, frozen=True):
    """Active to passive: what every coefficient is multiplied by."""

    max_bytes: ClassVar[int] = 64
    slope: float

    def __post_init__(self) -> None:
        """Refuse a factor that is none."""
        if not 0 < self.slope < 1e6:
            raise ValueError("the slope must be positive and finite")


class PartialScores(Message, frozen=True):
    """Passive to active: the points of its columns together, for each row, in units."""

    rows: bytes


class TableRow(Message, frozen=True):
    """One bin of one column, as a model committee reads it."""

    column: str
    bin: str
    rows_share: float
    weight_of_evidence: float
    information_value: float
    coefficient: float
    points: float


class PointsTable(Message, frozen=True):
    """Passive to active, only where the spec asks for it: its half of the table."""

    max_bytes: ClassVar[int] = 1 << 24
    rows: tuple[TableRow, ...]

    def __post_init__(self) -> None:
        """Refuse what is no number."""
        for row in self.rows:
            numbers = (
                row.rows_share,
                row.weight_of_evidence,
                row.information_value,
                row.coefficient,
                row.points,
            )
            if not all(map(math.isfinite, numbers)):
                raise ValueError("a row holds a number that is not finite")
