"""Which numbers of a flat vector are which layer's weights, and what they are at first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from models.split_network.messages import Singles
from protocols.suite import RandomStream

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The layers of a model's networks.

    A party's bottom network takes its inputs through ``hidden_units`` to ``cut_units``; the top
    network takes all parties' cut outputs through ``hidden_units`` to one margin.
    """

    cut_units: int
    hidden_units: int

    def bottom(self, inputs: int) -> list[Shape]:
        """Return the shapes of the bottom network of a party with so many inputs."""
        hidden, cut = self.hidden_units, self.cut_units
        return [(hidden, inputs), (hidden,), (cut, hidden), (cut,)]

    def top(self, parties: int) -> list[Shape]:
        """Return the shapes of the top network over so many parties, the active one included."""
        hidden = self.hidden_units
        return [(hidden, parties * self.cut_units), (hidden,), (1, hidden), (1,)]

    def active(self, inputs: int, passives: int) -> list[Shape]:
        """Return the shapes of all the active party holds: its bottom network, then the top."""
        return [*self.bottom(inputs), *self.top(1 + passives)]


def size(shapes: Sequence[Shape]) -> int:
    """Return how many weights layers of these shapes have."""
    return sum(math.prod(shape) for shape in shapes)


def layers(weights: Singles, shapes: Sequence[Shape]) -> list[Singles]:
    """Return each layer's weights, in place: a change of ``weights`` is a change of them."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    pieces = np.split(weights, ends[:-1])
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def initial_weights(shapes: Sequence[Shape], stream: RandomStream) -> Singles:
    """Return the first weights: matrices uniform (Glorot and Bengio 2010, eq. 16), biases 0.

    The numbers are the stream's own and not those of a 64-bit generator seeded from it: who knows
    a passive party's first weights reads its columns out of its first outputs.
    """
    weights = np.zeros(size(shapes), np.float32)
    for layer in layers(weights, shapes):
        if layer.ndim == 2:
            words = stream.words(layer.size)
            uniform = (words >> np.uint64(40)).astype(np.float32) * np.float32(2**-23) - 1
            layer[:] = uniform.reshape(layer.shape) * np.float32(math.sqrt(6 / sum(layer.shape)))
    return weights
