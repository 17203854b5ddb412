"""How good scores are: ranking, separation, calibration, error, and how sure one can be of them.

Pure numpy, computed where labels and scores are in the clear, by the party that holds them.
Nothing here enforces a minimum cohort: what may leave a party is ``compliance/``'s question.
"""

from __future__ import annotations

from models.evaluation.delong import Interval, auc_difference_interval, auc_interval
from models.evaluation.multiclass import (
    accuracy_difference_interval,
    accuracy_interval,
    class_measures,
    one_vs_rest_aucs,
)
from models.evaluation.ranking import TopFraction, auc, ks, top_fraction
from models.evaluation.regression import (
    regression_measures,
    rmse_difference_interval,
    rmse_interval,
)
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
    "accuracy_difference_interval",
    "accuracy_interval",
    "auc",
    "auc_difference_interval",
    "auc_interval",
    "calibration_table",
    "class_measures",
    "confusion",
    "ks",
    "one_vs_rest_aucs",
    "regression_measures",
    "rmse_difference_interval",
    "rmse_interval",
    "top_fraction",
]
