"""A party's own table, read on its own node: usable rows, and a reject file for the others.

CSV and Parquet through pyarrow. A row that cannot be used never stops a job: it goes to the
reject file with its row number and reason (never its values), and the counts go to the log.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from models.boosted_trees.table import Column, ColumnTable
from party_node.errors import DatasetError
from protocols.identifiers import Unusable, normalise, protocol_input
from protocols.session.job_spec import ColumnTerms, IdentifierKind
from protocols.suite import Suite

NULL_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
UNUSABLE_LIMIT = 0.5
_ROW = "row"


class LabelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a column becomes the 0/1 label: equal to a text, or above a number."""

    column: str
    equals: str | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        """Refuse a rule with no condition, or with two."""
        if (self.equals is None) == (self.above is None):
            raise ValueError("a label rule is either `equals` or `above`")


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
    frame, rows_in_file = _read_frame(path, registration, rejects)
    identifiers, inputs, kept = _identify(frame, registration, suite, rejects)
    frame = frame.iloc[kept]
    good = np.ones(len(frame), dtype=bool)
    columns = []
    for terms in registration.columns:
        values, bad = _column_values(frame[terms.name], terms)
        rejects.add(frame[_ROW].to_numpy()[bad & good], "not_a_number", terms.name)
        good &= ~bad
        columns.append((terms, values))
    labels = None
    if registration.label is not None:
        labels, bad = _label_values(frame[registration.label.column], registration.label)
        rejects.add(frame[_ROW].to_numpy()[bad & good], "no_label", registration.label.column)
        good &= ~bad
        labels = labels[good]
    rejects.write(reject_file)
    if rows_in_file == 0:
        raise DatasetError(f"{path} has no rows")
    if good.sum() < UNUSABLE_LIMIT * rows_in_file:
        raise DatasetError(
            f"{rows_in_file - int(good.sum())} of {rows_in_file} rows of {path} cannot be used",
            f"is {registration.identifier_column!r} a {registration.identifier_kind} column? "
            f"reasons per row are in {reject_file}",
        )
    return Dataset(
        digest=_file_digest(path, suite),
        rows_in_file=rows_in_file,
        source_rows=frame[_ROW].to_numpy()[good],
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

    def add(self, rows: np.ndarray | list[int], reason: str, column: str = "") -> None:
        self.rows.extend((int(row), reason, column) for row in rows)

    @property
    def counts(self) -> Counter[str]:
        return Counter(reason for _, reason, _ in self.rows)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "reason", "column"))
            writer.writerows(sorted(self.rows))


def _read_frame(
    path: Path, registration: Registration, rejects: _Rejects
) -> tuple[pd.DataFrame, int]:
    wanted = [registration.identifier_column, *(c.name for c in registration.columns)]
    if registration.label is not None and registration.label.column not in wanted:
        wanted.append(registration.label.column)
    try:
        table = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path, rejects)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        raise DatasetError(
            f"cannot read {path} ({kind})", "it must be UTF-8 CSV with a header, or Parquet"
        ) from None
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise DatasetError(
            f"{path} has no column {', '.join(map(repr, missing))}",
            f"it has: {', '.join(table.column_names)}",
        )
    frame = table.select(dict.fromkeys(wanted)).to_pandas()
    broken = np.array([row for row, _, _ in rejects.rows], dtype=np.int64)
    rows_in_file = len(frame) + len(broken)
    frame[_ROW] = np.setdiff1d(np.arange(1, rows_in_file + 1), broken)
    return frame, rows_in_file


def _read_parquet(path: Path) -> pa.Table:
    return pa_parquet.read_table(path)


def _read_csv(path: Path, rejects: _Rejects) -> pa.Table:
    def broken(row: pa_csv.InvalidRow) -> str:
        # pyarrow counts the header as line 1.
        rejects.add([row.number - 1], "wrong_number_of_fields")
        return "skip"

    with path.open("rb") as file:
        header = next(csv.reader([file.readline().decode("utf-8-sig")]), [])
    return pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(use_threads=False),
        parse_options=pa_csv.ParseOptions(invalid_row_handler=broken),
        convert_options=pa_csv.ConvertOptions(
            # Every cell as text: 0138... keeps its zero, and what is a number is decided below.
            column_types=dict.fromkeys(header, pa.string()),
            null_values=list(NULL_TEXTS),
            strings_can_be_null=True,
        ),
    )


def _identify(
    frame: pd.DataFrame, registration: Registration, suite: Suite, rejects: _Rejects
) -> tuple[list[bytes], list[bytes], list[int]]:
    identifiers: list[bytes] = []
    inputs: list[bytes] = []
    kept: list[int] = []
    seen: set[bytes] = set()
    column = registration.identifier_column
    for index, (row, value) in enumerate(zip(frame[_ROW], frame[column], strict=True)):
        if value is None or value is pd.NA or value != value:
            rejects.add([row], "missing_identifier", column)
            continue
        try:
            normalised = normalise(registration.identifier_kind, _as_text(value))
        except Unusable as unusable:
            rejects.add([row], unusable.reason, column)
            continue
        if normalised in seen:
            rejects.add([row], "duplicate_identifier", column)
            continue
        seen.add(normalised)
        identifiers.append(normalised)
        inputs.append(protocol_input(suite, registration.identifier_kind, normalised))
        kept.append(index)
    return identifiers, inputs, kept


def _as_text(value: object) -> str:
    # A Parquet file may hold numbers where a CSV holds digits; 13800138000.0 is one of them.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _column_values(series: pd.Series, terms: ColumnTerms) -> tuple[np.ndarray, np.ndarray]:
    """Return values (float64 with NaN, or object str/None) and which rows are unusable."""
    absent = series.isna().to_numpy()
    if terms.kind == "categorical":
        values = np.empty(len(series), dtype=object)
        for index, value in enumerate(series):
            values[index] = None if absent[index] else _as_text(value)
        return values, np.zeros(len(series), dtype=bool)
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers, ~absent & ~np.isfinite(numbers)


def _label_values(series: pd.Series, rule: LabelRule) -> tuple[np.ndarray, np.ndarray]:
    absent = series.isna().to_numpy()
    if rule.equals is not None:
        positive = np.array([not a and _as_text(v) == rule.equals for a, v in zip(absent, series)])
        return positive.astype(np.uint8), absent
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        return (numbers > rule.above).astype(np.uint8), ~np.isfinite(numbers)


def _file_digest(path: Path, suite: Suite) -> bytes:
    """Digest of the file's chunk digests: bounded memory, any size."""
    chunks = []
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            chunks.append(suite.hash(chunk))
    return suite.hash(b"fedcrm/file/v1\x00", *chunks)
