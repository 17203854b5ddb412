"""What the active party gets of a passive party's candidates, computed in the clear."""

from __future__ import annotations

import numpy as np

from models.binning import BinnedTable, learn_binning
from models.boosted_trees.candidates import goes_left, node_candidates
from models.boosted_trees.options import TreeOptions
from models.table import Mask, Rows
from simulations.attacks.customers import PASSIVE, SharedCustomers


def binned_passive(customers: SharedCustomers, options: TreeOptions) -> BinnedTable:
    """Return the passive party's bin codes."""
    table = customers.tables[PASSIVE]
    return learn_binning(table, options.bins).apply(table)


def left_sets(binned: BinnedTable, rows: Rows, minimum: int) -> list[tuple[int, Mask]]:
    """Return (column, left rows among ``rows``) of each candidate a passive party offers there.

    In canonical order, coarsened to ``minimum`` rows as the protocol coarsens them.
    """
    found = []
    for column, (bins, codes) in enumerate(zip(binned.binning.columns, binned.codes, strict=True)):
        counts = np.bincount(codes[rows] + 1, minlength=bins.size + 1)
        for candidate in node_candidates(bins, counts, minimum, protected=True):
            found.append((column, goes_left(codes[rows], bins.kind, candidate)))
    return found
