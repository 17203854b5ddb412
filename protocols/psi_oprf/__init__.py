"""OPRF-PSI: a small set against a large one that was prepared once and is kept by the small side.

The Sender's set becomes tags under an epoch's key, which the Receiver downloads once; each later
run costs a few multiplications for each of the Receiver's items, and never more queries than the
Sender's quota. SPEC.md states messages, parameters, who learns what, and what is not protected
against.
"""

from __future__ import annotations

from protocols.psi_oprf.answers import hear_matches, tell_matches
from protocols.psi_oprf.messages import (
    SIGNATURE_PREFIX,
    VERSION,
    AnswerTerms,
    BlindedQueries,
    EvaluatedQueries,
    MatchedTags,
    Matches,
    QueryTerms,
    TagChunk,
    TermsSignature,
)
from protocols.psi_oprf.receiver import receiver
from protocols.psi_oprf.result import OprfAnswered, OprfMatched
from protocols.psi_oprf.sender import sender
from protocols.psi_oprf.tag_set import (
    EpochKey,
    EvaluatedSet,
    TagSet,
    draw_epoch_key,
    evaluate_set,
    tag_length,
    tag_set_digest,
)

__all__ = [
    "SIGNATURE_PREFIX",
    "VERSION",
    "AnswerTerms",
    "BlindedQueries",
    "EpochKey",
    "EvaluatedQueries",
    "EvaluatedSet",
    "MatchedTags",
    "Matches",
    "OprfAnswered",
    "OprfMatched",
    "QueryTerms",
    "TagChunk",
    "TagSet",
    "TermsSignature",
    "draw_epoch_key",
    "evaluate_set",
    "hear_matches",
    "receiver",
    "sender",
    "tag_length",
    "tag_set_digest",
    "tell_matches",
]
