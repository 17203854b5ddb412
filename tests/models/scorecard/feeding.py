"""One role run on recorded messages, and what it must do with changed ones."""

from __future__ import annotations

from protocols.errors import RemoteProtocolError
from protocols.roles import Receive, ReceiveEach
from protocols.wire import decode


def inbound_of(transcript, party):
    """A party's inbound messages in order, as (sender, name, bytes)."""
    return [(s, name, data) for s, to, name, data in transcript.messages if to == party]


def feed(role, inbound):
    """Run one role on recorded messages; return its result."""
    queue = [data for _, _, data in inbound]
    sender = inbound[0][0] if inbound else ""
    answer = None
    try:
        while True:
            request = role.send(answer)
            assert not isinstance(request, ReceiveEach)
            answer = None
            if isinstance(request, Receive):
                answer = _take(queue, sender, request.type)
    except StopIteration as stop:
        return stop.value


def _take(queue, sender, type_):
    if not queue:
        raise RemoteProtocolError("no more messages", party=sender)
    try:
        return decode(queue.pop(0), type_)
    except RemoteProtocolError as error:
        error.party = sender  # as the driver does
        raise
