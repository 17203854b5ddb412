"""What a run gives: the plaintext sum, to whom it is for, and nothing below the floor."""

from __future__ import annotations

import json
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.psi_sum import IntersectionSum, receiver, sender, steps
from protocols.psi_sum.messages import CHUNK_ITEMS, TOTAL_LIMIT, VALUE_LIMIT
from protocols.roles import Send
from protocols.suite import InvalidSignature, get_suite
from protocols.wire import decode, encode
from tests.protocols.base_ot.plain_base_ot import SM2
from tests.protocols.psi_sum import pair
from tests.protocols.suite import plain_gm

SUITES = pytest.mark.parametrize("suite", [pair.SUITE, pair.INTL], ids=lambda suite: suite.name)
PARTIES = pytest.mark.parametrize("party", ["bank", "retailer"])
BANK, RETAILER = [1, 2, 3, 4, 5], {3: 40, 4: 2, 5: 7, 6: 1000}

customers = st.lists(st.integers(0, 12), unique=True, max_size=8)
values = st.one_of(st.integers(0, 1 << 20), st.just(VALUE_LIMIT - 1))
seeds = st.binary(min_size=32, max_size=32)


def plaintext(bank, retailer) -> tuple[int, int]:
    shared = [number for number in retailer if number in set(bank)]
    return len(shared), sum(retailer[number] for number in shared)


@given(
    st.sampled_from([pair.SUITE, *[pair.INTL] * 7]),
    st.tuples(customers, st.dictionaries(st.integers(0, 12), values, max_size=8)),
    st.integers(1, 4),
    st.sampled_from(["both", "receiver"]),
    seeds,
)
@settings(max_examples=100, deadline=None)
def test_the_result_is_the_plaintext_sum(suite, sets, floor, to, seed):
    bank, retailer = sets
    with pair.constants(CHUNK_ITEMS=3):
        results, _ = pair.run(
            bank,
            retailer,
            suite=suite,
            floor=floor,
            to=to,
            bank_terms={"seed": seed},
            retailer_terms={"seed": seed[::-1]},
        )
    size, total = plaintext(bank, retailer)
    opened = size >= floor
    for party, own, peer in (("bank", bank, retailer), ("retailer", retailer, bank)):
        result = results[party]
        told = opened and (party == "bank" or to == "both")
        assert (result.own_size, result.peer_size, result.floor) == (len(own), len(peer), floor)
        assert result.size == (size if opened or party == "bank" else None)
        assert result.opened is opened
        assert result.total == (total if told else None)
        assert IntersectionSum.from_bytes(result.to_bytes()) == result
    assert results["bank"].statement == results["retailer"].statement
    assert results["bank"].signatures == results["retailer"].signatures


@pytest.mark.slow
def test_two_thousand_random_pairs_are_the_plaintext_sum():
    stream = pair.SUITE.stream(bytes(32), b"random pairs")
    for _ in range(2000):
        suite = pair.SUITE if stream.below(20) == 0 else pair.INTL
        bank = [n for n in range(12) if stream.below(2)]
        retailer = {n: stream.below(VALUE_LIMIT) for n in range(12) if stream.below(2)}
        floor, to = 1 + stream.below(4), ("both", "receiver")[stream.below(2)]
        results, _ = pair.run(bank, retailer, suite=suite, floor=floor, to=to)
        size, total = plaintext(bank, retailer)
        assert results["bank"].size == size
        assert results["bank"].total == (total if size >= floor else None)
        assert results["retailer"].total == (results["bank"].total if to == "both" else None)


BOTH = ["bank", "retailer"]


@SUITES
@pytest.mark.parametrize(
    ("terms", "ends", "sums", "statements"),
    [
        (("both", 3), {"bank": (3, True, 49), "retailer": (3, True, 49)}, ["bank"], BOTH),
        (("both", 4), {"bank": (3, False, None), "retailer": (None, False, None)}, [], []),
        (("receiver", 3), {"bank": (3, True, 49), "retailer": (3, True, None)}, ["bank"], []),
        (("receiver", 4), {"bank": (3, False, None), "retailer": (None, False, None)}, [], []),
    ],
)
def test_what_each_side_ends_with(suite, terms, ends, sums, statements):
    to, floor = terms
    results, transcript = pair.run(BANK, RETAILER, suite=suite, floor=floor, to=to)
    for party, end in ends.items():
        assert (results[party].size, results[party].opened, results[party].total) == end
    sent = [(by, name) for by, _, name, _ in transcript.messages]
    assert [by for by, name in sent if name == "EncryptedSum"] == sums
    # Below the floor no share of a decryption leaves the Sender.
    assert [by for by, name in sent if name == "DecryptionShare"] == ["retailer"] * len(sums)
    assert [by for by, name in sent if name == "SumStatement"] == statements
    statement = json.loads(results["bank"].statement)
    assert statement["opened"] is bool(sums)
    assert statement["intersection"] == (3 if sums else None)
    assert statement["total"] == (49 if statements else None)
    assert (statement["to"], statement["floor"]) == (to, floor)
    by_name = {name: data for _, _, name, data in transcript.messages}
    if sums:
        points = 2 if to == "both" else 1
        assert len(by_name["EncryptedSum"]) == 33 * points + len("EncryptedSum") + 4
    assert len(by_name["Cardinality"]) == len("Cardinality") + 3


