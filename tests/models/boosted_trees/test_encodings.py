"""Halves, results and gradients as bytes and integers: exact, canonical, strict."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import model_file
from models.boosted_trees import clear
from models.boosted_trees.bitmaps import pack_rows, unpack_rows
from models.boosted_trees.model import ActiveModel, PassiveModel
from models.boosted_trees.results import ActiveTreeResult, PassiveTreeResult
from models.boosted_trees.tree import (
    ActiveTreeHalf,
    HeldSplit,
    Leaf,
    OwnSplit,
    PassiveTreeHalf,
    PeerSplit,
)
from models.model_file import ModelFile, read
from protocols.errors import DecodeError
from tests.models.boosted_trees.training import ACTIVE, PASSIVES, made_case, options


@pytest.fixture(scope="module")
def model():
    tables, labels = made_case(300, passives=PASSIVES)
    return clear.train(tables, labels, options(), active=ACTIVE, passives=PASSIVES)


def _encoded(model):
    half = model.passive_halves["retailer"]
    margins = np.array([[0.5], [-1e300], [0.0]])
    return [
        model.active_half,
        half,
        ActiveTreeResult(model.active_half.trees[0], margins, (0.7, 0.5), 1),
        PassiveTreeResult(half.trees[0], 0),
    ]


@pytest.mark.parametrize("objective", ["binary", "regression", "multiclass"])
def test_everything_must_survive_its_encoding(objective):
    tables, labels = made_case(300, passives=PASSIVES, objective=objective)
    opts = options(objective=objective, classes=3 if objective == "multiclass" else 1)
    model = clear.train(tables, labels, opts, active=ACTIVE, passives=PASSIVES)
    for value in _encoded(model):
        again = type(value).from_bytes(value.to_bytes())
        assert again.to_bytes() == value.to_bytes()
        if not isinstance(value, ActiveTreeResult):
            assert again == value


def test_result_must_survive_its_encoding():
    half = ActiveTreeHalf(3, (Leaf(0, (0.25, 1.0, -1.0), 7),))
    margins = np.array([[1.5, -2.0, 0.0], [3.0, 0.5, 0.25]])
    result = ActiveTreeResult(half, margins, (0.5, 0.25), 2)
    again = ActiveTreeResult.from_bytes(result.to_bytes())
    assert (again.half, again.losses, again.kept) == (half, (0.5, 0.25), 2)
    assert again.stopped
    assert again.margins.tolist() == margins.tolist()
    assert again.margins.flags.writeable


def test_file_must_state_the_columns_and_no_value_of_a_row(model):
    file = read(model.passive_halves["retailer"].to_bytes())
    assert (file.kind, file.role) == ("boosted_trees", "passive_party")
    assert file.facts["columns"][:3] == [
        {"name": "retailer amount", "kind": "numeric"},
        {"name": "retailer age", "kind": "numeric"},
        {"name": "retailer kind", "kind": "categorical"},
    ]
    assert set(file.arrays) >= {"edges", "node", "column", "bin"}
    with pytest.raises(DecodeError, match="passive party"):
        ActiveModel.from_bytes(model.passive_halves["retailer"].to_bytes())


def _changed(model, arrays=None, facts=None, drop=()):
    file = read(model.to_bytes())
    kept = {name: array for name, array in file.arrays.items() if name not in drop}
    return model_file.encode(
        ModelFile(file.kind, file.role, file.facts | (facts or {}), kept | (arrays or {}))
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"drop": ("node",)}, id="an array missing"),
        pytest.param({"arrays": {"more": np.zeros(1)}}, id="an array too many"),
        pytest.param({"arrays": {"tree": np.zeros(3, np.int32)}}, id="another length"),
        pytest.param({"arrays": {"tree": np.zeros((2, 2), np.int32)}}, id="another shape"),
        pytest.param({"arrays": {"edges": np.zeros(3)}}, id="other edges"),
        pytest.param({"facts": {"trees": 1}}, id="fewer trees"),
        pytest.param({"facts": {"trees": -1}}, id="negative trees"),
        pytest.param({"facts": {"trees": "2"}}, id="trees in words"),
        pytest.param({"facts": {"columns": []}}, id="no columns"),
        pytest.param({"facts": {"columns": {}}}, id="columns of another type"),
        pytest.param({"facts": {"levels": [1, 2, 3, 4]}}, id="levels of another type"),
        pytest.param({"facts": {"other": [0, 0, 0, 0]}}, id="numbers for truth values"),
        pytest.param({"facts": {"more": 1}}, id="a fact too many"),
    ],
)
def test_files_of_other_content_must_be_refused(model, changes):
    for half in (model.active_half, model.passive_halves["retailer"]):
        with pytest.raises(DecodeError):
            type(half).from_bytes(_changed(half, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"facts": {"objective": "ranking"}}, id="unknown objective"),
        pytest.param({"facts": {"objective": ["binary"]}}, id="objective of another type"),
        pytest.param({"facts": {"objective": "regression", "outputs": True}}, id="truth value"),
        pytest.param({"facts": {"outputs": 3}}, id="other outputs"),
        pytest.param({"facts": {"trees": 3}}, id="more trees"),
        pytest.param({"facts": {"parties": []}}, id="no parties"),
        pytest.param({"facts": {"parties": ["a", "b", "c"]}}, id="more parties"),
        pytest.param({"arrays": {"center_and_scale": np.array([1.0, 2.0])}}, id="a scale"),
        pytest.param({"arrays": {"base_score": np.zeros(2)}}, id="two base scores"),
    ],
)
def test_active_files_of_other_content_must_be_refused(model, changes):
    with pytest.raises(DecodeError):
        ActiveModel.from_bytes(_changed(model.active_half, **changes))


def test_unused_places_of_a_node_must_be_zero(model):
    file = read(model.active_half.to_bytes())
    for name in ("gain", "column", "bin", "rows", "kind"):
        array = file.arrays[name].copy()
        array[np.flatnonzero(file.arrays["kind"] == (1 if name == "rows" else 0))[0]] += 1
        with pytest.raises(DecodeError):
            ActiveModel.from_bytes(_changed(model.active_half, arrays={name: array}))


def test_cut_extended_or_changed_bytes_must_be_refused_or_canonical(model):
    for value in _encoded(model):
        data = value.to_bytes()
        for bad in (b"", data[:-1], data + b"\0", data[1:]):
            with pytest.raises(DecodeError):
                type(value).from_bytes(bad)
        for at in range(0, len(data), max(1, len(data) // 97)):
            changed = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
            try:
                assert type(value).from_bytes(changed).to_bytes() == changed
            except DecodeError:
                continue


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([ActiveModel, PassiveModel, ActiveTreeResult, PassiveTreeResult]),
)
def test_garbage_must_be_refused(data, type_):
    with pytest.raises(DecodeError):
        type_.from_bytes(data)


LEAVES = (Leaf(1, (0.5,), 10), Leaf(2, (-0.5,), 10))
ROOT = PeerSplit(0, "retailer", 3.0)


@pytest.mark.parametrize(
    ("tree", "nodes"),
    [
        pytest.param(0, (), id="no root"),
        pytest.param(0, (ROOT, LEAVES[0]), id="a child missing"),
        pytest.param(0, (ROOT, *LEAVES, Leaf(3, (1.0,), 5)), id="child of a leaf"),
        pytest.param(0, (LEAVES[0], ROOT, LEAVES[1]), id="out of order"),
        pytest.param(0, (ROOT, LEAVES[0], LEAVES[0], LEAVES[1]), id="a node twice"),
        pytest.param(0, (Leaf(0, (float("nan"),), 5),), id="not a number"),
        pytest.param(0, (PeerSplit(0, "retailer", float("inf")), *LEAVES), id="infinite gain"),
        pytest.param(-1, (Leaf(0, (1.0,), 5),), id="negative number"),
        pytest.param(0, (Leaf(0, (1.0,), 0),), id="a leaf without rows"),
        pytest.param(0, (Leaf(0, (), 5),), id="a leaf without weights"),
        pytest.param(0, (ROOT, LEAVES[0], Leaf(2, (1.0, 2.0), 5)), id="other weights"),
    ],
)
def test_half_that_is_no_tree_must_be_refused(tree, nodes):
    half = ["ActiveTreeHalf", tree, [msgspec.to_builtins(node) for node in nodes]]
    raw = ["_EncodedResult", half, b"", [], 0]
    with pytest.raises(DecodeError):
        ActiveTreeResult.from_bytes(msgspec.msgpack.encode(raw))


def test_results_that_cannot_be_must_be_refused():
    half = ActiveTreeHalf(0, (Leaf(0, (0.5,), 5),))
    good = ActiveTreeResult(half, np.zeros((2, 1)), (0.5,), 1)
    assert ActiveTreeResult.from_bytes(good.to_bytes()).to_bytes() == good.to_bytes()
    for bad in (
        ActiveTreeResult(half, np.array([[np.nan]]), (), 0),
        ActiveTreeResult(half, np.zeros((2, 1)), (np.inf,), 0),
    ):
        with pytest.raises(DecodeError):
            ActiveTreeResult.from_bytes(bad.to_bytes())
    with pytest.raises(ValueError, match="more trees"):
        ActiveTreeResult(half, np.zeros((2, 1)), (), 2).to_bytes()
    with pytest.raises(ValueError, match="more trees"):
        PassiveTreeResult(PassiveTreeHalf(0, ()), 2)


@pytest.mark.parametrize(
    "split", [HeldSplit(0, 9, 0, False, 10), HeldSplit(0, 0, 99, False, 10),
              HeldSplit(0, 0, -1, True, 10), HeldSplit(0, -1, 0, True, 10)],
)  # fmt: skip
def test_split_on_what_there_is_not_must_be_refused(model, split):
    binning = model.passive_halves["retailer"].binning
    with pytest.raises(ValueError, match="there is not"):
        PassiveModel(binning, (PassiveTreeHalf(0, (split,)),))
    own = OwnSplit(split.node, split.column, split.bin, split.missing_left, 1.0)
    with pytest.raises(ValueError, match="there is not"):
        ActiveModel("binary", (0.0,), 0.0, 1.0, binning, (ActiveTreeHalf(0, (own, *LEAVES)),))


def test_halves_must_not_say_what_the_other_party_knows(model):
    own = model.active_half.to_bytes()
    for party in PASSIVES:
        theirs = model.passive_halves[party].to_bytes()
        for bins in model.passive_halves[party].binning.columns:
            assert bins.name.encode() not in own
        for bins in model.active_half.binning.columns:
            assert bins.name.encode() not in theirs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.binary(max_size=6))
def test_row_sets_must_have_one_encoding(mask, data):
    packed = pack_rows(np.array(mask, np.bool_))
    assert len(packed) == -(-len(mask) // 8)
    assert unpack_rows(packed, len(mask)).tolist() == mask
    try:
        assert pack_rows(unpack_rows(data, len(mask))) == data
    except DecodeError:
        assert len(data) != len(packed) or int.from_bytes(data, "little") >> len(mask)
