"""Honest runs: everybody ends with the customers common to all, in one order, or with nothing."""

from __future__ import annotations

import json
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.common_customers import CommonCustomers, steps
from protocols.errors import LocalProtocolError
from protocols.suite import InvalidSignature
from tests.protocols.common_customers import job
from tests.protocols.psi_server_aided import job as server_aided
from tests.protocols.psi_server_aided.job import replay

LISTS = {
    "bank": [1, 2, 3, 4, 5, 6, 7],
    "retailer": [9, 7, 5, 3, 1],
    "insurer": [5, 6, 7, 8, 3],
    "telecom": [3, 7, 2, 5],
}
PAIRS = job.pairs_of(LISTS, {"retailer": [5, 1, 7, 3], "insurer": [7, 6, 5, 3]})


@st.composite
def federations(draw):
    """Lists with a customer common to every pair, and the pairs' shared orders."""
    passives = job.NAMES[: draw(st.integers(2, 4))]
    numbers = st.lists(st.integers(1, 10), unique=True, max_size=8)
    lists = {}
    for party in ("bank", *passives):
        # Customer 0 is everybody's, so that no pair is empty and refused before.
        lists[party] = draw(st.permutations([*draw(numbers), 0]))
    orders = {
        passive: draw(st.permutations(sorted(set(lists["bank"]) & set(lists[passive]))))
        for passive in passives
    }
    return lists, orders


@given(federations(), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_the_result_is_the_plaintext_intersection_of_all_lists(federation, floor, chunk):
    lists, orders = federation
    with patch.object(steps, "CHUNK_POSITIONS", chunk):
        results, _ = job.narrow(job.pairs_of(lists, orders), floor=floor)
    common = set.intersection(*(set(numbers) for numbers in lists.values()))
    opened = len(common) >= floor
    first = next(iter(orders.values()))
    expected = [number for number in first if number in common] if opened else []
    for party, result in results.items():
        assert [lists[party][position] for position in result.positions] == expected
        assert (result.size, result.opened) == (len(common) if opened else None, opened)
        assert result.floor == floor
        assert result.statement == results["bank"].statement
        assert result.signatures == results["bank"].signatures
        assert CommonCustomers.from_bytes(result.to_bytes()) == result


def test_the_statement_names_the_pairs_and_everybody_signed_it():
    results, _ = job.narrow(PAIRS, floor=2)
    result = results["telecom"]
    assert json.loads(result.statement) == {
        "version": "fedcrm-common-customers/1",
        "suite": "intl",
        "context": job.CONTEXT.hex(),
        "active": "bank",
        "pairs": {
            passive: job.SUITE.hash(pair[0].statement).hex() for passive, pair in PAIRS.items()
        },
        "floor": 2,
        "opened": True,
        "common": 3,
    }
    assert set(result.signatures) == set(LISTS)
    for party, signature in result.signatures.items():
        signed = b"fedcrm/common-customers/v1\0" + result.statement
        job.SUITE.verify(job.KEYS[party][1], signed, signature)
        with pytest.raises(InvalidSignature):
            job.SUITE.verify(job.KEYS[party][1], result.statement, signature)


def test_below_the_floor_all_sign_the_same_refusal_and_nothing_else_is_sent():
    results, transcript = job.narrow(PAIRS, floor=4)
    for result in results.values():
        assert (result.size, result.opened, result.positions) == (None, False, [])
        told = json.loads(result.statement)
        assert (told["opened"], told["common"], told["floor"]) == (False, None, 4)
        assert set(result.signatures) == set(LISTS)
    assert len({result.to_bytes() for result in results.values()}) == 1
    assert {name for _, _, name, _ in transcript.messages} == {
        "Narrowing",
        "StatementSignature",
        "OtherSignatures",
    }


def test_the_refusal_does_not_depend_on_how_many_are_common():
    def sent(telecom):
        lists = {**LISTS, "telecom": telecom}
        pairs = job.pairs_of(lists)
        same = dict.fromkeys(pairs, (b"statement",) * 2)
        told = {
            passive: tuple(
                msgspec.structs.replace(view, statement=text)
                for view, text in zip(pair, same[passive], strict=True)
            )
            for passive, pair in pairs.items()
        }
        return [data for *_, data in job.narrow(told, floor=4)[1].messages]

    assert sent([2]) == sent([3, 5, 7])


def test_passive_parties_say_nothing_but_their_signatures():
    _, transcript = job.narrow(PAIRS)
    for by, to, name, _ in transcript.messages:
        if by != "bank":
            assert (to, name) == ("bank", "StatementSignature")


def test_every_party_is_told_only_its_own_places():
    _, transcript = job.narrow(PAIRS)
    told = {
        to: data[-12:] for _, to, name, data in transcript.messages if name == "CommonPositions"
    }
    expected = {"retailer": [0, 2, 3], "insurer": [2, 0, 3], "telecom": [2, 3, 1]}
    assert told == {
        passive: b"".join(place.to_bytes(4, "big") for place in places)
        for passive, places in expected.items()
    }


@pytest.mark.parametrize("party", LISTS)
@pytest.mark.parametrize("floor", [2, 5])
def test_a_replayed_role_sends_the_same_bytes(party, floor):
    results, transcript = job.narrow(PAIRS, floor=floor)
    inbound = [data for _, to, _, data in transcript.messages if to == party]
    recorded = [data for by, _, _, data in transcript.messages if by == party]
    if party == "bank":  # it waits for all its peers at once, in the order of the spec
        sender = {data: by for by, _, _, data in transcript.messages}
        inbound.sort(key=lambda data: list(PAIRS).index(sender[data]))
    outbound, result = replay(job.role(party, PAIRS, floor=floor), inbound)
    assert outbound == recorded
    assert result == results[party]


def test_intersections_found_by_server_aided_matching():
    numbers = {"bank": range(12), "retailer": range(4, 20), "insurer": range(0, 16, 2)}
    pairs = {}
    for passive in ("retailer", "insurer"):
        found = server_aided.run(numbers["bank"], numbers[passive])
        pairs[passive] = (found["bank"], found["retailer"])
    results, _ = job.narrow(pairs)
    common = [
        [numbers[party][position] for position in results[party].positions] for party in numbers
    ]
    assert common[0] == common[1] == common[2]
    assert sorted(common[0]) == [4, 6, 8, 10]


def test_progress_is_told_to_the_end():
    with patch.object(steps, "CHUNK_POSITIONS", 2):
        _, transcript = job.narrow(PAIRS)
    told = [(p.step, p.done, p.total) for p in transcript.progress]
    assert told.count(("narrow", 3, 3)) == 4
    assert told.count(("narrow", 2, 3)) == 4


@pytest.mark.parametrize("party", ["bank", "insurer"])
@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"passives": ("retailer",)}, "2 to 64 passive parties"),
        ({"passives": ("retailer", "insurer", "insurer")}, "every other party's key"),
        ({"passives": ("retailer", "insurer", "airline")}, "every other party's key"),
        ({"peer_keys": {}}, "every other party's key"),
        ({"context": b""}, "context"),
        ({"context": bytes(1025)}, "context"),
        ({"floor": 0}, "floor"),
        ({"seed": bytes(31)}, "seed"),
        ({"private_key": bytes(31)}, "private key"),
    ],
)
def test_bad_arguments_are_the_callers_mistake(party, changed, match):
    with pytest.raises(LocalProtocolError, match=match):
        next(job.role(party, PAIRS, **changed))


