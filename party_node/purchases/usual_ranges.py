"""Usual values of the features of rules ``purchases/1``, for jobs with a privacy budget.

Where each party's noise must hide every customer, means and deviations of columns are not summed
over the parties: these ranges, which anybody knows, scale the columns instead. A value outside its
range is used all the same.
"""

from __future__ import annotations

import numpy as np

from models.table import Floats
from party_node.purchases.features import OTHER_SHARE
from protocols.session.horizontal_terms import PurchaseTerms

_LOGARITHMS = (0.0, 6.0)
_SHARES = (0.0, 1.0)
_RATIOS = (-2.0, 2.0)
_USUAL = {
    "recency_days": _LOGARITHMS,
    "tenure_days": (2.0, 6.0),
    "purchase_days": _LOGARITHMS,
    "baskets": _LOGARITHMS,
    "spent": (0.0, 10.0),
    "interval_mean": _LOGARITHMS,
    "interval_deviation": _LOGARITHMS,
    "recency_in_intervals": (0.0, 3.0),
    "overdue": (-1.0, 3.0),
    "basket_lines": (0.5, 4.5),
    "basket_quantity": (0.0, 8.5),
    "basket_value": (0.0, 8.0),
    "recent_days": (0.0, 4.0),
    "recent_spent": (0.0, 8.0),
    "trend_days": _RATIOS,
    "trend_spent": (-5.0, 5.0),
    "half_trend": _RATIOS,
    "discount_share": (0.0, 0.5),
    "returned_share": (0.0, 0.5),
    "return_lines": (0.0, 3.0),
    "categories_seen": (0.0, 5.6),
    OTHER_SHARE: _SHARES,
}


def usual_ranges(terms: PurchaseTerms) -> Floats:
    """Return the lowest and highest usual value of each column of ``terms``, shape (d, 2)."""
    return np.array([_USUAL.get(name, _SHARES) for name in terms.columns], dtype=np.float64)
