"""Exchange of signed checkpoint notes: each party gives the others the state of its own log.

What a note says and whether its signature is right is the audit room's to check; this role only
carries it. Once a peer has logged our note, we can no longer show anyone another history before it.
"""

from __future__ import annotations

from protocols.roles import ReceiveEach, Role, Send
from protocols.wire import Message


class CheckpointNote(Message, frozen=True):
    """The sender's latest signed checkpoint, as C2SP signed-note text."""

    max_bytes = 65_535 + 16

    note: bytes


def exchange_notes(note: bytes, *, peers: tuple[str, ...]) -> Role[dict[str, bytes]]:
    """Send ``note`` to every peer; return theirs by party. Reveals size and root of the log."""
    for peer in peers:
        yield Send(peer, CheckpointNote(note))
    answers = yield ReceiveEach(peers, CheckpointNote)
    return {peer: answers[peer].note for peer in peers}
