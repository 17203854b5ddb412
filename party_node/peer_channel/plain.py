"""Frames over plain TCP between processes of one machine, to measure without encryption.

Nothing is encrypted and nobody is authenticated, so an address other than the loopback interface's
is refused, at both ends.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from party_node.peer_channel.dialing import DEADLINES, Listener, OutboundDialer, TransportDeadlines
from party_node.peer_channel.tcp import Address, AddressError, TcpStream, resolve


class PlainListener(Listener):
    """Waits on a loopback address for ``peer``; whoever connects first passes for it."""

    def __init__(
        self,
        address: Address,
        peer: str,
        *,
        deadlines: TransportDeadlines = DEADLINES,
        on_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(
            _loopback(address), peer, TcpStream, deadlines=deadlines, on_refused=on_refused
        )


class PlainDialer(OutboundDialer):
    """Connects to ``peer`` on a loopback address."""

    def __init__(
        self, address: Address, peer: str, *, deadlines: TransportDeadlines = DEADLINES
    ) -> None:
        super().__init__(_loopback(address), peer, TcpStream, deadlines=deadlines)


def _loopback(address: Address) -> Address:
    """Return ``address`` in numbers; refuses all that is not 127.0.0.0/8 or ::1."""
    (_, (host, *_)), *_ = resolve(address)
    if not ipaddress.ip_address(str(host).partition("%")[0]).is_loopback:
        raise AddressError(
            f"{address} is not a loopback address, and this connection is not encrypted",
            "measure on 127.0.0.1 or [::1]; between machines, use the encrypted channel",
        )
    # The number, not the name: a name can mean another address by the time it is dialed.
    return Address(str(host), address.port)
