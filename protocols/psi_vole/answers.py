"""The Receiver tells the Sender what matched: a step of its own, for whoever agreed to it.

The roles end without it. Several runs (buckets of one large set) are answered together, so that a
floor over all of them can be enforced before anything is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.element_lists import chunks
from protocols.psi_vole.messages import CHUNK_BYTES, Matches
from protocols.psi_vole.result import positions_of
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import Indices


def tell_matches(answers: Sequence[bytes], *, peer: PartyId) -> Role[None]:
    """Send the ``answer`` of each run's :class:`~protocols.psi_vole.result.Matched`, in order."""
    joined = b"".join(answers)
    for chunk in chunks(len(joined), CHUNK_BYTES):
        yield Send(peer, Matches(joined[chunk.start : chunk.stop]))


def hear_matches(orders: Sequence[Indices], *, peer: PartyId) -> Role[list[Indices]]:
    """Return which own items matched in each run, given each ``Offered.order``, ascending.

    Raises ``RemoteProtocolError`` for answers of other lengths or about tags never sent.
    """
    lengths = [-(-len(order) // 8) for order in orders]
    joined = bytearray()
    for chunk in chunks(sum(lengths), CHUNK_BYTES):
        message: Matches = yield Receive(peer, Matches)
        chunk.check("Matches", message.bits, 1)
        joined += message.bits
    matched, start = [], 0
    for order, length in zip(orders, lengths, strict=True):
        matched.append(positions_of(bytes(joined[start : start + length]), order))
        start += length
    return matched
