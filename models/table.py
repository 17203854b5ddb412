"""The columns one party brings to training or prediction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from protocols.errors import LocalProtocolError

ColumnKind: TypeAlias = Literal["numeric", "categorical"]
Rows: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Column:
    """One feature, one value per row.

    ``values`` is float64 with NaN for missing (numeric), or an object array of ``str`` with
    ``None`` for missing (categorical). Raises :class:`LocalProtocolError` for anything else.
    """

    name: str
    kind: ColumnKind
    values: npt.NDArray[Any] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse values of the wrong type."""
        if self.values.ndim != 1:
            raise LocalProtocolError(f"column {self.name!r} must be one-dimensional")
        if self.kind == "numeric":
            if self.values.dtype != np.float64:
                raise LocalProtocolError(f"numeric column {self.name!r} must be float64")
            if np.isinf(self.values).any():
                raise LocalProtocolError(f"numeric column {self.name!r} holds an infinity")
        elif self.values.dtype != object or not all(
            value is None or isinstance(value, str) for value in self.values
        ):
            raise LocalProtocolError(f"categorical column {self.name!r} must hold str or None")


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """Columns of equal length; a party with a label and no feature of its own has none."""

    columns: tuple[Column, ...]
    rows: int

    def __post_init__(self) -> None:
        """Refuse columns of another length, and two of one name."""
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise LocalProtocolError("two columns have the same name")
        for column in self.columns:
            if len(column.values) != self.rows:
                raise LocalProtocolError(
                    f"column {column.name!r} has {len(column.values)} rows, the table {self.rows}"
                )

    def take(self, rows: Rows) -> ColumnTable:
        """Return the table of the given row positions, in their order."""
        columns = tuple(Column(c.name, c.kind, c.values[rows]) for c in self.columns)
        return ColumnTable(columns, len(rows))
