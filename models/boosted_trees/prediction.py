"""Rows through trees: from bit vectors at the splits to margins and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.boosted_trees.binning import BinnedTable
from models.boosted_trees.candidates import goes_left
from models.boosted_trees.gradients import sigmoid
from models.boosted_trees.model import ActiveTreeHalf, Leaf, OwnSplit, PassiveTreeHalf
from models.boosted_trees.table import Floats, Mask
from protocols.errors import DecodeError


@dataclass(frozen=True, eq=False)
class Predictions:
    """One margin (log odds) per row, in the rows' order."""

    margins: Floats = field(repr=False)

    @property
    def probabilities(self) -> Floats:
        """The probability of the label for each row."""
        return sigmoid(self.margins)

    def to_bytes(self) -> bytes:
        """Return the margins as little-endian float64."""
        return floats_to_bytes(self.margins)

    @classmethod
    def from_bytes(cls, data: bytes) -> Predictions:
        """Return what :meth:`to_bytes` wrote; raises :class:`DecodeError`."""
        return cls(floats_from_bytes(data))


def floats_to_bytes(values: Floats) -> bytes:
    """Return finite float64 values, little endian, 8 bytes each."""
    return values.astype("<f8").tobytes()


def floats_from_bytes(data: bytes) -> Floats:
    """Return what :func:`floats_to_bytes` wrote; raises :class:`DecodeError`."""
    if len(data) % 8:
        raise DecodeError("margins do not fill their bytes")
    values = np.frombuffer(data, "<f8").astype(np.float64)
    if not np.isfinite(values).all():
        raise DecodeError("a margin is not finite")
    return values


def held_masks(half: PassiveTreeHalf, binned: BinnedTable) -> dict[int, Mask]:
    """Return, for each node the passive party splits, which rows go left."""
    return {
        split.node: goes_left(
            binned.codes[split.column], binned.binning.columns[split.column].kind, split.test
        )
        for split in half.splits
    }


def own_masks(half: ActiveTreeHalf, binned: BinnedTable) -> dict[int, Mask]:
    """Return, for each node the active party splits itself, which rows go left."""
    return {
        node.node: goes_left(
            binned.codes[node.column], binned.binning.columns[node.column].kind, node.test
        )
        for node in half.nodes
        if isinstance(node, OwnSplit)
    }


def tree_margins(half: ActiveTreeHalf, left: Mapping[int, Mask], rows: int) -> Floats:
    """Return what one tree adds to each row's margin; ``left`` has a mask for every split."""
    reached = {0: np.ones(rows, np.bool_)}
    margins = np.zeros(rows)
    for node in half.nodes:
        here = reached.pop(node.node)
        if isinstance(node, Leaf):
            margins[here] = node.weight
        else:
            reached[2 * node.node + 1] = here & left[node.node]
            reached[2 * node.node + 2] = here & ~left[node.node]
    return margins
