"""The Sender of the base oblivious transfers."""

from __future__ import annotations

from protocols.base_ot import steps
from protocols.base_ot.messages import ReceiverPoints, SenderPoints
from protocols.errors import RemoteProtocolError
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import InvalidElement, Suite


def sender(
    count: int, *, peer: PartyId, suite: Suite, context: bytes, seed: bytes
) -> Role[list[tuple[bytes, bytes]]]:
    """Sender of ``count`` oblivious transfers of random keys, SPEC.md §3; (key 0, key 1) of each.

    M. Naor and B. Pinkas, "Efficient Oblivious Transfer Protocols", SODA 2001, §3.1, with the keys
    themselves as what is transferred. Learns nothing: a point P_j is uniform whatever the choice.
    Reveals one key of each pair. Adversary: the Receiver may be malicious as far as learning both
    keys of a pair goes (CDH, random oracle). ``seed`` is 32 fresh secret bytes. Raises
    :class:`LocalProtocolError` for arguments out of range, :class:`RemoteProtocolError` for points
    that are none.
    """
    steps.check_arguments(count, context, seed)
    group = suite.points
    stream = suite.stream(seed, steps.purpose("sender", "scalars"))
    secret, log_of_offset = group.random_scalars(stream, 2)
    own = group.multiply_base([secret, log_of_offset])
    yield Send(peer, SenderPoints(own))

    message: ReceiverPoints = yield Receive(peer, ReceiverPoints)
    received, offset = message.points, own[group.point_bytes :]
    steps.check_length("ReceiverPoints", received, count, suite)
    if offset in steps.split(received, suite):
        # P_j - C would be infinity: a Receiver that follows the protocol meets this with the
        # probability of guessing a scalar.
        raise RemoteProtocolError("ReceiverPoints: a point of ours was sent back")
    try:
        shared = group.multiply(secret, received + offset)
    except InvalidElement as error:
        raise RemoteProtocolError(f"ReceiverPoints: {error}") from None

    zeros, shared_offset = shared[: -group.point_bytes], shared[-group.point_bytes :]
    ones = group.add(zeros, group.negate(shared_offset) * count)
    return list(
        zip(
            steps.derive_keys(suite, context, own, received, zeros),
            steps.derive_keys(suite, context, own, received, ones),
            strict=True,
        )
    )
