"""Replies are handed on as they come, and nobody is waited for beyond the round."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

from coordinator.horizontal.polled_grid import PolledGrid
from tests.integration.thread_grid import ThreadGrid

Serve = Callable[[int], None]


def made(serve: Serve, nodes: int, **limits: float) -> PolledGrid:
    """Return a Grid of nodes that each answer with their number, after ``serve`` returns."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: object) -> Message:
        node = message.metadata.dst_node_id
        serve(node)
        return Message(RecordDict({"said": ConfigRecord({"node": node})}), reply_to=message)

    del query
    return PolledGrid(ThreadGrid(app, nodes), **{"deadline_s": 30.0, "poll_s": 0.01} | limits)


def asked(grid: PolledGrid) -> list[Message]:
    return [Message(RecordDict(), node, "query") for node in grid.get_node_ids()]


def said(replies: Iterator[Message]) -> list[int]:
    return [int(reply.content.config_records["said"]["node"]) for reply in replies]  # type: ignore[arg-type]


def test_a_reply_is_there_before_the_slower_ones_are() -> None:
    released: list[int] = []

    def serve(node: int) -> None:
        give_up = time.monotonic() + 20
        while node > len(released) + 1 and time.monotonic() < give_up:
            time.sleep(0.005)

    grid = made(serve, 3)
    replies = grid.send_and_receive(asked(grid))
    order = []
    for _ in range(3):
        order += said(iter([next(replies)]))
        released.append(order[-1])  # lets the next one answer
    assert order == [1, 2, 3]
    assert next(replies, None) is None


@pytest.mark.parametrize("limits", [{"deadline_s": 0.3}, {"deadline_s": 30.0, "timeout": 0.3}])
def test_the_shorter_of_deadline_and_timeout_ends_the_wait(limits: dict[str, float]) -> None:
    timeout = limits.pop("timeout", None)
    waiting = [True]

    def serve(node: int) -> None:
        while node == 2 and waiting:
            time.sleep(0.005)

    grid = made(serve, 3, **limits)
    began = time.monotonic()
    assert sorted(said(grid.send_and_receive(asked(grid), timeout=timeout))) == [1, 3]
    assert 0.3 <= time.monotonic() - began < 10
    waiting.clear()


def test_a_timeout_does_not_lengthen_the_round() -> None:
    waiting = [True]

    def serve(node: int) -> None:
        while waiting:
            time.sleep(0.005)

    grid = made(serve, 1, deadline_s=0.1)
    assert said(grid.send_and_receive(asked(grid), timeout=60)) == []
    waiting.clear()


def test_everything_else_is_the_grids_own() -> None:
    inner = ThreadGrid(ClientApp(), 2)
    grid = PolledGrid(inner, deadline_s=1)
    assert list(grid.get_node_ids()) == [1, 2]
    assert grid.run is inner.run
    grid.set_run(inner.run)
    message = grid.create_message(RecordDict(), "query", 2, "")
    assert message.metadata.dst_node_id == 2
    (sent,) = grid.push_messages([message])
    give_up = time.monotonic() + 20
    replies: list[Message] = []
    while not replies and time.monotonic() < give_up:
        replies = list(grid.pull_messages([sent]))
    assert replies[0].metadata.reply_to_message_id == sent
