"""One message, one byte string; anything else is a DecodeError and nothing more."""

from __future__ import annotations

import struct
import sys
from typing import ClassVar, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party_node.peer_channel.frames import Hello, Part
from protocols.errors import DecodeError, RemoteProtocolError
from protocols.session.countersign import StatementSignature
from protocols.wire import Message, decode, encode


class Everything(Message, frozen=True):
    """A field of every kind the protocols use."""

    count: int
    ratio: float
    name: str
    blob: bytes
    flag: bool
    kind: Literal["left", "right"]
    numbers: tuple[int, ...]
    by_party: dict[str, bytes]
    optional: str | None


class Even(Message, frozen=True):
    """A message with an invariant."""

    value: int

    def __post_init__(self) -> None:
        if self.value % 2:
            raise ValueError("value must be even")


class Twin(Message, frozen=True):
    """The fields of :class:`Even`, under another name."""

    value: int


class Nested(Message, frozen=True):
    """Nests without bound."""

    inner: Nested | None


class Short(Message, frozen=True):
    """A message of few bytes."""

    max_bytes: ClassVar[int] = 16

    blob: bytes


MACHINE_INTEGERS = st.integers(-(2**63), 2**64 - 1)
PLACES = st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
BLOBS = st.binary(max_size=300)
EVERYTHING = st.builds(
    Everything,
    count=MACHINE_INTEGERS,
    ratio=st.floats(allow_nan=False),
    name=TEXT,
    blob=BLOBS,
    flag=st.booleans(),
    kind=st.sampled_from(["left", "right"]),
    numbers=st.lists(MACHINE_INTEGERS, max_size=20).map(tuple),
    by_party=st.dictionaries(TEXT, BLOBS, max_size=4),
    optional=st.none() | TEXT,
)
MESSAGES = st.one_of(
    EVERYTHING,
    st.builds(Even, value=st.integers(-(2**62), 2**62).map(lambda n: 2 * n)),
    st.builds(StatementSignature, signature=st.binary(max_size=200)),
    st.builds(
        Part,
        ordinal=PLACES,
        position=PLACES,
        part=PLACES,
        last=st.booleans(),
        data=BLOBS,
    ),
    st.builds(
        Hello,
        party=TEXT,
        job_id=TEXT,
        spec_digest=st.binary(max_size=64),
        attempt=PLACES,
        ordinal=PLACES,
        position=PLACES,
    ),
)
TYPES = st.sampled_from([Everything, Even, Twin, Nested, Short, StatementSignature, Part, Hello])
SAMPLE = Everything(7, 0.5, "é", b"\x00\xff", True, "left", (1, -1), {"b": b"", "a": b"x"}, None)


def decodes_to_itself_or_is_refused(data: bytes, type_: type[Message]) -> None:
    """Fail if any other exception escapes, or if two byte strings mean the same message."""
    try:
        message = decode(data, type_)
    except DecodeError:
        return
    assert encode(message) == data


def msgpack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


@given(MESSAGES)
def test_decode_must_invert_encode(message: Message) -> None:
    assert decode(encode(message), type(message)) == message


@given(MESSAGES, TYPES)
def test_a_message_of_another_type_must_be_refused(message: Message, type_: type[Message]) -> None:
    if type_ is not type(message):
        with pytest.raises(DecodeError):
            decode(encode(message), type_)


@given(st.binary(max_size=64), TYPES)
def test_random_bytes_raise_nothing_but_decode_error(data: bytes, type_: type[Message]) -> None:
    decodes_to_itself_or_is_refused(data, type_)


@given(MESSAGES, st.data())
def test_a_truncated_message_must_be_refused(message: Message, data: st.DataObject) -> None:
    encoded = encode(message)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode(encoded[:cut], type(message))


