"""Mutual TLS 1.3 (RFC 8446) in which each end accepts one certificate: the peer's, byte by byte.

OpenSSL runs over memory, not over the socket: it never waits, so that a handshake can go on beside
others, and a lock around each short call lets one thread send while another receives, which a
TLS connection of OpenSSL does not allow by itself. Bytes leave in the order in which they were
encrypted because only the sender takes them; what the receiving side has to say by itself (the
answer to a key update, RFC 8446 §4.6.3) goes out before the sender's next record, as it must.
"""

from __future__ import annotations

import contextlib
import select
import ssl
import threading
from collections.abc import Callable

from audit.key_files import KeyFileError
from party_node.peer_channel.certificates import Identity, PeerIdentity
from party_node.peer_channel.dialing import (
    DEADLINES,
    Listener,
    NotAuthentic,
    OutboundDialer,
    TransportDeadlines,
)
from party_node.peer_channel.tcp import Address, TcpStream
from party_node.peer_channel.transport import ConnectionLost

_RECORD_BYTES = 1 << 14
_BATCH_BYTES = 1 << 18
# RFC 8446 §5.5: a key of AES-GCM serves 2^24.5 full records; Python cannot ask for another key.
_MAX_BYTES = 1 << 38
_WELCOME = b"+"
_AT_ONCE = 0.0


