"""Agreeing on the keys of a job's tokens: the part of both parties."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from protocols.arguments import check_seed, check_session
from protocols.errors import RemoteProtocolError, VerifyError
from protocols.psi_server_aided.messages import (
    KEY_PREFIX,
    VERSION,
    KeyAnswer,
    KeyConfirmation,
    KeyOffer,
    check_terms,
)
from protocols.roles import PartyId, Receive, Role, Send
from protocols.stored import Stored
from protocols.suite import InvalidElement, InvalidSignature, Suite, canonical

MAC_KEY_BYTES = 32

Part: TypeAlias = Literal["initiator", "responder"]


class TokenKeys(Stored, frozen=True, tag="psi-server-aided-keys/1"):
    """Three secret keys, three uses; whoever else has the first two can enumerate every token."""

    token_key: bytes
    """K_t, of the block cipher that makes a token."""
    hash_key: bytes
    """K_h, of the MAC that an item goes through first."""
    match_key: bytes
    """K_m, of the MAC by which the parties compare their matches."""

    def __repr__(self) -> str:
        return "TokenKeys(...)"

    def _is_consistent(self) -> bool:
        return (
            len(self.token_key) in (16, 32)
            and len(self.hash_key) == MAC_KEY_BYTES
            and len(self.match_key) == MAC_KEY_BYTES
        )


def agree_keys(
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    private_key: bytes,
    peer_public_key: bytes,
    seed: bytes,
) -> Role[TokenKeys]:
    """Agree with ``peer`` on fresh keys for this session's tokens, SPEC.md §3.1.

    H. Krawczyk, "SIGMA: the 'SIGn-and-MAc' Approach to Authenticated Diffie-Hellman", CRYPTO
    2003: the messages of SIGMA-I in their order, without the encryption that hides identities
    there, that is basic SIGMA (SPEC.md §8). The party whose id sorts first initiates.

    ``context`` is the session's binding (1 to 1,024 bytes), ``seed`` 32 fresh secret bytes; keys
    are the suite's signature keys.

    Learns and reveals nothing but the peer's presence. Adversary: whoever controls the channel,
    without a party's signature key (decisional Diffie-Hellman; KDF, signatures and MAC as their
    standards claim). Raises ``LocalProtocolError`` for unusable arguments, ``RemoteProtocolError``
    for a peer that departs from the protocol.
    """
    check_session(party=party, peers=(peer,), suite=suite, context=context, private_key=private_key)
    check_seed(seed)
    ephemeral_seed = suite.derive(seed, f"{VERSION} ephemeral key".encode("ascii"), 32)
    entropy = suite.derive(seed, f"{VERSION} signature entropy".encode("ascii"), 32)
    ephemeral_private, ephemeral_key = suite.agreement_key(ephemeral_seed)

    if party < peer:
        yield Send(peer, KeyOffer(VERSION, suite.name, party, peer, context, ephemeral_key))
        answer: KeyAnswer = yield Receive(peer, KeyAnswer)
        secret = _shared_secret(suite, ephemeral_private, answer)
        agreed = _Agreed.derive(
            suite, context, (party, peer), (ephemeral_key, answer.ephemeral_key), secret
        )
        agreed.check(answer, "responder", peer_public_key)
        yield Send(peer, KeyConfirmation(*agreed.prove("initiator", private_key, entropy)))
    else:
        offer: KeyOffer = yield Receive(peer, KeyOffer)
        check_terms(offer, party=party, peer=peer, suite=suite, context=context)
        secret = _shared_secret(suite, ephemeral_private, offer)
        agreed = _Agreed.derive(
            suite, context, (peer, party), (offer.ephemeral_key, ephemeral_key), secret
        )
        proof = agreed.prove("responder", private_key, entropy)
        yield Send(peer, KeyAnswer(ephemeral_key, *proof))
        confirmation: KeyConfirmation = yield Receive(peer, KeyConfirmation)
        agreed.check(confirmation, "initiator", peer_public_key)
    return agreed.keys


def _shared_secret(suite: Suite, ephemeral_private: bytes, message: KeyOffer | KeyAnswer) -> bytes:
    try:
        return suite.agree(ephemeral_private, message.ephemeral_key)
    except InvalidElement:
        raise RemoteProtocolError(
            f"{type(message).__name__}: the ephemeral key is not a valid public key"
        ) from None


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What both parties hold once each has the other's ephemeral key."""

    suite: Suite
    transcript: bytes
    mac_key: bytes = field(repr=False)
    keys: TokenKeys

    @classmethod
    def derive(
        cls,
        suite: Suite,
        context: bytes,
        parties: tuple[PartyId, PartyId],
        ephemeral_keys: tuple[bytes, bytes],
        secret: bytes,
    ) -> _Agreed:
        """Derive four independent keys from ``secret``; pairs are (initiator's, responder's)."""
        transcript = canonical.encode(
            {
                "version": VERSION,
                "suite": suite.name,
                "context": context.hex(),
                "initiator": parties[0],
                "responder": parties[1],
                "initiator_key": ephemeral_keys[0].hex(),
                "responder_key": ephemeral_keys[1].hex(),
            }
        )
        digest = suite.hash(transcript)

        def key(purpose: str, length: int) -> bytes:
            return suite.derive(secret, f"{VERSION} {purpose} ".encode("ascii") + digest, length)

        return cls(
            suite,
            transcript,
            mac_key=key("key confirmation", MAC_KEY_BYTES),
            keys=TokenKeys(
                token_key=key("token", suite.key_bytes),
                hash_key=key("hash", MAC_KEY_BYTES),
                match_key=key("matches", MAC_KEY_BYTES),
            ),
        )

    def prove(self, part: Part, private_key: bytes, entropy: bytes) -> tuple[bytes, bytes]:
        """Return the signature and the MAC of the party that plays ``part``."""
        proved = self._proved(part)
        signature = self.suite.sign(private_key, proved, entropy)
        return signature, self.suite.mac(self.mac_key, proved)

    def check(self, proof: KeyAnswer | KeyConfirmation, part: Part, public_key: bytes) -> None:
        """Return if ``proof`` is of the party that plays ``part``; raises ``VerifyError``."""
        name = type(proof).__name__
        proved = self._proved(part)
        try:
            self.suite.verify(public_key, proved, proof.signature)
        except InvalidSignature as error:
            raise VerifyError(f"{name}: {error}") from None
        if not hmac.compare_digest(proof.mac, self.suite.mac(self.mac_key, proved)):
            raise VerifyError(f"{name}: the MAC is wrong: the peer does not hold the agreed keys")

    def _proved(self, part: Part) -> bytes:
        # The part stands for the prover's identity, which the transcript names: without it a
        # proof could be sent back to whom it came from.
        return KEY_PREFIX + part.encode("ascii") + b"\x00" + self.transcript
