"""What each role of OPRF-PSI ends with."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.psi_oprf.tag_set import TagSet
from protocols.roles import PartyId
from protocols.suite import Indices


@dataclass(frozen=True, slots=True, eq=False)
class OprfMatched:
    """What the Receiver learned."""

    own_size: int
    peer_size: int
    positions: Indices = field(repr=False)
    """Indices of the shared items in this party's list, in the order of the items' bytes."""
    places: Indices = field(repr=False)
    """Which of the Sender's tags they have, in the same order: what it may be told."""
    tag_set: TagSet
    """The Sender's tags, for the next run to begin with."""
    received: bool
    """Whether they came in this run, and are to be kept."""
    statement: bytes
    """The terms both signed, canonical JSON."""
    signatures: dict[PartyId, bytes]
    """Theirs over ``SIGNATURE_PREFIX + statement``."""


@dataclass(frozen=True, slots=True, eq=False)
class OprfAnswered:
    """What the Sender knows at the end."""

    own_size: int
    queries: int
    """How many it answered, which is also the peer's number of items."""
    sent: bool
    """Whether the tag set was sent in this run."""
    statement: bytes
    signatures: dict[PartyId, bytes]
