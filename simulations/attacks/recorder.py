"""Runs the real roles in memory, through the real encoding, and keeps what each party received."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from protocols.roles import PartyId, Progress, ReceiveEach, Request, Role, Send
from protocols.wire import Message, decode, encode


@dataclass
class Recording:
    """What each role returned, and each party's view: the messages it got, decoded, in order."""

    results: dict[PartyId, Any] = field(default_factory=dict)
    views: dict[PartyId, list[tuple[PartyId, Message]]] = field(default_factory=dict)

    def received(self, party: PartyId, type_: type[Message]) -> list[Any]:
        """Return the messages of one type ``party`` got, in order."""
        return [message for _, message in self.views[party] if isinstance(message, type_)]


class Stuck(RuntimeError):
    """Every unfinished role waits for a message nobody sends."""


def record(roles: Mapping[PartyId, Role[Any]]) -> Recording:
    """Run ``roles`` to their end; raises what a role raises, and :class:`Stuck`."""
    recording = Recording(views={party: [] for party in roles})
    queues: dict[tuple[PartyId, PartyId], deque[bytes]] = {}
    answers: dict[PartyId, Any] = dict.fromkeys(roles)
    waiting: dict[PartyId, Any] = {}
    while len(recording.results) < len(roles):
        for party, answer in answers.items():
            request = _advance(roles[party], answer, party, queues, recording)
            waiting[party] = request
        answers = {}
        for party, request in waiting.items():
            if request is not None:
                found, answer = _received(party, request, queues, recording)
                if found:
                    answers[party] = answer
        if not answers and len(recording.results) < len(roles):
            raise Stuck(", ".join(party for party, request in waiting.items() if request))
    return recording


def _advance(
    role: Role[Any],
    answer: Any,
    party: PartyId,
    queues: dict[tuple[PartyId, PartyId], deque[bytes]],
    recording: Recording,
) -> Request | None:
    """Run a role until it waits; return what for, or None if it has ended."""
    try:
        request = role.send(answer)
        while isinstance(request, Send | Progress):
            if isinstance(request, Send):
                queues.setdefault((party, request.to), deque()).append(encode(request.message))
            request = role.send(None)
    except StopIteration as stop:
        recording.results[party] = stop.value
        return None
    return request


def _received(
    party: PartyId,
    request: Any,
    queues: dict[tuple[PartyId, PartyId], deque[bytes]],
    recording: Recording,
) -> tuple[bool, Any]:
    """Return whether all awaited messages are there, and what the role gets."""
    senders = request.parties if isinstance(request, ReceiveEach) else (request.from_,)
    if not all(queues.get((sender, party)) for sender in senders):
        return False, None
    got = {s: decode(queues[s, party].popleft(), request.type) for s in senders}
    recording.views[party] += list(got.items())
    return True, got if isinstance(request, ReceiveEach) else got[request.from_]
