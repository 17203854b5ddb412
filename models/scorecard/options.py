"""What the parties agreed to train."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from models.table import Floats
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId
from protocols.session.model_terms import ScorecardTerms

Sigmoid: TypeAlias = Literal["linear", "cubic"]
FINEST_ODDS = 256
"""Whole points at 20 to double would cost up to 0.005 of AUC where many customers are alike."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Points to odds and back: the same numbers at both parties, from the spec."""

    base_points: int
    base_odds: int
    points_to_double: int

    def __post_init__(self) -> None:
        """Refuse values outside their ranges."""
        for name, value, low, high in (
            ("base_points", self.base_points, 0, 10_000),
            ("base_odds", self.base_odds, 1, 10_000),
            ("points_to_double", self.points_to_double, 1, 1_000),
        ):
            if not low <= value <= high:
                raise LocalProtocolError(f"{name} must be between {low} and {high}")

    @property
    def factor(self) -> float:
        """Points for each unit of the natural logarithm of the odds."""
        return self.points_to_double / math.log(2)

    @property
    def offset(self) -> float:
        """Points of a customer whose odds are even."""
        return self.base_points - self.factor * math.log(self.base_odds)

    @property
    def decimals(self) -> int:
        """Decimals that points are given to: one unit is at most 2^-8 of the log odds."""
        return next(d for d in range(5) if self.factor * 10**d >= FINEST_ODDS)

    @property
    def units(self) -> int:
        """Units in one point: points are whole numbers of 10^-decimals."""
        units: int = 10**self.decimals
        return units

    def margins(self, points: npt.NDArray[np.int64]) -> Floats:
        """Return the log odds of label 1 of customers with these points, given in units."""
        margins: Floats = (self.offset - points / self.units) / self.factor
        return margins

    def scores(self, margins: Floats) -> npt.NDArray[np.int64]:
        """Return the score of customers with these log odds of label 1, in whole points."""
        return np.rint(self.offset - self.factor * margins).astype(np.int64)


@dataclass(frozen=True, slots=True)
class ScorecardOptions:
    """Options every party of a job holds alike; SPEC.md §4 gives each its reason.

    Raises :class:`LocalProtocolError` for a value outside its range.
    """

    bins: int
    minimum_class_count: int
    monotone: bool
    minimum_information_value: float
    maximum_correlation: float
    epochs: int
    batch_rows: int
    learning_rate: float
    l2: float
    sigmoid: Sigmoid
    scale: Scale
    joint_table: bool

    def __post_init__(self) -> None:
        """Refuse values outside their ranges."""
        for name, value, low, high in (
            ("bins", self.bins, 2, 50),
            ("minimum_class_count", self.minimum_class_count, 5, 1_000_000),
            ("minimum_information_value", self.minimum_information_value, 0, 1000),
            ("epochs", self.epochs, 1, 100),
            ("batch_rows", self.batch_rows, 64, 1_000_000),
            ("l2", self.l2, 0, 1000),
        ):
            if not low <= value <= high:
                raise LocalProtocolError(f"{name} must be between {low} and {high}")
        for name, share in (
            ("maximum_correlation", self.maximum_correlation),
            ("learning_rate", self.learning_rate),
        ):
            if not 0 < share <= 1:
                raise LocalProtocolError(f"{name} must be in (0, 1]")
        if self.sigmoid not in ("linear", "cubic"):
            raise LocalProtocolError("sigmoid must be linear or cubic")

    @classmethod
    def from_terms(cls, terms: ScorecardTerms) -> ScorecardOptions:
        """Return the options a signed JobSpec states."""
        return cls(
            bins=terms.bins,
            minimum_class_count=terms.minimum_class_count,
            monotone=terms.monotone,
            minimum_information_value=float(terms.minimum_information_value),
            maximum_correlation=float(terms.maximum_correlation),
            epochs=terms.epochs,
            batch_rows=terms.batch_rows,
            learning_rate=float(terms.learning_rate),
            l2=float(terms.l2),
            sigmoid=terms.sigmoid,
            scale=Scale(terms.base_points, terms.base_odds, terms.points_to_double),
            joint_table=terms.joint_table,
        )


def only_passive(passives: tuple[PartyId, ...]) -> PartyId:
    """Return the one passive party; raises :class:`LocalProtocolError` for any other number."""
    if len(passives) != 1:
        raise LocalProtocolError(
            f"a scorecard is trained by two parties, one of them passive; the job names "
            f"{len(passives)} passive parties"
        )
    return passives[0]
