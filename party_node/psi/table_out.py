"""Writing the matching rows of a table, in the order both sides share.

A CSV's records are copied byte by byte, the header first; Parquet keeps its types. The file is
read once, front to back. Rows wait for their place in memory, and beyond ``memory`` bytes in parts
of the order on disk, each of which is then put in order by itself: so memory is bounded by about
twice the larger of ``memory`` and a ``MAX_PARTS``-th of the rows' bytes, plus a block of the input
(for Parquet a row group) and 24 bytes for each matching row.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from party_node.errors import DatasetError
from party_node.psi.table_in import CsvFile, Stamp, check_unchanged, is_parquet, stamp
from party_node.table_files import file_digest
from protocols.kernels.csv_records import RECORDS_AT_ONCE
from protocols.kernels.text import gather
from protocols.suite import Suite
from protocols.suite.interface import Indices, Octets

MEMORY_BYTES = 1 << 26
MAX_PARTS = 1024

_NOTHING = np.frombuffer(b"", dtype=np.uint8)


def check_output(path_in: Path, path_out: Path) -> None:
    """Raise :class:`DatasetError` if ``path_out`` cannot be written: before hours of work."""
    if path_out.is_dir():
        raise DatasetError(f"{path_out} is a folder", "name a file in it")
    if path_out.exists() and path_in.exists() and path_out.samefile(path_in):
        raise DatasetError(f"{path_out} is the input", "name another output file")
    if not path_out.parent.is_dir():
        raise DatasetError(f"no folder {path_out.parent}", "create it, or name another output file")
    if not os.access(path_out.parent, os.W_OK | os.X_OK):
        raise DatasetError(f"no right to write into {path_out.parent}")


def write_matching(
    path_in: Path,
    path_out: Path,
    rows: Indices,
    suite: Suite,
    *,
    since: Stamp | None = None,
    memory: int = MEMORY_BYTES,
) -> bytes:
    """Write the rows, all their columns, in the given order; return the new file's digest.

    ``rows`` are 1-based numbers of distinct data rows. Both files are Parquet if so named
    (``.parquet``), else CSV. The output appears whole or not at all, readable by whom the input
    is. Raises :class:`DatasetError`, also where the input changed ``since``.
    """
    check_output(path_in, path_out)
    before = stamp(path_in)
    if since is not None:
        check_unchanged(path_in, since)
    order = _Order(rows)
    with _staged(path_in, path_out) as (staged, spill):
        try:
            if is_parquet(path_in):
                _write_from_parquet(
                    path_in, staged, order, spill, memory, to_parquet=is_parquet(path_out)
                )
            elif is_parquet(path_out):
                plain = spill / "matching.csv"
                _write_csv_from_csv(path_in, plain, order, spill, memory)
                _convert_to_parquet(plain, staged)
            else:
                _write_csv_from_csv(path_in, staged, order, spill, memory)
        except (pa.ArrowException, OSError) as error:
            # Arrow's text can quote a cell.
            raise DatasetError(
                f"cannot write the rows of {path_in} to {path_out} ({_why(error)})"
            ) from None
        check_unchanged(path_in, before)
        return file_digest(staged, suite)


class _Order:
    """Where each row of the input goes in the output."""

    def __init__(self, rows: Indices) -> None:
        self._places = np.argsort(rows)
        self._rows = rows[self._places]
        if len(rows) and (self._rows[0] < 1 or not (self._rows[1:] > self._rows[:-1]).all()):
            raise ValueError("row numbers must be distinct and begin at 1")

    def __len__(self) -> int:
        return len(self._rows)

    def among(self, first: int, count: int) -> tuple[Indices, Indices]:
        """Return which of ``count`` rows from 0-based ``first`` on are wanted, and their places."""
        low, high = np.searchsorted(self._rows, [first + 1, first + count + 1])
        return self._rows[low:high] - (first + 1), self._places[low:high]

    def check_all_there(self, path: Path, rows_in_file: int) -> None:
        """Raise :class:`DatasetError` if a wanted row is beyond the file's last."""
        if len(self._rows) and self._rows[-1] > rows_in_file:
            raise DatasetError(f"{path} has fewer rows than when it was matched")


