"""Honest runs: the result is the plaintext intersection, opened at the floor and not below."""

from __future__ import annotations

import json
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.intersection import Intersection, pack_positions
from protocols.psi_ecdh import steps
from protocols.roles import Send
from protocols.suite import InvalidSignature, get_suite
from protocols.wire import decode, encode
from tests.protocols.psi_ecdh import pair
from tests.protocols.suite import plain_gm

subsets = st.lists(st.integers(0, 12), unique=True, max_size=8)
seeds = st.binary(min_size=32, max_size=32)


REVEAL_TO = [("list", "both"), ("list", "receiver"), ("size", "both"), ("size", "receiver")]


@given(
    st.sampled_from([pair.SUITE, *[pair.INTL] * 7]),
    st.tuples(subsets, subsets),
    st.integers(1, 4),
    st.sampled_from(REVEAL_TO),
    seeds,
)
@settings(max_examples=300, deadline=None)
def test_the_result_is_the_plaintext_intersection(suite, sets, floor, reveal_to, seed):
    (bank, retailer), (reveal, to) = sets, reveal_to
    with patch.multiple(steps, CHUNK_ITEMS=3, CHUNK_INDICES=2):
        results, _ = pair.run(
            bank,
            retailer,
            suite=suite,
            floor=floor,
            reveal=reveal,
            to=to,
            bank_terms={"seed": seed},
            retailer_terms={"seed": seed[::-1]},
        )
    shared = set(bank) & set(retailer)
    # Both parties' order is that of the items themselves, whatever the run.
    ordered = sorted(shared, key=pair.item)
    for party, own, peer in (("bank", bank, retailer), ("retailer", retailer, bank)):
        result = results[party]
        told = party == "bank" or to == "both"
        assert (result.own_size, result.peer_size) == (len(own), len(peer))
        assert result.size == (len(shared) if told or reveal == "list" else None)
        assert result.floor == floor
        assert result.opened is (told and reveal == "list" and len(shared) >= floor)
        matched = [own[position] for position in result.positions]
        assert matched == (ordered if result.opened else [])
        assert Intersection.from_bytes(result.to_bytes()) == result
    assert results["bank"].statement == results["retailer"].statement


BOTH = ["bank", "retailer"]


@pytest.mark.parametrize("suite", [pair.SUITE, pair.INTL], ids=lambda suite: suite.name)
@pytest.mark.parametrize(
    ("terms", "ends", "openings", "lists"),
    [
        (("list", "both", 2), {"bank": (2, True), "retailer": (2, True)}, BOTH, BOTH),
        (("list", "both", 3), {"bank": (2, False), "retailer": (2, False)}, [], BOTH),
        (("list", "receiver", 2), {"bank": (2, True), "retailer": (2, False)}, BOTH[1:], BOTH),
        (("list", "receiver", 3), {"bank": (2, False), "retailer": (2, False)}, [], BOTH),
        (("size", "both", 2), {"bank": (2, False), "retailer": (2, False)}, [], BOTH),
        (("size", "both", 3), {"bank": (2, False), "retailer": (2, False)}, [], BOTH),
        (("size", "receiver", 2), {"bank": (2, False), "retailer": (None, False)}, [], BOTH[1:]),
        (("size", "receiver", 3), {"bank": (2, False), "retailer": (None, False)}, [], BOTH[1:]),
    ],
)
def test_what_each_side_ends_with(suite, terms, ends, openings, lists):
    reveal, to, floor = terms
    results, transcript = pair.run(
        [1, 2, 3, 4], [3, 9, 4], suite=suite, floor=floor, reveal=reveal, to=to
    )
    for party, (size, opened) in ends.items():
        assert (results[party].size, results[party].opened) == (size, opened)
        assert len(results[party].positions) == (2 if opened else 0)
    sent = [(by, name) for by, _, name, _ in transcript.messages]
    assert [by for by, name in sent if name == "Opening"] == openings
    assert sorted(by for by, name in sent if name == "EvaluatedItems") == lists
    statement = json.loads(results["bank"].statement)
    assert statement["intersection"] == (2 if ends["retailer"][0] is not None else None)
    assert statement["opened"] is bool(openings)
    assert (statement["reveal"], statement["to"], statement["floor"]) == (reveal, to, floor)


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
    digest = pair.SUITE.hash(b"".join(pair.SUITE.hash(part) for part in ordered))
    assert json.loads(result.statement) == {
        "version": "fedcrm-psi-ecdh/2",
        "suite": "gm",
        "context": b"spec digest and attempt".hex(),
        "receiver": "bank",
        "sender": "retailer",
        "sizes": {"bank": 3, "retailer": 4},
        "reveal": "list",
        "to": "both",
        "intersection": 2,
        "floor": 3,
        "opened": False,
        "transcript": digest.hex(),
    }
    for party, signature in result.signatures.items():
        signed = b"fedcrm/psi-size/v2\0" + result.statement
        pair.SUITE.verify(pair.KEYS["gm"][party][1], signed, signature)
        with pytest.raises(InvalidSignature):
            pair.SUITE.verify(pair.KEYS["gm"][party][1], result.statement, signature)
    assert set(result.signatures) == {"bank", "retailer"}


