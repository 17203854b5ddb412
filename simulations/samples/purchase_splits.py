"""Ways to give one shop's customers to several retailers: alike, or each with its own kind."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from protocols.suite import RandomStream
from simulations.samples.drawing import dirichlet, uniforms
from simulations.samples.purchase_files import SplitError

RANDOM = "random"
DIRICHLET = "dirichlet:"
_LEAST_SHARE = 0.2
"""Of an even share: no retailer of a skewed split has fewer customers of the table."""
_DRAWS = 200

Places = npt.NDArray[np.int64]
"""A retailer's place, from 0, for each customer."""


def at_random(customers: int, parties: int, stream: RandomStream) -> Places:
    """Return an even split of the customers in no order: every retailer's are alike."""
    places = np.empty(customers, dtype=np.int64)
    places[stream.permutation(customers)] = np.arange(customers) % parties
    return places


def in_runs(sizes: npt.NDArray[np.int64], parties: int) -> Places:
    """Return the retailer of each group, groups in order, cut into runs of nearly equal size.

    ``sizes`` are the groups' customers. A group belongs to the retailer in whose even share its
    middle customer falls. Raises :class:`SplitError` if a retailer would have no group.
    """
    middle = np.cumsum(sizes) - sizes / 2
    places: Places = (middle * parties / sizes.sum()).astype(np.int64)
    if len(np.unique(places)) != parties:
        raise SplitError(f"{len(sizes)} groups cannot be cut into {parties} runs")
    return places


def by_label(
    classes: npt.NDArray[np.int64], parties: int, concentration: float, stream: RandomStream
) -> Places:
    """Return a split in which each class is shared out by its own Dirichlet draw.

    The usual skew of labels (Yurochkin et al. 2019, arXiv:1905.12022, §4). ``classes`` are from 0;
    -1 for customers that will not be in the table, who are spread evenly. Draws are repeated until
    every retailer has a fifth of an even share; raises :class:`SplitError` if none is found.
    """
    counted = np.flatnonzero(classes >= 0)
    least = max(1, int(_LEAST_SHARE * len(counted) / parties))
    places = at_random(len(classes), parties, stream)
    for _ in range(_DRAWS):
        for label in np.unique(classes[counted]):
            members = np.flatnonzero(classes == label)
            ends = np.cumsum(dirichlet(stream, concentration, parties))
            drawn = np.searchsorted(ends, uniforms(stream, len(members)), side="right")
            places[members] = np.minimum(drawn, parties - 1)
        if np.bincount(places[counted], minlength=parties).min() >= least:
            return places
    raise SplitError(
        f"no split of {len(counted)} customers into {parties} with dirichlet:{concentration:g} "
        f"leaves each at least {least}; take a larger number or fewer retailers"
    )


def concentration_of(split: str) -> float | None:
    """Return the number of ``dirichlet:<number>``, None for a split of another kind.

    Raises :class:`SplitError` for a number outside [0.01, 1000].
    """
    if not split.startswith(DIRICHLET):
        return None
    try:
        number = float(split.removeprefix(DIRICHLET))
    except ValueError:
        number = math.nan
    if not 0.01 <= number <= 1000:
        raise SplitError(f"split = {split!r}: the number must be in [0.01, 1000]")
    return number
