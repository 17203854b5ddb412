"""Two ends of a connection in memory, as the streams see one."""

from __future__ import annotations

import threading
from collections import deque

from party_node.peer_channel.transport import MAX_FRAME_BYTES, ConnectionLost


class End:
    """One end; ``capacity`` frames wait for the other at most."""

    def __init__(self, capacity: int) -> None:
        self.other: End
        self.bytes_sent = 0
        self.bytes_received = 0
        self.taken: list[bytes] = []
        self._capacity = capacity
        self._frames: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def send(self, frame: bytes) -> None:
        assert len(frame) <= MAX_FRAME_BYTES
        other = self.other
        with other._changed:
            other._changed.wait_for(
                lambda: len(other._frames) < self._capacity or other._closed or self._closed
            )
            if other._closed or self._closed:
                raise ConnectionLost("the line is cut")
            other._frames.append(bytes(frame))
            self.bytes_sent += len(frame)
            other._changed.notify_all()

    def receive(self, timeout: float) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._closed, timeout)
            if self._frames:
                frame = self._frames.popleft()
                self.bytes_received += len(frame)
                self.taken.append(frame)
                self._changed.notify_all()
                return frame
            if self._closed:
                raise ConnectionLost("the line is cut")
            return None

    def close(self) -> None:
        for end in (self, self.other):
            with end._changed:
                end._closed = True
                end._changed.notify_all()


def line(capacity: int = 1 << 20) -> tuple[End, End]:
    """Return both ends of a new connection."""
    one, other = End(capacity), End(capacity)
    one.other, other.other = other, one
    return one, other
