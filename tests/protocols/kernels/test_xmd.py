"""expand_message_xmd in bulk: RFC 9380's vectors, the suite's one-at-a-time implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import xmd
from protocols.suite import curve25519, hash_to_curve, sm2_curve
from tests.protocols.kernels.message_batches import made, rows, vectors

EXPANDERS = {
    "sm3": sm2_curve.ENCODING.expander,
    "sha512": curve25519.ENCODING.expander,
}
both = pytest.mark.parametrize("name", EXPANDERS)


def items(values: list[bytes], width: int) -> np.ndarray:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), width)


def test_matches_the_rfc():
    found = vectors("expand_message_xmd_sha512.json")
    assert len(found) == 10
    for vector in found:
        message, tag = vector["msg"].encode(), vector["dst"].encode()
        expanded = xmd.expand(items([message] * 2, len(message)), tag, vector["length"])
        assert [row.hex() for row in rows(expanded)] == [vector["uniform_bytes"]] * 2


@both
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, xmd.BATCH + 1])
def test_any_number_of_items(name, count):
    values = made([32] * count, b"xmd")
    expanded = xmd.expand(items(values, 32), b"tag", 48, name)
    assert expanded.shape == (count, 48)
    checked = range(count) if count < 20 else (0, xmd.BATCH - 1, xmd.BATCH)
    for i in checked:
        one = hash_to_curve.expand_message_xmd(values[i], b"tag", 48, EXPANDERS[name])
        assert expanded[i].tobytes() == one


@both
@given(
    width=st.integers(0, 200),
    tag=st.binary(min_size=1, max_size=300),
    length=st.integers(1, 300),
    seed=st.binary(min_size=1, max_size=4),
)
@settings(max_examples=50, deadline=None)
def test_matches_one_at_a_time(name, width, tag, length, seed):
    values = made([width] * 3, seed)
    expanded = xmd.expand(items(values, width), tag, length, name)
    expander = EXPANDERS[name]
    assert rows(expanded) == [
        hash_to_curve.expand_message_xmd(value, tag, length, expander) for value in values
    ]


@both
@pytest.mark.parametrize("tag_bytes", [255, 256])
def test_a_long_tag_is_hashed(name, tag_bytes):
    tag = b"t" * tag_bytes
    expanded = xmd.expand(items([b"item"], 4), tag, 48, name)
    one = hash_to_curve.expand_message_xmd(b"item", tag, 48, EXPANDERS[name])
    assert expanded[0].tobytes() == one


def test_items_need_not_be_contiguous():
    wide = items(made([64] * 20, b"wide"), 64)
    assert (
        xmd.expand(wide[::2, 16:48], b"t", 48) == xmd.expand(wide[::2, 16:48].copy(), b"t", 48)
    ).all()


@pytest.mark.parametrize(
    ("values", "tag", "length", "message"),
    [
        (np.zeros((1, 32), np.uint8), b"", 48, "must not be empty"),
        (np.zeros((1, 32), np.uint8), b"t", 0, "length must be positive"),
        (np.zeros((1, 32), np.uint8), b"t", 255 * 64 + 1, "length must be positive"),
        (np.zeros(32, np.uint8), b"t", 48, "rows of bytes"),
        (np.zeros((1, 32), np.int8), b"t", 48, "rows of bytes"),
    ],
)
def test_refuses(values, tag, length, message):
    with pytest.raises(ValueError, match=message):
        xmd.expand(values, tag, length)
