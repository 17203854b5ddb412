"""A Flower Grid that hands on replies as they come, and gives up when the round is over.

Flower 1.41's own ``send_and_receive`` sleeps three seconds between looks and returns replies all
together; the ciphertexts of many parties would wait in memory beside each other. Here they are
yielded one by one, so that each can be added and freed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run


class PolledGrid(Grid):
    """``grid``, looked at every ``poll_s`` seconds for ``deadline_s`` at most."""

    def __init__(self, grid: Grid, *, deadline_s: float, poll_s: float = 0.05) -> None:
        self._grid = grid
        self._deadline_s = deadline_s
        self._poll_s = poll_s

    def set_run(self, run: Run) -> None:
        """Set the run, as the base class asks."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run the Grid works for."""
        return self._grid.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Make a message, as the base class asks."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Return the ids of the nodes that are there now."""
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send; return the messages' ids."""
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies there are."""
        return self._grid.pull_messages(message_ids)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Send, then yield each reply when it comes, until all came or the time is over.

        The shorter of ``timeout`` and the round's deadline counts.
        """
        waiting = set(self._grid.push_messages(messages))
        allowed = self._deadline_s if timeout is None else min(timeout, self._deadline_s)
        give_up = time.monotonic() + allowed
        while waiting and time.monotonic() < give_up:
            for reply in self._grid.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                yield reply
            if waiting:
                time.sleep(self._poll_s)
