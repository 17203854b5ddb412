"""An oblivious key-value store: a vector that gives every key its value, linearly.

Random-band OKVS over GF(2^64). SPEC.md states the encoding, its parameters and how likely it fails.
"""

from __future__ import annotations

from protocols.okvs.okvs import DuplicateKeys, EncodingFailure, Okvs, Rows, columns_for

__all__ = ["DuplicateKeys", "EncodingFailure", "Okvs", "Rows", "columns_for"]
