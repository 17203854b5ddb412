"""How well somebody who knows a few customers' columns can tell everybody else's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.table import ColumnTable, Floats, Rows
from simulations.attacks.customers import stream_of

KNOWN_ROWS = 200


def columns_r2(table: ColumnTable, seed: int, estimate: Callable[[Rows, Floats], Floats]) -> float:
    """Return R^2 over the customers not known, 0 where it is below, averaged over numeric columns.

    ``estimate`` gets the positions of known customers and a column's values there, and returns
    its estimate for every customer. Customers without a value are left out.
    """
    order = stream_of(seed, "known rows").permutation(table.rows)
    known, unknown = order[:KNOWN_ROWS], order[KNOWN_ROWS:]
    found = []
    for column in table.columns:
        if column.kind != "numeric":
            continue
        present = ~np.isnan(column.values)
        fit, rest = known[present[known]], unknown[present[unknown]]
        truth = column.values[rest]
        estimated = estimate(fit, column.values[fit])[rest]
        spread = float(np.square(truth - truth.mean()).sum())
        found.append(max(0.0, 1.0 - float(np.square(truth - estimated).sum()) / spread))
    return float(np.mean(found))
