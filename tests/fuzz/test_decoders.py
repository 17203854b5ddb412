"""Hostile bytes at every decoder: nothing but :class:`RemoteProtocolError` comes out.

For ``FEDCRM_FUZZ_S`` seconds; without it 6, or 300 in the slow suite. An hour is
``FEDCRM_FUZZ_S=3600 pytest -m slow tests/fuzz``. A failure shows the bytes and the seed, which
``FEDCRM_FUZZ_SEED`` sets again.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from models.model_file import ModelFile
from models.model_file import encode as encode_half
from models.model_file import read as read_half
from party_node.peer_channel.framed_stream import FramedConnection
from party_node.peer_channel.frames import decode_frame
from party_node.peer_channel.transport import ConnectionLost
from party_node.psi.streams import Deadlines, Streams
from protocols.errors import RemoteProtocolError
from protocols.gm_channel import RecordOpener, RecordSealer
from protocols.session.approval import decode_approvals
from protocols.session.decoded_spec import decode_spec
from protocols.session.psi_spec import decode_psi_spec, decode_psi_terms, encode_psi_terms
from protocols.suite import RandomStream, canonical, get_suite
from protocols.wire import Message, decode, encode
from tests.compliance.horizontal_specs import horizontal
from tests.fuzz.mutations import mutated, noise
from tests.fuzz.samples import message_types, samples
from tests.party_node.psi.wire import line
from tests.protocols.session.psi_terms import spec, terms
from tests.protocols.session.specs import plain_spec

SUITE = get_suite("gm")
SECONDS = float(os.environ.get("FEDCRM_FUZZ_S", "6"))
SEED = os.environ.get("FEDCRM_FUZZ_SEED") or secrets.token_hex(8)


@dataclass(frozen=True)
class Target:
    """A decoder, and what it is meant to decode."""

    name: str
    decode: Callable[[bytes], object]
    valid: list[bytes]
    encode: Callable[[object], bytes] | None = None
    """What gives back the bytes of what was decoded, where there is one encoding only."""


def message_target(type_: type[Message], stream: RandomStream) -> Target:
    return Target(
        f"{type_.__module__}.{type_.__name__}",
        lambda data: decode(data, type_),
        samples(type_, stream, 8),
        encode,  # type: ignore[arg-type]
    )


class _Bytes:
    """A byte stream that has this to read, and then its end."""

    bytes_sent = bytes_received = 0

    def __init__(self, data: bytes) -> None:
        self._data = data

    def receive_into(self, target: memoryview, give_up: float) -> int:
        piece, self._data = self._data[: len(target)], self._data[len(target) :]
        target[: len(piece)] = piece
        return len(piece)

    def shut(self) -> None:
        self._data = b""


def read_frames(data: bytes) -> None:
    """Read frames off a connection until its end."""
    connection = FramedConnection(_Bytes(data), "shop", send_s=1)  # type: ignore[arg-type]
    try:
        while connection.receive(0) is not None:
            pass
    except ConnectionLost:
        return


class _SortingOffice:
    """The streams' own sorting of frames, without their threads."""

    def __init__(self) -> None:
        near, self._far = line()
        self._streams = Streams(near, "shop", Deadlines())
        self._streams.close()

    def take(self, data: bytes) -> None:
        from party_node.psi.streams import PeerEnded

        self._streams._streams.clear()
        self._streams._unopened.clear()
        self._streams._unopened_bytes = 0
        try:
            self._streams._take(data)
        except PeerEnded as ended:
            assert ended.message.isprintable()  # noqa: PT017


def open_record(data: bytes) -> None:
    RecordOpener(SUITE, bytes(32)).open(data)


