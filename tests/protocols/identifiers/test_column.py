"""Whole columns must come out as value by value, whatever the values are."""

from __future__ import annotations

import itertools
import re
import unicodedata

import numpy as np
import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.identifiers import (
    REASON_WORDS,
    RULES_VERSION,
    IdentifierKind,
    NormalisedColumn,
    TextColumn,
    Unusable,
    composite_input_column,
    normalise,
    normalise_column,
    protocol_input_column,
    protocol_inputs,
)
from protocols.suite import get_suite
from tests.protocols.identifiers.columns import column, mixed

KINDS: list[IdentifierKind] = ["phone", "resident_id", "email", "opaque"]
SUITES = [get_suite("gm"), get_suite("intl")]


def outcomes(kind: IdentifierKind, values: TextColumn, region: str = "CN") -> list[bytes | str]:
    result = normalise_column(kind, values, region=region)
    assert result.offsets[0] >= 0
    data, bounds = result.data.tobytes(), result.offsets.tolist()
    texts = [data[a:b] for a, b in itertools.pairwise(bounds)]
    words = [REASON_WORDS[code] for code in result.reasons]
    assert all(not word or not text for word, text in zip(words, texts, strict=True))
    return [word or text for word, text in zip(words, texts, strict=True)]


def expected(kind: IdentifierKind, value: str | None, region: str = "CN") -> bytes | str:
    if value is None:
        return "missing_identifier"
    try:
        return normalise(kind, value, region=region)
    except Unusable as unusable:
        return unusable.reason.value


@pytest.mark.parametrize("kind", [pytest.param("phone", marks=pytest.mark.slow), *KINDS[1:]])
def test_a_hundred_thousand_mixed_values_must_be_spelled_one_by_one(kind: IdentifierKind) -> None:
    values = mixed(kind, 100_000)
    found = outcomes(kind, column(values))
    assert found == [expected(kind, value) for value in values]
    usable = sum(isinstance(outcome, bytes) for outcome in found)
    assert 20_000 < usable < 90_000
    assert len({outcome for outcome in found if isinstance(outcome, str)}) >= 4


def by_the_library(value: str | None) -> bytes | str:
    """The rule for phones, written again from SPEC.md section 3."""
    if value is None:
        return "missing_identifier"
    if len(value) > 1024:
        return "too_long"
    text = unicodedata.normalize("NFKC", value).strip()
    if not text:
        return "empty"
    if not re.fullmatch(r"[0-9+ ().-]*", text):
        return "bad_characters"
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        return "malformed"
    if not phonenumbers.is_possible_number(number):
        return "malformed"
    if not phonenumbers.is_valid_number(number):
        return "unassigned_number"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).encode()


def test_a_hundred_thousand_phones_must_be_what_the_library_makes_of_them() -> None:
    phones = mixed("phone", 100_000)
    found = outcomes("phone", column(phones))
    assert found == [by_the_library(phone) for phone in phones]
    assert sum(isinstance(outcome, bytes) for outcome in found) > 20_000


@pytest.mark.parametrize("prefix", ["", "+86", "0086", "86", "(+86) "])
def test_every_beginning_of_a_number_must_be_the_librarys(prefix: str) -> None:
    numbers = [f"{prefix}{head}7305195" for head in range(1000, 10_000)]
    assert outcomes("phone", column(numbers)) == [expected("phone", n) for n in numbers]


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("0123456789+ ()-.x１２＋　\t\x1f\x85", max_size=24),
    st.text("aZ@.-_ \"'x1é\x7f\n", max_size=24),
    st.from_regex(r"\A\s?[1-9][0-9]{5}(18|19|20|21)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9xXＸ]\s?\Z"),
    st.from_regex(r"\A\s?(\+86|0086|86)?[- ]?1[3-9]([0-9][- ().]?){9}\s?\Z"),
)


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=12))
@example(["138" + " " * 22 + "00138000", "138" + " " * 300 + "00138000", "1" + "⑴" * 10])
@example(["13800138000" + " " * 1013, "13800138000" + " " * 1014, " " * 1024, " " * 1025])
@example(["x" * 256, "x" * 257, "é" * 128, "é" * 129, "x" * 1025, "\ufdfa" * 1000])
@example(["+13800138000", "++8613800138000", "86 86 138 0013 80", "+0086 13800138000"])
@example(["a@b.co\x00", "A@" + "b" * 63 + ".co", "A@" + "b" * 64 + ".co", "a" * 65 + "@b.co"])
@example(["@", "a@", "a@b", "a@b.", "a@.b", "a@-b.c", "a@b-.c", "a@@b.c", "İ@x.co", "J\u030c@X.co"])
@settings(max_examples=300, deadline=None)
def test_any_text_must_be_spelled_one_by_one(values: list[str | None]) -> None:
    for kind in KINDS:
        assert outcomes(kind, column(values)) == [expected(kind, value) for value in values]


