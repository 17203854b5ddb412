"""From a registered purchase file to the table a horizontal job trains on, inside the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from models.horizontal.table import TrainingTable
from party_node.errors import DatasetError
from party_node.purchases.features import (
    EPOCH,
    OTHER_SHARE,
    Windows,
    customer_features,
    feature_names,
    share_of,
    windows,
)
from party_node.purchases.lines import PurchaseLines, read_lines
from party_node.purchases.registration import PurchaseRegistration
from protocols.arguments import ITEM_BYTES
from protocols.identifiers import protocol_inputs
from protocols.session.horizontal_terms import PurchaseTerms
from protocols.suite import Suite


@dataclass(frozen=True)
class PurchaseFacts:
    """What a node's log may say of a prepared file: counts, days and a digest."""

    digest: bytes
    """Of the file as it was read."""
    lines_in_file: int
    lines_used: int
    first_day: str
    """ISO date of the first usable line; later than the history's begin, features see less."""
    last_day: str
    """ISO date of the last usable line."""
    customers_in_file: int
    """Customers with a usable line on any day."""
    customers: int
    """Those active at the cut: the rows of the table."""
    churned: int
    """Of them, those who bought nothing in the horizon after it."""


@dataclass(frozen=True)
class PreparedPurchases:
    """A party's own customers at the cut, ready to learn from; row i is the same in every part."""

    table: TrainingTable = field(repr=False)
    identifiers: list[bytes] = field(repr=False)
    """Normalised customer numbers; they stay on the node."""
    rejected: dict[str, int]
    """Rejected lines by reason."""
    facts: PurchaseFacts


def training_table(
    registration: PurchaseRegistration, terms: PurchaseTerms, suite: Suite, reject_path: Path
) -> PreparedPurchases:
    """Read the file and make features and labels by rules ``purchases/1`` (SPEC.md).

    Rows are in the order of the customers' digests. Lines that cannot be used go to
    ``reject_path`` (CSV: row, reason, column). Raises :class:`DatasetError` if the terms ask for
    what the file cannot give: a feature without its column, days it does not reach.
    """
    _check_columns(registration, terms)
    lines, rejected = read_lines(registration, suite, reject_path)
    days = windows(terms)
    _check_reaches(registration, lines, days)
    active = (lines.day >= days.active[0]) & (lines.day <= days.active[1]) & (lines.amount > 0)
    if not active.any():
        raise DatasetError(
            f"no customer in {registration.path} bought anything in the {terms.active_days} days "
            f"up to {terms.cut}",
            "is the cut a day of this file?",
        )
    features = customer_features(lines, terms)
    places = features.values.index.to_numpy()
    came_back = np.zeros(len(lines.identifiers), dtype=bool)
    after = (lines.day >= days.outcome[0]) & (lines.day <= days.outcome[1]) & (lines.amount > 0)
    came_back[lines.customer[after]] = True
    labels = (~came_back[places]).astype(np.uint8)

    identifiers = [lines.identifiers[place] for place in places]
    digests = protocol_inputs(suite, registration.identifier_kind, identifiers)
    # Not the order of the file: lines after the cut would move it.
    order = np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)
    values = features.values[list(terms.columns)].to_numpy(dtype=np.float64)
    customers = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, ITEM_BYTES)
    return PreparedPurchases(
        table=TrainingTable(
            columns=terms.columns,
            values=np.ascontiguousarray(values[order]),
            labels=labels[order],
            customers=np.ascontiguousarray(customers[order]),
            source_rows=features.first_rows[order],
        ),
        identifiers=[identifiers[place] for place in order],
        rejected=rejected,
        facts=PurchaseFacts(
            digest=lines.digest,
            lines_in_file=lines.lines_in_file,
            lines_used=len(lines.rows),
            first_day=_iso(int(lines.day.min())),
            last_day=_iso(int(lines.day.max())),
            customers_in_file=len(np.unique(lines.customer)),
            customers=len(places),
            churned=int(labels.sum()),
        ),
    )


def _check_columns(registration: PurchaseRegistration, terms: PurchaseTerms) -> None:
    there = feature_names(terms.categories)
    unknown = [name for name in terms.columns if name not in there]
    if unknown:
        raise DatasetError(
            f"the job asks for {unknown[0]!r}, which rules {terms.rules} do not make",
            f"they make: {', '.join(there)}",
        )
    columns = registration.columns
    shares = (OTHER_SHARE, *map(share_of, terms.categories))
    needs = {"discount_share": "discount", "basket_quantity": "quantity"}
    needs |= dict.fromkeys((*shares, "categories_seen"), "category")
    for name in terms.columns:
        if name in needs and getattr(columns, needs[name]) is None:
            raise DatasetError(
                f"the job's column {name!r} needs a column {needs[name]} in {registration.path}",
                f"name it in the registration of {registration.name}, or agree on other columns",
            )


def _check_reaches(registration: PurchaseRegistration, lines: PurchaseLines, days: Windows) -> None:
    """Refuse a file that ends before the horizon does: who is silent in it may have come back."""
    last = int(lines.day.max())
    if registration.complete_until is not None:
        last = max(last, (EPOCH.fromisoformat(registration.complete_until) - EPOCH).days)
    if last < days.outcome[1]:
        raise DatasetError(
            f"{registration.path} ends on {_iso(last)}; who left by {_iso(days.outcome[1])}, the "
            "end of the horizon, cannot be told from it",
            "agree on an earlier cut or a shorter horizon, or bring a newer file; a file without "
            "a sale on its last days says so with complete_until",
        )


def _iso(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()
