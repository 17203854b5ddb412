"""One spelling for one identifier, and a code instead of a value for what has none."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.identifiers import IdentifierKind, Reason, Unusable, normalise

KINDS: list[IdentifierKind] = ["phone", "resident_id", "email", "opaque"]
WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]  # as printed in GB 11643-1999


def resident_id(first_17: str) -> str:
    total = sum(w * int(d) for w, d in zip(WEIGHTS, first_17, strict=True))
    return first_17 + "10X98765432"[total % 11]


def reason(kind: IdentifierKind, value: str) -> Reason:
    with pytest.raises(Unusable) as refused:
        normalise(kind, value)
    return refused.value.reason


def normalise_or_none(kind: IdentifierKind, value: str) -> bytes | None:
    try:
        return normalise(kind, value)
    except Unusable:
        return None


@pytest.mark.parametrize(
    "value",
    [
        "13800138000",
        "+86 138 0013 8000",
        "0086 138-0013-8000",
        "86 138 0013 8000",
        "(+86) 138.0013.8000",
        "\t13800138000\n",
        "１３８００１３８０００",
        "＋８６　１３８００１３８０００",
    ],
)
def test_spellings_of_a_phone_are_one(value):
    assert normalise("phone", value) == b"+8613800138000"


@pytest.mark.parametrize(
    ("value", "region", "expected"),
    [
        ("010-6552 9988", "CN", b"+861065529988"),
        ("+852 2345 6789", "CN", b"+85223456789"),
        ("2345 6789", "HK", b"+85223456789"),
        ("(415) 555-2671", "US", b"+14155552671"),
        ("+39 06 698 12345", "CN", b"+390669812345"),
    ],
)
def test_phones_with_a_region(value, region, expected):
    assert normalise("phone", value, region=region) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", Reason.EMPTY),
        ("  \t", Reason.EMPTY),
        ("110", Reason.MALFORMED),
        ("+", Reason.MALFORMED),
        ("13800138000 13900139000", Reason.MALFORMED),
        ("+999 13800138000", Reason.MALFORMED),
        ("6552 9988", Reason.UNASSIGNED_NUMBER),  # Beijing, or any other city
        ("12800138000", Reason.UNASSIGNED_NUMBER),
        ("13800138000 ext. 5", Reason.BAD_CHARACTERS),
        ("13800138000x5", Reason.BAD_CHARACTERS),
        ("1-800-FLOWERS", Reason.BAD_CHARACTERS),
        ("١٣٨٠٠١٣٨٠٠٠", Reason.BAD_CHARACTERS),
        ("1380013\u200b8000", Reason.BAD_CHARACTERS),
        ("1" * 1025, Reason.TOO_LONG),
    ],
)
def test_unusable_phones(value, expected):
    assert reason("phone", value) is expected


@pytest.mark.parametrize(
    "value", ["11010519491231002X", "11010519491231002x", "　１１０１０５１９４９１２３１００２Ｘ "]
)
def test_the_standards_resident_id(value):
    assert normalise("resident_id", value) == b"11010519491231002X"


@pytest.mark.parametrize("digit", "0123456789X")
def test_every_check_character_is_reached_and_no_other_passes(digit):
    value = next(
        candidate
        for serial in range(1000)
        if (candidate := resident_id(f"11010519900307{serial:03}"))[17] == digit
    )
    assert normalise("resident_id", value) == value.encode()
    for other in set("0123456789X") - {digit}:
        assert reason("resident_id", value[:17] + other) is Reason.BAD_CHECKSUM


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", Reason.EMPTY),
        ("110105491231002", Reason.MALFORMED),  # 15 digits
        ("11010519491231002", Reason.MALFORMED),
        ("11010519491231002XX", Reason.MALFORMED),
        ("1101051949123100 2X", Reason.MALFORMED),
        ("X1010519491231002X", Reason.MALFORMED),
        ("11010519491231002Y", Reason.MALFORMED),
        ("110105194912310۰2X", Reason.MALFORMED),
        (resident_id("01010519491231002"), Reason.MALFORMED),
        (resident_id("11010519490229002"), Reason.BAD_BIRTH_DATE),
        (resident_id("11010519491301002"), Reason.BAD_BIRTH_DATE),
        (resident_id("11010500001231002"), Reason.BAD_BIRTH_DATE),
        (resident_id("11010518991231002"), Reason.BAD_BIRTH_DATE),
        (resident_id("11010521000101002"), Reason.BAD_BIRTH_DATE),
        ("110105194912310020", Reason.BAD_CHECKSUM),
    ],
)
def test_unusable_resident_ids(value, expected):
    assert reason("resident_id", value) is expected


def test_a_leap_day_is_a_birth_date():
    value = resident_id("11010520000229002")
    assert normalise("resident_id", value) == value.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" Zhang.San@Example.COM ", "zhang.san@example.com"),
        ("ＺＳ＠example．com", "zs@example.com"),
        ("a+tag@x.co", "a+tag@x.co"),
        ("a.b.@sub-1.example.cn", "a.b.@sub-1.example.cn"),
        ("张三@example.com", "张三@example.com"),
        ("a@xn--fiqs8s.cn", "a@xn--fiqs8s.cn"),
        ("İ@x.co", "i\u0307@x.co"),
        ("J\u030c@x.co", "\u01f0@x.co"),  # only the small letter has a composed form
    ],
)
def test_spellings_of_an_email(value, expected):
    assert normalise("email", value).decode() == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", Reason.EMPTY),
        ("zhang", Reason.MALFORMED),
        ("@example.com", Reason.MALFORMED),
        ("zhang@", Reason.MALFORMED),
        ("zhang@localhost", Reason.MALFORMED),
        ("zhang@example..com", Reason.MALFORMED),
        ("zhang@.com", Reason.MALFORMED),
        ("zhang@example.com.", Reason.MALFORMED),
        ("zhang@-example.com", Reason.MALFORMED),
        ("zhang@example-.com", Reason.MALFORMED),
        ("z" * 65 + "@example.com", Reason.MALFORMED),
        ("z@" + "a" * 64 + ".com", Reason.MALFORMED),
        ("zhang@exa mple.com", Reason.BAD_CHARACTERS),
        ("zhang san@example.com", Reason.BAD_CHARACTERS),
        ("zhang@san@example.com", Reason.BAD_CHARACTERS),
        ('"zhang"@example.com', Reason.BAD_CHARACTERS),
        ("<zhang@example.com>", Reason.BAD_CHARACTERS),
        ("zhang@例子.cn", Reason.BAD_CHARACTERS),
        ("zhang@[192.0.2.1]", Reason.BAD_CHARACTERS),
        ("zh\x00ang@example.com", Reason.BAD_CHARACTERS),
        ("z@" + "a." * 150 + "com", Reason.TOO_LONG),
    ],
)
def test_unusable_emails(value, expected):
    assert reason("email", value) is expected


def test_opaque_keeps_case_and_inner_spaces():
    assert normalise("opaque", "　Ｎo. 42 b　") == b"No. 42 b"
    assert normalise("opaque", "A") != normalise("opaque", "a")
    assert normalise("opaque", "é") == normalise("opaque", "e\u0301")
    assert normalise("opaque", "x" * 256) == b"x" * 256


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" ", Reason.EMPTY),
        ("x" * 257, Reason.TOO_LONG),
        ("é" * 129, Reason.TOO_LONG),
        ("\ufdfa" * 1000, Reason.TOO_LONG),
        ("a\nb", Reason.BAD_CHARACTERS),
        ("a\u2028b", Reason.BAD_CHARACTERS),
        ("\ufeffa", Reason.BAD_CHARACTERS),
        ("a\ue000", Reason.BAD_CHARACTERS),
        ("a\u0378", Reason.BAD_CHARACTERS),  # unassigned in Unicode 14
        ("a\ud800", Reason.BAD_CHARACTERS),
    ],
)
def test_unusable_opaque_values(value, expected):
    assert reason("opaque", value) is expected


@given(st.sampled_from(KINDS), st.text(st.characters(), max_size=40))
@example("email", "J\u030c@X.co")
@example("opaque", "\u00a8a")
@settings(max_examples=300, deadline=None)
def test_normalising_twice_changes_nothing(kind, value):
    once = normalise_or_none(kind, value)
    if once is not None:
        assert normalise(kind, once.decode()) == once


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=3, max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_refusal_repeats_the_value(value):
    for kind in KINDS:
        if normalise_or_none(kind, value) is None:
            with pytest.raises(Unusable) as refused:
                normalise(kind, value)
            assert refused.value.args == (refused.value.reason.value,)
            assert isinstance(refused.value.reason, Reason)
            assert refused.value.__cause__ is None


@pytest.mark.parametrize("region", ["", "cn", "China", "XX"])
def test_an_unknown_region_is_the_callers_mistake(region):
    with pytest.raises(LocalProtocolError, match="region"):
        normalise("phone", "13800138000", region=region)


def test_an_unknown_kind_is_the_callers_mistake():
    with pytest.raises(LocalProtocolError, match="phone, resident_id, email, opaque"):
        normalise("passport", "E12345678")
