"""What a model says of customers, and what in their columns made it say so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.table import Floats
from protocols.errors import DecodeError
from protocols.roles import PartyId
from protocols.wire import Message, decode, encode


@dataclass(frozen=True, eq=False)
class Predictions:
    """One margin per row, in the rows' order, and the shares the columns have in it.

    ``margins`` has shape (rows,): log odds of the label, or the predicted number of a regression;
    or (rows, classes): one score per class before the softmax.
    """

    margins: Floats = field(repr=False)
    contributions: Mapping[str, Floats] = field(default_factory=dict, repr=False)
    """For each of the active party's own columns, what it adds to the margins; their shape."""
    peer_contributions: Mapping[PartyId, Floats] = field(default_factory=dict, repr=False)
    """For each passive party, what all its columns add together."""

    @property
    def probabilities(self) -> Floats:
        """The probability of the label for each row; of each class, shape (rows, classes)."""
        if self.margins.ndim == 1:
            return 0.5 * (1.0 + np.tanh(0.5 * self.margins))
        shifted = np.exp(self.margins - self.margins.max(axis=1, keepdims=True))
        probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
        return probabilities

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(
            _Encoded(
                self.margins.shape,
                _bytes(self.margins),
                tuple((name, _bytes(values)) for name, values in self.contributions.items()),
                tuple((party, _bytes(values)) for party, values in self.peer_contributions.items()),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Predictions:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        encoded = decode(data, _Encoded)
        shape = encoded.shape
        if len(shape) not in (1, 2) or min(shape) < 0:
            raise DecodeError("margins have one or two dimensions")
        return cls(
            _floats(encoded.margins, shape),
            {name: _floats(values, shape) for name, values in encoded.contributions},
            {party: _floats(values, shape) for party, values in encoded.peer_contributions},
        )


class _Encoded(Message, frozen=True):
    shape: tuple[int, ...]
    margins: bytes
    contributions: tuple[tuple[str, bytes], ...]
    peer_contributions: tuple[tuple[PartyId, bytes], ...]


def _bytes(values: Floats) -> bytes:
    return values.astype("<f8").tobytes()


def _floats(data: bytes, shape: tuple[int, ...]) -> Floats:
    if len(data) != 8 * math.prod(shape):
        raise DecodeError("numbers do not fill their shape")
    values = np.frombuffer(data, "<f8").astype(np.float64).reshape(shape)
    if not np.isfinite(values).all():
        raise DecodeError("a number is not finite")
    return values
