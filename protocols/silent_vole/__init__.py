"""Silent subfield VOLE: long vectors a, c = b + delta a from short messages.

Over B = GF(2^64), with delta, b and c in F = B^2 held as two planes. SPEC.md states messages,
parameters, the assumption the vectors rest on, and what is not protected against.
"""

from __future__ import annotations

from protocols.silent_vole.messages import VERSION, Corrections, MaskedSums
from protocols.silent_vole.parameters import MAX_SIZE, Parameters, parameters_for
from protocols.silent_vole.receiver import receiver
from protocols.silent_vole.sender import sender

__all__ = [
    "MAX_SIZE",
    "VERSION",
    "Corrections",
    "MaskedSums",
    "Parameters",
    "parameters_for",
    "receiver",
    "sender",
]
