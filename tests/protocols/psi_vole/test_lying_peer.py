"""A peer that departs from the protocol is refused, by the honest side, naming the message."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.arguments import MAX_ITEMS
from protocols.errors import RemoteProtocolError
from protocols.psi_vole import (
    MaskedColumns,
    Matches,
    Tags,
    Terms,
    hear_matches,
    receiver,
    steps,
    tell_matches,
)
from protocols.psi_vole.messages import CHUNK_BYTES
from protocols.wire import Message, decode, encode
from tests.drive import Deadlock, drive
from tests.protocols.psi_vole import pair

BANK, RETAILER = [1, 2, 3, 4, 5], [3, 4, 5, 6]
WIDTH = steps.tag_bytes(len(BANK), len(RETAILER))
SENDS = {"bank": MaskedColumns, "retailer": Tags}


def refused(liar: str, alter: pair.Alter, match: str, **terms: Any) -> RemoteProtocolError:
    """Run with ``liar`` altering its messages; return the error of the other, honest side."""
    refusals = pair.Refusals()
    with pytest.raises(RemoteProtocolError, match=match):
        pair.run(BANK, RETAILER, liar=liar, alter=alter, refusals=refusals, **terms)
    # An error in decoding is raised by the driver for the party that waits, not by its role.
    assert set(refusals.by) <= {pair.PEER[liar]}
    return refusals.by.get(pair.PEER[liar], RemoteProtocolError(""))


def replacing(type_: type[Message], change) -> pair.Alter:
    """Alter each message of ``type_`` by ``change(message) -> message or list of messages``."""

    def alter(message):
        if not isinstance(message, type_):
            return [message]
        changed = change(message)
        return changed if isinstance(changed, list) else [changed]

    return alter


def edit(type_: type[Message], field: str, change) -> pair.Alter:
    return replacing(
        type_,
        lambda message: msgspec.structs.replace(
            message, **{field: change(getattr(message, field))}
        ),
    )


def field_of(type_: type[Message]) -> str:
    return type_.__struct_fields__[0]


LIARS = pytest.mark.parametrize("liar", ["bank", "retailer"])


@LIARS
@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("version", "fedcrm-psi-vole/0", "version"),
        ("suite", "intl", "suite is not ours, gm"),
        ("party", "other", "other parties"),
        ("peer", "other", "other parties"),
        ("context", b"another attempt", "same signed spec and attempt"),
    ],
)
def test_other_terms_are_refused(liar, field, value, match):
    error = refused(liar, edit(Terms, field, lambda _: value), match)
    assert error.reason.startswith("Terms: ")


def test_two_of_one_role_are_refused():
    roles = {
        party: receiver(pair.items(BANK), **pair.arguments(party)) for party in ("bank", "retailer")
    }
    with pytest.raises(RemoteProtocolError, match="both sides run the receiver"):
        drive(roles)


def test_a_different_context_is_refused_before_any_vole():
    refusals = pair.Refusals()
    with pytest.raises(RemoteProtocolError, match="Terms: peer's"):
        pair.run(BANK, RETAILER, bank_terms={"context": b"other"}, refusals=refusals)
    assert len(refusals.by) == 1


def test_a_sender_that_lies_about_its_size_is_refused():
    for claimed in (len(RETAILER) - 1, len(RETAILER) + 1, 40_000):
        match = r"Tags 1 of \d: \d+ bytes, but the size in Terms asks for"
        refused("retailer", edit(Terms, "size", lambda _, n=claimed: n), match)


def test_a_receiver_that_lies_about_its_size_is_refused():
    match = r"MaskedColumns 1 of 1: 2560 bytes, but the size in Terms asks for 448 x 8"
    refused("bank", edit(Terms, "size", lambda _: 150), match)


def test_a_size_that_changes_no_length_spoils_only_the_liars_own_result():
    """Five claimed as four: the same columns, another number of items to the Sender."""
    results, _ = pair.run(
        BANK, RETAILER, liar="bank", alter=edit(Terms, "size", lambda size: size - 1)
    )
    assert results["retailer"].peer_size == len(BANK) - 1


@LIARS
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[:-8],
        lambda data: data + bytes(1),
        lambda data: data + data,
        lambda data: b"",
    ],
)
def test_short_and_long_lists_are_refused(liar, change):
    type_ = SENDS[liar]
    error = refused(liar, edit(type_, field_of(type_), change), "bytes, but the size")
    assert error.reason.startswith(f"{type_.__name__} 1 of 1: ")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[WIDTH : 2 * WIDTH] + data[:WIDTH] + data[2 * WIDTH :],
        lambda data: data[:-WIDTH] + data[-2 * WIDTH : -WIDTH],
        lambda data: data[:WIDTH] * len(RETAILER),
        lambda data: data[WIDTH:] + data[:WIDTH],
        lambda data: b"\xff" * WIDTH + data[WIDTH:],
        lambda data: data[:-WIDTH] + bytes(WIDTH),
        lambda data: bytes(len(data)),
    ],
)
def test_tags_out_of_order_or_repeated_are_refused(change):
    error = refused("retailer", edit(Tags, "tags", change), "not in ascending order, or repeated")
    assert error.reason.startswith("Tags 1 of 1: ")


def test_tags_sent_again_are_refused(monkeypatch):
    monkeypatch.setattr(steps, "CHUNK_BYTES", 2 * WIDTH)
    refused("retailer", replacing(Tags, lambda m: [m, m]), "Tags 2 of 2: not in ascending order")


def test_columns_sent_again_are_read_as_the_next_and_match_nothing(monkeypatch):
    """The last chunk too many is left to the driver, which refuses messages nobody reads."""
    monkeypatch.setattr(steps, "CHUNK_BYTES", 1280)
    with pytest.raises(AssertionError, match="nobody read"):
        pair.run(BANK, RETAILER, liar="bank", alter=replacing(MaskedColumns, lambda m: [m, m]))


@LIARS
def test_silence_in_place_of_a_list_is_left_to_the_drivers_deadline(liar):
    with pytest.raises(Deadlock):
        pair.run(BANK, RETAILER, liar=liar, alter=replacing(SENDS[liar], lambda _: []))


@LIARS
def test_messages_out_of_turn_are_refused(liar):
    wrong = {"bank": Tags(bytes(2560)), "retailer": MaskedColumns(bytes(8))}[liar]
    refused(liar, replacing(SENDS[liar], lambda _: wrong), "not a well-formed")


def test_changed_columns_make_matches_vanish_and_nothing_else():
    def flip(data):
        return bytes(octet ^ 1 for octet in data)

    results, _ = pair.run(
        list(range(200)), list(range(200)), liar="bank", alter=edit(MaskedColumns, "columns", flip)
    )
    assert len(results["bank"].positions) < 200


def test_made_up_tags_match_nothing():
    tags = b"".join(bytes([k]) * WIDTH for k in range(1, len(RETAILER) + 1))
    results, _ = pair.run(BANK, RETAILER, liar="retailer", alter=edit(Tags, "tags", lambda _: tags))
    assert results["bank"].positions.tolist() == []
    assert results["bank"].answer == b"\x00"


@pytest.mark.parametrize(
    ("sizes", "answers", "match"),
    [
        ([5], [b"\x00\x00"], "Matches 1 of 1: 2 bytes"),
        ([8, 8], [b"\xff"], "Matches 1 of 1: 1 bytes"),
        ([5], [b"\x20"], "did not send"),
        ([8, 3], [b"\xff", b"\xf0"], "did not send"),
    ],
)
def test_answers_that_do_not_fit_are_refused(sizes, answers, match):
    roles = {
        "bank": tell_matches(answers, peer="retailer"),
        "retailer": hear_matches([np.arange(size) for size in sizes], peer="bank"),
    }
    with pytest.raises(RemoteProtocolError, match=match):
        drive(roles)


@pytest.mark.parametrize(
    "changed",
    [
        {"size": -1},
        {"size": MAX_ITEMS + 1},
        {"version": "v" * 257},
        {"party": "p" * 257},
        {"context": bytes(1025)},
        {"role": "coordinator"},
        {"salt": bytes(31)},
        {"salt": bytes(33)},
        {"salt": b""},
        {"role": "sender"},
    ],
)
def test_terms_out_of_range_do_not_decode(changed):
    fields = ["fedcrm-psi-vole/1", "gm", "bank", "retailer", "receiver", b"context", 5, bytes(32)]
    names = Terms.__struct_fields__
    values = [changed.get(name, value) for name, value in zip(names, fields, strict=True)]
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode(["Terms", *values]), Terms)


EXAMPLES: list[Message] = [
    Terms("fedcrm-psi-vole/1", "gm", "bank", "retailer", "receiver", b"context", 5, bytes(32)),
    MaskedColumns(bytes(64)),
    Tags(bytes(20)),
    Matches(bytes(2)),
]
BY_TYPE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda m: type(m).__name__)


def decode_or_refuse(data: bytes, type_: type[Message]) -> None:
    """What decodes re-encodes to itself; only RemoteProtocolError escapes."""
    try:
        message = decode(data, type_)
    except RemoteProtocolError as error:
        assert type_.__name__ in str(error)  # noqa: PT017
        return
    assert encode(message) == data


@BY_TYPE
@given(data=st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_random_bytes_are_refused(example, data):
    decode_or_refuse(data, type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_bit_flips_are_refused_or_another_message(example, data):
    encoded = bytearray(encode(example))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decode_or_refuse(bytes(encoded), type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_cut_and_trailing_bytes_are_refused(example, data):
    encoded = encode(example)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(RemoteProtocolError):
            decode(wrong, type(example))


@pytest.mark.parametrize("type_", [MaskedColumns, Tags, Matches])
def test_oversized_chunks_are_refused_before_decoding(type_):
    largest = type_(bytes(CHUNK_BYTES))
    assert decode(encode(largest), type_) == largest
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode(encode(type_(bytes(CHUNK_BYTES + 64))), type_)


@LIARS
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_flipped_on_the_wire_only_remote_errors_escape(liar, data):
    """One bit of one message: refused, or at most some matches are lost."""
    target = data.draw(st.sampled_from([Terms, SENDS[liar]]))
    bit = data.draw(st.integers(0, 1 << 16))

    def flip(message):
        encoded = bytearray(encode(message))
        encoded[bit // 8 % len(encoded)] ^= 1 << bit % 8
        return decode(bytes(encoded), target)

    try:
        results, _ = pair.run(BANK, RETAILER, liar=liar, alter=replacing(target, flip))
    except RemoteProtocolError:
        return
    assert set(results["bank"].positions.tolist()) <= {2, 3, 4}
