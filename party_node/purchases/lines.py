"""Purchase lines as arrays: who, which day, how much; what cannot be used is rejected."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.table import Floats, Rows
from party_node.column_values import booleans, check_type, column_values, numbers_of, texts_of
from party_node.errors import DatasetError
from party_node.purchases.line_file import read_line_file
from party_node.purchases.registration import PurchaseRegistration
from party_node.purchases.rejects import BY_RULE, CANCELLED, NO_CONSENT, Rejects
from party_node.table_files import TableFile
from protocols.identifiers import MISSING_IDENTIFIER, normalise_many
from protocols.session.job_spec import ColumnKind
from protocols.suite import Suite

UNUSABLE_LIMIT = 0.5
FIRST_DAY, LAST_DAY = -25_567, 84_006
"""1900-01-01 and 2199-12-31, as days since 1970-01-01; what lies outside is a slip of the pen."""
MAX_AMOUNT = 1e12
"""Beyond it nothing was bought by a person; with the bound every sum is finite."""

_Codes: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PurchaseLines:
    """Usable lines in the order of the file: place i of every array is one line."""

    digest: bytes
    lines_in_file: int
    rows: Rows = field(repr=False)
    """int64: 1-based number of the line's row in the file."""
    identifiers: list[bytes] = field(repr=False)
    """Normalised customer numbers; they stay on the node."""
    customer: _Codes = field(repr=False)
    """int64: place of the customer in ``identifiers``."""
    day: _Codes = field(repr=False)
    """int64: days since 1970-01-01."""
    amount: Floats = field(repr=False)
    """float64, finite; above 0 for a purchase, below for a return."""
    quantity: Floats = field(repr=False)
    """float64, finite; 1 where the file has no quantities."""
    discount: Floats = field(repr=False)
    """float64, finite, at least 0."""
    basket: _Codes = field(repr=False)
    """int64: lines of one customer with one value are one basket."""
    categories: list[str] = field(repr=False)
    category: _Codes = field(repr=False)
    """int64: place in ``categories``, -1 where there is none."""


def read_lines(
    registration: PurchaseRegistration, suite: Suite, reject_file: Path
) -> tuple[PurchaseLines, dict[str, int]]:
    """Read the registered file; write ``reject_file``; return the lines and rejects by reason.

    Raises :class:`DatasetError` for a file that cannot be read, a missing column, or when more
    than half of the lines that are there to be used cannot be (a wrong setting, not bad lines).
    """
    path = Path(registration.path)
    file = read_line_file(path, list(registration.columns_read), suite)
    _check_types(path, registration, file.table)
    rejects = Rejects(len(file.rows))
    rejects.broken(np.array(file.broken, dtype=np.int64), "wrong_number_of_fields")
    lines = _usable(registration, file, rejects)
    rejects.write(reject_file)
    _check_enough(registration, file.rows_in_file, len(lines.rows), rejects, reject_file)
    return lines, rejects.counts


def _usable(registration: PurchaseRegistration, file: TableFile, rejects: Rejects) -> PurchaseLines:
    table, rows, columns = file.table, file.rows, registration.columns
    identifiers, customer = _customers(registration, file, rejects)
    if columns.basket is not None and registration.cancelled_prefix is not None:
        numbers, codes = _distinct(table[columns.basket])
        prefix = registration.cancelled_prefix
        cancelled = np.array([(number or "").startswith(prefix) for number in numbers], dtype=bool)
        rejects.lines(cancelled[codes], rows, CANCELLED, columns.basket)
    day = _days(table[columns.time], rows, rejects, columns.time)

    def numbers_in(name: str | None, missing: float | None, bound: float) -> Floats:
        if name is None:
            return np.full(len(rows), missing, dtype=np.float64)
        values, absent = numbers_of(table[name])
        if missing is None:
            rejects.lines(absent, rows, "missing_number", name)
        else:
            values = np.where(absent, missing, values)
        rejects.lines(~np.isfinite(values), rows, "not_a_number", name)
        with np.errstate(invalid="ignore"):
            rejects.lines(np.abs(values) > bound, rows, "number_out_of_range", name)
        return values

    if columns.unit_price is None:
        quantity = numbers_in(columns.quantity, 1.0, MAX_AMOUNT)
        amount = numbers_in(columns.amount, None, MAX_AMOUNT)
    else:
        quantity = numbers_in(columns.quantity, None, MAX_AMOUNT)
        amount = numbers_in(columns.unit_price, None, MAX_AMOUNT)
        with np.errstate(invalid="ignore", over="ignore"):
            amount = amount * quantity
            rejects.lines(np.abs(amount) > MAX_AMOUNT, rows, "number_out_of_range", "unit_price")
    discount = np.abs(numbers_in(columns.discount, 0.0, MAX_AMOUNT))
    good = rejects.usable
    names, category = _categories(table, columns.category)
    return PurchaseLines(
        digest=file.digest,
        lines_in_file=file.rows_in_file,
        rows=rows[good],
        identifiers=identifiers,
        customer=customer[good],
        day=day[good],
        amount=amount[good],
        quantity=np.abs(quantity[good]),
        discount=discount[good],
        basket=_baskets(table, columns.basket, day)[good],
        categories=names,
        category=category[good],
    )


