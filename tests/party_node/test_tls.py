"""Mutual TLS with pinned certificates, over real sockets: who gets in, and who waits how long."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.hashes import SHA256

from audit.key_files import KeyFileError
from party_node.errors import DeadlineExceeded, PeerUnreachable
from party_node.peer_channel.certificates import Identity
from party_node.peer_channel.dialing import (
    MAX_OPENING,
    NotAuthentic,
    OutboundDialer,
    TransportDeadlines,
    meet,
)
from party_node.peer_channel.framed_stream import PeerStalled
from party_node.peer_channel.tcp import Address, AddressError, TcpStream
from party_node.peer_channel.tls import TlsStream, _context
from party_node.peer_channel.transport import MAX_FRAME_BYTES, ConnectionLost
from protocols.errors import DecodeError
from tests.party_node.meeting import (
    SHORT,
    Pair,
    connect,
    identity,
    receive_all,
    shown,
    tls_dialer,
    tls_listener,
    together,
)

FRAMES = [b"", b"x", bytes(range(256)) * 64, b"\0" * 16380, b"\1" * 16381, b"\2" * MAX_FRAME_BYTES]


def context(protocol: int, party: str, *, verify: bool = False) -> ssl.SSLContext:
    """A TLS end of somebody else's making."""
    made = ssl.SSLContext(protocol)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    own = identity(party)
    if protocol == ssl.PROTOCOL_TLS_SERVER or verify:
        made.load_cert_chain(own.public_file, own.tls_key_file)
    return made


def reissued(own: Identity) -> bytes:
    """Another self-signed certificate of the same key, name and dates; DER."""
    key = serialization.load_pem_private_key(own.tls_key_file.read_bytes(), None)
    old = x509.load_der_x509_certificate(own.certificate)
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer)
    builder = builder.public_key(key.public_key()).serial_number(old.serial_number + 1)
    builder = builder.not_valid_before(old.not_valid_before_utc)
    builder = builder.not_valid_after(old.not_valid_after_utc)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, SHA256()).public_bytes(serialization.Encoding.DER)  # type: ignore[arg-type]


@pytest.fixture
def pair():
    with Pair("tls") as connected:
        yield connected


@pytest.fixture
def listener():
    made = tls_listener(deadlines=SHORT, on_refused=lambda _: None)
    yield made
    made.close()


class TestFrames:
    def test_frames_arrive_whole_and_in_order(self, pair):
        for sender, receiver in ((pair.bank, pair.retailer), (pair.retailer, pair.bank)):
            for frame in FRAMES:
                sender.send(frame)
                assert receiver.receive(5) == frame
            sending = threading.Thread(target=lambda s=sender: [s.send(f) for f in FRAMES])
            sending.start()
            assert receive_all(receiver, len(FRAMES)) == FRAMES
            sending.join(5)

    @pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
    def test_anything_like_bytes_can_be_sent(self, pair, wrap):
        pair.bank.send(wrap(b"one frame"))
        assert pair.retailer.receive(5) == b"one frame"

    def test_a_frame_too_long_is_the_callers_mistake(self, pair):
        with pytest.raises(ValueError, match="at most"):
            pair.bank.send(bytes(MAX_FRAME_BYTES + 1))
        pair.bank.send(b"still usable")
        assert pair.retailer.receive(5) == b"still usable"

    def test_nothing_in_time_is_none(self, pair):
        started = time.monotonic()
        assert pair.bank.receive(0.2) is None
        assert 0.15 < time.monotonic() - started < 2
        assert pair.bank.receive(0) is None

    def test_what_is_counted_is_what_tcp_carries(self, pair):
        sent, received = pair.bank.bytes_sent, pair.retailer.bytes_received
        pair.bank.send(bytes(1000))
        pair.retailer.receive(5)
        assert pair.bank.bytes_sent - sent == 4 + 1000 + 22  # one record: header, type and tag
        assert pair.retailer.bytes_received - received == 4 + 1000 + 22
        pair.bank.send(bytes(1 << 20))
        pair.retailer.receive(5)
        share = (pair.bank.bytes_sent - sent) / (1004 + (1 << 20))
        assert 1 < share < 1.005

    def test_both_sides_send_fifty_megabytes_at_once(self, pair):
        sent = {name: [bytes([n]) * (1 << 20) for n in range(50)] for name in ("bank", "retailer")}

        def exchange(connection, frames):
            sending = threading.Thread(target=lambda: [connection.send(f) for f in frames])
            sending.start()
            received = receive_all(connection, len(frames))
            sending.join(20)
            return received

        bank, retailer = together(
            lambda: exchange(pair.bank, sent["bank"]),
            lambda: exchange(pair.retailer, sent["retailer"]),
        )
        assert bank == sent["retailer"]
        assert retailer == sent["bank"]

    def test_several_threads_may_send(self, pair):
        frames = [bytes([n]) * 50_000 for n in range(8)]
        threads = [threading.Thread(target=pair.bank.send, args=(frame,)) for frame in frames]
        for thread in threads:
            thread.start()
        assert sorted(receive_all(pair.retailer, 8)) == frames
        for thread in threads:
            thread.join(5)


