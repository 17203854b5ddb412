"""What a node knows of a purchase file: where it is, which columns are what, what it may serve."""

from __future__ import annotations

from collections import Counter
from datetime import date

import msgspec

from protocols.identifiers import IdentifierKind
from protocols.session.horizontal_terms import MAX_PARTIES


class LineColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's own column names for what a purchase line holds; None where it has no such."""

    time: str
    """An ISO date, with or without a time of day; only the day is used."""
    amount: str | None = None
    """What the line came to, after discounts; negative for a return. Or ``unit_price``."""
    unit_price: str | None = None
    """Price of one, multiplied by the quantity (which is then negative for a return)."""
    quantity: str | None = None
    basket: str | None = None
    """The receipt's or invoice's number; without it a customer has one basket a day."""
    category: str | None = None
    """The product's category in the words all parties agreed on; any other word is another one."""
    discount: str | None = None
    """How much less than the full price the line cost; its sign is ignored, empty is 0."""

    def __post_init__(self) -> None:
        """Refuse a mapping from which a line's amount cannot be told."""
        if (self.amount is None) == (self.unit_price is None):
            raise ValueError("name the column of the amount, or those of unit_price and quantity")
        if self.unit_price is not None and self.quantity is None:
            raise ValueError("unit_price needs quantity: the amount is their product")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are there."""
        return tuple(name for name in msgspec.structs.astuple(self) if name is not None)


class PurchaseRegistration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of purchase lines as its owner registered it; kept on the node, never sent."""

    name: str
    path: str
    """CSV, CSV.gz or Parquet, one line for each product of each purchase."""
    identifier_column: str
    """The customer's number."""
    identifier_kind: IdentifierKind = "opaque"
    columns: LineColumns
    cancelled_prefix: str | None = None
    """Baskets whose number begins so were cancelled and did not happen."""
    complete_until: str | None = None
    """The last day the file is complete for, where that is later than its last line's."""
    consent_column: str | None = None
    """A yes or no per line; customers who do not say yes in every line of theirs are left out."""
    allowed_purposes: tuple[str, ...]
    """What the customers were told their data is used for, by this node's own record."""
    label_purpose: str
    """The purpose that knowing who left serves."""
    minimum_contributors: int
    """The fewest parties this node adds its part to; a job's may only be stricter."""

    def __post_init__(self) -> None:
        """Refuse a registration that contradicts itself; the file is looked at when it is read."""
        for field in ("name", "path", "identifier_column", "label_purpose"):
            if not getattr(self, field):
                raise ValueError(f"{field} is empty")
        if not self.allowed_purposes:
            raise ValueError("allowed_purposes is empty: the file could be used for nothing")
        twice = [name for name, uses in Counter(self.columns_read).items() if uses > 1]
        if twice:
            raise ValueError(
                f"column {twice[0]!r} is used twice; every use has a column of its own"
            )
        if "" in self.columns_read:
            raise ValueError("a column's name is empty; leave out what the file does not have")
        if self.cancelled_prefix is not None and (
            not self.cancelled_prefix or self.columns.basket is None
        ):
            raise ValueError("cancelled_prefix is how a basket's number begins: name its column")
        if not 2 <= self.minimum_contributors <= MAX_PARTIES:
            raise ValueError(f"minimum_contributors must be in [2, {MAX_PARTIES}]")
        if self.complete_until is not None:
            try:
                valid = date.fromisoformat(self.complete_until).isoformat() == self.complete_until
            except ValueError:
                valid = False
            if not valid:
                raise ValueError("complete_until must be a date such as 2017-12-31")

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Names of all columns that are read from the file."""
        consent = () if self.consent_column is None else (self.consent_column,)
        return (self.identifier_column, *consent, *self.columns.names)
