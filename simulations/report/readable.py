"""A model as its owners can read it: a scorecard's points, a network's layers.

Each party's node writes its own half (``model.json``) and, where every party approved it, the
active party's the joint points table (``joint-table.json``): rows of plain values, put in order
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from models.scorecard.model import INTERCEPT_NAME
from simulations.report.worth import Part


class Bin(Part, frozen=True, kw_only=True):
    """One bin of a column."""

    bin: str
    """What values it holds, as its owner's node says it."""
    share: float
    """Of the training customers."""
    woe: float
    """Weight of evidence: above zero where the outcome is more frequent than among everybody."""
    points: float


class ColumnPoints(Part, frozen=True, kw_only=True):
    """One column of a scorecard."""

    column: str
    iv: float
    """Information value."""
    coefficient: float
    bins: tuple[Bin, ...]


class PointsTables(Part, frozen=True, kw_only=True):
    """The points of a scorecard, by party; columns of most information value first."""

    halves: dict[str, tuple[ColumnPoints, ...]]
    """What each party's own node can print."""
    joint: dict[str, tuple[ColumnPoints, ...]] = msgspec.field(default_factory=dict)
    """What the active party got of everybody; empty where the parties did not agree to that."""
    start: float | None = None
    """Points every customer begins with; None where the active party's half does not say."""
    base_points: int
    base_odds: int
    """Against the outcome, to one: those of a customer with ``base_points``."""
    points_to_double: int


class Layer(Part, frozen=True, kw_only=True):
    """One layer of a network."""

    layer: str
    inputs: int
    units: int


def points_of(rows: Iterable[Mapping[str, Any]]) -> tuple[ColumnPoints, ...]:
    """Return the columns of a points table from its rows, one row a bin.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for rows of another shape.
    """
    by_column: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["column"] != INTERCEPT_NAME:
            by_column.setdefault(row["column"], []).append(row)
    columns = [
        ColumnPoints(
            column=column,
            iv=float(bins[0]["iv"]),
            coefficient=float(bins[0]["coefficient"]),
            bins=tuple(
                Bin(
                    bin=str(row["bin"]),
                    share=float(row["share"]),
                    woe=float(row["woe"]),
                    points=float(row["points"]),
                )
                for row in bins
            ),
        )
        for column, bins in by_column.items()
    ]
    return tuple(sorted(columns, key=lambda column: -column.iv))


def start_of(rows: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the points every customer begins with, if the rows say it; errors as above."""
    return next((float(row["points"]) for row in rows if row["column"] == INTERCEPT_NAME), None)
