"""Reading the key columns of a table, batch by batch: items for the match, rejects for the rest.

A CSV's cells are text, so that 0138... keeps its zero; what is missing, broken or blank is what it
is in :mod:`party_node.table_files`. A Parquet column is taken as the text a CSV would hold.
Memory is that of a batch; what :func:`read_keys` returns is 40 bytes for a row and round.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from party_node.column_values import check_type, texts_of
from party_node.errors import DatasetError
from party_node.psi.key_columns import (
    DUPLICATE_IDENTIFIER,
    WORDS,
    WRONG_NUMBER_OF_FIELDS,
    KeyRound,
    MatchKey,
    Rejects,
    distinct_rounds,
    key_rounds,
)
from party_node.table_files import NULL_TEXTS, check_columns, file_digest
from protocols.identifiers import DEFAULT_REGION, TextColumn
from protocols.kernels.csv_records import (
    RECORDS_AT_ONCE,
    MalformedCsv,
    RecordCutter,
    Records,
    first_record,
)
from protocols.kernels.text import mark_equal
from protocols.suite import Suite
from protocols.suite.interface import Indices

BLOCK_BYTES = 1 << 22
"""As in ``file_digest``, so that one pass reads and digests."""
MAX_RECORD_BYTES = 1 << 26
UNUSABLE_LIMIT = 0.5

_READABLE = "it must be UTF-8 CSV with a header, or Parquet named .parquet"
_CONVERT = "it must be UTF-8; for a file in GB 18030: iconv -f GB18030 -t UTF-8 OLD > NEW"
FILE_DIGEST_DOMAIN = b"fedcrm/file/v1\x00"
_BOM = b"\xef\xbb\xbf"
_NOT_CSV = {
    b"PAR1": "it is Parquet: give it a name that ends in .parquet",
    b"PK\x03\x04": "it is a spreadsheet or an archive: save it as CSV (UTF-8)",
    b"\x1f\x8b": "it is compressed: unpack it first",
}

_Batch: TypeAlias = tuple[list[TextColumn], Indices, Indices]
"""The wanted columns, the row numbers they are of, and the numbers of broken rows."""

Stamp: TypeAlias = tuple[int, int, int]
"""Inode, size and time of change: what tells that a file was replaced or written to."""


def is_parquet(path: Path) -> bool:
    """Return whether a file of this name is read and written as Parquet; any other is CSV."""
    return path.suffix.lower() == ".parquet"


def stamp(path: Path) -> Stamp:
    """Return what changes when the file does; raises :class:`DatasetError` if it is no file."""
    if path.is_dir():
        raise DatasetError(f"{path} is a folder", "name the file in it")
    if not path.is_file():
        raise DatasetError(f"no file {path}", "check the path")
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def check_unchanged(path: Path, before: Stamp) -> None:
    """Raise :class:`DatasetError` unless the file is as it was."""
    if stamp(path) != before:
        raise DatasetError(f"{path} changed while it was used", "run again when it is complete")


class CsvFile:
    """A CSV file, its header read.

    Raises :class:`DatasetError` for a file that is empty, unreadable, not UTF-8 or not well-formed
    up to the end of its header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        text, last = self._until_header()
        begin = len(_BOM) if text.startswith(_BOM) else 0
        found = self._first_record(text[begin:], last)
        if found is None:
            raise DatasetError(f"{path} is empty", _READABLE)
        header = text[begin + found[0] : begin + found[1]]
        self.body_at = begin + found[1]
        self.head = text[:begin] + header
        """The byte order mark, if there is one, and the header without its line end."""
        after = text[self.body_at : self.body_at + 2]
        self.line_end = after if after == b"\r\n" else after[:1] or b"\n"
        try:
            (self.names,) = csv.reader(io.StringIO(header.decode("utf-8"), newline=""), strict=True)
        except (UnicodeDecodeError, ValueError, csv.Error):
            raise self._not_utf_8(text) from None

    def records(
        self, wanted: Sequence[int] = (), on_block: Callable[[bytes], None] | None = None
    ) -> Iterator[Records]:
        """Yield the file's records and the ``wanted`` fields, the first data row as number 0.

        ``on_block`` is given the whole file, ``BLOCK_BYTES`` at a time.
        """
        cutter = RecordCutter(len(self.names), wanted)
        skip = self.body_at
        with self.path.open("rb") as file:
            block = file.read(BLOCK_BYTES)
            while block:
                if on_block is not None:
                    on_block(block)
                following = file.read(BLOCK_BYTES)
                try:
                    yield from cutter.cut(block[skip:], last=not following)
                except MalformedCsv as malformed:
                    raise self._malformed(f"row {malformed.record + 1}") from None
                if cutter.unfinished > MAX_RECORD_BYTES:
                    raise DatasetError(
                        f"row {cutter.records + 1} of {self.path} is longer than "
                        f"{MAX_RECORD_BYTES >> 20} MiB",
                        "is a quotation mark left open in it?",
                    )
                skip = max(0, skip - len(block))
                block = following

    def _until_header(self) -> tuple[bytes, bool]:
        """Return the beginning, the whole header at least, and whether that is all there is."""
        with self.path.open("rb") as file:
            text = b""
            while len(text) <= MAX_RECORD_BYTES:
                block = file.read(BLOCK_BYTES)
                text += block
                if not block or self._first_record(text.removeprefix(_BOM), False) is not None:
                    return text, not block
        raise DatasetError(f"the header of {self.path} does not end", _READABLE)

    def _first_record(self, text: bytes, last: bool) -> tuple[int, int] | None:
        try:
            return first_record(text, last=last)
        except MalformedCsv:
            raise self._malformed("its header") from None

    def _malformed(self, where: str) -> DatasetError:
        return DatasetError(
            f"{self.path} is not well-formed CSV at {where}",
            'a value with a comma, a quote or a line break is quoted: "5"" disk"',
        )

    def _not_utf_8(self, text: bytes) -> DatasetError:
        for magic, hint in _NOT_CSV.items():
            if text.startswith(magic):
                return DatasetError(f"{self.path} is not CSV", hint)
        return DatasetError(f"the header of {self.path} is not UTF-8", _CONVERT)


