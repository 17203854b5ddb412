"""A peer that departs from the protocol is refused, by the honest side, naming the message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.arguments import MAX_ITEMS
from protocols.elgamal import PrivateKey
from protocols.errors import RemoteProtocolError, VerifyError
from protocols.psi_sum import (
    SIGNATURE_PREFIX,
    BlindedItems,
    Cardinality,
    DecryptionShare,
    EncryptedSum,
    EncryptionKey,
    EvaluatedItems,
    SizeStatement,
    SumStatement,
    Terms,
    ValuedItems,
    receiver,
)
from protocols.psi_sum.messages import CHUNK_ITEMS
from protocols.wire import Message, decode, encode
from tests.drive import Deadlock, drive
from tests.protocols.base_ot.plain_base_ot import SM2
from tests.protocols.psi_sum import pair
from tests.protocols.suite import plain_gm, plain_intl

BANK, RETAILER = [1, 2, 3, 4, 5], {3: 40, 4: 2, 5: 7, 6: 1000}
P = plain_gm.P
OFF_CURVE = next(x for x in range(1, 99) if not plain_gm.is_square(plain_gm.curve(x)))
NO_POINT = b"\x02" + OFF_CURVE.to_bytes(32, "big")
POINT = SM2.encode(SM2.multiply(77, SM2.g))
LIARS = pytest.mark.parametrize("liar", ["bank", "retailer"])


@pytest.fixture(autouse=True)
def small_totals() -> Iterator[None]:
    """A wrong sum is looked for in the whole range before it is refused: make that short."""
    with pair.constants(TOTAL_LIMIT=1 << 20):
        yield


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


@LIARS
@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("version", "fedcrm-psi-sum/0", "version"),
        ("suite", "intl", "suite is not ours, gm"),
        ("party", "other", "other parties"),
        ("peer", "other", "other parties"),
        ("context", b"another attempt", "same signed spec and attempt"),
        ("floor", 2, "floor is 2, ours 1"),
        ("to", "receiver", "peer's sum is for the receiver, ours for both"),
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


LISTS = [
    ("bank", BlindedItems, "elements", 32),
    ("retailer", EvaluatedItems, "elements", 32),
    ("retailer", ValuedItems, "elements", 32),
    ("retailer", ValuedItems, "ciphertexts", 66),
]


@LIARS
@pytest.mark.parametrize("claimed", [-1, 1])
def test_a_size_other_than_the_list_is_refused(liar, claimed):
    match = r"(Blinded|Valued)Items 1 of 1: \d+ bytes, but the size in Terms asks for \d x 32"
    refused(liar, edit(Terms, "size", lambda size: size + claimed), match)


@pytest.mark.parametrize(("liar", "type_", "field", "width"), LISTS)
@pytest.mark.parametrize(
    "change",
    [
        lambda data, width: data[:-width],
        lambda data, width: data[:-1],
        lambda data, width: b"",
        lambda data, width: data[:width] * 99,
    ],
)
def test_lists_of_a_wrong_length_are_refused(liar, type_, field, width, change):
    match = f"{type_.__name__} 1 of 1: .* bytes, but the size in Terms asks for . x {width}"
    refused(liar, edit(type_, field, lambda data: change(data, width)), match)


@pytest.mark.parametrize(("liar", "type_"), [row[:2] for row in LISTS[:3]])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:32] + OFF_CURVE.to_bytes(32, "big") + data[64:], "element 1 is not"),
        (lambda data: P.to_bytes(32, "big") + data[32:], "element 0 is not"),
        (lambda data: data[:-32] + b"\xff" * 32, r"element \d is not"),
    ],
)
def test_elements_outside_the_group_are_refused(liar, type_, change, match):
    error = refused(liar, edit(type_, "elements", change), match)
    assert error.reason.startswith(f"{type_.__name__} 1 of 1: ")


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("bad", [NO_POINT, bytes(33), b"\x04" + POINT[1:], b"\x02" + b"\xff" * 32])
def test_every_ciphertext_is_checked_whether_it_matches_or_not(at, bad):
    """A refusal only where it matches would tell whether it does."""

    def spoil(data):
        return data[: 33 * at] + bad + data[33 * at + 33 :]

    match = f"ValuedItems 1 of 1: ciphertext {at // 2} is not two points of the group"
    refused("retailer", edit(ValuedItems, "ciphertexts", spoil), match, floor=4)


@pytest.mark.parametrize(("liar", "type_"), [row[:2] for row in LISTS[:3]])
def test_a_repeated_element_is_refused(liar, type_):
    error = refused(liar, edit(type_, "elements", lambda data: data[:-32] + data[:32]), "twice")
    assert error.reason == f"{type_.__name__}: an element occurs twice"


def inverse(element: bytes) -> bytes:
    """x of the sum of Curve25519's (x, y) and (0, 0), which has order 2: 1 / x."""
    x = pow(int.from_bytes(element, "little"), -1, plain_intl.P)
    return x.to_bytes(32, "little")


