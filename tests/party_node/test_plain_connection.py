"""Plain TCP, for measuring on one machine only; and the addresses all connections share."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party_node.errors import PeerUnreachable
from party_node.peer_channel.dialing import meet
from party_node.peer_channel.framed_stream import FramedConnection, PeerStalled
from party_node.peer_channel.plain import PlainDialer, PlainListener
from party_node.peer_channel.tcp import Address, AddressError, TcpStream, parse_address
from party_node.peer_channel.transport import MAX_FRAME_BYTES, ConnectionLost
from protocols.errors import DecodeError, RemoteProtocolError
from tests.party_node.meeting import SHORT, Pair, connect, receive_all, together

FRAMES = [b"", b"x", bytes(range(256)) * 64, b"\1" * MAX_FRAME_BYTES, b"", b"\2" * 700_000]


def _listens_on(host: str) -> bool:
    try:
        PlainListener(Address(host, 0), "retailer").close()
    except AddressError:
        return False
    return True


@pytest.fixture
def pair():
    with Pair("plain") as connected:
        yield connected


@pytest.fixture
def raw():
    """A connection whose other end is a bare socket."""
    ours, theirs = socket.socketpair()
    # Only TCP has the options of a TcpStream: a real connection, then.
    ours.close()
    theirs.close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    connection = FramedConnection(TcpStream(ours), "bank", send_s=2)
    yield connection, theirs
    connection.close()
    theirs.close()


WITHOUT_IPV6 = pytest.mark.skipif(not _listens_on("::1"), reason="this machine has no IPv6")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3", pytest.param("::1", marks=WITHOUT_IPV6), "localhost"]
)
def test_frames_cross_every_loopback_address(host):
    listener = PlainListener(Address(host, 0), "retailer")
    dialer = PlainDialer(listener.address, "bank")
    bank, retailer = connect(listener, dialer)
    thread = threading.Thread(target=lambda: [bank.send(frame) for frame in FRAMES])
    thread.start()
    assert receive_all(retailer, len(FRAMES)) == FRAMES
    thread.join(5)
    assert retailer.bytes_received == bank.bytes_sent == sum(len(f) + 4 for f in FRAMES)
    for part in (bank, retailer, dialer, listener):
        part.close()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.5", "192.168.1.1", "8.8.8.8", "::ffff:127.0.0.1", "fe80::1"]
)
def test_any_other_address_is_refused(host):
    for make in (PlainListener, PlainDialer):
        with pytest.raises(AddressError, match=r"not a loopback address") as caught:
            make(Address(host, 9000), "bank")
        assert "not encrypted" in caught.value.message


def test_a_name_that_means_another_machine_is_refused(monkeypatch):
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.9.8.7", 9000))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere)
    with pytest.raises(AddressError, match="not a loopback"):
        PlainDialer(Address("localhost", 9000), "bank")


def test_the_number_that_was_checked_is_the_one_dialed():
    assert PlainDialer(Address("localhost", 9000), "bank").address.host in ("127.0.0.1", "::1")


def test_both_sides_send_fifty_megabytes_at_once(pair):
    frames = [bytes([n]) * (1 << 20) for n in range(50)]

    def exchange(connection):
        sending = threading.Thread(target=lambda: [connection.send(f) for f in frames])
        sending.start()
        received = receive_all(connection, len(frames))
        sending.join(20)
        return received

    assert together(lambda: exchange(pair.bank), lambda: exchange(pair.retailer)) == [frames] * 2


@given(
    frames=st.lists(st.binary(max_size=50), max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_frames_arrive_however_tcp_cuts_them(frames, cuts):
    """The stream hands out pieces of any size; no frame is lost, joined or torn."""
    wire = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
    places = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    pieces = [wire[a:b] for a, b in itertools.pairwise(places)]
    connection = FramedConnection(Pieces(pieces), "bank", send_s=1)  # type: ignore[arg-type]
    assert [connection.receive(0) for _ in frames] == frames
    with pytest.raises(ConnectionLost, match="bank closed"):
        connection.receive(0)


class Pieces:
    """A stream of bytes that arrive in given pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def shut(self) -> None:
        """There is nobody to wake."""

    def receive_into(self, target: memoryview, _give_up: float) -> int:
        if not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        count = min(len(piece), len(target))
        assert count, "no room was offered"
        target[:count] = piece[:count]
        if piece[count:]:
            self.pieces.insert(0, piece[count:])
        return count


def test_long_frames_arrive_however_tcp_cuts_them():
    frames = [bytes([n]) * (MAX_FRAME_BYTES - n) for n in range(5)] + [b"short"] * 5
    wire = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
    for size in (65_537, 262_144, 1_000_003, len(wire)):
        pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
        connection = FramedConnection(Pieces(pieces), "bank", send_s=1)  # type: ignore[arg-type]
        assert [connection.receive(0) for _ in frames] == frames


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_garbage_ends_in_one_of_two_errors(data):
    connection = FramedConnection(Pieces([data] if data else []), "bank", send_s=1)  # type: ignore[arg-type]

    def read():
        for _ in range(400):
            connection.receive(0)

    with pytest.raises((ConnectionLost, RemoteProtocolError)):
        read()


