"""A peer that departs from the protocol is refused, by the honest side, naming the message."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.arguments import MAX_ITEMS
from protocols.errors import RemoteProtocolError, VerifyError
from protocols.psi_ecdh import (
    SIGNATURE_PREFIX,
    BlindedItems,
    EvaluatedItems,
    Opening,
    SizeStatement,
    Terms,
    receiver,
    steps,
)
from protocols.psi_ecdh.messages import CHUNK_INDICES, CHUNK_ITEMS
from protocols.roles import Progress, Receive, Send
from protocols.wire import Message, decode, encode
from tests.drive import Deadlock, drive
from tests.protocols.psi_ecdh import pair
from tests.protocols.suite import plain_gm, plain_intl

BANK, RETAILER = [1, 2, 3, 4, 5], [3, 4, 5, 6]
P = plain_gm.P
OFF_CURVE = next(x for x in range(1, 99) if not plain_gm.is_square(plain_gm.curve(x)))


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


LIARS = pytest.mark.parametrize("liar", ["bank", "retailer"])


@LIARS
@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("version", "fedcrm-psi-ecdh/0", "version"),
        ("suite", "intl", "suite is not ours, gm"),
        ("party", "other", "other parties"),
        ("peer", "other", "other parties"),
        ("context", b"another attempt", "same signed spec and attempt"),
        ("floor", 2, "floor is 2, ours 1"),
        ("reveal", "size", "peer would reveal the size to both, we the list to both"),
        ("to", "receiver", "reveal the list to the receiver, we the list to both"),
    ],
)
def test_other_terms_are_refused(liar, field, value, match):
    error = refused(liar, edit(Terms, field, lambda _: value), match)
    assert error.reason.startswith("Terms: ")


@LIARS
def test_two_of_one_role_are_refused(liar):
    swap = {"receiver": "sender", "sender": "receiver"}
    refused(liar, edit(Terms, "role", swap.__getitem__), "one must be the other")


def test_two_receivers_are_refused():
    roles = {
        party: receiver(pair.items(BANK), **pair.arguments(party)) for party in ("bank", "retailer")
    }
    with pytest.raises(RemoteProtocolError, match="both sides run the receiver"):
        drive(roles)


def test_different_contexts_or_floors_are_refused_before_any_item_is_sent():
    for changed in ({"context": b"other"}, {"floor": 7}):
        refusals = pair.Refusals()
        with pytest.raises(RemoteProtocolError, match="Terms: peer's"):
            pair.run(BANK, RETAILER, bank_terms=changed, refusals=refusals)
        assert len(refusals.by) == 1


@LIARS
@pytest.mark.parametrize("claimed", [-1, 1])
def test_a_size_other_than_the_list_is_refused(liar, claimed):
    match = r"BlindedItems 1 of 1: \d+ bytes, but the size in Terms asks for \d x 32"
    refused(liar, edit(Terms, "size", lambda size: size + claimed), match)


@LIARS
@pytest.mark.parametrize("type_", [BlindedItems, EvaluatedItems])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-32], "bytes, but the size"),
        (lambda data: data + data[:32], "bytes, but the size"),
        (lambda data: data + (7).to_bytes(32, "big"), "bytes, but the size"),
        (lambda data: data[:-1], "bytes, but the size"),
        (lambda data: b"", "bytes, but the size"),
        (lambda data: data[:32] + OFF_CURVE.to_bytes(32, "big") + data[64:], "element 1 is not"),
        (lambda data: P.to_bytes(32, "big") + data[32:], "element 0 is not"),
        (lambda data: data[:-32] + b"\xff" * 32, r"element \d is not"),
    ],
)
def test_bad_lists_are_refused(liar, type_, change, match):
    error = refused(liar, edit(type_, "elements", change), match)
    assert error.reason.startswith(f"{type_.__name__} 1 of 1: ")


@LIARS
@pytest.mark.parametrize("type_", [BlindedItems, EvaluatedItems])
def test_a_repeated_element_is_refused(liar, type_):
    error = refused(liar, edit(type_, "elements", lambda data: data[:-32] + data[:32]), "twice")
    assert error.reason == f"{type_.__name__}: an element occurs twice"


def inverse(element: bytes) -> bytes:
    """x of the sum of Curve25519's (x, y) and (0, 0), which has order 2: 1 / x."""
    x = pow(int.from_bytes(element, "little"), -1, plain_intl.P)
    return x.to_bytes(32, "little")


