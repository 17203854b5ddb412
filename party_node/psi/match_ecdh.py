"""One round by Diffie-Hellman: the list, or its size alone."""

from __future__ import annotations

import secrets

import numpy as np

from party_node.psi.table import Found, Rows, Table
from protocols.errors import RemoteProtocolError
from protocols.intersection import Intersection
from protocols.psi_ecdh import receiver, sender
from protocols.suite import Items


def match_by_ecdh(table: Table, part: int, items: Items, rows: Rows) -> Found:
    """Match by Diffie-Hellman, in one part."""
    role = receiver if table.role == "receiver" else sender
    reveal = table.spec.reveal
    assert reveal != "sum"
    found: Intersection = table.run(
        role(
            items,
            party=table.party,
            peer=table.peer,
            suite=table.suite,
            context=table.context(f"ecdh/{part}"),
            floor=table.spec.floor,
            reveal=reveal,
            to=table.spec.to,
            private_key=table.private_key,
            peer_public_key=table.peer_public_key,
            seed=secrets.token_bytes(32),
        ),
        part=part,
        step="ecdh",
        items=len(items) + table.peer_rows,
        peer_brings=table.peer_rows,
    )
    reached = None if found.size is None else found.size >= found.floor
    opened = table.agree_on_outcome(part, bool(reached))
    if reached not in (None, opened):
        raise RemoteProtocolError(
            "says of the floor what the size that both signed does not", party=table.peer
        )
    if reveal == "list" and opened and table.learns_the_result:
        # The protocol's positions are in the shared order already.
        return Found(found.peer_size, True, found.size, rows[np.array(found.positions, np.int64)])
    return Found(found.peer_size, opened, found.size, None)