@dataclass(frozen=True)
class KeyBatch:
    """Some rows' items for each round, duplicates among them, and the rows in no round."""

    rounds: tuple[KeyRound, ...] = field(repr=False)
    rejects: Rejects = field(repr=False)


class KeyReader:
    """Reads the key columns once, from the first row to the last, as it is iterated over.

    ``rows_in_file``, ``digest`` (as ``file_digest``) and ``stamp`` are there when that is done.
    Raises :class:`DatasetError` for a file that cannot be read, has not the columns, or changes.
    """

    rows_in_file: int
    digest: bytes

    def __init__(
        self, path: Path, key: MatchKey, suite: Suite, *, region: str = DEFAULT_REGION
    ) -> None:
        self._path = path
        self._key = key
        self._suite = suite
        self._region = region
        self.stamp = stamp(path)

    def __iter__(self) -> Iterator[KeyBatch]:
        digests: list[bytes] = []
        rows_in_file = 0
        for columns, rows, broken in _batches(
            self._path, self._key.names, lambda block: digests.append(self._suite.hash(block))
        ):
            rows_in_file += len(rows) + len(broken)
            rounds, rejects = key_rounds(self._key, columns, rows, self._suite, region=self._region)
            misfits = Rejects.of(self._key, broken, WRONG_NUMBER_OF_FIELDS)
            yield KeyBatch(rounds, Rejects.joined(self._key, [rejects, misfits]))
        if is_parquet(self._path):
            digest = file_digest(self._path, self._suite)
        else:
            digest = self._suite.hash(FILE_DIGEST_DOMAIN, *digests)
        check_unchanged(self._path, self.stamp)
        self.digest, self.rows_in_file = digest, rows_in_file


