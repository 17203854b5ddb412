"""Frames over a stream of bytes: a 4-byte big-endian length, then as many bytes."""

from __future__ import annotations

import struct
import threading
import time
from typing import Protocol

from party_node.errors import DeadlineExceeded
from party_node.peer_channel.transport import MAX_FRAME_BYTES, ConnectionLost
from protocols.errors import DecodeError

_LENGTH = struct.Struct(">I")
# Two frames: the rest of one is moved to the front at most once for every frame's worth received.
_BUFFER_BYTES = 2 * (_LENGTH.size + MAX_FRAME_BYTES)


class PeerStalled(ConnectionLost, DeadlineExceeded):
    """The peer stopped reading, so that a frame could not be sent in time."""


class ByteStream(Protocol):
    """What carries the frames; see :class:`party_node.peer_channel.tcp.TcpStream`."""

    @property
    def bytes_sent(self) -> int:
        """Bytes given to TCP."""

    @property
    def bytes_received(self) -> int:
        """Bytes taken from TCP."""

    def fileno(self) -> int:
        """Return the descriptor, for ``poll``."""

    def open(self) -> int:
        """Go on opening without waiting; return the ``poll`` events to wait for, 0 once open."""

    def receive_into(self, target: memoryview, give_up: float) -> int | None:
        """Return how many bytes came: 0 at the peer's end, None if none came in time."""

    def send(self, head: bytes, body: memoryview, give_up: float) -> bool:
        """Send ``head``, then ``body``; False if the peer did not take them in time."""

    def say_goodbye(self) -> None:
        """Tell the peer, without waiting, that this is the end and no cut."""

    def shut(self) -> None:
        """End both directions, so that threads waiting in them wake."""

    def close(self) -> None:
        """Free what the stream holds; no thread may be in another method."""


class FramedConnection:
    """A :class:`~party_node.peer_channel.transport.Connection` over a byte stream.

    Full duplex: one thread may send while another receives; senders among themselves wait for one
    another, and so do receivers. ``send_s`` is how long the peer may take to accept one frame.
    """

    def __init__(self, stream: ByteStream, peer: str, *, send_s: float) -> None:
        self.peer = peer
        self._stream = stream
        self._send_s = send_s
        self._sending = threading.Lock()
        self._receiving = threading.Lock()
        self._closing = threading.Lock()
        self._lost = ""
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._start = self._end = 0

    @property
    def bytes_sent(self) -> int:
        """Bytes given to TCP: frames, their lengths and, under TLS, its records and handshake."""
        return self._stream.bytes_sent

    @property
    def bytes_received(self) -> int:
        """Bytes taken from TCP, counted as :attr:`bytes_sent` is."""
        return self._stream.bytes_received

    def send(self, frame: bytes | bytearray | memoryview, *, within_s: float | None = None) -> None:
        """Send one frame; raises :class:`ConnectionLost`, :class:`PeerStalled` among them.

        ``within_s`` shortens the deadline. After an error nothing can be sent any more.
        """
        payload = memoryview(frame).cast("B")
        if len(payload) > MAX_FRAME_BYTES:
            raise ValueError(f"a frame of {len(payload)} bytes; at most {MAX_FRAME_BYTES}")
        limit = self._send_s if within_s is None else min(within_s, self._send_s)
        with self._sending:
            if self._lost:
                raise ConnectionLost(self._lost)
            header = _LENGTH.pack(len(payload))
            try:
                done = self._stream.send(header, payload, time.monotonic() + limit)
            except ConnectionLost as error:
                raise self._lose(f"lost the connection to {self.peer}: {error}") from None
            except BaseException:
                # Ctrl-C, say: half a frame leaves nothing to continue with.
                self._lose(f"the connection to {self.peer} broke while a frame was sent")
                raise
            if not done:
                waited = f"waited {limit:g} s for {self.peer} to take a frame"
                self._lose(waited)
                raise PeerStalled(
                    f"{waited} of {len(payload)} bytes",
                    f"{self.peer} is connected but does not read: ask its operator",
                )

    def receive(self, timeout: float) -> bytes | None:
        """Return the next frame, or None when none is complete after ``timeout`` seconds.

        Raises :class:`ConnectionLost`, and :class:`DecodeError` for an impossible length. The
        peer's end, even of its direction alone, is the end of both.
        """
        give_up = time.monotonic() + timeout
        with self._receiving:
            while True:
                frame = self._take()
                if frame is not None:
                    return frame
                try:
                    received = self._stream.receive_into(self._buffer[self._end :], give_up)
                except ConnectionLost as error:
                    raise self._lose(f"lost the connection to {self.peer}: {error}") from None
                if received is None:
                    return None
                if received == 0:
                    inside = " in the middle of a frame" if self._end > self._start else ""
                    raise self._lose(f"{self.peer} closed the connection{inside}")
                self._end += received

    def close(self) -> None:
        """End the connection; a thread in :meth:`send` or :meth:`receive` wakes."""
        with self._closing:
            # Between two frames only: a sender in the middle of one has the stream to itself.
            if self._sending.acquire(blocking=False):
                try:
                    if not self._lost:
                        self._stream.say_goodbye()
                finally:
                    self._sending.release()
            self._lose("the connection was closed here")
            with self._receiving, self._sending:
                self._stream.close()

    def _lose(self, reason: str) -> ConnectionLost:
        """End both directions; return the error, which gives the first reason there was.

        A sender must not go on waiting for a peer that has left: TCP may tell it minutes later,
        if the peer's last word was that its buffers are full.
        """
        if not self._lost:
            self._lost = reason
        self._stream.shut()
        return ConnectionLost(self._lost)

    def _take(self) -> bytes | None:
        """Return the frame at the front of the buffer, or None and make room for its rest."""
        available = self._end - self._start
        needed = _LENGTH.size
        if available >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, self._start)
            if length > MAX_FRAME_BYTES:
                self._lose(f"{self.peer} announced a frame that is too long")
                raise DecodeError(
                    f"announced a frame of {length} bytes; at most {MAX_FRAME_BYTES}",
                    party=self.peer,
                )
            needed += length
            if available >= needed:
                frame = bytes(self._buffer[self._start + _LENGTH.size : self._start + needed])
                self._start += needed
                return frame
        if available == 0:
            self._start = self._end = 0
        elif self._start + needed > len(self._buffer):
            self._buffer[:available] = self._buffer[self._start : self._end]
            self._start, self._end = 0, available
        return None
