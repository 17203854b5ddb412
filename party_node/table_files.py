"""A CSV or Parquet file as an Arrow table, each row under its number in the file.

From CSV every cell comes as text: what is a number is decided later, and 0138... keeps its zero.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from audit.detail_kinds import is_label
from party_node.errors import DatasetError
from protocols.suite import Suite

NULL_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_MAX_BLOCK_BYTES = 2**31 - 1
_READABLE = "it must be UTF-8 CSV with a header, or Parquet"

Rows: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TableFile:
    """The wanted columns of a file as it stood at one moment."""

    table: pa.Table = field(repr=False)
    rows: Rows = field(repr=False)
    """1-based number of each table row in the file."""
    broken: tuple[int, ...]
    """Numbers of the rows that have too few or too many fields; they are not in the table."""
    digest: bytes

    @property
    def rows_in_file(self) -> int:
        """All data rows of the file, the broken ones among them."""
        return len(self.rows) + len(self.broken)


def read_table(path: Path, wanted: list[str], suite: Suite) -> TableFile:
    """Read the ``wanted`` columns of the file.

    Raises :class:`DatasetError` for a missing or unreadable file, a missing column, or a file that
    changes meanwhile.
    """
    if not path.is_file():
        raise DatasetError(f"no file {path}", "check the dataset's path")
    before = path.stat()
    broken: list[int] = []
    try:
        if path.suffix.lower() == ".parquet":
            table = _read_parquet(path, wanted)
        else:
            table = _read_csv(path, wanted, broken)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # Arrow's text can quote a cell.
        raise DatasetError(f"cannot read {path} ({type(error).__name__})", _READABLE) from None
    digest = file_digest(path, suite)
    after = path.stat()
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (
        after.st_ino,
        after.st_size,
        after.st_mtime_ns,
    ):
        raise DatasetError(f"{path} changed while it was read", "run again when it is complete")
    every_row = np.arange(1, table.num_rows + len(broken) + 1, dtype=np.int64)
    rows = np.delete(every_row, np.array(broken, dtype=np.int64) - 1)
    return TableFile(table, rows, tuple(broken), digest)


def file_digest(path: Path, suite: Suite) -> bytes:
    """Return the digest of the file's chunk digests: bounded memory, any size."""
    chunks = []
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            chunks.append(suite.hash(chunk))
    return suite.hash(b"fedcrm/file/v1\x00", *chunks)


def _read_parquet(path: Path, wanted: list[str]) -> pa.Table:
    with pa_parquet.ParquetFile(path) as file:
        check_columns(path, file.schema_arrow.names, wanted)
        return file.read(columns=wanted)


def _read_csv(path: Path, wanted: list[str], broken: list[int]) -> pa.Table:
    def skip(row: pa_csv.InvalidRow) -> str:
        # pyarrow counts records, the header as number 1, and no blank lines.
        broken.append(row.number - 1)
        return "skip"

    records = _csv_records(path)
    header = next(records, None)
    if header is None:
        raise DatasetError(f"{path} is empty", _READABLE)
    check_columns(path, header, wanted)
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
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pa_csv.ConvertOptions(
            include_columns=wanted,
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


def check_columns(path: Path, names: Sequence[str], wanted: list[str]) -> None:
    """Raise :class:`DatasetError` for wanted columns that are not there, or are there twice."""
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