def scalar(party: str, role: str) -> int:
    stream = plain_gm.Stream(pair.SEEDS[party], f"fedcrm-psi-ecdh/2 {role} scalar".encode())
    return 1 + stream.below(plain_gm.N - 1)


def test_the_shared_order_is_that_of_the_items_in_every_run():
    numbers = list(range(8))
    orders = {
        tuple(pair.run(numbers, numbers[::-1], **terms)[0]["bank"].positions)
        for terms in (
            {},
            {"context": b"the next attempt"},
            {"bank_terms": {"seed": b"\x05" * 32}},
            {"suite": pair.INTL},
        )
    }
    assert orders == {tuple(sorted(numbers, key=pair.item))}


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
@pytest.mark.parametrize(("reveal", "to"), REVEAL_TO)
def test_a_replayed_role_sends_the_same_bytes(party, reveal, to):
    numbers = {"bank": [1, 2, 3, 4, 5], "retailer": [9, 4, 2, 7]}
    terms = {"reveal": reveal, "to": to}
    results, transcript = pair.run(numbers["bank"], numbers["retailer"], **terms)
    inbound = [data for _, to, _, data in transcript.messages if to == party]
    recorded = [data for by, _, _, data in transcript.messages if by == party]
    outbound, result = sent(pair.role(party, numbers[party], **terms), inbound)
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
    assert not any(pair.item(number) in wire for number in numbers)
    # With both scalars a list's order can be recovered: it must be neither party's own.
    context = pair.SUITE.hash(b"spec digest and attempt")
    dst = b"fedcrm-psi-ecdh/2 " + context
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
    results, transcript = pair.run(range(count), range(count - 1, count + 1), suite=pair.INTL)
    assert results["bank"].positions.tolist() == [count - 1]
    assert results["retailer"].positions.tolist() == [0]
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
        (np.zeros((1, 31), np.uint8), "32 bytes"),
        (np.zeros((1, 33), np.uint8), "32 bytes"),
        (np.zeros(32, np.uint8), "32 bytes"),
        (np.zeros((1, 32), np.int8), "32 bytes"),
        (np.zeros((2, 32), np.uint8), "distinct"),
        (np.arange(128, dtype=np.uint8).reshape(4, 32)[::2], "contiguous"),
        (np.arange(128, dtype=np.uint8).reshape(32, 4).T, "contiguous"),
    ],
)
def test_bad_items_are_the_callers_mistake(items, match):
    with pytest.raises(LocalProtocolError, match=match):
        next(pair.PLAY["bank"](items, **pair.arguments("bank")))


def test_too_many_items_are_the_callers_mistake():
    with (
        patch("protocols.arguments.MAX_ITEMS", 2),
        pytest.raises(LocalProtocolError, match="3 items; at most 2"),
    ):
        next(pair.role("bank", [1, 2, 3]))


@pytest.mark.parametrize("changed", [{"reveal": "sum"}, {"to": "sender"}])
def test_an_unknown_outcome_is_the_callers_mistake(changed):
    with pytest.raises(LocalProtocolError, match="reveal is"):
        next(pair.role("bank", [1], **changed))


def test_secrets_stay_out_of_the_representation():
    own = steps.Party(
        role="receiver",
        reveal="list",
        to="both",
        items=pair.items([1]),
        **pair.arguments("bank"),
    )
    shown = repr(own)
    assert "bank" in shown
    for secret in (own.private_key, own.seed, own.items, own.sorted_items):
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


def packed(*positions):
    return pack_positions(np.array(positions))


@pytest.mark.parametrize(
    "changed",
    [
        {"size": 4, "packed_positions": packed(0, 1, 2, 0)},
        {"opened": False},
        {"floor": 3},
        {"packed_positions": b""},
        {"packed_positions": packed(1)},
        {"packed_positions": packed(1, 1)},
        {"packed_positions": packed(1, 3)},
        {"packed_positions": packed(1, 2)[:-1]},
        {"size": None},
        {"size": None, "opened": False},
        {"size": 4, "opened": False, "packed_positions": b""},
        {"size": -1, "opened": False, "packed_positions": b""},
    ],
)
def test_an_inconsistent_stored_result_is_refused(changed):
    fields = {name: getattr(RESULT, name) for name in RESULT.__struct_fields__}
    with pytest.raises(LocalProtocolError, match="damaged"):
        Intersection.from_bytes(Intersection(**{**fields, **changed}).to_bytes())


@pytest.mark.parametrize("name", ["gm", "intl"])
def test_parties_with_different_kernels_understand_each_other(name):
    """One computes with what this machine has, the other without."""
    bank, retailer = range(600), range(500, 1100)
    results, _ = pair.run(
        bank,
        retailer,
        suite=get_suite(name, "portable"),
        retailer_terms={"suite": get_suite(name, "auto")},
    )
    shared = sorted(range(500, 600), key=pair.item)
    assert [bank[i] for i in results["bank"].positions] == shared
    assert [retailer[i] for i in results["retailer"].positions] == shared