def _customers(
    registration: PurchaseRegistration, file: TableFile, rejects: Rejects
) -> tuple[list[bytes], _Codes]:
    """Return the distinct customers, and each line's place among them (-1 for none)."""
    name = registration.identifier_column
    texts, codes = _distinct(file.table[name])
    spellings, reasons = normalise_many(registration.identifier_kind, texts)
    places: dict[bytes, int] = {}
    of_text = np.full(len(texts), -1, dtype=np.int64)
    for at, spelling in enumerate(spellings):
        if spelling is not None:
            of_text[at] = places.setdefault(spelling, len(places))
    customer = of_text[codes]
    if registration.consent_column is not None:
        _refuse_without_consent(registration.consent_column, file, customer, len(places), rejects)
    for reason in sorted({str(why) for why in reasons if why is not None}):
        found = np.array([str(why) == reason for why in reasons], dtype=bool)
        rejects.lines(found[codes], file.rows, reason, name)
    rejects.lines(customer < 0, file.rows, MISSING_IDENTIFIER, name)
    return list(places), customer


def _refuse_without_consent(
    name: str, file: TableFile, customer: _Codes, customers: int, rejects: Rejects
) -> None:
    yes, _, _ = booleans(file.table[name])
    # Consent is the customer's, not the line's: a refusal in one holds for all of them.
    refused = np.zeros(customers + 1, dtype=bool)
    refused[customer[~yes]] = True
    refused[-1] = False  # lines of nobody say nothing of each other
    rejects.lines(~yes | refused[customer], file.rows, NO_CONSENT, name)


def _days(column: pa.ChunkedArray, rows: Rows, rejects: Rejects, name: str) -> _Codes:
    days, bad = column_values(column, "date")
    rejects.lines(bad, rows, "not_a_date", name)
    rejects.lines(np.isnan(days), rows, "missing_date", name)
    whole = np.floor(np.where(np.isfinite(days), days, 0.0)).astype(np.int64)
    rejects.lines((whole < FIRST_DAY) | (whole > LAST_DAY), rows, "date_out_of_range", name)
    return whole


def _baskets(table: pa.Table, name: str | None, day: _Codes) -> _Codes:
    """Return the baskets' numbers as codes from 0; below 0 a day's, for lines without a number."""
    of_day = FIRST_DAY - 1 - day
    if name is None:
        return of_day
    texts, codes = _distinct(table[name])
    named = np.array([text is not None for text in texts], dtype=bool)
    return np.where(named[codes], codes, of_day)


def _categories(table: pa.Table, name: str | None) -> tuple[list[str], _Codes]:
    if name is None:
        return [], np.full(table.num_rows, -1, dtype=np.int64)
    texts, codes = _distinct(table[name])
    places: dict[str, int] = {}
    of_text = np.array(
        [
            places.setdefault(text.strip(), len(places)) if text and text.strip() else -1
            for text in texts
        ],
        dtype=np.int64,
    )
    return list(places), of_text[codes]


def _distinct(column: pa.ChunkedArray) -> tuple[list[str | None], _Codes]:
    """Return the distinct values as texts, None last, and each line's place in that list."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return [None], np.empty(0, dtype=np.int64)
    texts = texts_of(pa.chunked_array([column.chunk(0).dictionary]))
    codes = [
        chunk.indices.cast(pa.int64()).fill_null(len(texts)).to_numpy(zero_copy_only=False)
        for chunk in column.chunks
    ]
    return [*texts, None], np.concatenate(codes)


def _check_types(path: Path, registration: PurchaseRegistration, table: pa.Table) -> None:
    columns = registration.columns
    kinds: dict[str, ColumnKind] = {columns.time: "date"}
    for name in (columns.amount, columns.unit_price, columns.quantity, columns.discount):
        if name is not None:
            kinds[name] = "numeric"
    for name in registration.columns_read:
        check_type(path, name, table.schema.field(name).type, kinds.get(name, "categorical"))


def _check_enough(
    registration: PurchaseRegistration, lines: int, usable: int, rejects: Rejects, file: Path
) -> None:
    path = registration.path
    if lines == 0:
        raise DatasetError(f"{path} has no lines")
    by_rule = {reason: rejects.counts.get(reason, 0) for reason in BY_RULE}
    to_use = lines - sum(by_rule.values())
    if to_use == 0:
        raise DatasetError(
            f"no line of {path} is left",
            f"{by_rule[NO_CONSENT]} are of customers who do not consent, "
            f"{by_rule[CANCELLED]} of cancelled baskets",
        )
    if usable < UNUSABLE_LIMIT * to_use:
        raise DatasetError(
            f"{to_use - usable} of {to_use} lines of {path} cannot be used",
            f"most often: {rejects.most_common()}; is the column mapping right? "
            f"reasons per line are in {file}",
        )
