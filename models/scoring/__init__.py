"""From a model's predictions to what may leave: scores, bands or labels, and their reasons."""

from __future__ import annotations

from models.scoring.differences import (
    Difference,
    HalfStatement,
    column_differences,
    half_differences,
    needed_columns,
    take_columns,
)
from models.scoring.reasons import strongest_reasons
from models.scoring.results import SCORE_DIGITS, ScoredCustomers, score_customers

__all__ = [
    "SCORE_DIGITS",
    "Difference",
    "HalfStatement",
    "ScoredCustomers",
    "column_differences",
    "half_differences",
    "needed_columns",
    "score_customers",
    "strongest_reasons",
    "take_columns",
]
