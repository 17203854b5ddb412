"""TCP for the peer channel: addresses, and one connection on which no wait is without an end.

Sockets never block here. Whoever must wait waits in ``poll``, with a deadline, and is woken when
another thread closes the connection.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import time
from dataclasses import dataclass
from typing import TypeAlias

from party_node.errors import NodeError
from party_node.peer_channel.transport import ConnectionLost

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""What the socket module takes, as its stubs describe it."""
_BACKLOG = 64


class AddressError(NodeError):
    """An address that is none, or that cannot be used on this machine."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host name or numeric address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address ``HOST:PORT`` or ``[IPv6]:PORT``; raises :class:`AddressError`."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_numeric(host, socket.AF_INET6):
            raise AddressError(f"{text!r}: what stands in brackets is no IPv6 address")
    elif ":" in host:
        raise AddressError(
            f"{text!r} is not HOST:PORT", "write an IPv6 address in brackets: [::1]:9000"
        )
    usable = host.isascii() and host.isprintable() and not set(host) & set(" /@[]")
    if not (colon and host and usable and port.isascii() and port.isdecimal()):
        raise AddressError(
            f"{text!r} is not HOST:PORT", "write for example 10.0.0.5:9000 or [::1]:9000"
        )
    if len(port) > 5 or not 1 <= int(port) <= 65535:
        raise AddressError(f"{text!r}: a port is a number from 1 to 65535")
    return Address(host, int(port))


def _is_numeric(host: str, family: socket.AddressFamily) -> bool:
    try:
        socket.inet_pton(family, host)
    except (OSError, ValueError):
        return False
    return True


def resolve(address: Address) -> list[tuple[socket.AddressFamily, SocketAddress]]:
    """Return what ``address`` means on this machine, best first; raises :class:`AddressError`."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(
            f"the host name of {address} is not known here",
            "look for a typing mistake, or give the numeric address",
        ) from None
    return [(family, where) for family, _, _, _, where in found]


def listen(address: Address) -> socket.socket:
    """Return a socket that listens at ``address``; raises :class:`AddressError`."""
    family, where = resolve(address)[0]
    try:
        listener = socket.create_server(where, family=family, backlog=_BACKLOG)
    except OSError as error:
        hints = {
            errno.EADDRINUSE: "another program listens there: choose another port, or end it",
            errno.EADDRNOTAVAIL: "this machine has no such address: give one of its own",
            errno.EACCES: "ports below 1024 need special rights: choose a higher one",
        }
        raise AddressError(
            f"cannot listen at {address}: {_reason(error)}", hints.get(error.errno or 0, "")
        ) from None
    listener.setblocking(False)
    return listener


class TcpStream:
    """The bytes of one TCP connection. One thread may send while another receives."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _notice_a_dead_peer(sock)
        self._socket = sock
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sock, select.POLLOUT)
        self.bytes_sent = 0
        self.bytes_received = 0

    def fileno(self) -> int:
        """Return the descriptor, for ``poll``."""
        return self._socket.fileno()

    def open(self) -> int:
        """Return 0: nothing has to pass before the first frame."""
        return 0

    def receive_into(self, target: memoryview, give_up: float) -> int | None:
        """Return how many bytes came: 0 at the peer's end, None if none came until ``give_up``.

        ``give_up`` is a reading of ``time.monotonic``. Raises :class:`ConnectionLost`.
        """
        while True:
            try:
                received = self._socket.recv_into(target)
            except BlockingIOError:
                if not _wait(self._readable, give_up):
                    return None
            except OSError as error:
                raise ConnectionLost(_reason(error)) from None
            else:
                self.bytes_received += received
                return received

    def send(self, head: bytes, body: memoryview, give_up: float) -> bool:
        """Send both; False if the peer did not take them until ``give_up``.

        After False the stream is good for nothing but :meth:`close`. Raises
        :class:`ConnectionLost`.
        """
        left = [part for part in (memoryview(head), body) if len(part)]
        while left:
            try:
                sent = self._socket.sendmsg(left)
            except BlockingIOError:
                if not _wait(self._writable, give_up):
                    return False
                continue
            except OSError as error:
                raise ConnectionLost(_reason(error)) from None
            self.bytes_sent += sent
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if sent:
                left[0] = left[0][sent:]
        return True

    def say_goodbye(self) -> None:
        """Do nothing: TCP's own end is all there is to say."""

    def shut(self) -> None:
        """End both directions, so that threads waiting in them wake."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back; no thread may be in another method."""
        self._socket.close()


def _wait(poller: select.poll, give_up: float) -> bool:
    left = give_up - time.monotonic()
    # Rounded up: a wait of part of a millisecond must not become a busy loop.
    return left > 0 and bool(poller.poll(left * 1000 + 1))


def _notice_a_dead_peer(sock: socket.socket) -> None:
    # A machine that lost power sends nothing, not even an end: ask it after 15 s, give up at 45.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 6), ("TCP_KEEPCNT", 5)):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
