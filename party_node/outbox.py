"""A step's messages on their way out: journaled, then sent, in order, while the role goes on."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from party_node.journal import Journal, Outbound
from party_node.peer_channel import PeerLink


class Outbox:
    """Writes and sends from a thread of its own.

    No message leaves before the journal holds it, and that waits for the disk, some milliseconds
    each time. The role computes meanwhile, and what it sends then shares the next wait.
    """

    def __init__(self, journal: Journal, links: Mapping[str, PeerLink]) -> None:
        self._journal = journal
        self._links = links
        self._lock = threading.Condition()
        self._waiting: list[tuple[str, Outbound]] = []
        self._busy = False
        self._failure: Exception | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, peer: str, message: Outbound) -> None:
        """Take a message in; raises what an earlier one failed with."""
        with self._lock:
            self._raise_failure()
            self._waiting.append((peer, message))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._lock.notify_all()

    def failed(self) -> bool:
        """Whether a message failed: :meth:`settle` says how."""
        return self._failure is not None

    def settle(self) -> None:
        """Wait until every message is journaled and handed to its link; raise a failure."""
        with self._lock:
            while self._failure is None and (self._waiting or self._busy):
                self._lock.wait()
            self._raise_failure()

    def close(self) -> None:
        """Let what was put in leave, and end; a failure was raised, or does not matter any more."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while True:
            with self._lock:
                while not (self._waiting or self._closed):
                    self._lock.wait()
                if not self._waiting:
                    return
                batch, self._waiting, self._busy = self._waiting, [], True
            try:
                self._journal.record_outbound(*batch)
                for peer, message in batch:
                    self._links[peer].send(message.ordinal, message.position, message.data)
            except Exception as error:  # noqa: BLE001 - the role's thread raises it
                self._failure = error
            with self._lock:
                self._busy = False
                self._lock.notify_all()
                if self._failure is not None:
                    return
