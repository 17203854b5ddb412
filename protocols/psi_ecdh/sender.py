"""The Sender of ECDH-PSI."""

from __future__ import annotations

from protocols.intersection import Intersection
from protocols.psi_ecdh import steps
from protocols.psi_ecdh.messages import Reveal, SizeStatement, To
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import Items, Suite


def sender(
    items: Items,
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    floor: int,
    reveal: Reveal = "list",
    to: To = "both",
    private_key: bytes,
    peer_public_key: bytes,
    seed: bytes,
) -> Role[Intersection]:
    """Sender of ECDH-PSI with the size first, SPEC.md §3; references as for the Receiver.

    Arguments, errors and the adversary are those of
    :func:`~protocols.psi_ecdh.receiver.receiver`. Learns the peer's size; the intersection's,
    unless that is for the Receiver alone (``reveal="size"``, ``to="receiver"``); and with
    ``reveal="list"``, ``to="both"``, from ``floor`` on, which own items are in it. Reveals to the
    Receiver what it asks for. The Sender signs and opens only after it has checked what the
    Receiver signed and opened.
    """
    own = steps.Party(
        role="sender",
        party=party,
        peer=peer,
        suite=suite,
        context=context,
        floor=floor,
        reveal=reveal,
        to=to,
        private_key=private_key,
        peer_public_key=peer_public_key,
        seed=seed,
        items=items,
    )
    peer_size = yield from steps.agree_on_terms(own)
    blinded = yield from steps.blind_and_evaluate(own, peer_size)
    evaluated = yield from steps.exchange_evaluated(own, blinded)
    shared = steps.match(own, evaluated) if own.both_learn_the_size else None

    size = None if shared is None else len(shared)
    statement = steps.state(own, blinded, evaluated, size)
    received: SizeStatement = yield Receive(peer, SizeStatement)
    peer_signature = steps.check_statement(own, statement, received)
    own_signature = steps.sign_statement(own, statement)
    yield Send(peer, SizeStatement(statement, own_signature))

    positions = None
    if reveal == "list" and shared is not None and len(shared) >= floor:
        if to == "both":
            opened = yield from steps.receive_opening(own)
            positions = steps.locate(own, blinded.order, opened, shared)
        yield from steps.send_opening(own, evaluated.shuffle)
    return steps.result(
        own,
        peer_size=peer_size,
        size=size,
        positions=positions,
        statement=statement,
        signatures=(own_signature, peer_signature),
    )
