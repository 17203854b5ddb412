"""Both ends hold the same fresh keys, about the same terms; nobody in between holds any."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError, VerifyError
from protocols.gm_channel import (
    PROOF_PREFIX,
    ChannelAnswer,
    ChannelConfirmation,
    ChannelOffer,
    ChannelProof,
)
from protocols.wire import decode, encode
from tests.drive import drive
from tests.protocols.gm_channel import ends

BY_SUITE = pytest.mark.parametrize("suite", ends.SUITES)
OTHER = b"\x09" * 32


@BY_SUITE
def test_both_ends_hold_the_same_two_secrets(suite):
    results, transcript = drive({party: ends.role(party, suite) for party in ends.PEER})
    bank, retailer = results["bank"], results["retailer"]
    assert (bank.sending, bank.receiving) == (retailer.receiving, retailer.sending)
    assert bank.sending != bank.receiving
    assert [(by, name) for by, _, name, _ in transcript.messages] == [
        ("bank", "ChannelOffer"),
        ("retailer", "ChannelAnswer"),
        ("bank", "ChannelConfirmation"),
    ]
    sent = b"".join(data for *_, data in transcript.messages)
    assert bank.sending not in sent
    assert bank.receiving not in sent


@BY_SUITE
def test_who_listens_learns_neither_identity_nor_spec(suite):
    _, transcript = drive({party: ends.role(party, suite) for party in ends.PEER})
    sent = b"".join(data for *_, data in transcript.messages)
    for hidden in (b"bank", b"retailer", ends.SPEC_DIGEST, ends.certificate("bank", suite)):
        assert hidden not in sent


@pytest.mark.parametrize("changed", ["seed", "attempt", "spec_digest"])
def test_another_run_has_other_keys(changed):
    value = {"seed": OTHER, "attempt": 2, "spec_digest": b""}[changed]
    before = ends.handshake(ends.role("bank"), ends.role("retailer"))[0]
    if changed == "seed":
        after = ends.handshake(ends.role("bank", seed=value), ends.role("retailer"))[0]
    else:
        after = ends.handshake(*(ends.role(party, **{changed: value}) for party in ends.PEER))[0]
    secrets = {before.sending, before.receiving, after.sending, after.receiving}
    assert len(secrets) == 4


def test_secrets_stay_out_of_representations():
    keys = ends.handshake(ends.role("bank"), ends.role("retailer"))[0]
    assert repr(keys) == "ChannelKeys()"
    assert repr(ends.SIGNING["gm"]["bank"][0]) not in repr(ends.terms("bank"))


OTHER_TERMS = pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"attempt": 2}, "attempt 2, ours is 1"),
        ({"spec_digest": OTHER}, "another spec"),
        ({"spec_digest": b""}, "another spec"),
        ({"certificate_digest": OTHER}, "TLS certificate is not the one pinned"),
        ({"peer_certificate_digest": OTHER}, "TLS certificate is not the one pinned"),
        ({"private_key": ends.SIGNING["gm"]["insurer"][0]}, "does not verify"),
    ],
)


@OTHER_TERMS
def test_the_initiator_refuses_other_terms(changed, match):
    with pytest.raises(VerifyError, match=match):
        ends.handshake(ends.role("bank"), ends.role("retailer", **changed))


@OTHER_TERMS
def test_the_responder_refuses_other_terms(changed, match):
    """An honest initiator would not even prove itself; this one does."""
    retailer, reckless = ends.reckless_initiator(**changed)
    with pytest.raises(VerifyError, match=match):
        ends.finish(retailer, ChannelConfirmation(reckless.seal_proof()))


def test_a_peer_under_another_name_is_refused():
    """The insurer answers with its own key; the bank expects the retailer."""
    bank = ends.role("bank")
    insurer = ends.ROLES["retailer"](ends.terms("insurer", peer="bank"), seed=OTHER)
    with pytest.raises(VerifyError, match="another party than retailer"):
        ends.handshake(bank, insurer)


def test_an_unknown_key_share_is_refused():
    """The insurer forwards the bank's messages to the retailer as if the bank were the insurer.

    It cannot read the channel; it wants the retailer to take the bank's words for the insurer's
    (identity misbinding, Krawczyk 2003). The retailer pins the insurer, the bank the retailer.
    """
    bank = ends.role("bank")
    retailer = ends.ROLES["retailer"](ends.terms("retailer", peer="insurer"), seed=OTHER)
    with pytest.raises(VerifyError, match="does not verify"):
        ends.handshake(bank, retailer)


def test_the_insurers_signature_in_the_banks_place_is_refused():
    """The insurer replaces the bank's proof by one of its own; it lacks the keys to seal it."""
    bank, retailer = ends.role("bank"), ends.role("retailer", peer="insurer")
    offer = ends.first(bank)
    ends.first(retailer)
    ends.give(retailer, offer)
    ends.waits_for(retailer)
    signature = ends.SUITE.sign(ends.SIGNING["gm"]["insurer"][0], PROOF_PREFIX, OTHER)
    proof = ChannelProof("insurer", ends.SPEC_DIGEST, 1, signature, bytes(32))
    forged = ends.SUITE.seal(bytes(16), bytes(12), encode(proof), b"")
    with pytest.raises(VerifyError, match="cannot be opened"):
        ends.finish(retailer, ChannelConfirmation(forged))