@LIARS
def test_elements_that_differ_by_a_point_of_low_order_are_refused(liar):
    """On Curve25519 they are different elements that every scalar makes one."""
    refusals = pair.Refusals()
    alter = edit(BlindedItems, "elements", lambda data: data[:-32] + inverse(data[:32]))
    with pytest.raises(RemoteProtocolError, match=r"one under our scalar|an element occurs twice"):
        pair.run(BANK, RETAILER, liar=liar, alter=alter, refusals=refusals, suite=pair.INTL)
    assert len(refusals.by) == 1


@pytest.mark.parametrize(
    ("own", "peers", "match"),
    [
        ([1, 2, 1], [3, 4], "EvaluatedItems: an element occurs twice"),
        ([1, 2, 1], [1, 3], "EvaluatedItems: an element occurs twice"),
        ([1, 1, 1], [1, 1], "EvaluatedItems: an element occurs twice"),
        ([1, 2, 5], [3, 3], "BlindedItems: two elements are one under our scalar"),
        ([1, 2, 5], [2, 2], "BlindedItems: two elements are one under our scalar"),
        ([1, 2, 5], [2, 2, 2, 1], "BlindedItems: two elements are one under our scalar"),
    ],
)
def test_repeated_elements_are_found_wherever_they_are(own, peers, match):
    party = steps.Party(
        role="receiver",
        reveal="list",
        to="both",
        items=pair.items([1, 2, 3]),
        **pair.arguments("bank"),
    )
    for order in itertools.permutations(range(len(own))):
        elements = pair.items([*(own[i] for i in order), *peers])
        with pytest.raises(RemoteProtocolError, match=match):
            steps.match(party, steps.Evaluated(np.arange(len(peers)), elements, len(own)))


