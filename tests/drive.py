"""Drives roles against each other in memory, through the real encoding, and keeps a transcript."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from protocols.roles import Progress, Receive, ReceiveEach, Role, Send
from protocols.wire import decode, encode


@dataclass
class Transcript:
    """Every message in order, as (sender, receiver, type name, bytes)."""

    messages: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)


class Deadlock(AssertionError):
    """Every unfinished role waits for a message nobody sends."""


def drive(roles: dict[str, Role[Any]]) -> tuple[dict[str, Any], Transcript]:
    """Run ``roles`` (by party id) to the end; return their results and the transcript."""
    transcript = Transcript()
    queues: dict[tuple[str, str], deque[bytes]] = {}
    results: dict[str, Any] = {}
    waiting: dict[str, Any] = {}

    def advance(party: str, value: Any) -> None:
        role = roles[party]
        try:
            while True:
                request = role.send(value)
                value = None
                if isinstance(request, Send):
                    data = encode(request.message)
                    name = type(request.message).__name__
                    transcript.messages.append((party, request.to, name, data))
                    queues.setdefault((party, request.to), deque()).append(data)
                elif isinstance(request, Progress):
                    transcript.progress.append(request)
                else:
                    waiting[party] = request
                    return
        except StopIteration as stop:
            results[party] = stop.value
            waiting.pop(party, None)

    def ready(party: str) -> tuple[bool, Any]:
        request = waiting[party]
        sources = request.parties if isinstance(request, ReceiveEach) else (request.from_,)
        if not all(queues.get((source, party)) for source in sources):
            return False, None
        got = {s: decode(queues[s, party].popleft(), request.type) for s in sources}
        return True, got if isinstance(request, ReceiveEach) else got[request.from_]

    for party in roles:
        advance(party, None)
    while len(results) < len(roles):
        moved = False
        for party in [p for p in roles if p not in results]:
            ok, value = ready(party)
            if ok:
                moved = True
                advance(party, value)
        if not moved:
            raise Deadlock({p: waiting[p] for p in roles if p not in results})
    left = [key for key, queue in queues.items() if queue]
    assert not left, f"messages nobody read: {left}"
    return results, transcript


__all__ = ["Deadlock", "Receive", "Transcript", "drive"]
