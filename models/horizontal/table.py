"""One party's customers: the same columns at every party, and a label each party knows itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.table import Floats, Rows
from protocols.errors import LocalProtocolError
from protocols.suite import Items

CUSTOMER_BYTES = 32


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """One row a customer; raises :class:`LocalProtocolError` for anything else.

    A customer has one row only: a row is what the split takes whole and what differential privacy
    protects.
    """

    columns: tuple[str, ...]
    """Names of the columns, in the order all parties share; d of them."""
    values: Floats = field(repr=False)
    """Shape (n, d), float64, finite."""
    labels: npt.NDArray[np.uint8] = field(repr=False)
    """Shape (n,), 0 or 1."""
    customers: Items = field(repr=False)
    """Digests of the customers, shape (n, 32), distinct: what they are split by."""
    source_rows: Rows = field(repr=False)
    """Where each row comes from in the party's own data, shape (n,), int64."""

    def __post_init__(self) -> None:
        """Refuse arrays of another type or shape, and what the docstrings exclude."""
        rows = len(self.customers)
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise LocalProtocolError("a training table needs columns, with names that differ")
        for name, array, dtype, shape in (
            ("values", self.values, np.float64, (rows, len(self.columns))),
            ("labels", self.labels, np.uint8, (rows,)),
            ("customers", self.customers, np.uint8, (rows, CUSTOMER_BYTES)),
            ("source_rows", self.source_rows, np.int64, (rows,)),
        ):
            if array.dtype != dtype or array.shape != shape:
                raise LocalProtocolError(
                    f"{name} of a training table must be {np.dtype(dtype).name} of shape {shape}, "
                    f"not {array.dtype.name} of shape {array.shape}"
                )
        for column in np.flatnonzero(~np.isfinite(self.values).all(axis=0)):
            raise LocalProtocolError(
                f"column {self.columns[column]!r} of the training table holds a value that is "
                "missing or infinite; fill or drop such rows first"
            )
        if (self.labels > 1).any():
            raise LocalProtocolError("labels of a training table must be 0 or 1")
        digests = np.ascontiguousarray(self.customers).view(f"V{CUSTOMER_BYTES}")
        if len(np.unique(digests)) != rows:
            raise LocalProtocolError("a customer stands in more than one row of the training table")

    @property
    def rows(self) -> int:
        """Number of customers."""
        return len(self.customers)


def joined(tables: Sequence[TrainingTable]) -> TrainingTable:
    """Return all rows of the tables, in order, as one party would have them.

    For comparisons in the clear. A customer of several tables keeps the first of its rows. Raises
    :class:`LocalProtocolError` for no table, and for tables with other columns.
    """
    if len({table.columns for table in tables}) != 1:
        raise LocalProtocolError("the parties' tables must have the same columns in one order")
    customers = np.concatenate([table.customers for table in tables])
    digests = np.ascontiguousarray(customers).view(f"V{CUSTOMER_BYTES}")[:, 0]
    kept = np.sort(np.unique(digests, return_index=True)[1])
    return TrainingTable(
        tables[0].columns,
        np.concatenate([table.values for table in tables])[kept],
        np.concatenate([table.labels for table in tables])[kept],
        customers[kept],
        np.concatenate([table.source_rows for table in tables])[kept],
    )
