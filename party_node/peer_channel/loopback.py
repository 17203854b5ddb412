"""Loopback TCP between the parties of one simulation.

The party whose id sorts first listens on 127.0.0.1 at a port the system chooses and publishes the
port in the run folder by an atomic rename; the other connects. Nothing is encrypted and nobody is
authenticated: it exists for parties that share a machine, and binds to no other address.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from pathlib import Path

from party_node.peer_channel.transport import MAX_FRAME_BYTES, ConnectionLost

_LENGTH = struct.Struct(">I")
_HOST = "127.0.0.1"


class LoopbackConnection:
    """Length-prefixed frames over one TCP connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(None)
        self._socket = sock
        self._buffer = bytearray()

    def send(self, frame: bytes) -> None:
        """Send one frame; blocks while the peer's buffers are full."""
        if len(frame) > MAX_FRAME_BYTES:
            raise ValueError(f"frame of {len(frame)} bytes")
        try:
            self._socket.sendall(_LENGTH.pack(len(frame)) + frame)
        except OSError as error:
            raise ConnectionLost(str(error)) from None

    def receive(self, timeout: float) -> bytes | None:
        """Return the next frame, or None when none is complete after ``timeout`` seconds."""
        give_up = time.monotonic() + timeout
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            left = give_up - time.monotonic()
            if left <= 0:
                return None
            try:
                # select, not settimeout: the writer thread shares this socket.
                ready = _readable(self._socket, left)
                chunk = self._socket.recv(1 << 18) if ready else None
            except (OSError, ValueError) as error:
                raise ConnectionLost(str(error)) from None
            if chunk is None:
                return None
            if not chunk:
                raise ConnectionLost("closed by the peer")
            self._buffer += chunk

    def close(self) -> None:
        """Shut down both directions, so that a thread blocked in send or receive wakes."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _take(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_FRAME_BYTES:
            raise ConnectionLost(f"frame of {length} bytes announced")
        if len(self._buffer) < _LENGTH.size + length:
            return None
        frame = bytes(self._buffer[_LENGTH.size : _LENGTH.size + length])
        del self._buffer[: _LENGTH.size + length]
        return frame


def _readable(sock: socket.socket, timeout: float) -> bool:
    ready, _, _ = select.select([sock], [], [], timeout)
    return bool(ready)


class LoopbackDialer:
    """Meets ``peer`` in the folder ``rendezvous`` that both simulated parties can reach."""

    def __init__(self, party: str, peer: str, rendezvous: Path) -> None:
        self._listener: socket.socket | None = None
        self._port_file = rendezvous / f"{min(party, peer)}--{max(party, peer)}.port"
        if party < peer:
            self._listener = socket.create_server((_HOST, 0), backlog=4)
            port = self._listener.getsockname()[1]
            staged = self._port_file.with_suffix(f".{os.getpid()}.{port}")
            staged.write_text(str(port))
            staged.replace(self._port_file)

    def dial(self, timeout: float) -> LoopbackConnection | None:
        """Accept or connect, whichever is this side's part, within ``timeout`` seconds."""
        give_up = time.monotonic() + timeout
        if self._listener is not None:
            self._listener.settimeout(timeout)
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return None
            return LoopbackConnection(sock)
        while time.monotonic() < give_up:
            try:
                port = int(self._port_file.read_text())
                return LoopbackConnection(
                    socket.create_connection((_HOST, port), timeout=max(0.1, timeout))
                )
            except (OSError, ValueError):
                # Not published yet, or a port of a process that died: its successor republishes.
                time.sleep(0.02)
        return None

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
