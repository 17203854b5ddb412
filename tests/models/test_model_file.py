"""A model half's file: one byte string per content, and nothing else is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open
from safetensors.numpy import save

from models.model_file import FORMAT_VERSION, ModelFile, decode, encode, read
from protocols.errors import DecodeError, LocalProtocolError
from protocols.suite import canonical, get_suite
from tests.fuzz.mutations import mutated, noise

FACTS = {
    "columns": [{"name": "收入", "kind": "numeric"}, {"name": "district", "kind": "categorical"}],
    "levels": [["a", "b"], []],
    "base_score": "-0.25",
    "trees": 20,
}


def arrays():
    return {
        "weights": np.array([[0.5, -1.25], [1e-300, 0.1]]),
        "single": np.array([1.5, 2.5], np.float32),
        "rows": np.array([2**62, -1], np.int64),
        "bins": np.array([-1, 7], np.int8),
        "nodes.0/left": np.array([0, 255], np.uint8),
        "missing": np.array([True, False, True]),
        "none": np.zeros((0, 3)),
        "offset": np.array(-0.0),
    }


def half(**changes):
    values = {"kind": "boosted_trees", "role": "active_party", "facts": FACTS, "arrays": arrays()}
    return ModelFile(**(values | changes))


def with_statement(statement, content=None):
    text = statement if isinstance(statement, str) else canonical.encode(statement).decode()
    return save(content or {"x": np.zeros(2)}, {"fedcrm": text})


STATEMENT = {"version": 1, "kind": "scorecard", "role": "passive_party", "facts": {}}


def test_what_is_stored_comes_back():
    found = decode(encode(half()), kind="boosted_trees", role="active_party")
    assert (found.kind, found.role, dict(found.facts)) == ("boosted_trees", "active_party", FACTS)
    assert set(found.arrays) == set(arrays())
    for name, array in arrays().items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()
        assert not found.arrays[name].flags.writeable


def test_a_half_without_arrays_can_be_stored():
    data = encode(half(arrays={}))
    assert dict(read(data).arrays) == {}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9][a-z0-9_./-]{0,20}", fullmatch=True),
        hnp.arrays(
            st.sampled_from([np.float32, np.float64, np.int8, np.int16, np.int32, np.int64])
            | st.sampled_from([np.uint8, np.bool_]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ).filter(lambda array: array.dtype.kind != "f" or bool(np.isfinite(array).all())),
        max_size=4,
    )
)
def test_every_half_reads_back_to_itself(content):
    data = encode(half(arrays=content))
    found = decode(data, kind="boosted_trees", role="active_party", arrays=content.keys())
    assert {name: array.tobytes() for name, array in found.arrays.items()} == {
        name: array.tobytes() for name, array in content.items()
    }
    assert encode(found) == data


def test_bytes_depend_neither_on_order_nor_on_layout_in_memory():
    data = encode(half())
    backwards = dict(reversed(arrays().items()))
    assert encode(half(arrays=backwards, facts=dict(reversed(FACTS.items())))) == data
    other = arrays()
    other["weights"] = np.asfortranarray(other["weights"])
    other["rows"] = other["rows"].astype(">i8")
    other["missing"] = np.repeat(other["missing"], 2)[::2]
    assert encode(half(arrays=other)) == data


def test_bytes_are_the_same_in_another_process():
    program = (
        "import sys; from models.model_file import encode, read;"
        "sys.stdout.buffer.write(encode(read(sys.stdin.buffer.read())))"
    )
    for hash_seed in ("1", "2"):
        ended = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed},
            input=encode(half()),
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert ended.stdout == encode(half())


def test_any_safetensors_reader_opens_it(tmp_path):
    path = tmp_path / "half.safetensors"
    path.write_bytes(encode(half()))
    with safe_open(path, framework="np") as opened:
        assert set(opened.keys()) == set(arrays())
        assert json.loads(opened.metadata()["fedcrm"])["version"] == FORMAT_VERSION


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "Boosted Trees"},
        {"role": "arbiter"},
        {"facts": {"rate": 0.5}},
        {"facts": {"rows": 2**60}},
        {"arrays": {"Weights": np.zeros(1)}},
        {"arrays": {"x": np.array([np.nan])}},
        {"arrays": {"x": np.array([np.inf], np.float32)}},
        {"arrays": {"x": np.zeros(1, np.float16)}},
        {"arrays": {"x": np.zeros(1, np.uint64)}},
        {"arrays": {"x": np.zeros(1, np.complex64)}},
        {"arrays": {"x": np.array(["text"], object)}},
        {"arrays": {"x": np.array([2], np.uint8).view(np.bool_)}},
    ],
)
def test_what_has_no_place_in_the_format_is_not_written(changes):
    with pytest.raises(LocalProtocolError, match="can be stored"):
        encode(half(**changes))


def test_another_kind_role_or_version_is_named():
    data = encode(half())
    with pytest.raises(DecodeError, match="half of a boosted_trees model; scorecard is needed"):
        decode(data, kind="scorecard", role="active_party")
    with pytest.raises(DecodeError, match="half of the active party; the passive party's"):
        decode(data, kind="boosted_trees", role="passive_party")
    with pytest.raises(DecodeError, match="format version 2; known is 1"):
        read(with_statement(STATEMENT | {"version": 2}))
    with pytest.raises(DecodeError, match="format version that is no number"):
        read(with_statement(STATEMENT | {"version": True}))


def test_arrays_the_caller_does_not_expect_are_named():
    data = encode(half(arrays={"a": np.zeros(1), "b": np.zeros(1)}))
    with pytest.raises(DecodeError, match="boosted_trees half without c, with b"):
        decode(data, kind="boosted_trees", role="active_party", arrays=["a", "c"])


def test_an_array_is_taken_by_name_type_and_shape():
    found = read(encode(half()))
    assert found.array("weights", "f8", (None, 2)).shape == (2, 2)
    assert found.array("offset", "f8", ()) == 0
    for name, dtype, shape in [
        ("weight", "f8", (None, 2)),
        ("weights", "f4", (None, 2)),
        ("weights", "f8", (None, 3)),
        ("weights", "f8", (None,)),
    ]:
        with pytest.raises(DecodeError, match=name):
            found.array(name, dtype, shape)
    assert found.fact("trees") == 20
    with pytest.raises(DecodeError, match="does not state its depth"):
        found.fact("depth")


def test_the_statement_is_checked():
    assert read(with_statement(STATEMENT)).kind == "scorecard"
    for bad in [
        [],
        {name: value for name, value in STATEMENT.items() if name != "facts"},
        STATEMENT | {"more": 1},
        STATEMENT | {"kind": ["scorecard"]},
        STATEMENT | {"kind": "a b"},
        STATEMENT | {"role": ["passive_party"]},
        STATEMENT | {"role": "owner"},
        STATEMENT | {"facts": []},
        '{"version": 1}',
        "[" * 5000,
        '{"version":1,"version":1}',
        "\\ud800",
    ]:
        with pytest.raises(DecodeError):
            read(with_statement(bad))
    for metadata in [None, {}, {"fedcrm": "{}", "more": "x"}, {"other": "x"}]:
        with pytest.raises(DecodeError):
            read(save({"x": np.zeros(1)}, metadata))


@pytest.mark.parametrize(
    "content",
    [
        {"x": np.array([np.nan])},
        {"x": np.array([np.inf], np.float32)},
        {"x": np.zeros(1, np.float16)},
        {"x": np.zeros(1, np.uint32)},
        {"x": np.zeros(1, np.complex64)},
        {"X": np.zeros(1)},
        {"x": np.array([2], np.uint8).view(np.bool_)},
    ],
)
def test_arrays_outside_the_format_are_refused(content):
    with pytest.raises(DecodeError):
        read(with_statement(STATEMENT, content))


def rewritten(data, change):
    """Return ``data`` with its header changed by ``change``, the arrays left as they are."""
    length = int.from_bytes(data[:8], "little")
    header = change(data[8 : 8 + length])
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def test_a_second_encoding_of_the_same_half_is_refused():
    data = with_statement(STATEMENT)
    same = [
        rewritten(data, lambda header: header + b" " * 8),
        rewritten(data, lambda header: header.replace(b'"x":', b'"x": ')),
        rewritten(data, lambda header: header.replace(b'"x":', b'"x":{},"x":')),
        rewritten(data, lambda header: header.replace(b'{"__m', b'{"y":{},"__m')),
        rewritten(data, lambda header: header.decode().encode("utf-16")),
        data + b"\0",
        data + data,
    ]
    for bad in same:
        with pytest.raises(DecodeError):
            read(bad)


def test_a_half_that_is_too_large_is_refused(monkeypatch):
    data = encode(half())
    monkeypatch.setattr("models.model_file.MAX_BYTES", len(data) - 1)
    with pytest.raises(DecodeError, match="bytes; at most"):
        read(data)
    with pytest.raises(LocalProtocolError, match="bytes; at most"):
        encode(half())


def test_nothing_but_a_decode_error_comes_out_of_hostile_bytes():
    stream = get_suite("gm").stream(bytes(32), b"model file fuzz")
    valid = [encode(half()), encode(half(arrays={})), with_statement(STATEMENT)]
    read_back = refused = 0
    for number in range(3000):
        sample, other = valid[stream.below(3)], valid[stream.below(3)]
        data = noise(stream) if number % 20 == 0 else mutated(sample, other, stream)
        try:
            file = read(data)
        except DecodeError:
            refused += 1
        else:
            read_back += 1
            assert encode(file) == data
    assert refused > 1000
    assert read_back > 10
