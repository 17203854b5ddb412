"""The Sender of ECDH-PSI."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.intersection import Intersection
from protocols.psi_ecdh import steps
from protocols.psi_ecdh.messages import SizeStatement
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import Suite


def sender(
    items: Sequence[bytes],
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    floor: int,
    private_key: bytes,
    peer_public_key: bytes,
    seed: bytes,
) -> Role[Intersection]:
    """Sender of ECDH-PSI with the size first, SPEC.md §3; references as for the Receiver.

    Arguments, errors, what is learned and revealed, and the adversary are those of
    :func:`~protocols.psi_ecdh.receiver.receiver`: both parties get the result. The Sender signs
    and opens only after it has checked what the Receiver signed and opened.
    """
    own = steps.Party(
        "sender", party, peer, suite, context, floor, private_key, peer_public_key, seed, items
    )
    scalar = suite.group.random_scalar(suite.stream(seed, own.purpose("scalar")))

    peer_size = yield from steps.agree_on_terms(own)
    order, own_blinded = yield from steps.blind_and_send(own, scalar)
    peer_blinded, evaluated = yield from steps.receive_and_evaluate(
        own, scalar, own_blinded, peer_size
    )
    shuffle, peer_evaluated = yield from steps.send_shuffled(own, evaluated)
    own_evaluated = yield from steps.receive_evaluated(own)

    exchange = steps.Exchange(own_blinded, peer_blinded, own_evaluated, peer_evaluated)
    statement, shared = steps.state_size(own, exchange)
    received: SizeStatement = yield Receive(peer, SizeStatement)
    peer_signature = steps.check_statement(own, statement, received)
    own_signature = steps.sign_statement(own, statement)
    yield Send(peer, SizeStatement(statement, own_signature))

    positions: list[int] = []
    if len(shared) >= floor:
        opened = yield from steps.receive_opening(own)
        positions = steps.locate(own, order, opened, own_evaluated, shared)
        yield from steps.send_opening(own, shuffle)

    return Intersection(
        size=len(shared),
        own_size=own.size,
        peer_size=peer_size,
        floor=floor,
        opened=len(shared) >= floor,
        positions=positions,
        statement=statement,
        signatures={party: own_signature, peer: peer_signature},
    )
