"""The key step: each party makes a Paillier key of its own and gets the other's public half."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.blame import checking_message_of
from models.scorecard.messages import PaillierKey
from protocols.errors import DecodeError, RemoteProtocolError
from protocols.paillier import PrivateKey, PublicKey, generate_private_key
from protocols.paillier.private_key import Randomness
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import Suite


@dataclass(frozen=True, eq=False)
class Keys:
    """A party's own key pair and its peer's public key, of one size.

    Keep the object for the whole training: it carries the tables of fast encryption.
    """

    own: PrivateKey = field(repr=False)
    peer: PublicKey

    def to_bytes(self) -> bytes:
        """Return the primes and the peer's modulus. Secret."""
        return self.own.to_bytes() + self.peer.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes, suite: Suite, randomness: Randomness = "exact") -> Keys:
        """Return what :meth:`to_bytes` wrote; raises :class:`DecodeError`."""
        half = len(data) // 2
        if len(data) % 2:
            raise DecodeError("not the keys of a scorecard")
        own = PrivateKey.from_bytes(data[:half], suite, randomness)
        return cls(own, PublicKey.from_bytes(data[half:], suite))


def exchange_keys(
    peer: PartyId, *, suite: Suite, bits: int, randomness: Randomness, seed: bytes
) -> Role[Keys]:
    """Make a key, send its modulus and check the peer's; SPEC.md §3.1."""
    yield Progress("make keys", 0, 1)
    own = generate_private_key(bits, suite.stream(seed, b"scorecard/1 key"), suite, randomness)
    yield Progress("make keys", 1, 1)
    yield Send(peer, PaillierKey(own.public_key.to_bytes()))
    message = yield Receive(peer, PaillierKey)
    with checking_message_of(peer):
        public_key = PublicKey.from_bytes(message.modulus, suite)
        if public_key.bits != bits:
            raise RemoteProtocolError(f"a key of {public_key.bits} bits; {bits} were agreed")
        if public_key.n == own.public_key.n:
            raise RemoteProtocolError("the key it was sent")
    return Keys(own, public_key)