@pytest.mark.parametrize(
    ("bank", "retailer", "floor", "size", "total"),
    [
        ([], {}, 1, 0, None),
        ([], {1: 5}, 1, 0, None),
        ([1, 2], {}, 1, 0, None),
        ([1, 2], {3: 5, 4: 6}, 1, 0, None),
        ([1], {1: 5}, 1, 1, 5),
        ([1], {1: 0}, 1, 1, 0),
        ([1, 2], {1: 0, 2: 0, 3: 9}, 2, 2, 0),
        ([1, 2], {1: VALUE_LIMIT - 1, 2: VALUE_LIMIT - 1}, 2, 2, 2 * VALUE_LIMIT - 2),
        ([1, 2, 3], {3: 1, 1: 1, 2: 1}, 3, 3, 3),
        ([1, 2, 3], {3: 1, 1: 1, 2: 1}, 4, 3, None),
    ],
)
def test_the_edges(bank, retailer, floor, size, total):
    results, _ = pair.run(bank, retailer, floor=floor)
    assert results["bank"].size == size
    assert (results["bank"].total, results["retailer"].total) == (total, total)
    assert results["retailer"].size == (None if total is None else size)


def test_the_statement_says_what_happened_and_both_signatures_verify():
    results, transcript = pair.run([1, 2, 3], {2: 10, 3: 5, 4: 1, 5: 1}, floor=2)
    result = results["bank"]
    payload = {
        (by, name): data for by, _, name, data in transcript.messages if name != "SizeStatement"
    }
    valued = payload["retailer", "ValuedItems"]
    ends = {
        "EncryptionKey": ("retailer", 33),
        "BlindedItems": ("bank", 32 * 3),
        "EvaluatedItems": ("retailer", 32 * 3),
        "ValuedItems": ("retailer", 66 * 4),
        "EncryptedSum": ("bank", 66),
        "DecryptionShare": ("retailer", 33),
    }
    parts = {name: payload[by, name][-length:] for name, (by, length) in ends.items()}
    # The elements stand before the ciphertexts' own length, three bytes.
    parts["ValuedItems"] = valued[-66 * 4 - 3 - 32 * 4 : -66 * 4 - 3] + parts["ValuedItems"]
    digest = pair.SUITE.hash(b"".join(pair.SUITE.hash(part) for part in parts.values()))
    assert json.loads(result.statement) == {
        "version": "fedcrm-psi-sum/1",
        "suite": "gm",
        "context": b"spec digest and attempt".hex(),
        "receiver": "bank",
        "sender": "retailer",
        "sizes": {"bank": 3, "retailer": 4},
        "to": "both",
        "intersection": 2,
        "floor": 2,
        "opened": True,
        "total": 15,
        "transcript": digest.hex(),
    }
    assert set(result.signatures) == {"bank", "retailer"}
    for party, signature in result.signatures.items():
        signed = b"fedcrm/psi-sum/v1\0" + result.statement
        pair.SUITE.verify(pair.KEYS["gm"][party][1], signed, signature)
        with pytest.raises(InvalidSignature):
            pair.SUITE.verify(pair.KEYS["gm"][party][1], result.statement, signature)


def sent(role, inbound):
    """Run ``role`` on recorded inbound messages; return its outbound bytes and its result."""
    outbound, value, inbound = [], None, iter(inbound)
    while True:
        try:
            request = role.send(value)
        except StopIteration as stop:
            return outbound, stop.value
        value = None
        if isinstance(request, Send):
            outbound.append(encode(request.message))
        elif hasattr(request, "from_"):
            value = decode(next(inbound), request.type)


@PARTIES
@pytest.mark.parametrize(("to", "floor"), [("both", 1), ("receiver", 1), ("both", 4)])
def test_a_replayed_role_sends_the_same_bytes(party, to, floor):
    terms = {"to": to, "floor": floor}
    results, transcript = pair.run(BANK, RETAILER, **terms)
    inbound = [data for _, to, _, data in transcript.messages if to == party]
    recorded = [data for by, _, _, data in transcript.messages if by == party]
    play = pair.bank_role(BANK, **terms) if party == "bank" else None
    outbound, result = sent(play or pair.retailer_role(RETAILER, **terms), inbound)
    assert outbound == recorded
    assert result == results[party]


