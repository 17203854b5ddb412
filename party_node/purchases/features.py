"""What a customer's purchases up to the cut say of them: one number each, all finite (SPEC.md §4).

Every feature is a function of the lines on the ``history_days`` days up to and with the cut. A
line after the cut is not looked at here, whatever it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from models.table import Rows
from party_node.purchases.lines import PurchaseLines
from protocols.session.horizontal_terms import PurchaseTerms

BEHAVIOUR = (
    "recency_days",
    "tenure_days",
    "purchase_days",
    "baskets",
    "spent",
    "interval_mean",
    "interval_deviation",
    "recency_in_intervals",
    "overdue",
    "basket_lines",
    "basket_quantity",
    "basket_value",
    "recent_days",
    "recent_spent",
    "trend_days",
    "trend_spent",
    "half_trend",
    "discount_share",
    "returned_share",
    "return_lines",
    "categories_seen",
)
"""Features that need no agreed category."""
OTHER_SHARE = "share_of_others"
_SHARE = "share: "
EPOCH = date(1970, 1, 1)

_Window: TypeAlias = tuple[int, int]


def share_of(category: str) -> str:
    """Return the name of the feature that is ``category``'s share of a customer's spending."""
    return _SHARE + category


def feature_names(categories: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all features the rules make, with these agreed categories."""
    return (*BEHAVIOUR, *map(share_of, categories), OTHER_SHARE)


@dataclass(frozen=True)
class Windows:
    """The days the terms look at, as days since 1970-01-01; both ends belong to a window."""

    cut: int
    history: _Window
    active: _Window
    outcome: _Window
    recent: _Window
    previous: _Window


def windows(terms: PurchaseTerms) -> Windows:
    """Return the days ``terms`` look at."""
    cut = (date.fromisoformat(terms.cut) - EPOCH).days
    step = terms.horizon_days
    return Windows(
        cut=cut,
        history=(cut - terms.history_days + 1, cut),
        active=(cut - terms.active_days + 1, cut),
        outcome=(cut + 1, cut + step),
        recent=(cut - step + 1, cut),
        previous=(cut - 2 * step + 1, cut - step),
    )


@dataclass(frozen=True)
class CustomerFeatures:
    """One row for each customer who was active at the cut."""

    values: pd.DataFrame
    """float64, a column for each feature; the index is the place in ``lines.identifiers``."""
    first_rows: Rows
    """int64: the first row of the file, in the history, that is a line of the customer."""


def customer_features(lines: PurchaseLines, terms: PurchaseTerms) -> CustomerFeatures:
    """Return every feature of the customers with a purchase on the active days up to the cut."""
    days = windows(terms)
    history = _history(lines, days)
    bought = history[history["amount"] > 0]
    by_customer = bought.groupby("customer")
    first = by_customer["day"].min()
    recency, tenure = days.cut - by_customer["day"].max(), days.cut - first
    spent = by_customer["amount"].sum()
    visits = bought[["customer", "day"]].drop_duplicates().sort_values(["customer", "day"])
    count = visits.groupby("customer").size()
    interval, deviation = _intervals(visits, terms.history_days)
    made: dict[str, pd.Series[float]] = {
        "recency_days": _log1p(recency),
        "tenure_days": _log1p(tenure),
        "purchase_days": _log1p(count),
        "spent": _log1p(spent),
        "interval_mean": _log1p(interval),
        "interval_deviation": _log1p(deviation),
        "recency_in_intervals": _log1p(recency / interval),
        "overdue": (recency - interval) / (deviation + interval),
        "half_trend": _half_trend(visits, first, days.cut),
        **_baskets(bought),
        **_trends(bought, visits, days, count.index),
        **_discounts_and_returns(history, spent),
        **_categories(bought, lines.categories, terms.categories, spent),
    }
    names = feature_names(terms.categories)
    values = pd.DataFrame({name: made[name].astype(np.float64) for name in names})
    first_rows = history.groupby("customer")["row"].min()
    return CustomerFeatures(values, first_rows.to_numpy())


def _history(lines: PurchaseLines, days: Windows) -> pd.DataFrame:
    """Return the lines in the history of the customers who are active."""
    seen = _within(lines.day, days.history)
    is_active = np.zeros(len(lines.identifiers), dtype=bool)
    is_active[lines.customer[_within(lines.day, days.active) & (lines.amount > 0)]] = True
    used = seen & is_active[lines.customer]
    return pd.DataFrame(
        {
            "customer": lines.customer[used],
            "day": lines.day[used],
            "amount": lines.amount[used],
            "quantity": lines.quantity[used],
            "discount": lines.discount[used],
            # In the order of these lines: sums over baskets are then added up in that order,
            # and a line after the cut does not move even their last bit.
            "basket": pd.factorize(lines.basket[used])[0],
            "category": lines.category[used],
            "row": lines.rows[used],
        }
    )


