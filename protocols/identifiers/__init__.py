"""Identifiers: how a customer's phone, ID, e-mail or number becomes what a protocol compares.

SPEC.md states the rules both sides agree on, and what a digest of an identifier does not protect.
"""

from __future__ import annotations

from protocols.identifiers.column import (
    MISSING_IDENTIFIER,
    REASON_WORDS,
    NormalisedColumn,
    TextColumn,
    composite_input_column,
    normalise_column,
    protocol_input_column,
)
from protocols.identifiers.keys import held_out, node_tag, protocol_input, protocol_inputs
from protocols.identifiers.normalise import (
    DEFAULT_REGION,
    RULES_VERSION,
    IdentifierKind,
    Reason,
    Unusable,
    normalise,
    normalise_many,
)

__all__ = [
    "DEFAULT_REGION",
    "MISSING_IDENTIFIER",
    "REASON_WORDS",
    "RULES_VERSION",
    "IdentifierKind",
    "NormalisedColumn",
    "Reason",
    "TextColumn",
    "Unusable",
    "composite_input_column",
    "held_out",
    "node_tag",
    "normalise",
    "normalise_column",
    "normalise_many",
    "protocol_input",
    "protocol_input_column",
    "protocol_inputs",
]
