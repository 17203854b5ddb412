"""A stranger or a hostile peer on the loopback port: the job ends with a reason, never hangs."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from party_node.errors import PeerUnreachable
from party_node.peer_channel.frames import Acknowledged, Farewell, Hello, Part, encode_frame
from party_node.peer_channel.link import Deadlines
from protocols.errors import RemoteProtocolError
from tests.party_node.parties import DIGEST, JOB, pair

HELLO = Hello("retailer", JOB, DIGEST, 1, 0, 0)


def framed(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)


def meet(folder: Path, data: bytes, *, close: bool = False) -> object:
    """Run the bank against a peer that sends ``data`` and nothing else."""
    bank, _ = pair(folder, deadlines=Deadlines(2, 1))
    thread = threading.Thread(target=bank.run)
    thread.start()
    port_file = folder / "bank--retailer.port"
    while not port_file.exists():
        thread.join(0.01)
    with socket.create_connection(("127.0.0.1", int(port_file.read_text()))) as peer:
        peer.sendall(data)
        if close:
            peer.shutdown(socket.SHUT_WR)
        thread.join(20)
    assert not thread.is_alive()
    return bank.outcome


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (framed(b"\xff\xff"), "not a frame"),
        (framed(b""), "not a frame"),
        (framed(encode_frame(Farewell())), "greet first"),
        (framed(encode_frame(Hello("stranger", JOB, DIGEST, 1, 0, 0))), "as another party"),
        (framed(encode_frame(Hello("retailer", "other", DIGEST, 1, 0, 0))), "another job"),
        (framed(encode_frame(HELLO), encode_frame(HELLO)), "greeted twice"),
        (framed(encode_frame(HELLO), encode_frame(Part(0, 5, 0, True, b""))), "out of order"),
        (framed(encode_frame(HELLO), encode_frame(Part(0, 0, 3, True, b""))), "out of order"),
        (framed(encode_frame(HELLO), encode_frame(Part(0, 0, 0, True, b"?"))), "well-formed"),
    ],
)
def test_a_peer_that_breaks_the_channel_is_named(tmp_path: Path, data: bytes, reason: str) -> None:
    outcome = meet(tmp_path / "run", data)
    assert isinstance(outcome, RemoteProtocolError), outcome
    assert outcome.party == "retailer"
    assert reason in outcome.reason


@pytest.mark.parametrize(
    "make",
    [
        lambda: struct.pack(">I", 2**31),
        lambda: framed(encode_frame(HELLO))[:-3],
        lambda: b"",
        lambda: framed(encode_frame(HELLO), encode_frame(Acknowledged(0))) + b"\x00\x00",
    ],
)
def test_a_peer_that_stops_short_is_unreachable_or_silent(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    outcome = meet(tmp_path / "run", make(), close=True)
    assert isinstance(outcome, PeerUnreachable), outcome
    assert "retailer" in outcome.message
