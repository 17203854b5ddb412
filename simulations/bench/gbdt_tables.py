"""The two tables that trees are measured on: made or given, joined by id, a fifth held out.

Alignment is not measured: each side is handed its columns of the shared customers in one order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.table import Column, ColumnKind, ColumnTable, Floats
from party_node.learning import Part
from protocols.suite import RandomStream, get_suite
from simulations.bench.two_processes import BenchError

ACTIVE, PASSIVE = "active", "passive"
_LABEL, _HELD_OUT = "label", "held out"
_SEED = b"made columns for measuring      "
_LEVELS = 64


@dataclass(frozen=True)
class JoinedFiles:
    """Where each side's columns of the shared customers are, and what they are."""

    files: Mapping[str, Path]
    kinds: Mapping[str, dict[str, ColumnKind]]
    """By side: the name of each column and its kind, in order."""
    rows: int


def make_tables(
    files: tuple[Path, Path], rows: int, active_columns: int, passive_columns: int
) -> None:
    """Write two files about the same made customers: ``id``, label ``y``, columns ``x0``, ...

    Columns are of 64 levels and more; the label depends on columns of both sides and on chance.
    """
    stream = get_suite("intl").stream(_SEED, b"tables")
    ids = np.arange(10**6, 10**6 + rows)
    sides = [
        {f"x{i}": _column(stream, rows, i) for i in range(columns)}
        for columns in (active_columns, passive_columns)
    ]
    signal = 2 * _uniform(stream, rows)
    for side in sides:
        for name, values in list(side.items())[:4]:
            bend = np.abs(values - 0.5) if name == "x1" else values
            signal = signal + bend
    label = (signal > np.quantile(signal, 0.78)).astype(np.int64)
    for path, columns in zip(files, sides, strict=True):
        table = pd.DataFrame(columns)
        if columns is sides[0]:
            table.insert(0, "y", label)
        table.insert(0, "id", ids)
        table.to_csv(path, index=False)


def _column(stream: RandomStream, rows: int, index: int) -> Floats:
    """Return a column; every third has 64 distinct values, the others nearly one a row."""
    values = _uniform(stream, rows)
    return np.floor(values * _LEVELS) / _LEVELS if index % 3 == 2 else np.round(values, 6)


def _uniform(stream: RandomStream, rows: int) -> Floats:
    return np.asarray((stream.words(rows) >> np.uint64(11)) / 2**53, dtype=np.float64)


def join_files(
    sources: tuple[Path, Path], folder: Path, *, id_column: str, label_column: str
) -> JoinedFiles:
    """Join the active and the passive file by id into one file a side; mark the held out.

    The order is the active file's. Raises :class:`BenchError` for files that cannot be joined.
    """
    active, passive = (_read_source(path, id_column) for path in sources)
    if label_column not in active:
        raise BenchError(f"{sources[0]} has no column {label_column!r}: give --label")
    shared = active.index.intersection(passive.index, sort=False)
    active, passive = active.loc[shared], passive.loc[shared]
    labels = active.pop(label_column)
    if not labels.isin((0, 1)).all() or labels.nunique() != 2:
        raise BenchError(f"column {label_column!r} of {sources[0]} must hold 0 and 1, and both")
    held_out = np.array([is_held_out(customer) for customer in shared], dtype=np.int64)
    files, kinds = {}, {}
    for side, columns in ((ACTIVE, active), (PASSIVE, passive)):
        if side == PASSIVE and columns.empty:
            raise BenchError(f"{sources[1]} has no column to learn from")
        files[side] = folder / f"joined-{side}.csv"
        kinds[side] = {str(name): _kind(columns[name]) for name in columns}
        head = pd.DataFrame({_HELD_OUT: held_out}, index=shared)
        if side == ACTIVE:
            head[_LABEL] = labels.astype(np.int64)
        columns.columns = pd.Index([f"column {name}" for name in columns])
        pd.concat([head, columns], axis=1).to_csv(files[side], index=False)
    return JoinedFiles(files, kinds, len(shared))


def is_held_out(customer: object) -> bool:
    """Whether a customer is of the fifth that measures the model: by SHA-256 of the id."""
    return int.from_bytes(get_suite("intl").hash(str(customer).encode())[:4], "big") % 5 == 0


def _read_source(path: Path, id_column: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read {path}: {error}") from None
    if id_column not in table:
        raise BenchError(f"{path} has no column {id_column!r}: give --id")
    if table[id_column].duplicated().any():
        raise BenchError(f"{path} has an id twice")
    return table.set_index(id_column)


def _kind(values: pd.Series[Any]) -> ColumnKind:
    return "numeric" if pd.api.types.is_numeric_dtype(values) else "categorical"


def read_side(path: Path, kinds: Mapping[str, ColumnKind]) -> tuple[Part, Part]:
    """Return one side's training part and held-out part, from its file of :func:`join_files`."""
    types: dict[str, Any] = {
        f"column {name}": np.float64 if kind == "numeric" else str for name, kind in kinds.items()
    }
    data = pd.read_csv(path, dtype=types)
    columns = []
    for name, kind in kinds.items():
        values = data[f"column {name}"]
        if kind == "numeric":
            columns.append(Column(name, kind, values.to_numpy(np.float64)))
        else:
            present = values.astype(object).where(values.notna(), None)
            columns.append(Column(name, kind, present.to_numpy(object)))
    table = ColumnTable(tuple(columns), len(data))
    labels = data[_LABEL].to_numpy(np.uint8) if _LABEL in data else None
    held_out = data[_HELD_OUT].to_numpy(np.int64) == 1

    def part(rows: npt.NDArray[np.int64]) -> Part:
        return Part(
            table=table.take(rows),
            labels=None if labels is None else labels[rows],
            source_rows=rows + 1,
            items=rows.astype(">u8").view(np.uint8).reshape(-1, 8),
        )

    return part(np.flatnonzero(~held_out)), part(np.flatnonzero(held_out))
