"""Many values at once must come out as one by one, above all where a quick path is taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.identifiers import (
    IdentifierKind,
    Reason,
    Unusable,
    normalise,
    normalise_many,
    protocol_input,
    protocol_inputs,
)
from protocols.identifiers.normalise import _plain_mobile
from protocols.suite import get_suite

SUITE = get_suite("gm")
PUNCTUATION = ["", "", "", "", " ", "-", "(", ")", ".", " - ", "+", "　", "/", "x", "\t"]
PREFIXES = [
    *("", "+86", "0086", "86", "(+86)", "＋８６") * 3,
    *("+", "00", "0", "17951", "+852", "+1", "86 86"),
]
FULLWIDTH = str.maketrans("0123456789+-", "０１２３４５６７８９＋－")


def one_by_one(kind: IdentifierKind, value: str) -> bytes | Reason:
    try:
        return normalise(kind, value)
    except Unusable as unusable:
        return unusable.reason


def together(kind: IdentifierKind, values: list[str]) -> list[bytes | Reason]:
    spellings, reasons = normalise_many(kind, values)
    assert all((s is None) != (r is None) for s, r in zip(spellings, reasons, strict=True))
    return [s if s is not None else r for s, r in zip(spellings, reasons, strict=True) if s or r]


def mixed_phones(count: int) -> list[str]:
    """Numbers of 9 to 13 digits, mostly like mobiles, with prefixes and punctuation strewn in."""
    stream = SUITE.stream(bytes(32), b"mixed phones")
    drawn = np.frombuffer(stream.bytes(32 * count), dtype=np.uint8).reshape(count, 32).tolist()
    phones = []
    for byte in drawn:
        length = 11 if byte[0] < 230 else 9 + byte[1] % 5
        first = f"1{'3578'[byte[2] % 4]}" if byte[2] < 240 else f"{byte[2] % 100:02}"
        digits = first + "".join(str(b % 10) for b in byte[3 : 1 + length])
        prefix = PREFIXES[byte[16] % len(PREFIXES)]
        if byte[17] < 60:  # punctuation between any two digits
            marks = [PUNCTUATION[b % len(PUNCTUATION)] for b in byte[18:32]]
            digits = "".join(m + d for m, d in zip(marks, digits, strict=False)) + marks[-1]
        elif byte[17] < 120:
            digits = f"{digits[:3]} {digits[3:7]}-{digits[7:]}"
        phone = prefix + (" " if byte[18] < 60 else "") + digits
        phones.append(phone.translate(FULLWIDTH) if byte[19] < 40 else phone)
    return phones


def test_mixed_phones_must_be_spelled_as_one_by_one() -> None:
    phones = mixed_phones(20_000)
    expected = [one_by_one("phone", phone) for phone in phones]
    assert together("phone", phones) == expected
    usable = sum(isinstance(e, bytes) for e in expected)
    quick = sum(_plain_mobile(phone) is not None for phone in phones)
    assert 6_000 < quick <= usable < 18_000


@pytest.mark.parametrize("tail", ["000000", "123456", "999999"])
def test_every_range_of_mobile_numbers_must_be_the_librarys(tail: str) -> None:
    numbers = [f"{head}{tail}" for head in range(10_000, 20_000)]
    expected = [one_by_one("phone", number) for number in numbers]
    assert together("phone", numbers) == expected
    quick = [_plain_mobile(number) for number in numbers]
    assert quick == [e if isinstance(e, bytes) else None for e in expected]


@given(st.text(alphabet="0123456789+ ()-.１２３＋　\t x⑴", max_size=40))
@example("138" + " " * 22 + "00138000")
@example("138" + " " * 300 + "00138000")
@example("1" + "⑴" * 10)
@settings(max_examples=500, deadline=None)
def test_any_text_must_be_spelled_as_one_by_one(value: str) -> None:
    for kind in ("phone", "opaque"):
        assert together(kind, [value]) == [one_by_one(kind, value)]


def test_every_kind_must_keep_order_and_missing_values() -> None:
    values = [None, "13800138000", "", "a@example.com", "11010519491231002x", None, "x" * 2000]
    for kind in ("phone", "resident_id", "email", "opaque"):
        spellings, reasons = normalise_many(kind, values)
        assert (spellings[0], reasons[0], spellings[5], reasons[5]) == (None, None, None, None)
        for at in (1, 2, 3, 4, 6):
            value = values[at]
            assert value is not None
            assert (spellings[at] or reasons[at]) == one_by_one(kind, value)


def test_another_region_must_not_be_taken_for_the_default_one() -> None:
    spellings, reasons = normalise_many("phone", ["13800138000", "2345 6789"], region="HK")
    assert (spellings, reasons) == ([None, b"+85223456789"], [Reason.UNASSIGNED_NUMBER, None])


def test_many_protocol_inputs_must_be_those_of_each() -> None:
    identifiers = [b"+8613800138000", b"", b"x" * 256]
    for kind in ("phone", "opaque"):
        assert protocol_inputs(SUITE, kind, identifiers) == [
            protocol_input(SUITE, kind, identifier) for identifier in identifiers
        ]
