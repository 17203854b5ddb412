"""The recorder keeps what each party received, and notices when nobody moves."""

from __future__ import annotations

import pytest

from protocols.errors import RemoteProtocolError
from protocols.roles import Progress, Receive, ReceiveEach, Send
from protocols.wire import Message
from simulations.attacks.recorder import Stuck, record


class Number(Message, frozen=True):
    value: int


def _asker(peers):
    for peer in peers:
        yield Send(peer, Number(len(peer)))
    yield Progress("ask", 0, 1)
    replies = yield ReceiveEach(peers, Number)
    return {peer: reply.value for peer, reply in replies.items()}


def _doubler(peer):
    asked = yield Receive(peer, Number)
    yield Send(peer, Number(2 * asked.value))
    return asked.value


def test_views_and_results_must_be_each_partys_own():
    peers = ("b", "cc")
    recording = record({"a": _asker(peers), "b": _doubler("a"), "cc": _doubler("a")})
    assert recording.results == {"a": {"b": 2, "cc": 4}, "b": 1, "cc": 2}
    assert recording.views == {
        "a": [("b", Number(2)), ("cc", Number(4))],
        "b": [("a", Number(1))],
        "cc": [("a", Number(2))],
    }
    assert recording.received("a", Number) == [Number(2), Number(4)]


def test_roles_that_wait_for_each_other_must_be_named():
    with pytest.raises(Stuck, match="a, b"):
        record({"a": _doubler("b"), "b": _doubler("a")})


def test_what_a_role_raises_must_come_through():
    def refusing():
        raise RemoteProtocolError("no")
        yield

    with pytest.raises(RemoteProtocolError, match="no"):
        record({"a": refusing()})