@SUITES
def test_both_twins_send_the_same_bytes(suite):
    automatic = get_suite(suite.name)
    if automatic.kernels == suite.kernels:
        pytest.skip("this processor has the portable kernels only")
    runs = [pair.run(BANK, RETAILER, suite=s)[1].messages for s in (suite, automatic)]
    assert runs[0] == runs[1]


def payloads(name: str, **terms) -> set[bytes]:
    """Return the 33- or 32-byte pieces of one kind of message, for the same sets."""
    _, transcript = pair.run(BANK, RETAILER, **terms)
    data = next(data for _, _, kind, data in transcript.messages if kind == name)
    if name == "BlindedItems":
        return {data[-32 * k :][:32] for k in range(1, 6)}
    return {data[-33 * k :][:33] for k in range(1, 9)}


@pytest.mark.parametrize("name", ["BlindedItems", "ValuedItems"])
def test_another_seed_changes_every_point(name):
    original = payloads(name)
    assert original == payloads(name)
    other = {"bank_terms": {"seed": b"\x05" * 32}, "retailer_terms": {"seed": b"\x06" * 32}}
    assert original.isdisjoint(payloads(name, **other))


def test_another_context_changes_every_element():
    name = "BlindedItems"
    assert payloads(name).isdisjoint(payloads(name, context=b"the next attempt"))


def scalar(party: str, role: str) -> int:
    stream = plain_gm.Stream(pair.SEEDS[party], f"fedcrm-psi-sum/1 {role} scalar".encode())
    return 1 + stream.below(plain_gm.N - 1)


def test_neither_items_nor_orders_nor_values_are_on_the_wire():
    count = 40
    retailer = {number: 1000 + number for number in range(count)}
    _, transcript = pair.run(list(range(count)), retailer)
    wire = b"".join(data for *_, data in transcript.messages)
    assert not any(pair.item(number) in wire for number in range(count))
    # Whoever knew both scalars and the key could undo a list: its order must be no party's own.
    dst = b"fedcrm-psi-sum/1 " + pair.SUITE.hash(b"spec digest and attempt")
    group = pair.SUITE.group
    of = {name: data for _, _, name, data in transcript.messages}

    def elements(data):
        return [data[start : start + 32] for start in range(0, len(data), 32)]

    orders = {
        "bank": (scalar("bank", "receiver"), of["BlindedItems"][-count * 32 :]),
        "retailer": (
            scalar("retailer", "sender"),
            of["ValuedItems"][-count * 98 - 3 : -count * 66 - 3],
        ),
    }
    for own_scalar, list_ in orders.values():
        in_own_order = group.hash_and_multiply(own_scalar, pair.items(range(count)), dst)
        assert list_ != in_own_order
        assert sorted(elements(list_)) == sorted(elements(in_own_order))
    evaluated = of["EvaluatedItems"][-count * 32 :]
    in_sent_order = group.multiply(orders["retailer"][0], orders["bank"][1])
    assert evaluated != in_sent_order
    assert sorted(elements(evaluated)) == sorted(elements(in_sent_order))


def test_the_encrypted_sum_is_not_the_sum_of_what_was_sent():
    """The Sender knows its ciphertexts, and would find out which were added."""
    _, transcript = pair.run([1], {1: 7})
    of = {name: data for _, _, name, data in transcript.messages}
    only = of["ValuedItems"][-66:]
    assert not any(point in of["EncryptedSum"] for point in (only[:33], only[33:]))
    # It is another ciphertext of the same value.
    stream = plain_gm.Stream(pair.SEEDS["bank"], b"fedcrm-psi-sum/1 receiver re-randomisation")
    t = 1 + stream.below(plain_gm.N - 1)
    added = pair.SUITE.points.add(only[:33], SM2.encode(SM2.multiply(t, SM2.g)))
    assert of["EncryptedSum"][-66:-33] == added


def test_progress_is_told_to_the_end():
    with pair.constants(CHUNK_ITEMS=2):
        _, transcript = pair.run([1, 2, 3], dict.fromkeys(range(1, 6), 1))
    told = [(p.step, p.done, p.total) for p in transcript.progress]
    assert told.count(("blind", 2, 3)) == 1
    for last in (("blind", 3, 3), ("encrypt", 5, 5), ("evaluate", 3, 3), ("evaluate", 5, 5)):
        assert told.count(last) == 1
    assert told.count(("decrypt", 1, 1)) == 2


