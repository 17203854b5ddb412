"""Decoders under fire, and the largest message of each type."""

from __future__ import annotations

import pytest

from protocols.errors import DecodeError, RemoteProtocolError
from protocols.secure_aggregation import Opening, messages
from protocols.secure_aggregation.messages import (
    MAX_PARTIES,
    MAX_SUMS,
    Contribution,
    ContributorList,
    KeyAdvertisement,
    ListSignature,
    OpeningNote,
    RevealedShares,
    Revelation,
    SealedBundle,
    SealedBundles,
    ShareBundle,
    SignedAdvertisement,
    SignedContribution,
    SignedList,
    SignedRoster,
)
from protocols.suite import get_suite
from protocols.wire import Message, decode, encode
from tests.fuzz.mutations import mutated, noise

SUITE = get_suite("intl")
NAMES = tuple(f"{i:0100d}" for i in range(MAX_PARTIES))
DIGEST, KEY, SIGNATURE = b"\xff" * 32, b"\xff" * 65, b"\xff" * 72
OVERHEAD = 28  # nonce and tag


def largest() -> list[Message]:
    """Return every message at its largest: 100 parties with the longest names, 64 sums."""
    advert = KeyAdvertisement(
        DIGEST, NAMES[0], KEY, (KEY,) * MAX_SUMS, (DIGEST,) * MAX_SUMS, DIGEST
    )
    signed = SignedAdvertisement(encode(advert), SIGNATURE)
    bundle = ShareBundle((b"\xff" * 33,) * MAX_SUMS, (b"\xff" * 33,) * MAX_SUMS, DIGEST)
    sealed = bytes(len(encode(bundle)) + OVERHEAD)
    bundles = tuple(SealedBundle(name, sealed) for name in NAMES)
    number = (1 << 64) - 1
    note = Contribution(DIGEST, number, NAMES[0], DIGEST, DIGEST, DIGEST, number, DIGEST)
    listed = ContributorList(
        DIGEST, number, DIGEST, DIGEST, number, DIGEST, NAMES, (DIGEST,) * MAX_PARTIES, DIGEST
    )
    signatures = tuple(ListSignature(name, SIGNATURE) for name in NAMES)
    signed_list = SignedList(encode(listed), signatures)
    shares = RevealedShares((b"\xff" * 33,) * MAX_PARTIES)
    revelations = tuple(Revelation(name, bytes(len(encode(shares)) + OVERHEAD)) for name in NAMES)
    return [
        advert,
        signed,
        SignedRoster((signed,) * MAX_PARTIES),
        bundle,
        SealedBundles(DIGEST, bundles),
        note,
        SignedContribution(encode(note), SIGNATURE),
        listed,
        signatures[0],
        signed_list,
        shares,
        revelations[0],
        OpeningNote(signed_list, revelations),
    ]


@pytest.mark.parametrize("message", largest(), ids=lambda m: type(m).__name__)
def test_the_largest_message_fits_its_bound_and_the_bound_is_not_loose(message):
    data = encode(message)
    assert decode(data, type(message)) == message
    assert type(message).max_bytes <= 2 * len(data) + 1024
    with pytest.raises(DecodeError, match="at most"):
        decode(bytes(type(message).max_bytes + 1), type(message))


def test_every_message_type_of_the_room_is_among_them():
    own = {
        value
        for value in vars(messages).values()
        if isinstance(value, type) and issubclass(value, Message) and value is not Message
    }
    assert own - {type(message) for message in largest()} == {SealedBundle}


@pytest.mark.parametrize("message", largest(), ids=lambda m: type(m).__name__)
def test_hostile_bytes_raise_nothing_but_a_decode_error(message):
    stream = SUITE.stream(bytes(32), type(message).__name__.encode())
    data = encode(message)[:4000]
    small = encode(type(message)(*(_smaller(v) for v in _fields(message))))
    for i in range(150):
        hostile = noise(stream) if i % 5 == 0 else mutated(small if i % 2 else data, data, stream)
        try:
            found = decode(hostile, type(message))
        except RemoteProtocolError:
            continue
        assert encode(found) == hostile


def _fields(message: Message) -> list[object]:
    return [getattr(message, name) for name in message.__struct_fields__]


def _smaller(value: object) -> object:
    if isinstance(value, tuple):
        return value[:2]
    return value[:40] if isinstance(value, bytes | str) else value


def test_an_openings_note_is_decoded_as_strictly():
    stream = SUITE.stream(bytes(32), b"opening")
    listed = ContributorList(
        DIGEST, 1, DIGEST, DIGEST, 0, DIGEST, ("a", "b"), (DIGEST,) * 2, DIGEST
    )
    note = encode(
        OpeningNote(
            SignedList(encode(listed), (ListSignature("a", SIGNATURE),)), (Revelation("a", DIGEST),)
        )
    )
    assert Opening.read(note, []).note() == note
    for _ in range(500):
        hostile = mutated(note, note, stream)
        try:
            found = Opening.read(hostile, [])
        except RemoteProtocolError:
            continue
        assert found.note() == hostile


def test_bundles_stand_once_and_in_order():
    first, second = SealedBundle("a", b""), SealedBundle("b", b"")
    for bundles in ((second, first), (first, first)):
        with pytest.raises(ValueError, match="ascending"):
            SealedBundles(b"", bundles)
    assert SealedBundles.of(b"r", {"b": b"2", "a": b"1"}).by_party() == {"a": b"1", "b": b"2"}
