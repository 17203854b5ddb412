"""Columns of text from Python's strings, and mixed values to fill them with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from protocols.identifiers import IdentifierKind, TextColumn
from protocols.suite import get_suite

FULLWIDTH = str.maketrans("0123456789+-@.XAZaz", "０１２３４５６７８９＋－＠．ＸＡＺａｚ")
PUNCTUATION = ["", "", "", "", " ", "-", "(", ")", ".", " - ", "+", "　", "/", "x", "\t"]
PREFIXES = [
    *("", "+86", "0086", "86", "(+86)", "＋８６") * 3,
    *("+", "00", "0", "17951", "+852", "+1", "86 86"),
]
ODD = ["", " ", "\t", "é", "张三", "\x00", "\n", "\u200b", "İ", "x" * 300, "x" * 2000, "⑴", "\x7f"]
WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]  # as printed in GB 11643-1999


def column(values: Sequence[str | None]) -> TextColumn:
    octets = [b"" if value is None else value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, octets)], dtype=np.int64)
    valid = np.array([value is not None for value in values], dtype=bool)
    return TextColumn(np.frombuffer(b"".join(octets), np.uint8), offsets, valid)


@cache
def mixed(kind: IdentifierKind, count: int) -> list[str | None]:
    """Values of the kind, valid and not, with missing, empty, odd and overlong ones among them."""
    stream = get_suite("gm").stream(bytes(32), b"mixed " + kind.encode())
    rows = np.frombuffer(stream.bytes(40 * count), dtype=np.uint8).reshape(count, 40).tolist()
    return [_mixed_value(_MAKERS[kind], iter(row)) for row in rows]


def _mixed_value(make: Callable[[Iterator[int]], str], draw: Iterator[int]) -> str | None:
    shape, place = next(draw), next(draw)
    if shape < 8:
        return None
    if shape < 16:
        return ODD[place % len(ODD)]
    value = make(draw)
    if shape < 40:  # something odd in its midst, or at an end
        at = place % (len(value) + 1)
        value = value[:at] + ODD[next(draw) % len(ODD)] + value[at:]
    elif shape < 60:
        value = value.translate(FULLWIDTH)
    elif shape < 80:
        value = f" {value}\r\n" if place < 128 else f"　{value}"
    elif shape < 100:
        value = value.swapcase()
    elif shape < 108:
        value = value[: place % (len(value) + 1)]
    return value


def _phone(draw: Iterator[int]) -> str:
    form = next(draw)
    length = 11 if form < 230 else 9 + next(draw) % 5
    first = f"1{'3578'[next(draw) % 4]}" if form % 16 else f"{next(draw) % 100:02}"
    digits = first + "".join(str(next(draw) % 10) for _ in range(length - 2))
    prefix = PREFIXES[next(draw) % len(PREFIXES)] if form < 180 else ""
    if form % 4 == 0:
        digits = "".join(PUNCTUATION[next(draw) % len(PUNCTUATION)] + d for d in digits)
    elif form % 4 == 1:
        digits = f"{digits[:3]} {digits[3:7]}-{digits[7:]}"
    return prefix + digits


def _resident_id(draw: Iterator[int]) -> str:
    region = f"{next(draw) * 3 + 110000 if next(draw) < 240 else next(draw):06}"
    year = 1900 + next(draw) % 200 if next(draw) < 230 else 1700 + 2 * next(draw)
    month = next(draw) % 12 + 1 if next(draw) < 240 else next(draw) % 20
    day = next(draw) % 28 + 1 if next(draw) < 200 else next(draw) % 34
    head = f"{region}{year:04}{month:02}{day:02}{next(draw):03}"
    total = sum(w * int(d) for w, d in zip(WEIGHTS, head, strict=True))
    check = "10X98765432"[total % 11] if next(draw) < 220 else "0123456789X"[next(draw) % 11]
    return head + check


def _email(draw: Iterator[int]) -> str:
    characters = "abcXYZ019._-+'"
    local = "".join(characters[next(draw) % len(characters)] for _ in range(1 + next(draw) % 8))
    labels = [
        "".join("aB9-"[b % 4 if b > 20 else 0] for b in (next(draw), 30 + next(draw) % 3))
        for _ in range(1 + next(draw) % 3)
    ]
    if next(draw) < 12:
        local += '"(),:;<>@[\\] '[next(draw) % 13]
    return f"{local}@{'.'.join([*labels, 'com'])}"


def _opaque(draw: Iterator[int]) -> str:
    length = next(draw) % 18
    return "".join(chr(32 + next(draw) % 95) for _ in range(length))


_MAKERS: dict[IdentifierKind, Callable[[Iterator[int]], str]] = {
    "phone": _phone,
    "resident_id": _resident_id,
    "email": _email,
    "opaque": _opaque,
}
