"""Sorting rows of bytes, and finding equal ones, a million at a time.

NumPy sorts 64-bit integers with vector instructions; rows are sorted by their first eight bytes
as such an integer, and whatever ties are left are settled exactly by the other bytes. So an
adversary who picks rows that share those eight bytes makes it slower, never wrong.
"""

from __future__ import annotations

from math import isqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[np.uint8]
"""Shape (n, width), contiguous, width at least 8."""
Indices: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]

WORD_BYTES = 8


def sort_rows(rows: Rows) -> tuple[Indices, Indices]:
    """Return the order that sorts ``rows`` as byte strings, and where in it rows repeat.

    The second array holds every place p with ``rows[order[p]] == rows[order[p + 1]]``, ascending;
    it is empty if and only if all rows are distinct. In which order equal rows come is not said.
    """
    if rows.shape[1] < WORD_BYTES:
        raise ValueError(f"rows must be at least {WORD_BYTES} bytes wide")
    first = leading_words(rows)
    order = np.argsort(first)
    first = first[order]
    places = np.flatnonzero(first[1:] == first[:-1])
    equal = _equal(rows, order, places)
    if not equal.all():
        tied = np.zeros(len(rows), dtype=np.bool_)
        tied[places] = tied[places + 1] = True
        among = order[tied]
        # lexsort's last key is its first; the leading words keep each tie where it was.
        order[tied] = among[np.lexsort(all_words(rows[among]).T[::-1])]
        equal = _equal(rows, order, places)
    return order, places[equal]


def leading_words(rows: Rows) -> Words:
    """Return the first eight bytes of each row as a big-endian integer; shape (n,)."""
    first = np.ascontiguousarray(rows[:, :WORD_BYTES]).view(">u8")
    return first[:, 0].astype(np.uint64)


def all_words(rows: Rows) -> Words:
    """Return the rows, filled up with zeros, as big-endian integers; they compare as the rows do.

    Shape (n, ceil(width / 8)).
    """
    width = -(-rows.shape[1] // WORD_BYTES) * WORD_BYTES
    filled = np.zeros((len(rows), width), dtype=np.uint8)
    filled[:, : rows.shape[1]] = rows
    return filled.view(">u8").astype(np.uint64)


def _equal(rows: Rows, order: Indices, places: Indices) -> npt.NDArray[np.bool_]:
    """Return whether the row at each of ``places`` of ``order`` equals the next one."""
    here = np.take(rows, order[places], axis=0)
    following = np.take(rows, order[places + 1], axis=0)
    same: npt.NDArray[np.bool_] = (here == following).all(axis=1)
    return same


def find_rows(rows: Rows, wanted: Rows) -> Indices:
    """Return where in ``rows`` each row of ``wanted`` is, or -1 where it is not.

    ``rows`` are strictly ascending as byte strings. Only those that decide are read, so that they
    may be a mapped file: of uniform rows a few dozen for each wanted one, near where its value
    says it should be; of others a few more.
    """
    count = len(rows)
    found = np.full(len(wanted), -1, dtype=np.int64)
    if count == 0 or len(wanted) == 0:
        return found
    targets = all_words(wanted)
    # Row j of uniform ones strays from j / count by about sqrt(count) / 2 places at most.
    guess = (targets[:, 0] * (count / 2.0**64)).astype(np.int64)
    stray = 4 * isqrt(count) + 4
    low, high = np.zeros_like(guess), np.full_like(guess, count)
    for probe in (np.clip(guess - stray, 0, count - 1), np.clip(guess + stray, 0, count - 1)):
        _narrow(rows, targets, probe, low, high)
    while (low < high).any():
        _narrow(rows, targets, np.minimum((low + high) // 2, count - 1), low, high)
    at = np.minimum(low, count - 1)
    there = (np.take(rows, at, axis=0) == wanted).all(axis=1)
    found[there] = at[there]
    return found


def _narrow(rows: Rows, targets: Words, probe: Indices, low: Indices, high: Indices) -> None:
    """Compare each target with the row at ``probe``; raise ``low`` or lower ``high``.

    The first row that is not below a target stays within [low, high].
    """
    words = all_words(np.take(rows, probe, axis=0))
    below = np.zeros(len(targets), dtype=np.bool_)
    for column in range(words.shape[1] - 1, -1, -1):
        row, target = words[:, column], targets[:, column]
        below = (row < target) | ((row == target) & below)
    np.copyto(low, np.maximum(low, probe + 1), where=below)
    np.copyto(high, np.minimum(high, probe), where=~below)
