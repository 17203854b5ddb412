"""The linear algebra of a random-band system over GF(2), with values in GF(2^64).

Row i has coefficients in ``BAND`` consecutive columns, from its start on: bit j of its four words
(first word first, least significant bit first) is the coefficient of column start + j. Rows come
in ascending order of their starts, as :func:`sort_places` makes it; then every step here walks
through its arrays from one end to the other, and works on what is in the cache.

:func:`eliminate` and :func:`back_substitute` solve such a system, :func:`decode` evaluates its rows
at two vectors. Running times depend on the rows: whoever can time this process learns something
about its set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.kernels.band_lanes import (
    BUCKET_BYTES,
    GROUP_BYTES,
    RING_BUCKETS,
    RING_GROUPS,
    bucket_matrices,
    decode_eight,
    solve_eight,
    trailing_zeros,
)
from protocols.kernels.jit import kernel
from protocols.kernels.lanes import LANES

Words = npt.NDArray[np.uint64]

BAND = 256
"""How many consecutive columns a row has coefficients in."""
MARGIN = BAND + LANES - 1
"""A row's columns, counted from the last multiple of eight before its start, are at most these."""
PIVOT_WORDS = 5
_ROW_BUCKETS = 5

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_LAST = np.uint64(63)
_HALF = np.uint64(32)
_BUCKET = np.uint64(32 + 6)
_INDEX = np.uint64(0xFFFFFFFF)


@kernel
def place(hashes: Words, first: int, span: int, places: Words) -> None:
    """Write the start and the index of keys ``first`` on: start * 2^32 + index.

    ``hashes`` has shape (n, 2); the first word h of each gives the start, floor(h span / 2^64).
    ``span``, the number of possible starts, is below 2^32, and ``places`` has shape (n,).
    """
    starts = np.uint64(span)
    for i in range(hashes.shape[0]):
        h = hashes[i, 0]
        start = ((h >> _HALF) * starts + (((h & _INDEX) * starts) >> _HALF)) >> _HALF
        places[i] = (start << _HALF) | np.uint64(first + i)


@kernel
def sort_places(places: Words, spare: Words, bits: int) -> None:
    """Sort by start, stably; starts are below 2^bits. ``spare`` is of the same length.

    Radix sort, least significant half of the start first: two passes that write to so few places
    at a time that these stay in the cache.
    """
    half = (bits + 1) // 2
    size = 1 << half
    digit = np.uint64(size - 1)
    low_at, high_at = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    low_shift, high_shift = _HALF, np.uint64(32 + half)
    for i in range(places.shape[0]):
        low_at[np.int64((places[i] >> low_shift) & digit) + 1] += 1
        high_at[np.int64((places[i] >> high_shift) & digit) + 1] += 1
    for k in range(size):
        low_at[k + 1] += low_at[k]
        high_at[k + 1] += high_at[k]
    for i in range(places.shape[0]):
        low = np.int64((places[i] >> low_shift) & digit)
        spare[low_at[low]] = places[i]
        low_at[low] += 1
    for i in range(places.shape[0]):
        high = np.int64((spare[i] >> high_shift) & digit)
        places[high_at[high]] = spare[i]
        high_at[high] += 1


@kernel
def gather(keys: Words, places: Words, out: Words) -> None:
    """Write the two-word key of each place to ``out``, shape (n, 2)."""
    for i in range(places.shape[0]):
        index = np.int64(places[i] & _INDEX)
        out[i, 0] = keys[index, 0]
        out[i, 1] = keys[index, 1]


@kernel
def first_repeated(places: Words, keys: Words) -> int:
    """Return the first row whose key stands again further down; -1 if all keys are distinct.

    ``keys`` are in the rows' order. Equal keys have one start, and few keys share one.
    """
    length = places.shape[0]
    for i in range(length):
        j = i + 1
        while j < length and places[j] >> _HALF == places[i] >> _HALF:
            if keys[i, 0] == keys[j, 0] and keys[i, 1] == keys[j, 1]:
                return i
            j += 1
    return -1


