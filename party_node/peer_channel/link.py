"""One party's end of the channel to one peer: resends from the journal, never loses its place.

A message is known by (step ordinal, position). On every new connection both ends say which place
in the other's stream they want next, and the journal supplies it: that is all a reconnect, a
killed process or a resumed job needs. Two threads serve the link (dial and read; write), so that
a party that computes for minutes still drains its socket and a pair that sends at once cannot
deadlock.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from party_node.errors import AttemptAbandoned, DeadlineExceeded, PeerUnreachable
from party_node.journal import Journal
from party_node.peer_channel.frames import (
    PART_BYTES,
    Abandon,
    Acknowledged,
    Farewell,
    Frame,
    Hello,
    Part,
    decode_frame,
    encode_frame,
)
from party_node.peer_channel.transport import Connection, ConnectionLost, Dialer
from protocols.errors import RemoteProtocolError
from protocols.wire import MAX_MESSAGE_BYTES

_TICK_S = 0.2
_FLUSH_S = 30.0
_REDIAL_S = 0.02


@dataclass(frozen=True, slots=True)
class Session:
    """What both ends of a link must agree on before a message passes."""

    party: str
    job_id: str
    spec_digest: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a party waits, in seconds, before it says whom it waited for."""

    message_s: float = 900.0
    reconnect_s: float = 60.0


