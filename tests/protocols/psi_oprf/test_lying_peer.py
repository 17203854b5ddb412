"""A peer that departs from the protocol is refused, by the honest side, naming the message."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.arguments import MAX_ITEMS
from protocols.errors import ProtocolError, RemoteProtocolError, VerifyError
from protocols.psi_oprf import (
    SIGNATURE_PREFIX,
    AnswerTerms,
    BlindedQueries,
    EvaluatedQueries,
    EvaluatedSet,
    MatchedTags,
    Matches,
    QueryTerms,
    TagChunk,
    TagSet,
    TermsSignature,
    tag_set_digest,
)
from protocols.psi_oprf.messages import CHUNK_PLACES, CHUNK_QUERIES, CHUNK_TAGS, MAX_TAG_BYTES
from protocols.roles import Receive, Role, Send
from protocols.wire import Message, decode, encode
from tests.drive import Deadlock, drive
from tests.protocols.psi_ecdh.pair import KEYS
from tests.protocols.psi_oprf import pair
from tests.protocols.suite import plain_gm

BANK, RETAILER = [1, 2, 3, 4], [3, 4, 5, 6, 7]
P = plain_gm.P
OFF_CURVE = next(x for x in range(1, 99) if not plain_gm.is_square(plain_gm.curve(x)))


def refused(liar: str, alter: pair.Alter, match: str, **terms: Any) -> ProtocolError:
    """Run with ``liar`` altering its messages; return the error of the other, honest side."""
    refusals = pair.Refusals()
    with pytest.raises(RemoteProtocolError, match=match):
        pair.run(BANK, RETAILER, liar=liar, alter=alter, refusals=refusals, **terms)
    # An error in decoding is raised by the driver for the party that waits, not by its role.
    assert set(refusals.by) <= {pair.PEER[liar]}
    return refusals.by.get(pair.PEER[liar], RemoteProtocolError(""))


def replacing(type_: type[Message], change) -> pair.Alter:
    """Alter each message of ``type_`` by ``change(message) -> message or list of messages``."""

    def alter(message):
        if not isinstance(message, type_):
            return [message]
        changed = change(message)
        return changed if isinstance(changed, list) else [changed]

    return alter


def edit(type_: type[Message], field: str, change) -> pair.Alter:
    return replacing(
        type_,
        lambda message: msgspec.structs.replace(
            message, **{field: change(getattr(message, field))}
        ),
    )


@pytest.mark.parametrize(("liar", "type_"), [("bank", QueryTerms), ("retailer", AnswerTerms)])
@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("version", "fedcrm-psi-oprf/0", "version"),
        ("suite", "intl", "suite is not ours, gm"),
        ("party", "other", "other parties"),
        ("peer", "other", "other parties"),
        ("context", b"another attempt", "same signed spec and attempt"),
    ],
)
def test_other_terms_are_refused(liar, type_, field, value, match):
    error = refused(liar, edit(type_, field, lambda _: value), match)
    assert error.reason.startswith(f"{type_.__name__}: ")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("key_id", lambda value: bytes(16)),
        ("tags", lambda value: value + 1),
        ("tag_bytes", lambda value: value + 1),
        ("tag_set", lambda value: bytes(32)),
        ("quota_left", lambda value: value + 1),
        ("signature", lambda value: b""),
        ("signature", lambda value: value[:-1] + bytes([value[-1] ^ 1])),
    ],
)
def test_terms_that_were_not_signed_are_refused(field, change):
    error = refused("retailer", edit(AnswerTerms, field, change), "AnswerTerms: ")
    assert isinstance(error, VerifyError)


@pytest.mark.parametrize("change", [lambda _: b"", lambda value: value + b"\0"])
def test_a_receivers_wrong_signature_is_refused(change):
    error = refused("bank", edit(TermsSignature, "signature", change), "TermsSignature: ")
    assert isinstance(error, VerifyError)


@pytest.mark.parametrize("liar", ["bank", "retailer"])
def test_a_signature_by_another_key_is_refused(liar):
    other, _ = pair.SUITE.generate_signing_key(b"\x09" * 32)
    refusals = pair.Refusals()
    with pytest.raises(VerifyError, match="does not verify"):
        pair.run(BANK, RETAILER, **{f"{liar}_terms": {"private_key": other}}, refusals=refusals)
    assert set(refusals.by) == {pair.PEER[liar]}


def forging_sender(**changes: Any) -> Role[None]:
    """Change the terms, sign what was changed, and go on regardless."""
    honest = pair.retailer(RETAILER)
    asked = yield next(honest)
    terms = msgspec.structs.replace(honest.send(asked).message, **changes)
    statement = {
        "version": terms.version,
        "suite": terms.suite,
        "context": terms.context.hex(),
        "receiver": terms.peer,
        "sender": terms.party,
        "queries": len(BANK),
        "quota_left": terms.quota_left,
        "key": terms.key_id.hex(),
        "tags": terms.tags,
        "tag_bytes": terms.tag_bytes,
        "tag_set": terms.tag_set.hex(),
    }
    data = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
    signature = pair.SUITE.sign(KEYS["gm"]["retailer"][0], SIGNATURE_PREFIX + data, bytes(32))
    yield Send("bank", msgspec.structs.replace(terms, signature=signature))
    yield Receive("bank", TermsSignature)
    yield Send("bank", TagChunk(pair.prepared(tuple(RETAILER)).tag_set.tags.tobytes()))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tags": MAX_ITEMS, "tag_bytes": 8}, "tags of 8 bytes are too short for 4 queries"),
        ({"tags": 6}, "TagChunk 1 of 1: 40 bytes, but the size in Terms asks for 6 x 8"),
        ({"tags": 4}, "TagChunk 1 of 1: 40 bytes"),
        ({"tag_bytes": 9}, "TagChunk 1 of 1: 40 bytes"),
        ({"tag_set": bytes(32)}, "TagChunk: not the tag set that AnswerTerms names"),
        ({"key_id": bytes(16)}, "TagChunk: not the tag set that AnswerTerms names"),
    ],
)
def test_terms_that_do_not_fit_the_tags_are_refused(changes, match):
    with pytest.raises(RemoteProtocolError, match=match):
        drive({"bank": pair.bank(BANK), "retailer": forging_sender(**changes)})


@pytest.mark.parametrize("changes", [{"tags": 6}, {"tag_bytes": 9}, {"key_id": bytes(16)}])
def test_a_digest_of_what_was_kept_with_other_sizes_is_refused(changes):
    kept = pair.prepared(tuple(RETAILER)).tag_set
    roles = {"bank": pair.bank(BANK, cached=kept), "retailer": forging_sender(**changes)}
    with pytest.raises(RemoteProtocolError, match="the digest is that of another tag set"):
        drive(roles)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-8], "32 bytes, but the size in Terms asks for 5 x 8"),
        (lambda data: data + data[:8], "48 bytes, but"),
        (lambda data: b"", "0 bytes, but"),
        (lambda data: data[8:16] + data[:8] + data[16:], "TagChunk 1 of 1: tags are not in asc"),
        (lambda data: data[:8] + data[:8] + data[16:], "tags are not in ascending order"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "not the tag set that AnswerTerms names"),
    ],
)
def test_wrong_tags_are_refused(change, match):
    error = refused("retailer", edit(TagChunk, "tags", change), match)
    assert error.reason.startswith("TagChunk")


def test_tags_out_of_order_between_chunks_are_refused():
    """A set that was never sorted, honestly announced."""
    made = pair.prepared(tuple(RETAILER))
    tags = np.ascontiguousarray(made.tag_set.tags[[2, 3, 0, 1, 4]])
    with (
        patch("protocols.psi_oprf.tag_set.CHUNK_TAGS", 2),
        patch("protocols.psi_oprf.receiver.CHUNK_TAGS", 2),
        patch("protocols.psi_oprf.sender.CHUNK_TAGS", 2),
    ):
        digest = tag_set_digest(pair.SUITE, made.tag_set.key_id, tags)
        wrong = EvaluatedSet(TagSet(made.tag_set.key_id, tags, digest), made.order)
        with pytest.raises(RemoteProtocolError, match="TagChunk 2 of 3: tags are not in ascend"):
            pair.run(BANK, RETAILER, made=wrong)


@pytest.mark.parametrize(
    ("liar", "type_"), [("bank", BlindedQueries), ("retailer", EvaluatedQueries)]
)
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-32], "96 bytes, but the size in Terms asks for 4 x 32"),
        (lambda data: data + data[:32], "160 bytes, but"),
        (lambda data: data[:-1], "127 bytes, but"),
        (lambda data: data[:32] + OFF_CURVE.to_bytes(32, "big") + data[64:], "element 1 is not"),
        (lambda data: P.to_bytes(32, "big") + data[32:], "element 0 is not"),
        (lambda data: data[:-32] + b"\xff" * 32, "element 3 is not"),
    ],
)
def test_bad_elements_are_refused(liar, type_, change, match):
    error = refused(liar, edit(type_, "elements", change), match)
    assert error.reason.startswith(f"{type_.__name__} 1 of 1: ")


@pytest.mark.parametrize("low", [0, 1, plain_gm.P])
def test_low_order_elements_are_refused_in_intl(low):
    data = low.to_bytes(32, "little")
    for liar, type_ in (("bank", BlindedQueries), ("retailer", EvaluatedQueries)):
        refused(
            liar,
            edit(type_, "elements", lambda elements: data + elements[32:]),
            "element 0 is not",
            suite=pair.INTL,
        )


def test_a_sender_that_answers_with_another_key_matches_nothing():
    """Nothing proves which key an answer was made with: the result is then wrong, not refused."""
    results, _ = pair.run(
        BANK, RETAILER, retailer_terms={"key": changed_scalar(pair.epoch_key(pair.SUITE))}
    )
    assert results["bank"].positions.tolist() == []


def changed_scalar(key):
    other = pair.epoch_key(pair.SUITE, b"\x01" * 32)
    return type(key)(key.id, other.scalar)


def wrongly_told(alter: pair.Alter, match: str) -> bool:
    """Whether the retailer refuses what the bank, altered, tells of two matches."""
    refusals = pair.Refusals()
    with pytest.raises(RemoteProtocolError, match=match):
        pair.tell(np.array([4, 0]), tags=5, queries=4, alter=alter, refusals=refusals)
    return set(refusals.by) == {"retailer"}


@pytest.mark.parametrize(
    ("count", "match"), [(5, "Matches: more matches"), (3, "MatchedTags 1 of 1: 8 bytes, but")]
)
def test_a_wrong_number_of_matches_is_refused(count, match):
    assert wrongly_told(replacing(Matches, lambda _: Matches(count)), match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-4], "bytes, but the size"),
        (lambda data: data + data, "bytes, but the size"),
        (lambda data: data[:4] * 2, "not distinct places in our tag list"),
        (lambda data: (5).to_bytes(4, "big") + data[4:], "not distinct places in our tag list"),
        (lambda data: b"\xff" * 4 + data[4:], "not distinct places in our tag list"),
    ],
)
def test_wrong_matches_are_refused(change, match):
    assert wrongly_told(edit(MatchedTags, "places", change), match)


@pytest.mark.parametrize(
    ("liar", "type_"),
    [
        ("bank", QueryTerms),
        ("bank", TermsSignature),
        ("bank", BlindedQueries),
        ("retailer", AnswerTerms),
        ("retailer", TagChunk),
        ("retailer", EvaluatedQueries),
    ],
)
def test_messages_sent_twice_or_kept_back_are_refused(liar, type_):
    for times in (0, 2):
        with pytest.raises(
            (RemoteProtocolError, Deadlock, AssertionError),
            match=r"not a well-formed|nobody read|Receive|bytes, but|; at most",
        ):
            pair.run(
                BANK,
                RETAILER,
                liar=liar,
                alter=replacing(type_, lambda message, times=times: [message] * times),
            )


EXAMPLES: list[Message] = [
    QueryTerms("fedcrm-psi-oprf/1", "gm", "bank", "retailer", b"context", 5, bytes(32)),
    AnswerTerms(
        *("fedcrm-psi-oprf/1", "gm", "retailer", "bank", b"context"),
        *(bytes(16), 7, 10, bytes(32), 100, b"signature"),
    ),
    TermsSignature(b"signature"),
    TagChunk(bytes(20)),
    BlindedQueries(bytes(64)),
    EvaluatedQueries(bytes(64)),
    Matches(3),
    MatchedTags(bytes(8)),
]
BY_TYPE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda m: type(m).__name__)


@pytest.mark.parametrize(
    ("example", "changed"),
    [
        (EXAMPLES[0], {"queries": -1}),
        (EXAMPLES[0], {"queries": MAX_ITEMS + 1}),
        (EXAMPLES[0], {"cached": bytes(31)}),
        (EXAMPLES[0], {"version": "v" * 257}),
        (EXAMPLES[0], {"context": bytes(1025)}),
        (EXAMPLES[1], {"tags": MAX_ITEMS + 1}),
        (EXAMPLES[1], {"tags": -1}),
        (EXAMPLES[1], {"tag_bytes": 7}),
        (EXAMPLES[1], {"tag_bytes": 17}),
        (EXAMPLES[1], {"tag_set": b""}),
        (EXAMPLES[1], {"key_id": bytes(17)}),
        (EXAMPLES[1], {"quota_left": -1}),
        (EXAMPLES[1], {"quota_left": 2**30 + 1}),
        (EXAMPLES[1], {"signature": bytes(129)}),
        (EXAMPLES[1], {"party": "p" * 257}),
        (EXAMPLES[6], {"count": -1}),
        (EXAMPLES[6], {"count": MAX_ITEMS + 1}),
    ],
)
def test_values_out_of_range_do_not_decode(example, changed):
    type_ = type(example)
    fields = {name: getattr(example, name) for name in type_.__struct_fields__} | changed
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode([type_.__name__, *fields.values()]), type_)


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
@settings(max_examples=100, deadline=None)
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
@settings(max_examples=50, deadline=None)
def test_cut_and_trailing_bytes_are_refused(example, data):
    encoded = encode(example)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(RemoteProtocolError):
            decode(wrong, type(example))


@pytest.mark.parametrize(
    ("type_", "most"),
    [
        (TagChunk, CHUNK_TAGS * MAX_TAG_BYTES),
        (BlindedQueries, CHUNK_QUERIES * 32),
        (EvaluatedQueries, CHUNK_QUERIES * 32),
        (MatchedTags, CHUNK_PLACES * 4),
    ],
)
def test_oversized_chunks_are_refused_before_decoding(type_, most):
    assert decode(encode(type_(bytes(most))), type_) == type_(bytes(most))
    assert len(encode(type_(bytes(most)))) <= (1 << 20) + 64
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode(encode(type_(bytes(most + 64))), type_)


@pytest.mark.parametrize("liar", ["bank", "retailer"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_flipped_on_the_wire_only_remote_errors_escape(liar, data):
    """One bit of one message: refused, or no more than a wrong match."""
    target = data.draw(st.sampled_from([type(example) for example in EXAMPLES]))
    bit = data.draw(st.integers(0, 1 << 16))

    def flip(message):
        encoded = bytearray(encode(message))
        encoded[bit // 8 % len(encoded)] ^= 1 << bit % 8
        return decode(bytes(encoded), target)

    alter = replacing(target, flip)
    try:
        results, _ = pair.run(BANK, RETAILER, suite=pair.INTL, liar=liar, alter=alter)
        places = results["bank"].places
        heard, _ = pair.tell(places, tags=5, queries=4, alter=alter if liar == "bank" else None)
    except RemoteProtocolError:
        return
    assert {BANK[i] for i in results["bank"].positions} <= {3, 4}
    assert results["bank"].statement == results["retailer"].statement
    assert len(set(heard)) == len(places)
