"""Left sets of splits put together by column, and the order of customers they give.

Left sets of one numeric column are nested, so that they form chains: a Guttman scale, found as
Mokken scaling finds one, by Loevinger's coefficient of every pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.table import ColumnTable, Floats
from simulations.attacks.learners import rank_correlation

SCALABLE = 0.8
"""Loevinger's H from which two sets count as nested; rows without a value go either way."""
ENOUGH = 3.0
"""Customers that independent sets would have to place wrongly before two sets can be told apart."""


def orderings(bits: Sequence[Floats]) -> list[Floats]:
    """Return for each chain of nested left sets an estimate that falls as the column rises.

    ``bits``: for each split, 1 for a customer known to go left, 0 for one known to go right, NaN
    for others.
    """
    return [_estimate([bits[at] for at in chain]) for chain in _chains(bits)]


def _chains(bits: Sequence[Floats]) -> list[list[int]]:
    """Return the splits by chain: each joins the one it is most surely nested with, or its own."""
    chains: list[list[int]] = []
    sizes = [float(np.nansum(bit)) for bit in bits]
    for at in sorted(range(len(bits)), key=lambda at: (-sizes[at], at)):
        fits = [min(_nested(bits[at], bits[other]) for other in chain) for chain in chains]
        if fits and max(fits) >= SCALABLE:
            chains[int(np.argmax(fits))].append(at)
        else:
            chains.append([at])
    return chains


def _nested(first: Floats, second: Floats) -> float:
    """Return Loevinger's H of two left sets over the customers known in both: 1 if nested.

    Loevinger 1948: 1 - (customers in the smaller set alone) / (as many as independent sets of
    these sizes would have). 0 where too few customers could tell.
    """
    both = ~(np.isnan(first) | np.isnan(second))
    one, other = first[both], second[both]
    if one.sum() > other.sum():
        one, other = other, one
    expected = float(one.sum() * (1.0 - other.mean())) if len(one) else 0.0
    return 1.0 - float((one * (1.0 - other)).sum()) / expected if expected >= ENOUGH else 0.0


def _estimate(chain: Sequence[Floats]) -> Floats:
    """Return how far left each customer is, on average over the splits that know it; else 0."""
    centred = np.stack([bit - np.nanmean(bit) for bit in chain])
    known = ~np.isnan(centred)
    total = np.where(known, centred, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))


def best_correlation(estimates: Sequence[Floats], table: ColumnTable) -> float:
    """Return the best |rank correlation| with each numeric column, averaged over the columns.

    Customers without a value are left out; without estimates it is 0.
    """
    best = []
    for column in table.columns:
        if column.kind == "numeric":
            present = ~np.isnan(column.values)
            values = column.values[present]
            found = [abs(rank_correlation(each[present], values)) for each in estimates]
            best.append(max(found, default=0.0))
    return float(np.mean(best))
