"""Purchase lines to a training table, inside the node; SPEC.md states the rules."""

from __future__ import annotations

from party_node.purchases.features import BEHAVIOUR, OTHER_SHARE, feature_names, share_of
from party_node.purchases.registration import LineColumns, PurchaseRegistration
from party_node.purchases.training_table import PreparedPurchases, PurchaseFacts, training_table

__all__ = [
    "BEHAVIOUR",
    "OTHER_SHARE",
    "LineColumns",
    "PreparedPurchases",
    "PurchaseFacts",
    "PurchaseRegistration",
    "feature_names",
    "share_of",
    "training_table",
]