def other_targets(stream: RandomStream) -> Iterator[Target]:
    link = [bytes([kind]) + stream.bytes(20) for kind in range(6)]
    yield Target("the link's frames", decode_frame, link)
    frames = [len(part).to_bytes(4, "big") + part for part in link]
    yield Target("frames on a stream of bytes", read_frames, [b"".join(frames), *frames])
    parts = [
        bytes([kind, 0, number, last]) + b"data"
        for kind in range(4)
        for number in (0, 1)
        for last in (0, 1)
    ]
    yield Target("the streams' frames", _SortingOffice().take, parts)
    sealer = RecordSealer(SUITE, bytes(32))
    yield Target("the gm channel's records", open_record, [sealer.seal(b"x"), sealer.close()])
    own = encode_psi_terms(terms("receiver"))
    yield Target("PsiTerms", decode_psi_terms, [own], encode_psi_terms)  # type: ignore[arg-type]
    agreed = spec().to_bytes()
    yield Target("PsiSpec", decode_psi_spec, [agreed], lambda decoded: decoded.to_bytes())  # type: ignore[attr-defined]
    job = canonical.encode(plain_spec())
    yield Target("JobSpec", decode_spec, [job], lambda decoded: decoded.to_bytes())  # type: ignore[attr-defined]
    churn = horizontal().to_bytes()
    yield Target("HorizontalSpec", decode_spec, [churn], lambda decoded: decoded.to_bytes())  # type: ignore[attr-defined]
    half = ModelFile(
        "boosted_trees", "passive_party", {"columns": []}, {"weights": np.arange(3, dtype="<f8")}
    )
    yield Target("model halves", read_half, [encode_half(half)], encode_half)  # type: ignore[arg-type]
    yield Target("approvals", decode_approvals, [b"{}", b'{"bank":"00ff"}'])


def every_target() -> list[Target]:
    stream = SUITE.stream(SUITE.hash(b"the same samples in every run"), b"samples")
    found = [message_target(type_, stream) for type_ in message_types()]
    return [*found, *other_targets(stream)]


@pytest.fixture(scope="module")
def targets() -> list[Target]:
    return every_target()


def attack(target: Target, data: bytes) -> bool:
    """Give the bytes to the decoder; return whether it took them."""
    try:
        decoded = target.decode(data)
    except RemoteProtocolError as error:
        text = str(error)
        assert len(text) < 1000, f"{target.name}: an error of {len(text)} characters"
        return False
    except BaseException as error:
        raise AssertionError(
            f"{target.name}: {type(error).__name__} for {data!r} (seed {SEED})"
        ) from error
    if target.encode is not None:
        assert target.encode(decoded) == data, f"{target.name}: a second encoding {data!r}"
    return True


def fuzz(targets: list[Target], seconds: float) -> Counter[str]:
    """Attack the decoders in turn until time is up; return how often each was attacked."""
    stream = SUITE.stream(SUITE.hash(SEED.encode()), b"fuzz")
    everything = [data for target in targets for data in target.valid]
    attacks: Counter[str] = Counter()
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        for target in targets:
            for _ in range(20):
                own = target.valid[stream.below(len(target.valid))]
                other = everything[stream.below(len(everything))]
                data = noise(stream) if stream.below(8) == 0 else mutated(own, other, stream)
                attack(target, data)
            attacks[target.name] += 20
    return attacks


def test_every_type_of_message_is_attacked(targets: list[Target]) -> None:
    names = {target.name for target in targets}
    for name in (
        "psi_ecdh.messages.Terms",
        "psi_vole.messages.Tags",
        "secure_aggregation.messages.OpeningNote",
        "session.psi_negotiation.Offer",
    ):
        assert f"protocols.{name}" in names
    assert "party_node.peer_channel.frames.Hello" in names
    assert len(targets) > 50


def test_what_mutations_start_from_is_taken(targets: list[Target]) -> None:
    for target in targets:
        if target.encode is not None:
            assert all(attack(target, data) for data in target.valid), target.name


def test_a_message_of_one_type_is_none_of_another(targets: list[Target]) -> None:
    messages = [t for t in targets if t.name.startswith("protocols.") and t.encode is not None]
    for target in messages:
        short = target.name.rpartition(".")[2]
        for other in messages:
            if other.name.rpartition(".")[2] != short:
                assert not attack(target, other.valid[0]), f"{other.name} passed for {target.name}"


def test_hostile_bytes_raise_nothing_but_a_protocol_error(targets: list[Target]) -> None:
    attacks = fuzz(targets, SECONDS)
    assert len(attacks) == len(targets)
    assert min(attacks.values()) >= 100


@pytest.mark.slow
def test_hostile_bytes_for_long(targets: list[Target]) -> None:
    seconds = float(os.environ.get("FEDCRM_FUZZ_S", "300"))
    assert min(fuzz(targets, seconds).values()) >= 100
