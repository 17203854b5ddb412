"""What a link needs of a transport: an ordered byte-frame connection to one named peer."""

from __future__ import annotations

from typing import Protocol

MAX_FRAME_BYTES = (1 << 20) + 4096


class ConnectionLost(Exception):
    """The connection ended; the link may dial again."""


class Connection(Protocol):
    """Frames of at most :data:`MAX_FRAME_BYTES`, in order, to one peer."""

    def send(self, frame: bytes) -> None:
        """Send one frame; raises :class:`ConnectionLost`."""

    def receive(self, timeout: float) -> bytes | None:
        """Return the next frame, or None after ``timeout`` seconds; may raise ConnectionLost."""

    def close(self) -> None:
        """End the connection; both sides' calls then raise :class:`ConnectionLost`."""


class Dialer(Protocol):
    """Connects this party to one peer, whichever side listens."""

    def dial(self, timeout: float) -> Connection | None:
        """Return a connection, or None when the peer did not appear within ``timeout``."""

    def close(self) -> None:
        """Stop listening."""
