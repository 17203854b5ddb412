"""One round of intersection-sum: how many are shared, and the sum of the sender's values."""

from __future__ import annotations

import secrets

from party_node.psi.table import Found, Table
from party_node.psi.values import Values
from protocols.psi_sum import IntersectionSum, receiver, sender
from protocols.roles import Role
from protocols.suite import Items


def match_by_sum(table: Table, part: int, items: Items, values: Values | None) -> Found:
    """Add up the sender's ``values`` over the shared customers; nobody learns which they are."""
    seed, context = secrets.token_bytes(32), table.context(f"sum/{part}")
    role: Role[IntersectionSum]
    if table.role == "receiver":
        role = receiver(
            items,
            party=table.party,
            peer=table.peer,
            suite=table.suite,
            context=context,
            floor=table.spec.floor,
            to=table.spec.to,
            private_key=table.private_key,
            peer_public_key=table.peer_public_key,
            seed=seed,
        )
    else:
        assert values is not None
        role = sender(
            items,
            values,
            party=table.party,
            peer=table.peer,
            suite=table.suite,
            context=context,
            floor=table.spec.floor,
            to=table.spec.to,
            private_key=table.private_key,
            peer_public_key=table.peer_public_key,
            seed=seed,
        )
    found = table.run(role, part=part, step="sum", items=len(items) + table.peer_rows)
    table.check_size(part, found.peer_size, table.peer_rows)
    return Found(found.peer_size, found.opened, found.size, None, found.total)
