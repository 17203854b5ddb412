"""Each party's half of a scorecard: its own columns' bins and points, and its bytes.

The active half also has the points every customer starts with. A customer's score is the sum of
the points of its bins at both parties; a value no training row had gets none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from models import model_file
from models.binning import ColumnBins
from models.model_file import ModelFile, Role
from models.scorecard.columns import UNSEEN, EvidenceColumn, LeftOut
from models.scorecard.evidence import EVIDENCE_FRACTION
from models.scorecard.messages import TableRow
from models.scorecard.options import Scale
from models.scoring.differences import take_columns
from models.table import Column, ColumnKind, ColumnTable
from protocols.errors import DecodeError, LocalProtocolError
from protocols.roles import PartyId
from protocols.suite.canonical import Json

KIND = "scorecard"
LARGEST_POINTS = 1 << 30
INTERCEPT_NAME = "(all customers)"


@dataclass(frozen=True)
class CardColumn:
    """One column of the card: its bins, its coefficient and the points of each bin."""

    evidence: EvidenceColumn
    coefficient: float
    points: tuple[int, ...]
    """Of each bin, in the scale's units."""

    def points_of(self, column: Column) -> npt.NDArray[np.int64]:
        """Return the points of each value, in units."""
        codes = self.evidence.codes(column)
        return np.where(codes == UNSEEN, 0, np.array(self.points, np.int64)[codes])

    def spread(self) -> float:
        """Return the standard deviation of the column's log odds over the training rows."""
        total = sum(self.evidence.rows)
        odds = [
            math.ldexp(self.coefficient * e, -EVIDENCE_FRACTION) for e in self.evidence.evidence
        ]
        shares = [rows / total for rows in self.evidence.rows]
        mean = math.fsum(s * o for s, o in zip(shares, odds, strict=True))
        return math.sqrt(math.fsum(s * (o - mean) ** 2 for s, o in zip(shares, odds, strict=True)))

    def rows(self, scale: Scale) -> list[TableRow]:
        """Return the column's bins as a committee reads them."""
        column = self.evidence
        total = sum(column.rows)
        return [
            TableRow(
                column.name,
                column.describe(at),
                rows / total,
                math.ldexp(units, -EVIDENCE_FRACTION),
                column.information_value,
                self.coefficient,
                points / scale.units,
            )
            for at, (rows, units, points) in enumerate(
                zip(column.rows, column.evidence, self.points, strict=True)
            )
        ]


@dataclass(frozen=True)
class PassiveScorecard:
    """The passive party's half."""

    scale: Scale
    columns: tuple[CardColumn, ...]
    left_out: tuple[LeftOut, ...]

    def table(self) -> list[TableRow]:
        """Return this half for its owner to read: one row for each bin."""
        return [row for column in self.columns for row in column.rows(self.scale)]

    def points(self, table: ColumnTable) -> list[npt.NDArray[np.int64]]:
        """Return each column's points, row by row, in the scale's units.

        Raises :class:`LocalProtocolError` naming every column that is missing or of another kind;
        columns the card does not use are ignored.
        """
        return column_points(self.columns, table)

    def importance(self) -> dict[str, float]:
        """Return how far each own column moves customers apart: its spread in log odds."""
        return {card.evidence.name: card.spread() for card in self.columns}

    def to_bytes(self) -> bytes:
        """Return the half as :mod:`models.model_file` stores it."""
        return _to_bytes(self, "passive_party", None)

    @classmethod
    def from_bytes(cls, data: bytes) -> PassiveScorecard:
        """Return what :meth:`to_bytes` wrote; raises :class:`DecodeError`."""
        scale, columns, left_out, _ = _from_bytes(data, "passive_party")
        return cls(scale, columns, left_out)


@dataclass(frozen=True)
class ActiveScorecard:
    """The active party's half."""

    scale: Scale
    columns: tuple[CardColumn, ...]
    left_out: tuple[LeftOut, ...]
    passive: PartyId
    intercept: float
    """Log odds of label 1 where every weight of evidence is zero."""
    intercept_points: int
    """What every customer starts with, in the scale's units."""

    def table(self) -> list[TableRow]:
        """Return this half for its owner to read: the starting points, then each bin."""
        start = TableRow(
            INTERCEPT_NAME,
            "any",
            1.0,
            0.0,
            0.0,
            self.intercept,
            self.intercept_points / self.scale.units,
        )
        return [start, *(row for column in self.columns for row in column.rows(self.scale))]

    def points(self, table: ColumnTable) -> list[npt.NDArray[np.int64]]:
        """Return each own column's points, row by row, as :meth:`PassiveScorecard.points`."""
        return column_points(self.columns, table)

    def importance(self) -> dict[str, float]:
        """Return how far each own column moves customers apart: its spread in log odds."""
        return {card.evidence.name: card.spread() for card in self.columns}

    def to_bytes(self) -> bytes:
        """Return the half as :mod:`models.model_file` stores it."""
        return _to_bytes(self, "active_party", self)

    @classmethod
    def from_bytes(cls, data: bytes) -> ActiveScorecard:
        """Return what :meth:`to_bytes` wrote; raises :class:`DecodeError`."""
        scale, columns, left_out, file = _from_bytes(data, "active_party")
        intercept = float(file.array("intercept", "f8", (1,))[0])
        points = int(file.array("intercept_points", "i8", (1,))[0])
        passive = file.fact("passive")
        if not isinstance(passive, str) or abs(points) > LARGEST_POINTS:
            raise DecodeError("a scorecard half that does not fit together")
        return cls(scale, columns, left_out, passive, intercept, points)


