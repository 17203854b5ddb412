"""The telephone library's table of a country's mobile numbers, as an array to look up.

The library states its ranges as a regular expression of fixed length: digits, sets of digits,
repetitions by a number, and alternatives. That much of the language is read here, exactly; a
release that needs more of it gives an empty table, so that every number goes to the library.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from phonenumbers import PhoneMetadata

from protocols.errors import LocalProtocolError

NATIONAL_DIGITS = 11
MAX_PREFIX_DIGITS = 6

_Sequence: TypeAlias = tuple[frozenset[int], ...]
"""What each digit of a number may be, one after the other."""

_ANY = frozenset(range(10))
_SYMBOL = re.compile(r"\\d|\[[-0-9]+\]|[0-9]|\(\?:|\)|\||\{[0-9]+\}")


def mobile_ranges(region: str) -> npt.NDArray[np.uint8]:
    """Return uint8 [10^k]: 1 at p if every eleven-digit number that begins with p is a mobile.

    k is the smallest number of digits that tells; a table [1] of 0 stands for ranges that cannot
    be told by their first ``MAX_PREFIX_DIGITS`` digits.
    """
    country = PhoneMetadata.metadata_for_region(region)
    mobile = None if country is None else country.mobile
    if mobile is None or mobile.national_number_pattern is None:
        raise LocalProtocolError("the telephone library does not know the region's mobile numbers")
    sequences = digit_sequences(mobile.national_number_pattern)
    unknown = np.zeros(1, dtype=np.uint8)
    if sequences is None or {len(sequence) for sequence in sequences} != {NATIONAL_DIGITS}:
        return unknown
    told_by = max(_told_by(sequence) for sequence in sequences)
    if told_by > MAX_PREFIX_DIGITS:
        return unknown
    table = np.zeros(10**told_by, dtype=np.uint8)
    for sequence in sequences:
        begins = np.ones(1, dtype=np.uint8)
        for digits in sequence[:told_by]:
            allowed = np.array([digit in digits for digit in range(10)], dtype=np.uint8)
            begins = np.multiply.outer(begins, allowed).reshape(-1)
        table |= begins
    return table


def digit_sequences(pattern: str) -> list[_Sequence] | None:
    """Return all alternatives of the pattern written out, or None if it uses anything else."""
    symbols = _SYMBOL.findall(pattern)
    if "".join(symbols) != pattern:
        return None
    symbols.append(")")
    try:
        alternatives = _alternatives(symbols)
    except (IndexError, ValueError):
        return None
    return alternatives if not symbols else None


def _told_by(sequence: _Sequence) -> int:
    """Return how many digits tell, the others being any."""
    return max((place + 1 for place, digits in enumerate(sequence) if digits != _ANY), default=0)


def _alternatives(symbols: list[str]) -> list[_Sequence]:
    """Read alternatives up to their closing bracket; ``symbols`` loses what was read."""
    found: list[_Sequence] = []
    so_far: list[_Sequence] = [()]
    while True:
        symbol = symbols.pop(0)
        if symbol in ("|", ")"):
            found += so_far
            so_far = [()]
            if symbol == ")":
                return found
            continue
        part = _alternatives(symbols) if symbol == "(?:" else [(_digits(symbol),)]
        times = int(symbols.pop(0)[1:-1]) if symbols[0].startswith("{") else 1
        for _ in range(times):
            so_far = [head + tail for head in so_far for tail in part]


def _digits(symbol: str) -> frozenset[int]:
    if symbol == r"\d":
        return _ANY
    if not symbol.startswith("["):
        return frozenset({int(symbol)})
    spans = re.findall(r"([0-9])(?:-([0-9]))?", symbol)
    if "".join(f"{low}-{high}" if high else low for low, high in spans) != symbol[1:-1]:
        raise ValueError("not a set of digits")
    return frozenset(d for low, high in spans for d in range(int(low), int(high or low) + 1))
