"""The link's frames: one encoding each, and nothing but DecodeError for anything else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party_node.peer_channel.frames import (
    Abandon,
    Acknowledged,
    Farewell,
    Frame,
    Hello,
    Part,
    decode_frame,
    encode_frame,
)
from protocols.errors import DecodeError

PLACE = st.integers(0, 2**32 - 1)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Hello, st.text(max_size=50), st.just("job"), st.binary(max_size=64), *[PLACE] * 3),
    st.builds(Part, PLACE, PLACE, PLACE, st.booleans(), st.binary(max_size=200)),
    st.builds(Acknowledged, PLACE),
    st.builds(Abandon, st.text(st.characters(categories=["L", "N"]), max_size=100)),
    st.just(Farewell()),
)


@given(FRAMES)
def test_a_frame_decodes_to_itself(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=300))
def test_random_bytes_are_a_frame_or_a_decode_error(data: bytes) -> None:
    try:
        frame = decode_frame(data)
    except DecodeError:
        return
    assert encode_frame(frame) == data


@given(FRAMES, st.data())
def test_a_changed_frame_is_another_frame_or_a_decode_error(
    frame: Frame, data: st.DataObject
) -> None:
    encoded = bytearray(encode_frame(frame))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        changed = decode_frame(bytes(encoded))
    except DecodeError:
        return
    assert encode_frame(changed) == bytes(encoded)


@pytest.mark.parametrize(
    "frame",
    [
        Acknowledged(0),
        Part(0, 0, 0, True, b""),
    ],
)
@pytest.mark.parametrize("place", [-1, 2**32, 2**63, 2**64 - 1])
def test_a_place_no_stream_has_is_refused(frame: Frame, place: int) -> None:
    kind = encode_frame(frame)[:1]
    values = [type(frame).__name__, place, *msgspec.structs.astuple(frame)[1:]]
    with pytest.raises(DecodeError):
        decode_frame(kind + msgspec.msgpack.encode(values))


def test_control_characters_in_a_reason_are_refused() -> None:
    with pytest.raises(ValueError, match="not printable"):
        Abandon("all\x1b[2J clear")
