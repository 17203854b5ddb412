"""The gm channel's handshake: the part of the party that begins."""

from __future__ import annotations

from protocols.gm_channel.handshake import ChannelKeys, ChannelTerms, Fresh, Handshake
from protocols.gm_channel.messages import (
    VERSION,
    ChannelAnswer,
    ChannelConfirmation,
    ChannelOffer,
)
from protocols.roles import Receive, Role, Send


def initiator(terms: ChannelTerms, *, seed: bytes) -> Role[ChannelKeys]:
    """Initiator of the gm channel, SPEC.md §3.1: SIGMA-I (Krawczyk, CRYPTO 2003).

    ``seed`` is 32 fresh secret bytes. Learns that the peer, with its key, takes part now and with
    the same terms. Reveals its own id, spec digest and attempt to nobody but the peer: it shows
    them after it has checked the peer's proof.

    Adversary: whoever controls the network, without the two parties' signature keys (decisional
    Diffie-Hellman; KDF, signature, MAC and authenticated encryption as their standards claim).
    Raises ``LocalProtocolError`` for unusable terms, ``RemoteProtocolError`` for a peer that
    departs from the protocol.
    """
    own = Fresh.derive(terms.suite, seed)
    yield Send(terms.peer, ChannelOffer(VERSION, terms.suite.name, own.ephemeral_key, own.nonce))
    answer: ChannelAnswer = yield Receive(terms.peer, ChannelAnswer)
    handshake = Handshake(
        terms, "initiator", own, ephemeral_key=answer.ephemeral_key, nonce=answer.nonce
    )
    handshake.check_proof(answer.sealed)
    yield Send(terms.peer, ChannelConfirmation(handshake.seal_proof()))
    return handshake.keys()