def chunk_count(liar: str, type_: type[Message]) -> int:
    """How many chunks of two ``liar`` sends: its own items, or what it returns of the peer's."""
    whose = BANK if (liar == "bank") is (type_ is BlindedItems) else RETAILER
    return -(-len(whose) // 2)


def run_with_last_chunk(liar: str, type_: type[Message], times: int) -> None:
    countdown = iter(range(chunk_count(liar, type_) - 1, -1, -1))
    alter = replacing(type_, lambda m: [m] if next(countdown) else [m] * times)
    with patch.object(steps, "CHUNK_ITEMS", 2):
        pair.run(BANK, RETAILER, liar=liar, alter=alter)


@pytest.mark.parametrize(
    ("liar", "type_", "times"),
    [
        ("bank", BlindedItems, 0),
        ("bank", BlindedItems, 2),
        ("bank", EvaluatedItems, 0),
        ("bank", EvaluatedItems, 2),
        ("retailer", BlindedItems, 0),
        ("retailer", BlindedItems, 2),
        ("retailer", EvaluatedItems, 2),
    ],
)
def test_a_last_chunk_missing_or_sent_twice_is_refused(liar, type_, times):
    with pytest.raises(RemoteProtocolError, match="not a well-formed"):
        run_with_last_chunk(liar, type_, times)


def test_silence_in_place_of_a_chunk_is_left_to_the_drivers_deadline():
    with pytest.raises(Deadlock):
        run_with_last_chunk("retailer", EvaluatedItems, 0)


@LIARS
@pytest.mark.parametrize(
    ("type_", "match"),
    [
        (BlindedItems, "BlindedItems: an element occurs twice|BlindedItems 3 of 3"),
        (EvaluatedItems, "EvaluatedItems: an element occurs twice|EvaluatedItems 3 of 3"),
        (Opening, "Opening: not a permutation|Opening 3 of 3"),
    ],
)
def test_a_chunk_sent_again_is_refused(liar, type_, match):
    with patch.multiple(steps, CHUNK_ITEMS=2, CHUNK_INDICES=2):
        refused(liar, replacing(type_, lambda m: [m, m]), match)


@LIARS
def test_an_element_repeated_in_another_chunk_is_refused(liar):
    first: list[bytes] = []

    def repeat(data):
        first.append(data)
        return data if len(first) == 1 else first[0][: len(data)]

    with patch.object(steps, "CHUNK_ITEMS", 2):
        error = refused(liar, edit(BlindedItems, "elements", repeat), "occurs twice")
    assert error.reason.startswith("BlindedItems: ")


def test_a_peer_that_mirrors_our_messages_is_refused():
    """Without a single item it would otherwise match the whole list."""
    terms = next(pair.role("bank", BANK)).message
    told: list[str] = []

    def mirror():
        role, echo = pair.role("bank", BANK), deque()
        echo.append(msgspec.structs.replace(terms, party="retailer", peer="bank", role="sender"))
        request = next(role)
        while True:
            if isinstance(request, Send) and not isinstance(request.message, Terms):
                echo.append(request.message)
            if isinstance(request, Progress):
                told.append(request.step)
            request = role.send(echo.popleft() if isinstance(request, Receive) else None)

    with pytest.raises(RemoteProtocolError, match="BlindedItems: contains elements that we sent"):
        mirror()
    assert told == ["blind", "evaluate"]  # nothing it made of our elements has left


def test_a_changed_element_leads_to_different_statements():
    other = plain_gm.G[0].to_bytes(32, "big")
    error = refused(
        "bank",
        edit(EvaluatedItems, "elements", lambda data: other + data[32:]),
        "not the one we computed",
    )
    assert isinstance(error, VerifyError)


@LIARS
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("intersection", 4),
        ("floor", 2),
        ("opened", False),
        ("sizes", {"bank": 6, "retailer": 4}),
        ("reveal", "size"),
        ("to", "receiver"),
        ("context", ""),
        ("transcript", "00" * 32),
        ("version", "fedcrm-psi-ecdh/3"),
        ("extra", 1),
    ],
)
def test_a_changed_statement_is_refused_even_signed(liar, field, value):
    def change(message):
        statement = json.loads(message.statement) | {field: value}
        data = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
        signed = SIGNATURE_PREFIX + data
        return SizeStatement(data, pair.SUITE.sign(pair.KEYS["gm"][liar][0], signed, bytes(32)))

    error = refused(liar, replacing(SizeStatement, change), "not the one we computed")
    assert isinstance(error, VerifyError)


@LIARS
@pytest.mark.parametrize(
    "change",
    [
        lambda signature: b"",
        lambda signature: signature + b"\0",
        lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
        lambda signature: pair.SUITE.sign(pair.KEYS["gm"]["bank"][0], b"another", bytes(32)),
    ],
)
def test_a_wrong_signature_is_refused(liar, change):
    error = refused(liar, edit(SizeStatement, "signature", change), "SizeStatement: ")
    assert isinstance(error, VerifyError)


@LIARS
def test_a_signature_by_another_key_is_refused(liar):
    other, _ = pair.SUITE.generate_signing_key(b"\x09" * 32)
    refusals = pair.Refusals()
    with pytest.raises(VerifyError, match="does not verify"):
        pair.run(BANK, RETAILER, **{f"{liar}_terms": {"private_key": other}}, refusals=refusals)
    assert set(refusals.by) == {pair.PEER[liar]}


def test_the_sender_does_not_sign_what_it_did_not_compute():
    sent: list[Message] = []

    def record(message):
        sent.append(message)
        return [message]

    with pytest.raises(VerifyError):
        pair.run(
            BANK,
            RETAILER,
            bank_terms={"private_key": pair.KEYS["gm"]["retailer"][0]},
            liar="retailer",
            alter=record,
        )
    assert any(isinstance(message, EvaluatedItems) for message in sent)
    assert not any(isinstance(message, SizeStatement) for message in sent)