class TestWhoGetsIn:
    def test_both_certificates_are_those_pinned_and_tls_is_1_3(self, pair):
        for end, peer in ((pair.bank, "retailer"), (pair.retailer, "bank")):
            tls = end._stream._tls
            assert tls.version() == "TLSv1.3"
            assert tls.getpeercert(binary_form=True) == identity(peer).certificate
            assert tls.session is None or not tls.session.has_ticket

    def test_a_listener_with_another_certificate_is_refused(self):
        """The dialing side knows at once: it chose whom to call."""
        refusals = []
        listener = tls_listener(own=identity("bank", number=1), on_refused=refusals.append)
        dialer = tls_dialer(listener.address)
        thread = threading.Thread(target=listener.dial, args=(2,))
        thread.start()
        with pytest.raises(NotAuthentic) as caught:
            meet(dialer, 5)
        thread.join(5)
        assert "another certificate than bank's" in caught.value.message
        assert shown("bank").fingerprint in caught.value.message
        assert str(listener.address) in caught.value.message
        assert "by voice" in caught.value.hint
        (refusal,) = refusals
        assert "retailer expects another certificate than this party's" in refusal
        assert identity("bank", number=1).fingerprint in refusal
        listener.close()
        dialer.close()

    def test_a_dialer_with_another_certificate_is_refused(self):
        """It is told; the listener waits on for the peer and says whom it turned away."""
        refusals = []
        listener = tls_listener(on_refused=refusals.append)
        dialer = tls_dialer(listener.address, own=identity("retailer", number=1))

        def wait():
            with pytest.raises(PeerUnreachable) as caught:
                meet(listener, 1)
            return caught.value

        def call():
            with pytest.raises(NotAuthentic) as caught:
                meet(dialer, 5)
            return caught.value

        waited, called = together(wait, call)
        assert "bank expects another certificate than this party's" in called.message
        assert identity("retailer", number=1).fingerprint in called.message
        assert "waited 1 s for retailer to connect" in waited.message
        assert "another certificate than retailer's" in waited.message
        assert shown("retailer").fingerprint in waited.message
        assert len(refusals) == 1
        dialer.close()
        with Met(listener) as (bank, retailer):
            retailer.send(b"the right one")
            assert bank.receive(5) == b"the right one"

    def test_a_caller_without_a_certificate_is_refused(self, listener):
        with socket.create_connection((listener.address.host, listener.address.port)) as raw:
            stranger = context(ssl.PROTOCOL_TLS_CLIENT, "retailer")
            thread = threading.Thread(target=listener.dial, args=(1,))
            thread.start()
            with (
                stranger.wrap_socket(raw) as tls,
                pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
            ):
                tls.recv(1)
            thread.join(5)
        assert "shows no certificate" in listener.trouble
        assert shown("retailer").fingerprint in listener.trouble

    @pytest.mark.parametrize("end", ["listener", "dialer"])
    def test_tls_1_2_is_refused(self, end, listener):
        if end == "listener":
            old = context(ssl.PROTOCOL_TLS_CLIENT, "retailer", verify=True)
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            thread = threading.Thread(target=listener.dial, args=(1,))
            thread.start()
            with (
                socket.create_connection((listener.address.host, listener.address.port)) as raw,
                pytest.raises(ssl.SSLError),
            ):
                old.wrap_socket(raw)
            thread.join(5)
            assert "does not speak TLS 1.3" in listener.trouble
            return
        old = context(ssl.PROTOCOL_TLS_SERVER, "bank")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)

            def answer():
                raw, _ = server.accept()
                with raw, pytest.raises(ssl.SSLError):
                    old.wrap_socket(raw, server_side=True)

            thread = threading.Thread(target=answer)
            thread.start()
            dialer = tls_dialer(Address("127.0.0.1", server.getsockname()[1]))
            assert dialer.dial(0.5) is None
            thread.join(5)
        assert "does not speak TLS 1.3" in dialer.trouble
        dialer.close()

    def test_a_server_that_never_looks_at_our_certificate_gives_no_welcome(self):
        """It holds the bank's key but another program: the dialer does not take it for a peer."""
        made = context(ssl.PROTOCOL_TLS_SERVER, "bank")
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)

            def answer():
                raw, _ = server.accept()
                with made.wrap_socket(raw, server_side=True) as tls:
                    tls.send(b"HTTP/1.1 200 OK")

            thread = threading.Thread(target=answer)
            thread.start()
            dialer = tls_dialer(Address("127.0.0.1", server.getsockname()[1]))
            assert dialer.dial(0.5) is None
            thread.join(5)
        assert "does not speak this release's protocol" in dialer.trouble
        dialer.close()

    def test_another_certificate_of_the_same_key_is_refused(self, listener, tmp_path):
        """The pin is on the certificate's bytes, not on its key or its name."""
        again = tmp_path / "again.pem"
        again.write_text(ssl.DER_cert_to_PEM_cert(reissued(identity("retailer"))))
        stranger = context(ssl.PROTOCOL_TLS_CLIENT, "bank")
        stranger.load_cert_chain(again, identity("retailer").tls_key_file)
        thread = threading.Thread(target=listener.dial, args=(1,))
        thread.start()
        with (
            socket.create_connection((listener.address.host, listener.address.port)) as raw,
            stranger.wrap_socket(raw) as tls,
            pytest.raises(ssl.SSLError, match="ALERT"),
        ):
            tls.recv(1)
        thread.join(5)
        assert "another certificate than retailer's" in listener.trouble

    def test_the_bytes_are_compared_whatever_the_trust_store_says(self):
        """OpenSSL is told to trust the bank's other certificate; the comparison is not."""
        other = identity("bank", number=1)
        lax = _context(ssl.PROTOCOL_TLS_CLIENT, identity("retailer"), shown("bank", number=1))
        listener = tls_listener(own=other)
        dialer = OutboundDialer(
            listener.address,
            "bank",
            lambda sock: TlsStream(
                TcpStream(sock), lax, identity("retailer"), shown("bank"), listens=False
            ),
            deadlines=SHORT,
        )
        thread = threading.Thread(target=listener.dial, args=(1,))
        thread.start()
        with pytest.raises(NotAuthentic, match="another certificate than bank's"):
            meet(dialer, 5)
        thread.join(5)
        listener.close()
        dialer.close()

    @pytest.mark.parametrize(
        ("own", "expects", "match"),
        [
            (identity("bank"), shown("bank"), "this party itself"),
            (identity("bank"), shown("bank", number=1), "this party itself"),
            (identity("bank"), shown("retailer", "intl"), "suite intl, this party's of gm"),
        ],
    )
    def test_identities_that_cannot_belong_together_are_refused(self, own, expects, match):
        with pytest.raises(KeyFileError, match=match):
            tls_listener(own=own, expects=expects)
        with pytest.raises(KeyFileError, match=match):
            tls_dialer(Address("127.0.0.1", 9), own=own, expects=expects)

    def test_a_folder_damaged_since_it_was_loaded_is_refused(self, tmp_path):
        own = identity("bank", number=2)
        key = own.tls_key_file.read_bytes()
        own.tls_key_file.write_bytes(identity("bank").tls_key_file.read_bytes())
        with pytest.raises(KeyFileError, match="is not the key of"):
            tls_listener(own=own)
        own.tls_key_file.write_bytes(key)
        tls_listener(own=own).close()


