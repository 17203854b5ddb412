"""Runs one role over one stream. Nothing is journaled: an interrupted part starts again, afresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from party_node.psi.streams import Stream
from protocols.errors import RemoteProtocolError
from protocols.roles import Progress, Receive, ReceiveEach, Role, Send
from protocols.wire import decode, encode

T = TypeVar("T")
OnProgress = Callable[[str, int, int], None]


def ignore_progress(_step: str, _done: int, _total: int) -> None:
    """Watch nothing."""


def run_role(
    role: Role[T], stream: Stream, *, step: str, on_progress: OnProgress = ignore_progress
) -> T:
    """Run ``role`` with the stream's peer to its end and return its result.

    Raises what the role raises, a peer's mistakes under its name and ``step``, and what ends the
    stream.
    """
    answer: Any = None
    try:
        while True:
            try:
                request = role.send(answer)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            answer = None
            match request:
                case Send(message=message):
                    stream.send(encode(message))
                case Receive(type=type_):
                    answer = _receive(stream, type_, step)
                case ReceiveEach(parties=parties, type=type_):
                    answer = {party: _receive(stream, type_, step) for party in parties}
                case Progress():
                    on_progress(request.step, request.done, request.total)
    except RemoteProtocolError as error:
        error.party, error.step = error.party or stream.peer, error.step or step
        raise
    finally:
        role.close()


def _receive(stream: Stream, type_: Any, step: str) -> Any:
    return decode(stream.receive(f"{type_.__name__} of step {step}"), type_)
