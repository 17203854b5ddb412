"""What both roles of narrowing share: the session, the statement and its check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocols.arguments import check_floor, check_seed, check_session
from protocols.common_customers.messages import (
    CHUNK_POSITIONS,
    MAX_PASSIVE_PARTIES,
    SIGNATURE_PREFIX,
    VERSION,
)
from protocols.common_customers.result import CommonCustomers
from protocols.errors import LocalProtocolError
from protocols.intersection import Intersection
from protocols.roles import PartyId, Role
from protocols.session.countersign import countersign
from protocols.suite import Suite, canonical


@dataclass(frozen=True, slots=True)
class Session:
    """One party's view of the run: who, on what terms, with which secrets."""

    party: PartyId
    active: PartyId
    passives: tuple[PartyId, ...]
    suite: Suite
    context: bytes
    floor: int
    private_key: bytes = field(repr=False)
    peer_keys: Mapping[PartyId, bytes]
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 2 <= len(self.passives) <= MAX_PASSIVE_PARTIES:
            raise LocalProtocolError(
                f"2 to {MAX_PASSIVE_PARTIES} passive parties; one alone has nothing to narrow"
            )
        others = [name for name in (self.active, *self.passives) if name != self.party]
        if len(others) != len(self.passives) or set(self.peer_keys) != set(others):
            raise LocalProtocolError("every other party's key is needed, and no more")
        check_session(
            party=self.party,
            peers=others,
            suite=self.suite,
            context=self.context,
            private_key=self.private_key,
        )
        check_floor(self.floor)
        check_seed(self.seed)

    def pair_digest(self, pair: Intersection) -> bytes:
        """Return the digest by which the statement names a pair's intersection."""
        return self.suite.hash(pair.statement)

    def statement(self, common: int | None, pairs: Sequence[bytes]) -> bytes:
        """Return the statement every party signs, canonical JSON.

        It repeats no size of a pair: a passive party would learn how many customers the others
        share with the active one. The digests stand for them.
        """
        digests = zip(self.passives, pairs, strict=True)
        return canonical.encode(
            {
                "version": VERSION,
                "suite": self.suite.name,
                "context": self.context.hex(),
                "active": self.active,
                "pairs": {passive: digest.hex() for passive, digest in digests},
                "floor": self.floor,
                "opened": common is not None,
                "common": common,
            }
        )

    def sign_with(self, peers: Sequence[PartyId], statement: bytes) -> Role[dict[PartyId, bytes]]:
        """Exchange signatures over ``statement`` with ``peers``; return theirs and the own."""
        return countersign(
            SIGNATURE_PREFIX + statement,
            party=self.party,
            private_key=self.private_key,
            peer_keys={peer: self.peer_keys[peer] for peer in peers},
            suite=self.suite,
            seed=self.seed,
        )

    def result(
        self,
        common: int | None,
        positions: list[int],
        statement: bytes,
        signatures: dict[PartyId, bytes],
    ) -> CommonCustomers:
        """Return what this party ends with."""
        return CommonCustomers(
            size=common,
            floor=self.floor,
            opened=common is not None,
            positions=positions,
            statement=statement,
            signatures=signatures,
        )


def chunks(total: int) -> list[tuple[int, int]]:
    """Return start and end of each chunk of a list of ``total``."""
    return [
        (start, min(start + CHUNK_POSITIONS, total)) for start in range(0, total, CHUNK_POSITIONS)
    ]
