"""The table of SPEC.md §5, attacked: what coordinator and parties together can read."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from protocols.secure_aggregation import (
    BoundLists,
    SignedList,
    TooFew,
    shamir,
    sign_list,
    tolerated,
)
from protocols.secure_aggregation.contribution import CHECK_WORDS, pair_masks
from protocols.secure_aggregation.epoch import self_mask
from protocols.secure_aggregation.masks import centred, remove_masks
from protocols.suite import get_suite
from protocols.sum_ciphers import cipher, generate
from protocols.wire import decode, encode
from tests.protocols.secure_aggregation.federation import Federation, names, total, words_of
from tests.protocols.secure_aggregation.test_unmasking import revealed

SUITE = get_suite("intl")
LENGTH = 8


def attack(parties: int, threshold: int, colluding: int) -> np.ndarray | None:
    """Let the coordinator and the last ``colluding`` parties read the first one's words.

    They show one half of the honest parties a list with everybody, the other half a list without
    the victim, sign both themselves, and collect shares of both its secrets. None where a list
    does not get enough signatures.
    """
    by = Federation(SUITE, names(parties), threshold, 2, sums=1)
    by.set_up()
    victim, *others = by.names
    honest = by.names[: parties - colluding]
    half = (len(honest) + 1) // 2
    groups = (honest[:half], honest[half:])
    accomplices = by.names[parties - colluding :]
    words = words_of(by.names, LENGTH, SUITE, 20)
    sent = {name: by.parties[name].contribute(by.terms, 0, words[name]) for name in by.names}
    lists = []
    for named in (by.names, others):
        collection = by.collection(0, LENGTH)
        for name in named:
            assert collection.contribution(name, *sent[name])
        lists.append(collection.contributor_list())

    shares: list[dict[str, bytes]] = []
    for found, group in zip(lists, groups, strict=True):
        signatures = {
            name: sign_list(
                by.terms,
                found,
                lists=BoundLists().bind(found, SUITE),
                party=name,
                private_key=by.parties[name].private_key,
                suite=SUITE,
                entropy=bytes(32),
            )
            for name in accomplices
        }
        for name in group:
            signature = by.parties[name].consist(by.terms, encode(found))
            signatures[name] = decode(signature, type(next(iter(signatures.values()))))
        signed = SignedList(encode(found), tuple(signatures[n] for n in sorted(signatures)))
        place = 0  # the victim's, among the sharers
        collected = {}
        for name in group:
            try:
                by.parties[name].unmask(by.terms, encode(signed))
            except TooFew:
                return None
            held = by.parties[name].shares
            assert held is not None
            kind = held.seed_shares if victim in found.contributors else held.key_shares
            collected[name] = kind[place][0]
        for name in accomplices:
            held = by.parties[name].shares
            assert held is not None
            kind = held.seed_shares if victim in found.contributors else held.key_shares
            collected[name] = kind[place][0]
        shares.append(collected)

    secrets = []
    for collected in shares:
        chosen = sorted(collected)[:threshold]
        points = [by.names.index(name) + 1 for name in chosen]
        values = [shamir.decode_share(collected[name]) for name in chosen]
        recovered = shamir.recover(shamir.weights(points), values)
        assert recovered is not None
        secrets.append(recovered)
    party = by.parties[victim]
    assert party.roster is not None
    private, public = SUITE.agreement_key(secrets[1])
    assert public == party.roster.mask_keys[0][0]
    pairs = pair_masks(
        party.roster, victim, others, private=private, number=0, index=0, suite=SUITE
    )
    own = self_mask(party.roster.terms, victim, 0, secrets[0], SUITE)
    masked = np.frombuffer(sent[victim][1][0], "<u4").astype(np.int64)[:LENGTH]
    plus = [own, *pairs.values()]  # the first party adds all its pairs' masks
    read = centred(remove_masks(masked, 1 << 32, plus, [], SUITE), 1 << 32)
    assert np.array_equal(read, words[victim])
    return read


@pytest.mark.parametrize(("parties", "threshold"), [(6, 4), (7, 5), (8, 5)])
def test_two_lists_pass_with_the_stated_number_of_colluders_and_not_with_fewer(parties, threshold):
    bound = 2 * threshold - parties
    assert attack(parties, threshold, bound) is not None
    for fewer in range(1, bound):
        assert attack(parties, threshold, fewer) is None
    assert tolerated(parties=parties, threshold=threshold, floor=2) <= bound - 1


def test_a_floor_above_the_threshold_needs_more_signatures_and_so_more_colluders():
    assert tolerated(parties=10, threshold=6, floor=2) == 1
    assert tolerated(parties=10, threshold=6, floor=8) == 5
    assert tolerated(parties=10, threshold=10, floor=2) == 8
    assert tolerated(parties=2, threshold=2, floor=2) == 0
    assert tolerated(parties=50, threshold=34, floor=3) == 17


def test_a_list_is_never_shorter_than_the_threshold():
    """Else the coordinator would name its accomplices and one other."""
    by = Federation(SUITE, names(6), 5, 2, sums=1)
    by.set_up()
    words = words_of(by.names, LENGTH, SUITE, 20)
    collection = by.collection(0, LENGTH)
    by.contribute(collection, words)
    full = collection.contributor_list()
    chosen = (by.names[0], by.names[4], by.names[5])
    short = msgspec.structs.replace(
        full, contributors=chosen, contributions=tuple(full.contributions[i] for i in (0, 4, 5))
    )
    with pytest.raises(TooFew, match="3 contributions; at least 5"):
        by.parties[by.names[0]].consist(by.terms, encode(short))


def test_all_contributors_but_one_read_the_last_ones_by_subtraction():
    by = Federation(SUITE, names(4), 3, 3, sums=1)
    by.set_up()
    words = words_of(by.names, LENGTH, SUITE, 20)
    opened = by.run_sum(0, words)[by.names[3]]
    assert np.array_equal(opened.words - total(words, by.names[1:]), words[by.names[0]])


@pytest.mark.parametrize("method", ["ckks", "paillier"])
def test_with_a_shared_key_coordinator_and_one_party_read_every_update(method):
    key = generate(method, paillier_bits=2048, suite=SUITE, seed=bytes(range(32)))
    by = Federation(SUITE, names(4), 3, 3, sums=1, key=key, method=method)
    by.set_up()
    words = words_of(by.names, LENGTH, SUITE, 20)
    _, chunks = by.parties[by.names[0]].contribute(by.terms, 0, words[by.names[0]])
    read = cipher(key, method, SUITE).decrypt(chunks, contributions=1, length=LENGTH)
    assert np.array_equal(read, words[by.names[0]])


@pytest.mark.parametrize("method", ["masks", "masked_he"])
def test_with_masks_whoever_has_the_homomorphic_key_reads_a_masked_update(method):
    key = None
    if method == "masked_he":
        key = generate(method, paillier_bits=2048, suite=SUITE, seed=bytes(range(32)))
    by = Federation(SUITE, names(4), 3, 3, sums=1, key=key, method=method)
    by.set_up()
    words = words_of(by.names, LENGTH, SUITE, 20)
    _, chunks = by.parties[by.names[0]].contribute(by.terms, 0, words[by.names[0]])
    used = cipher(key, method, SUITE)  # type: ignore[arg-type]
    read = centred(used.decrypt(chunks, contributions=1, length=LENGTH + CHECK_WORDS), used.modulus)
    assert not (read[:LENGTH] == words[by.names[0]]).any()


def test_the_group_key_is_what_keeps_the_sum_from_the_coordinator():
    by = Federation(SUITE, names(4), 3, 3, sums=1)
    by.set_up()
    words = words_of(by.names, LENGTH, SUITE, 20)
    collection = by.collection(0, LENGTH)
    by.contribute(collection, words)
    by.consist(collection, by.names)
    by.unmask(collection, by.names)
    opening = collection.opening()
    # A member reads the others' shares; the coordinator has them sealed only.
    shares = revealed(by, opening, by.names[1]).shares
    assert all(len(share) == shamir.SHARE_BYTES for share in shares)
    sealed = b"".join(revelation.sealed for revelation in opening.revelations)
    assert not [share for share in shares if share in sealed]