def test_a_list_longer_than_a_chunk():
    suite = get_suite("intl")
    count = CHUNK_ITEMS + 1 if suite.kernels == "avx512" else 40
    retailer = dict.fromkeys(range(count - 1, 2 * count - 1), 3)
    with pair.constants(CHUNK_ITEMS=count - 1):
        results, transcript = pair.run(range(count), retailer, suite=suite)
    assert results["bank"].total == 3
    lengths = [len(data) for *_, data in transcript.messages]
    assert max(lengths) <= 1 << 20
    names = [name for _, _, name, _ in transcript.messages]
    assert [names.count(f"{kind}Items") for kind in ("Blinded", "Valued", "Evaluated")] == [2] * 3


def build(who: str, **changed):
    """Start one role with changed arguments, as far as its first message."""
    arguments = pair.arguments(who) | changed
    own_items = arguments.pop("items", pair.items([1]))
    if who == "bank":
        return next(receiver(own_items, **arguments))
    return next(sender(own_items, arguments.pop("values", np.array([5])), **arguments))


@PARTIES
@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"party": "x", "peer": "x"}, "different"),
        ({"peer": ""}, "non-empty ASCII"),
        ({"peer": "银行"}, "non-empty ASCII"),
        ({"context": b""}, "context"),
        ({"context": bytes(1025)}, "context"),
        ({"floor": 0}, "floor"),
        ({"floor": 1 << 25}, "floor"),
        ({"seed": bytes(31)}, "seed"),
        ({"private_key": bytes(32)}, "private key"),
        ({"to": "sender"}, "to is"),
        ({"items": np.zeros((1, 31), np.uint8)}, "32 bytes"),
        ({"items": np.zeros((2, 32), np.uint8)}, "distinct"),
    ],
)
def test_bad_arguments_are_the_callers_mistake(party, changed, match):
    with pytest.raises(LocalProtocolError, match=match):
        build(party, **changed)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.array([5], np.int32), "int64, one for each"),
        (np.array([5.0]), "int64, one for each"),
        (np.array([[5]]), "int64, one for each"),
        (np.array([5, 6]), "int64, one for each"),
        (np.array([], np.int64), "int64, one for each"),
        (np.array([-1]), "from 0 to"),
        (np.array([VALUE_LIMIT]), "from 0 to"),
        (np.array([1 << 62]), "from 0 to"),
    ],
)
def test_bad_values_are_the_callers_mistake(values, match):
    with pytest.raises(LocalProtocolError, match=match):
        build("retailer", values=values)


def test_values_that_add_up_to_too_much_are_the_callers_mistake():
    count = TOTAL_LIMIT // VALUE_LIMIT + 1
    own_items = np.zeros((count, 32), np.uint8)
    own_items[:, :4] = np.arange(count, dtype="<u4").view(np.uint8).reshape(-1, 4)
    values = np.full(count, VALUE_LIMIT - 1)
    with pytest.raises(LocalProtocolError, match="add up to 2\\^48 or more"):
        build("retailer", items=own_items, values=values)
    values[0] = 0
    assert int(values.sum()) < TOTAL_LIMIT
    assert isinstance(build("retailer", items=own_items, values=values), Send)


def test_secrets_stay_out_of_the_representation():
    own = steps.Party(role="receiver", to="both", items=pair.items([1]), **pair.arguments("bank"))
    shown = repr(own)
    assert "bank" in shown
    for secret in (own.private_key, own.seed, own.items):
        assert repr(secret) not in shown


RESULT = pair.run([1, 2, 3], {3: 4, 2: 5, 9: 6})[0]["bank"]


def test_a_result_survives_storage():
    data = RESULT.to_bytes()
    assert IntersectionSum.from_bytes(data) == RESULT
    assert IntersectionSum.from_bytes(data).to_bytes() == data


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_stored_result_is_refused_or_reads_as_another(data):
    stored = bytearray(RESULT.to_bytes())
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        result = IntersectionSum.from_bytes(bytes(stored))
    except LocalProtocolError:
        return
    assert result != RESULT
    assert result.to_bytes() == bytes(stored)


@pytest.mark.parametrize(
    "changed",
    [
        {"opened": False},
        {"opened": False, "total": None},
        {"opened": False, "total": None, "size": -1},
        {"size": None},
        {"size": 4},
        {"floor": 3},
        {"total": -1},
        {"total": TOTAL_LIMIT},
    ],
)
def test_an_inconsistent_stored_result_is_refused(changed):
    fields = {name: getattr(RESULT, name) for name in RESULT.__struct_fields__}
    with pytest.raises(LocalProtocolError, match="damaged"):
        IntersectionSum.from_bytes(IntersectionSum(**{**fields, **changed}).to_bytes())


def test_too_many_items_are_the_callers_mistake():
    with (
        patch("protocols.arguments.MAX_ITEMS", 2),
        pytest.raises(LocalProtocolError, match="3 items; at most 2"),
    ):
        next(pair.bank_role([1, 2, 3]))
