"""A party's checkpoint between two epochs: its weights and its optimiser's state."""

from __future__ import annotations

import numpy as np

from models.split_network.messages import Singles, to_bytes
from models.split_network.optimiser import AdamW
from protocols.errors import LocalProtocolError
from protocols.wire import Message, decode, encode


class NetworkState(Message, frozen=True):
    """What one party needs for the next epoch; ``weights`` and moments are float32 bytes."""

    epochs: int
    """Epochs finished."""
    steps: int
    weights: bytes
    first_moment: bytes
    second_moment: bytes

    def __post_init__(self) -> None:
        """Refuse vectors of different or broken lengths, and numbers that are not finite."""
        lengths = {len(data) for data in (self.weights, self.first_moment, self.second_moment)}
        if len(lengths) != 1 or lengths.pop() % 4 or min(self.epochs, self.steps) < 1:
            raise ValueError("weights and moments must be of one length")
        for data in (self.weights, self.first_moment, self.second_moment):
            if not np.isfinite(np.frombuffer(data, "<f4")).all():
                raise ValueError("weights and moments must be finite")

    @classmethod
    def of(cls, optimiser: AdamW, epochs: int) -> NetworkState:
        """Return the state after ``epochs`` epochs."""
        return cls(
            epochs,
            optimiser.steps,
            to_bytes(optimiser.weights),
            to_bytes(optimiser.first_moment),
            to_bytes(optimiser.second_moment),
        )

    def optimiser(self, weights: int) -> AdamW:
        """Return the optimiser as it was, for a network of this many weights.

        Raises :class:`LocalProtocolError` if the state is of a network of another size.
        """
        if len(self.weights) != 4 * weights:
            raise LocalProtocolError("the checkpoint is of a network of another size")
        return AdamW(
            _singles(self.weights),
            _singles(self.first_moment),
            _singles(self.second_moment),
            self.steps,
        )

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> NetworkState:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        return decode(data, cls)


def _singles(data: bytes) -> Singles:
    return np.frombuffer(data, "<f4").astype(np.float32)
