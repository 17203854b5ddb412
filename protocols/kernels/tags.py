"""Sorting and matching short tags: pseudorandom byte strings of at most twelve bytes.

A record is two words: the tag as a big-endian number at the top of both, and in the low half of
the second the index of the item the tag belongs to. Records in ascending order are tags in the
order of their bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.kernels.jit import kernel

Words = npt.NDArray[np.uint64]
Octets = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

MAX_TAG_BYTES = 12

_HALF = np.uint64(32)
_INDEX = np.uint64(0xFFFFFFFF)


@kernel
def _swapped(x: Any) -> Any:
    """Return the word with its bytes in the opposite order."""
    octets, pairs = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
    x = ((x >> np.uint64(8)) & octets) | ((x & octets) << np.uint64(8))
    x = ((x >> np.uint64(16)) & pairs) | ((x & pairs) << np.uint64(16))
    return (x >> _HALF) | (x << _HALF)


@kernel
def _top(bits: int) -> Any:
    """Return a word whose highest ``bits`` bits are one."""
    ones = np.uint64(0xFFFFFFFFFFFFFFFF)
    return ones << np.uint64(64 - bits) if bits > 0 else np.uint64(0)


@kernel
def make_records(hashes: Words, places: Words, tag_bytes: int, records: Words) -> None:
    """Make a record of the first ``tag_bytes`` bytes of each hash and the index in its place.

    ``hashes`` and ``records`` have shape (n, 2); the low half of ``places``, shape (n,), is the
    index.
    """
    first, second = _top(min(8 * tag_bytes, 64)), _top(max(8 * tag_bytes - 64, 0))
    for i in range(hashes.shape[0]):
        records[i, 0] = _swapped(hashes[i, 0]) & first
        records[i, 1] = (_swapped(hashes[i, 1]) & second) | (places[i] & _INDEX)


@kernel
def sort_records(records: Words, spare: Words) -> None:
    """Sort pseudorandom records; ``spare`` is of the same shape.

    Two radix passes by as many leading bits as there are records, so that every tag is next to its
    place, then insertion. Tags that are not pseudorandom take longer and are sorted just as well.
    """
    length = records.shape[0]
    half = 1
    while length >> (2 * half) > 0:
        half += 1
    size = 1 << half
    digit = np.uint64(size - 1)
    high_shift, low_shift = np.uint64(64 - half), np.uint64(64 - 2 * half)
    low_at, high_at = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    for i in range(length):
        low_at[np.int64((records[i, 0] >> low_shift) & digit) + 1] += 1
        high_at[np.int64(records[i, 0] >> high_shift) + 1] += 1
    for k in range(size):
        low_at[k + 1] += low_at[k]
        high_at[k + 1] += high_at[k]
    for i in range(length):
        low = np.int64((records[i, 0] >> low_shift) & digit)
        spare[low_at[low], 0], spare[low_at[low], 1] = records[i, 0], records[i, 1]
        low_at[low] += 1
    for i in range(length):
        high = np.int64(spare[i, 0] >> high_shift)
        records[high_at[high], 0], records[high_at[high], 1] = spare[i, 0], spare[i, 1]
        high_at[high] += 1
    for i in range(1, length):
        first, second = records[i, 0], records[i, 1]
        j = i - 1
        while j >= 0 and (
            records[j, 0] > first or (records[j, 0] == first and records[j, 1] > second)
        ):
            records[j + 1, 0], records[j + 1, 1] = records[j, 0], records[j, 1]
            j -= 1
        records[j + 1, 0], records[j + 1, 1] = first, second


@kernel
def write_tags(records: Words, tag_bytes: int, out: Octets) -> None:
    """Write the tags of ``records`` to ``out``, shape (n, tag_bytes)."""
    for i in range(records.shape[0]):
        first, second = records[i, 0], records[i, 1]
        for k in range(min(tag_bytes, 8)):
            out[i, k] = np.uint8((first >> np.uint64(56 - 8 * k)) & np.uint64(0xFF))
        for k in range(8, tag_bytes):
            out[i, k] = np.uint8((second >> np.uint64(120 - 8 * k)) & np.uint64(0xFF))


@kernel
def read_tags(tags: Octets, last: Words, out: Words) -> bool:
    """Write ``tags``, shape (n, tag_bytes), as records of index 0 to ``out``, shape (n, 2).

    ``last``, two words, remembers the last tag from one part of a list to the next, and is zero
    before the first. Returns whether the tags ascend strictly, from there on.
    """
    width = tags.shape[1]
    before_first, before_second = last[0], last[1]
    ascending = True
    for i in range(tags.shape[0]):
        first, second = np.uint64(0), np.uint64(0)
        for k in range(min(width, 8)):
            first |= np.uint64(tags[i, k]) << np.uint64(56 - 8 * k)
        for k in range(8, width):
            second |= np.uint64(tags[i, k]) << np.uint64(120 - 8 * k)
        ascending &= before_first < first or (before_first == first and before_second <= second)
        out[i, 0], out[i, 1] = first, second
        # A bit below the tag's makes of "less or equal" less, but for the zeros before the first.
        before_first, before_second = first, second | np.uint64(1)
    last[0], last[1] = before_first, before_second
    return ascending


@kernel
def merge(records: Words, tags: Words, start: int, in_records: Octets, in_tags: Octets) -> int:
    """Mark what sorted ``records``, from ``start`` on, and ascending ``tags`` have in common.

    ``in_records[i]`` and ``in_tags[j]`` become 1 if that tag is in the other list too, and are 0
    before. Returns where in ``records`` the next part of a longer list of tags goes on.
    """
    # No branch depends on a comparison of tags: those are coin flips no processor predicts.
    i, j = np.int64(start), np.int64(0)
    while i < records.shape[0] and j < tags.shape[0]:
        first, second = records[i, 0], records[i, 1] & ~_INDEX
        below = (first < tags[j, 0]) | ((first == tags[j, 0]) & (second < tags[j, 1]))
        same = (first == tags[j, 0]) & (second == tags[j, 1])
        in_records[i] = in_tags[j] = np.uint8(same)  # two that are the same are left at once
        i += np.int64(below | same)
        j += np.int64(not below)
    return int(i)


@kernel
def _mark(records: Words, in_records: Octets, marks: Octets) -> None:
    for i in range(records.shape[0]):
        marks[np.int64(records[i, 1] & _INDEX)] = in_records[i]


def matched_indices(records: Words, in_records: Octets) -> Indices:
    """Return the indices of the records that are marked, ascending.

    ``records``, shape (n, 2), are of the indices 0 to n - 1, in any order.
    """
    marks = np.zeros(len(records), np.uint8)
    _mark(records, in_records, marks)
    return np.flatnonzero(marks)


def indices(records: Words) -> Indices:
    """Return the indices in ``records``, in their order."""
    return (records[:, 1] & _INDEX).astype(np.int64)