def test_another_region_must_not_be_taken_for_the_default_one() -> None:
    values = ["13800138000", "2345 6789", "+86 138 0013 8000", None]
    found = outcomes("phone", column(values), region="HK")
    assert found == ["unassigned_number", b"+85223456789", b"+8613800138000", "missing_identifier"]


def test_a_column_within_larger_buffers_must_be_read_at_its_place() -> None:
    data = np.frombuffer(b"\xff junk13800138000 a@b.co\xff", np.uint8)
    values = TextColumn(data, np.array([6, 17, 24]), np.ones(2, dtype=bool))
    assert outcomes("phone", values) == [b"+8613800138000", "bad_characters"]
    assert outcomes("opaque", values) == [b"13800138000", b"a@b.co"]
    without_space = TextColumn(data, np.array([6, 17]), np.ones(1, dtype=bool))
    assert outcomes("opaque", without_space) == [b"13800138000"]


def test_a_missing_value_must_stay_missing_whatever_lies_under_it() -> None:
    values = column(["13800138000", "13800138000", "11010519491231002X", "a@b.co"])
    masked = TextColumn(values.data, values.offsets, np.zeros(4, dtype=bool))
    for kind in KINDS:
        assert outcomes(kind, masked) == ["missing_identifier"] * 4


@pytest.mark.parametrize(
    ("data", "offsets", "valid"),
    [
        (np.zeros(4, np.uint8), np.array([0, 5]), np.ones(1, bool)),
        (np.zeros(4, np.uint8), np.array([-1, 4]), np.ones(1, bool)),
        (np.zeros(4, np.uint8), np.array([0, 3, 2, 4]), np.ones(3, bool)),
        (np.zeros(4, np.uint8), np.array([0, 4]), np.ones(2, bool)),
        (np.zeros(4, np.uint8), np.array([0, 4], np.int32), np.ones(1, bool)),
        (np.zeros(4, np.int8), np.array([0, 4]), np.ones(1, bool)),
        (np.zeros(4, np.uint8), np.array([], np.int64), np.ones(0, bool)),
    ],
)
def test_buffers_that_do_not_fit_must_be_refused(data, offsets, valid) -> None:
    with pytest.raises(LocalProtocolError, match="column"):
        TextColumn(data, offsets, valid)


def test_the_callers_mistakes_must_be_named() -> None:
    values = column(["1"])
    with pytest.raises(LocalProtocolError, match="phone, resident_id, email, opaque"):
        normalise_column("passport", values)
    with pytest.raises(LocalProtocolError, match="region"):
        normalise_column("phone", values, region="cn")
    latin = TextColumn(np.frombuffer(b"\xe9", np.uint8), np.array([0, 1]), np.ones(1, bool))
    for kind in KINDS:
        with pytest.raises(LocalProtocolError, match="UTF-8"):
            normalise_column(kind, latin)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("kind", KINDS)
def test_protocol_inputs_of_a_column_must_be_those_of_its_values(kind, suite) -> None:
    values = mixed(kind, 2000)
    normalised = normalise_column(kind, column(values))
    items = protocol_input_column(suite, kind, normalised)
    spellings = [e for value in values if isinstance(e := expected(kind, value), bytes)]
    assert items.shape == (len(spellings), 32)
    assert items.dtype == np.uint8
    assert [item.tobytes() for item in items] == protocol_inputs(suite, kind, spellings)


def test_protocol_inputs_of_an_empty_column_must_be_none() -> None:
    for values in ([], [None, ""]):
        normalised: NormalisedColumn = normalise_column("opaque", column(values))
        assert protocol_input_column(SUITES[0], "opaque", normalised).shape == (0, 32)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_composite_inputs_must_be_the_hash_of_their_framed_parts(suite) -> None:
    parts = [
        protocol_input_column(suite, kind, normalise_column(kind, column([f"{k}1", f"{k}2"])))
        for k, kind in enumerate(["opaque", "opaque", "opaque"])
    ]
    fields = [b"fedcrm/composite-input", RULES_VERSION.encode()]
    for width in (1, 2, 3):
        for row in range(2):
            framed = b"".join(
                len(field).to_bytes(4, "big") + field
                for field in [*fields, *(part[row].tobytes() for part in parts[:width])]
            )
            composite = composite_input_column(suite, parts[:width])
            assert composite[row].tobytes() == suite.hash(framed)
    swapped = composite_input_column(suite, [parts[1], parts[0]])
    assert not (swapped == composite_input_column(suite, parts[:2])).any(axis=1).any()


def test_composite_parts_of_unequal_length_must_be_refused() -> None:
    with pytest.raises(LocalProtocolError, match="one protocol input per row"):
        composite_input_column(
            SUITES[0], [np.zeros((2, 32), np.uint8), np.zeros((1, 32), np.uint8)]
        )