@dataclass(frozen=True)
class TableKeys:
    """The key columns of a whole table, ready to be matched."""

    rounds: tuple[KeyRound, ...] = field(repr=False)
    """Each round's items, distinct."""
    rejects: Rejects = field(repr=False)
    rows_in_file: int
    """All data rows, the rejected ones among them."""
    digest: bytes
    stamp: Stamp


def read_keys(
    path: Path, key: MatchKey, suite: Suite, *, region: str = DEFAULT_REGION
) -> TableKeys:
    """Read a table's key columns into memory. Raises as :class:`KeyReader` does."""
    reader = KeyReader(path, key, suite, region=region)
    parts: list[list[KeyRound]] = [[] for _ in key.round_labels]
    rejects: list[Rejects] = []
    for batch in reader:
        rejects.append(batch.rejects)
        for collected, part in zip(parts, batch.rounds, strict=True):
            collected.append(part)
    rounds, duplicates = distinct_rounds(key, [joined_round(collected) for collected in parts])
    return TableKeys(
        rounds,
        Rejects.joined(key, [*rejects, duplicates]),
        reader.rows_in_file,
        reader.digest,
        reader.stamp,
    )


def read_texts(path: Path, column: str, rows: Indices, *, since: Stamp) -> list[str | None]:
    """Return one column's values in these rows (1-based, ascending) as text, None where missing.

    Raises :class:`DatasetError` as :class:`KeyReader` does, and if the file changed ``since``.
    """
    check_unchanged(path, since)
    texts: list[str | None] = []
    for (values,), numbers, _ in _batches(path, [column], None):
        wanted = rows[
            np.searchsorted(rows, numbers[0]) : np.searchsorted(rows, numbers[-1], "right")
        ]
        data, offsets = values.data.tobytes(), values.offsets.tolist()
        for place in np.searchsorted(numbers, wanted).tolist():
            text = data[offsets[place] : offsets[place + 1]].decode("utf-8")
            texts.append(text if values.valid[place] else None)
    check_unchanged(path, since)
    return texts


def write_rejects(path: Path, rejects: Rejects) -> None:
    """Write the rejected rows as CSV: row, reason, column; never a value. Replaces the file."""
    columns = pa.array([*rejects.labels, ""])
    places = np.where(rejects.columns < 0, len(rejects.labels), rejects.columns)
    table = pa.table(
        {
            "row": rejects.rows,
            "reason": pa.array(WORDS).take(pa.array(rejects.reasons)),
            "column": columns.take(pa.array(places)),
        }
    )
    staged = path.with_name(f".{path.name}.writing")
    try:
        with staged.open("wb") as file:
            file.write(b"row,reason,column\n")
            pa_csv.write_csv(table, file, pa_csv.WriteOptions(include_header=False))
        os.replace(staged, path)
    except OSError as error:
        raise DatasetError(f"cannot write {path} ({error.strerror})") from None
    finally:
        staged.unlink(missing_ok=True)


def check_usable(
    path: Path, key: MatchKey, rows_in_file: int, rejects: Rejects, reject_file: Path
) -> None:
    """Raise :class:`DatasetError` if more than half of the rows have no usable identifier.

    That is a wrong setting, not bad rows. Duplicates do not count: a table may have many rows for
    one customer.
    """
    duplicates = rejects.counts.get(DUPLICATE_IDENTIFIER, 0)
    unusable = len(rejects) - duplicates
    if unusable > UNUSABLE_LIMIT * rows_in_file:
        kinds = ", ".join(f"{column.name!r} of kind {column.kind}" for column in key.columns)
        raise DatasetError(
            f"{unusable} of {rows_in_file} rows of {path} cannot be used",
            f"most often: {rejects.most_common()}; the key is {kinds}; "
            f"reasons per row are in {reject_file}",
        )


