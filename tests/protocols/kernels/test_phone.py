"""The mobile-number kernel and its table against the telephone library's own pattern."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from protocols.errors import LocalProtocolError
from protocols.identifiers.normalise import PHONE_CHARACTERS
from protocols.identifiers.phone_ranges import digit_sequences, mobile_ranges
from protocols.kernels import phone, text
from tests.protocols.identifiers.columns import column

RANGES = mobile_ranges("CN")
PATTERN = re.compile(PhoneMetadata.metadata_for_region("CN").mobile.national_number_pattern)
CHARACTERS = np.array([chr(c) in PHONE_CHARACTERS for c in range(128)], dtype=np.uint8)


def recognised(values: list[str | None], ranges: np.ndarray = RANGES) -> list[bytes | int]:
    """Return the spelling of what the kernel takes for a mobile number, else its verdict."""
    given_column = column(values)
    out = np.full(14 * len(values) + phone.SCRATCH_BYTES, 0xEE, dtype=np.uint8)
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    verdicts = np.full(len(values), 99, dtype=np.uint8)
    phone.mobile_numbers(
        (given_column.data, given_column.offsets, given_column.valid),
        (1024, 32),
        CHARACTERS,
        (ranges, 10**11 // len(ranges)),
        (out, offsets, verdicts),
    )
    spelled = [out[a:b].tobytes() for a, b in itertools.pairwise(offsets.tolist())]
    assert all((v == text.USABLE) == bool(s) for v, s in zip(verdicts, spelled, strict=True))
    return [s or int(v) for s, v in zip(spelled, verdicts, strict=True)]


def test_the_table_must_say_what_the_librarys_pattern_says_of_every_beginning() -> None:
    digits = len(str(len(RANGES))) - 1
    assert len(RANGES) == 10**digits
    assert 3 <= digits <= 6
    rest = 11 - digits
    for tail in ("0" * rest, "9" * rest, "5173046"[:rest]):
        expected = [bool(PATTERN.fullmatch(f"{p:0{digits}}{tail}")) for p in range(10**digits)]
        assert RANGES.astype(bool).tolist() == expected
    assert 0.1 < RANGES[10 ** (digits - 1) : 2 * 10 ** (digits - 1)].mean() < 0.9


@given(st.integers(0, 10**11 - 1))
@settings(max_examples=500, deadline=None)
def test_eleven_digits_must_be_recognised_as_the_pattern_matches(number: int) -> None:
    value = f"{number:011}"
    matches = PATTERN.fullmatch(value) is not None
    assert recognised([value]) == [b"+86" + value.encode() if matches else text.UNDECIDED]


@pytest.mark.parametrize(
    "value",
    [
        "13800138000", "+8613800138000", "008613800138000", "8613800138000", " 138-0013-8000 ",
        "(+86) 138.0013.8000", "\t+86 13800138000\r\n", "0086(138)00138000", "-13800138000-",
    ],
)  # fmt: skip
def test_every_spelling_must_be_recognised(value: str) -> None:
    assert recognised([value]) == [b"+8613800138000"]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("+13800138000", text.UNDECIDED), ("++8613800138000", text.UNDECIDED),
        ("86+13800138000", text.UNDECIDED), ("+008613800138000", text.UNDECIDED),
        ("1008613800138000", text.UNDECIDED), ("108613800138000", text.UNDECIDED),
        ("018613800138000", text.UNDECIDED), ("8713800138000", text.UNDECIDED),
        ("1380013800", text.UNDECIDED), ("138001380001", text.UNDECIDED),
        ("12800138000", text.UNDECIDED), ("010-65529988", text.UNDECIDED),
        ("13800138000" + " " * 22, text.UNDECIDED), ("１3800138000", text.UNDECIDED),
        ("1380013800x", text.BAD_CHARACTERS), ("1380013\t8000", text.BAD_CHARACTERS),
        ("138001380/0", text.BAD_CHARACTERS), ("138001380:0", text.BAD_CHARACTERS),
        ("138001380\x000", text.BAD_CHARACTERS), ("x" * 1024, text.BAD_CHARACTERS),
        ("", text.EMPTY), (" \t", text.EMPTY), ("1" * 1025, text.TOO_LONG), (None, text.MISSING),
    ],
)  # fmt: skip
def test_what_is_no_plain_mobile_number_must_be_refused_or_left_open(value, verdict) -> None:
    between = ["13800138000", value, "+86 139 1234 5678"]
    assert recognised(between) == [b"+8613800138000", verdict, b"+8613912345678"]


def test_an_empty_table_must_recognise_nothing() -> None:
    values = ["13800138000", "+8613800138000", "99999999999"]
    assert recognised(values, np.zeros(1, dtype=np.uint8)) == [text.UNDECIDED] * 3


@given(st.lists(st.text("0123456789+ ()-.", max_size=18), max_size=8))
@settings(max_examples=300, deadline=None)
def test_the_kernel_must_recognise_what_the_expression_does(values: list[str]) -> None:
    whole = re.compile(rf"(?:\+86|0086|86)?({PATTERN.pattern})")
    for value, outcome in zip(values, recognised(list(values)), strict=True):
        found = whole.fullmatch(re.sub(r"[ ().-]", "", value))
        if found:
            assert outcome == b"+86" + found[1].encode()
        else:
            assert outcome == (text.UNDECIDED if value.strip() else text.EMPTY)


@pytest.mark.parametrize(
    ("pattern", "matching", "not_matching"),
    [
        (r"1(?:[35]\d|4[0-27])\d{2}", ["13000", "15999", "14299", "14700"], ["14300", "12000"]),
        (r"(?:1|2[3-5]){2}9", ["119", "1239", "2519", "24259"], ["129", "2219"]),
        (r"[0-9]\d", ["00", "99"], ["0"]),
    ],
)
def test_patterns_must_be_written_out_as_they_match(pattern, matching, not_matching) -> None:
    sequences = digit_sequences(pattern)
    assert sequences is not None

    def in_sequences(number: str) -> bool:
        return any(
            len(s) == len(number) and all(int(d) in a for d, a in zip(number, s, strict=True))
            for s in sequences
        )

    for number in [*matching, *not_matching]:
        assert in_sequences(number) is bool(re.fullmatch(pattern, number))
    for value in range(10_000):
        for number in (f"{value}", f"{value:04}"):
            assert in_sequences(number) is bool(re.fullmatch(pattern, number))


@pytest.mark.parametrize(
    "pattern", [r"1\d*", r"1?2", r"a1", r"(1|2)", r"1{2,3}", r"[^1]", r"(?:1", "1)"]
)
def test_a_pattern_that_needs_more_of_the_language_must_be_left_to_the_library(pattern) -> None:
    assert digit_sequences(pattern) is None


@pytest.mark.parametrize("region", ["US", "GB", "DE", "HK", "SG"])
def test_another_countrys_table_must_be_its_patterns_or_empty(region: str) -> None:
    ranges = mobile_ranges(region)
    assert ranges.max() <= 1
    assert len(ranges) == 1 or ranges.any()


def test_an_unknown_region_must_be_refused() -> None:
    with pytest.raises(LocalProtocolError, match="mobile numbers"):
        mobile_ranges("XX")
