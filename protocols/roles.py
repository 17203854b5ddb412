"""The shape of every protocol role: a generator that yields what it wants and returns its result.

A role reads top to bottom as its paper does. It never touches a socket, a file or a clock: a
driver sends what it asks to send, hands it decoded messages, and may stop it at any yield. A role
is deterministic in its arguments (the seed among them) and the messages it receives; that is what
lets a driver replay it from a journal after a crash.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from protocols.wire import Message

PartyId: TypeAlias = str
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send ``message`` to party ``to``; the role continues at once."""

    to: PartyId
    message: Message


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for one message of ``type`` from party ``from_``; ``yield`` returns it, decoded."""

    from_: PartyId
    type: type[Message]


@dataclass(frozen=True, slots=True)
class ReceiveEach:
    """Wait for one message of ``type`` from each of ``parties``; ``yield`` returns a dict."""

    parties: tuple[PartyId, ...]
    type: type[Message]


@dataclass(frozen=True, slots=True)
class Progress:
    """Tell whoever watches that ``done`` of ``total`` units of ``step`` are finished."""

    step: str
    done: int
    total: int


Request: TypeAlias = Send | Receive | ReceiveEach | Progress
Role: TypeAlias = Generator[Request, Any, T]
