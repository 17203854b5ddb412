"""What a party ends with when two parties have matched their items, by whichever protocol."""

from __future__ import annotations

from protocols.roles import PartyId
from protocols.stored import Stored


class Intersection(Stored, frozen=True, tag="intersection/1"):
    """The intersection as one party knows it.

    ``size``, ``own_size`` and ``peer_size`` count items; ``size`` is None where the protocol does
    not tell it below the floor. ``positions`` are indices into this party's ``items``, in an order
    both parties share: the j-th of both is the same customer. It is empty unless ``opened``, that
    is unless the size reached ``floor``. ``statement`` is what both signed, canonical JSON;
    ``signatures`` are theirs over the protocol's ``SIGNATURE_PREFIX + statement``.
    """

    size: int | None
    own_size: int
    peer_size: int
    floor: int
    opened: bool
    positions: list[int]
    statement: bytes
    signatures: dict[PartyId, bytes]

    def _is_consistent(self) -> bool:
        if self.size is None:
            return not self.opened and not self.positions
        return (
            0 <= self.size <= min(self.own_size, self.peer_size)
            and self.opened == (self.size >= self.floor)
            and len(self.positions) == (self.size if self.opened else 0)
            and len(set(self.positions)) == len(self.positions)
            and all(0 <= position < self.own_size for position in self.positions)
        )
