"""Rosters and bundles: every alteration by the coordinator or a member has its named error."""

from __future__ import annotations

import msgspec
import pytest

from protocols.errors import DecodeError, LocalProtocolError
from protocols.secure_aggregation import (
    AlteredAdvertisement,
    EpochKeys,
    EpochShares,
    EpochTerms,
    KeyAdvertisement,
    Roster,
    SealedBundles,
    SignedAdvertisement,
    SignedRoster,
    StaleSum,
    TooFew,
    WrongBundle,
    WrongRoster,
    WrongSignature,
    open_bundles,
    open_for_group,
    seal_for_group,
    share,
)
from protocols.secure_aggregation.messages import KEYS_PREFIX
from protocols.suite import get_suite
from protocols.wire import decode, encode
from tests.protocols.secure_aggregation.federation import Federation, names, total, words_of

SUITE = get_suite("intl")
NAMES = names(5)
FIRST, LAST = NAMES[0], NAMES[-1]


def federation(**terms: object) -> Federation:
    return Federation(SUITE, NAMES, 4, 3, **terms)  # type: ignore[arg-type]


def advertised(by: Federation) -> SignedRoster:
    """Advertise for everybody, and return the roster as the coordinator would send it."""
    by.terms = EpochTerms(by.binding, by.names, by.threshold, by.floor, 0, 0, by.sums, True)
    return SignedRoster(
        tuple(decode(by.parties[name].advertise(by.terms), SignedAdvertisement) for name in NAMES)
    )


def signed_by(federation: Federation, name: str, body: bytes) -> SignedAdvertisement:
    key = federation.parties[name].private_key
    return SignedAdvertisement(body, SUITE.sign(key, KEYS_PREFIX + body, bytes(32)))


def share_with(federation: Federation, roster: SignedRoster, party: str = FIRST) -> None:
    federation.parties[party].share(federation.terms, encode(roster))


def replaced(roster: SignedRoster, place: int, by: SignedAdvertisement) -> SignedRoster:
    changed = list(roster.advertisements)
    changed[place] = by
    return SignedRoster(tuple(changed))


# -- the roster ------------------------------------------------------------------------------


def test_an_advertisement_altered_by_the_coordinator_is_refused():
    by = federation()
    roster = advertised(by)
    theirs = decode(roster.advertisements[2].body, KeyAdvertisement)
    _, public = SUITE.agreement_key(b"\x07" * 32)
    for altered in (
        msgspec.structs.replace(theirs, sealing_key=public),
        msgspec.structs.replace(theirs, mask_keys=(public, *theirs.mask_keys[1:])),
        msgspec.structs.replace(theirs, commitments=(bytes(32), *theirs.commitments[1:])),
        msgspec.structs.replace(theirs, group_commitment=bytes(32)),
    ):
        forged = SignedAdvertisement(encode(altered), roster.advertisements[2].signature)
        with pytest.raises(WrongSignature) as caught:
            share_with(by, replaced(roster, 2, forged))
        assert caught.value.party == NAMES[2]


def test_this_partys_own_advertisement_must_be_there_unchanged():
    by = federation()
    roster = advertised(by)
    without = SignedRoster(roster.advertisements[1:])
    with pytest.raises(AlteredAdvertisement, match="own advertisement"):
        share_with(by, without)
    # An older one of its own, which it did sign, is another one all the same.
    own = decode(roster.advertisements[0].body, KeyAdvertisement)
    older = msgspec.structs.replace(own, sealing_key=SUITE.agreement_key(b"\x09" * 32)[1])
    with pytest.raises(AlteredAdvertisement, match="own advertisement"):
        share_with(by, replaced(roster, 0, signed_by(by, FIRST, encode(older))))


def test_a_strangers_signature_is_refused_with_the_partys_name():
    by = federation()
    roster = advertised(by)
    body = roster.advertisements[3].body
    with pytest.raises(WrongSignature, match="not signed by their party") as caught:
        share_with(by, replaced(roster, 3, signed_by(by, NAMES[4], body)))
    assert caught.value.party == NAMES[3]


