"""Made purchases of any number of retailers: for measuring and testing, never for a finding.

Nobody in it exists. A customer buys at random days, at a pace of its own, from the day it joins
until, perhaps, the day it leaves (a Poisson process while alive, Schmittlein, Morrison and Colombo
1987). In the weeks before it leaves it buys less often, less at a time and more at a discount, so
that who leaves can be told in part. Retailers differ in pace, prices and how many leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from party_node.purchases import LineColumns, feature_names
from party_node.purchases.features import EPOCH
from protocols.session.horizontal_terms import PurchaseTerms
from protocols.suite import RandomStream, Suite
from simulations.samples.drawing import Floats, normals, uniforms
from simulations.samples.purchase_files import PartyFile, PurchaseSample, SplitError, retailer_ids

MIN_CUSTOMERS, MAX_CUSTOMERS = 20, 20_000
CUT = "2025-11-30"
HORIZON_DAYS = 30
ACTIVE_DAYS = 90
HISTORY_DAYS = 300
CATEGORIES = ("made food", "made home", "made garden", "made toys")
OTHER_CATEGORIES = ("made books", "made gifts")
IDENTIFIER = "customer"
COLUMNS = LineColumns(
    time="day",
    amount="amount",
    quantity="quantity",
    basket="receipt",
    category="category",
    discount="discount",
)
PROVENANCE = (
    "All purchases are made: a generator drew the customers, their days and baskets, and who "
    "leaves. Nobody in them exists.",
)
LIMITS = (
    "What the purchases tell of who leaves was put in by the generator. The figures show that the "
    "software finds it and what that costs, and nothing about any market.",
)

_DAYS = HISTORY_DAYS + HORIZON_DAYS
_FADING_DAYS = 50
_MOST_LINES = 6
_RETURNED_PER_MILLE = 8
_Ints = npt.NDArray[np.int64]


def terms() -> PurchaseTerms:
    """Return terms that suit the data."""
    return PurchaseTerms(
        rules="purchases/1",
        cut=CUT,
        horizon_days=HORIZON_DAYS,
        active_days=ACTIVE_DAYS,
        history_days=HISTORY_DAYS,
        categories=CATEGORIES,
        columns=feature_names(CATEGORIES),
    )


def write(folder: Path, *, seed: int, suite: Suite, parties: int, customers: int) -> PurchaseSample:
    """Write ``<party>.parquet`` for each retailer, with the purchases of ``customers`` each.

    Files of the same arguments hold the same purchases. Raises :class:`SplitError` for numbers
    outside the limits.
    """
    if not MIN_CUSTOMERS <= customers <= MAX_CUSTOMERS:
        raise SplitError(
            f"a made retailer has {MIN_CUSTOMERS} to {MAX_CUSTOMERS} customers, not {customers}"
        )
    ids = retailer_ids(parties)
    last = date.fromisoformat(CUT) + timedelta(days=HORIZON_DAYS)
    key = suite.hash(b"fedcrm/sample/made_purchases/v1\x00", seed.to_bytes(8, "big"))
    folder.mkdir(parents=True, exist_ok=True)
    for party in ids:
        table = _retailer(party, customers, suite.stream(key, party.encode()))
        pq.write_table(table, folder / f"{party}.parquet")
    files = tuple(
        PartyFile(party, f"{party}.parquet", IDENTIFIER, COLUMNS, last.isoformat()) for party in ids
    )
    return PurchaseSample(files, terms(), PROVENANCE, LIMITS)


@dataclass(frozen=True)
class _Visits:
    """One purchase of somebody on some day; place i of every array is one."""

    customer: _Ints
    day: Floats
    """From 0, the first day of the history."""
    fading: npt.NDArray[np.bool_]
    """Whether the customer is about to leave."""


def _retailer(party: str, customers: int, stream: RandomStream) -> pa.Table:
    pace_here, price_here, leaving_here = normals(stream, 3)
    # Days between purchases, without leaving: half of the customers between 7 and 15.
    interval = np.exp(2.3 + 0.15 * pace_here + 0.6 * normals(stream, customers)).clip(2, 60)
    visits = _visits(interval, 1 / 260 * np.exp(0.25 * leaving_here), stream)
    budget = np.exp(1.3 + 0.3 * price_here + 0.5 * normals(stream, customers))
    return _lines(party, visits, budget, stream)


def _visits(interval: Floats, leaving_rate: float, stream: RandomStream) -> _Visits:
    customers = len(interval)
    joined = np.where(
        uniforms(stream, customers) < 0.6, 0.0, 0.8 * HISTORY_DAYS * uniforms(stream, customers)
    )
    left = joined - np.log(uniforms(stream, customers)) / leaving_rate
    # As many exponential waits as the quickest could need; what falls after the end is cut off.
    most = int(1.5 * _DAYS / interval.min()) + 20
    waits = -np.log(uniforms(stream, customers, most)) * interval[:, None]
    days = joined[:, None] + np.cumsum(waits, axis=1)
    fading = days > left[:, None] - _FADING_DAYS
    skipped = fading & (uniforms(stream, customers, most) < 0.45)
    who, which = np.nonzero((days < np.minimum(left, _DAYS)[:, None]) & ~skipped)
    return _Visits(who.astype(np.int64), days[who, which], fading[who, which])


def _lines(party: str, visits: _Visits, budget: Floats, stream: RandomStream) -> pa.Table:
    names = (*CATEGORIES, *OTHER_CATEGORIES)
    count = len(visits.day)
    wanted = 1 + _MOST_LINES * uniforms(stream, count) ** 2 * np.where(visits.fading, 0.6, 1.0)
    receipt = np.repeat(np.arange(count), wanted.astype(np.int64))
    lines = len(receipt)
    customer = visits.customer[receipt]
    # Each customer has a taste; one line in three follows it.
    taste = (uniforms(stream, len(budget)) * len(names)).astype(np.int64)
    any_of_them = (uniforms(stream, lines) * len(names)).astype(np.int64)
    category = np.where(uniforms(stream, lines) < 1 / 3, taste[customer], any_of_them)
    quantity = 1 + (3 * uniforms(stream, lines) ** 3).astype(np.int64)
    full = budget[customer] * quantity * np.exp(0.4 * normals(stream, lines))
    bargain = uniforms(stream, lines) < np.where(visits.fading[receipt], 0.45, 0.25)
    discount = np.where(bargain, 0.3 * uniforms(stream, lines), 0.0) * full
    returned = uniforms(stream, lines) * 1000 < _RETURNED_PER_MILLE
    first = (date.fromisoformat(CUT) - EPOCH).days - HISTORY_DAYS + 1
    identifiers = pa.array([f"{party}/{number:06d}" for number in range(len(budget))])
    return pa.table(
        {
            IDENTIFIER: identifiers.take(pa.array(customer)),
            "day": pa.array((first + visits.day[receipt]).astype(np.int32)).cast(pa.date32()),
            "receipt": pa.array(receipt),
            "category": pa.array(names).take(pa.array(category)),
            "quantity": pa.array(quantity),
            "amount": pa.array(np.round(np.where(returned, -1, 1) * (full - discount), 2)),
            "discount": pa.array(np.round(discount, 2)),
        }
    )
