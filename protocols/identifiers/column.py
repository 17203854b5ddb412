"""Whole columns of identifiers: the rules of ``normalise.py`` on Arrow's buffers.

The result is what :func:`~protocols.identifiers.normalise.normalise` makes of each value, by
kernels where a value is plain ASCII and by that function itself everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import phonenumbers

from protocols.errors import LocalProtocolError
from protocols.identifiers.keys import (
    COMPOSITE_INPUT_DOMAIN,
    PROTOCOL_INPUT_BYTES,
    PROTOCOL_INPUT_DOMAIN,
    framed,
)
from protocols.identifiers.normalise import (
    CHECK_CHARACTERS,
    CHECK_WEIGHTS,
    DEFAULT_REGION,
    EMAIL_SPECIALS,
    LABEL_CHARACTERS,
    LONGEST_PLAIN_PHONE,
    MAX_CHARACTERS,
    MAX_EMAIL_BYTES,
    MAX_LABEL_BYTES,
    MAX_LOCAL_PART_BYTES,
    MAX_OPAQUE_BYTES,
    PHONE_CHARACTERS,
    RULES_VERSION,
    IdentifierKind,
    Reason,
    normalise_many,
)
from protocols.identifiers.phone_ranges import mobile_ranges
from protocols.suite import Suite
from protocols.suite.interface import Indices, Items, Octets

Mask: TypeAlias = npt.NDArray[np.bool_]
Array = TypeVar("Array", bound=npt.NDArray[Any])

MISSING_IDENTIFIER = "missing_identifier"
REASON_WORDS = ("", MISSING_IDENTIFIER, *(reason.value for reason in Reason))
"""What the codes of :attr:`NormalisedColumn.reasons` mean; 0 is a usable value."""

_UNDECIDED = 255


@dataclass(frozen=True)
class TextColumn:
    """Values of UTF-8 text as Arrow lays them out."""

    data: Octets = field(repr=False)
    """uint8: the values one after the other."""
    offsets: Indices = field(repr=False)
    """int64 [n + 1], ascending: value i is ``data[offsets[i]:offsets[i + 1]]``."""
    valid: Mask = field(repr=False)
    """bool [n]: False where there is no value."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together: kernels check no bounds."""
        rows = len(self.valid)
        types = [array.dtype for array in (self.data, self.offsets, self.valid)]
        if types != [np.uint8, np.int64, np.bool_] or self.offsets.shape != (rows + 1,):
            raise LocalProtocolError("a column is uint8 data, int64 offsets [n + 1] and bool [n]")
        ends_fit = self.offsets[0] >= 0 and self.offsets[-1] <= len(self.data)
        if not ends_fit or (self.offsets[1:] < self.offsets[:-1]).any():
            raise LocalProtocolError("a column's offsets ascend within its data")


@dataclass(frozen=True)
class NormalisedColumn:
    """The one spelling of each value, or the code of the reason why it has none."""

    data: Octets = field(repr=False)
    offsets: Indices = field(repr=False)
    """int64 [n + 1]; a value without a spelling is empty."""
    reasons: npt.NDArray[np.uint8] = field(repr=False)
    """uint8 [n]: 0, or a place in :data:`REASON_WORDS`."""

    @property
    def usable(self) -> Mask:
        """bool [n]: the values that have a spelling."""
        return np.equal(self.reasons, 0)


_Parts: TypeAlias = tuple[Octets, Indices, npt.NDArray[np.uint8]]


def normalise_column(
    kind: IdentifierKind, values: TextColumn, *, region: str = DEFAULT_REGION
) -> NormalisedColumn:
    """Return what :func:`normalise` makes of each value of the column.

    Raises ``LocalProtocolError`` for an unknown kind or region and for text that is not UTF-8.
    """
    if kind not in _KERNELS:
        raise LocalProtocolError(f"unknown kind of identifier; there are: {', '.join(_KERNELS)}")
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise LocalProtocolError("region must be a two-letter country code such as CN")
    column = _as_it_stands(values) if kind == "opaque" else None
    if column is None:
        column = _KERNELS[kind](values, region)
    undecided = np.flatnonzero(column.reasons == _UNDECIDED)
    if not len(undecided):
        return column
    return _decided_singly(kind, values, region, column, undecided)


