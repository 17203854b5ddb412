"""From two parties' terms to one spec: the same at both, or an error that names what differs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import DecodeError, LocalProtocolError
from protocols.session import psi_spec as module
from protocols.session.psi_spec import (
    ECDH_ROWS,
    MAX_BUCKETS,
    MAX_ROWS,
    KeyTerms,
    PsiSpec,
    PsiTerms,
    agree_on_spec,
    decode_psi_spec,
    decode_psi_terms,
    encode_psi_terms,
    session_context,
    what_enforces_the_floor,
    who_learns,
)
from protocols.suite import canonical, get_suite
from tests.protocols.session.psi_terms import CREATED, PHONE, RUN, spec, terms

SUITE = get_suite("gm")
EMAIL = KeyTerms(kinds=("email",), match="all", rules="fedcrm-identifiers/1")
CACHED = {"cached": True}


def test_both_parties_derive_the_same_bytes() -> None:
    bank, shop = terms("receiver", minimum_cohort=10), terms("sender", minimum_cohort=70)
    # Each has its own terms as it made them, and the other's as they came over the wire.
    at_bank = agree_on_spec(RUN, CREATED, bank, decode_psi_terms(encode_psi_terms(shop)))
    at_shop = agree_on_spec(RUN, CREATED, decode_psi_terms(encode_psi_terms(bank)), shop)
    assert at_bank == at_shop
    assert at_bank.to_bytes() == at_shop.to_bytes()
    assert at_bank.digest(SUITE) == at_shop.digest(SUITE)
    assert decode_psi_spec(at_bank.to_bytes()) == at_bank


@pytest.mark.parametrize(("bank", "shop", "floor"), [(10, 70, 70), (70, 10, 70), (1, 1, 1)])
def test_the_stricter_floor_holds(bank: int, shop: int, floor: int) -> None:
    agreed = spec({"minimum_cohort": bank}, {"minimum_cohort": shop})
    assert agreed.floor == floor


@pytest.mark.parametrize(
    ("option", "ours", "theirs", "said"),
    [
        ("suite", "gm", "intl", ["--suite", "bank has gm", "shop has intl"]),
        ("reveal", "list", "size", ["--reveal", "bank has list", "shop has size"]),
        ("to", "both", "receiver", ["--to", "bank has both", "shop has receiver"]),
        ("purpose", "churn", "overlap", ["--purpose", "bank has churn", "shop has overlap"]),
        ("key", PHONE, EMAIL, ["--kind", "bank has all of phone by", "shop has all of email by"]),
        (
            "key",
            PHONE,
            msgspec.structs.replace(PHONE, match="first"),
            ["--match", "bank has all of phone", "shop has the first that matches of phone"],
        ),
        (
            "key",
            PHONE,
            msgspec.structs.replace(PHONE, rules="fedcrm-identifiers/2"),
            ["rules fedcrm-identifiers/1", "rules fedcrm-identifiers/2"],
        ),
        ("protocol", "ecdh", "vole", ["--protocol", "bank asks for ecdh", "shop for vole"]),
    ],
)
def test_every_option_that_differs_is_named_with_both_values(
    option: str, ours: Any, theirs: Any, said: list[str]
) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        spec({option: ours}, {option: theirs})
    assert all(words in str(caught.value) for words in said), str(caught.value)


@pytest.mark.parametrize(
    ("receiver", "sender", "said"),
    [
        ({"role": "sender"}, {}, "both sides are the sender: one must run `fedcrm psi receive`"),
        ({}, {"role": "receiver"}, "both sides are the receiver: one must run `fedcrm psi send`"),
        ({}, {"party_id": "bank"}, "both parties call themselves bank"),
        ({}, {"public_key": "aa" * 33}, "the same signature key"),
        ({}, {"values": True}, "--values: numbers are used with --reveal sum only"),
    ],
)
def test_two_parties_that_cannot_run_together_are_told_why(
    receiver: dict[str, Any], sender: dict[str, Any], said: str
) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        spec(receiver, sender)


@pytest.mark.parametrize(
    ("receiver", "sender", "both", "protocol", "why"),
    [
        ({"rows": ECDH_ROWS}, {}, {}, "ecdh", "up to 1,048,576 rows"),
        ({}, {"rows": ECDH_ROWS}, {}, "ecdh", "up to 1,048,576 rows"),
        ({"rows": ECDH_ROWS + 1}, {}, {}, "vole", "heuristic assumption"),
        ({}, {"rows": ECDH_ROWS + 1}, {}, "vole", "more than 1,048,576 rows"),
        ({"rows": 1000}, {"rows": 100_000}, CACHED, "oprf", "1,000 rows against 100,000"),
        ({"rows": 1000}, {"rows": 99_999}, CACHED, "ecdh", "takes seconds"),
        ({"rows": 0}, {"rows": 100}, CACHED, "oprf", "0 rows against 100"),
        ({"rows": 1 << 14}, {"rows": 1 << 23}, CACHED, "oprf", "with a cache on both sides"),
        ({"rows": (1 << 14) + 1}, {"rows": 1 << 23}, CACHED, "vole", "more than"),
        ({"rows": 1000}, {"rows": 100_000, "cached": True}, {}, "ecdh", "takes seconds"),
        ({"rows": 1000, "cached": True}, {"rows": 100_000}, {}, "ecdh", "takes seconds"),
        ({}, {"rows": ECDH_ROWS + 1}, {"reveal": "size"}, "ecdh", "only ecdh can tell the size"),
        ({}, {"values": True}, {"reveal": "sum"}, "sum", "ElGamal"),
        ({"protocol": "vole"}, {}, {}, "vole", "asked for"),
        ({}, {"protocol": "vole"}, {}, "vole", "asked for"),
        ({"rows": ECDH_ROWS + 1}, {"protocol": "ecdh"}, {}, "ecdh", "asked for"),
        ({}, {"protocol": "oprf"}, CACHED, "oprf", "asked for"),
        ({}, {"protocol": "ecdh"}, {"reveal": "size"}, "ecdh", "asked for"),
    ],
)
def test_the_protocol_follows_from_the_sizes_and_says_why(
    receiver: dict[str, Any], sender: dict[str, Any], both: dict[str, Any], protocol: str, why: str
) -> None:
    agreed = spec(receiver, sender, **both)
    assert agreed.protocol == protocol
    assert why in agreed.reason


def test_auto_takes_no_cache_where_the_first_of_several_keys_counts() -> None:
    first = msgspec.structs.replace(PHONE, kinds=("phone", "email"), match="first")
    assert spec({"rows": 10}, {"rows": 10_000}, cached=True, key=first).protocol == "ecdh"


@pytest.mark.parametrize(
    ("receiver", "sender", "both", "said"),
    [
        ({}, {"protocol": "vole"}, {"reveal": "size"}, "--reveal size needs ecdh"),
        ({}, {"protocol": "oprf"}, {"reveal": "size"}, "--reveal size needs ecdh"),
        ({"cached": True}, {"protocol": "oprf"}, {}, "both sides need --cache"),
        (
            {"protocol": "oprf"},
            {},
            {"cached": True, "key": msgspec.structs.replace(PHONE, match="first")},
            "on one key, or on all",
        ),
        ({}, {"protocol": "vole", "values": True}, {"reveal": "sum"}, "--reveal sum has one"),
        ({}, {}, {"reveal": "sum"}, "the sender, and only it, gives --values"),
        ({"values": True}, {"values": True}, {"reveal": "sum"}, "the sender, and only it"),
        ({}, {"rows": (1 << 24) + 1}, {"reveal": "size"}, "more than ecdh takes, 16,777,216"),
        ({"rows": (1 << 24) + 1}, {"protocol": "ecdh"}, {}, "--protocol vole"),
    ],
)
def test_a_protocol_that_cannot_do_what_is_asked_is_refused(
    receiver: dict[str, Any], sender: dict[str, Any], both: dict[str, Any], said: str
) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        spec(receiver, sender, **both)


@pytest.mark.parametrize(
    ("rows", "cores", "buckets"),
    [
        (1 << 18, 2, 1),
        ((1 << 18) + 1, 1, 1),
        ((1 << 18) + 1, 2, 2),
        ((1 << 18) + 1, 3, 4),
        (1 << 20, 2, 2),
        (1 << 20, 1, 1),
        ((1 << 20) + 1, 1, 2),
        (10_000_000, 2, 16),
        (100_000_000, 2, 128),
        (MAX_ROWS, 1, MAX_BUCKETS),
        (MAX_ROWS, MAX_BUCKETS, MAX_BUCKETS),
    ],
)
def test_both_sets_are_split_alike(rows: int, cores: int, buckets: int) -> None:
    agreed = spec({"rows": rows, "cores": cores}, {"cores": 64 if cores < 64 else cores},
                  protocol="vole")  # fmt: skip
    assert agreed.buckets == buckets
    other_way = spec({"cores": cores}, {"rows": rows, "cores": cores}, protocol="vole")
    assert other_way.buckets == buckets


def test_only_vole_is_split() -> None:
    assert spec(rows=1 << 20, protocol="ecdh").buckets == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": -1},
        {"rows": MAX_ROWS + 1},
        {"cores": 0},
        {"cores": MAX_BUCKETS + 1},
        {"minimum_cohort": 0},
        {"minimum_cohort": MAX_ROWS + 1},
        {"party_id": "138 0013 8000"},
        {"party_id": "../../etc"},
        {"legal_basis": "because of the law"},
        {"public_key": "AA"},
        {"public_key": "a" * 514},
        {"certificate_digest": "no"},
    ],
)
def test_terms_out_of_range_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        terms("receiver", **changes)


def test_a_key_has_one_to_eight_columns() -> None:
    for count in (0, 9):
        with pytest.raises(ValueError, match="1 to 8 columns"):
            KeyTerms(kinds=("phone",) * count, match="all", rules="r1")
    assert len(KeyTerms(kinds=("phone",) * 8, match="all", rules="r1").kinds) == 8


def test_who_learns_what_is_said_for_every_spec() -> None:
    sizes = "bank and shop: how many rows the other brings"
    exact = "bank and shop: how many customers are shared, below the floor too"
    whose = "which of its own customers the other has too"
    assert who_learns(spec()) == [sizes, f"bank and shop: {whose}", exact]
    assert who_learns(spec(to="receiver")) == [sizes, f"bank: {whose}", exact]
    one_sided = who_learns(spec(rows=1 << 20, protocol="vole", to="receiver"))
    assert one_sided == [sizes, f"bank: {whose}", "shop: whether the floor was reached"]
    assert "rounded down to 50" in who_learns(spec(reveal="size"))[-1]
    assert who_learns(spec(reveal="size", to="receiver"))[-1] == one_sided[-1]
    summed = who_learns(spec({}, {"values": True}, reveal="sum", to="receiver"))
    assert "bank: how many customers are shared and the sum of shop's numbers" in summed[1]
    assert summed[-1] == "shop: how many customers are shared"


@pytest.mark.parametrize(
    ("both", "said"),
    [
        ({}, "both parties sign the size first"),
        ({"protocol": "vole"}, "bank's own software alone: shop relies on it"),
        ({"protocol": "oprf", "cached": True}, "shop answers a limited number of queries"),
        ({"reveal": "size"}, "each party's own software; both sign the size"),
        ({"reveal": "size", "to": "receiver"}, "bank's own software alone"),
    ],
)
def test_the_review_says_who_keeps_the_floor(both: dict[str, Any], said: str) -> None:
    assert said in what_enforces_the_floor(spec(**both))


def test_parts_of_attempts_have_contexts_of_their_own() -> None:
    agreed = spec()
    contexts = {
        session_context(agreed, SUITE, attempt=attempt, part=part)
        for attempt in (1, 2, 258)
        for part in ("ecdh/0", "vole/0", "vole/1")
    }
    assert len(contexts) == 9
    assert session_context(spec(rows=999), SUITE, attempt=1, part="ecdh/0") not in contexts


def json_of(agreed: PsiSpec) -> dict[str, Any]:
    return canonical.decode(agreed.to_bytes())  # type: ignore[return-value]


def test_a_spec_that_does_not_follow_from_its_terms_is_refused() -> None:
    for field, value in (
        ("floor", 1),
        ("buckets", 4),
        ("protocol", "vole"),
        ("reason", "trust me"),
        ("run_id", "no spaces allowed"),
        ("created_at", "yesterday"),
        ("version", "fedcrm-psi/2"),
    ):
        forged = json_of(spec()) | {field: value}
        with pytest.raises(DecodeError):
            decode_psi_spec(canonical.encode(forged))
    assert decode_psi_spec(canonical.encode(json_of(spec()))) == spec()


def test_one_text_one_spec() -> None:
    data = spec().to_bytes()
    for other in (
        data + b" ",
        b" " + data,
        data.replace(b'"floor":50', b'"floor": 50'),
        data.replace(b'"floor":50', b'"floor":50.0'),
        data.replace(b'"floor":50', b'"floor":50,"floor":50'),
        data.replace(b'"floor":50', b'"floor":true'),
        data.replace(b'"cached":false', b'"cached":0'),
        data.replace(b'"buckets":1,', b""),
        data.replace(b'"buckets":1,', b'"buckets":1,"extra":1,'),
        data.replace(b'"bank"', b'"b\\u0061nk"'),
        data[:-1],
        b"",
        b"null",
        b"[]",
        b"{" * 100_000,
    ):
        assert other != data
        with pytest.raises(DecodeError):
            decode_psi_spec(other)


@given(st.binary(max_size=200))
def test_no_bytes_but_a_specs_decode(data: bytes) -> None:
    for decode in (decode_psi_spec, decode_psi_terms):
        with pytest.raises(DecodeError):
            decode(data)


@given(st.data())
def test_changed_bytes_are_refused_or_mean_what_they_say(data: st.DataObject) -> None:
    good = bytearray(spec().to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        encoded = decode_psi_spec(bytes(good)).to_bytes()
    except DecodeError:
        return
    assert encoded == bytes(good)


names = st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True)


@given(
    st.builds(
        terms,
        side=st.just("receiver"),
        party_id=names,
        rows=st.integers(0, MAX_ROWS),
        cores=st.integers(1, MAX_BUCKETS),
        minimum_cohort=st.integers(1, MAX_ROWS),
        cached=st.booleans(),
        protocol=st.sampled_from(["auto", "ecdh", "vole", "oprf"]),
    )
)
def test_terms_come_back_from_their_bytes(bank: PsiTerms) -> None:
    assert decode_psi_terms(encode_psi_terms(bank)) == bank


def test_an_error_about_hostile_bytes_is_short() -> None:
    hostile = canonical.encode({"party_id": "x" * 10_000, "role": "receiver"})
    with pytest.raises(DecodeError) as caught:
        decode_psi_terms(hostile)
    assert len(str(caught.value)) < 400
    assert module.MAX_KEYS == 8
