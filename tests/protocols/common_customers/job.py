"""Pairwise intersections made by hand, and the narrowing of them in memory, anybody lying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from protocols.common_customers import CommonCustomers, narrow_active, narrow_passive
from protocols.intersection import Intersection, pack_positions
from protocols.roles import Role
from protocols.suite import get_suite
from tests.drive import Transcript, drive
from tests.protocols.psi_ecdh.pair import Alter, Refusals, watched

SUITE = get_suite("intl")
ACTIVE = "bank"
NAMES = ("retailer", "insurer", "telecom", "airline")
CONTEXT = b"spec digest and attempt"
KEYS = {
    party: SUITE.generate_signing_key(bytes([number]) * 32)
    for number, party in enumerate((ACTIVE, *NAMES))
}
Lists = Mapping[str, Sequence[int]]
Pairs = dict[str, tuple[Intersection, Intersection]]


def passives_of(lists: Lists) -> tuple[str, ...]:
    return tuple(party for party in lists if party != ACTIVE)


def pairs_of(lists: Lists, orders: Mapping[str, Sequence[int]] | None = None) -> Pairs:
    """Return for each passive party the pair's intersection as the active and as it knows it.

    ``orders`` gives the shared customers in the pair's shared order; by default, ascending.
    """
    pairs: Pairs = {}
    active = lists[ACTIVE]
    for passive in passives_of(lists):
        own = lists[passive]
        shared = (orders or {}).get(passive, sorted(set(active) & set(own)))
        statement = f"statement of {ACTIVE} and {passive}: {len(shared)}".encode()
        pairs[passive] = tuple(  # type: ignore[assignment]
            Intersection(
                size=len(shared),
                own_size=len(mine),
                peer_size=len(theirs),
                floor=1,
                opened=bool(shared),
                packed_positions=pack_positions(
                    np.array([list(mine).index(number) for number in shared], dtype=np.int64)
                ),
                statement=statement,
                signatures={},
            )
            for mine, theirs in ((active, own), (own, active))
        )
    return pairs


def role(party: str, pairs: Pairs, /, **changed: Any) -> Role[CommonCustomers]:
    passives = tuple(pairs)
    given = {
        "party": party,
        "passives": passives,
        "suite": SUITE,
        "context": CONTEXT,
        "floor": 1,
        "private_key": KEYS[party][0],
        "peer_keys": {p: KEYS[p][1] for p in (ACTIVE, *passives) if p != party},
        "seed": party.encode().ljust(32, b"."),
        **changed,
    }
    if party == ACTIVE:
        views = given.pop("pairs", {passive: pair[0] for passive, pair in pairs.items()})
        return narrow_active(views, **given)
    return narrow_passive(given.pop("pair", pairs[party][1]), **{"active": ACTIVE, **given})


def narrow(
    pairs: Pairs,
    *,
    of: Mapping[str, dict[str, Any]] | None = None,
    liar: str = "",
    alter: Alter | None = None,
    refusals: Refusals | None = None,
    **terms: Any,
) -> tuple[dict[str, CommonCustomers], Transcript]:
    """Run all parties on ``terms`` for all and ``of`` each party's own."""
    own = of or {}
    return drive(
        {
            party: watched(
                party,
                role(party, pairs, **{**terms, **own.get(party, {})}),
                refusals or Refusals(),
                alter if party == liar else None,
            )
            for party in (ACTIVE, *pairs)
        }
    )
