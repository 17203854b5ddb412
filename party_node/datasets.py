"""A party's own table, read on its own node: usable rows, and a reject file for the others.

CSV and Parquet through pyarrow. A row that cannot be used never stops a job: it goes to the
reject file with its row number and reason (never its values), and the counts go to the log.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from audit.detail_kinds import is_label
from models.boosted_trees.table import Column, ColumnTable, Mask, Rows
from party_node.errors import DatasetError
from protocols.identifiers import Unusable, normalise, protocol_input
from protocols.session.job_spec import ColumnTerms, IdentifierKind
from protocols.suite import Suite

NULL_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
UNUSABLE_LIMIT = 0.5
_MAX_BLOCK_BYTES = 2**31 - 1
_READABLE = "it must be UTF-8 CSV with a header, or Parquet"

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
_DATES: tuple[_TypeTest, ...] = (pa.types.is_date,)


class LabelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a column becomes the 0/1 label: equal to a text, or above a number.

    What is equal is the text as it stands in a CSV. A Parquet column's whole numbers are written
    without a point, its booleans ``true`` and ``false``, its dates as in 2026-11-21.
    """

    column: str
    equals: str | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        """Refuse a rule with no condition, or with two."""
        if (self.equals is None) == (self.above is None):
            raise ValueError("a label rule is either `equals` or `above`")
        if self.above is not None and not math.isfinite(self.above):
            raise ValueError("`above` must be a finite number")


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the node knows of a dataset; kept on the node, the path is never sent."""

    name: str
    path: str
    identifier_column: str
    identifier_kind: IdentifierKind
    columns: tuple[ColumnTerms, ...]
    label: LabelRule | None = None
    allowed_purposes: tuple[str, ...]
    """What the people in the table were told it is used for, by this node's own record."""
    label_purpose: str | None = None
    minimum_cohort: int
    """This node's own floor; a job's may only be stricter."""

    def __post_init__(self) -> None:
        """Refuse a column with two uses: an identifier or a label is never a feature."""
        names = [self.identifier_column, *(column.name for column in self.columns)]
        if self.label is not None:
            names.append(self.label.column)
        twice = [name for name, uses in Counter(names).items() if uses > 1]
        if twice:
            raise ValueError(
                f"column {twice[0]!r} is used twice; identifier, features and label must differ"
            )


@dataclass(frozen=True)
class Dataset:
    """Usable rows of a dataset: row i of every part is the same customer."""

    digest: bytes
    rows_in_file: int
    source_rows: np.ndarray = field(repr=False)
    """int64 [rows]: 1-based number of the data row in the file."""
    identifiers: list[bytes] = field(repr=False)
    """Normalised identifiers; they stay on the node."""
    protocol_inputs: list[bytes] = field(repr=False)
    """32-byte digests, distinct: what a PSI role is given."""
    table: ColumnTable = field(repr=False)
    labels: np.ndarray | None = field(repr=False)
    """uint8 [rows] of 0 and 1, or None for a dataset without a label."""
    rejects: dict[str, int]
    """Rejected rows by reason."""


def read_dataset(registration: Registration, suite: Suite, reject_file: Path) -> Dataset:
    """Read the registered file; write ``reject_file`` (CSV: row, reason, column).

    Raises :class:`DatasetError` for a missing file, a missing column, or when more than half of
    the rows cannot be used (that is a wrong setting, not bad rows).
    """
    path = Path(registration.path)
    if not path.is_file():
        raise DatasetError(f"no file {path}", "check the dataset's path")
    rejects = _Rejects()
    before = path.stat()
    table, rows, rows_in_file = _read_table(path, registration, rejects)
    digest = _file_digest(path, suite)
    after = path.stat()
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (
        after.st_ino,
        after.st_size,
        after.st_mtime_ns,
    ):
        raise DatasetError(f"{path} changed while it was read", "run again when it is complete")
    identifiers, inputs, kept = _identify(table, rows, registration, suite, rejects)
    table, rows = table.take(pa.array(kept, pa.int64())), rows[kept]
    good = np.ones(len(rows), dtype=bool)
    columns = []
    for terms in registration.columns:
        values, bad = _column_values(table[terms.name], terms)
        rejects.add(rows[bad & good], "not_a_number", terms.name)
        good &= ~bad
        columns.append((terms, values))
    labels = None
    if registration.label is not None:
        labels, bad = _label_values(table[registration.label.column], registration.label)
        rejects.add(rows[bad & good], "no_label", registration.label.column)
        good &= ~bad
        labels = labels[good]
    rejects.write(reject_file)
    if rows_in_file == 0:
        raise DatasetError(f"{path} has no rows")
    if good.sum() < UNUSABLE_LIMIT * rows_in_file:
        raise DatasetError(
            f"{rows_in_file - int(good.sum())} of {rows_in_file} rows of {path} cannot be used",
            f"most often: {rejects.most_common()}; is {registration.identifier_column!r} a column "
            f"of kind {registration.identifier_kind}? reasons per row are in {reject_file}",
        )
    return Dataset(
        digest=digest,
        rows_in_file=rows_in_file,
        source_rows=rows[good],
        identifiers=[i for i, ok in zip(identifiers, good, strict=True) if ok],
        protocol_inputs=[i for i, ok in zip(inputs, good, strict=True) if ok],
        table=ColumnTable(
            tuple(Column(terms.name, terms.kind, values[good]) for terms, values in columns),
            rows=int(good.sum()),
        ),
        labels=labels,
        rejects=dict(sorted(rejects.counts.items())),
    )


