"""What a party ends with when the customers common to all parties are known."""

from __future__ import annotations

from protocols.roles import PartyId
from protocols.stored import Stored


class CommonCustomers(Stored, frozen=True, tag="common-customers/1"):
    """The customers common to all parties as one of them knows them.

    ``size`` is their number, None below ``floor``. ``positions`` are indices into this party's
    ``items``, in an order all parties share; empty unless ``opened``, that is unless the number
    reached the floor. ``statement`` is what every party signed, canonical JSON; ``signatures`` are
    all of theirs over ``SIGNATURE_PREFIX + statement``.
    """

    size: int | None
    floor: int
    opened: bool
    positions: list[int]
    statement: bytes
    signatures: dict[PartyId, bytes]

    def _is_consistent(self) -> bool:
        return (
            self.opened == (self.size is not None and self.size >= self.floor)
            and len(self.positions) == (self.size or 0)
            and len(set(self.positions)) == len(self.positions)
            and all(position >= 0 for position in self.positions)
        )
