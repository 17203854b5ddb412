"""Both parties end with the same fresh keys, and nobody in between with any."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError, VerifyError
from protocols.psi_server_aided import (
    KEY_PREFIX,
    KeyAnswer,
    KeyConfirmation,
    KeyOffer,
    TokenKeys,
    agree_keys,
)
from tests.drive import drive
from tests.protocols.psi_ecdh.pair import Refusals
from tests.protocols.psi_server_aided import job

OTHER = b"\x09" * 32
BY_SUITE = pytest.mark.parametrize("suite", job.SUITES.values(), ids=lambda suite: suite.name)


def secrets(keys: TokenKeys) -> set[bytes]:
    return {keys.token_key, keys.hash_key, keys.match_key}


@BY_SUITE
def test_both_parties_hold_the_same_three_keys(suite):
    results, transcript = job.agree(suite=suite)
    keys = results["bank"]
    assert keys == results["retailer"]
    assert len(keys.token_key) == suite.key_bytes
    assert len(keys.hash_key) == len(keys.match_key) == 32
    assert len({secret[:16] for secret in secrets(keys)}) == 3
    assert [(by, name) for by, _, name, _ in transcript.messages] == [
        ("bank", "KeyOffer"),
        ("retailer", "KeyAnswer"),
        ("bank", "KeyConfirmation"),
    ]
    wire = b"".join(data for *_, data in transcript.messages)
    assert not any(secret in wire for secret in secrets(keys))


@BY_SUITE
@pytest.mark.parametrize(
    ("terms", "of"),
    [
        ({"context": b"the next attempt"}, {}),
        ({}, {"bank": {"seed": OTHER}}),
        ({}, {"retailer": {"seed": OTHER}}),
    ],
)
def test_another_attempt_or_seed_gives_other_keys(suite, terms, of):
    before = job.agree(suite=suite)[0]["bank"]
    after = job.agree(suite=suite, of=of, **terms)[0]["bank"]
    assert secrets(before).isdisjoint(secrets(after))


def test_another_pair_of_parties_has_other_keys():
    """Two pairs of one job never share tokens, even where seeds were repeated by mistake."""
    names = {"bank": "insurer", "insurer": "bank"}
    stands_for = {"bank": "bank", "insurer": "retailer"}
    results, _ = drive(
        {
            party: agree_keys(**job.arguments(stands_for[party], party=party, peer=peer))
            for party, peer in names.items()
        }
    )
    assert results["bank"] == results["insurer"]
    assert secrets(results["bank"]).isdisjoint(secrets(job.FIXED_KEYS["gm"]))


def test_the_signature_covers_identities_keys_and_context():
    _, transcript = job.agree()
    offer, answer, confirmation = (data for *_, data in transcript.messages)
    offered = job.decode(offer, KeyOffer)
    answered = job.decode(answer, KeyAnswer)
    confirmed = job.decode(confirmation, KeyConfirmation)
    signed = (
        f'{{"context":"{job.CONTEXT.hex()}","initiator":"bank",'
        f'"initiator_key":"{offered.ephemeral_key.hex()}","responder":"retailer",'
        f'"responder_key":"{answered.ephemeral_key.hex()}","suite":"gm",'
        '"version":"fedcrm-psi-server-aided/1"}'
    )
    for party, part, signature in (
        ("retailer", b"responder", answered.signature),
        ("bank", b"initiator", confirmed.signature),
    ):
        message = KEY_PREFIX + part + b"\0" + signed.encode()
        job.SUITE.verify(job.KEYS["gm"][party][1], message, signature)
    assert KEY_PREFIX == b"fedcrm/psi-token-keys/v1\0"


@BY_SUITE
@pytest.mark.parametrize("party", job.PEER)
def test_a_replayed_role_sends_the_same_bytes(suite, party):
    results, transcript = job.agree(suite=suite)
    inbound = [data for _, to, _, data in transcript.messages if to == party]
    recorded = [data for by, _, _, data in transcript.messages if by == party]
    outbound, keys = job.replay(agree_keys(**job.arguments(party, suite=suite)), inbound)
    assert outbound == recorded
    assert keys == results[party]


def refused(liar: str, type_, match: str, **fields) -> RemoteProtocolError:
    """Let ``liar`` change ``fields`` of one message; return the other side's error."""
    refusals = Refusals()
    alter = job.changing(type_, lambda m: msgspec.structs.replace(m, **fields))
    with pytest.raises(RemoteProtocolError, match=match):
        job.agree(liar=liar, alter=alter, refusals=refusals)
    assert set(refusals.by) == {job.PEER[liar]}
    return refusals.by[job.PEER[liar]]


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"version": "fedcrm-psi-server-aided/0"}, "version"),
        ({"suite": "intl"}, "suite is not ours, gm"),
        ({"party": "insurer"}, "other parties"),
        ({"peer": "insurer"}, "other parties"),
        ({"context": b"another attempt"}, "same signed spec and attempt"),
    ],
)
def test_other_terms_are_refused(fields, match):
    assert refused("bank", KeyOffer, match, **fields).reason.startswith("KeyOffer: ")


POINT = job.SUITE.agreement_key(OTHER)[1]


