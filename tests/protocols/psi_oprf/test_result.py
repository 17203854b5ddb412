"""Honest runs: the result is the plaintext intersection, the cache spares what it should."""

from __future__ import annotations

import json
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.psi_oprf import (
    AnswerTerms,
    EpochKey,
    EvaluatedSet,
    QueryTerms,
    TagSet,
    draw_epoch_key,
    evaluate_set,
    receiver,
    tag_length,
    tag_set,
    tag_set_digest,
)
from protocols.psi_oprf.messages import MAX_TAG_BYTES
from protocols.roles import Send
from protocols.suite import InvalidSignature, get_suite
from protocols.wire import decode, encode
from tests.protocols.psi_ecdh.pair import KEYS, item
from tests.protocols.psi_oprf import pair

subsets = st.lists(st.integers(0, 12), unique=True, max_size=8)
SUITES = pytest.mark.parametrize("suite", [pair.SUITE, pair.INTL], ids=lambda suite: suite.name)
PARTIES = pytest.mark.parametrize("party", ["bank", "retailer"])


def small_chunks():
    """Several messages for lists of a few entries."""
    names = {
        "receiver": {"CHUNK_QUERIES": 3, "CHUNK_TAGS": 2},
        "sender": {"CHUNK_QUERIES": 3, "CHUNK_TAGS": 2},
        "answers": {"CHUNK_PLACES": 2},
        "tag_set": {"CHUNK_QUERIES": 3, "CHUNK_TAGS": 2},
    }
    stack = ExitStack()
    for name, sizes in names.items():
        stack.enter_context(patch.multiple(f"protocols.psi_oprf.{name}", **sizes))
    return stack


