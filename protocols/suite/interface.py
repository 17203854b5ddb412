"""What a suite offers. Callers hold a :class:`Suite` and never name a primitive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class OpenError(Exception):
    """Sealed data that was not made with this key, nonce and associated data."""


class InvalidSignature(Exception):
    """A signature that does not verify, or is not in its one canonical encoding.

    Also a public key that is none: whoever verifies cannot tell the two apart.
    """


class InvalidElement(ValueError):
    """Bytes that are not an element of the group; ``index`` says which of the batch.

    A single element, such as a peer's key in :meth:`Suite.agree`, has index 0.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"element {index} is not a valid group element")
        self.index = index


class RandomStream(Protocol):
    """Deterministic randomness from a secret seed (a stream cipher's key stream)."""

    def bytes(self, length: int) -> bytes:
        """Return the next ``length`` bytes of the stream."""

    def below(self, bound: int) -> int:
        """Return the next uniform integer in [0, bound), by rejection."""

    def permutation(self, length: int) -> list[int]:
        """Return the next uniform permutation of ``range(length)`` (Fisher-Yates).

        What the stream's bytes become is fixed, so that two implementations agree: see
        :class:`protocols.suite.keystream.Keystream`.
        """


class Group(Protocol):
    """A prime-order group for Diffie-Hellman PSI, in batches.

    Elements travel as ``element_bytes`` each, concatenated; the two multiplications are where
    faster kernels plug in.
    """

    element_bytes: int

    def random_scalar(self, stream: RandomStream) -> int:
        """Return a secret scalar, uniform over those the group's multiplications take."""

    def check(self, elements: bytes) -> None:
        """Return if every one of the concatenated elements is in the group.

        Raises :class:`InvalidElement` with the index of the first that is not, and
        ``ValueError`` if the length is not a multiple of ``element_bytes``.
        """

    def hash_and_multiply(self, scalar: int, items: Sequence[bytes], dst: bytes) -> bytes:
        """Return ``scalar * hash_to_curve(item)`` for each item, concatenated.

        The domain separation tag is ``dst`` followed by ``-with-`` and the group's own
        hash-to-curve suite id (RFC 9380 §3.1).
        """

    def multiply(self, scalar: int, elements: bytes) -> bytes:
        """Return ``scalar * element`` for each of the concatenated elements.

        Raises as :meth:`check` does, before any multiplication.
        """


class Suite(Protocol):
    """One family of primitives. Keys, nonces and seeds are arguments; nothing is drawn here."""

    name: str
    digest_bytes: int
    key_bytes: int
    nonce_bytes: int
    group: Group
    primitives: dict[str, str]
    """What the suite uses for what, in words for a report."""

    def hash(self, *parts: bytes) -> bytes:
        """Return the hash of the parts' concatenation; callers frame ambiguous parts."""

    def mac(self, key: bytes, *parts: bytes) -> bytes:
        """Return HMAC over the parts' concatenation."""

    def derive(self, key: bytes, info: bytes, length: int) -> bytes:
        """Return ``length`` bytes of HKDF (RFC 5869) over the suite's hash, empty salt."""

    def stream(self, seed: bytes, info: bytes) -> RandomStream:
        """Return the random stream of ``seed`` for one purpose ``info``."""

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Return ciphertext and tag of the suite's AEAD; a nonce serves once per key."""

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Return the plaintext; raises :class:`OpenError`."""

    def encrypt_blocks(self, key: bytes, blocks: bytes) -> bytes:
        """Return each 16-byte block under the block cipher by itself, a pseudorandom permutation.

        For tokens made of values that are already pseudorandom; it is no encryption of messages.
        """

    def generate_signing_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key) bytes, deterministic in a 32-byte secret seed."""

    def public_key(self, private_key: bytes) -> bytes:
        """Return the public key bytes that belong to ``private_key``."""

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        """Return a signature. ``entropy`` (32 fresh secret bytes) hedges the nonce, if any."""

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Return if the signature verifies; raises :class:`InvalidSignature` otherwise."""

    def agreement_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return an ephemeral (private key, public key), deterministic in a 32-byte secret seed."""

    def agree(self, private_key: bytes, peer_public_key: bytes) -> bytes:
        """Return the 32-byte raw Diffie-Hellman secret; only :meth:`derive` may take it.

        Unauthenticated: the caller's protocol signs the public keys. Raises
        :class:`InvalidElement` for a peer key that is invalid or gives a secret known to all.
        """

    def fingerprint(self, public_key: bytes) -> str:
        """Return the key's fingerprint as people compare it: hex of the hash in groups."""