@pytest.mark.parametrize(
    ("liar", "type_", "match"),
    [
        ("bank", BlindedItems, "EvaluatedItems: an element occurs twice"),
        ("retailer", ValuedItems, "ValuedItems: two elements are one under our scalar"),
    ],
)
def test_elements_that_differ_by_a_point_of_low_order_are_refused(liar, type_, match):
    """On Curve25519 they are different elements that every scalar makes one."""
    alter = edit(type_, "elements", lambda data: data[:-32] + inverse(data[:32]))
    with pytest.raises(RemoteProtocolError, match=match):
        pair.run(BANK, RETAILER, liar=liar, alter=alter, suite=pair.INTL)


@pytest.mark.parametrize(("liar", "type_"), [("bank", BlindedItems), ("retailer", ValuedItems)])
def test_mirrored_elements_are_refused(liar, type_):
    seen: dict[type, bytes] = {}

    def remember(message):
        if isinstance(message, BlindedItems | ValuedItems):
            seen[type(message)] = message.elements
        return [message]

    other = ValuedItems if type_ is BlindedItems else BlindedItems
    pair.run(BANK, RETAILER, liar=pair.PEER[liar], alter=remember)
    stolen = seen[other][:32]
    error = refused(
        liar, edit(type_, "elements", lambda data: data[:-32] + stolen), "elements that we sent"
    )
    assert error.reason == f"{type_.__name__}: contains elements that we sent"


