"""Honest runs: the result is the plaintext intersection, told at the floor and not below."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.arguments import MAX_ITEMS
from protocols.errors import LocalProtocolError
from protocols.intersection import Intersection
from protocols.psi_server_aided import OwnTokens, TokenList, match, tokens
from protocols.suite import InvalidSignature
from protocols.wire import encode
from tests.protocols.psi_server_aided import job

subsets = st.lists(st.integers(0, 12), unique=True, max_size=8)
KEYS = job.FIXED_KEYS["gm"]
BY_SUITE = pytest.mark.parametrize("suite", job.SUITES)


@BY_SUITE
@given(subsets, subsets, st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_result_is_the_plaintext_intersection(suite, bank, retailer, floor):
    results = job.run(bank, retailer, floor=floor, suite=suite)
    shared = set(bank) & set(retailer)
    opened = len(shared) >= floor
    for party, own, peer in (("bank", bank, retailer), ("retailer", retailer, bank)):
        result = results[party]
        assert (result.own_size, result.peer_size) == (len(own), len(peer))
        assert (result.floor, result.opened) == (floor, opened)
        assert result.size == (len(shared) if opened else None)
        matched = [own[position] for position in result.positions]
        assert set(matched) == (shared if opened else set())
        assert len(matched) == len(set(matched))
        assert Intersection.from_bytes(result.to_bytes()) == result
    assert [bank[position] for position in results["bank"].positions] == [
        retailer[position] for position in results["retailer"].positions
    ]


@pytest.mark.parametrize(
    ("bank", "retailer", "floor", "size"),
    [
        ([], [], 1, None),
        ([], [1, 2], 1, None),
        ([1, 2], [], 1, None),
        ([1, 2], [3, 4], 1, None),
        ([1], [1], 1, 1),
        ([1, 2, 3], [3, 1, 2], 3, 3),
        ([1, 2, 3], [3, 1, 2], 4, None),
        (range(8), range(8), 8, 8),
        (range(9), range(9), 9, 9),
        (range(16), range(8, 24), 8, 8),
        (range(16), range(8, 24), 9, None),
    ],
)
def test_both_get_the_same_outcome_at_the_edges(bank, retailer, floor, size):
    results = job.run(bank, retailer, floor=floor)
    assert [result.size for result in results.values()] == [size, size]
    assert results["bank"].statement == results["retailer"].statement
    assert results["bank"].signatures == results["retailer"].signatures


def test_a_run_with_keys_agreed_in_it():
    keys, _ = job.agree()
    own = {
        "bank": tokens(job.items([1, 2, 3]), keys["bank"], job.SUITE),
        "retailer": tokens(job.items([3, 4, 1]), keys["retailer"], job.SUITE),
    }
    lists = {party: job.token_list(party, own[party]) for party in own}
    prepared = job.Prepared(own, match(lists, context=job.CONTEXT, floor=2))
    results, _ = job.confirm(prepared, floor=2, keys=keys["bank"])
    assert sorted(zip(*(results[party].positions for party in own), strict=True)) == [
        (0, 2),
        (2, 0),
    ]


def test_keys_of_two_agreements_match_nothing():
    """A party with the wrong keys sees no match instead of a wrong one."""
    other, _ = job.agree(context=b"the next attempt")
    own = {
        "bank": tokens(job.items(range(9)), KEYS, job.SUITE),
        "retailer": tokens(job.items(range(9)), other["retailer"], job.SUITE),
    }
    lists = {party: job.token_list(party, own[party]) for party in own}
    answers = match(lists, context=job.CONTEXT, floor=1)
    assert [answer.opened for answer in answers.values()] == [False, False]


@pytest.mark.parametrize("opened", [True, False])
def test_the_statement_says_what_happened_and_both_signatures_verify(opened):
    floor = 2 if opened else 3
    prepared = job.prepare([1, 2, 3], [2, 3, 4, 5], floor=floor)
    results, _ = job.confirm(prepared, floor=floor)
    result = results["bank"]
    shared = sorted(tokens(job.items([2, 3]), KEYS, job.SUITE).tokens[at:][:16] for at in (0, 16))
    digest = job.SUITE.hash((32).to_bytes(8, "big"), *shared)
    assert json.loads(result.statement) == {
        "version": "fedcrm-psi-server-aided/1",
        "suite": "gm",
        "context": job.CONTEXT.hex(),
        "sizes": {"bank": 3, "retailer": 4},
        "floor": floor,
        "opened": opened,
        "intersection": 2 if opened else None,
        "transcript": digest.hex() if opened else None,
    }
    assert set(result.signatures) == {"bank", "retailer"}
    for party, signature in result.signatures.items():
        signed = b"fedcrm/psi-matches/v1\0" + result.statement
        job.SUITE.verify(job.KEYS["gm"][party][1], signed, signature)
        with pytest.raises(InvalidSignature):
            job.SUITE.verify(job.KEYS["gm"][party][1], result.statement, signature)


def test_below_the_floor_the_answers_do_not_depend_on_the_size():
    answers = [
        job.prepare(range(10), range(10 - shared, 20 - shared), floor=5).answers
        for shared in range(5)
    ]
    for party in job.PEER:
        assert len({encode(answer[party]) for answer in answers}) == 1
        assert answers[0][party].matched == b""


def test_an_answer_is_as_long_whatever_matched():
    lengths = {
        len(encode(job.prepare(range(40), range(start, start + 40)).answers["bank"]))
        for start in range(0, 40, 7)
    }
    assert len(lengths) == 1


def test_below_the_floor_nothing_but_sizes_and_signatures_is_sent():
    def sent(shared):
        prepared = job.prepare(range(10), range(10 - shared, 20 - shared), floor=5)
        _, transcript = job.confirm(prepared, floor=5)
        return [data for *_, data in transcript.messages]

    assert sent(0) == sent(4)


def test_a_token_list_depends_on_the_set_of_items_alone():
    numbers = list(range(20))
    first = tokens(job.items(numbers), KEYS, job.SUITE)
    again = tokens(job.items(numbers[::-1]), KEYS, job.SUITE)
    assert first.tokens == again.tokens
    assert first.order.tolist() == [19 - index for index in again.order]
    parts = [first.tokens[at : at + 16] for at in range(0, len(first.tokens), 16)]
    assert parts == sorted(set(parts))
    assert len(parts) == 20
    for index, token in zip(first.order, parts, strict=True):
        assert tokens(job.items([numbers[index]]), KEYS, job.SUITE).tokens == token


def test_tokens_are_other_ones_in_every_job_and_hold_no_item():
    items = job.items(range(30))
    original = tokens(items, KEYS, job.SUITE).tokens
    other = tokens(items, job.agree(context=b"another job")[0]["bank"], job.SUITE).tokens

    def parts(data):
        return {data[at : at + 16] for at in range(0, len(data), 16)}

    assert parts(original).isdisjoint(parts(other))
    assert not any(item[:8] in original for item in items)


def test_neither_items_nor_tokens_cross_the_peer_channel():
    numbers = range(30)
    prepared = job.prepare(numbers, numbers)
    _, transcript = job.confirm(prepared)
    wire = b"".join(data for *_, data in transcript.messages)
    assert not any(item in wire for item in job.items(numbers))
    sent = prepared.own["bank"].tokens
    assert not any(sent[at : at + 16] in wire for at in range(0, len(sent), 16))


# Tokens of few distinct bytes, zeros at either end among them: NumPy's byte strings are padded.
odd_tokens = st.lists(
    st.lists(st.sampled_from([0, 1, 127, 128, 255]), min_size=16, max_size=16).map(bytes)
    | st.integers(0, 255).map(lambda last: bytes(15) + bytes([last]))
    | st.integers(0, 255).map(lambda first: bytes([first]) + bytes(15)),
    unique=True,
    max_size=12,
)


@given(odd_tokens, odd_tokens, st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_the_coordinator_matches_byte_strings_exactly(bank, retailer, floor):
    lists = {"bank": sorted(bank), "retailer": sorted(retailer)}
    given_lists = {
        party: job.token_list(party, OwnTokens(b"".join(lists[party]), np.arange(0)))
        for party in lists
    }
    answers = match(given_lists, context=job.CONTEXT, floor=floor)
    shared = set(bank) & set(retailer)
    for party, peer in job.PEER.items():
        answer = answers[party]
        assert (answer.own_size, answer.peer_size) == (len(lists[party]), len(lists[peer]))
        assert answer.opened is (len(shared) >= floor)
        if answer.opened:
            bits = np.unpackbits(np.frombuffer(answer.matched, np.uint8)).tolist()
            expected = [int(token in shared) for token in lists[party]]
            assert bits == expected + [0] * (-len(expected) % 8)
        else:
            assert answer.matched == b""


@pytest.mark.parametrize("party", job.PEER)
@pytest.mark.parametrize("opened", [True, False])
def test_a_replayed_confirmation_sends_the_same_bytes(party, opened):
    floor = 2 if opened else 4
    prepared = job.prepare([1, 2, 3, 4, 5], [9, 4, 2, 7], floor=floor)
    results, transcript = job.confirm(prepared, floor=floor)
    inbound = [data for _, to, _, data in transcript.messages if to == party]
    recorded = [data for by, _, _, data in transcript.messages if by == party]
    outbound, result = job.replay(job.confirmation(party, prepared, floor=floor), inbound)
    assert outbound == recorded
    assert result == results[party]


@pytest.mark.parametrize(
    ("items", "match_"),
    [
        (np.zeros((1, 31), np.uint8), "32 bytes"),
        (np.zeros((1, 33), np.uint8), "32 bytes"),
        (np.zeros((2, 32), np.uint8), "distinct"),
    ],
)
def test_bad_items_are_the_callers_mistake(items, match_):
    with pytest.raises(LocalProtocolError, match=match_):
        tokens(items, KEYS, job.SUITE)


@pytest.mark.parametrize("party", job.PEER)
@pytest.mark.parametrize(
    ("changed", "match_"),
    [
        ({"party": "x", "peer": "x"}, "different"),
        ({"context": b""}, "context"),
        ({"floor": 0}, "floor"),
        ({"floor": MAX_ITEMS + 1}, "floor"),
        ({"seed": bytes(31)}, "seed"),
        ({"private_key": bytes(32)}, "private key"),
    ],
)
def test_bad_arguments_are_the_callers_mistake(party, changed, match_):
    prepared = job.prepare([1], [1])
    with pytest.raises(LocalProtocolError, match=match_):
        next(job.confirmation(party, prepared, **changed))


def test_tokens_without_their_order_are_the_callers_mistake():
    prepared = job.prepare([1, 2], [1])
    cut = OwnTokens(prepared.own["bank"].tokens, np.arange(1))
    with pytest.raises(LocalProtocolError, match="different lengths"):
        next(job.confirmation("bank", job.Prepared({"bank": cut}, prepared.answers)))


@pytest.mark.parametrize("parties", [(), ("bank",), ("bank", "retailer", "insurer")])
def test_tokens_are_matched_between_two(parties):
    lists = {party: TokenList("", party, "", b"", b"") for party in parties}
    with pytest.raises(LocalProtocolError, match="two parties"):
        match(lists, context=job.CONTEXT, floor=1)


@pytest.mark.parametrize("floor", [0, -1, MAX_ITEMS + 1])
def test_the_coordinator_needs_a_floor(floor):
    prepared = job.prepare([1], [1])
    lists = {party: job.token_list(party, own) for party, own in prepared.own.items()}
    with pytest.raises(LocalProtocolError, match="floor"):
        match(lists, context=job.CONTEXT, floor=floor)


def test_secrets_stay_out_of_the_representation():
    assert repr(job.prepare([1, 2], [1]).own["bank"]) == "OwnTokens()"
