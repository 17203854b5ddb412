"""How two machines come to one connection: one listens, the other dials, both patiently.

Nothing here blocks for long: openings (a TCP connect, a TLS handshake) go on side by side and from
one call of ``dial`` to the next, so that a stranger who connects and says nothing does not keep
the peer out, and a slow network is not mistaken for an absent peer.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from party_node.errors import PeerUnreachable
from party_node.peer_channel.framed_stream import ByteStream, FramedConnection
from party_node.peer_channel.tcp import Address, listen, resolve
from party_node.peer_channel.transport import ConnectionLost

MAX_OPENING = 16
_TICK_S = 0.1
_REDIAL_S = 0.2


@dataclass(frozen=True, slots=True)
class TransportDeadlines:
    """How long the parts of a connection may take, in seconds."""

    connect_s: float = 10.0
    """For TCP to connect to a machine that does not answer."""
    handshake_s: float = 15.0
    """From the TCP connection to the first frame."""
    send_s: float = 120.0
    """For the peer to accept one frame."""


DEADLINES = TransportDeadlines()


class NotAuthentic(PeerUnreachable):
    """The other end does not show the pinned certificate, or does not accept this party's."""


@dataclass(slots=True)
class _Opening:
    """A connection on its way."""

    stream: ByteStream
    where: str
    give_up: float
    events: int
    awaited: str


class _Openings:
    """Connections on their way; they advance while somebody waits for one."""

    def __init__(self) -> None:
        self._all: dict[int, _Opening] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, opening: _Opening) -> None:
        """Take a connection in; the busiest source gives one up when there are too many."""
        if len(self._all) >= MAX_OPENING:
            sources = Counter(_host(other.where) for other in self._all.values())
            busiest = sources.most_common(1)[0][0]
            self._drop(next(o for o in self._all.values() if _host(o.where) == busiest))
        self._all[opening.stream.fileno()] = opening

    def register(self, poller: select.poll) -> None:
        """Register what each connection waits for."""
        for descriptor, opening in self._all.items():
            poller.register(descriptor, opening.events)

    def next_deadline(self) -> float:
        """Return when the first of them is late."""
        return min((opening.give_up for opening in self._all.values()), default=float("inf"))

    def advance(
        self, ready: set[int], refused: Callable[[_Opening, Exception], None]
    ) -> _Opening | None:
        """Let every ready connection go on; return one that is open, if there is one.

        Those that fail or are late are closed, and ``refused`` is told why; what it raises ends
        the round.
        """
        for opening in list(self._all.values()):
            try:
                if opening.stream.fileno() in ready:
                    opening.events = opening.stream.open()
                if opening.events and time.monotonic() > opening.give_up:
                    raise ConnectionLost(f"waited in vain for {opening.awaited}")
            except (ConnectionLost, NotAuthentic) as error:
                self._drop(opening)
                refused(opening, error)
                continue
            if not opening.events:
                del self._all[opening.stream.fileno()]
                return opening
        return None

    def close(self) -> None:
        """Drop them all."""
        for opening in list(self._all.values()):
            self._drop(opening)

    def _drop(self, opening: _Opening) -> None:
        del self._all[opening.stream.fileno()]
        opening.stream.shut()
        opening.stream.close()


def _host(where: str) -> str:
    return where.rpartition(":")[0]


