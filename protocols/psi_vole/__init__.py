"""VOLE-PSI: the Receiver learns which of its items the Sender also has; made for millions.

In the line of Raghuraman and Rindal (CCS 2022): a random-band OKVS over a silent vector oblivious
linear evaluation. SPEC.md states messages, parameters, who learns what, on which assumption, and
what is not protected against.
"""

from __future__ import annotations

from protocols.psi_vole.answers import hear_matches, tell_matches
from protocols.psi_vole.messages import VERSION, MaskedColumns, Matches, Tags, Terms
from protocols.psi_vole.receiver import receiver
from protocols.psi_vole.result import Matched, Offered
from protocols.psi_vole.sender import sender

__all__ = [
    "VERSION",
    "MaskedColumns",
    "Matched",
    "Matches",
    "Offered",
    "Tags",
    "Terms",
    "hear_matches",
    "receiver",
    "sender",
    "tell_matches",
]
