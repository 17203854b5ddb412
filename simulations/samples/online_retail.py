"""The UCI table "Online Retail" from the user's own copy, its customers given to retailers.

541,909 invoice lines of a British mail-order shop for gifts, from 2010-12-01 to 2011-12-09 (Chen,
Sain and Guo 2012; UCI Machine Learning Repository, data set 352). The table does not come with
FedCRM. It is ``online_retail.csv.gz`` (or ``.csv``) with the columns of :data:`SOURCE_COLUMNS`.
Many of its customers are shops themselves.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from party_node.purchases import LineColumns, feature_names
from protocols.session.horizontal_terms import PurchaseTerms
from protocols.suite import RandomStream, Suite
from simulations.samples.credit_data import SampleUnavailable
from simulations.samples.purchase_files import PartyFile, PurchaseSample, SplitError, retailer_ids
from simulations.samples.purchase_splits import at_random

Split: TypeAlias = Literal["random", "country"]
"""How customers become several retailers'."""
Horizon: TypeAlias = Literal[30, 90]

SOURCE_COLUMNS = (
    "InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
HOME_COUNTRY = "United Kingdom"
PARTIES = 4
IDENTIFIER = "CustomerID"
LAST_DAY = "2011-12-08"
"""The last whole day; the table ends at noon of the next."""
FIRST_DAY = "2010-12-01"
ACTIVE_DAYS = 90
COLUMNS = LineColumns(
    time="InvoiceDate",
    unit_price="UnitPrice",
    quantity="Quantity",
    basket="InvoiceNo",
    category="StockCode",
)
NOT_TOLD = ("discount_share", "share_of_others")
"""Features the table cannot give: it has no discounts, and its products no categories."""

PROVENANCE = (
    "The invoice lines are real: a British mail-order shop for gifts, December 2010 to December "
    "2011 (UCI Machine Learning Repository, Online Retail).",
)
_SPLITS = {
    "random": (
        "The retailers are not separate organisations: that one shop's customers were given to "
        "them at random, so that their customers are alike."
    ),
    "country": (
        "The retailers are not separate organisations: one has that shop's customers outside the "
        "United Kingdom, the others share the ones inside at random."
    ),
}
LIMITS = (
    "Many of this shop's customers are shops that order a few times a year: most of those who "
    "count as having left after 30 days order again later.",
    "A quarter of the lines name no customer. They are rejected at each node, and who made these "
    "purchases is in no table.",
)


class SourceUnusable(SampleUnavailable):
    """The user's copy of the table is not there, or is not that table."""

    hint = (
        "bring the UCI table Online Retail as CSV, with the columns "
        f"{', '.join(SOURCE_COLUMNS)} and ISO dates"
    )


def terms(horizon_days: Horizon) -> PurchaseTerms:
    """Return terms that suit the data: the cut is the last with a whole horizon after it."""
    cut = date.fromisoformat(LAST_DAY) - timedelta(days=horizon_days)
    return PurchaseTerms(
        rules="purchases/1",
        cut=cut.isoformat(),
        horizon_days=horizon_days,
        active_days=ACTIVE_DAYS,
        history_days=(cut - date.fromisoformat(FIRST_DAY)).days + 1,
        categories=(),
        columns=tuple(name for name in feature_names(()) if name not in NOT_TOLD),
    )


def said(split: Split) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return provenance and limits of the sample split in this way; raises :class:`SplitError`."""
    if split not in _SPLITS:
        raise SplitError(f"split = {split!r} is none: {' or '.join(get_args(Split))}")
    return (*PROVENANCE, _SPLITS[split]), LIMITS


def write(
    folder: Path,
    *,
    source: Path,
    seed: int,
    suite: Suite,
    parties: int = PARTIES,
    split: Split = "country",
    horizon_days: Horizon = 90,
) -> PurchaseSample:
    """Write ``<party>.parquet`` for each retailer from the table in the file ``source``.

    ``split``: ``country`` (the first retailer has the customers abroad, the others share the
    British ones) or ``random``. Lines without a customer go where the rest of their invoice's
    country goes, at random. Raises :class:`SourceUnusable` if ``source`` is not the table, and
    :class:`SplitError`.
    """
    provenance, limits = said(split)
    ids = retailer_ids(parties)
    lines = _read(source)
    key = suite.hash(b"fedcrm/sample/online_retail/v1\x00", seed.to_bytes(8, "big"))
    # Lines of no customer belong to somebody all the same: to whoever the invoice is one of.
    buyer = lines[IDENTIFIER].where(lines[IDENTIFIER].notna(), "invoice " + lines["InvoiceNo"])
    abroad = (lines["Country"] != HOME_COUNTRY).groupby(buyer).any()
    retailer = _retailers(abroad, parties, split, suite.stream(key, split.encode()))
    owner = buyer.map(retailer).to_numpy()
    folder.mkdir(parents=True, exist_ok=True)
    held = lines.drop(columns="Country")
    for place, party in enumerate(ids):
        table = pa.Table.from_pandas(held[owner == place], preserve_index=False)
        pq.write_table(table, folder / f"{party}.parquet")
    files = tuple(
        PartyFile(party, f"{party}.parquet", IDENTIFIER, COLUMNS, LAST_DAY) for party in ids
    )
    return PurchaseSample(files, terms(horizon_days), provenance, limits)


def _read(source: Path) -> pd.DataFrame:
    try:
        lines = pd.read_csv(
            source,
            usecols=list(SOURCE_COLUMNS),
            dtype={name: str for name in SOURCE_COLUMNS if name not in ("Quantity", "UnitPrice")},
        )
        lines["InvoiceDate"] = pd.to_datetime(lines["InvoiceDate"])
    except FileNotFoundError:
        raise SourceUnusable(f"there is no file {source}") from None
    except (OSError, ValueError, EOFError):
        # The reader's text can quote a line.
        raise SourceUnusable(f"{source} is not the table Online Retail") from None
    return lines


def _retailers(
    abroad: pd.Series[bool], parties: int, split: Split, stream: RandomStream
) -> pd.Series[int]:
    """Return the place of the retailer that has each buyer, by buyer."""
    if split == "random":
        return pd.Series(at_random(len(abroad), parties, stream), index=abroad.index)
    places = np.zeros(len(abroad), dtype=np.int64)
    inside = ~abroad.to_numpy()
    places[inside] = 1 + at_random(int(inside.sum()), parties - 1, stream)
    return pd.Series(places, index=abroad.index)
