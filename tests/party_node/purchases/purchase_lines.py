"""Purchase lines on disk, their registration and terms, and what reading them gave."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from party_node.purchases import (
    LineColumns,
    PreparedPurchases,
    PurchaseRegistration,
    feature_names,
    training_table,
)
from protocols.session.horizontal_terms import PurchaseTerms
from protocols.suite import get_suite

SUITE = get_suite("gm")
CUT = date(2024, 3, 10)
CATEGORIES = ("food", "toys")
HEADER = ("customer", "day", "receipt", "kind", "pieces", "amount", "off")
COLUMNS = LineColumns(
    time="day",
    basket="receipt",
    category="kind",
    quantity="pieces",
    amount="amount",
    discount="off",
)


@dataclass(frozen=True)
class Line:
    """One line; the day counts from the cut."""

    customer: str
    day: int
    receipt: str = ""
    kind: str = ""
    pieces: str = "1"
    amount: str = "10"
    off: str = ""

    def cells(self) -> tuple[str, ...]:
        who, day, *rest = astuple(self)
        return (who, (CUT + timedelta(days=day)).isoformat(), *rest)


def terms(**changes: Any) -> PurchaseTerms:
    categories = changes.pop("categories", CATEGORIES)
    given: dict[str, Any] = {
        "rules": "purchases/1",
        "cut": CUT.isoformat(),
        "horizon_days": 10,
        "active_days": 20,
        "history_days": 60,
        "categories": categories,
        "columns": feature_names(categories),
    }
    return PurchaseTerms(**(given | changes))


def registered(path: Path, **changes: Any) -> PurchaseRegistration:
    given: dict[str, Any] = {
        "name": "till",
        "path": str(path),
        "identifier_column": "customer",
        "columns": COLUMNS,
        "allowed_purposes": ("churn",),
        "label_purpose": "churn",
        "minimum_contributors": 3,
        "complete_until": "2024-03-31",
    }
    return PurchaseRegistration(**(given | changes))


def written(
    path: Path, lines: Iterable[Line | Sequence[str]], header: Sequence[str] = HEADER
) -> Path:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(line.cells() if isinstance(line, Line) else line for line in lines)
    return path


def prepared(
    path: Path, agreed: PurchaseTerms | None = None, **registration: Any
) -> PreparedPurchases:
    return training_table(
        registered(path, **registration), agreed or terms(), SUITE, path.parent / "rejects.csv"
    )


def by_customer(made: PreparedPurchases) -> dict[str, dict[str, float]]:
    """Return each customer's features and, as ``label``, its label."""
    table = made.table
    return {
        identifier.decode(): dict(zip(table.columns, row.tolist(), strict=True))
        | {"label": float(label)}
        for identifier, row, label in zip(made.identifiers, table.values, table.labels, strict=True)
    }


def rejects_of(path: Path) -> list[tuple[int, str, str]]:
    with (path.parent / "rejects.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["row", "reason", "column"]
    return [(int(row), reason, column) for row, reason, column in rows]
