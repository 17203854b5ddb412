"""What every sample of purchases gives: a file for each retailer, and terms that suit the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from party_node.purchases import LineColumns, PurchaseRegistration
from protocols.session.horizontal_terms import PurchaseTerms

MIN_RETAILERS, MAX_RETAILERS = 3, 100


class SplitError(ValueError):
    """A way to split the customers that there is not, or that these customers do not allow."""


@dataclass(frozen=True)
class PartyFile:
    """One retailer and its file of purchase lines."""

    party_id: str
    file: str
    identifier_column: str
    columns: LineColumns
    complete_until: str
    """Last day of the data, an ISO date; a small retailer may have sold nothing on it."""

    def registration(
        self,
        folder: Path,
        *,
        allowed_purposes: tuple[str, ...] = ("churn",),
        minimum_contributors: int = 3,
    ) -> PurchaseRegistration:
        """Return what the retailer's node registers of the file written into ``folder``."""
        return PurchaseRegistration(
            name=f"{self.party_id}-purchases",
            path=str(folder / self.file),
            identifier_column=self.identifier_column,
            columns=self.columns,
            complete_until=self.complete_until,
            allowed_purposes=allowed_purposes,
            label_purpose="churn",
            minimum_contributors=minimum_contributors,
        )


@dataclass(frozen=True)
class PurchaseSample:
    """What was written, and what a job on it can agree on."""

    files: tuple[PartyFile, ...]
    terms: PurchaseTerms
    """The suggested cut, windows, categories and columns."""
    provenance: tuple[str, ...]
    """What a report has to say about where the data comes from."""
    limits: tuple[str, ...]
    """What a report has to say about what the data cannot show."""


def retailer_ids(parties: int) -> tuple[str, ...]:
    """Return the retailers' names, which sort as their numbers do; raises :class:`SplitError`."""
    if not MIN_RETAILERS <= parties <= MAX_RETAILERS:
        raise SplitError(
            f"a sample has {MIN_RETAILERS} to {MAX_RETAILERS} retailers, not {parties}"
        )
    digits = len(str(parties))
    return tuple(f"retailer-{number:0{digits}d}" for number in range(1, parties + 1))
