"""Several roles over one connection: numbered streams, heartbeats, and an end that says why.

A message is cut into parts of at most a frame and goes out under its stream's number; a thread
sorts what arrives into the streams' queues. Another thread says "I am here" every second, so that
a peer that computes for minutes is told from one that is gone. Whatever goes wrong on either side
ends every stream of both, with a reason.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from party_node.errors import (
    AttemptAbandoned,
    DeadlineExceeded,
    JobRefused,
    NodeError,
    PeerUnreachable,
)
from party_node.peer_channel.transport import MAX_FRAME_BYTES, Connection, ConnectionLost
from protocols.errors import ProtocolError, RemoteProtocolError

_HEADER = struct.Struct(">BHB")
_PART, _HERE, _END, _BYE = range(4)
_PART_BYTES = MAX_FRAME_BYTES - 64  # room for the header, and for a channel inside the channel
_HERE_EVERY_S = 1.0
_TICK_S = 0.25
_FAREWELL_S = 5.0
_LAST_WORDS_S = 2.0
_MAX_REASON = 300
_MAX_UNOPENED = 4096
_UNOPENED_BYTES = 64 << 20
"""How far ahead a peer may be on all the streams together that this side has not come to yet."""
_PART_OVERHEAD = 64
"""What a part costs this side beside its bytes: parts of no bytes are a flood as well."""
_TOLD = (AttemptAbandoned, DeadlineExceeded, JobRefused, PeerUnreachable, ProtocolError)
"""Errors whose text is for the peer too; others speak of files and folders of this machine."""


class PeerEnded(NodeError):
    """The peer ended the run and said why."""


class PeerSilent(PeerUnreachable):
    """The peer is connected and shows no sign of life."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait, in seconds, before saying for whom and for what."""

    connect_s: float = 600.0
    """For the peer to appear, or to come back."""
    silent_s: float = 60.0
    """For any sign of life of a connected peer, which shows one every second."""
    message_s: float = 3600.0
    """For one message of a peer that shows signs of life."""


class CountedConnection(Connection, Protocol):
    """A connection that counts what it costs."""

    @property
    def bytes_sent(self) -> int:
        """Bytes given to the network, everything counted."""

    @property
    def bytes_received(self) -> int:
        """Bytes taken from the network."""


