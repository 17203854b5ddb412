"""A small Flower Grid without Ray: the same two apps, one thread a node, in one process.

Not a product: parties share an interpreter here. Flower 1.41 has no second simulation backend.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity


class ThreadGrid(Grid):
    """Delivers each message by calling the ClientApp in a thread of its own."""

    def __init__(self, client_app: ClientApp, parties: int) -> None:
        self._app = client_app
        self._run = Run.create_empty(run_id=1)
        self._pool = ThreadPoolExecutor(max_workers=parties)
        self._numbers = itertools.count(1)
        self._replies: dict[str, Future[Message]] = {}
        self._contexts = {
            node: Context(
                run_id=1,
                node_id=node,
                node_config={"partition-id": node - 1, "num-partitions": parties},
                state=RecordDict(),
                run_config={},
            )
            for node in range(1, parties + 1)
        }
        self.crashed = threading.Event()

    def set_run(self, run: Run) -> None:
        """Replace the run this Grid works for."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run this Grid works for."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Make a message, as the base class asks."""
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Return every node's id."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Start each message's handling; return the messages' ids."""
        ids = []
        for message in messages:
            message_id = f"message-{next(self._numbers)}"
            message.metadata.__dict__["_message_id"] = message_id
            self._replies[message_id] = self._pool.submit(self._call, message)
            ids.append(message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies there are."""
        ready = [i for i in message_ids if i in self._replies and self._replies[i].done()]
        return [self._replies.pop(i).result() for i in ready]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Push, wait for every reply, return them."""
        ids = list(self.push_messages(messages))
        return [self._replies.pop(i).result(timeout) for i in ids]

    def _call(self, message: Message) -> Message:
        try:
            return self._app(message, self._contexts[message.metadata.dst_node_id])
        except BaseException as error:  # noqa: BLE001
            # What Flower's engine answers when an actor dies or its app raises.
            return Message(Error(code=0, reason=type(error).__name__), reply_to=message)


def run(server_app: ServerApp, client_app: ClientApp, parties: int) -> None:
    """Run both apps to the end; stands in for ``simulations.engine.run``."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
    grid = ThreadGrid(client_app, parties)
    server_app(
        grid, Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config={})
    )