class _Batch(Protocol):
    """Rows that wait for their place."""

    places: Indices

    @property
    def octets(self) -> int:
        """Memory it takes."""

    def select(self, places: npt.NDArray[np.bool_]) -> Self:
        """Return some of the rows."""

    def write(self, file: BinaryIO) -> None:
        """Append it to a file of its part."""


B = TypeVar("B", bound=_Batch)


class _Parts(Generic[B]):
    """The rows of the output, in parts of consecutive places, each in memory and on disk."""

    def __init__(self, folder: Path, rows: int, octets: int, memory: int) -> None:
        count = min(max(1, -(-octets // memory)), MAX_PARTS)
        self._rows_each = max(1, -(-rows // count))
        self._waiting: list[list[B]] = [[] for _ in range(-(-rows // self._rows_each))]
        self._folder = folder
        self._memory = memory
        self._held = 0

    def add(self, batch: B) -> None:
        """Take in rows; if there are too many in memory, all of them go to disk."""
        if not len(batch.places):
            return
        parts = batch.places // self._rows_each
        for part in np.unique(parts).tolist():
            chosen = batch if len(self._waiting) == 1 else batch.select(parts == part)
            self._waiting[part].append(chosen)
            self._held += chosen.octets
        if self._held > self._memory and len(self._waiting) > 1:
            for part, batches in enumerate(self._waiting):
                with self._file(part).open("ab") as file:
                    for waiting in batches:
                        waiting.write(file)
                batches.clear()
            self._held = 0

    def take(self) -> Iterator[tuple[BinaryIO, list[B]]]:
        """Yield each part's file and what is in memory only, in order; a part is gone after it."""
        for part, batches in enumerate(self._waiting):
            path = self._file(part)
            with path.open("rb") if path.exists() else io.BytesIO() as file:
                yield file, batches
            batches.clear()
            path.unlink(missing_ok=True)

    def _file(self, part: int) -> Path:
        return self._folder / f"part-{part:04}"


class _Records:
    """CSV records, one after the other, without line ends."""

    def __init__(self, places: Indices, lengths: Indices, data: Octets) -> None:
        self.places = places
        self.lengths = lengths
        self.data = data

    @property
    def octets(self) -> int:
        return len(self.data) + 16 * len(self.places)

    def select(self, places: npt.NDArray[np.bool_]) -> _Records:
        stops = np.cumsum(self.lengths)
        starts = stops - self.lengths
        data = _gathered(self.data, starts[places], stops[places], _NOTHING)
        return _Records(self.places[places], self.lengths[places], data)

    def write(self, file: BinaryIO) -> None:
        file.write(np.array([len(self.places), len(self.data)], dtype=np.int64).tobytes())
        for array in (self.places, self.lengths, self.data):
            file.write(array.tobytes())

    @classmethod
    def read_all(cls, file: BinaryIO) -> Iterator[_Records]:
        while head := file.read(16):
            count, octets = np.frombuffer(head, np.int64).tolist()
            places = np.frombuffer(file.read(8 * count), np.int64)
            lengths = np.frombuffer(file.read(8 * count), np.int64)
            yield cls(places, lengths, np.frombuffer(file.read(octets), np.uint8))


def _write_csv_from_csv(path: Path, staged: Path, order: _Order, spill: Path, memory: int) -> None:
    source = CsvFile(path)
    parts: _Parts[_Records] = _Parts(spill, len(order), path.stat().st_size, memory)
    rows_in_file = 0
    for records in source.records():
        chosen, places = order.among(records.first, len(records.starts))
        starts, stops = records.starts[chosen], records.stops[chosen]
        data = _gathered(records.text, starts, stops, _NOTHING)
        parts.add(_Records(places, stops - starts, data))
        rows_in_file += len(records.starts)
    order.check_all_there(path, rows_in_file)
    line_end = np.frombuffer(source.line_end, np.uint8)
    with staged.open("wb") as file:
        file.write(source.head + source.line_end)
        for spilled, waiting in parts.take():
            batches = [*_Records.read_all(spilled), *waiting]
            lengths = np.concatenate([batch.lengths for batch in batches])
            data = np.concatenate([batch.data for batch in batches])
            in_order = np.argsort(np.concatenate([batch.places for batch in batches]))
            stops = np.cumsum(lengths)
            starts = stops - lengths
            file.write(_gathered(data, starts[in_order], stops[in_order], line_end).data)


def _gathered(data: Octets, starts: Indices, stops: Indices, tail: Octets) -> Octets:
    out = np.empty(int((stops - starts).sum()) + len(tail) * len(starts), dtype=np.uint8)
    # Read only, as the file's own blocks are: numba compiles anew for what may be written to.
    data = data.view()
    data.flags.writeable = False
    gather(data, starts, stops, tail, out)
    return out


class _Table:
    """Rows of a Parquet file."""

    def __init__(self, places: Indices, table: Any) -> None:
        self.places = places
        self.table = table

    @property
    def octets(self) -> int:
        return int(self.table.get_total_buffer_size()) + 8 * len(self.places)

    def select(self, places: npt.NDArray[np.bool_]) -> _Table:
        return _Table(self.places[places], self.table.filter(pa.array(places)))

    def write(self, file: BinaryIO) -> None:
        file.write(np.array([len(self.places)], dtype=np.int64).tobytes())
        file.write(self.places.tobytes())
        with pa.ipc.new_stream(file, self.table.schema) as stream:
            stream.write(self.table)

    @classmethod
    def read_all(cls, file: BinaryIO) -> Iterator[_Table]:
        while head := file.read(8):
            (count,) = np.frombuffer(head, np.int64).tolist()
            places = np.frombuffer(file.read(8 * count), np.int64)
            with pa.ipc.open_stream(file) as stream:
                yield cls(places, stream.read_all())


def _write_from_parquet(
    path: Path, staged: Path, order: _Order, spill: Path, memory: int, *, to_parquet: bool
) -> None:
    with pa_parquet.ParquetFile(path) as source, contextlib.ExitStack() as closing:
        metadata, schema = source.metadata, source.schema_arrow
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        octets = sum(group.total_byte_size for group in groups)
        order.check_all_there(path, metadata.num_rows)
        parts: _Parts[_Table] = _Parts(spill, len(order), octets, memory)
        first = 0
        for number, group in enumerate(groups):
            if len(order.among(first, group.num_rows)[0]):
                for batch in source.iter_batches(
                    RECORDS_AT_ONCE, row_groups=[number], use_threads=False
                ):
                    chosen, places = order.among(first, batch.num_rows)
                    table = pa.Table.from_batches([batch]).take(pa.array(chosen))
                    parts.add(_Table(places, table))
                    first += batch.num_rows
            else:
                first += group.num_rows
        make = pa_parquet.ParquetWriter if to_parquet else pa_csv.CSVWriter
        writer = closing.enter_context(make(staged, schema))
        for spilled, waiting in parts.take():
            batches = [*_Table.read_all(spilled), *waiting]
            table = pa.concat_tables([batch.table for batch in batches])
            in_order = np.argsort(np.concatenate([batch.places for batch in batches]))
            writer.write_table(table.take(pa.array(in_order)))


def _convert_to_parquet(plain: Path, staged: Path) -> None:
    """Write a CSV's rows as Parquet, every column as text."""
    names = CsvFile(plain).names
    if len(set(names)) != len(names):
        raise DatasetError(
            "the input has two columns of one name, which Parquet cannot hold",
            "rename one of them, or name the output .csv",
        )
    text = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    with (
        pa_csv.open_csv(
            plain,
            read_options=pa_csv.ReadOptions(use_threads=False),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=text,
        ) as batches,
        pa_parquet.ParquetWriter(staged, batches.schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


@contextlib.contextmanager
def _staged(path_in: Path, path_out: Path) -> Iterator[tuple[Path, Path]]:
    """Give a file to write and a folder for parts; what was written becomes ``path_out``."""
    work = Path(tempfile.mkdtemp(prefix=f".{path_out.name}.", dir=path_out.parent))
    try:
        staged = work / "staged"
        yield staged, work
        shutil.copymode(path_in, staged)
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        staged.replace(path_out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _why(error: Exception) -> str:
    """Return what went wrong without quoting a cell."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