@LIARS
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-4], "bytes, but the size"),
        (lambda data: data + bytes(4), "bytes, but the size"),
        (lambda data: data[:-1], "bytes, but the size"),
        (lambda data: data[:-4] + data[:4], "not a permutation"),
        (lambda data: b"\xff" * 4 + data[4:], "not a permutation"),
        (lambda data: bytes(len(data)), "not a permutation"),
    ],
)
def test_a_wrong_opening_is_refused(liar, change, match):
    error = refused(liar, edit(Opening, "indices", change), match)
    assert error.reason.startswith("Opening")


@LIARS
def test_messages_out_of_turn_are_refused(liar):
    with pytest.raises(RemoteProtocolError, match="not a well-formed"):
        pair.run(
            BANK,
            RETAILER,
            liar=liar,
            alter=replacing(BlindedItems, lambda m: EvaluatedItems(m.elements)),
        )


@pytest.mark.parametrize(
    "changed",
    [
        {"floor": 0},
        {"floor": -1},
        {"size": -1},
        {"size": MAX_ITEMS + 1},
        {"floor": MAX_ITEMS + 1},
        {"version": "v" * 257},
        {"party": "p" * 257},
        {"context": bytes(1025)},
        {"role": "coordinator"},
        {"reveal": "sum"},
        {"to": "sender"},
    ],
)
def test_terms_out_of_range_do_not_decode(changed):
    fields = [
        "fedcrm-psi-ecdh/2",
        "gm",
        "bank",
        "retailer",
        "receiver",
        b"context",
        1,
        "list",
        "both",
        5,
    ]
    names = Terms.__struct_fields__
    values = [changed.get(name, value) for name, value in zip(names, fields, strict=True)]
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode(["Terms", *values]), Terms)


EXAMPLES: list[Message] = [
    Terms(
        "fedcrm-psi-ecdh/2", "gm", "bank", "retailer", "receiver", b"context", 1, "list", "both", 5
    ),
    BlindedItems(bytes(64)),
    EvaluatedItems(bytes(64)),
    SizeStatement(b"{}", b"0"),
    Opening(bytes(8)),
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


@pytest.mark.parametrize("type_", [BlindedItems, EvaluatedItems, Opening])
def test_oversized_chunks_are_refused_before_decoding(type_):
    largest = bytes(CHUNK_INDICES * 4 if type_ is Opening else CHUNK_ITEMS * 32)
    assert decode(encode(type_(largest)), type_) == type_(largest)
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode(encode(type_(largest + bytes(64))), type_)


@LIARS
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_is_flipped_on_the_wire_only_remote_errors_escape(liar, data):
    """One bit of one message: refused, or without effect on what the parties agreed."""
    target = data.draw(st.sampled_from([type(example) for example in EXAMPLES]))
    bit = data.draw(st.integers(0, 1 << 16))

    def flip(message):
        encoded = bytearray(encode(message))
        encoded[bit // 8 % len(encoded)] ^= 1 << bit % 8
        return decode(bytes(encoded), target)

    try:
        results, _ = pair.run(BANK, RETAILER, liar=liar, alter=replacing(target, flip))
    except RemoteProtocolError:
        return
    assert {result.size for result in results.values()} == {3}
    assert len({result.statement for result in results.values()}) == 1


@LIARS
@pytest.mark.parametrize(
    ("reveal", "to"),
    [("list", "both"), ("list", "receiver"), ("size", "both"), ("size", "receiver")],
)
def test_an_opening_before_the_size_is_signed_is_refused(liar, reveal, to):
    refused(
        liar,
        replacing(SizeStatement, lambda m: [Opening(bytes(20)), m]),
        "not a well-formed SizeStatement",
        reveal=reveal,
        to=to,
    )


def test_the_sender_of_a_size_for_the_receiver_takes_no_evaluated_items():
    error = refused(
        "bank",
        replacing(SizeStatement, lambda m: [EvaluatedItems(bytes(32 * 4)), m]),
        "not a well-formed SizeStatement",
        reveal="size",
        to="receiver",
    )
    assert isinstance(error, RemoteProtocolError)
