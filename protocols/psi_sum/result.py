"""What each party of a private intersection-sum ends with."""

from __future__ import annotations

from protocols.psi_sum.messages import TOTAL_LIMIT
from protocols.roles import PartyId
from protocols.stored import Stored


class IntersectionSum(Stored, frozen=True, tag="intersection-sum/1"):
    """The intersection's size and the sum over it, as one party knows them.

    ``size``, ``own_size`` and ``peer_size`` count items; ``size`` is None at the Sender if it is
    below ``floor``. ``opened`` is whether the sum was decrypted, which below ``floor`` it never
    is; ``total`` is the sum, or None where it was not, or is not for this party. ``statement`` is
    the last that both signed, canonical JSON, ``signatures`` are theirs over
    ``SIGNATURE_PREFIX + statement``.
    """

    size: int | None
    own_size: int
    peer_size: int
    floor: int
    opened: bool
    total: int | None
    statement: bytes
    signatures: dict[PartyId, bytes]

    def _is_consistent(self) -> bool:
        largest = min(self.own_size, self.peer_size)
        if not self.opened:
            return self.total is None and (self.size is None or 0 <= self.size < self.floor)
        if self.size is None or not self.floor <= self.size <= largest:
            return False
        return self.total is None or 0 <= self.total < TOTAL_LIMIT