def column_points(
    columns: tuple[CardColumn, ...], table: ColumnTable
) -> list[npt.NDArray[np.int64]]:
    """Return each card column's points for the rows of ``table``."""
    needed = [(card.evidence.name, card.evidence.bins.kind) for card in columns]
    taken = take_columns(needed, table)
    return [card.points_of(column) for card, column in zip(columns, taken.columns, strict=True)]


def _to_bytes(
    half: PassiveScorecard | ActiveScorecard, role: Role, active: ActiveScorecard | None
) -> bytes:
    facts: dict[str, Json] = {
        "columns": [
            {"name": card.evidence.name, "kind": card.evidence.bins.kind} for card in half.columns
        ],
        "levels": [
            {"levels": list(card.evidence.bins.levels), "other": card.evidence.bins.other}
            for card in half.columns
        ],
        "left_out": [{"name": each.name, "reason": each.reason} for each in half.left_out],
        "scale": {
            "base_points": half.scale.base_points,
            "base_odds": half.scale.base_odds,
            "points_to_double": half.scale.points_to_double,
        },
    }
    arrays = {
        "coefficients": np.array([card.coefficient for card in half.columns], np.float64),
        "information_values": np.array(
            [card.evidence.information_value for card in half.columns], np.float64
        ),
        "left_out_values": np.array([each.information_value for each in half.left_out], np.float64),
    }
    for at, card in enumerate(half.columns):
        arrays |= {
            f"edges.{at}": np.array(card.evidence.bins.edges, np.float64),
            f"groups.{at}": np.array(card.evidence.groups, np.int64),
            f"rows.{at}": np.array(card.evidence.rows, np.int64),
            f"evidence.{at}": np.array(card.evidence.evidence, np.int64),
            f"points.{at}": np.array(card.points, np.int64),
        }
    if active is not None:
        facts["passive"] = active.passive
        arrays["intercept"] = np.array([active.intercept], np.float64)
        arrays["intercept_points"] = np.array([active.intercept_points], np.int64)
    return model_file.encode(ModelFile(KIND, role, facts, arrays))


class _Named(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    kind: ColumnKind


class _Levels(msgspec.Struct, forbid_unknown_fields=True):
    levels: tuple[str, ...]
    other: bool


class _LeftOut(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    reason: str


class _Facts(msgspec.Struct, forbid_unknown_fields=True):
    """What a half states beside its arrays."""

    columns: tuple[_Named, ...]
    levels: tuple[_Levels, ...]
    left_out: tuple[_LeftOut, ...]
    scale: Scale
    passive: str | None = None


def _from_bytes(
    data: bytes, role: Role
) -> tuple[Scale, tuple[CardColumn, ...], tuple[LeftOut, ...], ModelFile]:
    file = model_file.decode(data, kind=KIND, role=role)
    try:
        facts = msgspec.convert(dict(file.facts), _Facts)
        shape = (len(facts.columns),)
        values = file.array("information_values", "f8", shape).tolist()
        coefficients = file.array("coefficients", "f8", shape).tolist()
        columns = tuple(
            _card_column(file, at, *each)
            for at, each in enumerate(
                zip(facts.columns, facts.levels, values, coefficients, strict=True)
            )
        )
        values = file.array("left_out_values", "f8", (len(facts.left_out),)).tolist()
        left_out = tuple(
            LeftOut(each.name, each.reason, value)
            for each, value in zip(facts.left_out, values, strict=True)
        )
    except (ValueError, msgspec.ValidationError, LocalProtocolError):
        # Their texts can quote the file.
        raise DecodeError("a scorecard half that does not fit together") from None
    expected = 3 + 5 * len(columns) + (2 if role == "active_party" else 0)
    if len(file.arrays) != expected or (facts.passive is None) != (role == "passive_party"):
        raise DecodeError("a scorecard half with more or less than it needs")
    return facts.scale, columns, left_out, file


def _card_column(
    file: ModelFile, at: int, named: _Named, levels: _Levels, *numbers: float
) -> CardColumn:
    value, coefficient = numbers
    edges = tuple(file.array(f"edges.{at}", "f8", (None,)).tolist())
    bins = ColumnBins(named.name, named.kind, edges, levels.levels, levels.other)
    listed = {
        part: tuple(file.array(f"{part}.{at}", "i8", (None,)).tolist())
        for part in ("groups", "rows", "evidence", "points")
    }
    evidence = EvidenceColumn(bins, listed["groups"], listed["rows"], listed["evidence"], value)
    points = listed["points"]
    if len(points) != len(evidence.rows) or max(map(abs, points)) > LARGEST_POINTS:
        raise ValueError("every bin needs its points")
    return CardColumn(evidence, coefficient, points)
