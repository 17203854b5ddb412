"""What a party of ECDH-PSI ends with, and how a journal stores it."""

from __future__ import annotations

import msgspec

from protocols.errors import LocalProtocolError
from protocols.roles import PartyId


class Intersection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="psi-ecdh/1"):
    """The intersection as one party knows it.

    ``size``, ``own_size`` and ``peer_size`` count items. ``positions`` are indices into this
    party's ``items``, in an order both parties share: the j-th of both is the same customer. It
    is empty unless ``opened``, that is unless ``size >= floor``. ``statement`` is what both
    signed, canonical JSON; ``signatures`` are theirs over ``SIGNATURE_PREFIX + statement``.
    """

    size: int
    own_size: int
    peer_size: int
    floor: int
    opened: bool
    positions: list[int]
    statement: bytes
    signatures: dict[PartyId, bytes]

    def to_bytes(self) -> bytes:
        """Return the one encoding of this result (MessagePack, map keys sorted)."""
        return msgspec.msgpack.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, data: bytes) -> Intersection:
        """Return the result ``data`` encodes; raises ``LocalProtocolError`` for anything else."""
        try:
            result = msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise LocalProtocolError("stored intersection: not a well-formed one") from None
        if result.to_bytes() != data or not result._is_consistent():
            raise LocalProtocolError("stored intersection: damaged or from another version")
        return result

    def _is_consistent(self) -> bool:
        return (
            0 <= self.size <= min(self.own_size, self.peer_size)
            and self.opened == (self.size >= self.floor)
            and len(self.positions) == (self.size if self.opened else 0)
            and len(set(self.positions)) == len(self.positions)
            and all(0 <= position < self.own_size for position in self.positions)
        )
