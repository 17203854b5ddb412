"""The messages of silent VOLE (SPEC.md §3), after those of the base oblivious transfers.

All fields are 64-bit little-endian words; their lengths follow from the size both parties were
given (:class:`~protocols.silent_vole.parameters.Parameters`).
"""

from __future__ import annotations

from typing import ClassVar

from protocols.wire import Message

VERSION = "fedcrm-silent-vole/1"

_MAX_BYTES = 1 << 20


class Corrections(Message, frozen=True):
    """The Receiver's columns, masked by its base keys.

    ``extension`` are the 128 columns of the oblivious transfer extension, one bit per transfer;
    ``base_vole`` the 128 columns of the base VOLE, one word per tree.
    """

    max_bytes: ClassVar[int] = _MAX_BYTES

    extension: bytes
    base_vole: bytes


class MaskedSums(Message, frozen=True):
    """What the Sender tells of its trees.

    ``levels`` are, for each level, for the left and then the right children, for each tree, the
    sum of that level's nodes on that side under the pad of its transfer; ``totals``, for each
    tree, the sum of its leaves plus the Sender's share of the base VOLE.
    """

    max_bytes: ClassVar[int] = _MAX_BYTES

    levels: bytes
    totals: bytes
