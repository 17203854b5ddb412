"""A peer that departs from the confirmation is refused, by the honest side, naming the message."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError, VerifyError
from protocols.psi_server_aided import (
    SIGNATURE_PREFIX,
    KeyAnswer,
    KeyConfirmation,
    KeyOffer,
    MatchAnswer,
    MatchesMac,
    MatchTerms,
    TokenList,
)
from protocols.session.countersign import StatementSignature
from protocols.wire import Message, decode, encode
from tests.drive import Deadlock
from tests.protocols.psi_ecdh.pair import Refusals
from tests.protocols.psi_server_aided import job

PREPARED = job.prepare([1, 2, 3, 4, 5], [3, 4, 5, 6])
LIARS = pytest.mark.parametrize("liar", job.PEER)


def refused(liar: str, type_: type[Message], match: str, **fields) -> RemoteProtocolError:
    """Let ``liar`` change ``fields`` of one message; return the honest side's error."""
    refusals = Refusals()
    alter = job.changing(type_, lambda m: msgspec.structs.replace(m, **fields))
    with pytest.raises(RemoteProtocolError, match=match):
        job.confirm(PREPARED, liar=liar, alter=alter, refusals=refusals)
    assert set(refusals.by) == {job.PEER[liar]}
    return refusals.by[job.PEER[liar]]


@LIARS
@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("version", "fedcrm-psi-server-aided/0", "version"),
        ("suite", "intl", "suite is not ours, gm"),
        ("party", "other", "other parties"),
        ("peer", "other", "other parties"),
        ("context", b"another attempt", "same signed spec and attempt"),
        ("floor", 2, "floor is 2, ours 1"),
        ("size", 9, "not what the coordinator counted"),
        ("opened", False, "opened the matches to one party"),
    ],
)
def test_other_terms_are_refused(liar, field, value, match):
    error = refused(liar, MatchTerms, match, **{field: value})
    assert error.reason.startswith("MatchTerms: ")


@LIARS
@pytest.mark.parametrize("mac", [b"", bytes(32), bytes(31), bytes(33)])
def test_a_wrong_mac_is_refused(liar, mac):
    error = refused(liar, MatchesMac, "other matches than we do", mac=mac)
    assert isinstance(error, VerifyError)


def test_our_own_mac_sent_back_is_refused():
    """The retailer answers second: it could repeat the MAC it has just seen."""
    shown: list[MatchesMac] = []

    def keep(message):
        if isinstance(message, MatchesMac):
            shown.append(message)
        return [message]

    job.confirm(PREPARED, liar="bank", alter=keep)
    refused("retailer", MatchesMac, "other matches than we do", mac=shown[0].mac)


@LIARS
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("intersection", 4),
        ("floor", 2),
        ("opened", False),
        ("sizes", {"bank": 6, "retailer": 4}),
        ("transcript", "00" * 32),
        ("version", "fedcrm-psi-server-aided/2"),
    ],
)
def test_a_signature_over_another_statement_is_refused(liar, field, value):
    true = job.confirm(PREPARED)[0][liar].statement
    other = json.dumps(json.loads(true) | {field: value}, separators=(",", ":"), sort_keys=True)
    signed = SIGNATURE_PREFIX + other.encode()
    signature = job.SUITE.sign(job.KEYS["gm"][liar][0], signed, bytes(32))
    error = refused(liar, StatementSignature, "signed another statement", signature=signature)
    assert isinstance(error, VerifyError)


@LIARS
def test_a_signature_by_another_key_is_refused(liar):
    other, _ = job.SUITE.generate_signing_key(b"\x09" * 32)
    refusals = Refusals()
    with pytest.raises(VerifyError, match="signed another statement"):
        job.confirm(PREPARED, of={liar: {"private_key": other}}, refusals=refusals)
    assert set(refusals.by) == {job.PEER[liar]}


@LIARS
def test_a_peer_with_other_keys_is_refused(liar):
    keys = msgspec.structs.replace(job.FIXED_KEYS["gm"], match_key=bytes(32))
    with pytest.raises(VerifyError, match="other matches than we do"):
        job.confirm(PREPARED, of={liar: {"keys": keys}})


@LIARS
def test_messages_out_of_turn_are_refused(liar):
    alter = job.changing(MatchTerms, lambda _: MatchesMac(bytes(32)))
    with pytest.raises(RemoteProtocolError, match="not a well-formed MatchTerms"):
        job.confirm(PREPARED, liar=liar, alter=alter)


@LIARS
@pytest.mark.parametrize("silent", [MatchTerms, MatchesMac, StatementSignature])
def test_a_message_left_out_ends_in_a_refusal_or_in_the_drivers_deadline(liar, silent):
    with pytest.raises((Deadlock, RemoteProtocolError)):
        job.confirm(PREPARED, liar=liar, alter=lambda m: [] if isinstance(m, silent) else [m])