@given(
    st.sampled_from([pair.SUITE, *[pair.INTL] * 7]),
    st.tuples(subsets, subsets),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_the_result_is_the_plaintext_intersection(suite, sets, has_cache):
    bank, retailer = sets
    with small_chunks():
        made = pair.evaluated(pair.items(retailer), suite)
        cached = made.tag_set if has_cache else None
        results, _ = pair.run(bank, retailer, suite=suite, made=made, cached=cached)
        heard, _ = pair.tell(results["bank"].places, tags=len(retailer), queries=len(bank))
    ordered = sorted(set(bank) & set(retailer), key=item)
    matched, answered = results["bank"], results["retailer"]
    assert [bank[i] for i in matched.positions] == ordered
    assert [retailer[i] for i in made.order[heard]] == ordered
    assert (matched.own_size, matched.peer_size) == (len(bank), len(retailer))
    assert (answered.own_size, answered.queries) == (len(retailer), len(bank))
    assert matched.received is answered.sent is (not has_cache)
    assert np.array_equal(matched.tag_set.tags, made.tag_set.tags)
    assert matched.statement == answered.statement
    assert matched.signatures == answered.signatures


def names(transcript):
    return [(by, name) for by, _, name, _ in transcript.messages]


def test_a_kept_tag_set_is_not_sent_again():
    first, transcript = pair.run([1, 2, 3], [2, 3, 4, 5])
    assert ("retailer", "TagChunk") in names(transcript)
    kept = first["bank"].tag_set
    again, transcript = pair.run([5, 9], [2, 3, 4, 5], cached=kept)
    assert ("retailer", "TagChunk") not in names(transcript)
    assert again["bank"].tag_set is kept
    assert again["bank"].positions.tolist() == [0]


def test_a_changed_set_and_a_new_key_are_sent():
    kept = pair.run([1], [2, 3, 4])[0]["bank"].tag_set
    results, _ = pair.run([1], [1, 2, 3, 4], cached=kept)
    assert results["bank"].received
    assert results["bank"].positions.tolist() == [0]

    made = pair.evaluated(pair.items([2, 3, 4]), seed=b"\x09" * 32)
    assert made.tag_set.key_id != kept.key_id
    key = {"key": pair.epoch_key(pair.SUITE, b"\x09" * 32)}
    results, _ = pair.run([4, 1], [2, 3, 4], made=made, cached=kept, retailer_terms=key)
    assert results["bank"].received
    assert results["bank"].positions.tolist() == [0]
    old = {tag.tobytes() for tag in kept.tags}
    assert old.isdisjoint(tag.tobytes() for tag in made.tag_set.tags)


@SUITES
def test_a_mapped_file_serves_as_cache_and_as_set(suite, tmp_path):
    numbers = list(range(300))
    made = pair.evaluated(pair.items(numbers), suite)
    (tmp_path / "tags").write_bytes(made.tag_set.tags.tobytes())
    (tmp_path / "order").write_bytes(made.order.tobytes())
    tags = np.memmap(tmp_path / "tags", np.uint8, "r", shape=made.tag_set.tags.shape)
    order = np.memmap(tmp_path / "order", np.int64, "r", shape=made.order.shape)
    mapped = TagSet(made.tag_set.key_id, tags, made.tag_set.digest)
    for cached in (None, mapped):
        results, _ = pair.run(
            [299, 17, 1000],
            numbers,
            suite=suite,
            cached=cached,
            made=EvaluatedSet(mapped, order),
        )
        heard, _ = pair.tell(results["bank"].places, tags=300, queries=3)
        assert {[299, 17, 1000][i] for i in results["bank"].positions} == {17, 299}
        assert {numbers[i] for i in order[heard]} == {17, 299}


def test_the_tags_are_sorted_and_lead_back_to_their_items():
    numbers = list(range(40))
    made = pair.evaluated(pair.items(numbers))
    tags = [tag.tobytes() for tag in made.tag_set.tags]
    assert tags == sorted(set(tags))
    assert sorted(made.order.tolist()) == numbers
    alone = pair.evaluated(pair.items([7]))
    # The length depends on the size, what is under it does not.
    place = made.order.tolist().index(7)
    length = alone.tag_set.tags.shape[1]
    assert tags[place][:length] == alone.tag_set.tags[0].tobytes()[: len(tags[place])]
    assert made.tag_set.digest == tag_set_digest(pair.SUITE, made.tag_set.key_id, made.tag_set.tags)


@pytest.mark.parametrize(
    ("size", "quota", "length"),
    [
        (0, 1, 8),
        (1, 1, 8),
        (10**7, 1000, 10),
        (10**7, 2**16 - 1, 10),
        (10**7, 2**16, 11),
        (2**24, 2**30, 12),
    ],
)
def test_the_tag_length_is_calculated(size, quota, length):
    assert tag_length(size, quota) == length
    # Any of the queries meets any of the tags by chance, at most 2^-40.
    assert size * quota * 2 ** -(8 * length) <= 2**-40
    assert length <= MAX_TAG_BYTES


@SUITES
def test_another_epoch_gives_other_tags_and_another_id(suite):
    keys = [pair.epoch_key(suite, bytes([number]) * 32) for number in (1, 2)]
    sets = [pair.evaluated(pair.items(range(9)), suite, bytes([n]) * 32) for n in (1, 2)]
    assert keys[0].id != keys[1].id
    assert keys[0].scalar != keys[1].scalar
    tags = [{tag.tobytes() for tag in made.tag_set.tags} for made in sets]
    assert tags[0].isdisjoint(tags[1])
    assert draw_epoch_key(suite, b"\x01" * 32) == keys[0]


def test_the_statement_is_the_terms_and_both_signatures_verify():
    results, _ = pair.run([1, 2, 3], [2, 3, 4, 5], retailer_terms={"quota_left": 12})
    made = pair.prepared((2, 3, 4, 5))
    assert json.loads(results["bank"].statement) == {
        "version": "fedcrm-psi-oprf/1",
        "suite": "gm",
        "context": b"spec digest and attempt".hex(),
        "receiver": "bank",
        "sender": "retailer",
        "queries": 3,
        "quota_left": 12,
        "key": made.tag_set.key_id.hex(),
        "tags": 4,
        "tag_bytes": 8,
        "tag_set": made.tag_set.digest.hex(),
    }
    for party, signature in results["bank"].signatures.items():
        signed = b"fedcrm/oprf-terms/v1\0" + results["bank"].statement
        pair.SUITE.verify(KEYS["gm"][party][1], signed, signature)
        with pytest.raises(InvalidSignature):
            pair.SUITE.verify(KEYS["gm"][party][1], results["bank"].statement, signature)
    assert set(results["bank"].signatures) == {"bank", "retailer"}


def replayed(role, inbound):
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


@SUITES
@PARTIES
def test_a_replayed_role_sends_the_same_bytes(suite, party):
    numbers = {"bank": [1, 2, 3, 4, 5], "retailer": [9, 4, 2, 7]}
    results, transcript = pair.run(numbers["bank"], numbers["retailer"], suite=suite)
    inbound = [data for _, to, _, data in transcript.messages if to == party]
    recorded = [data for by, _, _, data in transcript.messages if by == party]
    role = getattr(pair, party)(numbers[party], suite=suite)
    outbound, result = replayed(role, inbound)
    assert outbound == recorded
    assert result.statement == results[party].statement
    if party == "bank":
        assert result.positions.tolist() == results[party].positions.tolist()
        assert result.places.tolist() == results[party].places.tolist()


def blinded(transcript):
    data = b"".join(
        data[-6 * 32 :] for *_, name, data in transcript.messages if name == "BlindedQueries"
    )
    return {data[start : start + 32] for start in range(0, len(data), 32)}


def test_queries_of_different_runs_cannot_be_compared():
    numbers = list(range(6))
    first, again = (blinded(pair.run(numbers, [9])[1]) for _ in range(2))
    assert len(first) == 6
    assert first == again
    other = blinded(pair.run(numbers, [9], bank_terms={"seed": b"\x05" * 32})[1])
    assert first.isdisjoint(other)


def test_items_are_not_on_the_wire_and_what_matched_only_if_told():
    numbers = list(range(40))
    results, transcript = pair.run(numbers, numbers[::-1])
    wire = b"".join(data for *_, data in transcript.messages)
    assert not any(item(number) in wire for number in numbers)
    assert len(results["bank"].positions) == 40
    assert {name for by, name in names(transcript) if by == "bank"} == {
        "QueryTerms",
        "TermsSignature",
        "BlindedQueries",
    }
    _, told = pair.tell(results["bank"].places, tags=40, queries=40)
    assert names(told) == [("bank", "Matches"), ("bank", "MatchedTags")]


def test_progress_is_told_to_the_end():
    key = pair.epoch_key(pair.SUITE)
    with small_chunks():
        role = evaluate_set(pair.items(range(4)), suite=pair.SUITE, key=key, quota=9)
        assert [(p.done, p.total) for p in role] == [(3, 4), (4, 4)]
        made = pair.evaluated(pair.items([2, 3, 4, 5]))
        _, transcript = pair.run([1, 2, 3, 4, 5], [2, 3, 4, 5], made=made)
    told = [(p.step, p.done, p.total) for p in transcript.progress]
    for step, total in (("blind", 5), ("unblind", 5), ("answer", 5)):
        assert told.count((step, total, total)) == 1
    for step in ("send tags", "receive tags"):
        assert [entry for entry in told if entry[0] == step] == [(step, 2, 4), (step, 4, 4)]


def test_the_quota_binds_both_sides():
    results, _ = pair.run([1, 2, 3], [3], retailer_terms={"quota_left": 3})
    assert results["retailer"].queries == 3
    receiving = pair.bank([1, 2, 3])
    sending = pair.retailer([3], quota_left=2)
    asked = next(receiving).message
    assert next(sending).type is QueryTerms
    answer = sending.send(asked).message
    with pytest.raises(RemoteProtocolError, match="peer asks 3 queries, 2 are left of its quota"):
        next(sending)
    assert receiving.send(None).type is AnswerTerms
    with pytest.raises(LocalProtocolError, match="3 items, but the peer answers 2 more queries"):
        receiving.send(answer)


@PARTIES
@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"party": "x", "peer": "x"}, "different"),
        ({"peer": ""}, "non-empty ASCII"),
        ({"context": b""}, "context"),
        ({"seed": bytes(31)}, "seed"),
        ({"private_key": bytes(32)}, "private key"),
    ],
)
def test_bad_arguments_are_the_callers_mistake(party, changed, match):
    with pytest.raises(LocalProtocolError, match=match):
        next(getattr(pair, party)([1], **changed))


