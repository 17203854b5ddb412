"""The gm channel inside a connection: both ends authenticated, every frame sealed, a known end."""

from __future__ import annotations

import contextlib
import struct
import threading
import time

import pytest

from party_node.errors import DeadlineExceeded
from party_node.peer_channel.framed_stream import PeerStalled
from party_node.peer_channel.gm_connection import ChannelEnded, open_gm_channel
from party_node.peer_channel.transport import ConnectionLost
from party_node.primitive_trace import check, tracing
from protocols.errors import RemoteProtocolError, VerifyError
from protocols.gm_channel import MAX_PAYLOAD_BYTES, OVERHEAD_BYTES
from tests.party_node.meeting import PEER, SHORT, Pair, identity, receive_all, shown, together

DIGEST = b"\x05" * 32


def open_end(connection, party, suite="gm", *, number=0, expects=0, **terms):
    peer = PEER[party]
    return open_gm_channel(
        connection,
        identity(party, suite, number),
        shown(peer, suite, expects),
        **{"spec_digest": DIGEST, "attempt": 1, "within_s": 5} | terms,
    )


class Channel:
    """A pair of connections with the gm channel in them."""

    def __init__(self, kind: str = "plain", suite: str = "gm", **settings) -> None:
        self.pair = Pair(kind, **settings)
        self.bank, self.retailer = together(
            lambda: open_end(self.pair.bank, "bank", suite),
            lambda: open_end(self.pair.retailer, "retailer", suite),
        )

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self.bank.close()
        self.retailer.close()
        self.pair.__exit__()


@pytest.fixture
def channel():
    with Channel() as opened:
        yield opened


@pytest.mark.parametrize(("kind", "suite"), [("tls", "gm"), ("plain", "gm"), ("plain", "intl")])
def test_frames_cross_in_both_directions(kind, suite):
    frames = [b"", b"x", bytes(range(256)) * 300, b"\7" * MAX_PAYLOAD_BYTES]
    with Channel(kind, suite) as channel:
        for sender, receiver in (
            (channel.bank, channel.retailer),
            (channel.retailer, channel.bank),
        ):
            thread = threading.Thread(target=lambda s=sender: [s.send(f) for f in frames])
            thread.start()
            assert receive_all(receiver, len(frames)) == frames
            thread.join(5)


def test_both_sides_send_at_once(channel):
    frames = [bytes([n]) * 400_000 for n in range(20)]

    def exchange(connection):
        sending = threading.Thread(target=lambda: [connection.send(f) for f in frames])
        sending.start()
        received = receive_all(connection, len(frames))
        sending.join(20)
        return received

    ends = together(lambda: exchange(channel.bank), lambda: exchange(channel.retailer))
    assert ends == [frames] * 2


def test_what_is_counted_is_what_tcp_carries(channel):
    before = channel.bank.bytes_sent, channel.retailer.bytes_received
    channel.bank.send(memoryview(bytes(100)))
    assert channel.retailer.receive(5) == bytes(100)
    after = channel.bank.bytes_sent, channel.retailer.bytes_received
    assert [b - a for a, b in zip(before, after, strict=True)] == [4 + 100 + OVERHEAD_BYTES] * 2


def test_a_frame_does_not_show_on_the_wire(channel):
    channel.bank.send(b"a customer's number")
    record = channel.pair.retailer.receive(5)
    assert b"customer" not in record
    assert len(record) == len(b"a customer's number") + OVERHEAD_BYTES


def record_of(channel) -> bytes:
    return channel.bank._sealer.seal(b"payload")


@pytest.mark.parametrize(
    "records",
    [
        lambda c: [record_of(c)[:-1] + b"\0"],
        lambda c: [record_of(c)] * 2,
        lambda c: [record_of(c), record_of(c)][::-1],
        lambda c: [record_of(c), record_of(c)][1:],
        lambda c: [b""],
        lambda c: [b"\1" + bytes(40)],
        lambda c: [c.retailer._sealer.seal(b"its own, sent back")],
        lambda c: [b"plain text"],
    ],
)
def test_a_record_that_does_not_open_ends_the_connection_with_a_name(channel, records):
    for record in records(channel):
        channel.pair.bank.send(record)

    def read():
        for _ in range(3):
            channel.retailer.receive(5)

    with pytest.raises(VerifyError) as caught:
        read()
    assert caught.value.party == "bank"
    with pytest.raises(ConnectionLost):
        channel.retailer.send(b"no more")
    with pytest.raises(ConnectionLost):
        channel.bank.receive(5)


def test_an_end_is_told_from_a_cut(channel):
    channel.bank.send(b"last")
    channel.bank.close()
    assert channel.retailer.receive(5) == b"last"
    for _ in range(2):
        with pytest.raises(ChannelEnded, match="bank closed the channel"):
            channel.retailer.receive(5)
    with pytest.raises(ConnectionLost, match="closed here"):
        channel.bank.send(b"more")
    channel.bank.close()


