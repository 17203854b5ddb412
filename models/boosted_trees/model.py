"""Each party's half of the model, and the file it is stored in (``models/model_file.py``)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from models import model_file
from models.binning import Binning, ColumnBins
from models.boosted_trees.tree import (
    ActiveTreeHalf,
    HeldSplit,
    Leaf,
    Node,
    OwnSplit,
    PassiveTreeHalf,
    PeerSplit,
)
from models.model_file import Array, ModelFile
from protocols.errors import DecodeError
from protocols.roles import PartyId
from protocols.session.model_terms import Objective
from protocols.suite.canonical import Json
from protocols.wire import Message

KIND = "boosted_trees"
LEAF, OWN_SPLIT, PEER_SPLIT = 0, 1, 2
MOST_TREES = 500
_OBJECTIVES: dict[Json, Objective] = {
    "binary": "binary",
    "regression": "regression",
    "multiclass": "multiclass",
}
_BINNING_ARRAYS = ("edges", "edge_counts")
_SPLIT_ARRAYS = ("tree", "node", "column", "bin", "missing_left", "rows")
_NODE_ARRAYS = (*_SPLIT_ARRAYS, "kind", "gain", "weights")
M = TypeVar("M", "ActiveModel", "PassiveModel")


class ActiveModel(Message, frozen=True):
    """The active party's half of a model."""

    objective: Objective
    base_score: tuple[float, ...]
    """Every row's margins before the first tree, one per output."""
    center: float
    """Of a regression the label's mean, else 0."""
    scale: float
    """Of a regression what a margin of 1 is in the label's unit, else 1."""
    binning: Binning
    trees: tuple[ActiveTreeHalf, ...]

    def __post_init__(self) -> None:
        """Refuse trees out of order and splits on columns or bins there are not."""
        if not all(map(math.isfinite, (*self.base_score, self.center, self.scale))):
            raise ValueError("base score, centre and scale must be finite")
        if (self.outputs > 2) != (self.objective == "multiclass") or self.outputs in (0, 2):
            raise ValueError("another number of base scores than the objective has")
        if self.objective != "regression" and (self.center, self.scale) != (0.0, 1.0):
            raise ValueError("only a regression has a centre and a scale")
        _check_numbers(self.trees)
        for tree in self.trees:
            if tree.outputs != self.outputs:
                raise ValueError("a tree has another number of outputs than the model")
            for node in tree.nodes:
                if isinstance(node, OwnSplit):
                    _check_split(node, self.binning)

    @property
    def outputs(self) -> int:
        """Margins of a row: one, or one for each class."""
        return len(self.base_score)

    def importance(self) -> dict[str, float]:
        """Return the total gain of each of the active party's own columns, by name."""
        gains = {bins.name: 0.0 for bins in self.binning.columns}
        for tree in self.trees:
            for node in tree.nodes:
                if isinstance(node, OwnSplit):
                    gains[self.binning.columns[node.column].name] += node.gain
        return gains

    def peer_importance(self) -> dict[PartyId, float]:
        """Return the total gain of the splits of each passive party that has any."""
        gains: dict[PartyId, float] = {}
        for tree in self.trees:
            for node in tree.nodes:
                if isinstance(node, PeerSplit):
                    gains[node.party] = gains.get(node.party, 0.0) + node.gain
        return gains

    def to_bytes(self) -> bytes:
        """Return the half's file."""
        facts, arrays = _binning_parts(self.binning)
        nodes = [(tree.tree, node) for tree in self.trees for node in tree.nodes]
        parties = sorted(self.peer_importance())
        facts |= {
            "objective": self.objective,
            "outputs": self.outputs,
            "trees": len(self.trees),
            "parties": list[Json](parties),
        }
        arrays["base_score"] = np.array(self.base_score, np.float64)
        arrays["center_and_scale"] = np.array((self.center, self.scale))
        arrays |= _node_arrays(nodes, parties, self.outputs)
        return model_file.encode(ModelFile(KIND, "active_party", facts, arrays))

    @classmethod
    def from_bytes(cls, data: bytes) -> ActiveModel:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        names = (*_BINNING_ARRAYS, *_NODE_ARRAYS, "base_score", "center_and_scale")
        file = model_file.decode(data, kind=KIND, role="active_party", arrays=names)
        return _canonical(lambda: cls._from_file(file), data)

    @classmethod
    def _from_file(cls, file: ModelFile) -> ActiveModel:
        outputs, parties = file.fact("outputs"), file.fact("parties")
        objective = _OBJECTIVES.get(file.fact("objective"))
        if objective is None or not isinstance(outputs, int) or not isinstance(parties, list):
            raise ValueError("another kind of fact")
        by_tree: list[list[Node]] = [[] for _ in range(_count(file, "trees"))]
        for tree, node in _nodes(file, [_text(party) for party in parties], outputs):
            by_tree[tree].append(node)
        center, scale = file.array("center_and_scale", "f8", (2,)).tolist()
        return cls(
            objective,
            tuple(file.array("base_score", "f8", (outputs,)).tolist()),
            center,
            scale,
            _binning(file),
            tuple(ActiveTreeHalf(tree, tuple(nodes)) for tree, nodes in enumerate(by_tree)),
        )


