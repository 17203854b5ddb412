"""What each role of VOLE-PSI returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from protocols.errors import RemoteProtocolError
from protocols.suite import Indices


@dataclass(frozen=True, slots=True)
class Matched:
    """What the Receiver learned."""

    own_size: int
    peer_size: int
    positions: Indices = field(repr=False)
    """Which of the own items the Sender also has, in ascending order."""
    answer: bytes = field(repr=False)
    """Which of the Sender's tags matched: bit i % 8 of byte i // 8 for tag i, the rest zero."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What the Sender keeps, to understand an answer if the Receiver gives it one."""

    own_size: int
    peer_size: int
    order: Indices = field(repr=False)
    """Which own item each tag sent belongs to."""

    def positions(self, answer: bytes) -> Indices:
        """Return which of the own items ``answer`` says matched, in ascending order.

        Raises ``RemoteProtocolError`` for an answer that is not one about these tags.
        """
        return positions_of(answer, self.order)


def positions_of(answer: bytes, order: Indices) -> Indices:
    """Return the entries of ``order``, a permutation, whose bits are set, ascending."""
    if len(answer) != -(-len(order) // 8):
        raise RemoteProtocolError(
            f"answer of {len(answer)} bytes; our {len(order)} tags ask for {-(-len(order) // 8)}"
        )
    bits = np.unpackbits(np.frombuffer(answer, np.uint8), bitorder="little")
    if bits[len(order) :].any():
        raise RemoteProtocolError("answer names tags that we did not send")
    matched = np.zeros(len(order), np.bool_)
    matched[order] = bits[: len(order)]
    return np.flatnonzero(matched)