@given(MESSAGES, st.binary(min_size=1, max_size=8))
def test_an_extended_message_must_be_refused(message: Message, more: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(encode(message) + more, type(message))
    with pytest.raises(DecodeError):
        decode(encode(message) * 2, type(message))


@given(MESSAGES, st.data())
def test_changed_bits_give_another_message_or_an_error(
    message: Message, data: st.DataObject
) -> None:
    encoded = bytearray(encode(message))
    for place in data.draw(st.lists(st.integers(0, 8 * len(encoded) - 1), min_size=1, max_size=3)):
        encoded[place // 8] ^= 1 << place % 8
    decodes_to_itself_or_is_refused(bytes(encoded), type(message))


@given(st.lists(st.integers(0, 255), min_size=1, max_size=6), EVERYTHING, st.data())
def test_spliced_bytes_raise_nothing_but_decode_error(
    splice: list[int], message: Everything, data: st.DataObject
) -> None:
    encoded = encode(message)
    at = data.draw(st.integers(0, len(encoded)))
    drop = data.draw(st.integers(0, 4))
    decodes_to_itself_or_is_refused(encoded[:at] + bytes(splice) + encoded[at + drop :], Everything)


def test_the_encoding_is_an_array_of_name_and_fields() -> None:
    # MessagePack: fixarray of 2, fixstr "Even", positive fixint.
    assert encode(Even(2)) == b"\x92\xa4Even\x02"
    assert decode(b"\x92\xa4Even\x02", Even) == Even(2)


@pytest.mark.parametrize(
    "data",
    [
        b"\x92\xa4Even\xcc\x02",  # uint 8
        b"\x92\xa4Even\xcd\x00\x02",  # uint 16
        b"\x92\xa4Even\xce\x00\x00\x00\x02",  # uint 32
        b"\x92\xa4Even\xcf" + bytes(7) + b"\x02",  # uint 64
        b"\x92\xa4Even\xd0\x02",  # int 8
        b"\x92\xa4Even\xd3" + bytes(7) + b"\x02",  # int 64
        b"\x92\xa4Even\xca" + struct.pack(">f", 2.0),  # a float that is whole
        b"\x92\xa4Even\xcb" + struct.pack(">d", 2.0),
        b"\x92\xa4Even\xc3",  # true
        b"\x92\xa4Even\xa12",  # "2"
        b"\x92\xa4Even\x03",  # odd: the invariant
        b"\x92\xa4Even\xc0",  # nil
        b"\x92\xd9\x04Even\x02",  # str 8 for the name
        b"\x92\xc4\x04Even\x02",  # bin 8 for the name
        b"\x92\xa4even\x02",
        b"\xdc\x00\x02\xa4Even\x02",  # array 16
        b"\xdd\x00\x00\x00\x02\xa4Even\x02",  # array 32
        b"\x91\xa4Even",  # a field missing
        b"\x93\xa4Even\x02\x02",  # a field too many
        b"\x91\x02",  # no name
        b"\x82\xa4type\xa4Even\xa5value\x02",  # a map
        b"\xd6\xff\x00\x00\x00\x02",  # a timestamp
        b"\xc1",  # never used
        b"\x92\xa4Even\x02\x00",
        b"\x00\x92\xa4Even\x02",
        b"",
    ],
    ids=lambda data: data.hex(),
)
def test_no_second_encoding_is_accepted(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data, Even)


def with_field(name: str, encoded: bytes) -> bytes:
    """Return :data:`SAMPLE` with one field's bytes replaced."""
    fields = [msgpack("Everything")]
    for field in Everything.__struct_fields__:
        fields.append(encoded if field == name else msgpack(getattr(SAMPLE, field)))
    return bytes([0x90 | len(fields)]) + b"".join(fields)


def test_the_field_replacer_itself_makes_valid_messages() -> None:
    assert with_field("count", msgpack(7)) == encode(SAMPLE)


@pytest.mark.parametrize(
    ("field", "encoded"),
    [
        ("count", msgpack("7")),
        ("count", msgpack(2**63)[:1] + b"\xff" * 7),
        ("ratio", b"\xca" + struct.pack(">f", 0.5)),
        ("ratio", msgpack(1)),
        ("ratio", msgpack("0.5")),
        ("name", b"\xc4\x01a"),
        ("name", b"\xd9\x01a"),
        ("name", b"\xa1\xff"),
        ("name", b"\xa3\xed\xa0\x80"),  # a surrogate
        ("name", b"\xa2\xc0\xaf"),  # an overlong slash
        ("blob", msgpack("ab")),
        ("blob", b"\xc5\x00\x02\x00\xff"),
        ("blob", b"\xc6\x00\x00\x00\x02\x00\xff"),
        ("blob", b"\xc6\xff\xff\xff\xff"),
        ("flag", msgpack(1)),
        ("flag", msgpack(None)),
        ("kind", msgpack("middle")),
        ("kind", b"\xd9\x04left"),
        ("numbers", b"\xdc\x00\x02\x01\xff"),
        ("numbers", b"\xdd\xff\xff\xff\xff\x01"),  # four thousand million elements, promised
        ("numbers", msgpack({0: 1})),
        ("by_party", b"\xde\x00\x01\xa1a\xc4\x00"),
        ("by_party", b"\xdf\xff\xff\xff\xff\xa1a\xc4\x00"),
        ("by_party", b"\x82\xa1a\xc4\x00\xa1a\xc4\x00"),  # the key twice
        ("by_party", b"\x81\x01\xc4\x00"),
        ("optional", msgpack(False)),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:8].hex(),
)
def test_no_second_form_of_a_field_is_accepted(field: str, encoded: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(with_field(field, encoded), Everything)


@pytest.mark.parametrize("depth", [10_000, 1_000_000])
@pytest.mark.parametrize("unit", [b"\x92\xa6Nested", b"\x91", b"\x81\xa1a", b"\x81"])
def test_deep_nesting_must_be_refused(unit: bytes, depth: int) -> None:
    with pytest.raises(DecodeError):
        decode(unit * depth + b"\xc0", Nested)


def test_no_depth_of_nesting_raises_anything_else() -> None:
    # Near the interpreter's limit a message can be shallow enough to decode and too deep to
    # encode again; where that is depends on the caller's own depth.
    limit = sys.getrecursionlimit()
    refused = [
        depth
        for depth in range(limit - 200, limit + 20)
        if not _decodes(b"\x92\xa6Nested" * depth + b"\xc0")
    ]
    assert refused
    assert refused[-1] == limit + 19


def _decodes(data: bytes) -> bool:
    try:
        decode(data, Nested)
    except DecodeError:
        return False
    return True


def test_a_message_over_its_limit_must_be_refused_before_it_is_parsed() -> None:
    assert decode(encode(Short(bytes(7))), Short) == Short(bytes(7))
    with pytest.raises(DecodeError, match="Short of 17 bytes; at most 16"):
        decode(encode(Short(bytes(8))), Short)
    with pytest.raises(DecodeError, match="at most 256"):
        decode(encode(StatementSignature(bytes(300))), StatementSignature)


def test_no_byte_of_the_peer_is_in_an_error() -> None:
    marker = "marker-4711"
    for data in (
        msgpack(["Everything", marker]),
        msgpack([marker, 1]),
        with_field("kind", msgpack(marker)),
        with_field("count", msgpack(marker)),
    ):
        with pytest.raises(DecodeError) as caught:
            decode(data, Everything)
        assert marker not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_a_decode_error_is_the_peers_fault() -> None:
    assert issubclass(DecodeError, RemoteProtocolError)


def test_messages_are_immutable() -> None:
    with pytest.raises(AttributeError):
        Even(2).value = 4  # type: ignore[misc]