class TlsListener(Listener):
    """Waits at ``address`` for ``peer``; only its certificate is accepted."""

    def __init__(
        self,
        address: Address,
        identity: Identity,
        peer: PeerIdentity,
        *,
        deadlines: TransportDeadlines = DEADLINES,
        on_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        context = _context(ssl.PROTOCOL_TLS_SERVER, identity, peer)
        super().__init__(
            address,
            peer.name,
            lambda sock: TlsStream(TcpStream(sock), context, identity, peer, listens=True),
            deadlines=deadlines,
            on_refused=on_refused,
        )


class TlsDialer(OutboundDialer):
    """Connects to ``peer`` at ``address``; only its certificate is accepted."""

    def __init__(
        self,
        address: Address,
        identity: Identity,
        peer: PeerIdentity,
        *,
        deadlines: TransportDeadlines = DEADLINES,
    ) -> None:
        context = _context(ssl.PROTOCOL_TLS_CLIENT, identity, peer)
        super().__init__(
            address,
            peer.name,
            lambda sock: TlsStream(TcpStream(sock), context, identity, peer, listens=False),
            deadlines=deadlines,
        )


def _context(protocol: int, identity: Identity, peer: PeerIdentity) -> ssl.SSLContext:
    if identity.suite.name != peer.suite.name:
        raise KeyFileError(
            f"{peer.name}'s identity is of suite {peer.suite.name}, this party's of "
            f"{identity.suite.name}; both must be of one suite"
        )
    if identity.certificate == peer.certificate or identity.name == peer.name:
        raise KeyFileError(f"the identity given for the peer is of {peer.name}, this party itself")
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the certificate is pinned, whatever host it comes from
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_TICKET
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.load_verify_locations(cadata=peer.certificate)
    try:
        # A password, so that an encrypted key is an error and not a question on the terminal.
        context.load_cert_chain(identity.public_file, identity.tls_key_file, password="")
    except (OSError, ValueError):
        raise KeyFileError(
            f"{identity.tls_key_file} is not the key of {identity.public_file} any more; "
            "restore the folder whole"
        ) from None
    return context


class TlsStream:
    """The bytes inside one TLS connection; as :class:`TcpStream`, and with a handshake."""

    def __init__(
        self,
        tcp: TcpStream,
        context: ssl.SSLContext,
        identity: Identity,
        peer: PeerIdentity,
        *,
        listens: bool,
    ) -> None:
        self._tcp = tcp
        self._identity = identity
        self._peer = peer
        self._listens = listens
        self._lock = threading.Lock()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=listens)
        self._ciphertext = memoryview(bytearray(_BATCH_BYTES))
        self._shaken = False
        self._unsent = b""
        self._encrypted_bytes = 0

    @property
    def bytes_sent(self) -> int:
        """Bytes given to TCP, the handshake's and the records' own among them."""
        return self._tcp.bytes_sent

    @property
    def bytes_received(self) -> int:
        """Bytes taken from TCP."""
        return self._tcp.bytes_received

    def fileno(self) -> int:
        """Return the descriptor, for ``poll``."""
        return self._tcp.fileno()

    def open(self) -> int:
        """Go on with the handshake without waiting; return the events awaited, 0 at its end.

        Raises :class:`NotAuthentic` for a certificate that is not the pinned one, on either side,
        and :class:`ConnectionLost`. In TLS 1.3 the end that dials is done before the other has
        looked at its certificate, so it waits for one byte of welcome.
        """
        while True:
            done = self._step()
            if not self._flush():
                return select.POLLOUT
            if done:
                return 0
            received = self._tcp.receive_into(self._ciphertext, _AT_ONCE)
            if received is None:
                return select.POLLIN
            if received == 0:
                raise ConnectionLost("the other end closed the connection during the handshake")
            self._incoming.write(self._ciphertext[:received])

    def receive_into(self, target: memoryview, give_up: float) -> int | None:
        """Return how many bytes came: 0 at the peer's end, None if none came until ``give_up``.

        Raises :class:`ConnectionLost`, also when the connection is cut without TLS's own end.
        """
        while True:
            with self._lock:
                decrypted = self._decrypt(target)
            if decrypted is not None:
                return decrypted
            received = self._tcp.receive_into(self._ciphertext, give_up)
            if received is None:
                return None
            if received == 0:
                raise ConnectionLost("it was cut: TLS did not say that it ends")
            with self._lock:
                self._incoming.write(self._ciphertext[:received])

    def send(self, head: bytes, body: memoryview, give_up: float) -> bool:
        """Encrypt and send both; False if the peer did not take them until ``give_up``."""
        room = _RECORD_BYTES - len(head)
        first = memoryview(head + body[:room])  # one record for a short frame, length and all
        rest = body[room:]
        batches = [rest[at : at + _BATCH_BYTES] for at in range(0, len(rest), _BATCH_BYTES)]
        for batch in (first, *batches):
            with self._lock:
                sealed = self._encrypt(batch)
            if not self._tcp.send(b"", memoryview(sealed), give_up):
                return False
        return True

    def say_goodbye(self) -> None:
        """Send TLS's own end (RFC 8446 §6.1), if that is possible at once."""
        with self._lock, contextlib.suppress(ssl.SSLError, ConnectionLost):
            with contextlib.suppress(ssl.SSLWantReadError):  # the peer's own end is not awaited
                self._tls.unwrap()
            self._tcp.send(b"", memoryview(self._outgoing.read()), _AT_ONCE)

    def shut(self) -> None:
        """End both directions, so that threads waiting in them wake."""
        self._tcp.shut()

    def close(self) -> None:
        """Give the socket back; no thread may be in another method."""
        self._tcp.close()

    # -- the handshake -----------------------------------------------------------------------

    def _step(self) -> bool:
        """Let the handshake do what it can with what has come; return whether it is done."""
        try:
            if not self._shaken:
                self._tls.do_handshake()
                if self._tls.getpeercert(binary_form=True) != self._peer.certificate:
                    raise self._wrong_certificate()
                self._shaken = True
                if self._listens:
                    self._tls.write(_WELCOME)
            if not self._listens and self._tls.read(1) != _WELCOME:
                raise ConnectionLost("the other end does not speak this release's protocol")
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            with contextlib.suppress(ConnectionLost):
                self._flush()  # the alert that tells the other end why
            raise self._refusal(error) from None
        return True

    def _flush(self) -> bool:
        """Send what the handshake has to say, as far as that is possible at once."""
        self._unsent += self._outgoing.read()
        sent_before = self._tcp.bytes_sent
        done = self._tcp.send(b"", memoryview(self._unsent), _AT_ONCE)
        self._unsent = self._unsent[self._tcp.bytes_sent - sent_before :]
        return done

    def _refusal(self, error: ssl.SSLError) -> Exception:
        reason = error.reason or "SSL_ERROR"
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._wrong_certificate()
        if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
            return NotAuthentic(
                f"the other end shows no certificate; expected is {self._peer.name}'s, "
                f"fingerprint {self._peer.fingerprint}"
            )
        if "ALERT" in reason and ("CERT" in reason or "UNKNOWN_CA" in reason):
            return NotAuthentic(
                f"{self._peer.name} expects another certificate than this party's; this is "
                f"{self._identity.name}, fingerprint {self._identity.fingerprint}",
                f"give {self._peer.name} this party's present identity.pub and compare the "
                "fingerprint by voice",
            )
        what = reason.lower().replace("_", " ")
        return ConnectionLost(f"the other end does not speak TLS 1.3 as this program does ({what})")

    def _wrong_certificate(self) -> NotAuthentic:
        return NotAuthentic(
            f"the other end presents another certificate than {self._peer.name}'s; expected is "
            f"the identity with fingerprint {self._peer.fingerprint}",
            f"ask {self._peer.name} for its present identity.pub and compare the fingerprint by "
            "voice; if it is the same, somebody else answers",
        )

    # -- records; the lock is held -----------------------------------------------------------

    def _decrypt(self, target: memoryview) -> int | None:
        """Fill ``target`` as far as possible; 0 at the peer's end, None if more has to come."""
        taken = 0
        try:
            while taken < len(target):
                count = self._tls.read(len(target) - taken, target[taken:])
                if not count:
                    return taken
                taken += int(count)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            return taken
        except ssl.SSLError as error:
            if not taken:
                raise ConnectionLost(f"TLS: {(error.reason or 'error').lower()}") from None
        if self._outgoing.pending > _BATCH_BYTES:
            raise ConnectionLost("TLS: the peer asks for new keys without end")
        return taken or None

    def _encrypt(self, part: memoryview) -> bytes:
        self._encrypted_bytes += len(part)
        if self._encrypted_bytes > _MAX_BYTES:
            raise ConnectionLost("its keys have encrypted as much as they may: connect again")
        try:
            while len(part):
                part = part[self._tls.write(part) :]  # one record a call
        except ssl.SSLError as error:
            raise ConnectionLost(f"TLS: {(error.reason or 'error').lower()}") from None
        return self._outgoing.read()