def test_half_a_frame_is_waited_for(raw):
    connection, theirs = raw
    theirs.sendall(b"\0\0\0\5he")
    assert connection.receive(0.1) is None
    theirs.sendall(b"llo\0\0")
    assert connection.receive(5) == b"hello"
    assert connection.receive(0.1) is None
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionLost, match="bank closed the connection in the middle of a frame"):
        connection.receive(5)


def test_an_end_of_one_direction_is_the_end_of_both(raw):
    """A sender that waits for a peer that has left is woken by whoever notices."""
    connection, theirs = raw
    theirs.sendall(b"\0\0\0\4last")
    theirs.shutdown(socket.SHUT_WR)
    failures = []

    def fill():
        try:
            while True:
                connection.send(bytes(1 << 20), within_s=0.5)
        except ConnectionLost as error:
            failures.append(str(error))

    thread = threading.Thread(target=fill)
    thread.start()
    time.sleep(0.1)
    assert connection.receive(5) == b"last"
    with pytest.raises(ConnectionLost, match=r"bank closed the connection$"):
        connection.receive(5)
    thread.join(5)
    assert failures == ["bank closed the connection"]
    with pytest.raises(ConnectionLost, match=r"bank closed the connection$"):
        connection.send(b"more")


def test_what_came_before_a_reset_can_still_be_read(raw):
    """The reason why a peer gave up is not lost because this side was sending."""
    connection, theirs = raw
    theirs.sendall(b"\0\0\0\6reason")
    connection.send(b"unread, so that closing resets")
    time.sleep(0.1)
    theirs.close()

    def fill():
        while True:
            connection.send(bytes(1 << 16))

    with pytest.raises(ConnectionLost, match="lost the connection to bank"):
        fill()
    assert connection.receive(5) == b"reason"


def test_a_frame_too_long_names_the_peer(raw):
    connection, theirs = raw
    theirs.sendall(struct.pack(">I", MAX_FRAME_BYTES + 1))
    with pytest.raises(DecodeError, match="announced a frame") as caught:
        connection.receive(5)
    assert caught.value.party == "bank"


def test_a_peer_that_stops_reading_is_named(raw):
    connection, _ = raw
    started = time.monotonic()

    def fill():
        while time.monotonic() - started < 20:
            connection.send(bytes(1 << 20))

    with pytest.raises(PeerStalled, match=r"waited 2 s for bank to take a frame"):
        fill()
    assert time.monotonic() - started < 10


def test_a_peer_that_reads_slowly_is_waited_for(raw):
    connection, theirs = raw
    frame = bytes(200_000)
    total = 60 * (len(frame) + 4)

    def read():
        taken = 0
        while taken < total:
            taken += len(theirs.recv(50_000))
            time.sleep(0.001)
        return taken

    sent, taken = together(lambda: [connection.send(frame) for _ in range(60)], read)
    assert len(sent) == 60
    assert taken == total


def test_a_reset_is_a_lost_connection(raw):
    connection, theirs = raw
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    with pytest.raises(ConnectionLost, match="lost the connection to bank: connection reset"):
        connection.receive(5)


def test_a_dialer_does_not_connect_to_itself():
    """Dialing a free port of this machine again and again can meet one's own source port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    dialer = PlainDialer(Address("127.0.0.1", port), "bank")
    with pytest.raises(PeerUnreachable, match=r"waited 0\.3 s for bank to connect; cannot connect"):
        meet(dialer, 0.3)
    dialer.close()
    # The case itself, made on purpose.
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    own.connect(own.getsockname())
    dialer = PlainDialer(Address("127.0.0.1", port), "bank")
    dialer._connecting = (own, time.monotonic() + 5)
    dialer._next_attempt = time.monotonic() + 60
    assert dialer.dial(0.1) is None
    assert "connection refused" in dialer.trouble
    assert own.fileno() == -1
    dialer.close()


def test_a_silent_machine_is_given_up_in_time():
    """A full backlog does what a machine that drops packets does."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = Address("127.0.0.1", server.getsockname()[1])
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address.host, address.port))
            fillers.append(filler)
        time.sleep(0.1)
        dialer = PlainDialer(address, "bank", deadlines=SHORT)
        started = time.monotonic()
        with pytest.raises(PeerUnreachable, match="timed out"):
            meet(dialer, 0.9)
        assert time.monotonic() - started < 3
        dialer.close()
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9000", Address("127.0.0.1", 9000)),
        ("[::1]:9000", Address("::1", 9000)),
        ("node.bank.example:1", Address("node.bank.example", 1)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),
    ],
)
def test_an_address_is_read_and_written(text, expected):
    assert parse_address(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "host",
        ":9000",
        "host:",
        "host:x",
        "host:0",
        "host:65536",
        "host:-1",
        "host:+1",
        "host:٩",
        "host:999999999999",
        "::1:9000",
        "[::1]",
        "[::1]9000",
        "[127.0.0.1]:9000",
        "[]:9000",
        "https://host:9000",
        "user@host:9000",
        "ho st:9000",
        "银行:9000",
        "host\n:9000",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert repr(text) in caught.value.message


def test_an_unknown_host_is_named():
    with pytest.raises(AddressError, match=r"host name of nowhere\.invalid:9000 is not known"):
        PlainDialer(Address("nowhere.invalid", 9000), "bank")
