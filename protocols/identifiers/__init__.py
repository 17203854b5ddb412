"""Identifiers: how a customer's phone, ID, e-mail or number becomes what a protocol compares.

SPEC.md states the rules both sides agree on, and what a digest of an identifier does not protect.
"""

from __future__ import annotations

from protocols.identifiers.keys import held_out, node_tag, protocol_input, protocol_inputs
from protocols.identifiers.normalise import (
    RULES_VERSION,
    IdentifierKind,
    Reason,
    Unusable,
    normalise,
    normalise_many,
)

__all__ = [
    "RULES_VERSION",
    "IdentifierKind",
    "Reason",
    "Unusable",
    "held_out",
    "node_tag",
    "normalise",
    "normalise_many",
    "protocol_input",
    "protocol_inputs",
]