def test_a_stranger_is_no_member():
    by = federation()
    roster = advertised(by)
    stranger = msgspec.structs.replace(
        decode(roster.advertisements[4].body, KeyAdvertisement), party="retailer-999"
    )
    with pytest.raises(WrongRoster, match="no party of the epoch"):
        share_with(by, replaced(roster, 4, signed_by(by, LAST, encode(stranger))))


def test_members_stand_once_and_in_order():
    by = federation()
    adverts = advertised(by).advertisements
    for order in ((0, 2, 1, 3, 4), (0, 1, 1, 2, 3)):
        with pytest.raises(WrongRoster, match="once, in ascending order"):
            share_with(by, SignedRoster(tuple(adverts[i] for i in order)))


def test_fewer_members_than_needed_are_no_roster():
    by = federation()
    adverts = advertised(by).advertisements
    with pytest.raises(TooFew, match="3 members; at least 4"):
        share_with(by, SignedRoster(adverts[:3]))
    share_with(by, SignedRoster(adverts[:4]))


@pytest.mark.parametrize(
    "other",
    [
        {"binding": b"job 1, attempt 2"},
        {"sums": 3},
        {"epoch": 1},
        {"first": 1},
        {"threshold": 5},
        {"floor": 4},
    ],
)
def test_keys_for_other_terms_are_stale(other):
    by = federation()
    roster = advertised(by)
    terms = dict(vars(by.terms)) | other
    by.terms = EpochTerms(**terms)
    with pytest.raises(StaleSum, match="other terms"):
        share_with(by, roster)


def test_too_few_or_misshapen_keys_are_refused():
    by = federation()
    roster = advertised(by)
    theirs = decode(roster.advertisements[2].body, KeyAdvertisement)
    for bad in (
        {"mask_keys": theirs.mask_keys[:1]},
        {"commitments": theirs.commitments[:1]},
        {"commitments": (b"short", *theirs.commitments[1:])},
        {"sealing_key": b""},
        {"sealing_key": bytes(70)},
        {"group_commitment": b""},
    ):
        body = encode(msgspec.structs.replace(theirs, **bad))
        with pytest.raises(WrongRoster, match="other keys than its terms ask for"):
            share_with(by, replaced(roster, 2, signed_by(by, NAMES[2], body)))


def test_a_sealing_key_that_is_no_key_names_its_member():
    by = federation()
    roster = advertised(by)
    theirs = decode(roster.advertisements[2].body, KeyAdvertisement)
    body = encode(msgspec.structs.replace(theirs, sealing_key=bytes(32)))
    with pytest.raises(WrongRoster, match="not a valid public key") as caught:
        share_with(by, replaced(roster, 2, signed_by(by, NAMES[2], body)))
    assert caught.value.party == NAMES[2]


def test_a_mask_key_that_is_no_key_names_its_member():
    by = federation()
    by.set_up()
    party = by.parties[FIRST]
    assert party.roster is not None
    mask_keys = list(party.roster.mask_keys)
    mask_keys[2] = (bytes(32),) * by.sums
    party.roster = msgspec.structs.replace(party.roster, mask_keys=tuple(mask_keys))
    with pytest.raises(WrongRoster, match="mask key is not a valid public key") as caught:
        party.contribute(by.terms, 0, words_of([FIRST], 3, SUITE, 20)[FIRST])
    assert caught.value.party == NAMES[2]


# -- bundles ---------------------------------------------------------------------------------


def swapped(step: str, party: str, data: bytes) -> bytes:
    """What two members sealed for the party is delivered in each other's name."""
    if step != "bundles":
        return data
    found = decode(data, SealedBundles)
    sealed = found.by_party()
    sealed[NAMES[2]], sealed[NAMES[3]] = sealed[NAMES[3]], sealed[NAMES[2]]
    return encode(SealedBundles.of(found.roster, sealed))


