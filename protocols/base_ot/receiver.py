"""The Receiver of the base oblivious transfers."""

from __future__ import annotations

import numpy as np

from protocols.base_ot import steps
from protocols.base_ot.messages import ReceiverPoints, SenderPoints
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import InvalidElement, Octets, Suite


def receiver(
    choices: Octets, *, peer: PartyId, suite: Suite, context: bytes, seed: bytes
) -> Role[list[bytes]]:
    """Receiver of ``len(choices)`` oblivious transfers of random keys, SPEC.md §3; the chosen keys.

    Reference as for the :func:`~protocols.base_ot.sender.sender`. ``choices`` are secret bits, a
    byte each. Learns one key of each pair. Reveals nothing about the choices, to any Sender: both
    kinds of point are uniform. ``seed`` is 32 fresh secret bytes. Raises
    :class:`LocalProtocolError` for arguments out of range, :class:`RemoteProtocolError` for points
    that are none.
    """
    count = len(choices)
    steps.check_arguments(count, context, seed)
    if choices.dtype != np.uint8 or choices.ndim != 1 or (choices > 1).any():
        raise LocalProtocolError("choices must be a row of bits, a byte each")
    group = suite.points
    stream = suite.stream(seed, steps.purpose("receiver", "scalars"))
    scalars = group.random_scalars(stream, count)
    known = group.multiply_base(scalars)

    message: SenderPoints = yield Receive(peer, SenderPoints)
    steps.check_length("SenderPoints", message.points, 2, suite)
    public, offset = steps.split(message.points, suite)
    try:
        group.check(public)
        moved = group.add(known, offset * count)
    except InvalidElement:
        raise RemoteProtocolError("SenderPoints: not points of the group") from None
    # Both points are made for every choice, and the bit becomes a mask over their bytes.
    zero, one = (np.frombuffer(points, np.uint8).reshape(count, -1) for points in (known, moved))
    own = (zero ^ ((zero ^ one) & (np.uint8(0) - choices[:, None]))).tobytes()
    yield Send(peer, ReceiverPoints(own))

    shared = group.multiply_each(scalars, public * count)
    return steps.derive_keys(suite, context, message.points, own, shared)
