"""A column of a table as its registered kind: model values, and which rows have none it can use.

What a value is, is decided by its text in a CSV. A Parquet column's whole numbers are written
without a point, its booleans ``true`` and ``false``, its dates as in 2026-11-21; the results are
the same as if the file were that CSV. Work is done on whole columns, or once for each distinct
value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.table import ColumnKind as ModelKind
from models.table import Floats, Mask
from party_node.errors import DatasetError
from protocols.session.job_spec import ColumnKind

MODEL_KINDS: dict[ColumnKind, ModelKind] = {
    "numeric": "numeric",
    "integer": "numeric",
    "boolean": "categorical",
    "date": "numeric",
    "categorical": "categorical",
}
"""What the model takes a column of each kind for."""
REASONS: dict[ColumnKind, str] = {
    "numeric": "not_a_number",
    "integer": "not_an_integer",
    "boolean": "not_a_boolean",
    "date": "not_a_date",
}
"""Why a row is rejected whose value is not of its column's kind; a category can be any text."""

_BOOLEANS = dict.fromkeys(("true", "t", "yes", "y", "1"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "0"), False
)
_EPOCH = datetime(1970, 1, 1)
_DAY = timedelta(days=1)
# ISO 8601 calendar dates, in the extended form or the basic one, with or without a time.
_ISO = re.compile(
    r"\d{4}(-\d\d-\d\d|\d{4})([T ]\d\d:?\d\d(:?\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII
)
_TICKS_PER_DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}

_TypeTest: TypeAlias = Callable[[pa.DataType], bool]
_TEXTS: tuple[_TypeTest, ...] = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
)
_NUMBERS: tuple[_TypeTest, ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
)
_PLAIN: tuple[_TypeTest, ...] = (*_TEXTS, *_NUMBERS, pa.types.is_date, pa.types.is_null)


def check_type(path: Path, name: str, type_: pa.DataType, kind: ColumnKind) -> None:
    """Raise :class:`DatasetError` if a column of this Arrow type cannot be of this kind."""
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if kind == "date" and pa.types.is_timestamp(type_):
        return
    if kind in ("numeric", "integer") and (pa.types.is_date(type_) or pa.types.is_timestamp(type_)):
        # Which unit and which day zero would be a guess.
        raise DatasetError(
            f"column {name!r} of {path} holds dates, which are not numbers",
            "register it as a date column; a label cannot be above a date",
        )
    if not _is_one_of(type_, _PLAIN):
        raise DatasetError(
            f"column {name!r} of {path} holds {type_}",
            "text, numbers, booleans and dates can be used, timestamps as a date column; "
            "convert it where the file is made",
        )


def column_values(column: pa.ChunkedArray, kind: ColumnKind) -> tuple[npt.NDArray[Any], Mask]:
    """Return the model's values, missing where the file has none, and which rows are unusable.

    Numeric and integer: float64. Date: float64 days since 1970-01-01, UTC where the value has a
    time zone. Boolean: object array of ``"true"`` and ``"false"``. Categorical: object array of
    str. Missing is NaN, or None.
    """
    if kind == "categorical":
        texts, codes = _distinct_texts(column)
        return _objects(texts)[codes], np.zeros(len(column), dtype=bool)
    if kind == "boolean":
        yes, missing, bad = booleans(column)
        meaning = np.where(missing | bad, 2, yes.astype(np.int64))
        return _objects(["false", "true", None])[meaning], bad
    if kind == "date":
        return _days(column)
    numbers, missing = numbers_of(column)
    bad = ~missing & ~np.isfinite(numbers)
    if kind == "integer":
        bad |= ~missing & (numbers != np.trunc(numbers))
    return np.where(bad, np.nan, numbers), bad


def texts_of(column: pa.ChunkedArray) -> list[str | None]:
    """Return each value as a CSV would hold it, None where it is missing."""
    # Not through pandas: it turns integers beside a null into floats, and so into other IDs.
    if _is_one_of(column.type, _TEXTS):
        return list(column.to_pylist())
    if pa.types.is_integer(column.type):
        return list(column.cast(pa.string()).to_pylist())
    texts, codes = _distinct_texts(column)
    return list(_objects(texts)[codes])


