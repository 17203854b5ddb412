"""Server-aided PSI: two parties' keyed tokens are matched by the coordinator.

**A coordinator that colludes with one party can enumerate the other's whole list.** SPEC.md
states messages, parameters, who learns what, and what is not protected against.
"""

from __future__ import annotations

from protocols.psi_server_aided.confirmation import confirm_matches
from protocols.psi_server_aided.coordinator import match
from protocols.psi_server_aided.key_agreement import TokenKeys, agree_keys
from protocols.psi_server_aided.messages import (
    KEY_PREFIX,
    SIGNATURE_PREFIX,
    TOKEN_BYTES,
    VERSION,
    KeyAnswer,
    KeyConfirmation,
    KeyOffer,
    MatchAnswer,
    MatchesMac,
    MatchTerms,
    TokenList,
)
from protocols.psi_server_aided.token_list import OwnTokens, tokens

__all__ = [
    "KEY_PREFIX",
    "SIGNATURE_PREFIX",
    "TOKEN_BYTES",
    "VERSION",
    "KeyAnswer",
    "KeyConfirmation",
    "KeyOffer",
    "MatchAnswer",
    "MatchTerms",
    "MatchesMac",
    "OwnTokens",
    "TokenKeys",
    "TokenList",
    "agree_keys",
    "confirm_matches",
    "match",
    "tokens",
]