def _intervals(
    visits: pd.DataFrame, history_days: int
) -> tuple[pd.Series[float], pd.Series[float]]:
    """Return mean and standard deviation of the days between a customer's purchase days.

    Who bought on one day only has the whole history for an interval, and no deviation.
    """
    gaps = visits["day"].diff().where(visits["customer"].diff() == 0)
    by_customer = gaps.groupby(visits["customer"])
    return (
        by_customer.mean().fillna(float(history_days)),
        by_customer.std(ddof=0).fillna(0.0),
    )


def _half_trend(visits: pd.DataFrame, first: pd.Series[int], cut: int) -> pd.Series[float]:
    """Return the purchase days of the later half since the first one against the earlier half."""
    middle = visits["customer"].map((first + cut) / 2)
    later = (visits["day"] > middle).groupby(visits["customer"])
    return _log1p(later.sum()) - _log1p(later.size() - later.sum())


def _baskets(bought: pd.DataFrame) -> dict[str, pd.Series[float]]:
    baskets = bought.groupby(["customer", "basket"]).agg(
        lines=("amount", "size"), quantity=("quantity", "sum"), value=("amount", "sum")
    )
    per_customer = baskets.groupby("customer")
    return {
        "baskets": _log1p(per_customer.size()),
        "basket_lines": _log1p(per_customer["lines"].mean()),
        "basket_quantity": _log1p(per_customer["quantity"].mean()),
        "basket_value": _log1p(per_customer["value"].mean()),
    }


def _trends(
    bought: pd.DataFrame, visits: pd.DataFrame, days: Windows, customers: pd.Index[int]
) -> dict[str, pd.Series[float]]:
    """Return what was bought in the last horizon's length of days, and against the one before."""

    def during(window: _Window) -> tuple[pd.Series[float], pd.Series[float]]:
        on_days = visits.loc[_within(visits["day"], window)].groupby("customer").size()
        inside = bought.loc[_within(bought["day"], window)].groupby("customer")["amount"].sum()
        return (
            _log1p(on_days.reindex(customers, fill_value=0)),
            _log1p(inside.reindex(customers, fill_value=0.0)),
        )

    recent_days, recent_spent = during(days.recent)
    previous_days, previous_spent = during(days.previous)
    return {
        "recent_days": recent_days,
        "recent_spent": recent_spent,
        "trend_days": recent_days - previous_days,
        "trend_spent": recent_spent - previous_spent,
    }


def _discounts_and_returns(
    history: pd.DataFrame, spent: pd.Series[float]
) -> dict[str, pd.Series[float]]:
    discount = history[history["amount"] > 0].groupby("customer")["discount"].sum()
    returns = history[history["amount"] < 0].groupby("customer")["amount"]
    returned = -returns.sum().reindex(spent.index, fill_value=0.0)
    return {
        "discount_share": discount / (discount + spent),
        "returned_share": returned / (returned + spent),
        "return_lines": _log1p(returns.size().reindex(spent.index, fill_value=0)),
    }


def _categories(
    bought: pd.DataFrame,
    categories: list[str],
    agreed: tuple[str, ...],
    spent: pd.Series[float],
) -> dict[str, pd.Series[float]]:
    """Return shares of spending on each agreed category, on the others, and how many there are."""
    by_category = bought.groupby(["category", "customer"])["amount"].sum()
    codes = by_category.index.get_level_values("category")
    seen = by_category[codes >= 0].groupby("customer").size().reindex(spent.index, fill_value=0)
    shares: dict[str, pd.Series[float]] = {}
    for name in agreed:
        code = categories.index(name) if name in categories else len(categories)
        of_it = by_category[codes == code].droplevel("category")
        shares[share_of(name)] = of_it.reindex(spent.index, fill_value=0.0) / spent
    others = 1 - sum(shares.values(), start=spent * 0)
    return {"categories_seen": _log1p(seen), **shares, OTHER_SHARE: others.clip(lower=0.0)}


def _log1p(values: pd.Series[Any]) -> pd.Series[float]:
    """Return log(1 + value), which keeps heavy tails from ruling a linear model."""
    return pd.Series(np.log1p(values.to_numpy(dtype=np.float64)), index=values.index)


def _within(days: Any, window: _Window) -> Any:
    return (days >= window[0]) & (days <= window[1])