@pytest.mark.parametrize(
    "changed",
    [
        {"floor": 0},
        {"floor": -1},
        {"size": -1},
        {"size": (1 << 24) + 1},
        {"floor": (1 << 24) + 1},
        {"version": "v" * 257},
        {"party": "p" * 257},
        {"context": bytes(1025)},
        {"opened": 1},
    ],
)
def test_terms_out_of_range_do_not_decode(changed):
    fields = ["fedcrm-psi-server-aided/1", "gm", "bank", "retailer", b"context", 1, 5, True]
    names = MatchTerms.__struct_fields__
    values = [changed.get(name, value) for name, value in zip(names, fields, strict=True)]
    assert len(values) == len(names) == 8
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode(["MatchTerms", *values]), MatchTerms)


@pytest.mark.parametrize("changed", [{"version": "v" * 257}, {"context": bytes(1025)}])
def test_offers_out_of_range_do_not_decode(changed):
    offer = KeyOffer("version", "gm", "bank", "retailer", b"context", bytes(65))
    names = KeyOffer.__struct_fields__
    values = [changed.get(name, getattr(offer, name)) for name in names]
    assert decode(encode(offer), KeyOffer) == offer
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode(["KeyOffer", *values]), KeyOffer)


EXAMPLES: list[Message] = [
    KeyOffer("fedcrm-psi-server-aided/1", "gm", "bank", "retailer", b"context", bytes(65)),
    KeyAnswer(bytes(65), bytes(70), bytes(32)),
    KeyConfirmation(bytes(70), bytes(32)),
    MatchTerms("fedcrm-psi-server-aided/1", "gm", "bank", "retailer", b"context", 1, 5, True),
    MatchesMac(bytes(32)),
    TokenList("fedcrm-psi-server-aided/1", "bank", "retailer", b"context", bytes(32)),
    MatchAnswer("fedcrm-psi-server-aided/1", b"context", 12, 5, True, b"\xff\xf0"),
]
BY_TYPE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda m: type(m).__name__)


def decode_or_refuse(data: bytes, type_: type[Message]) -> None:
    """What decodes re-encodes to itself; only RemoteProtocolError escapes."""
    try:
        message = decode(data, type_)
    except RemoteProtocolError as error:
        assert type_.__name__ in str(error)  # noqa: PT017
        return
    assert encode(message) == data


@BY_TYPE
@given(data=st.binary(max_size=100))
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_refused(example, data):
    decode_or_refuse(data, type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_bit_flips_are_refused_or_another_message(example, data):
    encoded = bytearray(encode(example))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decode_or_refuse(bytes(encoded), type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_cut_and_trailing_bytes_are_refused(example, data):
    encoded = encode(example)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(RemoteProtocolError):
            decode(wrong, type(example))


def mutated(data, message):
    """Return the message with one drawn field replaced by a drawn value of its kind."""
    name = data.draw(st.sampled_from(type(message).__struct_fields__), label="field")
    value = getattr(message, name)
    if isinstance(value, bool):
        return msgspec.structs.replace(message, **{name: not value})
    if isinstance(value, bytes):
        return msgspec.structs.replace(message, **{name: data.draw(st.binary(max_size=80))})
    if isinstance(value, int):
        return msgspec.structs.replace(message, **{name: data.draw(st.integers(1, 40))})
    return msgspec.structs.replace(message, **{name: data.draw(st.text(max_size=20))})


def survives(run, expected) -> None:
    """Check that ``run`` gives the honest result or is refused as the peer's fault."""
    try:
        results, _ = run()
    except (RemoteProtocolError, Deadlock):
        return
    for party, result in results.items():
        assert result == expected[party]


@LIARS
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_mutated_message_changes_nothing_or_is_refused(liar, data):
    target = data.draw(st.sampled_from([MatchTerms, MatchesMac, StatementSignature]))
    expected = job.confirm(PREPARED)[0]
    survives(
        lambda: job.confirm(
            PREPARED, liar=liar, alter=job.changing(target, lambda m: mutated(data, m))
        ),
        expected,
    )


@LIARS
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_mutated_key_message_gives_no_keys_or_the_same(liar, data):
    kinds = {"bank": [KeyOffer, KeyConfirmation], "retailer": [KeyAnswer]}
    target = data.draw(st.sampled_from(kinds[liar]))
    expected = job.agree()[0]
    survives(
        lambda: job.agree(liar=liar, alter=job.changing(target, lambda m: mutated(data, m))),
        expected,
    )