def test_swapped_bundles_do_not_open_and_no_sum_suffers():
    by = Federation(SUITE, names(6), 4, 3)
    by.change = lambda s, p, d: swapped(s, p, d) if p == NAMES[1] else d
    by.set_up()
    shares = by.parties[NAMES[1]].shares
    assert shares is not None
    assert shares.unreadable == (NAMES[2], NAMES[3])
    assert shares.sharers == by.names
    words = words_of(by.names, 3, SUITE, 20)
    opened = by.run_sum(0, words)
    assert (opened[NAMES[1]].words == total(words, by.names)).all()


def test_too_many_swapped_bundles_keep_that_party_out():
    by = federation(change=lambda s, p, d: swapped(s, p, d) if p == NAMES[1] else d)
    with pytest.raises(WrongBundle, match="3 members' shares are readable; at least 4"):
        by.set_up()


def test_without_the_key_makers_bundle_there_is_no_group_key():
    def without(step: str, party: str, data: bytes) -> bytes:
        if (step, party) != ("bundles", LAST):
            return data
        found = decode(data, SealedBundles)
        sealed = found.by_party()
        del sealed[FIRST]
        return encode(SealedBundles.of(found.roster, sealed))

    with pytest.raises(WrongBundle, match="no group key") as caught:
        federation(change=without).set_up()
    assert caught.value.party == FIRST


def test_a_bundle_of_another_epoch_or_roster_does_not_open():
    by = federation()
    by.set_up()
    party = by.parties[LAST]
    older = by.enrolled.bundles_for(LAST).by_party()
    by.set_up(epoch=1, first=2)
    assert party.roster is not None
    assert party.keys is not None
    with pytest.raises(WrongBundle, match="no group key"):
        open_bundles(by.terms, party.roster, party.keys, older, party=LAST, suite=SUITE)


def test_a_key_maker_that_gives_two_group_keys_is_caught_by_its_commitment():
    by = federation()
    by.set_up()
    maker = by.parties[FIRST]
    assert maker.keys is not None
    assert maker.roster is not None
    # The same sealing key, with another seed behind it: another group key and other shares.
    lying = msgspec.structs.replace(maker.keys, seed=b"\x05" * 32)
    bundles = share(by.terms, maker.roster, lying, party=FIRST, suite=SUITE, seed=bytes(32))
    victim = by.parties[LAST]
    assert victim.keys is not None
    assert victim.roster is not None
    delivered = by.enrolled.bundles_for(LAST).by_party() | {FIRST: bundles[LAST]}
    with pytest.raises(WrongBundle, match="did not commit to") as caught:
        open_bundles(by.terms, victim.roster, victim.keys, delivered, party=LAST, suite=SUITE)
    assert caught.value.party == FIRST


def test_bundles_of_strangers_and_of_too_few_are_refused():
    by = federation()
    by.set_up()
    party = by.parties[LAST]
    assert party.keys is not None
    assert party.roster is not None
    bundles = by.enrolled.bundles_for(LAST).by_party()

    def open_(found: dict[str, bytes]) -> EpochShares:
        assert party.keys is not None
        assert party.roster is not None
        return open_bundles(by.terms, party.roster, party.keys, found, party=LAST, suite=SUITE)

    with pytest.raises(WrongRoster, match="no member"):
        open_(bundles | {"retailer-999": b"x"})
    with pytest.raises(TooFew, match="3 members shared"):
        open_({name: bundles[name] for name in (FIRST, NAMES[1], LAST)})


def test_a_party_has_the_same_own_shares_as_it_would_have_sent_itself():
    by = federation()
    by.set_up()
    for name in NAMES:
        party = by.parties[name]
        assert party.shares is not None
        own = party.shares.seed_shares[party.shares.sharers.index(name)]
        assert len(own) == by.sums
        others = {
            by.parties[other].shares.seed_shares[NAMES.index(name)]  # type: ignore[union-attr]
            for other in NAMES
        }
        assert len(others) == len(NAMES)


# -- for the group ---------------------------------------------------------------------------


