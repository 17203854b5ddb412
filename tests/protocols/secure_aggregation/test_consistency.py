"""Lists of contributors: what omits, invents, repeats or replays is refused by its name."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from protocols.errors import LocalProtocolError
from protocols.secure_aggregation import (
    BoundLists,
    ContributorList,
    ListSignature,
    RepeatedSum,
    SecondList,
    SignedList,
    StaleSum,
    SumCollection,
    TooFew,
    WrongList,
    WrongSignature,
    check_list,
    check_repeat,
    check_signatures,
    sign_list,
)
from protocols.suite import get_suite
from protocols.wire import decode, encode
from tests.protocols.secure_aggregation.federation import Federation, names, words_of

SUITE = get_suite("intl")
NAMES = names(5)
FIRST, LAST = NAMES[0], NAMES[-1]


@pytest.fixture
def by() -> Federation:
    federation = Federation(SUITE, NAMES, 4, 3, sums=3)
    federation.set_up()
    return federation


def contributed(by: Federation, parties: tuple[str, ...] = NAMES, number: int = 0) -> SumCollection:
    collection = by.collection(number, 4)
    by.contribute(collection, words_of(parties, 4, SUITE, 20))
    return collection


def altered(found: ContributorList, **fields: object) -> bytes:
    return encode(msgspec.structs.replace(found, **fields))


def test_a_list_that_leaves_out_this_partys_contribution_is_refused(by):
    found = contributed(by).contributor_list()
    without = altered(
        found, contributors=found.contributors[1:], contributions=found.contributions[1:]
    )
    with pytest.raises(WrongList, match="leaves out this party"):
        by.parties[FIRST].consist(by.terms, without)
    assert by.parties[NAMES[1]].consist(by.terms, without)


def test_a_list_that_invents_this_partys_contribution_is_refused(by):
    found = contributed(by, NAMES[:4]).contributor_list()
    invented = altered(
        found,
        contributors=(*found.contributors, LAST),
        contributions=(*found.contributions, bytes(32)),
    )
    with pytest.raises(WrongList, match="contributed nothing"):
        by.parties[LAST].consist(by.terms, invented)


def test_a_list_with_a_stranger_is_refused(by):
    found = contributed(by, NAMES[:4]).contributor_list()
    stranger = altered(
        found,
        contributors=(*found.contributors, "retailer-999"),
        contributions=(*found.contributions, bytes(32)),
    )
    with pytest.raises(WrongList, match="shared no secrets"):
        by.parties[FIRST].consist(by.terms, stranger)


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"terms": bytes(32)}, StaleSum, "other terms"),
        ({"number": 3}, StaleSum, "none of this key epoch's"),
        ({"number": 2**63}, StaleSum, "none of this key epoch's"),
        ({"number": -1}, StaleSum, "none of this key epoch's"),
        ({"roster": bytes(32)}, WrongList, "another roster"),
        ({"sharers": bytes(32)}, WrongList, "other sharers"),
        ({"model": bytes([1]) * 32}, WrongList, "another model"),
        ({"opened": 7}, WrongList, "another model"),
        ({"contributions": (bytes(32),) * 5}, WrongList, "another contribution"),
        ({"contributions": (bytes(32),) * 4}, WrongList, "one digest"),
        ({"contributions": (b"",) * 5}, WrongList, "one digest"),
        ({"total": b""}, WrongList, "one digest"),
        ({"contributors": tuple(reversed(NAMES))}, WrongList, "out of order"),
        ({"contributors": (FIRST, *NAMES[:4])}, WrongList, "twice"),
        ({"contributors": NAMES[:3], "contributions": (bytes(32),) * 3}, TooFew, "3 contributions"),
    ],
)
def test_a_list_of_other_work_or_another_shape_is_refused(by, fields, error, words):
    found = contributed(by).contributor_list()
    with pytest.raises(error, match=words):
        by.parties[FIRST].consist(by.terms, altered(found, **fields))


def test_a_list_for_a_sum_this_party_made_no_contribution_to_does_not_name_it(by):
    found = contributed(by).contributor_list()
    with pytest.raises(WrongList, match="contributed nothing to the sum"):
        by.parties[FIRST].consist(by.terms, altered(found, number=1))
    party = by.parties[FIRST]
    with pytest.raises(StaleSum, match="a list for sum 1; this party contributed to 0"):
        check_list(
            by.terms,
            msgspec.structs.replace(found, number=1),
            roster=party.roster,
            shares=party.shares,
            party=FIRST,
            own=party.notes[0],
            suite=SUITE,
        )


def test_a_list_of_an_earlier_sum_is_stale_for_a_later_contribution(by):
    words = words_of(NAMES, 4, SUITE, 20)
    by.run_sum(0, words)
    first = encode(by.coordinators[-1].contributor_list())
    collection = contributed(by, number=1)
    assert collection.contributor_list().opened == 1
    # Signed again it is the same list; under the next number it is no list of that sum.
    assert by.parties[FIRST].consist(by.terms, first)
    renumbered = altered(decode(first, ContributorList), number=1)
    with pytest.raises(WrongList, match="another contribution"):
        by.parties[FIRST].consist(by.terms, renumbered)


def test_two_lists_for_one_sum_get_one_signature(by):
    found = contributed(by).contributor_list()
    party = by.parties[FIRST]
    signature = party.consist(by.terms, encode(found))
    assert party.consist(by.terms, encode(found)) == signature
    with pytest.raises(SecondList, match="neither signs nor reveals for two"):
        party.consist(by.terms, altered(found, total=bytes(32)))


def test_shares_are_revealed_for_the_signed_list_alone(by):
    collection = contributed(by)
    by.consist(collection, NAMES)
    party = by.parties[FIRST]
    found = collection.contributor_list()
    # Everybody else signs another list as well: a majority does not move this party.
    other = msgspec.structs.replace(found, total=bytes(32))
    signatures = tuple(
        sign_list(
            by.terms,
            other,
            lists=BoundLists().bind(other, SUITE),
            party=name,
            private_key=by.parties[name].private_key,
            suite=SUITE,
            entropy=bytes(32),
        )
        for name in NAMES[1:]
    )
    with pytest.raises(SecondList):
        party.unmask(by.terms, encode(SignedList(encode(other), signatures)))
    assert party.unmask(by.terms, encode(collection.signed_list()))


def test_who_did_not_sign_reveals_for_one_list_only(by):
    collection = contributed(by)
    by.consist(collection, NAMES[1:])
    party = by.parties[FIRST]
    party.unmask(by.terms, encode(collection.signed_list()))
    found = collection.contributor_list()
    with pytest.raises(SecondList):
        party.consist(by.terms, altered(found, total=bytes(32)))


def test_a_list_must_be_bound_before_it_is_signed(by):
    found = contributed(by).contributor_list()
    with pytest.raises(LocalProtocolError, match="bind a list"):
        sign_list(
            by.terms,
            found,
            lists=BoundLists(),
            party=FIRST,
            private_key=by.parties[FIRST].private_key,
            suite=SUITE,
            entropy=bytes(32),
        )


Forge = Callable[[Federation, tuple[ListSignature, ...]], tuple[ListSignature, ...]]


def _by_another(by: Federation, signatures: tuple[ListSignature, ...]) -> tuple[ListSignature, ...]:
    return (ListSignature(FIRST, signatures[1].signature), *signatures[1:])


@pytest.mark.parametrize(
    ("forge", "error", "words"),
    [
        (lambda _, s: s[:3], TooFew, "3 signatures"),
        (lambda _, s: (s[0], *s[:3]), WrongList, "repeated"),
        (lambda _, s: s[::-1], WrongList, "ascending"),
        (lambda _, s: (*s, ListSignature("retailer-999", b"")), WrongList, "strangers"),
        (_by_another, WrongSignature, "not signed by this party"),
        (lambda _, s: (ListSignature(FIRST, b""), *s[1:]), WrongSignature, "not signed"),
    ],
)
def test_a_list_without_enough_right_signatures_reveals_nothing(by, forge: Forge, error, words):
    collection = contributed(by)
    by.consist(collection, NAMES)
    signed = collection.signed_list()
    bad = SignedList(signed.body, forge(by, signed.signatures))
    with pytest.raises(error, match=words) as caught:
        by.parties[FIRST].unmask(by.terms, encode(bad))
    if error is WrongSignature:
        assert caught.value.party == FIRST


def test_a_signature_of_one_list_is_none_of_another(by):
    collection = contributed(by)
    by.consist(collection, NAMES)
    signed = collection.signed_list()
    other = decode(altered(decode(signed.body, ContributorList), total=bytes(32)), ContributorList)
    with pytest.raises(WrongSignature):
        check_signatures(
            by.terms,
            other,
            signed.signatures,
            need=4,
            public_keys=by.public_keys,
            suite=SUITE,
        )


def repeat(contributors: tuple[str, ...]) -> ContributorList:
    digests = (bytes(32),) * len(contributors)
    return ContributorList(b"", 1, b"", b"", 0, b"", contributors, digests, b"")


def test_the_same_contributors_may_do_lost_work_again():
    check_repeat(repeat(NAMES), repeat(NAMES))


@pytest.mark.parametrize(
    "later", [NAMES[:4], NAMES[:2], (*NAMES[:3], "retailer-a"), (*NAMES, "retailer-z")]
)
def test_others_may_not(later):
    with pytest.raises(RepeatedSum, match="only the same contributors"):
        check_repeat(repeat(later), repeat(NAMES))


def test_check_list_looks_at_the_lists_of_lost_sums(by):
    lost = contributed(by).contributor_list()
    later = contributed(by, NAMES[:4], number=1).contributor_list()
    party = by.parties[FIRST]
    arguments = {
        "roster": party.roster,
        "shares": party.shares,
        "party": FIRST,
        "own": party.notes[1],
        "suite": SUITE,
    }
    check_list(by.terms, later, **arguments)
    with pytest.raises(RepeatedSum, match="sum 1 differs from that of sum 0"):
        check_list(by.terms, later, **arguments, before=[lost])


def test_lists_that_are_kept_read_back(by):
    found = contributed(by).contributor_list()
    kept = BoundLists().bind(found, SUITE)
    assert BoundLists.from_bytes(kept.to_bytes()) == kept
    kept.check(found, SUITE)
    with pytest.raises(SecondList):
        kept.check(msgspec.structs.replace(found, total=bytes(32)), SUITE)