class PassiveModel(Message, frozen=True):
    """A passive party's half of a model."""

    binning: Binning
    trees: tuple[PassiveTreeHalf, ...]

    def __post_init__(self) -> None:
        """Refuse trees out of order and splits on columns or bins there are not."""
        _check_numbers(self.trees)
        for tree in self.trees:
            for split in tree.splits:
                _check_split(split, self.binning)

    def importance(self) -> dict[str, float]:
        """Return how many training rows the splits on each column divided, by name.

        A passive party does not learn gains; this is what its own half can say.
        """
        rows = Counter({bins.name: 0 for bins in self.binning.columns})
        for tree in self.trees:
            for split in tree.splits:
                rows[self.binning.columns[split.column].name] += split.rows
        return {name: float(count) for name, count in rows.items()}

    def describe(self) -> list[tuple[int, int, str]]:
        """Return (tree, node, test) of every split, for the columns' owner to read."""
        return [
            (tree.tree, split.node, self.binning.columns[split.column].describe(*split.test))
            for tree in self.trees
            for split in tree.splits
        ]

    def to_bytes(self) -> bytes:
        """Return the half's file."""
        facts, arrays = _binning_parts(self.binning)
        splits = [(tree.tree, split) for tree in self.trees for split in tree.splits]
        facts["trees"] = len(self.trees)
        arrays |= _split_arrays(splits)
        return model_file.encode(ModelFile(KIND, "passive_party", facts, arrays))

    @classmethod
    def from_bytes(cls, data: bytes) -> PassiveModel:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        names = (*_BINNING_ARRAYS, *_SPLIT_ARRAYS)
        file = model_file.decode(data, kind=KIND, role="passive_party", arrays=names)
        return _canonical(lambda: cls._from_file(file), data)

    @classmethod
    def _from_file(cls, file: ModelFile) -> PassiveModel:
        by_tree: list[list[HeldSplit]] = [[] for _ in range(_count(file, "trees"))]
        for tree, *parts in _columns(file, _SPLIT_ARRAYS):
            by_tree[tree].append(HeldSplit(*parts))
        halves = (PassiveTreeHalf(tree, tuple(splits)) for tree, splits in enumerate(by_tree))
        return cls(_binning(file), tuple(halves))


def _check_numbers(trees: tuple[ActiveTreeHalf, ...] | tuple[PassiveTreeHalf, ...]) -> None:
    if [tree.tree for tree in trees] != list(range(len(trees))):
        raise ValueError("trees must be numbered from 0")


def _check_split(split: OwnSplit | HeldSplit, binning: Binning) -> None:
    if not 0 <= split.column < len(binning.columns):
        raise ValueError("a split names a column there is not")
    bins = binning.columns[split.column]
    lowest = 0 if bins.kind == "numeric" else -1
    if not lowest <= split.bin < bins.size:
        raise ValueError("a split names a bin there is not")


def _canonical(make: Callable[[], M], data: bytes) -> M:
    """Return what ``make`` makes of the file ``data``, which must be the one file of it."""
    try:
        model = make()
        again = model.to_bytes()
    except (ValueError, TypeError, IndexError):
        raise DecodeError("not a half of boosted trees") from None
    if again != data:
        raise DecodeError("a half of boosted trees that is not in canonical form")
    return model


def _binning_parts(binning: Binning) -> tuple[dict[str, Json], dict[str, Array]]:
    facts: dict[str, Json] = {
        "columns": [{"name": bins.name, "kind": bins.kind} for bins in binning.columns],
        "levels": [list[Json](bins.levels) for bins in binning.columns],
        "other": [bins.other for bins in binning.columns],
    }
    edges = [edge for bins in binning.columns for edge in bins.edges]
    counts = [len(bins.edges) for bins in binning.columns]
    return facts, {"edges": np.array(edges, np.float64), "edge_counts": np.array(counts, np.int64)}