def test_what_is_sealed_for_the_group_opens_in_its_name_and_epoch_alone():
    by = federation()
    by.set_up()
    roster, shares = by.parties[LAST].roster, by.parties[LAST].shares
    assert roster is not None
    assert shares is not None
    maker = by.parties[FIRST].keys
    assert maker is not None
    assert maker.group_key(SUITE) == shares.group_key
    sealed = seal_for_group(roster, shares.group_key, "key", b"secret", suite=SUITE, seed=bytes(32))
    assert open_for_group(roster, shares.group_key, "key", sealed, suite=SUITE) == b"secret"
    other = msgspec.structs.replace(roster, digest=bytes(32))
    for roster_, key, name, data in (
        (other, shares.group_key, "key", sealed),
        (roster, bytes(32), "key", sealed),
        (roster, shares.group_key, "state", sealed),
        (roster, shares.group_key, "key", sealed[:-1]),
        (roster, shares.group_key, "key", b""),
    ):
        with pytest.raises(WrongBundle, match="group key"):
            open_for_group(roster_, key, name, data, suite=SUITE)


# -- terms, and what is kept -----------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        {"binding": b""},
        {"parties": NAMES[:1]},
        {"parties": tuple(reversed(NAMES))},
        {"parties": (*NAMES, NAMES[4])},
        {"parties": ("é", *NAMES)},
        {"threshold": 3},
        {"threshold": 6},
        {"floor": 1},
        {"floor": 6},
        {"sums": 0},
        {"sums": 65},
        {"first": -1},
        {"epoch": -1},
    ],
)
def test_terms_below_the_floors_are_refused(bad):
    good = {
        "binding": b"b",
        "parties": NAMES,
        "threshold": 4,
        "floor": 3,
        "epoch": 0,
        "first": 0,
        "sums": 1,
        "masked": True,
    }
    EpochTerms(**good)
    with pytest.raises(LocalProtocolError):
        EpochTerms(**(good | bad))


def test_a_threshold_counts_only_where_there_are_masks():
    terms = EpochTerms(b"b", NAMES, 1, 3, 0, 0, 1, False)
    assert terms.need == 3
    assert EpochTerms(b"b", NAMES, 4, 3, 0, 0, 1, True).need == 4


def test_what_is_kept_reads_back_and_damage_is_noticed():
    by = federation()
    by.set_up()
    party = by.parties[FIRST]
    for stored in (party.keys, party.roster, party.shares, party.lists):
        assert stored is not None
        assert type(stored).from_bytes(stored.to_bytes()) == stored
        with pytest.raises(LocalProtocolError):
            type(stored).from_bytes(stored.to_bytes()[:-1])
    assert party.keys is not None
    with pytest.raises(LocalProtocolError):
        EpochKeys.from_bytes(msgspec.structs.replace(party.keys, seed=b"").to_bytes())
    assert party.roster is not None
    with pytest.raises(LocalProtocolError):
        Roster.from_bytes(msgspec.structs.replace(party.roster, members=NAMES[:2]).to_bytes())


def test_secrets_are_not_in_what_is_printed():
    by = federation()
    by.set_up()
    for party in by.parties.values():
        assert repr(party.keys) == "EpochKeys(...)"
        assert repr(party.shares) == "EpochShares(...)"


def test_keys_of_another_epoch_are_the_callers_mistake():
    by = federation()
    by.set_up()
    party = by.parties[FIRST]
    assert party.roster is not None
    assert party.keys is not None
    old = by.terms
    by.set_up(epoch=1, first=2)
    with pytest.raises(LocalProtocolError, match="another epoch"):
        share(old, party.roster, party.keys, party=FIRST, suite=SUITE, seed=bytes(32))
    with pytest.raises(LocalProtocolError, match="only a party"):
        by.parties[LAST].advertise(EpochTerms(b"b", NAMES[:4], 4, 3, 0, 0, 1, True))


def test_bytes_that_are_no_roster_are_refused():
    by = federation()
    roster = encode(advertised(by))
    with pytest.raises(DecodeError):
        by.parties[FIRST].share(by.terms, roster[:-1])
