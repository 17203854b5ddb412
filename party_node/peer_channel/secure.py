"""The whole peer channel between two machines: TLS and, in suite ``gm``, the gm channel in it."""

from __future__ import annotations

from collections.abc import Callable

from party_node.peer_channel.certificates import Identity, PeerIdentity
from party_node.peer_channel.framed_stream import FramedConnection
from party_node.peer_channel.gm_connection import GmConnection, open_gm_channel
from party_node.peer_channel.tcp import Address
from party_node.peer_channel.tls import TlsDialer, TlsListener
from party_node.peer_channel.transport import ConnectionLost


class SecureDialer:
    """TLS 1.3 with both certificates pinned; in suite ``gm`` the gm channel inside it.

    ``spec_digest`` and ``attempt`` are what the gm channel is bound to, see
    :func:`~party_node.peer_channel.gm_connection.open_gm_channel`. Raises
    :class:`audit.key_files.KeyFileError` for identities that cannot be used, and
    :class:`~party_node.peer_channel.tcp.AddressError` if it cannot listen at ``address``.
    """

    def __init__(
        self,
        address: Address,
        identity: Identity,
        peer: PeerIdentity,
        *,
        listens: bool,
        spec_digest: bytes,
        attempt: int,
        on_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._identity, self._peer = identity, peer
        self._spec_digest, self._attempt = spec_digest, attempt
        self._trouble = ""
        self._inner: TlsListener | TlsDialer = (
            TlsListener(address, identity, peer, on_refused=on_refused)
            if listens
            else TlsDialer(address, identity, peer)
        )

    def dial(self, timeout: float) -> FramedConnection | GmConnection | None:
        """Return a connection on which the peer has proved who it is, or None."""
        connection = self._inner.dial(timeout)
        if connection is None or self._identity.suite.name != "gm":
            return connection
        try:
            return open_gm_channel(
                connection,
                self._identity,
                self._peer,
                spec_digest=self._spec_digest,
                attempt=self._attempt,
            )
        except ConnectionLost as error:
            self._trouble = f"the gm channel was cut while it was opened: {error}"
            return None

    @property
    def trouble(self) -> str:
        """What went wrong last, for the error of a deadline."""
        return self._trouble or self._inner.trouble

    def close(self) -> None:
        """Stop listening."""
        self._inner.close()