def _batches(
    path: Path, names: Sequence[str], on_block: Callable[[bytes], None] | None
) -> Iterator[_Batch]:
    """Yield the named columns as text; a CSV's blocks of bytes go to ``on_block``.

    A batch's buffers hold until the next is asked for.
    """
    batches = _parquet_batches(path, names) if is_parquet(path) else None
    try:
        yield from batches or _csv_batches(path, names, on_block)
    except (pa.ArrowException, OSError) as error:
        # Arrow's text can quote a cell.
        raise DatasetError(f"cannot read {path} ({type(error).__name__})", _READABLE) from None


def _csv_batches(
    path: Path, names: Sequence[str], on_block: Callable[[bytes], None] | None
) -> Iterator[_Batch]:
    file = CsvFile(path)
    check_columns(path, file.names, list(names))
    for records in file.records([file.names.index(name) for name in names], on_block):
        numbers = np.arange(len(records.whole), dtype=np.int64) + (records.first + 1)
        rows = numbers[records.whole]
        texts = [_csv_texts(path, rows, data, offsets) for data, offsets in records.columns]
        yield texts, rows, numbers[~records.whole]


def _parquet_batches(path: Path, names: Sequence[str]) -> Iterator[_Batch]:
    with pa_parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        check_columns(path, schema.names, list(names))
        for name in names:
            check_type(path, name, schema.field(name).type, "categorical")
        first = 1
        for batch in file.iter_batches(RECORDS_AT_ONCE, columns=names, use_threads=False):
            rows = np.arange(batch.num_rows, dtype=np.int64) + first
            first += batch.num_rows
            yield [_arrow_texts(path, rows, batch.column(name)) for name in names], rows, rows[:0]


def joined_round(parts: list[KeyRound]) -> KeyRound:
    """Return the parts as one, letting go of each as it is copied."""
    sizes = [len(part.rows) for part in parts]
    items = np.empty((sum(sizes), 32), dtype=np.uint8)
    rows = np.empty(sum(sizes), dtype=np.int64)
    end = sum(sizes)
    while parts:
        part = parts.pop()
        begin = end - len(part.rows)
        items[begin:end], rows[begin:end] = part.items, part.rows
        end = begin
    return KeyRound(items, rows)


def _csv_texts(
    path: Path, rows: Indices, data: npt.NDArray[np.uint8], offsets: Indices
) -> TextColumn:
    data = data[: offsets[-1]]
    _check_utf_8(path, rows, data, offsets)
    missing = np.empty(len(rows), dtype=np.bool_)
    mark_equal(data, offsets, *_NULLS, missing)
    return TextColumn(data, offsets, ~missing)


def _arrow_texts(path: Path, rows: Indices, values: Any) -> TextColumn:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not any(is_kind(values.type) for is_kind in _CAST):
        values = pa.array(texts_of(pa.chunked_array([values])), pa.large_string())
    values = values.cast(pa.large_string())
    _, offsets, data = values.buffers()
    bounds = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    octets = np.frombuffer(b"" if data is None else data, np.uint8)
    _check_utf_8(path, rows, octets, bounds)
    return TextColumn(octets, bounds, values.is_valid().to_numpy(zero_copy_only=False))


def _check_utf_8(path: Path, rows: Indices, data: npt.NDArray[np.uint8], offsets: Indices) -> None:
    if not len(data) or data.max() < 0x80:
        return
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)]
    try:
        pa.Array.from_buffers(pa.large_string(), len(rows), buffers).validate(full=True)
    except pa.ArrowInvalid:
        raise DatasetError(
            f"{path} is not UTF-8 in rows {rows[0]} to {rows[-1]}", _CONVERT
        ) from None


def _null_texts(texts: Iterable[str]) -> tuple[npt.NDArray[np.uint8], Indices]:
    octets = [text.encode("ascii") for text in texts]
    lengths = np.cumsum([0, *map(len, octets)], dtype=np.int64)
    return np.frombuffer(b"".join(octets), np.uint8), lengths


_CAST = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
)
_NULLS = _null_texts(NULL_TEXTS)
