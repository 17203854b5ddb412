"""Streams over one connection: order, limits, signs of life, and an end that says why."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from party_node.errors import (
    AttemptAbandoned,
    DatasetError,
    DeadlineExceeded,
    JobRefused,
    NodeError,
)
from party_node.peer_channel.framed_stream import PeerStalled
from party_node.peer_channel.transport import ConnectionLost
from party_node.psi import streams as module
from party_node.psi.streams import Deadlines, PeerEnded, PeerSilent, Stream, Streams, told
from protocols.errors import LocalProtocolError, RemoteProtocolError
from tests.party_node.psi.wire import End, line

SHORT = Deadlines(connect_s=1, silent_s=0.4, message_s=0.6)
LONG = Deadlines(connect_s=10, silent_s=10, message_s=10)
ROOM = 1 << 24
HEADER = struct.Struct(">BHB")
PART, HERE, END, BYE = range(4)


@pytest.fixture(autouse=True)
def lively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HERE_EVERY_S", 0.05)
    monkeypatch.setattr(module, "_TICK_S", 0.02)
    monkeypatch.setattr(module, "_LAST_WORDS_S", 0.2)
    monkeypatch.setattr(module, "_FAREWELL_S", 0.3)


class Sides:
    """Opens streams over new connections and closes them all."""

    def __init__(self) -> None:
        self.all: list[Streams] = []

    def pair(self, deadlines: Deadlines = LONG) -> tuple[Streams, Streams]:
        one, other = line()
        bank, shop = Streams(one, "shop", deadlines), Streams(other, "bank", deadlines)
        self.all += [bank, shop]
        return bank, shop

    def single(self, deadlines: Deadlines = LONG, capacity: int = 1 << 20) -> tuple[Streams, End]:
        """The bank's streams, and the bare other end."""
        one, other = line(capacity)
        bank = Streams(one, "shop", deadlines)
        self.all.append(bank)
        return bank, other


@pytest.fixture
def sides() -> Iterator[Sides]:
    made = Sides()
    yield made
    for streams in made.all:
        streams.close()


def part(number: int, data: bytes, last: int = 1) -> bytes:
    return HEADER.pack(PART, number, last) + data


def wait_for_failure(streams: Streams) -> Exception:
    """Return what a waiting role is told."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        streams.open(1, most_bytes=ROOM).receive("Terms of step ecdh")
    return caught.value


def send_until_refused(stream: Stream, data: bytes) -> Exception:
    """Return what a role that only sends is told."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            stream.send(data)
        except Exception as error:  # noqa: BLE001
            return error
        time.sleep(0.01)
    raise AssertionError("the streams go on")


def test_streams_keep_their_own_order_whatever_the_others_do(sides: Sides) -> None:
    bank, shop = sides.pair()
    numbers = range(1, 9)
    got: dict[int, list[bytes]] = {}

    def talk(number: int) -> None:
        stream = bank.open(number, most_bytes=ROOM)
        for turn in range(20):
            stream.send(f"{number}:{turn}".encode())
            assert stream.receive("echo") == f"{number}:{turn}".encode()

    def echo(number: int) -> None:
        stream = shop.open(number, most_bytes=ROOM)
        got[number] = []
        for _ in range(20):
            got[number].append(stream.receive("word"))
            stream.send(got[number][-1])

    threads = [threading.Thread(target=f, args=(n,)) for n in numbers for f in (talk, echo)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert got == {n: [f"{n}:{turn}".encode() for turn in range(20)] for n in numbers}


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 4032, (1 << 20) + 4033, 5_000_000])
def test_a_message_of_any_size_arrives_whole(sides: Sides, size: int) -> None:
    bank, shop = sides.pair()
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    bank.open(3, most_bytes=ROOM).send(data)
    bank.open(3, most_bytes=ROOM).send(b"next")
    stream = shop.open(3, most_bytes=ROOM)
    assert stream.receive("big") == data
    assert stream.receive("next") == b"next"


def test_messages_may_come_before_their_stream_is_opened(sides: Sides) -> None:
    bank, shop = sides.pair()
    for number in range(1, 3001):
        bank.open(number, most_bytes=ROOM).send(number.to_bytes(2, "big"))
    received = [
        shop.open(number, most_bytes=ROOM).receive("early") for number in range(3000, 0, -1)
    ]
    assert received == [number.to_bytes(2, "big") for number in range(3000, 0, -1)]


def test_a_peer_that_computes_is_not_taken_for_a_dead_one(sides: Sides) -> None:
    bank, shop = sides.pair(Deadlines(connect_s=1, silent_s=0.3, message_s=10))
    answers: list[bytes] = []
    waiting = threading.Thread(
        target=lambda: answers.append(bank.open(1, most_bytes=ROOM).receive("late"))
    )
    waiting.start()
    time.sleep(0.7)  # longer than the silence that is allowed
    shop.open(1, most_bytes=ROOM).send(b"here it is")
    waiting.join(5)
    assert answers == [b"here it is"]


