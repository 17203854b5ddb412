"""Tables on disk, their registration, and what reading them gave."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from party_node.datasets import Dataset, LabelRule, Registration, read_dataset
from party_node.errors import DatasetError
from protocols.identifiers import IdentifierKind
from protocols.session.job_spec import ColumnTerms
from protocols.suite import get_suite

SUITE = get_suite("gm")
AMOUNT = ColumnTerms(name="amount", kind="numeric")
CITY = ColumnTerms(name="city", kind="categorical")
TOOK = LabelRule(column="took", equals="yes")

Reject = tuple[int, str, str]


def registered(
    path: Path,
    *columns: ColumnTerms,
    kind: IdentifierKind = "opaque",
    label: LabelRule | None = None,
    identifier: str = "id",
    consent: str | None = None,
) -> Registration:
    return Registration(
        name="customers",
        path=str(path),
        identifier_column=identifier,
        identifier_kind=kind,
        columns=columns,
        consent_column=consent,
        label=label,
        allowed_purposes=("churn",),
        minimum_cohort=1,
    )


def read(registration: Registration) -> Dataset:
    path = Path(registration.path)
    return read_dataset(registration, SUITE, path.parent / "rejects" / "customers.csv")


def rejects_of(path: Path) -> list[Reject]:
    with (path.parent / "rejects" / "customers.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["row", "reason", "column"]
    return [(int(row), reason, column) for row, reason, column in rows]


def csv_file(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet_file(folder: Path, name: str = "t.parquet", **columns: Any) -> Path:
    pa_parquet.write_table(pa.table(columns), folder / name)
    return folder / name


def numbers(dataset: Dataset, index: int = 0) -> list[float | None]:
    values = dataset.registered.columns[index].values
    assert values.dtype == np.float64
    return [None if np.isnan(value) else float(value) for value in values]


def texts(dataset: Dataset, index: int = 0) -> list[str | None]:
    return list(dataset.registered.columns[index].values)


def labels(dataset: Dataset) -> list[int]:
    assert dataset.labels is not None
    assert dataset.labels.dtype == np.uint8
    return [int(label) for label in dataset.labels]


def ids(dataset: Dataset) -> list[str]:
    return [identifier.decode() for identifier in dataset.identifiers]


def refused(registration: Registration) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        read(registration)
    return caught.value