def _binning(file: ModelFile) -> Binning:
    listed = [file.fact(name) for name in ("columns", "levels", "other")]
    columns, levels, other = (part if isinstance(part, list) else [] for part in listed)
    counts = file.array("edge_counts", "i8", (len(columns),))
    edges = file.array("edges", "f8", (None,))
    if (counts < 0).any() or counts.sum() != len(edges):
        raise ValueError("edges of another number than stated")
    stops = np.cumsum(counts).tolist()
    made = []
    for column, of_column, rest, stop, count in zip(
        columns, levels, other, stops, counts.tolist(), strict=True
    ):
        if not (isinstance(column, dict) and isinstance(of_column, list) and rest in (True, False)):
            raise ValueError("another kind of fact")
        kind = column.get("kind")
        if kind not in ("numeric", "categorical"):
            raise ValueError("another kind of column")
        made.append(
            ColumnBins(
                _text(column.get("name")),
                "numeric" if kind == "numeric" else "categorical",
                tuple(edges[stop - count : stop].tolist()),
                tuple(_text(level) for level in of_column),
                other=bool(rest),
            )
        )
    return Binning(tuple(made))


def _split_arrays(splits: Sequence[tuple[int, HeldSplit]]) -> dict[str, Array]:
    return {
        "tree": np.array([tree for tree, _ in splits], np.int32),
        "node": np.array([split.node for _, split in splits], np.int32),
        "column": np.array([split.column for _, split in splits], np.int32),
        "bin": np.array([split.bin for _, split in splits], np.int32),
        "missing_left": np.array([split.missing_left for _, split in splits], np.bool_),
        "rows": np.array([split.rows for _, split in splits], np.int64),
    }


def _node_arrays(
    nodes: Sequence[tuple[int, Node]], parties: Sequence[PartyId], outputs: int
) -> dict[str, Array]:
    """Return the nodes as arrays; what a kind of node does not have is zero.

    ``column`` is an own split's column, or the position of a passive party in ``parties``.
    """
    count = len(nodes)
    arrays: dict[str, Array] = {
        name: np.zeros(count, np.int32) for name in ("tree", "node", "column", "bin")
    }
    arrays |= {
        "kind": np.zeros(count, np.uint8),
        "missing_left": np.zeros(count, np.bool_),
        "rows": np.zeros(count, np.int64),
        "gain": np.zeros(count, np.float64),
        "weights": np.zeros((count, outputs), np.float64),
    }
    for at, (tree, node) in enumerate(nodes):
        arrays["tree"][at], arrays["node"][at] = tree, node.node
        if isinstance(node, Leaf):
            arrays["weights"][at], arrays["rows"][at] = node.weights, node.rows
            continue
        arrays["gain"][at] = node.gain
        if isinstance(node, OwnSplit):
            arrays["kind"][at] = OWN_SPLIT
            arrays["column"][at], arrays["bin"][at] = node.column, node.bin
            arrays["missing_left"][at] = node.missing_left
        else:
            arrays["kind"][at], arrays["column"][at] = PEER_SPLIT, parties.index(node.party)
    return arrays


def _nodes(file: ModelFile, parties: Sequence[PartyId], outputs: int) -> list[tuple[int, Node]]:
    names = (*_SPLIT_ARRAYS, "kind", "gain")
    rows = _columns(file, names)
    weights = file.array("weights", "f8", (len(rows), outputs)).tolist()
    nodes: list[tuple[int, Node]] = []
    for (tree, node, column, bin_, missing_left, reached, kind, gain), weight in zip(
        rows, weights, strict=True
    ):
        if kind == LEAF:
            nodes.append((tree, Leaf(node, tuple(weight), reached)))
        elif kind == OWN_SPLIT:
            nodes.append((tree, OwnSplit(node, column, bin_, missing_left, gain)))
        elif kind == PEER_SPLIT and column >= 0:
            nodes.append((tree, PeerSplit(node, parties[column], gain)))
        else:
            raise ValueError("another kind of node")
    return nodes


_TYPES: Mapping[str, str] = {
    "tree": "i4", "node": "i4", "column": "i4", "bin": "i4",
    "missing_left": "?", "rows": "i8", "kind": "u1", "gain": "f8",
}  # fmt: skip


def _columns(file: ModelFile, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return what stands at each position of these arrays, which are equally long."""
    count = len(file.arrays["tree"]) if file.arrays["tree"].ndim == 1 else -1
    arrays = [file.array(name, _TYPES[name], (count,)).tolist() for name in names]
    if count and min(arrays[0]) < 0:
        raise ValueError("a negative tree")
    return list(zip(*arrays, strict=True))


def _count(file: ModelFile, name: str) -> int:
    value = file.fact(name)
    if not isinstance(value, int) or not 0 <= value <= MOST_TREES:
        raise ValueError("another kind of fact")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError("another kind of fact")
    return value
