"""The Receiver of ECDH-PSI."""

from __future__ import annotations

from protocols.intersection import Intersection
from protocols.psi_ecdh import steps
from protocols.psi_ecdh.messages import Reveal, SizeStatement, To
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import Items, Suite


def receiver(
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
    """Receiver of ECDH-PSI with the size first, SPEC.md §3.

    Meadows, IEEE S&P 1986, and Huberman, Franklin and Hogg, EC 1999, with the shuffled
    cardinality of De Cristofaro, Gasti and Tsudik, CANS 2012 (SPEC.md §8 has the differences).

    ``items`` are distinct 32-byte digests, shape (n, 32), ``context`` the session's binding (1 to
    1,024 bytes), ``seed`` 32 fresh secret bytes; keys are the suite's signature keys.

    Learns the peer's size and the intersection's; with ``reveal="list"``, from ``floor`` on, which
    own items are in it. Reveals the same, but with ``to="receiver"`` not which (``list``) or not
    even how many (``size``). Adversary: a semi-honest peer (DDH, random oracle). Raises
    ``LocalProtocolError`` for unusable arguments, ``RemoteProtocolError`` for a peer that departs
    from the protocol.
    """
    own = steps.Party(
        role="receiver",
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
    shared = steps.match(own, evaluated)

    size = len(shared)
    statement = steps.state(own, blinded, evaluated, size if own.both_learn_the_size else None)
    own_signature = steps.sign_statement(own, statement)
    yield Send(peer, SizeStatement(statement, own_signature))
    received: SizeStatement = yield Receive(peer, SizeStatement)
    peer_signature = steps.check_statement(own, statement, received)

    positions = None
    if reveal == "list" and size >= floor:
        if to == "both":
            yield from steps.send_opening(own, evaluated.shuffle)
        opened = yield from steps.receive_opening(own)
        positions = steps.locate(own, blinded.order, opened, shared)
    return steps.result(
        own,
        peer_size=peer_size,
        size=size,
        positions=positions,
        statement=statement,
        signatures=(own_signature, peer_signature),
    )