class Streams:
    """The streams to one peer over one connection. Thread-safe; :meth:`close` it."""

    def __init__(self, connection: CountedConnection, peer: str, deadlines: Deadlines) -> None:
        self.peer = peer
        self.connection = connection
        self._deadlines = deadlines
        self._sending = threading.Lock()
        self._lock = threading.Condition()
        self._streams: dict[int, Stream] = {}
        self._failure: Exception | None = None
        self._silent_s: float | None = None
        self._closed = False
        self._sent_at = time.monotonic()
        self._left = False
        self._unopened: set[int] = set()
        self._unopened_bytes = 0
        self._threads = [
            threading.Thread(target=loop, daemon=True) for loop in (self._read, self._stay)
        ]
        for thread in self._threads:
            thread.start()

    def open(self, number: int, *, most_bytes: int) -> Stream:
        """Return stream ``number``, on which the peer may be ``most_bytes`` ahead of its reader."""
        with self._lock:
            stream = self._streams.setdefault(number, Stream(self, number))
            if number in self._unopened:
                self._unopened.remove(number)
                self._unopened_bytes -= stream.waiting_bytes
            stream.most_bytes = most_bytes
            return stream

    def end(self, error: BaseException) -> None:
        """Tell the peer that this side gives up, and why; for both, every stream is over.

        After a lost connection there is nobody to tell: the peer is to come back.
        """
        if isinstance(error, ConnectionLost):
            self.close()
            return
        impatience = self._close_soon()  # a peer that does not read must not hold this side
        with contextlib.suppress(ConnectionLost, NodeError):
            self._send_frame(_HEADER.pack(_END, 0, 1) + told(error).encode())
        impatience.cancel()
        self.close()

    def leave(self) -> bool:
        """Say that all is done; return whether the peer says so too before it is gone.

        Raises :class:`PeerEnded` if it says that something went wrong there.
        """
        with contextlib.suppress(ConnectionLost, NodeError):
            self._send_frame(_HEADER.pack(_BYE, 0, 1))
        give_up = time.monotonic() + self._deadlines.message_s
        with self._lock:
            while not self._left and self._failure is None and time.monotonic() < give_up:
                self._lock.wait(_TICK_S)
            left, failure = self._left, self._failure
        self.close()
        if not left and isinstance(failure, PeerEnded):
            raise failure
        return left

    def close(self) -> None:
        """End at once: what a crash looks like from outside."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self.connection.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=5)

    # -- the streams' side -------------------------------------------------------------------

    def send(self, number: int, data: bytes) -> None:
        """Send one message; blocks while the peer's buffers are full."""
        self._raise_failure()
        view = memoryview(data)
        for start in range(0, max(1, len(view)), _PART_BYTES):
            last = start + _PART_BYTES >= len(view)
            frame = _HEADER.pack(_PART, number, last) + view[start : start + _PART_BYTES]
            try:
                self._send_frame(frame)
            except ConnectionLost as error:
                self._fail_to_send(error)
                self._raise_failure(f"it was to take {len(data)} bytes")

    def receive(self, stream: Stream, what: str) -> bytes:
        """Return the stream's next message; raises what ended the streams, or a deadline."""
        started = time.monotonic()
        with self._lock:
            while not stream.inbox:
                self._raise_failure(f"{what} was awaited")
                if time.monotonic() - started > self._deadlines.message_s:
                    raise DeadlineExceeded(
                        f"waited {self._deadlines.message_s:.0f} s for {what} from {self.peer}",
                        f"{self.peer} is connected but does not get there: ask its operator",
                    )
                self._lock.wait(_TICK_S)
            data, cost = stream.inbox.popleft()
            stream.waiting_bytes -= cost
            return data

    def _raise_failure(self, meanwhile: str = "") -> None:
        if self._silent_s is not None:
            raise PeerSilent(
                f"{self.peer} has been silent for {self._silent_s:.0f} s though connected"
                + (f", while {meanwhile}" if meanwhile else ""),
                f"see whether {self.peer}'s process runs, then run the same command again",
            )
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ConnectionLost("closed here")

    def _fail(self, error: Exception) -> None:
        with self._lock:
            if self._failure is None and not self._closed:
                self._failure = error
            self._lock.notify_all()

    def _fail_to_send(self, error: Exception) -> None:
        """Record ``error``, unless the peer said why before it went: that is still to be read."""
        if isinstance(error, DeadlineExceeded):
            # Connected, but it does not read: another connection would end the same way.
            error = DeadlineExceeded(error.message, error.hint)
        with self._lock:
            self._lock.wait_for(
                lambda: self._failure is not None or self._closed, timeout=_LAST_WORDS_S
            )
        self._fail(error)

    def _give_up_on_silent(self, silent_s: float) -> None:
        with self._lock:
            if self._failure is None and not self._closed:
                self._silent_s = silent_s
                self._failure = PeerSilent(self.peer)
            self._lock.notify_all()
        self._close_soon()  # wakes whoever waits for it to take a frame

    def _close_soon(self) -> threading.Timer:
        """Leave a moment for a last word; then the connection is closed."""
        timer = threading.Timer(_FAREWELL_S, self.connection.close)
        timer.daemon = True
        timer.start()
        return timer

    def _send_frame(self, frame: bytes) -> None:
        with self._sending:
            self.connection.send(frame)
            self._sent_at = time.monotonic()

    # -- the threads -------------------------------------------------------------------------

    def _stay(self) -> None:
        alive = True
        while alive:
            with self._lock:
                self._lock.wait(_TICK_S)
                if self._closed or self._failure is not None:
                    return
            if time.monotonic() - self._sent_at > _HERE_EVERY_S:
                alive = self._say_here()

    def _say_here(self) -> bool:
        """Send a sign of life; return whether the connection still stands."""
        if not self._sending.acquire(blocking=False):
            return True  # somebody sends at this moment: that is a sign of life
        try:
            self.connection.send(_HEADER.pack(_HERE, 0, 1))
            self._sent_at = time.monotonic()
        except ConnectionLost as error:
            self._fail_to_send(error)
            return False
        finally:
            self._sending.release()
        return True

    def _read(self) -> None:
        heard_at, heard_bytes = time.monotonic(), self.connection.bytes_received
        try:
            while not self._closed and self._failure is None:
                frame = self.connection.receive(_TICK_S)
                # Bytes and not frames: over a slow line a long frame takes its time.
                if self.connection.bytes_received != heard_bytes:
                    heard_at, heard_bytes = time.monotonic(), self.connection.bytes_received
                if frame is not None:
                    self._take(frame)
                elif time.monotonic() - heard_at > self._deadlines.silent_s:
                    self._give_up_on_silent(time.monotonic() - heard_at)
        except Exception as error:  # noqa: BLE001 - must reach the roles' threads, whatever it is
            self._fail(error)

    def _take(self, frame: bytes) -> None:
        if len(frame) < _HEADER.size:
            raise RemoteProtocolError("a frame without a header", party=self.peer)
        kind, number, last = _HEADER.unpack_from(frame)
        body = frame[_HEADER.size :]
        if last not in (0, 1) or (kind != _PART and (number, last) != (0, 1)):
            raise RemoteProtocolError("a frame that is none of this release", party=self.peer)
        with self._lock:
            if kind == _PART:
                self._take_part(number, bool(last), body)
            elif kind == _END:
                shown = _printable(body.decode("utf-8", "replace"))
                raise PeerEnded(
                    f"{self.peer} ended the run: {shown}",
                    f"see what {self.peer}'s operator is told",
                )
            elif kind in (_HERE, _BYE) and not body:
                self._left = self._left or kind == _BYE
            else:
                raise RemoteProtocolError("a frame that is none of this release", party=self.peer)
            self._lock.notify_all()

    def _take_part(self, number: int, last: bool, body: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None:
            if len(self._unopened) >= _MAX_UNOPENED:
                raise RemoteProtocolError("opens stream after stream", party=self.peer)
            stream = self._streams[number] = Stream(self, number)
            self._unopened.add(number)
        stream.parts.append(body)
        cost = len(body) + _PART_OVERHEAD
        stream.parts_cost += cost
        stream.waiting_bytes += cost
        ahead, allowed = stream.waiting_bytes, stream.most_bytes
        if number in self._unopened:
            self._unopened_bytes += cost
            ahead, allowed = self._unopened_bytes, _UNOPENED_BYTES
        if ahead > allowed:
            raise RemoteProtocolError(
                f"sends more than was asked for ({ahead} bytes ahead)", party=self.peer
            )
        if last:
            whole = stream.parts[0] if len(stream.parts) == 1 else b"".join(stream.parts)
            stream.inbox.append((whole, stream.parts_cost))
            stream.parts.clear()
            stream.parts_cost = 0


class Stream:
    """One numbered sequence of messages each way."""

    def __init__(self, streams: Streams, number: int) -> None:
        self.number = number
        self.most_bytes = 0
        self.inbox: deque[tuple[bytes, int]] = deque()
        """Whole messages, and what each counts in ``waiting_bytes``."""
        self.parts: list[bytes] = []
        self.parts_cost = 0
        self.waiting_bytes = 0
        self._streams = streams

    @property
    def peer(self) -> str:
        """Who is at the other end."""
        return self._streams.peer

    def send(self, data: bytes) -> None:
        """Send one message."""
        self._streams.send(self.number, data)

    def receive(self, what: str) -> bytes:
        """Return the next message; ``what`` names it in the error of a deadline."""
        return self._streams.receive(self, what)


def told(error: BaseException) -> str:
    """Return what the peer is told of an error here: never a path, a file or a line of code."""
    if isinstance(error, PeerEnded):
        return "the other side had ended it"
    if isinstance(error, KeyboardInterrupt):
        return "its operator stopped it"
    if isinstance(error, _TOLD):
        return _printable(error.message if isinstance(error, NodeError) else str(error))
    return f"there was an error on its own side ({type(error).__name__})"


def _printable(text: str) -> str:
    """Return the text as it may stand on an operator's terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)[:_MAX_REASON]