class Met:
    """A listener met by the real retailer: its two ends, closed with all else at the end."""

    def __init__(self, listener) -> None:
        self.listener = listener
        self.dialer = tls_dialer(listener.address)

    def __enter__(self):
        self.ends = connect(self.listener, self.dialer)
        return self.ends

    def __exit__(self, *_: object) -> None:
        for part in (*self.ends, self.dialer, self.listener):
            part.close()


class TestStrangers:
    """Whoever knocks on the open port; the peer gets in all the same."""

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"GET / HTTP/1.1\r\n\r\n", "does not speak TLS"),
            (b"\0" * 400, "does not speak TLS"),
            (b"\x16\x03\x01\xff\xff" + bytes(5000), "does not speak TLS"),
            (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "does not speak TLS"),
            (struct.pack(">I", MAX_FRAME_BYTES) + bytes(100), "does not speak TLS"),
        ],
    )
    def test_garbage_is_refused_with_a_reason(self, listener, data, reason):
        with socket.create_connection((listener.address.host, listener.address.port)) as stranger:
            stranger.sendall(data)
            assert listener.dial(0.3) is None
            assert reason in listener.trouble
            assert "127.0.0.1:" in listener.trouble
        with Met(listener) as (bank, retailer):
            bank.send(b"hello")
            assert retailer.receive(5) == b"hello"

    def test_a_flood_of_garbage_is_refused(self, listener):
        def flood():
            with socket.create_connection(
                (listener.address.host, listener.address.port)
            ) as stranger:
                try:
                    for _ in range(200):
                        stranger.sendall(b"\xff" * 65536)
                except OSError:
                    return "cut off"
            return "took all of it"

        answers = together(flood, lambda: listener.dial(1))
        assert answers == ["cut off", None]
        assert "does not speak TLS" in listener.trouble

    def test_who_says_nothing_does_not_keep_the_peer_out(self):
        listener = tls_listener()  # with the long deadline
        silent = [
            socket.create_connection((listener.address.host, listener.address.port))
            for _ in range(MAX_OPENING + 4)
        ]
        started = time.monotonic()
        with Met(listener) as (bank, retailer):
            assert time.monotonic() - started < 5
            retailer.send(b"me")
            assert bank.receive(5) == b"me"
            assert len(listener._openings) < MAX_OPENING < len(silent)
        for sock in silent:
            sock.close()

    def test_who_says_nothing_is_dropped_at_the_deadline(self):
        refusals = []
        listener = tls_listener(deadlines=SHORT, on_refused=refusals.append)
        with socket.create_connection((listener.address.host, listener.address.port)) as silent:
            started = time.monotonic()
            with pytest.raises(PeerUnreachable) as caught:
                meet(listener, 1.2)
            assert 1 < time.monotonic() - started < 3
            silent.settimeout(1)
            assert silent.recv(1) == b""  # dropped long before
        assert "retailer" in caught.value.message
        assert "the handshake of whoever connected from 127.0.0.1:" in caught.value.message
        assert len(refusals) == 1
        listener.close()

    def test_who_leaves_in_the_middle_is_noticed(self, listener):
        with socket.create_connection((listener.address.host, listener.address.port)) as stranger:
            stranger.shutdown(socket.SHUT_WR)
            assert listener.dial(0.3) is None
        assert "closed the connection during the handshake" in listener.trouble

    def test_the_same_trouble_is_told_once(self):
        refusals = []
        listener = tls_listener(on_refused=refusals.append)
        for _ in range(5):
            with socket.create_connection((listener.address.host, listener.address.port)) as s:
                s.sendall(b"GET / HTTP/1.1\r\n\r\n")
                listener.dial(0.1)
        assert len(refusals) == 1
        listener.close()


