"""Private intersection-sum: the sum of one party's values over the customers both have.

No party learns which customers those are. Below the floor nothing is summed. SPEC.md states
messages, parameters, who learns what, and what is not protected against.
"""

from __future__ import annotations

from protocols.psi_sum.messages import (
    SIGNATURE_PREFIX,
    TOTAL_LIMIT,
    VALUE_LIMIT,
    VERSION,
    BlindedItems,
    Cardinality,
    DecryptionShare,
    EncryptedSum,
    EncryptionKey,
    EvaluatedItems,
    SizeStatement,
    SumStatement,
    Terms,
    ValuedItems,
)
from protocols.psi_sum.receiver import receiver
from protocols.psi_sum.result import IntersectionSum
from protocols.psi_sum.sender import sender

__all__ = [
    "SIGNATURE_PREFIX",
    "TOTAL_LIMIT",
    "VALUE_LIMIT",
    "VERSION",
    "BlindedItems",
    "Cardinality",
    "DecryptionShare",
    "EncryptedSum",
    "EncryptionKey",
    "EvaluatedItems",
    "IntersectionSum",
    "SizeStatement",
    "SumStatement",
    "Terms",
    "ValuedItems",
    "receiver",
    "sender",
]
