"""What a party computes a training's steps with; both parties' steps are the same code."""

from __future__ import annotations

from dataclasses import dataclass

from models.scorecard.fixed_point import FixedPoint
from models.scorecard.keys import Keys
from protocols.roles import PartyId
from protocols.suite import RandomStream


@dataclass(frozen=True, eq=False)
class Side:
    """One party in one epoch."""

    peer: PartyId
    active: bool
    keys: Keys
    fixed: FixedPoint
    own_columns: int
    """Columns of its design; the active party's counts the intercept."""
    peer_columns: int
    encryption: RandomStream
    masks: RandomStream
    rerandomisation: RandomStream

    @property
    def key_bits(self) -> int:
        """Bits of both keys."""
        return self.keys.peer.bits
