"""How good scores are: ranking, separation, calibration, and how sure one can be of them.

Pure numpy, computed where labels and scores are in the clear, by the party that holds them.
Nothing here enforces a minimum cohort: what may leave a party is ``compliance/``'s question.
"""

from __future__ import annotations

from models.evaluation.delong import Interval, auc_difference_interval, auc_interval
from models.evaluation.ranking import TopFraction, auc, ks, top_fraction
from models.evaluation.threshold import (
    CalibrationBin,
    Confusion,
    calibration_table,
    confusion,
)

__all__ = [
    "CalibrationBin",
    "Confusion",
    "Interval",
    "TopFraction",
    "auc",
    "auc_difference_interval",
    "auc_interval",
    "calibration_table",
    "confusion",
    "ks",
    "top_fraction",
]