class Listener:
    """Waits at ``address`` for ``peer``; a :class:`~party_node.peer_channel.transport.Dialer`.

    Whoever connects and is not the peer is dropped: a stranger must not end a job by knocking.
    ``on_refused`` is told about the first of each kind, :attr:`trouble` says the last. Raises
    :class:`~party_node.peer_channel.tcp.AddressError` if it cannot listen there.
    """

    def __init__(
        self,
        address: Address,
        peer: str,
        open_stream: Callable[[socket.socket], ByteStream],
        *,
        deadlines: TransportDeadlines,
        on_refused: Callable[[str], None],
    ) -> None:
        self.peer = peer
        self.trouble = f"nobody has connected to {address}"
        self._open_stream = open_stream
        self._deadlines = deadlines
        self._on_refused = on_refused
        self._refusals: set[str] = set()
        self._openings = _Openings()
        self._lock = threading.Lock()
        self._closed = False
        self._listener = listen(address)
        self.address = Address(address.host, self._listener.getsockname()[1])

    def dial(self, timeout: float) -> FramedConnection | None:
        """Return a connection to the peer, or None if it did not come within ``timeout`` s."""
        give_up = time.monotonic() + timeout
        with self._lock:
            while not self._closed:
                ready = self._wait(give_up)
                opened = self._openings.advance(ready, self._note)
                if opened is not None:
                    return FramedConnection(opened.stream, self.peer, send_s=self._deadlines.send_s)
                if time.monotonic() >= give_up:
                    break
        return None

    def close(self) -> None:
        """Stop listening; a thread in :meth:`dial` returns."""
        self._closed = True
        with self._lock:
            self._openings.close()
            self._listener.close()

    def _wait(self, give_up: float) -> set[int]:
        """Wait a moment at most; take in who connected; return the descriptors that are ready."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        self._openings.register(poller)
        until = min(give_up, self._openings.next_deadline(), time.monotonic() + _TICK_S)
        ready = {fd for fd, _ in poller.poll(max(0.0, until - time.monotonic()) * 1000)}
        if self._listener.fileno() in ready:
            ready |= self._accept()
        return ready

    def _accept(self) -> set[int]:
        try:
            sock, source = self._listener.accept()
            stream = self._open_stream(sock)
        except BlockingIOError:
            return set()
        except OSError as error:
            # The visitor is gone again, or this process has too many files open.
            self.trouble = f"cannot accept a connection: {error.strerror}"
            time.sleep(_TICK_S)
            return set()
        where = str(Address(source[0], source[1]))
        awaited = f"the handshake of whoever connected from {where}, {self.peer} perhaps"
        late = time.monotonic() + self._deadlines.handshake_s
        self._openings.add(_Opening(stream, where, late, select.POLLIN, awaited))
        return {stream.fileno()}  # a stream without a handshake is open at once

    def _note(self, opening: _Opening, error: Exception) -> None:
        reason = str(error)
        self.trouble = f"refused a connection from {opening.where}: {reason}"
        if reason not in self._refusals and len(self._refusals) < MAX_OPENING:
            self._refusals.add(reason)
            self._on_refused(self.trouble)


class OutboundDialer:
    """Connects to ``peer`` at ``address``; a :class:`~party_node.peer_channel.transport.Dialer`.

    A peer that is not there yet is tried again; one that is not the peer raises
    :class:`NotAuthentic`. :attr:`trouble` says why the last attempt failed.
    """

    def __init__(
        self,
        address: Address,
        peer: str,
        open_stream: Callable[[socket.socket], ByteStream],
        *,
        deadlines: TransportDeadlines,
    ) -> None:
        self.peer = peer
        self.address = address
        self.trouble = f"{address} was not tried yet"
        self._open_stream = open_stream
        self._deadlines = deadlines
        self._openings = _Openings()
        self._connecting: tuple[socket.socket, float] | None = None
        self._attempts = 0
        self._next_attempt = 0.0
        self._lock = threading.Lock()
        self._closed = False

    def dial(self, timeout: float) -> FramedConnection | None:
        """Return a connection to the peer, or None if there was none within ``timeout`` s."""
        give_up = time.monotonic() + timeout
        with self._lock:
            while not self._closed:
                if self._connecting is None and not self._openings:
                    self._connect()
                ready = self._wait(give_up)
                opened = self._openings.advance(ready, self._note)
                if opened is not None:
                    return FramedConnection(opened.stream, self.peer, send_s=self._deadlines.send_s)
                if time.monotonic() >= give_up:
                    break
        return None

    def close(self) -> None:
        """Give up; a thread in :meth:`dial` returns."""
        self._closed = True
        with self._lock:
            self._openings.close()
            if self._connecting is not None:
                self._connecting[0].close()
                self._connecting = None

    def _connect(self) -> None:
        """Start a connection to the next of the host's addresses, if it is time for one."""
        if time.monotonic() < self._next_attempt:
            return
        self._next_attempt = time.monotonic() + _REDIAL_S
        found = resolve(self.address)
        family, where = found[self._attempts % len(found)]
        self._attempts += 1
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        outcome = sock.connect_ex(where)
        if outcome not in (0, errno.EINPROGRESS):
            self._failed(sock, outcome)
        else:
            self._connecting = (sock, time.monotonic() + self._deadlines.connect_s)

    def _wait(self, give_up: float) -> set[int]:
        """Wait a moment at most; return the descriptors of openings that are ready."""
        poller = select.poll()
        self._openings.register(poller)
        if self._connecting is not None:
            poller.register(self._connecting[0], select.POLLOUT)
        until = min(give_up, self._openings.next_deadline(), time.monotonic() + _TICK_S)
        ready = {fd for fd, _ in poller.poll(max(0.0, until - time.monotonic()) * 1000)}
        if self._connecting is not None:
            ready |= self._connected(ready)
        return ready

    def _connected(self, ready: set[int]) -> set[int]:
        assert self._connecting is not None
        sock, late = self._connecting
        if sock.fileno() not in ready:
            if time.monotonic() > late:
                self._failed(sock, errno.ETIMEDOUT)
            return set()
        outcome = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        # Dialing a port of this machine where nobody listens can end in a connection to oneself.
        if outcome == 0 and sock.getsockname() == sock.getpeername():
            outcome = errno.ECONNREFUSED
        if outcome:
            self._failed(sock, outcome)
            return set()
        self._connecting = None
        stream = self._open_stream(sock)
        late = time.monotonic() + self._deadlines.handshake_s
        awaited = f"the handshake of {self.peer}"
        self._openings.add(_Opening(stream, str(self.address), late, select.POLLIN, awaited))
        return {stream.fileno()}  # whoever dials speaks first

    def _failed(self, sock: socket.socket, error: int) -> None:
        sock.close()
        self._connecting = None
        self.trouble = f"cannot connect to {self.address}: {os.strerror(error).lower()}"

    def _note(self, opening: _Opening, error: Exception) -> None:
        self.trouble = f"connected to {opening.where}, but: {error}"
        if isinstance(error, NotAuthentic):
            raise NotAuthentic(self.trouble, error.hint)


class PatientDialer(Protocol):
    """What :func:`meet` needs: a dialer that can say why there is no connection yet."""

    @property
    def peer(self) -> str:
        """The party to be met."""

    @property
    def trouble(self) -> str:
        """What happened last instead of a connection."""

    def dial(self, timeout: float) -> FramedConnection | None:
        """Return a connection, or None after ``timeout`` seconds."""


def meet(
    dialer: PatientDialer, within_s: float, stopped: Callable[[], bool] = lambda: False
) -> FramedConnection | None:
    """Return a connection to the dialer's peer, or None once ``stopped()``.

    Raises :class:`PeerUnreachable`, which names the peer and the last trouble, after ``within_s``
    seconds.
    """
    give_up = time.monotonic() + within_s
    while not stopped():
        left = give_up - time.monotonic()
        if left <= 0:
            raise PeerUnreachable(
                f"waited {within_s:g} s for {dialer.peer} to connect; {dialer.trouble}",
                f"see whether {dialer.peer}'s side runs, and both sides' addresses",
            )
        connection = dialer.dial(min(left, _TICK_S))
        if connection is not None:
            return connection
    return None
