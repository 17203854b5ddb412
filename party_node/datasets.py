"""A party's own table, read on its own node: usable rows, and a reject file for the others.

CSV and Parquet through pyarrow. A row that cannot be used never stops a job: it goes to the
reject file with its row number and reason (never its values), and the counts go to the log.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from models.table import Column, ColumnTable, Mask, Rows
from party_node.column_values import (
    MODEL_KINDS,
    REASONS,
    booleans,
    check_type,
    column_values,
    equal_to,
    numbers_of,
    texts_of,
)
from party_node.errors import DatasetError
from party_node.table_files import read_table
from protocols.arguments import ITEM_BYTES
from protocols.identifiers import IdentifierKind, normalise_many, protocol_inputs
from protocols.session.job_spec import ColumnKind, ColumnTerms
from protocols.suite import Items, Suite

UNUSABLE_LIMIT = 0.5
NO_CONSENT = "no_consent"


class LabelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a column becomes the label: 0 and 1 by a text or a number, a class, or the number itself.

    What is equal is the text as it stands in a CSV. A Parquet column's whole numbers are written
    without a point, its booleans ``true`` and ``false``, its dates as in 2026-11-21.
    """

    column: str
    equals: str | None = None
    above: float | None = None
    classes: tuple[str, ...] = ()
    """Texts; a row's label is the place of its own among them, from 0."""
    number: bool = False

    def __post_init__(self) -> None:
        """Refuse a rule with no condition, or with two."""
        rules = (self.equals is not None, self.above is not None, bool(self.classes), self.number)
        if sum(rules) != 1:
            raise ValueError("a label rule is one of `equals`, `above`, `classes` and `number`")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("the classes of a label must differ")
        if self.above is not None and not math.isfinite(self.above):
            raise ValueError("`above` must be a finite number")

    @property
    def is_binary(self) -> bool:
        """Whether a row's label is 0 or 1."""
        return self.equals is not None or self.above is not None


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the node knows of a dataset; kept on the node, the path is never sent."""

    name: str
    path: str
    identifier_column: str
    identifier_kind: IdentifierKind
    columns: tuple[ColumnTerms, ...]
    consent_column: str | None = None
    """A yes or no per row; customers who do not say yes in every row of theirs are left out."""
    label: LabelRule | None = None
    allowed_purposes: tuple[str, ...]
    """What the people in the table were told it is used for, by this node's own record."""
    label_purpose: str | None = None
    minimum_cohort: int
    """This node's own floor; a job's may only be stricter."""

    def __post_init__(self) -> None:
        """Refuse a column with two uses: an identifier or a label is never a feature."""
        twice = [name for name, uses in Counter(self.columns_read).items() if uses > 1]
        if twice:
            raise ValueError(
                f"column {twice[0]!r} is used twice; "
                "identifier, consent, features and label must differ"
            )

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Names of all columns that are read from the file."""
        consent = () if self.consent_column is None else (self.consent_column,)
        label = () if self.label is None else (self.label.column,)
        features = (column.name for column in self.columns)
        return (self.identifier_column, *consent, *features, *label)


@dataclass(frozen=True)
class Dataset:
    """Usable rows of a dataset: row i of every part is the same customer."""

    digest: bytes
    rows_in_file: int
    source_rows: np.ndarray = field(repr=False)
    """int64 [rows]: 1-based number of the data row in the file."""
    identifiers: list[bytes] = field(repr=False)
    """Normalised identifiers; they stay on the node."""
    respelled: int
    """How many of them the file writes otherwise."""
    protocol_inputs: Items = field(repr=False)
    """Distinct digests, uint8 [rows, 32]: what a PSI role is given."""
    registered: ColumnTable = field(repr=False)
    """Every registered column, in that order."""
    left_out: dict[str, str | None]
    """Columns no split could use, by name: the earlier column with exactly the same values, or
    None where all rows have one value. Their owner keeps them out of training."""
    table: ColumnTable = field(repr=False)
    """The registered columns without those left out: what training and prediction use."""
    labels: np.ndarray | None = field(repr=False)
    """uint8 [rows] of 0 and 1 or of classes, float64 [rows] of numbers; None without a label."""
    rejects: dict[str, int]
    """Rejected rows by reason."""

    @property
    def used_columns(self) -> tuple[str, ...]:
        """Names of the columns that training and prediction use."""
        return tuple(column.name for column in self.table.columns)


def read_dataset(registration: Registration, suite: Suite, reject_file: Path) -> Dataset:
    """Read the registered file; write ``reject_file`` (CSV: row, reason, column).

    Raises :class:`DatasetError` for a missing file, a missing column, or when more than half of
    the rows whose customers consent cannot be used (that is a wrong setting, not bad rows).
    """
    path = Path(registration.path)
    file = read_table(path, list(registration.columns_read), suite)
    _check_types(path, registration, file.table)
    rejects = _Rejects()
    rejects.add(file.broken, "wrong_number_of_fields")
    customers = _identify(file.table, file.rows, registration, rejects)
    table, rows = file.table.take(pa.array(customers.kept)), file.rows[customers.kept]

    good = np.ones(len(rows), dtype=bool)
    columns = []
    for terms in registration.columns:
        values, bad = column_values(table[terms.name], terms.kind)
        if bad.any():
            rejects.add(rows[bad & good], REASONS[terms.kind], terms.name)
            good &= ~bad
        columns.append((terms, values))
    labels = None
    if registration.label is not None:
        labels, unlabelled = _labels(table[registration.label.column], registration.label)
        rejects.add(rows[unlabelled & good], "no_label", registration.label.column)
        good &= ~unlabelled
    rejects.write(reject_file)
    _check_enough(registration, file.rows_in_file, int(good.sum()), rejects, reject_file)

    usable = ColumnTable(
        tuple(
            Column(terms.name, MODEL_KINDS[terms.kind], values[good]) for terms, values in columns
        ),
        rows=int(good.sum()),
    )
    left_out = _left_out(usable, suite)
    identifiers = [customers.identifiers[position] for position in np.flatnonzero(good)]
    return Dataset(
        digest=file.digest,
        rows_in_file=file.rows_in_file,
        source_rows=rows[good],
        identifiers=identifiers,
        respelled=int(customers.respelled[good].sum()),
        protocol_inputs=_items(protocol_inputs(suite, registration.identifier_kind, identifiers)),
        registered=usable,
        left_out=left_out,
        table=ColumnTable(
            tuple(column for column in usable.columns if column.name not in left_out), usable.rows
        ),
        labels=None if labels is None else labels[good],
        rejects=dict(sorted(rejects.counts.items())),
    )


def _items(digests: Sequence[bytes]) -> Items:
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, ITEM_BYTES)


class _Rejects:
    def __init__(self) -> None:
        self.rows: list[tuple[int, str, str]] = []

    def add(self, rows: Rows | Iterable[int], reason: str, column: str = "") -> None:
        self.rows.extend((int(row), str(reason), column) for row in rows)

    @property
    def counts(self) -> Counter[str]:
        return Counter(reason for _, reason, _ in self.rows)

    def most_common(self) -> str:
        ((reason, column), _), *_ = Counter(
            (r, c) for _, r, c in self.rows if r != NO_CONSENT
        ).most_common(1)
        return f"{reason} in column {column!r}" if column else reason

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "reason", "column"))
            writer.writerows(sorted(self.rows))


def _check_types(path: Path, registration: Registration, table: pa.Table) -> None:
    kinds: dict[str, ColumnKind] = {column.name: column.kind for column in registration.columns}
    label = registration.label
    if label is not None and (label.above is not None or label.number):
        kinds[label.column] = "numeric"
    for name in registration.columns_read:
        check_type(path, name, table.schema.field(name).type, kinds.get(name, "categorical"))


@dataclass(frozen=True)
class _Customers:
    """The first row of each customer who may be used."""

    kept: Rows = field(repr=False)
    """Positions in the table."""
    identifiers: list[bytes] = field(repr=False)
    respelled: Mask = field(repr=False)


def _identify(
    table: pa.Table, rows: Rows, registration: Registration, rejects: _Rejects
) -> _Customers:
    column = registration.identifier_column
    texts = texts_of(table[column])
    spellings, reasons = normalise_many(registration.identifier_kind, texts)
    refusals = _without_consent(table, registration)
    # Consent is the customer's, not the row's: a refusal in one row holds for all of them.
    refused = {spellings[position] for position in refusals} - {None}
    kept: list[int] = []
    identifiers: list[bytes] = []
    seen: set[bytes] = set()
    for position, spelling in enumerate(spellings):
        if position in refusals:
            rejects.add([rows[position]], refusals[position], registration.consent_column or "")
        elif spelling is None:
            reason = reasons[position] or "missing_identifier"
            rejects.add([rows[position]], reason, column)
        elif spelling in refused:
            rejects.add([rows[position]], NO_CONSENT, registration.consent_column or "")
        elif spelling in seen:
            rejects.add([rows[position]], "duplicate_identifier", column)
        else:
            seen.add(spelling)
            identifiers.append(spelling)
            kept.append(position)
    respelled = [
        texts[position] != spelling.decode()
        for position, spelling in zip(kept, identifiers, strict=True)
    ]
    return _Customers(np.array(kept, dtype=np.int64), identifiers, np.array(respelled, dtype=bool))


def _without_consent(table: pa.Table, registration: Registration) -> dict[int, str]:
    """Return the positions of rows that do not say yes, each with its reason."""
    if registration.consent_column is None:
        return {}
    yes, _, bad = booleans(table[registration.consent_column])
    unclear = REASONS["boolean"]
    return {int(at): unclear if bad[at] else NO_CONSENT for at in np.flatnonzero(~yes)}


def _labels(column: pa.ChunkedArray, rule: LabelRule) -> tuple[np.ndarray, Mask]:
    """Return the labels, and which rows have none."""
    if rule.classes:
        labels, missing = np.zeros(len(column), dtype=np.uint8), np.ones(len(column), dtype=bool)
        for place, text in enumerate(rule.classes):
            found, _ = equal_to(column, text)
            labels[found], missing[found] = place, False
        return labels, missing
    if rule.number:
        numbers, _ = numbers_of(column)
        return numbers, ~np.isfinite(numbers)
    if rule.equals is not None:
        positive, missing = equal_to(column, rule.equals)
        return positive.astype(np.uint8), missing
    assert rule.above is not None  # a rule has one of the two
    numbers, _ = numbers_of(column)
    with np.errstate(invalid="ignore"):
        return (numbers > rule.above).astype(np.uint8), ~np.isfinite(numbers)


def _check_enough(
    registration: Registration, rows_in_file: int, usable: int, rejects: _Rejects, reject_file: Path
) -> None:
    path = registration.path
    if rows_in_file == 0:
        raise DatasetError(f"{path} has no rows")
    consenting = rows_in_file - rejects.counts[NO_CONSENT]
    if consenting == 0:
        raise DatasetError(
            f"no customer in {path} consents",
            f"column {registration.consent_column!r} says yes in no row, or no in another row of "
            "the same customer",
        )
    if usable < UNUSABLE_LIMIT * consenting:
        raise DatasetError(
            f"{consenting - usable} of {consenting} rows of {path} cannot be used",
            f"most often: {rejects.most_common()}; is {registration.identifier_column!r} a column "
            f"of kind {registration.identifier_kind}? reasons per row are in {reject_file}",
        )


def _left_out(table: ColumnTable, suite: Suite) -> dict[str, str | None]:
    first: dict[bytes, str] = {}
    left_out: dict[str, str | None] = {}
    for column in table.columns:
        if _is_constant(column):
            left_out[column.name] = None
            continue
        earlier = first.setdefault(_values_digest(column, suite), column.name)
        if earlier != column.name:
            left_out[column.name] = earlier
    return left_out


def _is_constant(column: Column) -> bool:
    """Tell whether no split can part the rows: one value in all of them, or none in any."""
    if column.kind == "numeric":
        missing = np.isnan(column.values)
        return bool(missing.all() or (column.values == column.values[0]).all())
    return bool((column.values == column.values[0]).all())


def _values_digest(column: Column, suite: Suite) -> bytes:
    """Return a digest that two columns share only if all their values are the same."""
    if column.kind == "numeric":
        # One zero and one not-a-number: both have several representations.
        values = np.where(np.isnan(column.values), np.nan, column.values + 0.0)
        return suite.hash(b"numeric", values.tobytes())
    codes, levels = pd.factorize(column.values)
    return suite.hash(b"categorical", codes.tobytes(), msgspec.msgpack.encode(list(levels)))