@kernel
def eliminate(places: Words, low: Words, high: Words, values: Words, pivots: Words) -> bool:
    """Bring the system into echelon form; return whether its rows are linearly independent.

    ``low`` and ``high``, shape (n, 2), are the rows' words; ``values``, shape (n,), the right-hand
    side. ``pivots``, shape (columns, 5), is zero before; after, ``pivots[p]`` is zero if column p
    is free, and else the row that begins in column p: four words from column p on, so that bit 0
    is one, and its value.

    Gaussian elimination with rows in order of their starts (M. Dietzfelbinger and S. Walzer,
    "Efficient Gauss Elimination for Near-Quadratic Matrices with One Short Random Block per Row",
    ESA 2019, §2): a row's fill stays within its band.
    """
    for i in range(places.shape[0]):
        column = np.int64(places[i] >> _HALF)
        value = values[i]
        r0, r1, r2, r3 = low[i, 0], low[i, 1], high[i, 0], high[i, 1]
        while True:
            if r0 == _NONE:
                if (r1 | r2 | r3) == _NONE:
                    return False
                while r0 == _NONE:
                    r0, r1, r2, r3 = r1, r2, r3, _NONE
                    column += 64
            down = trailing_zeros(r0)
            up = _LAST - down
            column += np.int64(down)
            r0 = (r0 >> down) | ((r1 << _ONE) << up)
            r1 = (r1 >> down) | ((r2 << _ONE) << up)
            r2 = (r2 >> down) | ((r3 << _ONE) << up)
            r3 = r3 >> down
            if pivots[column, 0] == _NONE:
                pivots[column, 0], pivots[column, 1] = r0, r1
                pivots[column, 2], pivots[column, 3] = r2, r3
                pivots[column, 4] = value
                break
            r0 ^= pivots[column, 0]
            r1 ^= pivots[column, 1]
            r2 ^= pivots[column, 2]
            r3 ^= pivots[column, 3]
            value ^= pivots[column, 4]
    return True


