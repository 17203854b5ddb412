"""The messages of training and evaluation; SPEC.md §3 says when each is sent."""

from __future__ import annotations

from typing import ClassVar

from protocols.wire import Message

FRAME_CIPHERTEXTS = 1024
"""Ciphertexts in one frame of encrypted gradients; the last frame has what is left."""


class PaillierKey(Message, frozen=True):
    """Active to passive: the modulus of the key the gradients will be encrypted under."""

    max_bytes: ClassVar[int] = 1024
    modulus: bytes


class SampledRows(Message, frozen=True):
    """Active to passive, with one-side sampling: which training rows are in the tree's bag."""

    rows: bytes


class EncryptedGradients(Message, frozen=True):
    """Active to passive: the next :data:`FRAME_CIPHERTEXTS` ciphertexts of the bag's rows."""

    max_bytes: ClassVar[int] = 1 << 20
    ciphertexts: bytes


class CandidateSums(Message, frozen=True):
    """Passive to active, one for each open node: packed left sums of its candidates, shuffled."""

    max_bytes: ClassVar[int] = 1 << 28
    ciphertexts: bytes


class ChosenSplits(Message, frozen=True):
    """Active to passive, for each open node: the positions that attain the best gain.

    Ascending; empty where the node becomes a leaf or is split by another party.
    """

    max_bytes: ClassVar[int] = 1 << 26
    positions: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        """Refuse positions that are not strictly ascending from zero."""
        for tied in self.positions:
            if any(a >= b for a, b in zip((-1, *tied), tied, strict=False)):
                raise ValueError("positions must ascend")


class LeftRows(Message, frozen=True):
    """Passive to active: which rows go left at each node it was chosen to split, as bitmaps."""

    nodes: tuple[bytes, ...]
    """Over the node's rows of the bag."""
    others: tuple[bytes, ...]
    """Over all rows of the table that are not in the bag, wherever they are in the tree."""


class Membership(Message, frozen=True):
    """Active to passive, for each open node: its left rows, empty where it became a leaf."""

    nodes: tuple[bytes, ...]


class TreesKept(Message, frozen=True):
    """Active to passive, last of a tree with early stopping: 0, or how many trees the model has.

    If it is not 0, no further tree is grown.
    """

    max_bytes: ClassVar[int] = 64
    trees: int


class GoLeft(Message, frozen=True):
    """Passive to active, one for each tree: for each of its splits, the rows that go left."""

    splits: tuple[bytes, ...]
