"""Honest runs: the result is Python's intersection, and nothing else depends on the items."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import silent_vole
from protocols.arguments import MAX_ITEMS
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.psi_vole import MaskedColumns, Tags, Terms, hear_matches, steps, tell_matches
from protocols.psi_vole.messages import CHUNK_BYTES
from protocols.wire import decode
from tests.drive import drive
from tests.protocols.psi_vole import pair, plain_protocol

SUITES = pytest.mark.parametrize("name", ["gm", "intl"])
KERNELS = pytest.mark.parametrize("kernels", ["auto", "portable"])
NUMBERS = st.lists(st.integers(0, 300), max_size=200, unique=True)


@SUITES
@KERNELS
@given(bank=NUMBERS, retailer=NUMBERS)
@settings(max_examples=40, deadline=None)
def test_the_result_is_the_intersection(name, kernels, bank, retailer):
    results, _ = pair.run(bank, retailer, suite=pair.suite(name, kernels))
    pair.check(bank, retailer, results)


@SUITES
@pytest.mark.parametrize(
    ("bank", "retailer"),
    [([], []), ([], [1]), ([1], []), ([1], [1]), ([1], [2]), ([1, 2, 3], [3]), ([3], [1, 2, 3])],
)
def test_the_smallest_sets_match(name, bank, retailer):
    results, transcript = pair.run(bank, retailer, suite=pair.suite(name))
    pair.check(bank, retailer, results)
    if not (bank and retailer):
        assert [message[2] for message in transcript.messages] == ["Terms", "Terms"]


@SUITES
@KERNELS
def test_twenty_thousand_items_match(name, kernels):
    bank, retailer = list(range(20_000)), list(range(12_345, 32_345))
    results, _ = pair.run(bank, retailer, suite=pair.suite(name, kernels))
    pair.check(bank, retailer, results)


@SUITES
def test_unequal_sizes_match(name):
    for bank, retailer in ((range(7), range(5, 3000)), (range(3000), range(2995, 3002))):
        results, _ = pair.run(list(bank), list(retailer), suite=pair.suite(name))
        pair.check(list(bank), list(retailer), results)


@SUITES
def test_the_roles_run_over_the_real_silent_vole(name):
    bank, retailer = list(range(100)), list(range(60, 250))
    results, transcript = pair.run(bank, retailer, suite=pair.suite(name), real_vole=True)
    pair.check(bank, retailer, results)
    assert transcript.messages[2][2] not in {"MaskedColumns", "Tags"}


@SUITES
@KERNELS
def test_two_thousand_random_pairs_match(name, kernels):
    stream = pair.suite().stream(bytes(32), f"pairs {name} {kernels}".encode())
    for _ in range(500):
        sizes = stream.below(60), stream.below(60)
        bank, retailer = (stream.permutation(90)[:size].tolist() for size in sizes)
        results, _ = pair.run(bank, retailer, suite=pair.suite(name, kernels))
        pair.check(bank, retailer, results)


@SUITES
@KERNELS
@pytest.mark.parametrize(("own", "peers", "both"), [(1, 1, 1), (30, 20, 8), (3, 40, 2)])
def test_messages_and_result_are_the_specs(name, kernels, own, peers, both):
    bank, retailer = list(range(own)), list(range(own - both, own - both + peers))
    dealer = pair.Dealer()
    results, transcript = pair.run(bank, retailer, suite=pair.suite(name, kernels), dealer=dealer)
    parties = [
        plain_protocol.PlainParty(
            party, role, pair.SEEDS[party], [item.tobytes() for item in pair.items(numbers)]
        )
        for party, role, numbers in (
            ("bank", "receiver", bank),
            ("retailer", "sender", retailer),
        )
    ]
    columns = plain_protocol.PlainHashes(name, own, bytes(32), b"").okvs.columns
    mask, b_low, b_high, c_low, c_high = (part.tolist() for part in dealer.deal(columns))
    vole = plain_protocol.PlainVole(dealer.delta, mask, (b_low, b_high), (c_low, c_high))
    plain = plain_protocol.run(name, *parties, context=pair.CONTEXT, vole=vole)
    for party in ("bank", "retailer"):
        sent = [data for sender, _, _, data in transcript.messages if sender == party]
        assert sent == plain.outbound[party]
    assert results["bank"].positions.tolist() == plain.positions
    assert results["bank"].answer == plain.answer
    assert results["retailer"].order.tolist() == plain.order


def test_tags_are_sorted_whatever_the_order_of_the_items():
    numbers = list(range(100))
    lists = []
    for retailer in (numbers, numbers[::-1]):
        _, transcript = pair.run(list(range(50)), retailer)
        (data,) = (data for _, _, name, data in transcript.messages if name == "Tags")
        width = steps.tag_bytes(50, 100)
        octets = decode(data, Tags).tags
        lists.append([octets[i : i + width] for i in range(0, len(octets), width)])
    assert lists[0] == lists[1] == sorted(lists[0])


def test_another_context_makes_other_rows_and_tags():
    messages = []
    for context in (b"one", b"two"):
        _, transcript = pair.run([1, 2, 3], [3, 4], context=context)
        messages.append({name: data for _, _, name, data in transcript.messages})
    assert messages[0]["MaskedColumns"] != messages[1]["MaskedColumns"]
    assert messages[0]["Tags"] != messages[1]["Tags"]


def test_equal_arguments_give_equal_messages_and_another_seed_another_salt():
    runs = [pair.run([1, 2, 3], [3, 4])[1].messages for _ in range(2)]
    assert runs[0] == runs[1]
    other = pair.run([1, 2, 3], [3, 4], bank_terms={"seed": b"\x09" * 32})[1].messages
    salts = [decode(messages[0][3], Terms).salt for messages in (runs[0], other)]
    assert salts[0] != salts[1]


def test_long_vectors_travel_in_chunks_of_a_mebibyte():
    size = CHUNK_BYTES // 8
    results, transcript = pair.run(list(range(size)), list(range(5, size + 5)))
    pair.check(list(range(size)), list(range(5, size + 5)), results)
    lengths = [len(data) for _, _, name, data in transcript.messages if name != "Terms"]
    assert max(lengths) <= CHUNK_BYTES + 64
    names = [name for _, _, name, _ in transcript.messages]
    assert (names.count("MaskedColumns"), names.count("Tags")) == (2, 2)


def test_progress_names_every_step():
    _, transcript = pair.run(list(range(20)), list(range(30)))
    named = {progress.step for progress in transcript.progress}
    assert named == {"encode", "place", "dealt", "mask", "unmask", "tags", "send tags", "match"}
    for progress in transcript.progress:
        assert 0 < progress.done <= progress.total


@pytest.mark.parametrize("party", ["bank", "retailer"])
def test_duplicates_are_refused_before_anything_that_depends_on_items(party):
    repeated = pair.items([1, 2, 3, 2])
    sets = {"bank": pair.items([1, 2]), "retailer": pair.items([2, 3]), party: repeated}
    refusals = pair.Refusals()
    with pytest.raises(LocalProtocolError, match="items 1 and 3 are the same"):
        pair.run_items(sets["bank"], sets["retailer"], refusals=refusals)
    assert set(refusals.by) == {party}


@pytest.mark.parametrize("party", ["bank", "retailer"])
@pytest.mark.parametrize(
    ("items", "match"),
    [
        (np.zeros((3, 31), np.uint8), "32 bytes"),
        (np.zeros((3, 32), np.int8), "32 bytes"),
        (np.zeros(32, np.uint8), "32 bytes"),
        (np.zeros((6, 32), np.uint8)[::2], "contiguous"),
        (np.broadcast_to(np.zeros((1, 32), np.uint8), (MAX_ITEMS + 1, 32)), "contiguous|at most"),
    ],
)
def test_unusable_items_are_refused(party, items, match):
    role = pair.PLAY[party](items, **pair.arguments(party))
    with pytest.raises(LocalProtocolError, match=match):
        next(role)


@pytest.mark.parametrize("party", ["bank", "retailer"])
@pytest.mark.parametrize(
    "changed",
    [
        {"peer": "bank", "party": "bank"},
        {"party": ""},
        {"peer": "x" * 257},
        {"party": "银行"},
        {"context": b""},
        {"context": bytes(1025)},
        {"seed": bytes(31)},
    ],
)
def test_unusable_arguments_are_refused(party, changed):
    role = pair.PLAY[party](pair.items([1]), **{**pair.arguments(party), **changed})
    with pytest.raises(LocalProtocolError):
        next(role)


def test_items_anywhere_in_memory_are_taken():
    """A view that starts at an odd address, and one that cannot be written to."""
    bank = pair.items([1, 2, 3])
    room = np.zeros(3 * 32 + 1, np.uint8)
    room[1:] = bank.reshape(-1)
    odd = room[1:].reshape(3, 32)
    results, _ = pair.run_items(odd, pair.items([2]))
    assert results["bank"].positions.tolist() == [1]


def test_tags_are_as_long_as_both_sizes_ask():
    sizes = [(1, 1), (2**10, 2**10), (2**20, 2**20), (2**20 + 1, 2**20), (1000, 10**7)]
    assert [steps.tag_bytes(*size) for size in sizes] == [5, 8, 10, 11, 11]
    assert steps.tag_bytes(MAX_ITEMS, MAX_ITEMS) == 11
    for own, peers in [*sizes, (1, MAX_ITEMS), (MAX_ITEMS, 1), (3, 5)]:
        width = steps.tag_bytes(own, peers)
        assert width == plain_protocol.tag_bytes(own, peers)
        for pairs in (own * peers, peers * (peers - 1) // 2):
            assert pairs <= 2 ** (8 * width - 40)


def test_the_field_is_large_enough_for_the_largest_set():
    """An item of the Sender's alone meets the Receiver's value with probability 2^-64."""
    assert 2 ** (64 - steps.STATISTICAL_BITS) >= MAX_ITEMS
    assert steps.tag_bytes(MAX_ITEMS, MAX_ITEMS) <= 12


def test_a_salt_that_fails_is_replaced_before_anything_is_sent(monkeypatch):
    real, failures = steps.Okvs.encode, [2]

    def fails_twice(self, rows, values, solution):
        if failures[0]:
            failures[0] -= 1
            raise steps.EncodingFailure
        real(self, rows, values, solution)

    first = decode(pair.run([1, 2], [2, 3])[1].messages[0][3], Terms).salt
    monkeypatch.setattr(steps.Okvs, "encode", fails_twice)
    results, transcript = pair.run([1, 2], [2, 3])
    pair.check([1, 2], [2, 3], results)
    stream = pair.suite().stream(pair.SEEDS["bank"], b"fedcrm-psi-vole/1 receiver salt")
    drawn = [stream.bytes(32) for _ in range(3)]
    assert drawn[0] == first
    assert decode(transcript.messages[0][3], Terms).salt == drawn[2]

    failures[0] = steps.MAX_ENCODINGS
    role = pair.PLAY["bank"](pair.items([1, 2]), **pair.arguments("bank"))
    with pytest.raises(LocalProtocolError, match="no encoding under 4 salts"):
        next(role)


def test_the_receiver_tells_the_sender_what_matched_in_several_runs():
    runs = [([1, 2, 3], [3, 4]), ([], [1, 2]), (list(range(20)), list(range(5, 40)))]
    matched, offered = zip(
        *[(result["bank"], result["retailer"]) for result in (pair.run(*sets)[0] for sets in runs)],
        strict=True,
    )
    results, transcript = drive(
        {
            "bank": tell_matches([result.answer for result in matched], peer="retailer"),
            "retailer": hear_matches([result.order for result in offered], peer="bank"),
        }
    )
    assert [positions.tolist() for positions in results["retailer"]] == [
        [j for j, y in enumerate(retailer) if y in bank] for bank, retailer in runs
    ]
    assert len(transcript.messages) == 1


def test_an_answer_about_other_tags_is_refused():
    offered = pair.run([1, 2], list(range(10)))[0]["retailer"]
    for answer in (b"", bytes(1), bytes(3), b"\x00\x04", b"\x00\xff"):
        with pytest.raises(RemoteProtocolError, match="answer"):
            offered.positions(answer)
    assert offered.positions(b"\xff\x03").tolist() == list(range(10))


def test_the_sender_learns_no_more_from_masked_columns_than_their_number():
    """Under a uniform mask the columns are uniform: another dealer, other columns everywhere."""
    columns = []
    for seed in (b"\x01" * 32, b"\x02" * 32):
        _, transcript = pair.run([1, 2, 3], [4], dealer=pair.Dealer(seed))
        (data,) = (data for _, _, name, data in transcript.messages if name == "MaskedColumns")
        columns.append(np.frombuffer(decode(data, MaskedColumns).columns, np.uint64))
    assert not np.any(columns[0] == columns[1])


def test_the_dealer_is_a_vole():
    dealer = pair.Dealer()
    mask, b_low, b_high, c_low, c_high = dealer.deal(10)
    assert plain_protocol.times(dealer.delta[0], int(mask[3])) == int(b_low[3] ^ c_low[3])
    assert plain_protocol.times(dealer.delta[1], int(mask[7])) == int(b_high[7] ^ c_high[7])
    assert callable(silent_vole.receiver)