@kernel
def _back_substitute_lanes(pivots: Words, solution: Words, room: Words) -> None:
    # ``room`` is the caller's: a compiled function frees an array of its own after the last use of
    # its name, whoever still has the address.
    ring = (np.intp(room.ctypes.data) + 63) & ~np.intp(63)
    for group in range(solution.shape[0] // LANES - 1, -1, -1):
        solve_eight(
            np.intp(pivots.ctypes.data) + 8 * PIVOT_WORDS * LANES * group,
            np.intp(solution.ctypes.data) + GROUP_BYTES * group,
            ring + GROUP_BYTES * ((group + 1) % RING_GROUPS),
            ring + GROUP_BYTES * (group % RING_GROUPS),
        )


@kernel
def _back_substitute_portable(pivots: Words, solution: Words) -> None:
    columns = solution.shape[0]
    for column in range(columns - 1, -1, -1):
        if pivots[column, 0] == _NONE:
            continue
        total = pivots[column, 4]
        for word in range(4):
            bits = pivots[column, word]
            if word == 0:
                bits ^= _ONE
            first = column + 64 * word
            for k in range(min(64, columns - first)):
                total ^= solution[first + k] & (_NONE - ((bits >> np.uint64(k)) & _ONE))
        solution[column] = total


@kernel
def _decode_lanes(
    places: Words, low: Words, high: Words, planes: Any, out: Any, room: Words
) -> None:
    # Rows come in ascending order of their buckets, so that a ring of a few buckets' matrices is
    # enough. Of eight rows in a vector those of a later bucket come out wrong; they are the first
    # of the next vector, and overwritten. The last rows go through arrays with room for eight.
    rows, (to_low, to_high) = places.shape[0], out
    # ``room`` is the caller's, as in _back_substitute_lanes.
    ring = (np.intp(room.ctypes.data) + 63) & ~np.intp(63)
    last_places, last_rows = np.zeros(LANES, np.uint64), np.zeros((2, LANES, 2), np.uint64)
    last_out = np.zeros((2, LANES), np.uint64)
    known = np.int64(0)
    i = 0
    while i < rows:
        bucket = np.int64(places[i] >> _BUCKET)
        for b in range(max(known, bucket), bucket + _ROW_BUCKETS):
            slot = ring + (b % RING_BUCKETS) * 2 * BUCKET_BYTES
            for plane in range(2):
                words = np.intp(planes[plane].ctypes.data) + b * BUCKET_BYTES
                bucket_matrices(words, slot + plane * BUCKET_BYTES)
        known = bucket + _ROW_BUCKETS
        count = 1
        while (
            count < LANES and i + count < rows and np.int64(places[i + count] >> _BUCKET) == bucket
        ):
            count += 1
        if i + LANES <= rows:
            decode_eight(
                np.intp(places.ctypes.data) + 8 * i,
                np.intp(low.ctypes.data) + 16 * i,
                np.intp(high.ctypes.data) + 16 * i,
                ring,
                bucket,
                np.intp(to_low.ctypes.data) + 8 * i,
                np.intp(to_high.ctypes.data) + 8 * i,
            )
        else:
            for k in range(count):
                last_places[k] = places[i + k]
                for word in range(2):
                    last_rows[0, k, word] = low[i + k, word]
                    last_rows[1, k, word] = high[i + k, word]
            decode_eight(
                np.intp(last_places.ctypes.data),
                np.intp(last_rows.ctypes.data),
                np.intp(last_rows.ctypes.data) + 16 * LANES,
                ring,
                bucket,
                np.intp(last_out.ctypes.data),
                np.intp(last_out.ctypes.data) + 8 * LANES,
            )
            for k in range(count):
                to_low[i + k], to_high[i + k] = last_out[0, k], last_out[1, k]
        i += count


@kernel
def _decode_portable(places: Words, low: Words, high: Words, planes: Any, out: Any) -> None:
    (columns_low, columns_high), (to_low, to_high) = planes, out
    for i in range(places.shape[0]):
        start = np.int64(places[i] >> _HALF)
        total_low, total_high = _NONE, _NONE
        for word in range(4):
            bits = low[i, word] if word < 2 else high[i, word - 2]
            for k in range(64):
                selected = _NONE - ((bits >> np.uint64(k)) & _ONE)
                total_low ^= columns_low[start + 64 * word + k] & selected
                total_high ^= columns_high[start + 64 * word + k] & selected
        to_low[i], to_high[i] = total_low, total_high


def back_substitute(pivots: Words, solution: Words, *, portable: bool) -> None:
    """Solve the system in echelon form: write every column that is not free to ``solution``.

    The free columns keep the values they have there. Both arrays have one length, a multiple of
    eight.
    """
    if pivots.shape != (len(solution), PIVOT_WORDS) or len(solution) % LANES:
        raise ValueError("pivots and solution must have one length, a multiple of eight")
    if portable:
        _back_substitute_portable(pivots, solution)
    else:
        room = np.zeros((2 * RING_GROUPS + 1) * GROUP_BYTES // 8, np.uint64)
        _back_substitute_lanes(pivots, solution, room)


def decode(
    places: Words,
    low: Words,
    high: Words,
    planes: tuple[Words, Words],
    out: tuple[Words, Words],
    *,
    portable: bool,
) -> None:
    """Write each row's product with the two column vectors ``planes`` to the two of ``out``."""
    columns = len(planes[0])
    if planes[1].shape != (columns,) or columns % LANES or columns < MARGIN:
        raise ValueError("planes must have one length, a multiple of eight")
    rows = len(places)
    if not rows == len(low) == len(high) == len(out[0]) == len(out[1]):
        raise ValueError("rows and out must have one length")
    if rows and int(places[-1] >> _HALF) > columns - MARGIN:
        raise ValueError("a row ends beyond the columns")
    if portable:
        _decode_portable(places, low, high, planes, out)
    else:
        room = np.empty((RING_BUCKETS + 1) * 2 * BUCKET_BYTES // 8, np.uint64)
        _decode_lanes(places, low, high, planes, out, room)
