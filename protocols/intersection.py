"""What a party ends with when two parties have matched their items, by whichever protocol."""

from __future__ import annotations

import numpy as np

from protocols.roles import PartyId
from protocols.stored import Stored
from protocols.suite import Indices

POSITION_BYTES = 4


class Intersection(Stored, frozen=True, tag="intersection/2"):
    """The intersection as one party knows it.

    ``size``, ``own_size`` and ``peer_size`` count items; ``size`` is None where the protocol does
    not tell it to this party. ``opened`` is whether this party was told which of its items are
    shared, which below ``floor`` it never is; ``packed_positions`` then holds their indices in this
    party's ``items``, 4 bytes each, little endian, and is empty otherwise. ``statement`` is what
    both signed, canonical JSON; ``signatures`` are theirs over the protocol's
    ``SIGNATURE_PREFIX + statement``.
    """

    size: int | None
    own_size: int
    peer_size: int
    floor: int
    opened: bool
    packed_positions: bytes
    statement: bytes
    signatures: dict[PartyId, bytes]

    @property
    def positions(self) -> Indices:
        """Indices of the shared items in this party's list, in an order both parties share.

        The j-th of both parties is the same customer. Empty unless ``opened``.
        """
        return np.frombuffer(self.packed_positions, dtype="<u4").astype(np.int64)

    def _is_consistent(self) -> bool:
        if not self.opened:
            known = self.size is None or 0 <= self.size <= min(self.own_size, self.peer_size)
            return known and not self.packed_positions
        if self.size is None or not self.floor <= self.size <= min(self.own_size, self.peer_size):
            return False
        if len(self.packed_positions) != self.size * POSITION_BYTES:
            return False
        ascending = np.sort(self.positions)
        return bool(
            len(ascending) == 0
            or (ascending[-1] < self.own_size and (ascending[1:] > ascending[:-1]).all())
        )


def pack_positions(positions: Indices) -> bytes:
    """Return ``positions``, each below 2^32, as :class:`Intersection` keeps them."""
    return positions.astype("<u4").tobytes()
