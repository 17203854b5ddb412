"""The gm channel's handshake: the part of the party that answers."""

from __future__ import annotations

from protocols.errors import RemoteProtocolError
from protocols.gm_channel.handshake import ChannelKeys, ChannelTerms, Fresh, Handshake
from protocols.gm_channel.messages import (
    VERSION,
    ChannelAnswer,
    ChannelConfirmation,
    ChannelOffer,
)
from protocols.roles import Receive, Role, Send


def responder(terms: ChannelTerms, *, seed: bytes) -> Role[ChannelKeys]:
    """Responder of the gm channel, SPEC.md §3.1: SIGMA-I (Krawczyk, CRYPTO 2003).

    ``seed`` is 32 fresh secret bytes. Learns that the peer, with its key, takes part now and with
    the same terms. Reveals its own id, spec digest and attempt to whoever sends the first message,
    peer or not: in SIGMA-I the responder proves first.

    Adversary and errors as for :func:`protocols.gm_channel.initiator`.
    """
    own = Fresh.derive(terms.suite, seed)
    offer: ChannelOffer = yield Receive(terms.peer, ChannelOffer)
    if offer.version != VERSION:
        raise RemoteProtocolError(f"ChannelOffer: the peer's version is not ours, {VERSION}")
    if offer.suite != terms.suite.name:
        raise RemoteProtocolError(f"ChannelOffer: the peer's suite is not ours, {terms.suite.name}")
    handshake = Handshake(
        terms, "responder", own, ephemeral_key=offer.ephemeral_key, nonce=offer.nonce
    )
    sealed = handshake.seal_proof()
    yield Send(terms.peer, ChannelAnswer(own.ephemeral_key, own.nonce, sealed))
    confirmation: ChannelConfirmation = yield Receive(terms.peer, ChannelConfirmation)
    handshake.check_proof(confirmation.sealed)
    return handshake.keys()
