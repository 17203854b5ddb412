"""What initiator and responder of the gm channel share: terms, transcript, keys and proofs.

H. Krawczyk, "SIGMA: the 'SIGn-and-MAc' Approach to Authenticated Diffie-Hellman and Its Use in
the IKE Protocols", CRYPTO 2003, the variant the paper calls SIGMA-I; SPEC.md §3.1 and §8.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from protocols.arguments import check_seed, check_session
from protocols.errors import DecodeError, LocalProtocolError, RemoteProtocolError, VerifyError
from protocols.gm_channel.messages import MAX_ATTEMPT, NONCE_BYTES, VERSION, ChannelProof
from protocols.roles import PartyId
from protocols.suite import InvalidElement, InvalidSignature, OpenError, Suite, canonical
from protocols.wire import decode, encode

PROOF_PREFIX = b"fedcrm/gm-channel/v1\x00"
"""Stands before what the parties sign and MAC."""
SECRET_BYTES = 32

Part: TypeAlias = Literal["initiator", "responder"]
OTHER_PART: dict[Part, Part] = {"initiator": "responder", "responder": "initiator"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTerms:
    """What one party takes the channel to be; both must hold the same, seen from their side.

    ``spec_digest`` is the digest of the signed spec, or empty where the spec is negotiated inside
    the channel. The certificate digests are the suite's hashes of the two ends' TLS certificates.
    """

    party: PartyId
    peer: PartyId
    suite: Suite
    spec_digest: bytes
    attempt: int
    certificate_digest: bytes
    peer_certificate_digest: bytes
    private_key: bytes = field(repr=False)
    peer_public_key: bytes

    def __post_init__(self) -> None:
        length = self.suite.digest_bytes
        if {len(self.certificate_digest), len(self.peer_certificate_digest)} != {length}:
            raise LocalProtocolError(f"a certificate digest must be {length} bytes")
        check_session(
            party=self.party,
            peers=(self.peer,),
            suite=self.suite,
            context=self.certificate_digest,
            private_key=self.private_key,
        )
        if self.certificate_digest == self.peer_certificate_digest:
            raise LocalProtocolError("the two parties must have different TLS certificates")
        if len(self.spec_digest) not in (0, length):
            raise LocalProtocolError(f"the spec digest must be {length} bytes, or none")
        if not 0 <= self.attempt <= MAX_ATTEMPT:
            raise LocalProtocolError(f"the attempt must be between 0 and {MAX_ATTEMPT}")


@dataclass(frozen=True, slots=True)
class ChannelKeys:
    """The secrets of the two directions, for :mod:`protocols.gm_channel.records`."""

    sending: bytes = field(repr=False)
    receiving: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What one party contributes to one handshake, all from its seed."""

    private_key: bytes = field(repr=False)
    ephemeral_key: bytes
    nonce: bytes
    entropy: bytes = field(repr=False)

    @classmethod
    def derive(cls, suite: Suite, seed: bytes) -> Fresh:
        """Return it for a fresh secret ``seed`` of 32 bytes."""
        check_seed(seed)
        key_seed = suite.derive(seed, f"{VERSION} ephemeral key".encode("ascii"), 32)
        private_key, ephemeral_key = suite.agreement_key(key_seed)
        return cls(
            private_key,
            ephemeral_key,
            nonce=suite.derive(seed, f"{VERSION} nonce".encode("ascii"), NONCE_BYTES),
            entropy=suite.derive(seed, f"{VERSION} signature entropy".encode("ascii"), 32),
        )