@pytest.mark.parametrize("kind", ["tls", "plain"])
def test_a_cut_is_no_end(kind):
    """Not even when the layers beneath end in good order: whoever made them is not the peer."""
    with Channel(kind) as channel:
        channel.bank.send(b"last")
        channel.pair.bank.close()
        assert channel.retailer.receive(5) == b"last"
        with pytest.raises(ConnectionLost, match="the channel was cut") as caught:
            channel.retailer.receive(5)
        assert not isinstance(caught.value, ChannelEnded)


def test_a_cut_in_the_middle_of_a_record_is_no_end(channel):
    record = record_of(channel)
    half = struct.pack(">I", len(record)) + record[:5]
    channel.pair.bank._stream.send(half, memoryview(b""), time.monotonic() + 1)
    channel.pair.bank.close()
    with pytest.raises(ConnectionLost, match="in the middle of a frame; the channel was cut"):
        channel.retailer.receive(5)


def test_nothing_in_time_is_none(channel):
    assert channel.bank.receive(0.1) is None


def test_a_peer_that_stops_reading_is_named():
    with Channel(deadlines=SHORT) as channel:
        started = time.monotonic()

        def fill():
            while time.monotonic() - started < 30:
                channel.bank.send(bytes(1 << 20))

        with pytest.raises(PeerStalled, match=r"waited 0.5 s for retailer"):
            fill()
        closing = time.monotonic()
        channel.bank.close()
        assert time.monotonic() - closing < 3


def test_saying_the_end_to_a_peer_that_does_not_read_takes_a_second_at_most(channel):
    sock = channel.pair.bank._stream._socket
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(1 << 20))
    started = time.monotonic()
    channel.bank.close()
    assert 0.5 < time.monotonic() - started < 5


def refused(pair, **of_bank):
    """Open both ends, the bank's with other terms; return both errors."""

    def attempt(party, terms):
        try:
            return open_end(getattr(pair, party), party, **terms)
        except (RemoteProtocolError, ConnectionLost) as error:
            return error

    return together(lambda: attempt("bank", of_bank), lambda: attempt("retailer", {}))


@pytest.mark.parametrize(
    ("of_bank", "match"),
    [
        ({"attempt": 2}, "attempt 1, ours is 2"),
        ({"spec_digest": b""}, "another spec"),
        ({"number": 1}, "does not verify"),
        ({"expects": 1}, "does not verify"),
    ],
)
def test_an_end_with_other_terms_is_refused_and_both_sides_know(of_bank, match):
    with Pair("plain") as pair:
        bank, retailer = refused(pair, **of_bank)
    assert isinstance(bank, VerifyError)
    assert match in str(bank)
    assert bank.party == "retailer"
    assert "handshake" in bank.step
    assert isinstance(retailer, ConnectionLost)
    assert "bank" in str(retailer)


@pytest.mark.parametrize(
    ("party", "awaited"), [("bank", "ChannelAnswer"), ("retailer", "ChannelOffer")]
)
def test_a_peer_that_says_nothing_is_named(party, awaited):
    with Pair("plain") as pair:
        connection = getattr(pair, party)
        with pytest.raises(DeadlineExceeded) as caught:
            open_end(connection, party, within_s=0.2)
        with pytest.raises(ConnectionLost):
            connection.send(b"")
    assert (
        caught.value.message == f"waited 0.2 s for {awaited} of the gm channel from {PEER[party]}"
    )


@pytest.mark.parametrize("data", [b"", b"\xff", b"GET / HTTP/1.1", bytes(5000), b"\x93" * 900])
@pytest.mark.parametrize("party", ["bank", "retailer"])
def test_garbage_in_the_handshake_names_the_peer(data, party):
    peer = PEER[party]
    with Pair("plain") as pair:
        getattr(pair, peer).send(data)
        with pytest.raises(RemoteProtocolError) as caught:
            open_end(getattr(pair, party), party)
        assert caught.value.party == peer


def test_own_messages_mirrored_are_refused():
    """Whoever sends the bank its own words back is not the retailer."""
    with Pair("plain") as pair:

        def mirror():
            while True:
                try:
                    frame = pair.retailer.receive(2)
                    pair.retailer.send(frame)
                except ConnectionLost:
                    return

        def begin():
            with pytest.raises(RemoteProtocolError) as caught:
                open_end(pair.bank, "bank")
            return caught.value

        error, _ = together(begin, mirror)
        assert error.party == "retailer"


def test_a_gm_channel_uses_gm_primitives_only():
    """Inside an open connection; TLS around it is the printed exception."""
    identity("bank")
    shown("retailer")
    with Pair("plain") as pair:
        ends = [identity("bank"), shown("retailer"), identity("retailer"), shown("bank")]
        with tracing() as trace:
            bank, retailer = together(
                lambda: open_gm_channel(pair.bank, *ends[:2], spec_digest=b"", attempt=1),
                lambda: open_gm_channel(pair.retailer, *ends[2:], spec_digest=b"", attempt=1),
            )
            bank.send(b"sealed")
            assert retailer.receive(5) == b"sealed"
            bank.close()
            retailer.close()
    assert check("gm", trace.used) == []
    assert {"SM2", "SM4-GCM", "HKDF-SM3", "HMAC-SM3"} <= set(trace.used)
