"""Halves, results and gradients as bytes and integers: exact, canonical, strict."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boosted_trees import clear
from models.boosted_trees.binning import Binning
from models.boosted_trees.bitmaps import pack_rows, unpack_rows
from models.boosted_trees.gradients import (
    FIRST_BOUND,
    SECOND_BOUND,
    Gradients,
    RowEncoding,
    logistic_gradients,
)
from models.boosted_trees.growth import ActiveTreeResult
from models.boosted_trees.model import (
    ActiveModel,
    ActiveTreeHalf,
    HeldSplit,
    Leaf,
    OwnSplit,
    PassiveModel,
    PassiveTreeHalf,
    PeerSplit,
)
from models.boosted_trees.prediction import Predictions
from protocols.errors import DecodeError
from protocols.paillier import Packing
from protocols.wire import encode
from tests.models.boosted_trees.training import ACTIVE, PASSIVES, made_case, options
from tests.protocols.paillier.keys import private_key


@pytest.fixture(scope="module")
def model():
    tables, labels = made_case(300, passives=PASSIVES)
    return clear.train(tables, labels, options(), active=ACTIVE, passives=PASSIVES)


def _encoded(model):
    half = model.passive_halves["retailer"]
    result = ActiveTreeResult(model.active_half.trees[0], np.array([0.5, -1e300, 0.0]))
    return [
        model.active_half,
        model.active_half.trees[0],
        half,
        half.trees[0],
        half.binning,
        result,
    ]


def test_everything_must_survive_its_encoding(model):
    for value in _encoded(model):
        again = type(value).from_bytes(value.to_bytes())
        assert again.to_bytes() == value.to_bytes()
        if not isinstance(value, ActiveTreeResult):
            assert again == value


def test_result_must_survive_its_encoding():
    half = ActiveTreeHalf(3, (Leaf(0, 0.25),))
    again = ActiveTreeResult.from_bytes(ActiveTreeResult(half, np.array([1.5, -2.0])).to_bytes())
    assert again.half == half
    assert again.margins.tolist() == [1.5, -2.0]
    assert again.margins.flags.writeable


def test_predictions_must_survive_their_encoding():
    predictions = Predictions(np.array([0.0, 800.0, -800.0]))
    assert predictions.probabilities.tolist() == [0.5, 1.0, 0.0]
    assert Predictions.from_bytes(predictions.to_bytes()).margins.tolist() == [0.0, 800.0, -800.0]


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
    st.sampled_from(
        [ActiveModel, PassiveModel, ActiveTreeHalf, PassiveTreeHalf, ActiveTreeResult, Binning]
    ),
)
def test_garbage_must_be_refused(data, type_):
    with pytest.raises(DecodeError):
        type_.from_bytes(data)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=64))
def test_margins_must_be_whole_and_finite(data):
    values = np.frombuffer(data[: len(data) // 8 * 8], "<f8")
    if len(data) % 8 or not np.isfinite(values).all():
        with pytest.raises(DecodeError):
            Predictions.from_bytes(data)
    else:
        assert Predictions.from_bytes(data).to_bytes() == data


LEAVES = (Leaf(1, 0.5), Leaf(2, -0.5))
ROOT = PeerSplit(0, "retailer", 3.0)


@pytest.mark.parametrize(
    ("tree", "nodes"),
    [
        pytest.param(0, (), id="no root"),
        pytest.param(0, (ROOT, LEAVES[0]), id="a child missing"),
        pytest.param(0, (ROOT, *LEAVES, Leaf(3, 1.0)), id="child of a leaf"),
        pytest.param(0, (LEAVES[0], ROOT, LEAVES[1]), id="out of order"),
        pytest.param(0, (ROOT, LEAVES[0], LEAVES[0], LEAVES[1]), id="a node twice"),
        pytest.param(0, (Leaf(0, float("nan")),), id="not a number"),
        pytest.param(0, (PeerSplit(0, "retailer", float("inf")), *LEAVES), id="infinite gain"),
        pytest.param(-1, (Leaf(0, 1.0),), id="negative number"),
    ],
)
def test_half_that_is_no_tree_must_be_refused(tree, nodes):
    raw = ["ActiveTreeHalf", tree, [msgspec.to_builtins(node) for node in nodes]]
    with pytest.raises(DecodeError):
        ActiveTreeHalf.from_bytes(msgspec.msgpack.encode(raw))


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
        ActiveModel(0.0, binning, (ActiveTreeHalf(0, (own, *LEAVES)),))


def test_halves_must_not_say_what_the_other_party_knows(model):
    own = model.active_half.to_bytes()
    for party in PASSIVES:
        theirs = encode(model.passive_halves[party])
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


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 1 << 32),
    st.lists(
        st.tuples(st.integers(-FIRST_BOUND, FIRST_BOUND), st.integers(1, SECOND_BOUND)),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 1 << 27),
)
def test_sums_of_encoded_rows_must_split_and_never_overflow(rows, drawn, copies):
    encoding = RowEncoding(max(rows, len(drawn)))
    first, second = (np.array(part, np.int64) for part in zip(*drawn, strict=True))
    encoded = encoding.encode(Gradients(first, second))
    repeats = min(copies, encoding.rows // len(drawn))
    total = sum(encoded) * repeats
    assert encoding.decode(total) == (repeats * int(first.sum()), repeats * int(second.sum()))
    assert abs(total) <= encoding.largest_sum
    packing = Packing.for_magnitude(encoding.largest_sum, private_key().public_key)
    assert abs(total) < 2 ** (packing.slot_bits - 1)


def test_gradients_must_be_the_rounded_derivatives_at_any_margin():
    margins = np.array([0.0, 2.0, -800.0, 800.0, 1e308])
    gradients = logistic_gradients(np.array([1, 0, 1, 0, 1]), margins)
    probability = 1 / (1 + np.exp(-2.0))
    assert gradients.first.tolist() == [
        -FIRST_BOUND // 2, round(probability * FIRST_BOUND), -FIRST_BOUND, FIRST_BOUND, 0,
    ]  # fmt: skip
    assert gradients.second.tolist() == [
        SECOND_BOUND, round(probability * (1 - probability) * FIRST_BOUND), 1, 1, 1,
    ]  # fmt: skip
    assert "array" not in repr(gradients)
