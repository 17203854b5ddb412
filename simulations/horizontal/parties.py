"""The retailers of a horizontal simulation, and the purchase files they bring."""

from __future__ import annotations

from dataclasses import dataclass

from party_node.purchases.registration import PurchaseRegistration
from protocols.session.agreed_job import Jurisdiction


@dataclass(frozen=True)
class Retailer:
    """One party: who it is, and what its node registers."""

    id: str
    jurisdiction: Jurisdiction
    legal_basis: str
    registration: PurchaseRegistration