def test_bad_items_are_the_callers_mistake():
    for given_, match in (
        (np.zeros((1, 31), np.uint8), "32 bytes"),
        (np.zeros((2, 32), np.uint8), "distinct"),
    ):
        with pytest.raises(LocalProtocolError, match=match):
            next(receiver(given_, **pair.arguments("bank")))
        with pytest.raises(LocalProtocolError, match=match):
            pair.evaluated(given_)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"quota_left": -1}, "quota_left"),
        ({"quota_left": 2**30 + 1}, "quota_left"),
        ({"key": pair.epoch_key(pair.SUITE, b"\x01" * 32)}, "another epoch key"),
        ({"suite": pair.INTL, "key": pair.epoch_key(pair.SUITE)}, "none of suite intl"),
    ],
)
def test_a_senders_bad_arguments_are_its_own_mistake(changed, match):
    made = pair.prepared((1, 2))
    with pytest.raises(LocalProtocolError, match=match):
        next(pair.retailer([1, 2], made, **changed))


@pytest.mark.parametrize(
    ("key_id", "tags", "digest"),
    [
        (bytes(15), np.zeros((1, 8), np.uint8), bytes(32)),
        (bytes(16), np.zeros((1, 8), np.uint8), bytes(31)),
        (bytes(16), np.zeros((1, 7), np.uint8), bytes(32)),
        (bytes(16), np.zeros((1, 17), np.uint8), bytes(32)),
        (bytes(16), np.zeros(8, np.uint8), bytes(32)),
        (bytes(16), np.zeros((1, 8), np.int8), bytes(32)),
        (bytes(16), np.zeros((4, 8), np.uint8)[::2], bytes(32)),
    ],
)
def test_what_is_no_tag_set_is_refused(key_id, tags, digest):
    with pytest.raises(LocalProtocolError, match="tag"):
        TagSet(key_id, tags, digest)


