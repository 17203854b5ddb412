"""From pairwise intersections with the active party to the customers common to all parties.

Used with two or more passive parties only. The active party has learned each pairwise
intersection before; SPEC.md says what that means, messages, and what is not protected against.
"""

from __future__ import annotations

from protocols.common_customers.active_party import narrow_active
from protocols.common_customers.messages import (
    SIGNATURE_PREFIX,
    VERSION,
    CommonPositions,
    Narrowing,
    OtherSignatures,
)
from protocols.common_customers.passive_party import narrow_passive
from protocols.common_customers.result import CommonCustomers

__all__ = [
    "SIGNATURE_PREFIX",
    "VERSION",
    "CommonCustomers",
    "CommonPositions",
    "Narrowing",
    "OtherSignatures",
    "narrow_active",
    "narrow_passive",
]
