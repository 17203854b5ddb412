"""Which rows a tree learns from, and with what weight.

A tree's *bag* is what its gradient sums are over. Every other row, validation rows among them, is
only routed through the finished tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from models.boosted_trees.gradients import Fixed, Gradients
from models.boosted_trees.options import OneSideShares, TreeOptions
from models.boosted_trees.target import Target
from models.table import Floats, Mask, Rows
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.suite import RandomStream, Suite

SEED_BYTES = 32


@dataclass(frozen=True, eq=False)
class TreeRows:
    """The rows of one tree, as positions in the table all parties share, ascending."""

    bag: Rows = field(repr=False)
    others: Rows = field(repr=False)

    @classmethod
    def of(cls, bag: Rows, rows: int) -> TreeRows:
        """Return the rows of a tree that learns from ``bag``, of a table of ``rows`` rows."""
        others = np.ones(rows, np.bool_)
        others[bag] = False
        return cls(bag, np.flatnonzero(others))


def training_mask(validation: Mask | None, rows: int) -> Mask:
    """Return which of the table's rows train; raises :class:`LocalProtocolError`."""
    if validation is None:
        return np.ones(rows, np.bool_)
    if validation.shape != (rows,) or validation.dtype != np.bool_:
        raise LocalProtocolError("the validation mask must have one truth value per row")
    if validation.all():
        raise LocalProtocolError("no row is left to train on")
    return ~validation


def bag_size(training: int, options: TreeOptions) -> int:
    """Return how many of ``training`` rows a tree learns from: at least one, known to all."""
    shares = options.one_side_sampling
    if shares is None:
        return max(1, _share(options.row_sample, training))
    top, other = _one_side_sizes(training, shares)
    return top + other


def public_bag(
    tree: int, training: Mask, options: TreeOptions, suite: Suite, sampling_seed: bytes
) -> Rows:
    """Return the bag of a tree without one-side sampling: alike at every party.

    All training rows, or ``options.row_sample`` of them, drawn from the stream of the public
    ``sampling_seed`` (from the JobSpec) and the tree's number.
    """
    rows = np.flatnonzero(training)
    if options.row_sample == 1:
        return rows
    if len(sampling_seed) < SEED_BYTES:
        raise LocalProtocolError(f"sampling rows needs a seed of at least {SEED_BYTES} bytes")
    stream = suite.stream(sampling_seed, b"boosted-trees/2 rows of tree %d" % tree)
    drawn = stream.permutation(len(rows))[: bag_size(len(rows), options)]
    return rows[np.sort(drawn)]


def one_side_bag(
    target: Target, margins: Floats, training: Mask, shares: OneSideShares, stream: RandomStream
) -> tuple[Rows, Floats]:
    """Return the bag of a tree with one-side sampling, and each of its rows' weight.

    Ke et al. 2017, algorithm 2: the rows with the largest gradients (summed over outputs in
    magnitude, ties to the earlier row), and some of the rest drawn from the active party's own
    ``stream``, which count (1 - top) / other times as much. The larger weight is 1 here; what it
    stands for is ``shares.amplification``.
    """
    rows = np.flatnonzero(training)
    top, other = _one_side_sizes(len(rows), shares)
    unweighted = np.ones(len(rows))
    exact = Fixed(1 << 24, 1, 1)
    sizes = np.abs(target.gradients(margins, rows, unweighted, 1.0, exact).first).sum(axis=1)
    ranked = np.argsort(-sizes, kind="stable")
    rest = np.sort(ranked[top:])
    drawn = rest[stream.permutation(len(rest))[:other]]
    weights = np.zeros(len(rows))
    weights[ranked[:top]] = 1.0 / shares.amplification
    weights[drawn] = 1.0
    chosen = np.flatnonzero(weights)
    return rows[chosen], weights[chosen]


def bag_from_peer(mask: Mask, training: Mask, options: TreeOptions) -> Rows:
    """Return the bag an active party states, as ``mask`` over the training rows.

    Raises :class:`RemoteProtocolError` unless it has the agreed number of rows.
    """
    if int(mask.sum()) != bag_size(len(mask), options):
        raise RemoteProtocolError("a sample of another number of rows than agreed")
    return np.flatnonzero(training)[mask]


def sampled_gradients(
    target: Target, margins: Floats, bag: Rows, weights: Floats | None, options: TreeOptions
) -> Gradients:
    """Return the gradients of the rows in ``bag``; ``weights`` are those of one-side sampling."""
    shares = options.one_side_sampling
    amplification = 1.0 if shares is None else shares.amplification
    row_weights = np.ones(len(bag)) if weights is None else weights
    return target.gradients(margins, bag, row_weights, amplification, Fixed.of(options))


def _one_side_sizes(training: int, shares: OneSideShares) -> tuple[int, int]:
    top = max(1, _share(shares.top, training))
    return top, min(max(1, _share(shares.other, training)), training - top)


def _share(share: Decimal, rows: int) -> int:
    return int(share * rows)