def test_ids_that_are_not_ascii_are_the_callers_mistake():
    keys = dict.fromkeys(("零售", "insurer"), job.KEYS["airline"][1])
    changed = {"passives": tuple(keys), "peer_keys": keys}
    with pytest.raises(LocalProtocolError, match="non-empty ASCII"):
        next(job.role("bank", PAIRS, **changed))


ACTIVE_VIEWS = {passive: pair[0] for passive, pair in PAIRS.items()}
REFUSED = msgspec.structs.replace(ACTIVE_VIEWS["insurer"], opened=False, packed_positions=b"")


@pytest.mark.parametrize(
    ("pairs", "match"),
    [
        ({}, "one intersection for each"),
        ({"retailer": ACTIVE_VIEWS["retailer"]}, "one intersection for each"),
        ({**ACTIVE_VIEWS, "airline": REFUSED}, "one intersection for each"),
        ({**ACTIVE_VIEWS, "insurer": REFUSED}, "below the floor"),
        (
            {**ACTIVE_VIEWS, "insurer": msgspec.structs.replace(REFUSED, opened=True, own_size=8)},
            "different lists",
        ),
    ],
)
def test_intersections_that_cannot_be_narrowed_are_the_callers_mistake(pairs, match):
    with pytest.raises(LocalProtocolError, match=match):
        next(job.role("bank", PAIRS, pairs=pairs))


def test_a_passive_party_needs_an_opened_intersection_and_a_place_in_the_list():
    with pytest.raises(LocalProtocolError, match="below the floor"):
        next(job.role("insurer", PAIRS, pair=REFUSED))
    stranger = {"party": "airline", "private_key": job.KEYS["airline"][0]}
    keys = {party: job.KEYS[party][1] for party in LISTS}
    with pytest.raises(LocalProtocolError, match="every other party's key"):
        next(job.role("insurer", PAIRS, **stranger, peer_keys=keys))


def test_secrets_stay_out_of_the_representation():
    own = steps.Session(
        "bank",
        "bank",
        tuple(PAIRS),
        job.SUITE,
        job.CONTEXT,
        1,
        job.KEYS["bank"][0],
        {passive: job.KEYS[passive][1] for passive in PAIRS},
        b"\x05" * 32,
    )
    shown = repr(own)
    assert "telecom" in shown
    for secret in (own.private_key, own.seed):
        assert repr(secret) not in shown


RESULT = job.narrow(PAIRS)[0]["insurer"]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_stored_result_is_refused_or_reads_as_another(data):
    stored = bytearray(RESULT.to_bytes())
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        result = CommonCustomers.from_bytes(bytes(stored))
    except LocalProtocolError:
        return
    assert result != RESULT
    assert result.to_bytes() == bytes(stored)


@pytest.mark.parametrize(
    "changed",
    [
        {"size": None},
        {"size": 4},
        {"floor": 4},
        {"opened": False},
        {"positions": []},
        {"positions": [1, 1, 2]},
        {"positions": [-1, 1, 2]},
        {"size": None, "opened": False},
    ],
)
def test_an_inconsistent_stored_result_is_refused(changed):
    with pytest.raises(LocalProtocolError, match="damaged"):
        CommonCustomers.from_bytes(msgspec.structs.replace(RESULT, **changed).to_bytes())