@pytest.mark.parametrize("party", ends.PEER)
def test_own_messages_sent_back_are_refused(party):
    run = ends.role(party)
    if party == "bank":
        offer = ends.first(run)
        ends.waits_for(run)
        mirrored = ChannelAnswer(offer.ephemeral_key, offer.nonce, b"\0" * 40)
        with pytest.raises(RemoteProtocolError, match="our own, sent back"):
            ends.give(run, mirrored)
        return
    ends.first(run)
    answer = ends.give(run, ends.first(ends.role("bank")))
    ends.waits_for(run)
    with pytest.raises(VerifyError, match="cannot be opened"):
        ends.finish(run, ChannelConfirmation(answer.sealed))


def test_an_offer_made_of_our_own_answer_is_refused():
    retailer = ends.role("retailer")
    ends.first(retailer)
    answer = ends.give(retailer, ends.first(ends.role("bank")))
    again = ends.role("retailer")
    ends.first(again)
    mirrored = ChannelOffer("fedcrm-gm-channel/1", "gm", answer.ephemeral_key, answer.nonce)
    with pytest.raises(RemoteProtocolError, match="our own, sent back"):
        ends.give(again, mirrored)


def test_messages_of_an_earlier_handshake_are_refused():
    kept = []

    def keep(by, message):
        kept.append(message)
        return message

    ends.handshake(ends.role("bank"), ends.role("retailer"), between=keep)
    _, old_answer, old_confirmation = kept
    with pytest.raises(VerifyError, match="cannot be opened"):
        ends.handshake(
            ends.role("bank", seed=OTHER),
            ends.role("retailer"),
            between=lambda by, m: old_answer if by == "retailer" else m,
        )
    with pytest.raises(VerifyError, match="cannot be opened"):
        ends.handshake(
            ends.role("bank"),
            ends.role("retailer", seed=OTHER),
            between=lambda by, m: old_confirmation if isinstance(m, ChannelConfirmation) else m,
        )


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        (type_, field)
        for type_ in (ChannelOffer, ChannelAnswer, ChannelConfirmation)
        for field in type_.__struct_fields__
    ],
)
def test_no_field_can_be_changed_on_the_way(type_, field):
    stranger = ends.SUITE.agreement_key(OTHER)[1]

    def change(_by, message):
        if not isinstance(message, type_):
            return message
        value = getattr(message, field)
        other = {"ephemeral_key": stranger, "version": "x", "suite": "intl"}.get(field)
        return msgspec.structs.replace(message, **{field: other or _flip(value)})

    with pytest.raises(RemoteProtocolError):
        ends.handshake(ends.role("bank"), ends.role("retailer"), between=change)


POINT = ends.SUITE.agreement_key(OTHER)[1]