def protocol_input_column(
    suite: Suite, kind: IdentifierKind, normalised: NormalisedColumn
) -> Items:
    """Return the protocol input of each *usable* value, in their order: uint8 [usable, 32]."""
    prefix = framed(PROTOCOL_INPUT_DOMAIN, RULES_VERSION.encode("ascii"), kind.encode("ascii"))
    # The others are empty: without them every value still ends where the next one begins.
    starts = normalised.offsets[:-1][normalised.usable]
    offsets = np.append(starts, normalised.offsets[-1:])
    return suite.hash_many(prefix, normalised.data, offsets, framed=True)


def composite_input_column(suite: Suite, inputs: Sequence[Items]) -> Items:
    """Return the protocol inputs of rows identified by several columns together, uint8 [n, 32].

    ``inputs`` are the columns' own protocol inputs, row by row, in the order both parties agreed.
    """
    rows = len(inputs[0])
    if any(part.shape != (rows, PROTOCOL_INPUT_BYTES) for part in inputs):
        raise LocalProtocolError("a composite key takes one protocol input per row and column")
    length = np.frombuffer(PROTOCOL_INPUT_BYTES.to_bytes(4, "big"), dtype=np.uint8)
    lengths = np.broadcast_to(length, (rows, len(length)))
    fields = np.concatenate([part for item in inputs for part in (lengths, item)], axis=1)
    offsets = np.arange(rows + 1, dtype=np.int64) * fields.shape[1]
    prefix = framed(COMPOSITE_INPUT_DOMAIN, RULES_VERSION.encode("ascii"))
    return suite.hash_many(prefix, fields.reshape(-1), offsets, framed=False)


def _as_it_stands(values: TextColumn) -> NormalisedColumn | None:
    """Return a column of customer numbers that needs no change at all, sharing its buffers."""
    from protocols.kernels.text import needs_no_change  # noqa: PLC0415 - loads numba

    if not needs_no_change(*_buffers(values), MAX_OPAQUE_BYTES):
        return None
    lengths = np.diff(values.offsets)
    reasons = np.zeros(len(lengths), dtype=np.uint8)
    reasons[lengths == 0] = REASON_WORDS.index(Reason.EMPTY)
    reasons[~values.valid] = REASON_WORDS.index(MISSING_IDENTIFIER)
    return NormalisedColumn(values.data, values.offsets, reasons)


def _opaque(values: TextColumn, _: str) -> NormalisedColumn:
    from protocols.kernels.text import opaque_values  # noqa: PLC0415 - loads numba

    result = _room(values, len(values.data))
    opaque_values(_buffers(values), MAX_CHARACTERS, MAX_OPAQUE_BYTES, result)
    return _cut(result)


def _resident_id(values: TextColumn, _: str) -> NormalisedColumn:
    from protocols.kernels.text import resident_ids  # noqa: PLC0415 - loads numba

    weights = np.array(CHECK_WEIGHTS, dtype=np.int64)
    checks = np.frombuffer(CHECK_CHARACTERS.encode("ascii"), dtype=np.uint8)
    result = _room(values, len(values.data))
    resident_ids(_buffers(values), MAX_CHARACTERS, weights, checks, result)
    return _cut(result)


def _email(values: TextColumn, _: str) -> NormalisedColumn:
    from protocols.kernels import text  # noqa: PLC0415 - loads numba

    classes = text.LOCAL_PART_SPECIAL * _marked(EMAIL_SPECIALS)
    classes |= text.LABEL_CHARACTER * _marked(LABEL_CHARACTERS)
    bounds = (MAX_EMAIL_BYTES, MAX_LOCAL_PART_BYTES, MAX_LABEL_BYTES)
    result = _room(values, len(values.data))
    text.emails(_buffers(values), MAX_CHARACTERS, classes, bounds, result)
    return _cut(result)


