"""Columns of text in Arrow's layout, value by value, without a Python object for any of them.

Value i of a column is ``data[offsets[i]:offsets[i + 1]]``: ``data`` uint8, ``offsets`` int64
[n + 1], ascending. The normalising kernels take ``values``: data, offsets, and bool [n] of the rows
that have one; and fill a ``result``: data with room for all that is written, offsets, and uint8 [n]
verdicts. They decide what can be decided exactly from ASCII text and leave the rest ``UNDECIDED``;
the rules themselves, and every table and bound passed in here, belong to
:mod:`protocols.identifiers`, which also checks the lengths of all arrays. Plain loops: they are
their own portable twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from protocols.kernels.jit import kernel

USABLE = 0
MISSING = 1
EMPTY = 2
TOO_LONG = 3
BAD_CHARACTERS = 4
MALFORMED = 5
UNASSIGNED_NUMBER = 6
BAD_BIRTH_DATE = 7
BAD_CHECKSUM = 8
UNDECIDED = 255

LOCAL_PART_SPECIAL = 1
LABEL_CHARACTER = 2
"""What the table passed to :func:`emails` marks, bit by bit."""

_HIGH = 0x80
_SPACE = 0x20
_DELETE = 0x7F
_ZERO = 48
_NINE = 57


@kernel
def is_space(octet: Any) -> Any:
    """Return whether ``str.strip`` takes this ASCII character away."""
    return octet == _SPACE or 9 <= octet <= 13 or 28 <= octet <= 31


@kernel
def all_printable(data: Any) -> Any:
    """Return whether every octet is printable ASCII, spaces among them."""
    bad = 0
    for octet in data:
        bad |= int(octet < _SPACE) | int(octet >= _DELETE)
    return bad == 0


@kernel
def needs_no_change(data: Any, offsets: Any, valid: Any, most_bytes: Any) -> Any:
    """Return whether :func:`opaque_values` would leave every byte where it is."""
    if not all_printable(data[offsets[0] : offsets[-1]]):
        return False
    bad = 0
    for row in range(len(valid)):
        start, stop = offsets[row], offsets[row + 1]
        if stop > start:
            bad |= int(data[start] == _SPACE) | int(data[stop - 1] == _SPACE)
            bad |= int(stop - start > most_bytes) | int(not valid[row])
    return bad == 0


@kernel
def trimmed(data: Any, start: Any, stop: Any, most_characters: Any, printable: Any) -> Any:
    """Return (start, stop, verdict) of one value after what every kind of identifier asks.

    ASCII only, else ``UNDECIDED``; at most ``most_characters``; white space trimmed; not empty;
    no control characters. ``printable`` says that :func:`all_printable` holds of ``data``.
    """
    if not printable:
        for i in range(start, stop):
            if data[i] >= _HIGH:
                return start, stop, UNDECIDED
    if stop - start > most_characters:
        return start, stop, TOO_LONG
    while start < stop and is_space(data[start]):
        start += 1
    while start < stop and is_space(data[stop - 1]):
        stop -= 1
    if start == stop:
        return start, stop, EMPTY
    if not printable:
        for i in range(start, stop):
            if data[i] < _SPACE or data[i] == _DELETE:
                return start, stop, BAD_CHARACTERS
    return start, stop, USABLE


@kernel
def opaque_values(values: Any, most_characters: Any, most_bytes: Any, result: Any) -> None:
    """Normalise customer numbers."""
    data, offsets, valid = values
    out, out_offsets, verdicts = result
    printable = all_printable(data[offsets[0] : offsets[-1]])
    at = 0
    for row in range(len(verdicts)):
        verdict = MISSING
        if valid[row]:
            start, stop, verdict = trimmed(
                data, offsets[row], offsets[row + 1], most_characters, printable
            )
            if verdict == USABLE and stop - start > most_bytes:
                verdict = TOO_LONG
            if verdict == USABLE:
                for i in range(start, stop):
                    out[at + i - start] = data[i]
                at += stop - start
        verdicts[row] = verdict
        out_offsets[row + 1] = at


@kernel
def number(data: Any, start: Any, stop: Any) -> Any:
    """Return the number that the digits spell."""
    value = np.int64(0)
    for i in range(start, stop):
        value = value * 10 + (np.int64(data[i]) - _ZERO)
    return value


@kernel
def resident_id(data: Any, start: Any, stop: Any, weights: Any, check_characters: Any) -> Any:
    """Return the verdict on a trimmed ASCII value as a resident ID (GB 11643-1999)."""
    if stop - start != 18 or data[start] == _ZERO:
        return MALFORMED
    total = 0
    for i in range(17):
        octet = data[start + i]
        if octet < _ZERO or octet > _NINE:
            return MALFORMED
        total += weights[i] * (np.int64(octet) - _ZERO)
    last = data[stop - 1]
    if last == ord("x"):
        last = np.uint8(ord("X"))
    if not (_ZERO <= last <= _NINE or last == ord("X")):
        return MALFORMED
    year = number(data, start + 6, start + 10)
    month = number(data, start + 10, start + 12)
    day = number(data, start + 12, start + 14)
    days = 31
    if month in (4, 6, 9, 11):
        days = 30
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        days = 29 if leap else 28
    if not (1900 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= days):
        return BAD_BIRTH_DATE
    return USABLE if check_characters[total % 11] == last else BAD_CHECKSUM


@kernel
def resident_ids(
    values: Any, most_characters: Any, weights: Any, check_characters: Any, result: Any
) -> None:
    """Normalise resident IDs."""
    data, offsets, valid = values
    out, out_offsets, verdicts = result
    printable = all_printable(data[offsets[0] : offsets[-1]])
    at = 0
    for row in range(len(verdicts)):
        verdict = MISSING
        if valid[row]:
            start, stop, verdict = trimmed(
                data, offsets[row], offsets[row + 1], most_characters, printable
            )
            if verdict == USABLE:
                verdict = resident_id(data, start, stop, weights, check_characters)
            if verdict == USABLE:
                for i in range(18):
                    out[at + i] = data[start + i]
                if out[at + 17] == ord("x"):
                    out[at + 17] = ord("X")
                at += 18
        verdicts[row] = verdict
        out_offsets[row + 1] = at


@kernel
def email(data: Any, start: Any, stop: Any, classes: Any, bounds: Any) -> Any:
    """Return the verdict on a trimmed, lower-case ASCII value as an e-mail address."""
    most_bytes, most_local, most_label = bounds
    if stop - start > most_bytes:
        return TOO_LONG
    sign = stop - 1
    while sign >= start and data[sign] != ord("@"):
        sign -= 1
    if sign <= start or sign - start > most_local:
        return MALFORMED
    for i in range(start, sign):
        if classes[data[i]] & LOCAL_PART_SPECIAL:
            return BAD_CHARACTERS
    for i in range(sign + 1, stop):
        if data[i] != ord(".") and not classes[data[i]] & LABEL_CHARACTER:
            return BAD_CHARACTERS
    labels = 0
    begin = sign + 1
    for i in range(sign + 1, stop + 1):
        if i == stop or data[i] == ord("."):
            if not 1 <= i - begin <= most_label:
                return MALFORMED
            if data[begin] == ord("-") or data[i - 1] == ord("-"):
                return MALFORMED
            labels += 1
            begin = i + 1
    return USABLE if labels >= 2 else MALFORMED


@kernel
def emails(values: Any, most_characters: Any, classes: Any, bounds: Any, result: Any) -> None:
    """Normalise e-mail addresses.

    ``classes`` [128] holds ``LOCAL_PART_SPECIAL`` and ``LABEL_CHARACTER`` of each character;
    ``bounds`` are the most bytes of an address, its local part and a label.
    """
    data, offsets, valid = values
    out, out_offsets, verdicts = result
    printable = all_printable(data[offsets[0] : offsets[-1]])
    at = 0
    for row in range(len(verdicts)):
        verdict = MISSING
        if valid[row]:
            start, stop, verdict = trimmed(
                data, offsets[row], offsets[row + 1], most_characters, printable
            )
            if verdict == USABLE:
                length = stop - start
                for i in range(length):
                    octet = data[start + i]
                    upper = ord("A") <= octet <= ord("Z")
                    out[at + i] = octet + 32 if upper else octet
                verdict = email(out, at, at + length, classes, bounds)
                if verdict == USABLE:
                    at += length
        verdicts[row] = verdict
        out_offsets[row + 1] = at


@kernel
def mark_equal(data: Any, offsets: Any, texts: Any, text_offsets: Any, equal: Any) -> None:
    """Set ``equal`` [n] to whether a value is, byte for byte, one of the few ``texts``."""
    longest = 0
    for which in range(len(text_offsets) - 1):
        longest = max(longest, text_offsets[which + 1] - text_offsets[which])
    for row in range(len(equal)):
        start = offsets[row]
        length = offsets[row + 1] - start
        found = False
        if length <= longest:
            for which in range(len(text_offsets) - 1):
                first = text_offsets[which]
                if text_offsets[which + 1] - first == length:
                    same = True
                    for i in range(length):
                        same = same and data[start + i] == texts[first + i]
                    found = found or same
        equal[row] = found


@kernel
def gather(data: Any, starts: Any, stops: Any, tail: Any, out: Any) -> None:
    """Write each ``data[starts[i]:stops[i]]`` and ``tail`` after it to ``out``, which has room."""
    at = 0
    for i in range(len(starts)):
        start = starts[i]
        length = stops[i] - start
        for k in range(length):
            out[at + k] = data[start + k]
        at += length
        for k in range(len(tail)):
            out[at + k] = tail[k]
        at += len(tail)


@kernel
def place(data: Any, offsets: Any, rows: Any, out: Any, out_offsets: Any) -> None:
    """Write value i of a column to row ``rows[i]`` of another, whose offsets leave the room."""
    for i in range(len(rows)):
        start = offsets[i]
        to = out_offsets[rows[i]]
        for k in range(offsets[i + 1] - start):
            out[to + k] = data[start + k]
