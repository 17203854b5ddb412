"""Honest runs: the result is the plaintext intersection, opened at the floor and not below."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.intersection import Intersection
from protocols.psi_ecdh import steps
from protocols.roles import Send
from protocols.suite import InvalidSignature
from protocols.wire import decode, encode
from tests.protocols.psi_ecdh import pair
from tests.protocols.suite import plain_gm

subsets = st.lists(st.integers(0, 12), unique=True, max_size=8)
seeds = st.binary(min_size=32, max_size=32)


@given(subsets, subsets, st.integers(1, 4), seeds, seeds)
@settings(max_examples=60, deadline=None)
def test_the_result_is_the_plaintext_intersection(bank, retailer, floor, bank_seed, other_seed):
    with patch.object(steps, "CHUNK_ITEMS", 3):
        results, _ = pair.run(
            bank,
            retailer,
            floor=floor,
            bank_terms={"seed": bank_seed},
            retailer_terms={"seed": other_seed},
        )
    shared = set(bank) & set(retailer)
    for party, own, peer in (("bank", bank, retailer), ("retailer", retailer, bank)):
        result = results[party]
        assert (result.size, result.own_size, result.peer_size) == (
            len(shared),
            len(own),
            len(peer),
        )
        assert result.floor == floor
        assert result.opened is (len(shared) >= floor)
        matched = [own[position] for position in result.positions]
        assert set(matched) == (shared if result.opened else set())
        assert len(matched) == len(set(matched))
    assert [bank[position] for position in results["bank"].positions] == [
        retailer[position] for position in results["retailer"].positions
    ]


@pytest.mark.parametrize(
    ("bank", "retailer", "floor", "size", "opened"),
    [
        ([], [], 1, 0, False),
        ([], [1, 2], 1, 0, False),
        ([1, 2], [], 1, 0, False),
        ([1, 2], [3, 4], 1, 0, False),
        ([1], [1], 1, 1, True),
        ([1, 2, 3], [3, 1, 2], 3, 3, True),
        ([1, 2, 3], [3, 1, 2], 4, 3, False),
        ([1, 2, 3, 4], [3, 4, 5], 2, 2, True),
        ([1, 2, 3, 4], [3, 4, 5], 3, 2, False),
    ],
)
def test_both_get_the_same_outcome_at_the_edges(bank, retailer, floor, size, opened):
    results, transcript = pair.run(bank, retailer, floor=floor)
    for result in results.values():
        assert (result.size, result.opened) == (size, opened)
        assert len(result.positions) == (size if opened else 0)
    # Below the floor nothing that could tell which items matched leaves either side.
    openings = [name for _, _, name, _ in transcript.messages if name == "Opening"]
    assert len(openings) == (2 if opened else 0)
    assert results["bank"].statement == results["retailer"].statement
    assert results["bank"].signatures == results["retailer"].signatures


def test_the_statement_says_what_happened_and_both_signatures_verify():
    results, transcript = pair.run([1, 2, 3], [2, 3, 4, 5], floor=3)
    result = results["bank"]
    lists: dict[tuple[str, str], bytes] = {}
    for sender, _, name, data in transcript.messages:
        if name in ("BlindedItems", "EvaluatedItems"):
            lists[sender, name] = data[-32 * (4 if len(data) > 140 else 3) :]
    ordered = [
        lists["bank", "BlindedItems"],
        lists["retailer", "EvaluatedItems"],
        lists["retailer", "BlindedItems"],
        lists["bank", "EvaluatedItems"],
    ]
    digest = pair.SUITE.hash(b"".join(len(part).to_bytes(8, "big") + part for part in ordered))
    assert json.loads(result.statement) == {
        "version": "fedcrm-psi-ecdh/1",
        "suite": "gm",
        "context": b"spec digest and attempt".hex(),
        "receiver": "bank",
        "sender": "retailer",
        "sizes": {"bank": 3, "retailer": 4},
        "intersection": 2,
        "floor": 3,
        "opened": False,
        "transcript": digest.hex(),
    }
    for party, signature in result.signatures.items():
        signed = b"fedcrm/psi-size/v1\0" + result.statement
        pair.SUITE.verify(pair.KEYS[party][1], signed, signature)
        with pytest.raises(InvalidSignature):
            pair.SUITE.verify(pair.KEYS[party][1], result.statement, signature)
    assert set(result.signatures) == {"bank", "retailer"}


def scalar(party: str, role: str) -> int:
    stream = plain_gm.Stream(pair.SEEDS[party], f"fedcrm-psi-ecdh/1 {role} scalar".encode())
    return 1 + stream.below(plain_gm.N - 1)


def test_the_shared_order_is_that_of_the_doubly_evaluated_elements():
    numbers = list(range(8))
    results, _ = pair.run(numbers, numbers[::-1])
    context = pair.SUITE.hash(b"spec digest and attempt")
    tag = b"fedcrm-psi-ecdh/1 " + context + b"-with-SM2_XMD:SM3_SSWU_NU_"
    both = scalar("bank", "receiver") * scalar("retailer", "sender") % plain_gm.N
    x = [
        plain_gm.multiply(both, plain_gm.encode_to_curve(pair.item(number), tag))[0]
        for number in numbers
    ]
    assert results["bank"].positions == sorted(numbers, key=lambda number: x[number])


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


@pytest.mark.parametrize("party", ["bank", "retailer"])
def test_a_replayed_role_sends_the_same_bytes(party):
    numbers = {"bank": [1, 2, 3, 4, 5], "retailer": [9, 4, 2, 7]}
    results, transcript = pair.run(numbers["bank"], numbers["retailer"])
    inbound = [data for _, to, _, data in transcript.messages if to == party]
    recorded = [data for by, _, _, data in transcript.messages if by == party]
    outbound, result = sent(pair.role(party, numbers[party]), inbound)
    assert outbound == recorded
    assert result == results[party]


def test_another_seed_or_context_changes_every_element():
    numbers = list(range(6))

    def blinded(**terms):
        _, transcript = pair.run(numbers, numbers, **terms)
        data = b"".join(
            data[-32 * 6 :]
            for by, _, name, data in transcript.messages
            if by == "bank" and name == "BlindedItems"
        )
        return {data[start : start + 32] for start in range(0, len(data), 32)}

    original = blinded()
    assert len(original) == 6
    assert original == blinded()
    assert original.isdisjoint(blinded(bank_terms={"seed": b"\x05" * 32}))
    assert original.isdisjoint(blinded(context=b"the next attempt"))


def test_neither_items_nor_their_order_are_on_the_wire():
    numbers = list(range(40))
    _, transcript = pair.run(numbers, numbers)
    wire = b"".join(data for *_, data in transcript.messages)
    assert not any(item in wire for item in pair.items(numbers))
    # With both scalars a list's order can be recovered: it must be neither party's own.
    context = pair.SUITE.hash(b"spec digest and attempt")
    dst = b"fedcrm-psi-ecdh/1 " + context
    group = pair.SUITE.group
    a, b = scalar("bank", "receiver"), scalar("retailer", "sender")
    in_own_order = group.hash_and_multiply(a, pair.items(numbers), dst)
    sent_blinded = next(
        data[-40 * 32 :]
        for by, _, name, data in transcript.messages
        if (by, name) == ("bank", "BlindedItems")
    )
    evaluated = next(
        data[-40 * 32 :]
        for by, _, name, data in transcript.messages
        if (by, name) == ("retailer", "EvaluatedItems")
    )

    def elements(data):
        return [data[start : start + 32] for start in range(0, len(data), 32)]

    assert sent_blinded != in_own_order
    assert sorted(elements(sent_blinded)) == sorted(elements(in_own_order))
    in_sent_order = group.multiply(b, sent_blinded)
    assert evaluated != in_sent_order
    assert sorted(elements(evaluated)) == sorted(elements(in_sent_order))


def test_progress_is_told_to_the_end():
    with patch.object(steps, "CHUNK_ITEMS", 2):
        _, transcript = pair.run([1, 2, 3], [1, 2, 3, 4, 5])
    told = [(p.step, p.done, p.total) for p in transcript.progress]
    assert told.count(("blind", 2, 3)) == 1
    for last in (("blind", 3, 3), ("blind", 5, 5), ("evaluate", 3, 3), ("evaluate", 5, 5)):
        assert told.count(last) == 1


def test_a_list_longer_than_a_chunk():
    count = steps.CHUNK_ITEMS + 1
    results, transcript = pair.run(range(count), range(count - 1, count + 1))
    assert results["bank"].positions == [count - 1]
    assert results["retailer"].positions == [0]
    sizes = [len(data) for by, _, name, data in transcript.messages if name == "BlindedItems"]
    assert sorted(size // 32 for size in sizes) == [1, 2, steps.CHUNK_ITEMS]


@pytest.mark.parametrize("party", ["bank", "retailer"])
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
    ],
)
def test_bad_arguments_are_the_callers_mistake(party, changed, match):
    with pytest.raises(LocalProtocolError, match=match):
        next(pair.PLAY[party](pair.items([1]), **(pair.arguments(party) | changed)))


@pytest.mark.parametrize(
    ("items", "match"),
    [
        ([bytes(31)], "32 bytes"),
        ([bytes(33)], "32 bytes"),
        ([bytes(32), bytes(32)], "distinct"),
    ],
)
def test_bad_items_are_the_callers_mistake(items, match):
    with pytest.raises(LocalProtocolError, match=match):
        next(pair.PLAY["bank"](items, **pair.arguments("bank")))


def test_secrets_stay_out_of_the_representation():
    own = steps.Party(
        "receiver",
        *(pair.arguments("bank")[name] for name in ("party", "peer", "suite", "context", "floor")),
        *(pair.arguments("bank")[name] for name in ("private_key", "peer_public_key", "seed")),
        pair.items([1]),
    )
    shown = repr(own)
    assert "bank" in shown
    for secret in (own.private_key, own.seed, own.items[0]):
        assert repr(secret) not in shown


RESULT = pair.run([1, 2, 3], [3, 2, 9])[0]["bank"]


def test_a_result_survives_storage():
    data = RESULT.to_bytes()
    assert Intersection.from_bytes(data) == RESULT
    assert Intersection.from_bytes(data).to_bytes() == data


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_stored_bytes_that_are_no_result_are_refused(data):
    with pytest.raises(LocalProtocolError):
        Intersection.from_bytes(data)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_stored_result_is_refused_or_reads_as_another(data):
    stored = bytearray(RESULT.to_bytes())
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        result = Intersection.from_bytes(bytes(stored))
    except LocalProtocolError:
        return
    assert result != RESULT
    assert result.to_bytes() == bytes(stored)


@pytest.mark.parametrize(
    "changed",
    [
        {"size": 4, "positions": [0, 1, 2, 0]},
        {"opened": False},
        {"floor": 3},
        {"positions": []},
        {"positions": [1, 1]},
        {"positions": [1, 3]},
        {"positions": [-1, 1]},
        {"size": None},
        {"size": None, "opened": False},
    ],
)
def test_an_inconsistent_stored_result_is_refused(changed):
    fields = {name: getattr(RESULT, name) for name in RESULT.__struct_fields__}
    with pytest.raises(LocalProtocolError, match="damaged"):
        Intersection.from_bytes(Intersection(**{**fields, **changed}).to_bytes())
