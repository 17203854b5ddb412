"""A peer that departs from the protocol: refused, or a correlation that does not hold."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.base_ot import ReceiverPoints, SenderPoints
from protocols.errors import RemoteProtocolError
from protocols.silent_vole import Corrections, MaskedSums
from protocols.wire import Message, decode, encode
from tests.protocols.silent_vole import pair

SIZE = 20
FIELDS = {
    "extension": ("r", Corrections),
    "base_vole": ("r", Corrections),
    "levels": ("s", MaskedSums),
    "totals": ("s", MaskedSums),
}


def edit(type_: type[Message], field: str, change):
    def alter(message):
        if not isinstance(message, type_):
            return message
        return msgspec.structs.replace(message, **{field: change(getattr(message, field))})

    return alter


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:-8],
        lambda data: data + b"\0",
        lambda data: data + bytes(16),
        lambda data: data[: len(data) // 2],
    ],
)
def test_wrong_lengths_are_refused(field, change):
    liar, type_ = FIELDS[field]
    match = rf"{type_.__name__}: \d+ and \d+ bytes, but a size of 20 asks for \d+ and \d+"
    with pytest.raises(RemoteProtocolError, match=match):
        pair.run(SIZE, liar=liar, alter=edit(type_, field, change))


def test_another_size_is_refused():
    """The peer's lists are then as long as another size's, unless both need the smallest code."""
    sizes = {"r": 3000, "s": 100_000}
    roles = {party: pair.role(party, size, suite="intl") for party, size in sizes.items()}
    match = r"Corrections: .* but a size of 100000 asks for"
    with pytest.raises(RemoteProtocolError, match=match):
        pair.drive(roles)


@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_flipped_bits_raise_nothing_but_break_the_correlation_at_most(field, data):
    """Words have no wrong values: what such a change costs is said in SPEC.md §5."""
    liar, type_ = FIELDS[field]
    place, bit = data.draw(st.integers(0, 1 << 24)), data.draw(st.integers(0, 7))

    def flip(payload):
        changed = bytearray(payload)
        changed[place % len(changed)] ^= 1 << bit
        return bytes(changed)

    honest, vole = pair.run(SIZE), pair.run(SIZE, liar=liar, alter=edit(type_, field, flip))
    # What a party draws is its own: nothing that a peer sends moves it, only the Receiver's c.
    assert np.array_equal(vole.a, honest.a)
    assert vole.delta == honest.delta
    assert all(map(np.array_equal, vole.b, honest.b))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("fill", [0x00, 0xFF])
def test_constant_words_raise_nothing(field, fill):
    liar, type_ = FIELDS[field]
    alter = edit(type_, field, lambda payload: bytes([fill]) * len(payload))
    assert not pair.holds(pair.run(SIZE, liar=liar, alter=alter))


@pytest.mark.parametrize(
    ("liar", "type_"), [("r", SenderPoints), ("s", ReceiverPoints)], ids=["sender", "receiver"]
)
@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1], lambda data: bytes(len(data)), lambda data: b"\xff" * len(data)],
)
def test_bad_points_are_refused(liar, type_, change):
    with pytest.raises(RemoteProtocolError, match=f"{type_.__name__}: "):
        pair.run(SIZE, liar=liar, alter=edit(type_, "points", change))


def test_messages_out_of_turn_are_refused():
    def swap(message):
        return MaskedSums(b"", b"") if isinstance(message, Corrections) else message

    with pytest.raises(RemoteProtocolError, match="not a well-formed Corrections"):
        pair.run(SIZE, liar="r", alter=swap)


EXAMPLES: list[Message] = [Corrections(bytes(24), bytes(8)), MaskedSums(bytes(32), bytes(16))]
BY_TYPE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda m: type(m).__name__)


@BY_TYPE
@given(data=st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_random_bytes_do_not_decode(example, data):
    with pytest.raises(RemoteProtocolError):
        decode(data, type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_bit_flips_are_refused_or_another_message(example, data):
    encoded = bytearray(encode(example))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        message = decode(bytes(encoded), type(example))
    except RemoteProtocolError as error:
        assert type(example).__name__ in str(error)  # noqa: PT017
        return
    assert encode(message) == encoded


@BY_TYPE
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_cut_and_trailing_bytes_are_refused(example, data):
    encoded = encode(example)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(RemoteProtocolError):
            decode(wrong, type(example))


@BY_TYPE
def test_oversized_messages_are_refused_before_decoding(example):
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode(encode(type(example)(bytes(1 << 19), bytes(1 << 19))), type(example))