@pytest.mark.parametrize(
    ("suite", "key"),
    [
        ("gm", b""),
        ("gm", bytes(65)),
        ("gm", bytes([4]) + bytes(64)),
        ("gm", POINT[:-1]),
        ("gm", POINT + b"\0"),
        ("gm", _flip(POINT)),
        ("gm", b"\x02" + POINT[1:33]),
        ("intl", bytes(32)),
        ("intl", (1).to_bytes(32, "little")),
        ("intl", bytes(31)),
    ],
)
@pytest.mark.parametrize("type_", [ChannelOffer, ChannelAnswer])
def test_an_ephemeral_key_that_is_none_is_refused(suite, key, type_):
    def change(_by, message):
        if isinstance(message, type_):
            return msgspec.structs.replace(message, ephemeral_key=key)
        return message

    with pytest.raises(RemoteProtocolError, match="not a valid public key"):
        ends.handshake(ends.role("bank", suite), ends.role("retailer", suite), between=change)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"version": "fedcrm-gm-channel/0"}, "version is not ours"),
        ({"suite": "intl"}, "suite is not ours"),
    ],
)
def test_another_version_or_suite_is_refused(changed, match):
    def change(_by, message):
        if isinstance(message, ChannelOffer):
            return msgspec.structs.replace(message, **changed)
        return message

    with pytest.raises(RemoteProtocolError, match=match):
        ends.handshake(ends.role("bank"), ends.role("retailer"), between=change)


def finish_with_proof(changes: dict) -> None:
    """Finish a retailer's handshake by the bank's proof under the right keys, with ``changes``."""
    retailer, bank = ends.reckless_initiator()
    key = bank._proof_key("initiator")
    proof = decode(ends.SUITE.open(key, bytes(12), bank.seal_proof(), b""), ChannelProof)
    changed = msgspec.structs.replace(
        proof, **{name: change(getattr(proof, name)) for name, change in changes.items()}
    )
    sealed = ends.SUITE.seal(key, bytes(12), encode(changed), b"")
    keys = ends.finish(retailer, ChannelConfirmation(sealed))
    assert keys.receiving == bank.keys().sending


def test_the_forgers_tool_of_the_next_test_works():
    finish_with_proof({})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"signature": _flip}, "signature"),
        ({"signature": lambda _: b""}, "signature"),
        ({"mac": _flip}, "MAC is wrong"),
        ({"mac": lambda _: b""}, "MAC is wrong"),
        ({"mac": lambda mac: mac + b"\0"}, "MAC is wrong"),
        ({"party": lambda _: "insurer"}, "another party than bank"),
    ],
)
def test_a_proof_with_the_right_keys_and_a_wrong_part_is_refused(changes, match):
    """Who holds the keys but not the signature, or the signature but not the keys, is not in."""
    with pytest.raises(VerifyError, match=match):
        finish_with_proof(changes)


@pytest.mark.parametrize("party", ends.PEER)
@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"party": "x", "peer": "x"}, "different"),
        ({"party": ""}, "non-empty ASCII"),
        ({"spec_digest": bytes(31)}, "spec digest"),
        ({"attempt": -1}, "attempt"),
        ({"attempt": 1 << 31}, "attempt"),
        ({"certificate_digest": b""}, "certificate digest"),
        ({"private_key": bytes(32)}, "private key"),
        ({"certificate_digest": OTHER, "peer_certificate_digest": OTHER}, "different TLS"),
    ],
)
def test_bad_terms_are_the_callers_mistake(party, changed, match):
    with pytest.raises(LocalProtocolError, match=match):
        dataclasses.replace(ends.terms(party), **changed)


@pytest.mark.parametrize("party", ends.PEER)
def test_a_bad_seed_is_the_callers_mistake(party):
    with pytest.raises(LocalProtocolError, match="seed"):
        next(ends.role(party, seed=bytes(31)))


@pytest.mark.parametrize("type_", [ChannelOffer, ChannelAnswer, ChannelConfirmation, ChannelProof])
@given(data=st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_garbage_is_no_message(type_, data):
    with pytest.raises(RemoteProtocolError):
        decode(data, type_)


@given(st.binary(max_size=65), st.binary(min_size=32, max_size=32), st.binary(max_size=200))
@settings(max_examples=40, deadline=None)
def test_nothing_but_a_remote_error_escapes_the_roles(key, nonce, sealed):
    bank = ends.role("bank", "intl")
    ends.first(bank)
    ends.waits_for(bank)
    with pytest.raises(RemoteProtocolError):
        ends.give(bank, ChannelAnswer(key, nonce, sealed))
    retailer = ends.role("retailer", "intl")
    ends.first(retailer)

    def to_the_end():
        ends.give(retailer, ChannelOffer("fedcrm-gm-channel/1", "intl", key, nonce))
        ends.waits_for(retailer)
        ends.finish(retailer, ChannelConfirmation(sealed))

    with pytest.raises(RemoteProtocolError):
        to_the_end()