class PeerLink:
    """The numbered message streams to and from one peer."""

    def __init__(
        self,
        peer: str,
        session: Session,
        dialer: Dialer,
        journal: Journal,
        *,
        deadlines: Deadlines,
        start_ordinal: int,
    ) -> None:
        self.peer = peer
        self._session = session
        self._dialer = dialer
        self._journal = journal
        self._deadlines = deadlines
        self._lock = threading.Condition()
        self._inbox: dict[tuple[int, int], bytes] = {}
        self._next_inbound = (start_ordinal, 0)
        self._outgoing: deque[Frame] = deque()
        self._queued_up_to = (-1, -1)
        self._connection: Connection | None = None
        self._disconnected_at = time.monotonic()
        self._failure: Exception | None = None
        self._closed = False
        self._leaving = False
        self._peer_left = False
        self._threads = [
            threading.Thread(target=self._guard, args=(loop,), daemon=True)
            for loop in (self._read_loop, self._write_loop)
        ]
        for thread in self._threads:
            thread.start()

    # -- the role's side ---------------------------------------------------------------------

    def send(self, ordinal: int, position: int, data: bytes) -> None:
        """Queue a message that the journal already holds."""
        with self._lock:
            self._raise_failure()
            if self._connection is not None and (ordinal, position) > self._queued_up_to:
                self._queue_message(ordinal, position, data)
                self._lock.notify_all()

    def receive(
        self, ordinal: int, position: int, what: str, stopped: Callable[[], bool]
    ) -> bytes | None:
        """Return the message at (ordinal, position), or None if ``stopped()`` turned true.

        Raises :class:`DeadlineExceeded`, :class:`PeerUnreachable`, or what the peer did wrong.
        """
        started = time.monotonic()
        with self._lock:
            while (ordinal, position) not in self._inbox:
                self._raise_failure()
                if stopped():
                    return None
                now = time.monotonic()
                if now - started > self._deadlines.message_s:
                    raise DeadlineExceeded(
                        f"waited {self._deadlines.message_s:.0f} s for {what} from {self.peer}",
                        f"{self.peer} is connected but silent: ask its operator",
                    )
                away = now - max(self._disconnected_at, started)
                if self._connection is None and away > self._deadlines.reconnect_s:
                    raise PeerUnreachable(
                        f"{self.peer} was not reachable for {away:.0f} s while {what} was awaited",
                        f"see whether {self.peer}'s node runs, then resume the job",
                    )
                self._lock.wait(_TICK_S)
            return self._inbox.pop((ordinal, position))

    def acknowledge(self, ordinal: int) -> None:
        """Tell the peer that step ``ordinal`` is finished here for good."""
        with self._lock:
            # A later greeting must not ask for what the peer may now forget.
            self._next_inbound = max(self._next_inbound, (ordinal + 1, 0))
            if self._connection is not None:
                self._outgoing.append(Acknowledged(ordinal))
                self._lock.notify_all()

    def linger(self, stopped: Callable[[], bool]) -> None:
        """Leave the phase together: say goodbye, and serve the peer until it does the same.

        The peer may still need what this party sent, even after a crash of its own. It gets
        ``reconnect_s`` to come back; then this party leaves, since all it did is in its journal.
        """
        with self._lock:
            self._leaving = True
            if self._connection is not None:
                self._outgoing.append(Farewell())
            while not self._peer_left and not stopped():
                self._raise_failure()
                away = time.monotonic() - self._disconnected_at
                if self._connection is None and away > self._deadlines.reconnect_s:
                    break
                self._lock.notify_all()
                self._lock.wait(_TICK_S)
        self._flush()

    def abandon(self, reason: str) -> None:
        """Tell the peer that this attempt is over."""
        with self._lock:
            if self._connection is not None:
                self._outgoing.append(Abandon(reason[:500]))
                self._lock.notify_all()
        self._flush()

    def _flush(self) -> None:
        give_up = time.monotonic() + _FLUSH_S
        with self._lock:
            while self._outgoing and self._connection is not None and self._failure is None:
                if time.monotonic() > give_up:
                    return
                self._lock.wait(_TICK_S)

    def close(self) -> None:
        """End at once, without a word to the peer: what a crash looks like from outside."""
        with self._lock:
            self._closed = True
            connection = self._connection
            self._connection = None
            self._lock.notify_all()
        self._dialer.close()
        if connection is not None:
            connection.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # -- the network's side ------------------------------------------------------------------

    def _guard(self, loop: Callable[[], None]) -> None:
        # Whatever ends a thread must reach the role's thread: it would wait for ever otherwise.
        try:
            loop()
        except Exception as error:  # noqa: BLE001
            with self._lock:
                if not self._closed and self._failure is None:
                    self._failure = error
                self._lock.notify_all()

    def _read_loop(self) -> None:
        while not self._closed:
            connection = self._dialer.dial(_TICK_S)
            if connection is None:
                continue
            try:
                self._meet(connection)
                self._read(connection)
            except ConnectionLost:
                time.sleep(_REDIAL_S)
            except (RemoteProtocolError, AttemptAbandoned) as error:
                if isinstance(error, RemoteProtocolError):
                    error.party = error.party or self.peer
                else:
                    self._try_to_say(connection, Abandon(error.message[:500]))
                raise
            finally:
                self._drop(connection)

    def _meet(self, connection: Connection) -> None:
        with self._lock:
            ordinal, position = self._next_inbound
        mine = Hello(
            party=self._session.party,
            job_id=self._session.job_id,
            spec_digest=self._session.spec_digest,
            attempt=self._session.attempt,
            ordinal=ordinal,
            position=position,
        )
        connection.send(encode_frame(mine))
        data = None
        give_up = time.monotonic() + self._deadlines.reconnect_s
        while data is None:
            if self._closed or time.monotonic() > give_up:
                raise ConnectionLost("no greeting")
            data = connection.receive(_TICK_S)
        theirs = decode_frame(data)
        if isinstance(theirs, Abandon):
            raise AttemptAbandoned(f"{self.peer} abandoned the attempt: {theirs.reason}")
        if not isinstance(theirs, Hello):
            raise RemoteProtocolError("did not greet first", step="greeting")
        if (theirs.party, theirs.job_id, theirs.spec_digest) != (
            self.peer,
            self._session.job_id,
            self._session.spec_digest,
        ):
            raise RemoteProtocolError("greeted for another job or as another party")
        if theirs.attempt != self._session.attempt:
            # One side has not heard of the newer attempt yet: it will be told, then dial again.
            raise ConnectionLost("another attempt")
        with self._lock:
            pending = self._journal.outbound_from(self.peer, theirs.ordinal, theirs.position)
            self._outgoing.clear()
            self._queued_up_to = (theirs.ordinal, theirs.position - 1)
            for message in pending:
                self._queue_message(message.ordinal, message.position, message.data)
            if self._leaving:
                self._outgoing.append(Farewell())
            if not self._closed:
                self._connection = connection
            self._lock.notify_all()

    def _queue_message(self, ordinal: int, position: int, data: bytes) -> None:
        for part, start in enumerate(range(0, max(1, len(data)), PART_BYTES)):
            piece = data[start : start + PART_BYTES]
            last = start + PART_BYTES >= len(data)
            self._outgoing.append(Part(ordinal, position, part, last, piece))
        self._queued_up_to = (ordinal, position)

    def _read(self, connection: Connection) -> None:
        parts: list[bytes] = []
        while not self._closed:
            data = connection.receive(_TICK_S)
            if data is None:
                continue
            frame = decode_frame(data)
            match frame:
                case Part():
                    self._take_part(frame, parts)
                case Acknowledged():
                    self._journal.acknowledge(self.peer, frame.ordinal)
                case Abandon():
                    raise AttemptAbandoned(f"{self.peer} abandoned the attempt: {frame.reason}")
                case Farewell():
                    with self._lock:
                        self._peer_left = True
                        self._lock.notify_all()
                case Hello():
                    raise RemoteProtocolError("greeted twice")

    def _take_part(self, frame: Part, parts: list[bytes]) -> None:
        place = (frame.ordinal, frame.position)
        ordinal, position = self._next_inbound
        follows = place == (ordinal, position) or (frame.ordinal > ordinal and frame.position == 0)
        if not follows or frame.part != len(parts) or len(frame.data) > PART_BYTES:
            raise RemoteProtocolError(f"message out of order at place {place}")
        parts.append(frame.data)
        if sum(map(len, parts)) > MAX_MESSAGE_BYTES:
            raise RemoteProtocolError(f"message longer than {MAX_MESSAGE_BYTES} bytes")
        if frame.last:
            with self._lock:
                self._inbox[place] = b"".join(parts)
                self._next_inbound = (frame.ordinal, frame.position + 1)
                self._lock.notify_all()
            parts.clear()

    def _write_loop(self) -> None:
        while True:
            with self._lock:
                while not self._closed and not (self._outgoing and self._connection):
                    self._lock.wait(_TICK_S)
                if self._closed or self._connection is None:
                    return
                connection, frame = self._connection, self._outgoing[0]
            try:
                connection.send(encode_frame(frame))
            except ConnectionLost:
                self._drop(connection)
                continue
            with self._lock:
                # Removed only after it is sent, so that close() knows when all is out.
                if self._outgoing and self._outgoing[0] is frame:
                    self._outgoing.popleft()
                    self._lock.notify_all()

    def _try_to_say(self, connection: Connection, frame: Frame) -> None:
        with contextlib.suppress(ConnectionLost):
            connection.send(encode_frame(frame))

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None
                self._disconnected_at = time.monotonic()
            self._lock.notify_all()
        connection.close()
