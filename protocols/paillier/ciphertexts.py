"""A batch of ciphertexts, opaque: what it is made of is its key's business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from protocols.errors import LocalProtocolError
from protocols.paillier.arithmetic import Batch, Indices

if TYPE_CHECKING:
    from protocols.paillier.public_key import PublicKey


class Ciphertexts:
    """Ciphertexts under one public key, in order and immutable; keys make them."""

    __slots__ = ("_batch", "public_key")

    def __init__(self, public_key: PublicKey, batch: Batch) -> None:
        self.public_key = public_key
        self._batch = batch

    def __len__(self) -> int:
        return self.public_key.arithmetic.count(self._batch)

    def __getitem__(self, part: slice) -> Ciphertexts:
        return self.take(np.arange(len(self), dtype=np.int64)[part])

    def take(self, positions: Indices) -> Ciphertexts:
        """Return the ciphertexts at ``positions``, which may repeat.

        Raises ``IndexError`` for one outside [0, len).
        """
        check_positions(positions, len(self))
        return Ciphertexts(self.public_key, self.public_key.arithmetic.take(self._batch, positions))

    @staticmethod
    def join(parts: Sequence[Ciphertexts]) -> Ciphertexts:
        """Return the parts, at least one and under one key, as one batch.

        Raises :class:`LocalProtocolError` if there is none or another key's among them.
        """
        if not parts:
            raise LocalProtocolError("there are no ciphertexts to join")
        public_key = parts[0].public_key
        batches = [part.under(public_key) for part in parts]
        return Ciphertexts(public_key, public_key.arithmetic.join(batches))

    def integers(self) -> list[int]:
        """Return the ciphertexts as integers in (0, n^2), as ``phe`` knows them."""
        return [int(value) for value in self.public_key.arithmetic.to_integers(self._batch)]

    def under(self, public_key: PublicKey) -> Batch:
        """Return the batch, for whoever computes with ``public_key``.

        Raises :class:`LocalProtocolError` if the ciphertexts are another key's, or were made with
        other kernels.
        """
        if public_key is not self.public_key and (
            public_key != self.public_key or public_key.kernels != self.public_key.kernels
        ):
            raise LocalProtocolError("ciphertexts of different keys or kernels do not mix")
        return self._batch


def check_positions(positions: Indices, count: int) -> None:
    """Raise ``IndexError`` unless every position is in [0, count)."""
    if len(positions) and not (positions.min() >= 0 and positions.max() < count):
        raise IndexError(f"a position outside the {count} there are")