def with_last_chunk(liar: str, type_: type[Message], times: int) -> None:
    whose = BANK if type_ is not ValuedItems else RETAILER
    countdown = iter(range(-(-len(whose) // 2) - 1, -1, -1))
    alter = replacing(type_, lambda m: [m] if next(countdown) else [m] * times)
    with pair.constants(CHUNK_ITEMS=2):
        pair.run(BANK, RETAILER, liar=liar, alter=alter)


@pytest.mark.parametrize(("liar", "type_"), [row[:2] for row in LISTS[:3]])
@pytest.mark.parametrize("times", [0, 2])
def test_a_last_chunk_missing_or_sent_twice_is_refused(liar, type_, times):
    # What the Receiver waits for next has no other type: silence, which the driver's deadline ends.
    silent = type_ is not ValuedItems and times == 0
    expected = Deadlock if silent else RemoteProtocolError
    with pytest.raises(expected, match=None if silent else "not a well-formed"):
        with_last_chunk(liar, type_, times)


@pytest.mark.parametrize("type_", [EncryptionKey, DecryptionShare])
@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (b"", "0 bytes, not 1 x 33"),
        (POINT[:-1], "32 bytes, not 1 x 33"),
        (POINT * 2, "66 bytes, not 1 x 33"),
        (bytes(33), "not a point of the group"),
        (NO_POINT, "not a point of the group"),
        (b"\x05" + POINT[1:], "not a point of the group"),
    ],
)
def test_single_points_are_checked(type_, bad, match):
    error = refused("retailer", edit(type_, "point", lambda _: bad), match)
    assert error.reason.startswith(f"{type_.__name__}: ")


@pytest.mark.parametrize(
    ("to", "bad", "match"),
    [
        ("both", POINT, "33 bytes, not 2 x 33"),
        ("receiver", POINT * 2, "66 bytes, not 1 x 33"),
        ("both", POINT + NO_POINT, "not a point"),
        ("both", NO_POINT + POINT, "not a point"),
        ("receiver", NO_POINT, "not a point"),
        ("receiver", b"", "0 bytes"),
        ("both", POINT * 2, "holds no sum in the range"),
    ],
)
def test_a_bad_encrypted_sum_is_refused(to, bad, match):
    error = refused("bank", edit(EncryptedSum, "points", lambda _: bad), match, to=to)
    assert error.reason.startswith("EncryptedSum: ")


def test_a_share_that_opens_no_sum_is_refused():
    error = refused(
        "retailer", edit(DecryptionShare, "point", lambda _: POINT), "opens no sum", to="receiver"
    )
    assert error.reason.startswith("DecryptionShare: ")


def with_ciphertexts(change, bank: list[int], retailer: dict[int, int]) -> int | None:
    """Run against a Sender that encrypts and signs what ``change`` makes of its ciphertexts."""
    honest = PrivateKey.encrypt

    def encrypt(key, values, stream):
        rows = honest(key, values, stream).copy()
        change(rows)
        return rows

    with patch.object(PrivateKey, "encrypt", encrypt):
        return pair.run(bank, retailer)[0]["bank"].total


def test_a_value_out_of_range_is_refused_by_the_sum():
    offset = SM2.encode(SM2.multiply(1 << 50, SM2.g))

    def enlarge(rows):
        for row in rows:
            row[33:] = np.frombuffer(pair.SUITE.points.add(row[33:].tobytes(), offset), np.uint8)

    with pytest.raises(RemoteProtocolError, match="no sum in the range"):
        with_ciphertexts(enlarge, BANK, RETAILER)


def test_ciphertexts_with_an_infinite_sum_are_not_told_by_a_refusal():
    """It would tell the Sender that two items, whose ciphertexts are opposites, are shared."""

    def oppose(rows):
        opposites = pair.SUITE.points.negate(rows[0].tobytes())
        rows[1] = np.frombuffer(opposites, np.uint8)

    assert with_ciphertexts(oppose, [1, 2], {1: 5, 2: 6}) == 0


@pytest.mark.parametrize(
    ("told", "match"),
    [
        (0, "below the floor no number is told"),
        (1, "below the floor no number is told"),
        (-1, "below the floor no number is told"),
        (5, "more than a party has"),
        (1 << 60, "more than a party has"),
    ],
)
def test_an_impossible_cardinality_is_refused(told, match):
    alter = edit(Cardinality, "size", lambda _: told)
    error = refused("bank", alter, match, floor=2)
    assert error.reason.startswith("Cardinality: ")


@pytest.mark.parametrize(("told", "floor"), [(4, 1), (None, 1), (4, 4)])
def test_another_cardinality_than_signed_is_refused(told, floor):
    """In its message the Receiver claims the floor is reached, or not; its statement differs."""
    alter = edit(Cardinality, "size", lambda _: told)
    error = refused("bank", alter, "not the one we computed", floor=floor)
    assert isinstance(error, VerifyError)


def test_no_share_before_the_receiver_has_signed():
    error = refused(
        "bank",
        replacing(SizeStatement, lambda m: [EncryptedSum(POINT * 2), m]),
        "not a well-formed SizeStatement",
    )
    assert isinstance(error, RemoteProtocolError)


def test_no_share_below_the_floor():
    """The Sender's role has ended: what comes after is read by nobody."""
    sent: list[Message] = []

    def record(message):
        sent.append(message)
        return [message]

    with pytest.raises(AssertionError, match="messages nobody read"):
        pair.run(
            BANK,
            RETAILER,
            floor=4,
            liar="bank",
            alter=replacing(SizeStatement, lambda m: [m, EncryptedSum(POINT * 2)]),
        )
    pair.run(BANK, RETAILER, floor=4, liar="retailer", alter=record)
    assert any(isinstance(message, SizeStatement) for message in sent)
    assert not any(isinstance(message, DecryptionShare) for message in sent)


STATEMENTS = pytest.mark.parametrize("type_", [SizeStatement, SumStatement])


@LIARS
@STATEMENTS
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("intersection", 4),
        ("total", 48),
        ("floor", 2),
        ("opened", False),
        ("sizes", {"bank": 6, "retailer": 4}),
        ("to", "receiver"),
        ("context", ""),
        ("transcript", "00" * 32),
        ("extra", 1),
    ],
)
def test_a_changed_statement_is_refused_even_signed(liar, type_, field, value):
    def change(message):
        statement = json.loads(message.statement) | {field: value}
        data = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
        signed = SIGNATURE_PREFIX + data
        return type_(data, pair.SUITE.sign(pair.KEYS["gm"][liar][0], signed, bytes(32)))

    error = refused(liar, replacing(type_, change), "not the one we computed")
    assert isinstance(error, VerifyError)
    assert error.reason.startswith(f"{type_.__name__}: ")


