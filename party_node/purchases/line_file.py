"""The file of purchase lines as a table: Parquet, CSV, or CSV compressed with gzip."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from party_node.errors import DatasetError
from party_node.table_files import NULL_TEXTS, TableFile, check_columns, file_digest, read_table
from protocols.suite import Suite

_READABLE = "it must be UTF-8 CSV with a header, compressed with gzip"
_MAX_BYTES = 2**31 - 1


def read_line_file(path: Path, wanted: list[str], suite: Suite) -> TableFile:
    """Read the ``wanted`` columns of the file; a name that ends in ``.gz`` is a compressed CSV.

    Raises :class:`DatasetError` as :func:`~party_node.table_files.read_table` does.
    """
    if path.suffix.lower() != ".gz":
        return read_table(path, wanted, suite)
    if not path.is_file():
        raise DatasetError(f"no file {path}", "check the dataset's path")
    digest = file_digest(path, suite)
    text = _unpacked(path)
    if file_digest(path, suite) != digest:
        raise DatasetError(f"{path} changed while it was read", "run again when it is complete")
    broken: list[int] = []
    try:
        table = _table(path, text, wanted, broken)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        # Arrow's text can quote a cell.
        raise DatasetError(f"cannot read {path} ({type(error).__name__})", _READABLE) from None
    every_row = np.arange(1, table.num_rows + len(broken) + 1, dtype=np.int64)
    rows = np.delete(every_row, np.array(broken, dtype=np.int64) - 1)
    return TableFile(table, rows, tuple(broken), digest)


def _unpacked(path: Path) -> bytes:
    """Return the CSV in memory: on disk it would be a second copy of the customers' data."""
    try:
        with gzip.open(path) as file:
            text = file.read(_MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"cannot read {path} ({type(error).__name__})", _READABLE) from None
    if len(text) == _MAX_BYTES:
        raise DatasetError(f"{path} unpacks to more than 2 GiB", "register it as Parquet")
    return text


def _table(path: Path, text: bytes, wanted: list[str], broken: list[int]) -> pa.Table:
    def skip(row: pa_csv.InvalidRow) -> str:
        # pyarrow counts records, the header as number 1, and no blank lines.
        broken.append(row.number - 1)
        return "skip"

    records = 0
    reader = csv.reader(
        io.TextIOWrapper(io.BytesIO(text), encoding="utf-8-sig", newline=""), strict=True
    )
    try:
        header = next(filter(None, reader), None)
        if header is None:
            raise DatasetError(f"{path} is empty", _READABLE)
        check_columns(path, header, wanted)
        # pyarrow reads on where a quote is misplaced, and would take many rows for one value.
        records = sum(map(bool, reader))
    except csv.Error:
        raise DatasetError(
            f"{path} is not well-formed CSV at line {reader.line_num}",
            'a value with a comma, a quote or a line break is quoted: "5"" disk"',
        ) from None
    if not records:
        return pa.table({name: pa.array([], pa.string()) for name in wanted})
    return pa_csv.read_csv(
        pa.BufferReader(text),
        # With threads no row numbers; in one block no value is cut at a block's edge.
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pa_csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            null_values=list(NULL_TEXTS),
            strings_can_be_null=True,
        ),
    )
