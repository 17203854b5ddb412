"""Made phone numbers in the form of Chinese mobile numbers, and the ways people write them.

A made number is valid in form (``phonenumbers`` accepts it), so it may by chance be somebody's.
Nothing here dials or sends; the numbers only link the two sides of a sample.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from protocols.suite import RandomStream

PREFIXES = ("130", "136", "138", "139", "150", "155", "158", "159", "176", "186", "188", "189")
"""Three-digit mobile ranges, each valid with any eight digits after it."""

BANK_STYLES = ("{n}", "{n}", "{n}", "{n}", "{a} {b} {c}", "{a}-{b}-{c}")
RETAILER_STYLES = (
    "+86 {a} {b} {c}",
    "+86{n}",
    "+86-{a}-{b}-{c}",
    "0086{n}",
    "(+86) {a}{b}{c}",
    "{fullwidth}",
)
"""How each side's systems wrote the same numbers: normalisation has to make them equal."""

UNREADABLE_NUMBERS = ("not given", "12345", "")
"""What stands where a number should be."""

_DIGITS = 11
_SUFFIX = 10**8
_PLACES = "abcdefghijk"
_WIDE_PLACES = "ABCDEFGHIJK"
"""Stand for a number's digits in a style that is filled for many numbers at once."""
_WIDE_ZERO = "０".encode()
_FULLWIDTH = {ord(digit): ord("０") + int(digit) for digit in "0123456789"}
MADE_NUMBERS = len(PREFIXES) * _SUFFIX


def made_numbers(count: int, stream: RandomStream) -> list[str]:
    """Return ``count`` different numbers of eleven digits, without the country code."""
    numbers: dict[str, None] = {}
    while len(numbers) < count:
        prefix = PREFIXES[stream.below(len(PREFIXES))]
        numbers[f"{prefix}{stream.below(10**8):08d}"] = None
    return list(numbers)


def made_numbers_at(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the made number at each place of their list, which has :data:`MADE_NUMBERS`."""
    prefixes = np.array([int(prefix) for prefix in PREFIXES], dtype=np.int64)
    return prefixes[places // _SUFFIX] * _SUFFIX + places % _SUFFIX


def written(number: str, styles: tuple[str, ...], stream: RandomStream) -> str:
    """Return ``number`` (eleven digits) as one of ``styles`` writes it."""
    return _filled(styles[stream.below(len(styles))], number, number.translate(_FULLWIDTH))


def written_many(
    numbers: npt.NDArray[np.int64], styles: tuple[str, ...], chosen: npt.NDArray[np.int64]
) -> pa.Array:
    """Return each of ``numbers`` (eleven digits) as the style of ``chosen`` at its place writes it.

    The same texts as :func:`written` gives, without a Python call for each.
    """
    parts, order = [], []
    for index, style in enumerate(styles):
        (rows,) = np.nonzero(chosen == index)
        digits = (numbers[rows, None] // 10 ** np.arange(_DIGITS - 1, -1, -1) % 10).astype(np.uint8)
        cells = [_cell(place, digits) for place in _filled(style, _PLACES, _WIDE_PLACES)]
        text = np.ascontiguousarray(np.concatenate(cells, axis=1))  # row by row in memory
        offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(text.shape[1])
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
        parts.append(pa.Array.from_buffers(pa.string(), len(rows), buffers))
        order.append(rows)
    back = np.argsort(np.concatenate(order))
    return pa.concat_arrays(parts).take(pa.array(back))


def _filled(style: str, number: str, wide: str) -> str:
    return style.format(n=number, a=number[:3], b=number[3:7], c=number[7:], fullwidth=wide)


def _cell(place: str, digits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the bytes one character of a filled style has in every row."""
    if place in _PLACES:
        return digits[:, [_PLACES.index(place)]] + np.uint8(ord("0"))
    if place in _WIDE_PLACES:
        last = digits[:, [_WIDE_PLACES.index(place)]] + np.uint8(_WIDE_ZERO[-1])
        lead = np.frombuffer(_WIDE_ZERO[:-1], np.uint8)
        return np.concatenate([np.broadcast_to(lead, (len(digits), len(lead))), last], axis=1)
    literal = np.frombuffer(place.encode(), np.uint8)
    return np.broadcast_to(literal, (len(digits), len(literal)))
