"""Two parties with identities, and connections between them over real sockets of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from party_node.peer_channel.certificates import (
    Identity,
    PeerIdentity,
    create_identity,
    load_peer,
)
from party_node.peer_channel.dialing import Listener, OutboundDialer, TransportDeadlines, meet
from party_node.peer_channel.framed_stream import FramedConnection
from party_node.peer_channel.plain import PlainDialer, PlainListener
from party_node.peer_channel.tcp import Address
from party_node.peer_channel.tls import TlsDialer, TlsListener
from protocols.suite import get_suite

T = TypeVar("T")
ANYWHERE = Address("127.0.0.1", 0)
SHORT = TransportDeadlines(connect_s=0.5, handshake_s=0.5, send_s=0.5)
PEER = {"bank": "retailer", "retailer": "bank"}
_MAKING = threading.Lock()


def identity(party: str, suite: str = "gm", number: int = 0) -> Identity:
    """An identity of ``party``, made once a test run; another ``number`` is another one."""
    with _MAKING:  # a cache alone would let two threads make two
        return _identity(party, suite, number)


@cache
def _identity(party: str, suite: str, number: int) -> Identity:
    folder = Path(mkdtemp(prefix=f"{party}-{number}-")) / "identity"
    return create_identity(folder, party, get_suite(suite))


def shown(party: str, suite: str = "gm", number: int = 0) -> PeerIdentity:
    return load_peer(identity(party, suite, number).public_file)


def tls_listener(**settings: Any) -> TlsListener:
    """The bank, waiting for the retailer."""
    own = settings.pop("own", identity("bank"))
    expects = settings.pop("expects", shown("retailer"))
    address = settings.pop("address", ANYWHERE)
    return TlsListener(address, own, expects, **settings)


def tls_dialer(address: Address, **settings: Any) -> TlsDialer:
    """The retailer, connecting to the bank."""
    own = settings.pop("own", identity("retailer"))
    expects = settings.pop("expects", shown("bank"))
    return TlsDialer(address, own, expects, **settings)


def plain_listener(**settings: Any) -> PlainListener:
    return PlainListener(ANYWHERE, "retailer", **settings)


def plain_dialer(address: Address, **settings: Any) -> PlainDialer:
    return PlainDialer(address, "bank", **settings)


def together(*calls: Callable[[], T]) -> list[T]:
    """Make all calls at once, in threads; return what they return, or raise what one raises."""
    results: list[Any] = [None] * len(calls)
    failures: list[BaseException] = []

    def make(number: int) -> None:
        try:
            results[number] = calls[number]()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=make, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), "a call hangs"
    if failures:
        raise failures[0]
    return results


def connect(
    listener: Listener, dialer: OutboundDialer, within_s: float = 10.0
) -> tuple[FramedConnection, FramedConnection]:
    """Return the listening and the dialing side's ends."""
    bank, retailer = together(lambda: meet(listener, within_s), lambda: meet(dialer, within_s))
    assert bank is not None
    assert retailer is not None
    return bank, retailer


class Pair:
    """A connected pair that is closed at the end of a ``with``."""

    def __init__(self, kind: str, **settings: Any) -> None:
        make_listener, make_dialer = {
            "tls": (tls_listener, tls_dialer),
            "plain": (plain_listener, plain_dialer),
        }[kind]
        self.listener = make_listener(**settings)
        self.dialer = make_dialer(self.listener.address, **settings)
        self.bank, self.retailer = connect(self.listener, self.dialer)

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_: object) -> None:
        for part in (self.bank, self.retailer, self.dialer, self.listener):
            part.close()


def receive_all(connection: Any, count: int) -> list[bytes]:
    """Receive ``count`` frames, each within a few seconds."""
    frames = []
    while len(frames) < count:
        frame = connection.receive(10)
        assert frame is not None, "nothing came"
        frames.append(frame)
    return frames