@pytest.mark.parametrize(
    "key",
    [
        b"",
        bytes(65),
        bytes([4]) + bytes(64),
        POINT[:-1],
        POINT + b"\0",
        POINT[:-1] + bytes([POINT[-1] ^ 1]),
        b"\x02" + POINT[1:33],
    ],
)
@pytest.mark.parametrize(("liar", "type_"), [("bank", KeyOffer), ("retailer", KeyAnswer)])
def test_an_ephemeral_key_that_is_none_is_refused(liar, type_, key):
    refused(liar, type_, "not a valid public key", ephemeral_key=key)


@pytest.mark.parametrize("point", [bytes(32), (1).to_bytes(32, "little")])
def test_an_ephemeral_key_of_small_order_is_refused_in_intl(point):
    alter = job.changing(KeyOffer, lambda m: msgspec.structs.replace(m, ephemeral_key=point))
    with pytest.raises(RemoteProtocolError, match="not a valid public key"):
        job.agree(suite=job.SUITES["intl"], liar="bank", alter=alter)


@pytest.mark.parametrize(("liar", "type_"), [("bank", KeyOffer), ("retailer", KeyAnswer)])
def test_an_exchanged_ephemeral_key_is_refused(liar, type_):
    """The man in the middle: the other side's proof then covers a key we never sent."""
    refusals = Refusals()
    alter = job.changing(type_, lambda m: msgspec.structs.replace(m, ephemeral_key=POINT))
    with pytest.raises(VerifyError, match="does not verify"):
        job.agree(liar=liar, alter=alter, refusals=refusals)
    assert set(refusals.by) == {"bank"}  # the responder proves first, so the initiator sees it


PROOFS = pytest.mark.parametrize(
    ("liar", "type_"), [("bank", KeyConfirmation), ("retailer", KeyAnswer)]
)


@PROOFS
@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes(len(data)),
    ],
)
@pytest.mark.parametrize("field", ["signature", "mac"])
def test_a_changed_proof_is_refused(liar, type_, field, change):
    refusals = Refusals()
    alter = job.changing(
        type_, lambda m: msgspec.structs.replace(m, **{field: change(getattr(m, field))})
    )
    with pytest.raises(VerifyError, match=f"{type_.__name__}: "):
        job.agree(liar=liar, alter=alter, refusals=refusals)
    assert set(refusals.by) == {job.PEER[liar]}


@PROOFS
def test_a_signature_by_another_key_is_refused(liar, type_):
    stranger, _ = job.SUITE.generate_signing_key(OTHER)
    with pytest.raises(VerifyError, match=f"{type_.__name__}: .*does not verify"):
        job.agree(of={liar: {"private_key": stranger}})


def test_the_other_sides_proof_sent_back_is_refused():
    proofs: list[KeyAnswer] = []

    def mirror(message):
        if isinstance(message, KeyAnswer):
            proofs.append(message)
        return [message]

    job.agree(liar="retailer", alter=mirror)
    (answer,) = proofs
    with pytest.raises(VerifyError):
        job.agree(
            liar="bank",
            alter=job.changing(
                KeyConfirmation, lambda _: KeyConfirmation(answer.signature, answer.mac)
            ),
        )


def test_a_proof_of_an_earlier_run_is_refused():
    earlier: list[KeyConfirmation] = []

    def keep(message):
        earlier.append(message)
        return [message]

    job.agree(liar="bank", alter=keep)
    replayed = job.changing(KeyConfirmation, lambda _: earlier[-1])
    with pytest.raises(VerifyError):
        job.agree(of={"retailer": {"seed": OTHER}}, liar="bank", alter=replayed)


@pytest.mark.parametrize("party", job.PEER)
@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"party": "x", "peer": "x"}, "different"),
        ({"peer": ""}, "non-empty ASCII"),
        ({"peer": "银行"}, "non-empty ASCII"),
        ({"context": b""}, "context"),
        ({"context": bytes(1025)}, "context"),
        ({"seed": bytes(31)}, "seed"),
        ({"private_key": bytes(32)}, "private key"),
    ],
)
def test_bad_arguments_are_the_callers_mistake(party, changed, match):
    with pytest.raises(LocalProtocolError, match=match):
        next(agree_keys(**job.arguments(party) | changed))


KEYS = job.FIXED_KEYS["gm"]


def test_keys_survive_storage_and_stay_out_of_the_representation():
    data = KEYS.to_bytes()
    assert TokenKeys.from_bytes(data) == KEYS
    for shown in (repr(KEYS), str(KEYS), f"{[KEYS]}"):
        assert shown.count("TokenKeys(...)") == 1
        assert not any(repr(secret) in shown for secret in secrets(KEYS))


@given(st.binary(max_size=150))
@settings(max_examples=100, deadline=None)
def test_stored_bytes_that_are_no_keys_are_refused(data):
    with pytest.raises(LocalProtocolError, match="stored TokenKeys"):
        TokenKeys.from_bytes(data)


@pytest.mark.parametrize("field", ["token_key", "hash_key", "match_key"])
def test_stored_keys_of_another_length_are_refused(field):
    with pytest.raises(LocalProtocolError, match="damaged"):
        TokenKeys.from_bytes(msgspec.structs.replace(KEYS, **{field: bytes(31)}).to_bytes())