def _phone(values: TextColumn, region: str) -> NormalisedColumn:
    from protocols.kernels import phone  # noqa: PLC0415 - loads numba

    # An empty table for any other country: its numbers are the library's to tell.
    ranges = _ranges() if region == DEFAULT_REGION else np.zeros(1, dtype=np.uint8)
    result = _room(values, phone.SPELLING_BYTES * len(values.valid) + phone.SCRATCH_BYTES)
    bounds = (MAX_CHARACTERS, LONGEST_PLAIN_PHONE)
    table = (ranges, 10**phone.NATIONAL_DIGITS // len(ranges))
    phone.mobile_numbers(_buffers(values), bounds, _marked(PHONE_CHARACTERS), table, result)
    return _cut(result)


_KERNELS: dict[IdentifierKind, Callable[[TextColumn, str], NormalisedColumn]] = {
    "phone": _phone,
    "resident_id": _resident_id,
    "email": _email,
    "opaque": _opaque,
}


@cache
def _ranges() -> Octets:
    return mobile_ranges(DEFAULT_REGION)


def _decided_singly(
    kind: IdentifierKind,
    values: TextColumn,
    region: str,
    column: NormalisedColumn,
    undecided: Indices,
) -> NormalisedColumn:
    """Return the column with the rows that the kernel left to :func:`normalise`."""
    from protocols.kernels.text import place  # noqa: PLC0415 - loads numba

    octets = values.data.data
    starts, stops = values.offsets[undecided], values.offsets[undecided + 1]
    try:
        texts = [
            str(octets[start:stop], "utf-8")
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        ]
    except UnicodeDecodeError:
        raise LocalProtocolError("a column of identifiers is not UTF-8") from None
    spellings, whys = normalise_many(kind, texts, region=region)
    reasons = column.reasons.copy()
    reasons[undecided] = [0 if why is None else REASON_WORDS.index(why) for why in whys]
    single = [spelling or b"" for spelling in spellings]
    single_lengths = np.array([len(spelling) for spelling in single], dtype=np.int64)
    lengths = np.diff(column.offsets)
    lengths[undecided] = single_lengths
    offsets = _offsets(lengths)
    data = np.empty(int(offsets[-1]), dtype=np.uint8)
    every_row = np.arange(len(lengths), dtype=np.int64)
    placed = np.frombuffer(b"".join(single), dtype=np.uint8)
    place(_read_only(column.data), column.offsets, every_row, data, offsets)
    place(placed, _offsets(single_lengths), undecided, data, offsets)
    return NormalisedColumn(data, offsets, reasons)


def _buffers(values: TextColumn) -> tuple[Octets, Indices, Mask]:
    return _read_only(values.data), _read_only(values.offsets), _read_only(values.valid)


def _read_only(array: Array) -> Array:
    """Return the array as kernels take it: numba compiles anew for what may be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def _room(values: TextColumn, octets: int) -> _Parts:
    rows = len(values.valid)
    offsets = np.zeros(rows + 1, dtype=np.int64)
    return np.empty(octets, dtype=np.uint8), offsets, np.empty(rows, dtype=np.uint8)


def _cut(result: _Parts) -> NormalisedColumn:
    data, offsets, reasons = result
    return NormalisedColumn(data[: offsets[-1]], offsets, reasons)


def _offsets(lengths: Indices) -> Indices:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])


def _marked(characters: frozenset[str]) -> Octets:
    """Return uint8 [128]: 1 for each of the ASCII characters."""
    table = np.zeros(128, dtype=np.uint8)
    table[[ord(character) for character in characters]] = 1
    return table
