"""What a training will cost, told before it runs (SPEC.md §4 has the parameters).

Ciphertexts on the way out are exact. What the label decides is expected: splits leave a quarter
of the rows on the smaller side, nodes close only for want of rows, bins are equally filled, and a
party wins splits in proportion to its columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from models.binning import MISSING, BinnedTable
from models.boosted_trees.active_party import DECRYPT_BATCH
from models.boosted_trees.candidates import node_candidates
from models.boosted_trees.encrypted_histogram import subtracts
from models.boosted_trees.expectation import (
    SMALLER_SHARE,
    ColumnShape,
    expected_nodes,
)
from models.boosted_trees.gradients import RowEncoding
from models.boosted_trees.messages import FRAME_CIPHERTEXTS
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.row_packing import RowPacking, choose
from models.boosted_trees.sampling import bag_size
from models.cost import Cost, Operation, Operations
from protocols.roles import PartyId


def training_cost(
    *,
    rows: int,
    options: TreeOptions,
    key_bits: int,
    active: PartyId,
    active_columns: int,
    passive_columns: Mapping[PartyId, Sequence[ColumnShape]],
    validation_rows: int = 0,
) -> Cost:
    """Return what training on ``rows`` rows is expected to cost.

    ``passive_columns`` has what :func:`column_shapes` says of a party's columns, or
    ``ColumnShape(options.bins)`` for each where it is not known. With early stopping it is the cost
    of all trees.
    """
    bag = bag_size(rows, options)
    packing = choose(
        RowEncoding.of(bag, options),
        options,
        passive_columns=max(map(len, passive_columns.values()), default=0),
        key_bits=key_bits,
    )
    tree = _Tree(bag, rows + validation_rows - bag, options, packing, key_bits // 4)
    joint = options.trees - options.first_tree_active_only if passive_columns else 0
    wire = _Wire()
    wire.add("PaillierKey", len(passive_columns), 1, key_bits // 8)
    columns = active_columns + sum(map(len, passive_columns.values()))
    sent = joint * tree.ciphertexts
    sending: dict[PartyId, Operations] = {active: {"encryptions": sent, "encodings": sent}}
    own: Counter[Operation] = Counter()
    own["table_cells"] = options.trees * tree.own_cells(active_columns)
    searching: dict[PartyId, Operations] = {active: own}
    own_calls = Counter(tree.own_calls(active_columns, options.trees))
    calls: dict[PartyId, Operations] = {active: own_calls}
    own_calls["encryptions"] = own_calls["encodings"] = joint * tree.frames
    for party, shapes in passive_columns.items():
        tree.add_messages(wire, shapes, len(shapes) / max(1, columns), joint, rows)
        sending[party] = _times(joint, tree.receiving(shapes))
        searching[party] = _times(joint, tree.searching(shapes))
        returned = joint * tree.returned(shapes)
        own["decodings"] += returned
        own["decryptions"] += returned
        calls[party] = _times(joint, tree.calls(shapes))
        own_calls["decodings"] += joint * tree.answers
        own_calls["decryptions"] += joint * tree.decryption_calls(shapes)
    return Cost(
        bytes=dict(wire.bytes),
        messages=dict(wire.messages),
        checkpoints=1 + options.trees,
        stages=({active: {"key_generations": 1}}, sending, searching),
        calls=calls,
    )


def _times(times: int, counts: Operations) -> Operations:
    return {kind: times * count for kind, count in counts.items()}


def column_shapes(binned: BinnedTable, options: TreeOptions) -> tuple[ColumnShape, ...]:
    """Return what a passive party's columns offer at the root, after coarsening.

    The party itself can state it for the prediction; its answers show about as much.
    """
    shapes = []
    for bins, codes in zip(binned.binning.columns, binned.codes, strict=True):
        counts = np.bincount(codes.astype(np.int64) + 1, minlength=bins.size + 1)
        found = node_candidates(bins, counts, options.minimum_bin_count, protected=True)
        tests = {each.bin for each in found if each.bin != MISSING}
        # A column that only tells present from missing has one bin.
        size = len(tests) + (len(tests) < bins.size or not tests)
        shapes.append(ColumnShape(size, float(counts[0]) / max(1, binned.rows)))
    return tuple(shapes)


class _Wire:
    """Bytes and messages by type, as :mod:`protocols.wire` encodes them."""

    def __init__(self) -> None:
        self.bytes: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()

    def add(self, name: str, count: int, items: float, size: float) -> None:
        """Count ``count`` messages of ``items`` byte strings of ``size`` bytes each."""
        if count:
            overhead = 2 + len(name) + items * (2 if size < 256 else 3 if size < 65_536 else 5)
            self.bytes[name] += round(count * (overhead + items * size))
            self.messages[name] += count


class _Tree:
    """One tree of the joint ones."""

    def __init__(
        self, bag: int, others: int, options: TreeOptions, packing: RowPacking, unit: int
    ) -> None:
        self._bag, self._others, self._options = bag, others, options
        self._packing, self._unit = packing, unit
        self._nodes = expected_nodes(bag, options)
        self.ciphertexts = packing.ciphertexts(bag) if self._nodes else 0
        self.frames = -(-self.ciphertexts // FRAME_CIPHERTEXTS)
        self.answers = sum(nodes.count for nodes in self._nodes)

    def returned(self, columns: Sequence[ColumnShape]) -> int:
        """Return the ciphertexts a passive party answers with."""
        return sum(nodes.count * self._returned_of(nodes.rows, columns) for nodes in self._nodes)

    def _returned_of(self, rows: int, columns: Sequence[ColumnShape]) -> int:
        minimum = self._options.minimum_bin_count
        candidates = sum(column.candidates(rows, minimum) for column in columns)
        return -(-candidates // self._packing.results)

    def own_cells(self, columns: int) -> int:
        """Return the cells the active party goes through: counts, and every output's two sums."""
        passes = 1 + 2 * self._options.outputs
        return columns * passes * sum(nodes.count * nodes.rows for nodes in self._nodes)

    def receiving(self, columns: Sequence[ColumnShape]) -> Operations:
        """Return a passive party's work while the gradients arrive: the root's histograms."""
        cells = sum(column.bins + 1 for column in columns)
        return {
            "decodings": self.ciphertexts,
            "preparations": self.ciphertexts,
            "additions": len(columns) * self._bag * bool(self._nodes),
            "products": self._packing.rows * cells * max(0, self.frames - 1),
        }

    def searching(self, columns: Sequence[ColumnShape]) -> Operations:
        """Return a passive party's work on the levels."""
        packed = self._packing.rows
        cells = sum(column.bins + 1 for column in columns)
        returned = self.returned(columns)
        work: Counter[Operation] = Counter()
        work["products"] = returned * (self._packing.shifts + 1)
        work["squarings"] = returned * self._packing.shifts * self._packing.pitch
        work["rerandomisations"] = work["encodings"] = returned
        for nodes in self._nodes:
            if nodes.depth + 1 < self._options.depth:
                self._add_children(work, nodes.rows, nodes.count, len(columns), cells)
            work["products"] += nodes.count * packed * sum(column.bins - 1 for column in columns)
            work["table_cells"] += 2 * len(columns) * nodes.count * nodes.rows
        return work

    def own_calls(self, columns: int, trees: int) -> Operations:
        """Return the active party's calls for what :meth:`own_cells` counts, in all trees."""
        return {"table_cells": trees * columns * (1 + 2 * self._options.outputs) * self.answers}

    def decryption_calls(self, columns: Sequence[ColumnShape]) -> int:
        """Return how many calls decrypt a passive party's answers of one tree."""
        return sum(
            nodes.count * -(-self._returned_of(nodes.rows, columns) // DECRYPT_BATCH)
            for nodes in self._nodes
        )

    def calls(self, columns: Sequence[ColumnShape]) -> Operations:
        """Return a passive party's calls for what it receives and searches in one tree."""
        steps = max((column.bins for column in columns), default=0)  # of cumulative sums
        shifts = self._packing.shifts * self.answers
        return {
            "decodings": self.frames,
            "preparations": self.frames,
            "additions": self.frames + self.answers // 2,
            "subtractions": self.answers // 2,
            "products": self.frames + shifts + (1 + steps) * self.answers,
            "squarings": shifts,
            "rerandomisations": self.answers,
            "encodings": self.answers,
            "table_cells": 2 * len(columns) * self.answers,
        }

    def _add_children(
        self, work: Counter[Operation], rows: int, count: int, columns: int, cells: int
    ) -> None:
        smaller = rows // SMALLER_SHARE
        larger = rows - smaller
        least = 2 * self._options.minimum_bin_count
        if larger < least:
            return
        if smaller < least:
            work["additions"] += count * columns * larger
        elif subtracts(self._packing.rows * cells, columns * larger):
            work["additions"] += count * columns * smaller
            work["subtractions"] += count * self._packing.rows * cells
        else:
            work["additions"] += count * columns * rows

    def add_messages(
        self, wire: _Wire, columns: Sequence[ColumnShape], won: float, trees: int, training: int
    ) -> None:
        """Add the messages to and from one passive party in ``trees`` trees."""
        full, rest = divmod(self.ciphertexts, FRAME_CIPHERTEXTS)
        wire.add("EncryptedGradients", trees * full, 1, FRAME_CIPHERTEXTS * self._unit)
        wire.add("EncryptedGradients", trees * bool(rest), 1, rest * self._unit)
        for nodes in self._nodes:
            size = self._returned_of(nodes.rows, columns) * self._unit
            wire.add("CandidateSums", trees * nodes.count, 1, size)
        for depth in {nodes.depth for nodes in self._nodes}:
            level = [nodes for nodes in self._nodes if nodes.depth == depth]
            open_ = sum(nodes.count for nodes in level)
            bits = sum(nodes.count * nodes.rows for nodes in level) / open_
            wire.add("ChosenSplits", trees, open_, 1.5 * won)
            chance = 1 - (1 - won) ** open_  # that it wins any of the level's nodes
            asked = won * open_ / chance if chance else 0
            each = bits / 8 + self._others / 8 + 2
            wire.add("LeftRows", round(trees * chance), asked, each)
            if depth + 1 < self._options.depth:
                wire.add("Membership", trees, open_, bits / 8)
        if self._options.one_side_sampling is not None:
            wire.add("SampledRows", trees, 1, training / 8)
        if self._options.early_stopping_rounds:
            wire.add("TreesKept", trees, 1, 0)
