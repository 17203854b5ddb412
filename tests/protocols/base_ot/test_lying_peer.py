"""Whatever a peer sends in place of its points, only RemoteProtocolError comes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import base_ot
from protocols.base_ot import ReceiverPoints, SenderPoints
from protocols.errors import RemoteProtocolError
from protocols.suite import get_suite
from protocols.wire import Message, decode, encode
from tests.protocols.base_ot import plain_base_ot

COUNT = 3
SUITES = pytest.mark.parametrize("suite", ["gm", "intl"])
KERNELS = pytest.mark.parametrize("kernels", ["auto", "portable"])
CURVES = {"gm": plain_base_ot.SM2, "intl": plain_base_ot.P256}


def sender_given(suite, kernels, alter):
    """Run the Sender; ``alter`` makes the Receiver's points of the Sender's."""
    terms = {"peer": "x", "suite": get_suite(suite, kernels), "context": b"c", "seed": bytes(32)}
    role = base_ot.sender(COUNT, **terms)
    own = next(role).message.points
    assert role.send(None).type is ReceiverPoints
    with pytest.raises(StopIteration) as stop:
        role.send(ReceiverPoints(alter(own)))
    return stop.value.value


def receiver_given(suite, kernels, points):
    """Run the Receiver on the Sender's ``points``; return its keys."""
    terms = {"peer": "x", "suite": get_suite(suite, kernels), "context": b"c", "seed": bytes(32)}
    role = base_ot.receiver(np.array([0, 1, 1], np.uint8), **terms)
    assert next(role).type is SenderPoints
    role.send(SenderPoints(points))
    with pytest.raises(StopIteration) as stop:
        role.send(None)
    return stop.value.value


def bad_points(suite):
    """Encodings that are no point: name, bytes."""
    curve = CURVES[suite]
    generator = curve.encode(curve.g)
    off = next(x for x in range(1, 99) if not curve.is_on_curve(x))
    small = next(x for x in range(1, 99) if curve.is_on_curve(x))
    return {
        "off the curve": b"\x02" + off.to_bytes(32, "big"),
        "x not reduced": b"\x02" + (curve.p + small).to_bytes(32, "big"),
        "infinity": bytes(33),
        "uncompressed mark": b"\x04" + generator[1:],
        "no mark": b"\x00" + generator[1:],
        "all ones": b"\xff" * 33,
    }


@SUITES
@KERNELS
@pytest.mark.parametrize("name", sorted(bad_points("gm")))
@pytest.mark.parametrize("place", range(COUNT))
def test_bad_points_are_refused(suite, kernels, name, place):
    curve = CURVES[suite]
    good, bad = curve.encode(curve.g), bad_points(suite)[name]
    points = [good] * COUNT
    points[place] = bad
    with pytest.raises(RemoteProtocolError, match=f"ReceiverPoints: element {place}"):
        sender_given(suite, kernels, lambda _: b"".join(points))
    if place < 2:
        with pytest.raises(RemoteProtocolError, match="SenderPoints: not points of the group"):
            receiver_given(suite, kernels, b"".join(points[:2]))


@SUITES
@pytest.mark.parametrize("length", [0, 1, 33, 65, 67, 98, 100, 132])
def test_wrong_lengths_are_refused(suite, length):
    curve = CURVES[suite]
    points = (curve.encode(curve.g) * 4)[:length]
    with pytest.raises(RemoteProtocolError, match=f"ReceiverPoints: {length} bytes, not 3 points"):
        sender_given(suite, "auto", lambda _: points)
    with pytest.raises(RemoteProtocolError, match=f"SenderPoints: {length} bytes, not 2 points"):
        receiver_given(suite, "auto", points)


@SUITES
@KERNELS
@pytest.mark.parametrize("place", range(COUNT))
def test_the_senders_offset_sent_back_is_refused(suite, kernels, place):
    """P_j = C: the second key would be the hash of infinity."""
    curve = CURVES[suite]

    def alter(own):
        points = [curve.encode(curve.g)] * COUNT
        points[place] = own[33:]
        return b"".join(points)

    with pytest.raises(RemoteProtocolError, match="a point of ours was sent back"):
        sender_given(suite, kernels, alter)


@SUITES
@KERNELS
def test_points_that_are_odd_but_valid_give_keys_and_no_crash(suite, kernels):
    """The negated offset, the Sender's own A, twice the same point; one point as both A and C."""
    curve = CURVES[suite]
    other = curve.encode(curve.multiply(2, curve.g))

    def alter(own):
        negated = bytes([own[33] ^ 1]) + own[34:]
        return negated + own[:33] + other

    pairs = sender_given(suite, kernels, alter)
    assert len({key for pair in pairs for key in pair}) == 2 * COUNT
    keys = receiver_given(suite, kernels, other * 2)
    assert len(set(keys)) == COUNT


@SUITES
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_is_flipped_only_remote_errors_escape(suite, data):
    curve = CURVES[suite]
    points = bytearray(curve.encode(curve.g) * COUNT)
    for _ in range(data.draw(st.integers(1, 3))):
        points[data.draw(st.integers(0, len(points) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert len(sender_given(suite, "portable", lambda _: bytes(points))) == COUNT
        assert len(receiver_given(suite, "portable", bytes(points[:66]))) == COUNT
    except RemoteProtocolError as error:
        assert "Points: " in error.reason  # noqa: PT017


EXAMPLES: list[Message] = [SenderPoints(bytes(66)), ReceiverPoints(bytes(99))]
BY_TYPE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda m: type(m).__name__)


@BY_TYPE
@given(data=st.binary(max_size=120))
@settings(max_examples=100, deadline=None)
def test_random_bytes_do_not_decode(example, data):
    with pytest.raises(RemoteProtocolError):
        decode(data, type(example))


@BY_TYPE
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_cut_and_trailing_bytes_are_refused(example, data):
    encoded = encode(example)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(RemoteProtocolError):
            decode(wrong, type(example))


@BY_TYPE
def test_oversized_messages_are_refused_before_decoding(example):
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode(encode(type(example)(bytes(1 << 17))), type(example))