class TestWaiting:
    def test_a_listener_that_never_answers_the_handshake_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            dialer = tls_dialer(Address("127.0.0.1", server.getsockname()[1]), deadlines=SHORT)
            with pytest.raises(PeerUnreachable) as caught:
                meet(dialer, 1.5)
        assert "waited 1.5 s for bank to connect" in caught.value.message
        assert "the handshake of bank" in caught.value.message
        dialer.close()

    def test_a_port_where_nobody_listens_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = Address("127.0.0.1", server.getsockname()[1])
        dialer = tls_dialer(address)
        with pytest.raises(PeerUnreachable, match="connection refused") as caught:
            meet(dialer, 0.5)
        assert str(address) in caught.value.message
        dialer.close()

    def test_the_dialer_may_come_first(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = Address("127.0.0.1", server.getsockname()[1])
        dialer = tls_dialer(address)
        found = []
        thread = threading.Thread(target=lambda: found.append(meet(dialer, 10)))
        thread.start()
        time.sleep(0.4)
        listener = tls_listener(address=address)
        bank = meet(listener, 5)
        thread.join(5)
        bank.send(b"at last")
        assert found[0].receive(5) == b"at last"
        for part in (bank, *found, dialer, listener):
            part.close()

    def test_waiting_ends_when_it_is_stopped_or_closed(self, listener):
        assert meet(listener, 60, stopped=lambda: True) is None
        stopping = threading.Timer(0.2, listener.close)
        stopping.start()
        started = time.monotonic()
        assert listener.dial(30) is None
        assert time.monotonic() - started < 3

    def test_a_peer_that_stops_reading_is_named(self):
        with Pair("tls", deadlines=SHORT) as pair:
            started = time.monotonic()

            def fill():
                while time.monotonic() - started < 20:
                    pair.bank.send(bytes(1 << 20))

            with pytest.raises(PeerStalled) as caught:
                fill()
            assert time.monotonic() - started < 10
            assert isinstance(caught.value, DeadlineExceeded)
            assert isinstance(caught.value, ConnectionLost)
            assert "waited 0.5 s for retailer to take a frame" in caught.value.message
            assert "does not read" in caught.value.hint
            with pytest.raises(ConnectionLost, match=r"waited 0.5 s for retailer to take a frame"):
                pair.bank.send(b"more")


def wait_for_the_end(connection) -> None:
    while True:
        try:
            connection.receive(5)
        except ConnectionLost:
            return


class TestTheEnd:
    def test_an_ordinary_end_is_told_from_a_cut(self, pair):
        pair.bank.send(b"last")
        pair.bank.close()
        assert pair.retailer.receive(5) == b"last"
        with pytest.raises(ConnectionLost, match=r"bank closed the connection$"):
            pair.retailer.receive(5)

    def test_a_cut_is_no_end(self, pair):
        pair.bank.send(b"last")
        pair.bank._stream._tcp.shut()
        assert pair.retailer.receive(5) == b"last"
        with pytest.raises(ConnectionLost, match="did not say that it ends"):
            pair.retailer.receive(5)

    def test_an_end_of_one_direction_is_the_end_of_both(self, pair):
        pair.bank._stream.say_goodbye()
        for use in (lambda: pair.retailer.receive(5), lambda: pair.retailer.send(b"still there?")):
            with pytest.raises(ConnectionLost, match=r"bank closed the connection$"):
                use()
        with pytest.raises(ConnectionLost, match="retailer"):
            pair.bank.receive(5)

    def test_a_sender_does_not_wait_for_a_peer_that_has_left(self, pair):
        """Closed with full buffers, TCP itself would tell the sender a minute later."""
        failures = []

        def fill():
            try:
                while True:
                    pair.bank.send(bytes(1 << 20))
            except ConnectionLost as error:
                failures.append(str(error))

        threads = [threading.Thread(target=fill) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        started = time.monotonic()
        together(pair.retailer.close, lambda: wait_for_the_end(pair.bank))
        for thread in threads:
            thread.join(5)
        assert len(failures) == 2
        assert time.monotonic() - started < 5

    def test_an_end_in_the_middle_of_a_frame_is_said(self, pair):
        pair.bank._stream.send(struct.pack(">I", 100), memoryview(b"half"), time.monotonic() + 1)
        pair.bank.close()
        with pytest.raises(ConnectionLost, match="in the middle of a frame"):
            pair.retailer.receive(5)

    def test_closing_wakes_whoever_waits(self, pair):
        lost = []

        def wait():
            with pytest.raises(ConnectionLost):
                pair.bank.receive(30)
            lost.append(True)

        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        started = time.monotonic()
        pair.bank.close()
        for thread in threads:
            thread.join(5)
        assert lost == [True, True]
        assert time.monotonic() - started < 3
        with pytest.raises(ConnectionLost, match="closed here"):
            pair.bank.send(b"")
        pair.bank.close()  # again is fine

    def test_closing_wakes_a_sender_that_nobody_reads(self, pair):
        failures = []

        def fill():
            try:
                for _ in range(100):
                    pair.bank.send(bytes(1 << 20))
            except ConnectionLost as error:
                failures.append(error)

        thread = threading.Thread(target=fill)
        thread.start()
        time.sleep(0.5)
        pair.bank.close()
        thread.join(5)
        assert len(failures) == 1
        assert not thread.is_alive()

    def test_a_lost_connection_is_dialed_again(self, pair):
        pair.retailer.close()
        with pytest.raises(ConnectionLost):
            pair.bank.receive(5)
        bank, retailer = connect(pair.listener, pair.dialer)
        retailer.send(b"back")
        assert bank.receive(5) == b"back"
        bank.close()
        retailer.close()

    @pytest.mark.parametrize("length", [MAX_FRAME_BYTES + 1, 2**32 - 1])
    def test_a_frame_too_long_is_refused_before_it_comes(self, pair, length):
        pair.bank._stream.send(struct.pack(">I", length), memoryview(b""), time.monotonic() + 1)
        with pytest.raises(DecodeError, match=f"frame of {length} bytes") as caught:
            pair.retailer.receive(5)
        assert caught.value.party == "bank"

    def test_a_changed_byte_on_the_way_ends_the_connection(self, pair):
        stream = pair.bank._stream
        record = bytearray(stream._encrypt(memoryview(struct.pack(">I", 4) + b"text")))
        record[-1] ^= 1
        stream._tcp.send(b"", memoryview(record), time.monotonic() + 1)
        with pytest.raises(ConnectionLost, match="lost the connection to bank: TLS"):
            pair.retailer.receive(5)
        with pytest.raises(ConnectionLost):
            pair.retailer.receive(5)

    def test_keys_are_not_used_without_end(self, pair, monkeypatch):
        monkeypatch.setattr("party_node.peer_channel.tls._MAX_BYTES", 5000)
        pair.bank.send(bytes(4000))
        with pytest.raises(ConnectionLost, match="connect again"):
            pair.bank.send(bytes(4000))

    def test_a_peer_that_asks_for_new_keys_without_end_is_cut_off(self, pair):
        # The answers gather where this side's next record would leave.
        pair.retailer._stream._outgoing.write(bytes(300_000))
        pair.bank.send(b"x")
        with pytest.raises(ConnectionLost, match="new keys without end"):
            pair.retailer.receive(5)


def test_a_port_in_use_is_refused_with_advice(listener):
    with pytest.raises(AddressError, match=r"cannot listen at .*in use") as caught:
        tls_listener(address=listener.address)
    assert "choose another port" in caught.value.hint


def test_no_environment_variable_makes_a_log_of_keys(tmp_path, monkeypatch):
    log = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    with Pair("tls") as pair:
        pair.bank.send(b"x")
        assert pair.retailer.receive(5) == b"x"
    assert not Path(log).exists()


def test_many_short_frames_are_not_slow():
    with Pair("tls", deadlines=TransportDeadlines()) as pair:
        thread = threading.Thread(target=lambda: [pair.bank.send(b"x" * 20) for _ in range(20_000)])
        started = time.monotonic()
        thread.start()
        assert set(receive_all(pair.retailer, 20_000)) == {b"x" * 20}
        thread.join(5)
        assert time.monotonic() - started < 10
