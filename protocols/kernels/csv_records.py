"""CSV text cut into records, and chosen fields of each as columns, block by block.

RFC 4180 with a comma: a field that begins with a quotation mark ends with one, two of them inside
stand for one, and commas and line ends between are text. A record ends with LF, CR or both; blank
lines are no records. A quotation mark inside a field that does not begin with one is text.

No input or output here: the caller hands in blocks and gets views that hold until it asks on. A
plain loop: its own portable twin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.kernels.jit import kernel

RECORDS_AT_ONCE = 1 << 17

_COMMA = ord(",")
_QUOTE = ord('"')
_LF = ord("\n")
_CR = ord("\r")
_ENDS_FIELD = (_COMMA, _LF, _CR)


class MalformedCsv(ValueError):
    """A quoted field that does not end where a comma or a line end follows.

    ``record`` is its number, the first record of the text being 0.
    """

    def __init__(self, record: int) -> None:
        super().__init__(f"record {record} is not well quoted")
        self.record = record


@dataclass(frozen=True)
class Records:
    """Consecutive records. All arrays are views, overwritten by the next."""

    first: int
    """Number of the first of them; the first record given to the cutter is 0."""
    text: npt.NDArray[np.uint8] = field(repr=False)
    starts: npt.NDArray[np.int64] = field(repr=False)
    """int64 [n]: where each record begins in ``text``."""
    stops: npt.NDArray[np.int64] = field(repr=False)
    """int64 [n]: where it ends, without its line end."""
    whole: npt.NDArray[np.bool_] = field(repr=False)
    """bool [n]: the records with as many fields as there must be."""
    columns: tuple[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]], ...] = field(repr=False)
    """Data and offsets of each wanted field, unquoted, of the ``whole`` records alone."""


def first_record(text: bytes, *, last: bool) -> tuple[int, int] | None:
    """Return where the first record begins and ends, without its line end.

    None if there is none, or if it does not end in a ``text`` that is not the ``last`` block.
    Raises :class:`MalformedCsv`.
    """
    starts, stops = np.empty(1, dtype=np.int64), np.empty(1, dtype=np.int64)
    count, _, _, malformed = cut_records(
        np.frombuffer(text, dtype=np.uint8),
        last,
        np.full(1, -1, dtype=np.int64),
        (np.empty((0, 0), dtype=np.uint8), np.zeros((0, 2), dtype=np.int64)),
        (starts, stops, np.empty(1, dtype=np.bool_)),
    )
    if malformed:
        raise MalformedCsv(0)
    return (int(starts[0]), int(stops[0])) if count else None


class RecordCutter:
    """Cuts a text into records of ``fields`` fields each and keeps the ``wanted`` of them."""

    def __init__(self, fields: int, wanted: Sequence[int] = ()) -> None:
        self._slots = np.full(fields, -1, dtype=np.int64)
        for slot, place in enumerate(wanted):
            self._slots[place] = slot
        self._columns = np.empty((len(wanted), 0), dtype=np.uint8)
        self._offsets = np.zeros((len(wanted), RECORDS_AT_ONCE + 1), dtype=np.int64)
        self._starts = np.empty(RECORDS_AT_ONCE, dtype=np.int64)
        self._stops = np.empty(RECORDS_AT_ONCE, dtype=np.int64)
        self._whole = np.empty(RECORDS_AT_ONCE, dtype=np.bool_)
        self._rest = b""
        self.records = 0

    @property
    def unfinished(self) -> int:
        """Bytes kept because their record has not ended yet."""
        return len(self._rest)

    def cut(self, block: bytes, *, last: bool) -> Iterator[Records]:
        """Yield the records that end in ``block``, which follows on the blocks before it.

        The ``last`` block ends the text, with or without a line end. Raises :class:`MalformedCsv`.
        """
        text = np.frombuffer(self._rest + block if self._rest else block, dtype=np.uint8)
        if self._columns.shape[1] < len(text):
            self._columns = np.empty((len(self._columns), len(text)), dtype=np.uint8)
        begin = 0
        while True:
            count, whole, consumed, malformed = cut_records(
                text[begin:],
                last,
                self._slots,
                (self._columns, self._offsets),
                (self._starts, self._stops, self._whole),
            )
            if malformed:
                raise MalformedCsv(self.records + count)
            if count:
                yield Records(
                    self.records,
                    text[begin:],
                    self._starts[:count],
                    self._stops[:count],
                    self._whole[:count],
                    tuple(
                        (data, offsets[: whole + 1])
                        for data, offsets in zip(self._columns, self._offsets, strict=True)
                    ),
                )
            self.records += count
            begin += consumed
            if count < RECORDS_AT_ONCE:
                break
        self._rest = text[begin:].tobytes()


@kernel
def cut_records(text: Any, last: Any, slots: Any, kept_fields: Any, found_records: Any) -> Any:
    """Cut as many records as ``found_records`` has room for; return four numbers.

    These are the records found, those of them with ``len(slots)`` fields, the bytes consumed, and
    1 if the next record is malformed. ``found_records`` are starts, stops, and whether a record
    has as many fields. Field i goes to column ``slots[i]`` of ``kept_fields``, data and offsets, or
    nowhere if that is negative; a column has room for all of ``text``. Without ``last`` a record
    that does not end in ``text`` is left unconsumed.
    """
    columns, offsets = kept_fields
    starts, stops, whole = found_records
    length = len(text)
    fields = len(slots)
    count = 0
    kept = 0
    place = 0
    while count < len(starts):
        while place < length and (text[place] == _LF or text[place] == _CR):
            place += 1
        begin = place
        if begin == length:
            break
        for slot in range(len(columns)):
            offsets[slot, kept + 1] = offsets[slot, kept]
        found = 0
        ended = False
        while not ended:
            slot = slots[found] if found < fields else -1
            at = offsets[slot, kept + 1] if slot >= 0 else 0
            if place < length and text[place] == _QUOTE:
                place += 1
                closed = False
                while place < length and not closed:
                    octet = text[place]
                    place += 1
                    if octet == _QUOTE:
                        if place < length and text[place] == _QUOTE:
                            place += 1
                        else:
                            closed = True
                    if slot >= 0 and not closed:
                        columns[slot, at] = octet
                        at += 1
                if place == length and not last:
                    return count, kept, begin, 0
                follows = text[place] if place < length else _LF
                if not closed or follows not in _ENDS_FIELD:
                    return count, kept, begin, 1
            elif slot >= 0:
                while place < length:
                    octet = text[place]
                    if octet in _ENDS_FIELD:
                        break
                    columns[slot, at] = octet
                    at += 1
                    place += 1
            else:
                while place < length:
                    octet = text[place]
                    if octet in _ENDS_FIELD:
                        break
                    place += 1
            if place == length and not last:
                return count, kept, begin, 0
            if slot >= 0:
                offsets[slot, kept + 1] = at
            found += 1
            ended = place == length or text[place] != _COMMA
            if not ended:
                place += 1
        starts[count] = begin
        stops[count] = place
        whole[count] = found == fields
        if found == fields:
            kept += 1
        count += 1
    return count, kept, place, 0
