"""The coordinator's side: what it refuses and goes on without, and that it holds no secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from protocols.errors import LocalProtocolError
from protocols.secure_aggregation import (
    Contribution,
    Enrolment,
    EpochTerms,
    KeyAdvertisement,
    Revelation,
    SealedBundles,
    SignedAdvertisement,
    SignedContribution,
    SumCollection,
    TooFew,
    WrongBundle,
)
from protocols.secure_aggregation.epoch import pair_mask, self_mask
from protocols.secure_aggregation.messages import CONTRIBUTION_PREFIX, KEYS_PREFIX
from protocols.suite import get_suite
from protocols.sum_ciphers import generate
from protocols.wire import decode, encode
from tests.protocols.secure_aggregation.federation import Federation, names, total, words_of

SUITE = get_suite("intl")
NAMES = names(5)
FIRST, LAST = NAMES[0], NAMES[-1]
LENGTH = 6
WORDS = words_of(NAMES, LENGTH, SUITE, 20)


def enrolment() -> tuple[Federation, Enrolment]:
    by = Federation(SUITE, NAMES, 4, 3)
    by.terms = EpochTerms(by.binding, NAMES, 4, 3, 0, 0, by.sums, True)
    return by, Enrolment(by.terms, by.public_keys, SUITE)


def ready() -> tuple[Federation, SumCollection]:
    by = Federation(SUITE, NAMES, 4, 3)
    by.set_up()
    return by, by.collection(0, LENGTH)


def reasons(collector: Enrolment | SumCollection) -> list[tuple[str, str, str]]:
    return [dataclasses.astuple(refusal) for refusal in collector.refused]


# -- key setup -------------------------------------------------------------------------------


def test_advertisements_that_cannot_be_used_are_refused_with_the_reason():
    by, setup = enrolment()
    good = by.parties[FIRST].advertise(by.terms)
    body = decode(decode(good, SignedAdvertisement).body, KeyAdvertisement)
    no_key = encode(msgspec.structs.replace(body, mask_keys=(bytes(32), body.mask_keys[1])))
    signature = SUITE.sign(by.parties[FIRST].private_key, KEYS_PREFIX + no_key, bytes(32))
    assert not setup.advertisement(FIRST, b"")
    assert not setup.advertisement("retailer-999", good)
    assert not setup.advertisement(LAST, good)
    assert not setup.advertisement(FIRST, encode(SignedAdvertisement(encode(body), bytes(64))))
    assert not setup.advertisement(FIRST, encode(SignedAdvertisement(no_key, signature)))
    assert setup.advertisement(FIRST, good)
    assert not setup.advertisement(FIRST, good)
    assert [(party, step) for party, step, _ in reasons(setup)] == [
        (FIRST, "advertise"),
        ("retailer-999", "advertise"),
        (LAST, "advertise"),
        (FIRST, "advertise"),
        (FIRST, "advertise"),
        (FIRST, "advertise"),
    ]
    for words, (_, _, reason) in zip(
        (
            "not a well-formed",
            "no party",
            "another party",
            "not signed",
            "no public key",
            "already",
        ),
        reasons(setup),
        strict=True,
    ):
        assert words in reason


def test_after_the_roster_nobody_advertises_and_bundles_must_fit_it():
    by, setup = enrolment()
    for name in NAMES[:4]:
        assert setup.advertisement(name, by.parties[name].advertise(by.terms))
    with pytest.raises(LocalProtocolError, match="send the roster"):
        setup.close()
    early = encode(SealedBundles(bytes(32), ()))
    assert not setup.bundles(FIRST, early)
    roster = encode(setup.roster())
    assert not setup.advertisement(LAST, by.parties[LAST].advertise(by.terms))
    good = by.parties[FIRST].share(by.terms, roster)
    found = decode(good, SealedBundles)
    assert not setup.bundles(LAST, good)
    assert not setup.bundles(FIRST, early)
    assert not setup.bundles(FIRST, encode(SealedBundles(found.roster, found.bundles[1:])))
    assert setup.bundles(FIRST, good)
    assert not setup.bundles(FIRST, good)
    for words, (_, _, reason) in zip(
        (
            "another roster",
            "next epoch",
            "no member",
            "another roster",
            "not one bundle",
            "already",
        ),
        reasons(setup),
        strict=True,
    ):
        assert words in reason
    with pytest.raises(TooFew, match="1 parties shared"):
        setup.close()


def test_an_epoch_whose_key_maker_shared_nothing_names_it():
    by, setup = enrolment()
    for name in NAMES:
        setup.advertisement(name, by.parties[name].advertise(by.terms))
    roster = encode(setup.roster())
    for name in NAMES[1:]:
        setup.bundles(name, by.parties[name].share(by.terms, roster))
    with pytest.raises(WrongBundle, match="key maker shared nothing") as caught:
        setup.close()
    assert caught.value.party == FIRST


# -- sums ------------------------------------------------------------------------------------


def resigned(by: Federation, name: str, note: bytes, **fields: object) -> bytes:
    """Return the note with other fields, signed by its party."""
    found = decode(decode(note, SignedContribution).body, Contribution)
    body = encode(msgspec.structs.replace(found, **fields))
    key = by.parties[name].private_key
    return encode(SignedContribution(body, SUITE.sign(key, CONTRIBUTION_PREFIX + body, bytes(32))))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"number": 1}, "another sum than 0"),
        ({"terms": bytes(32)}, "another sum than 0"),
        ({"roster": bytes(32)}, "another roster"),
        ({"sharers": bytes(32)}, "other sharers"),
        ({"chunks": bytes(32)}, "not those the note is about"),
        ({"party": LAST}, "another party's name"),
        ({"opened": -1}, "nothing of the model"),
        ({"model": b""}, "nothing of the model"),
    ],
)
def test_a_contribution_of_other_work_is_refused_and_the_sum_goes_on(fields, words):
    by, collection = ready()
    for name in NAMES:
        note, chunks = by.parties[name].contribute(by.terms, 0, WORDS[name])
        if name == FIRST:
            note = resigned(by, name, note, **fields)
        assert collection.contribution(name, note, chunks) == (name != FIRST)
    [(party, step, reason)] = reasons(collection)
    assert (party, step) == (FIRST, "contribute")
    assert words in reason
    assert collection.contributor_list().contributors == NAMES[1:]
    by.parties[FIRST].notes.clear()
    by.consist(collection, NAMES)
    by.unmask(collection, NAMES)
    opened = by.open(collection, NAMES)
    assert all(np.array_equal(o.words, total(WORDS, NAMES[1:])) for o in opened.values())


def test_bad_bytes_signatures_lengths_and_repetitions_are_refused():
    by, collection = ready()
    note, chunks = by.parties[FIRST].contribute(by.terms, 0, WORDS[FIRST])
    signed = decode(note, SignedContribution)
    short = words_of([FIRST], LENGTH - 1, SUITE, 20)
    short_note, short_chunks = by.parties[FIRST].contribute(by.terms, 0, short[FIRST])
    assert not collection.contribution(FIRST, b"\xc1", chunks)
    assert not collection.contribution(
        FIRST, encode(SignedContribution(signed.body, bytes(64))), chunks
    )
    assert not collection.contribution(FIRST, short_note, short_chunks)
    assert not collection.contribution(FIRST, note, [*chunks, b""])
    assert not collection.contribution("retailer-999", note, chunks)
    assert collection.contribution(FIRST, note, chunks)
    assert not collection.contribution(FIRST, note, chunks)
    for words, (_, _, reason) in zip(
        ("well-formed", "not signed", "", "not those the note", "no party", "taken"),
        reasons(collection),
        strict=True,
    ):
        assert words in reason
        assert reason


def test_a_contribution_that_started_from_another_model_is_left_out():
    by, collection = ready()
    for name in NAMES:
        model = b"\x01" * 32 if name == NAMES[2] else bytes(32)
        note, chunks = by.parties[name].contribute(by.terms, 0, WORDS[name], model)
        assert collection.contribution(name, note, chunks)
    found = collection.contributor_list()
    assert found.contributors == tuple(n for n in NAMES if n != NAMES[2])
    [(party, step, reason)] = reasons(collection)
    assert (party, step) == (NAMES[2], "contribute")
    assert "another model" in reason
    late, chunks = by.parties[NAMES[2]].contribute(by.terms, 0, WORDS[NAMES[2]])
    assert not collection.contribution(NAMES[2], late, chunks)


def test_signatures_and_shares_are_checked_as_they_come():
    by, collection = ready()
    by.contribute(collection, WORDS)
    found = encode(collection.contributor_list())
    signature = by.parties[FIRST].consist(by.terms, found)
    other = by.parties[LAST].consist(by.terms, found)
    assert not collection.signature(FIRST, other)
    assert not collection.signature(FIRST, b"")
    assert collection.signature(FIRST, signature)
    assert not collection.signature(FIRST, signature)
    by.consist(collection, NAMES[1:])
    revelation = by.parties[FIRST].unmask(by.terms, encode(collection.signed_list()))
    assert not collection.revelation(LAST, revelation)
    assert not collection.revelation(FIRST, encode(Revelation(FIRST, bytes(5000))))
    assert collection.revelation(FIRST, revelation)
    assert not collection.revelation(FIRST, revelation)
    assert [step for _, step, _ in reasons(collection)] == ["consist"] * 3 + ["unmask"] * 3


def test_nobody_contributed_is_too_few():
    _, collection = ready()
    with pytest.raises(TooFew, match="nobody"):
        collection.contributor_list()


# -- what the coordinator holds --------------------------------------------------------------


def held(thing: object, seen: set[int]) -> Iterator[bytes]:
    """Yield every byte string in an object, and every array as bytes, through whatever it holds."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, bytes):
        yield thing
    elif isinstance(thing, np.ndarray):
        yield thing.tobytes()
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from held(key, seen)
            yield from held(value, seen)
    elif isinstance(thing, list | tuple | set | frozenset):
        for value in thing:
            yield from held(value, seen)
    elif isinstance(thing, msgspec.Struct):
        for value in msgspec.structs.asdict(thing).values():
            yield from held(value, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        for value in vars(thing).values():
            yield from held(value, seen)


def secrets_of(by: Federation) -> dict[str, bytes]:
    """Return every secret of the epoch and of sum 0, by what it is."""
    found: dict[str, bytes] = {}
    for name, party in by.parties.items():
        assert party.keys is not None
        assert party.shares is not None
        assert party.roster is not None
        found[f"{name}: seed"] = party.keys.seed
        found[f"{name}: sealing key"] = party.keys.sealing_private
        found[f"{name}: root"] = party.root
        found[f"{name}: signature key"] = party.private_key
        found["group key"] = party.shares.group_key
        for number in range(by.sums) if by.terms.masked else ():
            seed = party.keys.self_mask_seed(number, SUITE)
            found[f"{name}: b {number}"] = seed
            found[f"{name}: mask {number}"] = self_mask(party.keys.terms, name, number, seed, SUITE)
            found[f"{name}: s seed {number}"] = party.keys.mask_key_seed(number, SUITE)
            found[f"{name}: s {number}"] = party.keys.mask_privates[number]
            for peer in by.names:
                if peer == name:
                    continue
                public = party.roster.mask_keys[by.names.index(peer)][number]
                secret = SUITE.agree(party.keys.mask_privates[number], public)
                found[f"{name}, {peer}: secret {number}"] = secret
                found[f"{name}, {peer}: mask {number}"] = pair_mask(
                    party.keys.terms, (name, peer), number, secret, SUITE
                )
        for i, sharer in enumerate(party.shares.sharers):
            for kind, shares in (("b", party.shares.seed_shares), ("s", party.shares.key_shares)):
                for number, share in enumerate(shares[i]):
                    found[f"{name}: share of {kind} {number} of {sharer}"] = share
    return found


@pytest.mark.parametrize("method", ["masks", "masked_he", "ckks", "paillier"])
def test_what_the_coordinator_saw_and_holds_is_no_key_share_or_plain_word(method):
    key = (
        None
        if method == "masks"
        else generate(method, paillier_bits=2048, suite=SUITE, seed=bytes(range(32)))
    )
    by = Federation(SUITE, NAMES, 4, 3, sums=1, key=key, method=method)
    by.set_up()
    length = 40
    words = words_of(NAMES, length, SUITE, by.parties[FIRST].cipher.value_bits(5))
    stayed = NAMES[:4]
    opened = by.run_sum(0, {name: words[name] for name in stayed})
    assert np.array_equal(opened[LAST].words, total(words, stayed))

    seen: set[int] = set()
    public = [by.public_keys, by.enrolment.public_keys, by.terms, by.suite, by.key]
    seen.update(map(id, public))
    held_bytes = [*by.seen, *held(by.coordinators, seen)]
    assert len(held_bytes) > 40
    everything = b"\x00".join(held_bytes)
    found = secrets_of(by)
    assert len(found) > 20
    leaks = [what for what, secret in found.items() if secret in everything]
    assert leaks == []
    if key is not None:
        assert key.secret not in everything
    # Two words running, in whatever width: what was contributed, and the sum.
    plain = [words[name] for name in stayed] + [opened[LAST].words]
    for vector in plain:
        for kind in ("<i8", ">i8", "<i4", ">i4", "<f4", "<f8"):
            data = vector.astype(kind).tobytes()
            size = 2 * np.dtype(kind).itemsize
            pieces = [data[i : i + size] for i in range(0, len(data) - size + 1, size // 2)]
            assert not [piece for piece in pieces if piece in everything]


def test_the_search_above_finds_what_the_parties_hold():
    by = Federation(SUITE, NAMES, 4, 3, sums=1)
    by.set_up()
    by.run_sum(0, WORDS)
    everything = b"\x00".join(held([by.coordinators, by.parties, WORDS], set()))
    kept = {
        what: secret
        for what, secret in secrets_of(by).items()
        if what == "group key" or what.partition(": ")[2].split()[0] in _KEPT
    }
    assert len(kept) > 60
    assert [what for what, secret in kept.items() if secret not in everything] == []
    assert WORDS[FIRST].tobytes() in everything


_KEPT = ("seed", "sealing", "root", "signature", "share")