def test_a_silent_peer_ends_the_wait_and_the_error_names_it_and_the_step(sides: Sides) -> None:
    bank, _ = sides.single(SHORT)
    started = time.monotonic()
    error = wait_for_failure(bank)
    assert isinstance(error, PeerSilent)
    assert "shop has been silent" in error.message
    assert "while Terms of step ecdh was awaited" in error.message
    assert "same command" in error.hint
    assert time.monotonic() - started < 3


def test_a_peer_that_takes_nothing_does_not_hold_a_sender_for_ever(sides: Sides) -> None:
    bank, _ = sides.single(SHORT, capacity=2)
    stream = bank.open(1, most_bytes=ROOM)
    error = send_until_refused(stream, b"forward")
    assert isinstance(error, PeerSilent)
    assert "it was to take 7 bytes" in error.message


def test_bytes_of_an_unfinished_frame_are_a_sign_of_life(sides: Sides) -> None:
    bank, far = sides.single(Deadlines(connect_s=1, silent_s=0.3, message_s=10))
    near = far.other
    for _ in range(6):  # a frame that trickles in: more bytes counted, none of them complete
        near.bytes_received += 1000
        time.sleep(0.1)
    far.send(part(1, b"whole at last"))
    assert bank.open(1, most_bytes=ROOM).receive("slow") == b"whole at last"


def test_a_lively_peer_that_does_not_get_there_is_a_deadline(sides: Sides) -> None:
    bank, _ = sides.pair(SHORT)
    error = wait_for_failure(bank)
    assert isinstance(error, DeadlineExceeded)
    assert str(error.message) == "waited 1 s for Terms of step ecdh from shop"


def test_a_frame_the_peer_does_not_take_in_time_is_a_deadline(sides: Sides) -> None:
    bank, far = sides.single()

    def stalled(_: bytes) -> None:
        raise PeerStalled("waited 120 s for shop to take a frame of 9 bytes", "ask its operator")

    far.other.send = stalled  # type: ignore[method-assign]
    with pytest.raises(DeadlineExceeded, match="to take a frame") as caught:
        bank.open(1, most_bytes=ROOM).send(b"words")
    # Not as a lost connection: another one would end the same way.
    assert not isinstance(caught.value, ConnectionLost)


