"""Openings: wrong shares, wrong ciphertexts, replays; what an honest party never reveals."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from protocols.secure_aggregation import (
    BoundLists,
    ContributorList,
    Opening,
    Revelation,
    SecondList,
    SignedList,
    StaleSum,
    SumCollection,
    TooFew,
    WrongList,
    WrongShare,
    WrongSignature,
    WrongTotal,
    shamir,
    sign_list,
)
from protocols.secure_aggregation.messages import RevealedShares
from protocols.secure_aggregation.sealing import seal, unseal
from protocols.secure_aggregation.unmasking import _revelation_info
from protocols.suite import get_suite
from protocols.wire import decode, encode
from tests.protocols.secure_aggregation.federation import Federation, names, total, words_of

SUITE = get_suite("intl")
NAMES = names(6)
FIRST, LAST = NAMES[0], NAMES[-1]
LENGTH = 40
WORDS = words_of(NAMES, LENGTH, SUITE, 20)


def federation() -> Federation:
    made = Federation(SUITE, NAMES, 4, 3, sums=2)
    made.set_up()
    return made


def collected(by: Federation, contributors: tuple[str, ...] = NAMES) -> SumCollection:
    collection = by.collection(0, LENGTH)
    by.contribute(collection, {name: WORDS[name] for name in contributors})
    by.consist(collection, NAMES)
    by.unmask(collection, NAMES)
    return collection


def revealed(by: Federation, opening: Opening, name: str) -> RevealedShares:
    """Return what ``name`` revealed; any member can read it."""
    party = by.parties[FIRST]
    assert party.roster is not None
    assert party.shares is not None
    [sealed] = [r.sealed for r in opening.revelations if r.party == name]
    info = _revelation_info(party.roster, opening.contributors, name, SUITE)
    return decode(unseal(SUITE, party.shares.group_key, info, sealed), RevealedShares)


def with_shares(by: Federation, opening: Opening, name: str, shares: tuple[bytes, ...]) -> Opening:
    """Return the opening in which ``name`` revealed ``shares``."""
    party = by.parties[FIRST]
    assert party.roster is not None
    assert party.shares is not None
    info = _revelation_info(party.roster, opening.contributors, name, SUITE)
    plain = encode(RevealedShares(shares))
    sealed = seal(SUITE, party.shares.group_key, info, plain, bytes(32))
    revelations = tuple(
        Revelation(name, sealed) if r.party == name else r for r in opening.revelations
    )
    return changed(opening, revelations=revelations)


def changed(opening: Opening, **fields: object) -> Opening:
    return Opening(**{**vars(opening), **fields})  # type: ignore[arg-type]


def open_at(by: Federation, opening: Opening, name: str = LAST) -> np.ndarray:
    return by.parties[name].open(by.terms, opening, LENGTH).words


def plus_one(share: bytes) -> bytes:
    return ((int.from_bytes(share, "big") + 1) % shamir.PRIME).to_bytes(33, "big")


@pytest.mark.parametrize("contributors", [NAMES, NAMES[:4]])
@pytest.mark.parametrize("place", [0, 5])
def test_a_wrong_share_is_found_and_left_out_where_there_are_others(contributors, place):
    by = federation()
    opening = collected(by, contributors).opening()
    shares = revealed(by, opening, NAMES[1]).shares
    bad = tuple(plus_one(s) if i == place else s for i, s in enumerate(shares))
    opened = by.parties[LAST].open(by.terms, with_shares(by, opening, NAMES[1], bad), LENGTH)
    assert np.array_equal(opened.words, total(WORDS, contributors))
    assert opened.wrong_shares == ((NAMES[place], NAMES[1]),)


def test_who_reveals_only_wrong_shares_is_left_out_of_all():
    by = federation()
    opening = collected(by, NAMES[:5]).opening()
    bad = tuple(map(plus_one, revealed(by, opening, NAMES[2]).shares))
    opened = by.parties[LAST].open(by.terms, with_shares(by, opening, NAMES[2], bad), LENGTH)
    assert np.array_equal(opened.words, total(WORDS, NAMES[:5]))
    # Once it was caught, others' shares are preferred to its own.
    assert opened.wrong_shares == ((FIRST, NAMES[2]),)


def test_a_wrong_share_without_one_to_spare_ends_the_opening_with_what_is_known():
    by = federation()
    opening = collected(by).opening()
    opening = changed(opening, revelations=opening.revelations[:4])
    shares = revealed(by, opening, NAMES[1]).shares
    bad = with_shares(by, opening, NAMES[1], (*shares[:3], plus_one(shares[3]), *shares[4:]))
    with pytest.raises(WrongShare, match=f"{NAMES[3]} shared them wrongly, or") as caught:
        open_at(by, bad)
    assert caught.value.party == NAMES[3]
    for name in NAMES[:4]:
        assert name in str(caught.value)


def test_shares_of_the_wrong_secret_are_wrong_shares():
    by = federation()
    opening = collected(by, NAMES[:5]).opening()
    by_key = [
        party.shares.key_shares[0][0]  # type: ignore[union-attr]
        for party in by.parties.values()
    ]
    for name, other in zip(NAMES, by_key, strict=True):
        shares = revealed(by, opening, name).shares
        opening = with_shares(by, opening, name, (other, *shares[1:]))
    with pytest.raises(WrongShare) as caught:
        open_at(by, opening)
    assert caught.value.party == FIRST


def test_malformed_shares_count_as_none():
    by = federation()
    opening = collected(by).opening()
    opening = with_shares(by, opening, FIRST, (b"\xff" * 33,) * 6)
    opening = with_shares(by, opening, NAMES[1], (bytes(33),) * 5)
    opened = by.parties[LAST].open(by.terms, opening, LENGTH)
    assert np.array_equal(opened.words, total(WORDS, NAMES))
    assert set(opened.wrong_shares) == {(name, FIRST) for name in NAMES}
    opening = with_shares(by, opening, NAMES[2], (b"",) * 6)
    with pytest.raises(TooFew, match="3 shares of the masks"):
        open_at(by, opening)


def test_a_revelation_that_does_not_open_costs_its_shares_alone():
    by = federation()
    opening = collected(by).opening()
    first, second, *rest = opening.revelations
    swapped = (Revelation(FIRST, second.sealed), Revelation(NAMES[1], b""), *rest)
    assert np.array_equal(open_at(by, changed(opening, revelations=swapped)), total(WORDS, NAMES))
    fewer = (Revelation(FIRST, second.sealed), Revelation(NAMES[1], first.sealed), *rest[:3])
    with pytest.raises(TooFew, match="the sum is lost"):
        open_at(by, changed(opening, revelations=fewer))


def test_revelations_of_strangers_or_repeated_are_refused():
    by = federation()
    opening = collected(by).opening()
    for bad in (
        (*opening.revelations, Revelation("retailer-999", b"")),
        (opening.revelations[0], *opening.revelations),
        opening.revelations[::-1],
    ):
        with pytest.raises(WrongList, match="shares of strangers"):
            open_at(by, changed(opening, revelations=bad))


def test_other_ciphertexts_than_those_signed_for_are_refused():
    by = federation()
    opening = collected(by).opening()
    chunk = opening.chunks[0]
    for chunks in ((chunk[:-1] + bytes([chunk[-1] ^ 1]),), (), (chunk, chunk), (b"",)):
        with pytest.raises(WrongTotal, match="not those the contributors signed"):
            open_at(by, changed(opening, chunks=chunks))


def test_a_contribution_out_of_range_shows_in_the_sum():
    by = federation()
    collection = by.collection(0, LENGTH)
    words = dict(WORDS) | {NAMES[2]: np.full(LENGTH, (1 << 31) - 1)}
    by.contribute(collection, words)
    by.consist(collection, NAMES)
    by.unmask(collection, NAMES)
    with pytest.raises(WrongTotal, match="out of range for 6 contributions"):
        open_at(by, collection.opening())


@pytest.mark.parametrize("count", [4, 6])
def test_an_added_sum_that_is_not_the_contributions_does_not_count_right(count):
    """Of four parties every number is in range: the check words alone show it."""
    by = Federation(SUITE, names(count), 4, 3, sums=1)
    by.set_up()
    collection = by.collection(0, LENGTH)
    by.contribute(collection, {name: WORDS[name] for name in by.names})
    # The coordinator leaves one out of the sum and keeps it on the list.
    adding = next(iter(collection._adding.values()))
    adding.adder.start()
    for name in by.names[1:]:
        adding.adder.add(by.parties[name].contribute(by.terms, 0, WORDS[name])[1])
    by.consist(collection, by.names)
    by.unmask(collection, by.names)
    with pytest.raises(WrongTotal, match="masks are left in it"):
        open_at(by, collection.opening(), by.names[-1])


def test_the_opening_of_another_epoch_or_attempt_is_stale():
    by = federation()
    opening = collected(by).opening()
    by.set_up(epoch=1, first=2)
    with pytest.raises(StaleSum, match="other terms"):
        open_at(by, opening)
    other = Federation(SUITE, NAMES, 4, 3, sums=2, binding=b"job 1, attempt 2")
    other.set_up()
    with pytest.raises(StaleSum, match="other terms"):
        open_at(other, opening)


def test_an_opening_without_enough_signatures_or_with_a_forged_one_is_refused():
    by = federation()
    opening = collected(by).opening()
    with pytest.raises(TooFew, match="3 signatures"):
        open_at(by, changed(opening, signatures=opening.signatures[:3]))
    first, second, *rest = opening.signatures
    forged = msgspec.structs.replace(first, signature=second.signature)
    with pytest.raises(WrongSignature) as caught:
        open_at(by, changed(opening, signatures=(forged, second, *rest)))
    assert caught.value.party == FIRST


def test_a_party_opens_the_list_it_stands_by_and_no_other():
    by = federation()
    opening = collected(by, NAMES[:5]).opening()
    by.parties[LAST].lists = BoundLists().bind(
        msgspec.structs.replace(opening.contributors, total=bytes(32)), SUITE
    )
    with pytest.raises(SecondList):
        open_at(by, opening)
    by.parties[LAST].lists = BoundLists()
    assert np.array_equal(open_at(by, opening), total(WORDS, NAMES[:5]))


def test_an_opening_reads_back_from_its_note():
    by = federation()
    opening = collected(by).opening()
    assert Opening.read(opening.note(), opening.chunks) == opening
    for bad in (b"", opening.note()[:-1], opening.note() + b"x"):
        with pytest.raises(DecodeError):
            Opening.read(bad, opening.chunks)


def test_who_is_no_member_does_not_open():
    by = federation()
    opening = collected(by).opening()
    party = by.parties[LAST]
    party.name = "retailer-999"
    with pytest.raises(LocalProtocolError, match="only a member"):
        party.open(by.terms, opening, LENGTH)


@given(
    lists=st.lists(
        st.tuples(st.sets(st.sampled_from(NAMES), min_size=3), st.booleans(), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=30, deadline=None)
def test_never_both_shares_of_one_member_and_sum_leave_an_honest_party(lists):
    """Whatever lists the coordinator and all other parties sign and send, in whatever order."""
    by = federation()
    honest = by.parties[LAST]
    assert honest.shares is not None
    collection = by.collection(0, LENGTH)
    by.contribute(collection, WORDS)
    found = collection.contributor_list()
    digests = dict(zip(found.contributors, found.contributions, strict=True))
    out: dict[str, set[bytes]] = {name: set() for name in NAMES}
    for named, ask_to_sign, ask_to_reveal in lists:
        contributors = tuple(sorted(named))
        forged = msgspec.structs.replace(
            found,
            contributors=contributors,
            contributions=tuple(digests[name] for name in contributors),
        )
        if ask_to_sign:
            with suppress(RemoteProtocolError):
                honest.consist(by.terms, encode(forged))
        signatures = tuple(
            sign_list(
                by.terms,
                forged,
                lists=BoundLists().bind(forged, SUITE),
                party=name,
                private_key=by.parties[name].private_key,
                suite=SUITE,
                entropy=bytes(32),
            )
            for name in NAMES[:5]
        )
        if not ask_to_reveal:
            continue
        signed = SignedList(encode(forged), signatures)
        try:
            revelation = decode(honest.unmask(by.terms, encode(signed)), Revelation)
        except RemoteProtocolError:
            continue
        opening = Opening(forged, signatures, (revelation,), ())
        for name, share in zip(NAMES, revealed(by, opening, LAST).shares, strict=True):
            out[name].add(share)
    for place, name in enumerate(NAMES):
        assert len(out[name]) <= 1
        both = {honest.shares.seed_shares[place][0], honest.shares.key_shares[place][0]}
        assert out[name] <= both


def test_a_revealed_share_is_of_the_right_secret():
    by = federation()
    collection = collected(by, NAMES[:4])
    found = decode(collection.signed_list().body, ContributorList)
    assert found.contributors == NAMES[:4]
    opening = collection.opening()
    for name in NAMES:
        shares = by.parties[name].shares
        assert shares is not None
        expected = (
            *(shares.seed_shares[i][0] for i in range(4)),
            *(shares.key_shares[i][0] for i in (4, 5)),
        )
        assert revealed(by, opening, name).shares == expected
