"""The gm channel over a connection: its handshake driven, and its records as frames."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time

from party_node.errors import DeadlineExceeded, NodeError
from party_node.peer_channel.certificates import Identity, PeerIdentity
from party_node.peer_channel.framed_stream import FramedConnection
from party_node.peer_channel.transport import ConnectionLost
from protocols.errors import RemoteProtocolError
from protocols.gm_channel import (
    ChannelKeys,
    ChannelTerms,
    RecordOpener,
    RecordSealer,
    initiator,
    responder,
)
from protocols.roles import Receive, Role, Send
from protocols.suite import Suite
from protocols.wire import Message, decode, encode

_CLOSE_S = 1.0


class ChannelEnded(ConnectionLost):
    """The peer closed the channel and says so under its key: nothing was cut off."""


class GmConnection:
    """A connection whose frames are records of the gm channel.

    As :class:`~party_node.peer_channel.framed_stream.FramedConnection`, with frames of at most
    ``MAX_PAYLOAD_BYTES``. A record that does not open ends the connection, with a
    :class:`RemoteProtocolError` that names the peer.
    """

    def __init__(self, connection: FramedConnection, keys: ChannelKeys, suite: Suite) -> None:
        self.peer = connection.peer
        self._connection = connection
        self._sealer = RecordSealer(suite, keys.sending)
        self._opener = RecordOpener(suite, keys.receiving)
        self._sending = threading.Lock()
        self._receiving = threading.Lock()
        self._closed = False

    @property
    def bytes_sent(self) -> int:
        """Bytes given to TCP, everything counted."""
        return self._connection.bytes_sent

    @property
    def bytes_received(self) -> int:
        """Bytes taken from TCP, everything counted."""
        return self._connection.bytes_received

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Seal and send one frame; raises :class:`ConnectionLost`."""
        with self._sending:  # records must leave in the order in which they were sealed
            if self._closed:
                raise ConnectionLost("the connection was closed here")
            self._connection.send(self._sealer.seal(bytes(frame)))

    def receive(self, timeout: float) -> bytes | None:
        """Return the next frame, or None when none is complete after ``timeout`` seconds.

        Raises :class:`ChannelEnded` at the peer's end, :class:`ConnectionLost` at a cut, and
        :class:`RemoteProtocolError`.
        """
        with self._receiving:
            if self._opener.ended:
                raise ChannelEnded(f"{self.peer} closed the channel")
            try:
                record = self._connection.receive(timeout)
                if record is None:
                    return None
                payload = self._opener.open(record)
            except RemoteProtocolError as error:
                self._connection.close()
                error.party = self.peer
                raise
            except ConnectionLost as error:
                raise ConnectionLost(f"{error}; the channel was cut, not closed") from None
            if payload is None:
                self._connection.close()
                raise ChannelEnded(f"{self.peer} closed the channel")
            return payload

    def close(self) -> None:
        """Say under the key that this is the end, if that is soon possible, and end."""
        if self._sending.acquire(blocking=False):
            try:
                if not self._closed:
                    self._closed = True
                    with contextlib.suppress(ConnectionLost, NodeError):
                        self._connection.send(self._sealer.close(), within_s=_CLOSE_S)
            finally:
                self._sending.release()
        self._connection.close()


def open_gm_channel(
    connection: FramedConnection,
    identity: Identity,
    peer: PeerIdentity,
    *,
    spec_digest: bytes,
    attempt: int,
    within_s: float = 30.0,
) -> GmConnection:
    """Run the gm channel's handshake over ``connection`` and return the channel.

    The party whose name sorts first initiates. ``spec_digest`` and ``attempt`` are what both
    sides must take the channel to be for; the digest is empty where the spec is negotiated inside
    it. Closes ``connection`` and raises :class:`RemoteProtocolError`, :class:`ConnectionLost` or
    :class:`DeadlineExceeded` if the handshake does not succeed.
    """
    terms = ChannelTerms(
        party=identity.name,
        peer=peer.name,
        suite=identity.suite,
        spec_digest=spec_digest,
        attempt=attempt,
        certificate_digest=identity.certificate_digest,
        peer_certificate_digest=identity.suite.hash(peer.certificate),
        private_key=identity.signing_key,
        peer_public_key=peer.public_key,
    )
    begin = initiator if identity.name < peer.name else responder
    try:
        keys = _drive(begin(terms, seed=secrets.token_bytes(32)), connection, within_s)
    except BaseException:
        connection.close()
        raise
    return GmConnection(connection, keys, identity.suite)


def _drive(role: Role[ChannelKeys], connection: FramedConnection, within_s: float) -> ChannelKeys:
    give_up = time.monotonic() + within_s
    answer: Message | None = None
    try:
        while True:
            request = role.send(answer)
            answer = None
            match request:
                case Send(message=message):
                    connection.send(encode(message), within_s=max(0.0, give_up - time.monotonic()))
                case Receive(type=type_):
                    data = connection.receive(give_up - time.monotonic())
                    if data is None:
                        raise DeadlineExceeded(
                            f"waited {within_s:g} s for {type_.__name__} of the gm channel from "
                            f"{connection.peer}",
                            f"{connection.peer} is connected but silent: see whether its side "
                            "uses the gm suite too",
                        )
                    answer = decode(data, type_)
    except StopIteration as stop:
        keys: ChannelKeys = stop.value
        return keys
    except RemoteProtocolError as error:
        error.party, error.step = connection.peer, error.step or "the gm channel's handshake"
        raise
    finally:
        role.close()