@LIARS
@STATEMENTS
@pytest.mark.parametrize(
    "change",
    [
        lambda signature: b"",
        lambda signature: signature + b"\0",
        lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
        lambda signature: pair.SUITE.sign(pair.KEYS["gm"]["bank"][0], b"another", bytes(32)),
    ],
)
def test_a_wrong_signature_is_refused(liar, type_, change):
    error = refused(liar, edit(type_, "signature", change), f"{type_.__name__}: ")
    assert isinstance(error, VerifyError)


@LIARS
def test_a_signature_by_another_key_is_refused(liar):
    other, _ = pair.SUITE.generate_signing_key(b"\x09" * 32)
    refusals = pair.Refusals()
    with pytest.raises(VerifyError, match="does not verify"):
        pair.run(BANK, RETAILER, **{f"{liar}_terms": {"private_key": other}}, refusals=refusals)
    assert set(refusals.by) == {pair.PEER[liar]}


def test_the_sender_neither_signs_nor_decrypts_what_the_receiver_did_not_sign():
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
    assert not any(isinstance(message, SizeStatement | DecryptionShare) for message in sent)


TERMS = ["fedcrm-psi-sum/1", "gm", "bank", "retailer", "receiver", b"context", 1, "both", 5]


@pytest.mark.parametrize(
    "changed",
    [
        {"floor": 0},
        {"floor": -1},
        {"floor": MAX_ITEMS + 1},
        {"size": -1},
        {"size": MAX_ITEMS + 1},
        {"version": "v" * 257},
        {"party": "p" * 257},
        {"context": bytes(1025)},
        {"role": "coordinator"},
        {"to": "sender"},
    ],
)
def test_terms_out_of_range_do_not_decode(changed):
    names = Terms.__struct_fields__
    values = [changed.get(name, value) for name, value in zip(names, TERMS, strict=True)]
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode(["Terms", *values]), Terms)


EXAMPLES: list[Message] = [
    Terms(*TERMS),
    EncryptionKey(POINT),
    BlindedItems(bytes(64)),
    ValuedItems(bytes(64), bytes(132)),
    EvaluatedItems(bytes(64)),
    Cardinality(3),
    SizeStatement(b"{}", b"0"),
    EncryptedSum(POINT * 2),
    DecryptionShare(POINT),
    SumStatement(b"{}", b"0"),
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
@settings(max_examples=50, deadline=None)
def test_random_bytes_are_refused(example, data):
    decode_or_refuse(data, type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_bit_flips_are_refused_or_another_message(example, data):
    encoded = bytearray(encode(example))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decode_or_refuse(bytes(encoded), type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_cut_and_trailing_bytes_are_refused(example, data):
    encoded = encode(example)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(RemoteProtocolError):
            decode(wrong, type(example))


@pytest.mark.parametrize(
    ("largest", "field"),
    [
        (BlindedItems(bytes(32 * CHUNK_ITEMS)), "elements"),
        (EvaluatedItems(bytes(32 * CHUNK_ITEMS)), "elements"),
        (ValuedItems(bytes(32 * CHUNK_ITEMS), bytes(66 * CHUNK_ITEMS)), "ciphertexts"),
        (EncryptedSum(POINT * 2), "points"),
        (DecryptionShare(POINT), "point"),
        (EncryptionKey(POINT), "point"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_oversized_messages_are_refused_before_decoding(largest, field):
    type_ = type(largest)
    assert decode(encode(largest), type_) == largest
    assert len(encode(largest)) <= 1 << 20
    larger = msgspec.structs.replace(largest, **{field: getattr(largest, field) + bytes(64)})
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode(encode(larger), type_)


@LIARS
@given(data=st.data())
@settings(max_examples=30, deadline=None)
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
    assert {(result.size, result.total) for result in results.values()} == {(3, 49)}
    assert len({result.statement for result in results.values()}) == 1
