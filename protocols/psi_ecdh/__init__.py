"""ECDH-PSI: two parties learn which of their items the other also has, at least ``floor`` of them.

The size comes first and both sign it; positions are opened only at or above the floor. SPEC.md
states messages, parameters, who learns what, and what is not protected against.
"""

from __future__ import annotations

from protocols.psi_ecdh.messages import (
    SIGNATURE_PREFIX,
    VERSION,
    BlindedItems,
    EvaluatedItems,
    Opening,
    SizeStatement,
    Terms,
)
from protocols.psi_ecdh.receiver import receiver
from protocols.psi_ecdh.sender import sender

__all__ = [
    "SIGNATURE_PREFIX",
    "VERSION",
    "BlindedItems",
    "EvaluatedItems",
    "Opening",
    "SizeStatement",
    "Terms",
    "receiver",
    "sender",
]
