"""Whatever drops out at whatever step: what can be opened is the contributors' sum, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.secure_aggregation import SecondList, StaleSum, TooFew, WrongBundle
from protocols.suite import get_suite
from protocols.sum_ciphers import generate
from tests.protocols.secure_aggregation.federation import (
    Federation,
    names,
    total,
    words_of,
)

SUITE = get_suite("intl")
LENGTH = 5


@dataclass(frozen=True)
class Drops:
    """A federation's terms, and who is away at which step."""

    parties: tuple[str, ...]
    threshold: int
    floor: int
    silent: frozenset[str]
    lost: frozenset[str]
    late: frozenset[str]
    unsigned: frozenset[str]
    hidden: frozenset[str]


@st.composite
def drops(draw: st.DrawFn) -> Drops:
    count = draw(st.integers(2, 7))
    parties = names(count)
    some = st.frozensets(st.sampled_from(parties), max_size=draw(st.integers(0, 3)))
    threshold = draw(st.integers((count + 3) // 2, count))
    floor = draw(st.integers(2, count))
    return Drops(parties, threshold, floor, *(draw(some) for _ in range(5)))


@given(drops())
@settings(max_examples=150, deadline=None)
def test_what_enough_complete_is_the_exact_sum_and_fewer_never_open(case: Drops):
    federation = Federation(SUITE, case.parties, case.threshold, case.floor, sums=1)
    need = max(case.threshold, case.floor)
    members = [p for p in case.parties if p not in case.silent]
    sharers = [p for p in members if p not in case.lost]
    contributors = [p for p in sharers if p not in case.late]
    signers = [p for p in sharers if p not in case.unsigned]
    revealers = [p for p in sharers if p not in case.hidden]

    if len(members) < need:
        with pytest.raises(TooFew, match="advertised"):
            federation.set_up(silent=case.silent)
        return
    if members[0] in case.lost:
        with pytest.raises(WrongBundle, match="key maker"):
            federation.set_up(silent=case.silent, lost=case.lost)
        return
    if len(sharers) < need:
        with pytest.raises(TooFew, match="shared"):
            federation.set_up(silent=case.silent, lost=case.lost)
        return
    federation.set_up(silent=case.silent, lost=case.lost)
    value_bits = federation.parties[sharers[0]].cipher.value_bits(len(case.parties))
    words = words_of(case.parties, LENGTH, SUITE, value_bits)

    collection = federation.collection(0, LENGTH)
    federation.contribute(collection, {p: words[p] for p in contributors})
    if len(contributors) < need:
        with pytest.raises(TooFew, match="contribut"):
            collection.contributor_list()
        return
    federation.consist(collection, signers)
    if len(signers) < need:
        with pytest.raises(TooFew, match="signed"):
            collection.signed_list()
        return
    federation.unmask(collection, revealers)
    if len(revealers) < case.threshold:
        with pytest.raises(TooFew, match="revealed"):
            collection.opening()
        return
    opened = federation.open(collection, sharers)
    expected = total(words, contributors)
    for each in opened.values():
        assert each.contributors == tuple(contributors)
        assert each.wrong_shares == ()
        assert np.array_equal(each.words, expected)
    assert federation.enrolment.refused == collection.refused == []


@pytest.mark.parametrize("suite_name", ["gm", "intl"])
def test_a_party_that_leaves_and_returns_within_its_epoch_goes_on(suite_name):
    suite = get_suite(suite_name)
    federation = Federation(suite, names(5), 4, 3, sums=3)
    federation.set_up()
    everybody = federation.names
    words = words_of(everybody, LENGTH, suite, 20)
    stayed = everybody[:4]
    federation.run_sum(0, words)
    collection = federation.collection(1, LENGTH)
    federation.contribute(collection, {p: words[p] for p in stayed})
    federation.consist(collection, stayed)
    federation.unmask(collection, stayed)
    federation.open(collection, stayed)
    # It is back, and first opens what was summed while it was away.
    missed = federation.open(collection, everybody[4:])[everybody[4]]
    assert np.array_equal(missed.words, total(words, stayed))
    opened = federation.run_sum(2, words)
    assert all(np.array_equal(each.words, total(words, everybody)) for each in opened.values())


def test_one_dropped_party_of_five_in_each_of_ten_sums():
    federation = Federation(SUITE, names(5), 4, 3, sums=10)
    federation.set_up()
    words = words_of(federation.names, LENGTH, SUITE, 20)
    for number in range(10):
        stayed = [p for i, p in enumerate(federation.names) if i != number % 5]
        opened = federation.run_sum(
            number, {p: words[p] for p in stayed}, signers=stayed, revealers=stayed
        )
        for each in opened.values():
            assert each.contributors == tuple(stayed)
            assert np.array_equal(each.words, total(words, stayed))


def test_a_lost_sum_burns_its_number_and_the_next_does_the_work():
    federation = Federation(SUITE, names(4), 3, 3, sums=2)
    federation.set_up()
    words = words_of(federation.names, LENGTH, SUITE, 20)
    lost = federation.collection(0, LENGTH)
    federation.contribute(lost, words)
    federation.consist(lost, federation.names)
    federation.unmask(lost, federation.names[:2])
    with pytest.raises(TooFew, match="2 parties revealed"):
        lost.opening()
    opened = federation.run_sum(1, words)
    assert all(np.array_equal(o.words, total(words, federation.names)) for o in opened.values())


def test_who_missed_the_roster_joins_at_the_next_epoch():
    federation = Federation(SUITE, names(4), 3, 3, sums=1)
    away = federation.names[3]
    federation.set_up(silent=[away])
    words = words_of(federation.names, LENGTH, SUITE, 20)
    federation.run_sum(0, {p: words[p] for p in federation.names[:3]})
    federation.set_up(epoch=1, first=1)
    with pytest.raises(StaleSum, match="none of this key epoch's"):
        federation.parties[away].contribute(federation.terms, 0, words[away])
    # Sums of an epoch it has no keys of it cannot open: what came of them reaches it otherwise.
    federation.parties[away].opened = 1
    opened = federation.run_sum(1, words)
    assert np.array_equal(opened[away].words, total(words, federation.names))


def test_a_member_whose_own_shares_were_lost_opens_sums_and_helps_but_does_not_contribute():
    federation = Federation(SUITE, names(5), 4, 3, sums=1)
    lost = federation.names[2]
    # Its shares leave it, and never reach the coordinator.
    federation.change = lambda step, party, data: b"" if (step, party) == ("share", lost) else data
    federation.set_up()
    assert [(r.party, r.step) for r in federation.enrolment.refused] == [(lost, "share")]
    federation.deliver(lost)
    words = words_of(federation.names, LENGTH, SUITE, 20)
    with pytest.raises(StaleSum, match="did not reach the others"):
        federation.parties[lost].contribute(federation.terms, 0, words[lost])
    rest = [p for p in federation.names if p != lost]
    revealers = [lost, *rest[1:]]
    opened = federation.run_sum(
        0, {p: words[p] for p in rest}, signers=revealers, revealers=revealers, readers=[lost]
    )
    assert np.array_equal(opened[lost].words, total(words, rest))


def test_a_seed_that_is_used_again_gives_the_same_messages():
    seen = []
    for _ in range(2):
        federation = Federation(SUITE, names(3), 3, 3, sums=1)
        federation.set_up()
        federation.run_sum(0, words_of(federation.names, LENGTH, SUITE, 20))
        seen.append(federation.seen)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("method", ["masked_he", "ckks", "paillier"])
def test_the_encrypted_methods_open_the_same_sums(method):
    key = generate(method, paillier_bits=2048, suite=SUITE, seed=bytes(range(32)))
    federation = Federation(SUITE, names(4), 3, 3, sums=2, key=key, method=method)
    federation.set_up()
    value_bits = federation.parties[federation.names[0]].cipher.value_bits(4)
    words = words_of(federation.names, LENGTH, SUITE, value_bits)
    first = federation.run_sum(0, words)
    stayed = federation.names[1:]
    second = federation.run_sum(1, {p: words[p] for p in stayed}, signers=stayed, revealers=stayed)
    for name in federation.names:
        assert np.array_equal(first[name].words, total(words, federation.names))
        assert np.array_equal(second[name].words, total(words, stayed))


def test_without_masks_only_the_key_maker_shares_and_the_floor_alone_counts():
    key = generate("paillier", paillier_bits=2048, suite=SUITE, seed=bytes(range(32)))
    federation = Federation(SUITE, names(5), 5, 3, sums=1, key=key, method="paillier")
    federation.set_up()
    shared = {p: len(sealed) for p, sealed in federation.enrolled.sealed.items()}
    assert shared == dict.fromkeys(federation.names, 0) | {federation.names[0]: 4}
    words = words_of(federation.names, LENGTH, SUITE, 20)
    stayed = federation.names[2:]
    opened = federation.run_sum(0, {p: words[p] for p in stayed}, signers=stayed, readers=stayed)
    assert np.array_equal(opened[stayed[0]].words, total(words, stayed))
    collection = federation.collection(0, LENGTH)
    federation.contribute(collection, {p: words[p] for p in stayed[:2]})
    with pytest.raises(TooFew, match="2 contributions"):
        collection.contributor_list()


def test_another_opening_of_the_same_number_is_a_second_list():
    federation = Federation(SUITE, names(4), 3, 3, sums=1)
    federation.set_up()
    words = words_of(federation.names, LENGTH, SUITE, 20)
    federation.run_sum(0, words)
    again = federation.collection(0, LENGTH)
    federation.contribute(again, {p: words[p] for p in federation.names[:3]})
    with pytest.raises(SecondList, match="stands by another"):
        federation.consist(again, federation.names[:3])