class Handshake:
    """What a party holds once it has the peer's ephemeral key and nonce.

    Raises :class:`RemoteProtocolError` for an ephemeral key that is no valid public key, or that
    is this party's own.
    """

    def __init__(
        self, terms: ChannelTerms, part: Part, own: Fresh, *, ephemeral_key: bytes, nonce: bytes
    ) -> None:
        suite = terms.suite
        if ephemeral_key == own.ephemeral_key:
            raise RemoteProtocolError("the peer's ephemeral key is our own, sent back")
        try:
            self._secret = suite.agree(own.private_key, ephemeral_key)
        except InvalidElement:
            raise RemoteProtocolError(
                "the peer's ephemeral key is not a valid public key"
            ) from None
        self._terms = terms
        self._part = part
        self._entropy = own.entropy
        fresh: dict[Part, tuple[bytes, bytes]] = {
            part: (own.ephemeral_key, own.nonce),
            OTHER_PART[part]: (ephemeral_key, nonce),
        }
        opening: dict[str, canonical.Json] = {"version": VERSION, "suite": suite.name}
        for name, (key, chosen) in fresh.items():
            opening[f"{name}_key"] = key.hex()
            opening[f"{name}_nonce"] = chosen.hex()
        ends: dict[Part, tuple[str, bytes]] = {
            part: (terms.party, terms.certificate_digest),
            OTHER_PART[part]: (terms.peer, terms.peer_certificate_digest),
        }
        transcript: dict[str, canonical.Json] = {
            **opening,
            "spec_digest": terms.spec_digest.hex(),
            "attempt": terms.attempt,
            **{name: party for name, (party, _) in ends.items()},
            **{f"{name}_certificate": digest.hex() for name, (_, digest) in ends.items()},
        }
        self._transcript = canonical.encode(transcript)
        # The proofs' keys depend on what is public so far, so that a peer with other terms can
        # still open a proof and say which term differs; the records' keys depend on everything.
        self._opening_digest = suite.hash(canonical.encode(opening))
        self._transcript_digest = suite.hash(self._transcript)

    def seal_proof(self) -> bytes:
        """Return this party's proof, sealed for the peer."""
        terms, proved = self._terms, self._proved(self._part)
        proof = ChannelProof(
            party=terms.party,
            spec_digest=terms.spec_digest,
            attempt=terms.attempt,
            signature=terms.suite.sign(terms.private_key, proved, self._entropy),
            mac=terms.suite.mac(self._mac_key(), proved),
        )
        return terms.suite.seal(
            self._proof_key(self._part), bytes(terms.suite.nonce_bytes), encode(proof), b""
        )

    def check_proof(self, sealed: bytes) -> None:
        """Return if ``sealed`` is the peer's proof; raises :class:`VerifyError`."""
        terms, part = self._terms, OTHER_PART[self._part]
        proof = self._open(sealed, part)
        if proof.party != terms.peer:
            raise VerifyError(f"the channel ends at another party than {terms.peer}")
        if proof.spec_digest != terms.spec_digest:
            raise VerifyError(f"{terms.peer} opened the channel for another spec than ours")
        if proof.attempt != terms.attempt:
            raise VerifyError(
                f"{terms.peer} opened the channel for attempt {proof.attempt}, "
                f"ours is {terms.attempt}"
            )
        proved = self._proved(part)
        try:
            terms.suite.verify(terms.peer_public_key, proved, proof.signature)
        except InvalidSignature as error:
            raise VerifyError(
                f"{terms.peer}'s signature of the handshake: {error}; its key or a TLS "
                "certificate is not the one pinned, or somebody stands between"
            ) from None
        if not hmac.compare_digest(proof.mac, terms.suite.mac(self._mac_key(), proved)):
            raise VerifyError(f"{terms.peer} does not hold the agreed keys: its MAC is wrong")

    def keys(self) -> ChannelKeys:
        """Return the records' secrets; only after :meth:`check_proof` are they the peer's."""
        return ChannelKeys(
            sending=self._derive(f"{self._part} records", self._transcript_digest, SECRET_BYTES),
            receiving=self._derive(
                f"{OTHER_PART[self._part]} records", self._transcript_digest, SECRET_BYTES
            ),
        )

    def _open(self, sealed: bytes, part: Part) -> ChannelProof:
        suite = self._terms.suite
        try:
            opened = suite.open(self._proof_key(part), bytes(suite.nonce_bytes), sealed, b"")
            return decode(opened, ChannelProof)
        except (OpenError, DecodeError):
            raise VerifyError(
                f"{self._terms.peer}'s proof cannot be opened: it was changed on the way, or made "
                "for another handshake"
            ) from None

    def _proof_key(self, part: Part) -> bytes:
        # One key for each proof, which seals once, so that its nonce can be zero.
        return self._derive(f"{part} proof", self._opening_digest, self._terms.suite.key_bytes)

    def _mac_key(self) -> bytes:
        return self._derive("confirmation", self._opening_digest, SECRET_BYTES)

    def _derive(self, purpose: str, digest: bytes, length: int) -> bytes:
        info = f"{VERSION} {purpose} ".encode("ascii") + digest
        return self._terms.suite.derive(self._secret, info, length)

    def _proved(self, part: Part) -> bytes:
        # The part stands for the prover's identity, which the transcript names: without it a
        # proof could be sent back to whom it came from.
        return PROOF_PREFIX + part.encode("ascii") + b"\x00" + self._transcript
