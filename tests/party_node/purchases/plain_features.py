"""The features of SPEC.md §4 for one customer, written from it line by line, without pandas."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from tests.party_node.purchases.purchase_lines import Line


def plain_features(
    lines: Sequence[Line], *, horizon: int, history: int, categories: Sequence[str]
) -> dict[str, float]:
    """Return the features of a customer's usable lines; the days count from the cut."""
    seen = [line for line in lines if -history < line.day <= 0]
    bought = [line for line in seen if float(line.amount) > 0]
    back = [line for line in seen if float(line.amount) < 0]
    days = sorted({line.day for line in bought})
    gaps = [after - before for before, after in pairwise(days)]
    m = statistics.fmean(gaps) if gaps else history
    s = statistics.pstdev(gaps) if gaps else 0.0
    r = -days[-1]
    spent = math.fsum(float(line.amount) for line in bought)
    baskets: dict[object, list[Line]] = {}
    for line in bought:
        baskets.setdefault(line.receipt or line.day, []).append(line)

    def days_in(first: int, last: int) -> float:
        return math.log1p(sum(first <= day <= last and day > -history for day in days))

    def spent_in(first: int, last: int) -> float:
        return math.log1p(
            math.fsum(float(line.amount) for line in bought if first <= line.day <= last)
        )

    middle = days[0] / 2
    later = sum(day > middle for day in days)
    off = math.fsum(abs(float(line.off or 0)) for line in bought)
    returned = -math.fsum(float(line.amount) for line in back)
    shares = {
        name: math.fsum(float(line.amount) for line in bought if line.kind.strip() == name) / spent
        for name in categories
    }
    recent, previous = (1 - horizon, 0), (1 - 2 * horizon, -horizon)
    return {
        "recency_days": math.log1p(r),
        "tenure_days": math.log1p(-days[0]),
        "purchase_days": math.log1p(len(days)),
        "baskets": math.log1p(len(baskets)),
        "spent": math.log1p(spent),
        "interval_mean": math.log1p(m),
        "interval_deviation": math.log1p(s),
        "recency_in_intervals": math.log1p(r / m),
        "overdue": (r - m) / (s + m),
        "basket_lines": math.log1p(len(bought) / len(baskets)),
        "basket_quantity": math.log1p(
            math.fsum(abs(float(line.pieces or 1)) for line in bought) / len(baskets)
        ),
        "basket_value": math.log1p(spent / len(baskets)),
        "recent_days": days_in(*recent),
        "recent_spent": spent_in(*recent),
        "trend_days": days_in(*recent) - days_in(*previous),
        "trend_spent": spent_in(*recent) - spent_in(*previous),
        "half_trend": math.log1p(later) - math.log1p(len(days) - later),
        "discount_share": off / (off + spent),
        "returned_share": returned / (returned + spent),
        "return_lines": math.log1p(len(back)),
        "categories_seen": math.log1p(len({x.kind.strip() for x in bought if x.kind.strip()})),
        **{f"share: {name}": share for name, share in shares.items()},
        "share_of_others": 1 - math.fsum(shares.values()),
    }


def plain_label(lines: Sequence[Line], *, horizon: int) -> float:
    """Return 1 for a customer who bought nothing in the horizon."""
    return float(not any(0 < line.day <= horizon and float(line.amount) > 0 for line in lines))


def plain_active(lines: Sequence[Line], *, active: int) -> bool:
    """Tell whether a customer bought anything in the active days."""
    return any(-active < line.day <= 0 and float(line.amount) > 0 for line in lines)
