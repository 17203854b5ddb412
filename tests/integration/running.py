"""Runs the small job in process, with a crash where a test wants one, and keeps what was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flwr.app import Message

from party_node.peer_channel import loopback
from party_node.peer_channel.link import Deadlines, PeerLink
from simulations.report.model import RunReport
from simulations.run import Simulation
from tests.integration import thread_grid

DEADLINES = Deadlines(message_s=60, reconnect_s=20)


class Killed(BaseException):
    """Stands for kill -9 of one party."""


@dataclass
class Wire:
    """Every message queued; every frame and Flower message sent, over all runs of a test."""

    messages: dict[tuple[str, str, int, int, int], set[bytes]] = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)

    @classmethod
    def tapped(cls, monkeypatch: pytest.MonkeyPatch) -> Wire:
        """Return a wire that sees all links and loopback connections made from now on."""
        wire = cls()
        lock = threading.Lock()
        queue, send = PeerLink._queue_message, loopback.LoopbackConnection.send

        def queue_message(link: PeerLink, ordinal: int, position: int, data: bytes) -> None:
            session = link._session
            place = (session.party, link.peer, session.attempt, ordinal, position)
            with lock:
                wire.messages.setdefault(place, set()).add(data)
            queue(link, ordinal, position, data)

        def send_frame(connection: loopback.LoopbackConnection, frame: bytes) -> None:
            with lock:
                wire.frames.append(frame)
            send(connection, frame)

        call = thread_grid.ThreadGrid._call

        def carry(grid: thread_grid.ThreadGrid, message: Message) -> Message:
            reply = call(grid, message)
            with lock:
                wire.frames += _contents(message) + _contents(reply)
            return reply

        monkeypatch.setattr(thread_grid.ThreadGrid, "_call", carry)
        monkeypatch.setattr(PeerLink, "_queue_message", queue_message)
        monkeypatch.setattr(loopback.LoopbackConnection, "send", send_frame)
        return wire


def _contents(message: Message) -> list[bytes]:
    if message.has_error():
        return [message.error.reason.encode()]
    records = message.content.config_records.values()
    return [
        value if isinstance(value, bytes) else str(value).encode()
        for record in records
        for value in record.values()
    ]


@dataclass
class CrashPoint:
    """Kills ``party`` at its yield number ``at``, once; counts yields either way."""

    party: str = ""
    at: int = -1
    yields: dict[str, int] = field(default_factory=dict)
    crashed: bool = False

    def __call__(self, party: str) -> None:
        """Called by the driver at each yield."""
        count = self.yields[party] = self.yields.get(party, -1) + 1
        if party == self.party and count == self.at and not self.crashed:
            self.crashed = True
            raise Killed


def run(
    scenario: Path,
    out: Path,
    *,
    resume: bool = False,
    at_yield: Callable[[str], None] = lambda party: None,
) -> RunReport:
    """Run the scenario to its report through the real apps, in this process."""
    return Simulation.of(str(scenario), out).run(
        resume=resume, run_engine=thread_grid.run, deadlines=DEADLINES, at_yield=at_yield
    )