class _Rejects:
    def __init__(self) -> None:
        self.rows: list[tuple[int, str, str]] = []

    def add(self, rows: Rows | list[int], reason: str, column: str = "") -> None:
        self.rows.extend((int(row), str(reason), column) for row in rows)

    @property
    def counts(self) -> Counter[str]:
        return Counter(reason for _, reason, _ in self.rows)

    def most_common(self) -> str:
        ((reason, column), _), *_ = Counter((r, c) for _, r, c in self.rows).most_common(1)
        return f"{reason} in column {column!r}" if column else reason

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "reason", "column"))
            writer.writerows(sorted(self.rows))


def _read_table(
    path: Path, registration: Registration, rejects: _Rejects
) -> tuple[pa.Table, Rows, int]:
    """Return the registered columns, each row's number in the file, and the rows in the file."""
    wanted = [registration.identifier_column, *(c.name for c in registration.columns)]
    if registration.label is not None:
        wanted.append(registration.label.column)
    try:
        if path.suffix.lower() == ".parquet":
            table = _read_parquet(path, wanted)
        else:
            table = _read_csv(path, wanted, rejects)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # Arrow's text can quote a cell.
        raise DatasetError(f"cannot read {path} ({type(error).__name__})", _READABLE) from None
    numeric = {column.name for column in registration.columns if column.kind == "numeric"}
    if registration.label is not None and registration.label.above is not None:
        numeric.add(registration.label.column)
    for name in wanted:
        _check_type(path, name, table.schema.field(name).type, numeric=name in numeric)
    broken = np.array([row for row, _, _ in rejects.rows], dtype=np.int64)
    rows_in_file = table.num_rows + len(broken)
    rows = np.setdiff1d(np.arange(1, rows_in_file + 1, dtype=np.int64), broken)
    return table, rows, rows_in_file


def _read_parquet(path: Path, wanted: list[str]) -> pa.Table:
    with pa_parquet.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow.names, wanted)
        return file.read(columns=wanted)


def _read_csv(path: Path, wanted: list[str], rejects: _Rejects) -> pa.Table:
    def broken(row: pa_csv.InvalidRow) -> str:
        # pyarrow counts records, the header as number 1, and no blank lines.
        rejects.add([row.number - 1], "wrong_number_of_fields")
        return "skip"

    records = _csv_records(path)
    header = next(records, None)
    if header is None:
        raise DatasetError(f"{path} is empty", _READABLE)
    _check_columns(path, header, wanted)
    if next(records, None) is None:
        return pa.table({name: pa.array([], pa.string()) for name in wanted})
    if _has_quotes(path):
        # pyarrow reads on where a quote is misplaced, and would take many rows for one value.
        for _ in records:
            pass
    return pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(
            # With threads no row numbers; in one block no value is cut at a block's edge.
            use_threads=False,
            block_size=min(path.stat().st_size + 1, _MAX_BLOCK_BYTES),
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=broken),
        convert_options=pa_csv.ConvertOptions(
            include_columns=wanted,
            # Every cell as text: 0138... keeps its zero, and what is a number is decided below.
            column_types=dict.fromkeys(wanted, pa.string()),
            null_values=list(NULL_TEXTS),
            strings_can_be_null=True,
        ),
    )