def numbers_of(column: pa.ChunkedArray) -> tuple[Floats, Mask]:
    """Return float64 values, NaN for what is missing or no number, and which are missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not _is_one_of(column.type, _TEXTS):
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        return numbers, np.isnan(numbers)
    trimmed = pc.ascii_trim_whitespace(column.cast(pa.large_string()))
    missing = column.is_null().to_numpy()
    try:
        return trimmed.cast(pa.float64()).to_numpy(), missing
    except pa.ArrowInvalid:
        # Some text is no number: only what looks like one is converted.
        like = pc.match_substring_regex(trimmed, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
        numeric = pc.if_else(like, trimmed, pa.scalar(None, pa.large_string()))
        return numeric.cast(pa.float64()).to_numpy(), missing


def booleans(column: pa.ChunkedArray) -> tuple[Mask, Mask, Mask]:
    """Return which values say yes, which are missing, and which are no boolean at all."""
    texts, codes = _distinct_texts(column)
    meanings = [None if text is None else _BOOLEANS.get(text.strip().lower()) for text in texts]
    yes = np.array([meaning is True for meaning in meanings], dtype=bool)
    missing = np.array([text is None for text in texts], dtype=bool)
    bad = np.array([meaning is None for meaning in meanings], dtype=bool) & ~missing
    return yes[codes], missing[codes], bad[codes]


def equal_to(column: pa.ChunkedArray, text: str) -> tuple[Mask, Mask]:
    """Return which values are ``text`` as a CSV would hold it, and which are missing."""
    texts, codes = _distinct_texts(column)
    equal = np.array([distinct == text for distinct in texts], dtype=bool)
    missing = np.array([distinct is None for distinct in texts], dtype=bool)
    return equal[codes], missing[codes]


def _days(column: pa.ChunkedArray) -> tuple[Floats, Mask]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    missing = column.is_null().to_numpy()
    if pa.types.is_date(column.type):
        days = column.cast(pa.date32()).cast(pa.int32()).cast(pa.float64()).to_numpy()
        return days, np.zeros(len(column), dtype=bool)
    if pa.types.is_timestamp(column.type):
        per_day = _TICKS_PER_DAY[column.type.unit]
        ticks = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
        # Whole days and the rest apart: nanoseconds since 1970 are too many for a float64.
        days = ticks // per_day + (ticks % per_day) / per_day
        return np.where(missing, np.nan, days), np.zeros(len(column), dtype=bool)
    texts, codes = _distinct_texts(column)
    days = np.array([_day(text) for text in texts], dtype=np.float64)[codes]
    absent = np.array([text is None for text in texts], dtype=bool)[codes]
    return days, ~absent & np.isnan(days)


def _day(text: str | None) -> float:
    """Return the days since 1970 of an ISO date or timestamp, NaN for anything else."""
    text = "" if text is None else text.strip()
    if not _ISO.fullmatch(text):
        return math.nan
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            when = when.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return math.nan
    return (when - _EPOCH) / _DAY


def _distinct_texts(column: pa.ChunkedArray) -> tuple[list[str | None], npt.NDArray[np.int64]]:
    """Return the distinct values as texts, None last, and each row's place in that list."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    values = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    texts = [_as_text(value) for value in values]
    codes = [
        pc.fill_null(chunk.indices.cast(pa.int64()), -1).to_numpy(False) for chunk in column.chunks
    ]
    return [*texts, None], np.concatenate([np.empty(0, dtype=np.int64), *codes])


def _as_text(value: object) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    # A Parquet file may hold numbers where a CSV holds digits; 13800138000.0 is one of them.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(int(value))
    return str(value)


def _objects(texts: list[Any]) -> npt.NDArray[Any]:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _is_one_of(type_: pa.DataType, kinds: tuple[_TypeTest, ...]) -> bool:
    return any(is_kind(type_) for is_kind in kinds)