@pytest.mark.parametrize("quota", [0, -1, 2**30 + 1])
def test_a_quota_out_of_range_is_refused(quota):
    with pytest.raises(LocalProtocolError, match="quota must be"):
        pair.evaluated(pair.items([1]), quota=quota)


def test_equal_tags_ask_for_another_key():
    with (
        patch.object(tag_set, "tags_of", lambda *_: np.zeros((2, 8), np.uint8)),
        pytest.raises(LocalProtocolError, match="draw another key"),
    ):
        pair.evaluated(pair.items([1, 2]))


def test_secrets_stay_out_of_representations():
    key = pair.epoch_key(pair.SUITE)
    assert key.scalar.hex() not in repr(key)
    assert repr(key.scalar) not in repr(key)
    with pytest.raises(LocalProtocolError, match="epoch key"):
        EpochKey(key.id, key.scalar[1:])
    with pytest.raises(LocalProtocolError, match="seed"):
        draw_epoch_key(pair.SUITE, bytes(31))
    results, _ = pair.run([1, 2], [2])
    assert "array" not in repr(results["bank"])
    assert "array" not in repr(results["retailer"])


@pytest.mark.parametrize("name", ["gm", "intl"])
def test_parties_with_different_kernels_understand_each_other(name):
    """One computes with what this machine has, the other without."""
    portable, auto = get_suite(name, "portable"), get_suite(name, "auto")
    numbers = list(range(500, 1100))
    made = pair.evaluated(pair.items(numbers), auto)
    results, _ = pair.run(
        range(600),
        numbers,
        made=made,
        bank_terms={"suite": portable},
        retailer_terms={"suite": auto, "key": pair.epoch_key(auto)},
    )
    shared = sorted(range(500, 600), key=item)
    assert results["bank"].positions.tolist() == shared
    heard, _ = pair.tell(results["bank"].places, tags=600, queries=600)
    assert [numbers[i] for i in made.order[heard]] == shared
