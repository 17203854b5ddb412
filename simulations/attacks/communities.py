"""Communities of a weighted graph by the Louvain method.

Blondel, Guillaume, Lambiotte and Lefebvre, "Fast unfolding of communities in large networks",
J. Stat. Mech. (2008) P10008, section 2: vertices move to the neighbouring community that gains most
modularity until none gains; then communities become vertices, and so on. Dense: for a few
thousand vertices.
"""

from __future__ import annotations

import numpy as np

from models.table import Floats
from protocols.suite import RandomStream
from simulations.attacks.learners import Groups

_PASSES = 20


def louvain(weights: Floats, stream: RandomStream) -> Groups:
    """Return each vertex's community, numbered from 0.

    ``weights``: symmetric, not negative, shape (vertices, vertices). The order in which vertices
    are tried comes from ``stream``.
    """
    member = np.arange(len(weights))
    while True:
        found = _moved(weights, stream)
        count = int(found.max()) + 1
        if count == len(weights):
            return member
        member = found[member]
        joined = np.zeros((count, len(weights)))
        joined[found, np.arange(len(weights))] = 1.0
        weights = joined @ weights @ joined.T


def _moved(weights: Floats, stream: RandomStream) -> Groups:
    """Return the communities in which no vertex gains by moving."""
    degrees = weights.sum(axis=1)
    whole = float(degrees.sum())
    community = np.arange(len(weights))
    if whole == 0.0:
        return community
    totals = degrees.copy()
    order = stream.permutation(len(weights))
    for _ in range(_PASSES):
        moves = 0
        for vertex in order:
            here = community[vertex]
            links = np.bincount(community, weights[vertex], len(weights))
            links[here] -= weights[vertex, vertex]
            totals[here] -= degrees[vertex]
            gains = links - degrees[vertex] * totals / whole
            there = int(gains.argmax())
            if gains[there] <= gains[here] + 1e-12 * whole:
                there = int(here)
            totals[there] += degrees[vertex]
            community[vertex] = there
            moves += there != here
        if not moves:
            break
    return np.unique(community, return_inverse=True)[1].astype(np.int64)