@pytest.mark.parametrize("opened", [True, False])
def test_a_flood_is_refused(sides: Sides, opened: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNOPENED_BYTES", 1 << 16)
    bank, far = sides.single()
    if opened:
        bank.open(1, most_bytes=1 << 16)
    for number in range(40):
        # On one open stream, or spread over many that nobody opened.
        far.send(part(1 if opened else number + 2, bytes(1 << 12), 0))
    error = send_until_refused(bank.open(50, most_bytes=ROOM), b"")
    assert isinstance(error, RemoteProtocolError)
    assert "sends more than was asked for" in str(error)
    assert error.party == "shop"


def test_empty_parts_are_a_flood_too(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNOPENED_BYTES", 1 << 14)
    bank, far = sides.single()
    for _ in range(300):
        far.send(part(7, b"", 0))
    assert "sends more than was asked for" in str(wait_for_failure(bank))


def test_no_peer_opens_stream_after_stream(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_UNOPENED", 100)
    bank, far = sides.single()
    for number in range(2, 103):
        far.send(part(number, b"x"))
    assert "stream after stream" in str(wait_for_failure(bank))


def test_what_was_ahead_of_an_opened_stream_no_longer_counts(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_UNOPENED_BYTES", 1 << 14)
    bank, far = sides.single()
    for number in range(1, 30):  # 29 times 4 KiB, never more than one of them unopened
        far.send(part(number, bytes(1 << 12)))
        assert len(bank.open(number, most_bytes=ROOM).receive("part")) == 1 << 12


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00",
        b"\x00\x00\x01",
        HEADER.pack(PART, 1, 2) + b"data",
        HEADER.pack(HERE, 1, 1),
        HEADER.pack(HERE, 0, 1) + b"more",
        HEADER.pack(HERE, 0, 0),
        HEADER.pack(BYE, 0, 1) + b"more",
        HEADER.pack(BYE, 2, 1),
        HEADER.pack(END, 0, 0) + b"why",
        HEADER.pack(4, 0, 1),
        HEADER.pack(255, 65535, 255) + b"\xff" * 100,
    ],
)
def test_a_frame_of_no_known_form_is_the_peers_mistake(sides: Sides, frame: bytes) -> None:
    bank, far = sides.single()
    far.send(frame)
    error = wait_for_failure(bank)
    assert isinstance(error, RemoteProtocolError)
    assert error.party == "shop"


def test_what_came_before_the_end_is_still_read(sides: Sides) -> None:
    bank, shop = sides.pair()
    shop.open(1, most_bytes=ROOM).send(b"first")
    shop.end(JobRefused("shop did not approve the run"))
    stream = bank.open(1, most_bytes=ROOM)
    assert stream.receive("word") == b"first"
    with pytest.raises(PeerEnded, match="shop ended the run: shop did not approve the run"):
        stream.receive("another")


def test_a_sender_hears_why_the_peer_ended_and_not_that_the_line_is_cut(sides: Sides) -> None:
    bank, shop = sides.pair()
    shop.end(RemoteProtocolError("BlindedItems: an element occurs twice", party="bank"))
    stream = bank.open(1, most_bytes=ROOM)
    error = send_until_refused(stream, b"more")
    assert isinstance(error, PeerEnded)
    assert "an element occurs twice" in error.message


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (b"\x1b[2Jgone\x07\n", "?[2Jgone??"),
        ("\u202eevil".encode(), "?evil"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 5000, "x" * 300),
    ],
)
def test_a_peers_reason_cannot_write_on_the_operators_terminal(
    sides: Sides, reason: bytes, shown: str
) -> None:
    bank, far = sides.single()
    far.send(HEADER.pack(END, 0, 1) + reason)
    error = wait_for_failure(bank)
    assert isinstance(error, PeerEnded)
    assert error.message == f"shop ended the run: {shown}"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DatasetError("/home/x/customers.csv changed"), "an error on its own side (DatasetError)"),
        (NodeError("cannot write /srv/out"), "an error on its own side (NodeError)"),
        (MemoryError(), "an error on its own side (MemoryError)"),
        (ValueError("13800138000"), "an error on its own side (ValueError)"),
        (KeyboardInterrupt(), "its operator stopped it"),
        (PeerEnded("bank ended the run: /home"), "the other side had ended it"),
        (JobRefused("bank did not approve the run"), "bank did not approve the run"),
        (AttemptAbandoned("bank has ended its run"), "bank has ended its run"),
        (LocalProtocolError("--to: bank has both"), "--to: bank has both"),
        (RemoteProtocolError("a byte", party="shop", step="vole"), "shop in vole: a byte"),
    ],
)
def test_the_peer_is_told_no_path_and_no_value(error: BaseException, text: str) -> None:
    assert told(error).endswith(text)
    assert "/" not in told(error)
    assert "13800" not in told(error)


def test_both_leave_when_both_are_done(sides: Sides) -> None:
    bank, shop = sides.pair()
    left: list[bool] = []
    threads = [threading.Thread(target=lambda s=s: left.append(s.leave())) for s in (bank, shop)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join(5)
    assert left == [True, True]


def test_leaving_tells_a_peer_that_vanished_from_one_that_is_done(sides: Sides) -> None:
    bank, shop = sides.pair()
    threading.Timer(0.1, shop.close).start()
    assert bank.leave() is False


def test_leaving_says_when_the_peer_failed_at_its_end(sides: Sides) -> None:
    bank, shop = sides.pair()
    threading.Timer(0.1, shop.end, [DatasetError("/full/disk")]).start()
    with pytest.raises(PeerEnded, match="an error on its own side"):
        bank.leave()


def test_closing_wakes_whoever_waits(sides: Sides) -> None:
    bank, _ = sides.pair()
    errors: list[Exception] = []

    def wait() -> None:
        errors.append(wait_for_failure(bank))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.1)
    bank.close()
    waiting.join(2)
    assert [type(error) for error in errors] == [ConnectionLost]


def test_a_cut_line_is_a_lost_connection_at_both(sides: Sides) -> None:
    bank, shop = sides.pair()
    bank.close()
    error = wait_for_failure(shop)
    assert type(error) is ConnectionLost


def test_ending_after_a_lost_connection_only_closes(sides: Sides) -> None:
    bank, far = sides.single()
    bank.end(ConnectionLost("cut"))
    assert not any(frame[0] == END for frame in far.taken)
    with pytest.raises(ConnectionLost):
        far.send(b"")


def test_ending_does_not_wait_for_a_peer_that_takes_nothing(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FAREWELL_S", 0.2)
    bank, _ = sides.single(capacity=1)
    bank.open(1, most_bytes=ROOM).send(b"fills the line")
    started = time.monotonic()
    bank.end(JobRefused("no"))
    assert time.monotonic() - started < 3


def test_no_thread_is_left_behind(sides: Sides) -> None:
    before = set(threading.enumerate())
    bank, shop = sides.pair()
    bank.close()
    shop.close()
    left: list[Any] = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    assert left == []