def _csv_records(path: Path) -> Iterator[list[str]]:
    """Yield the file's records, strictly quoted; blank lines are none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            yield from filter(None, reader)
        except csv.Error:
            raise DatasetError(
                f"{path} is not well-formed CSV at line {reader.line_num}",
                'a value with a comma, a quote or a line break is quoted: "5"" disk"',
            ) from None


def _has_quotes(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b'"' in chunk for chunk in iter(lambda: file.read(1 << 20), b""))


def _check_columns(path: Path, names: Sequence[str], wanted: list[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        # The first line of a file without a header is somebody's row: it is not repeated.
        looks_like_names = all(
            not name or (is_label(name) and not _is_number(name)) for name in names
        )
        raise DatasetError(
            f"{path} has no column {', '.join(map(repr, missing))}",
            f"it has: {', '.join(names)}"
            if looks_like_names
            else "its first line does not look like column names; add a header",
        )
    for name in wanted:
        if list(names).count(name) > 1:
            raise DatasetError(f"{path} has more than one column {name!r}", "rename one of them")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_type(path: Path, name: str, type_: pa.DataType, *, numeric: bool) -> None:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if _is_one_of(type_, _DATES):
        if numeric:
            # Which unit and which day zero would be a guess.
            raise DatasetError(
                f"column {name!r} of {path} holds dates, which are not numbers",
                "turn them into a number, such as days, where the file is made",
            )
    elif not _is_one_of(type_, (*_TEXTS, *_NUMBERS, pa.types.is_null)):
        raise DatasetError(
            f"column {name!r} of {path} holds {type_}",
            "text, numbers, booleans and dates can be used; convert it where the file is made",
        )


def _is_one_of(type_: pa.DataType, kinds: tuple[_TypeTest, ...]) -> bool:
    return any(is_kind(type_) for is_kind in kinds)


def _identify(
    table: pa.Table, rows: Rows, registration: Registration, suite: Suite, rejects: _Rejects
) -> tuple[list[bytes], list[bytes], list[int]]:
    identifiers: list[bytes] = []
    inputs: list[bytes] = []
    kept: list[int] = []
    seen: set[bytes] = set()
    column = registration.identifier_column
    for index, text in enumerate(_texts(table[column])):
        if text is None:
            rejects.add([rows[index]], "missing_identifier", column)
            continue
        try:
            normalised = normalise(registration.identifier_kind, text)
        except Unusable as unusable:
            rejects.add([rows[index]], unusable.reason, column)
            continue
        if normalised in seen:
            rejects.add([rows[index]], "duplicate_identifier", column)
            continue
        seen.add(normalised)
        identifiers.append(normalised)
        inputs.append(protocol_input(suite, registration.identifier_kind, normalised))
        kept.append(index)
    return identifiers, inputs, kept


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """Return each value as a CSV would hold it, None where it is missing."""
    # Not through pandas: it turns integers beside a null into floats, and so into other IDs.
    return [_as_text(value) for value in column.to_pylist()]


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


def _column_values(column: pa.ChunkedArray, terms: ColumnTerms) -> tuple[npt.NDArray[Any], Mask]:
    """Return values (float64 with NaN, or object str/None) and which rows are unusable."""
    if terms.kind == "categorical":
        values = np.empty(len(column), dtype=object)
        values[:] = _texts(column)
        return values, np.zeros(len(column), dtype=bool)
    numbers, absent = _numbers(column)
    return numbers, ~absent & ~np.isfinite(numbers)


def _label_values(column: pa.ChunkedArray, rule: LabelRule) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Return the labels and which rows have none."""
    if rule.above is None:
        texts = _texts(column)
        positive = np.array([text == rule.equals for text in texts], dtype=np.uint8)
        return positive, np.array([text is None for text in texts], dtype=bool)
    numbers, _ = _numbers(column)
    with np.errstate(invalid="ignore"):
        return (numbers > rule.above).astype(np.uint8), ~np.isfinite(numbers)


def _numbers(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.float64], Mask]:
    """Return float64 values, NaN for what is missing or no number, and which are missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_one_of(column.type, _NUMBERS):
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        return numbers, np.isnan(numbers)
    texts = pd.Series(_texts(column), dtype=object)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers, texts.isna().to_numpy()


def _file_digest(path: Path, suite: Suite) -> bytes:
    """Digest of the file's chunk digests: bounded memory, any size."""
    chunks = []
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            chunks.append(suite.hash(chunk))
    return suite.hash(b"fedcrm/file/v1\x00", *chunks)
