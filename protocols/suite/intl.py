"""The international suite: SHA-256, AES-256, Ed25519 and Curve25519.

SHA-256 (FIPS 180-4), HMAC (FIPS 198-1), AES-256 (FIPS 197) in GCM (NIST SP 800-38D) and counter
mode, Ed25519 (RFC 8032) and X25519 (RFC 7748) all come from OpenSSL through ``cryptography``. The
encoding of items to the curve (RFC 9380, over SHA-512), P-256 (NIST SP 800-186), and SHA-256,
AES-128 and Curve25519 in bulk are this project's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.hashes import SHA256

from protocols.suite import curve25519, ed25519_signature, points
from protocols.suite.interface import (
    Group,
    Indices,
    InvalidElement,
    InvalidSignature,
    Octets,
    PointGroup,
    SignedMessage,
    Words,
)
from protocols.suite.symmetric import SymmetricSuite


class IntlSuite(SymmetricSuite):
    """:class:`~protocols.suite.interface.Suite` of SHA-256, AES and Curve25519; without secrets."""

    name = "intl"
    hash_function = SHA256
    block_cipher = AES
    key_bytes = 32

    def __init__(self, kernels: str) -> None:
        super().__init__(kernels)
        self.primitives = {
            "hash": "SHA-256",
            "message authentication": "HMAC-SHA-256",
            "key derivation": "HKDF-SHA-256",
            "authenticated encryption": "AES-256-GCM",
            "random stream": "AES-256-CTR",
            "tokens": "AES-256",
            "signature": "Ed25519",
            "key agreement": "X25519",
            "points": "P-256",
            "correlation-robust hash": "AES-128 (Matyas-Meyer-Oseas)",
            "intersection": "Curve25519",
            "hash to curve": curve25519.SUITE_ID.decode("ascii"),
        }

    def _group(self) -> Group:
        """The group of Diffie-Hellman PSI."""
        return curve25519.Curve25519Group(self.kernels)

    group = cached_property(_group)

    def _points(self) -> PointGroup:
        """The group of base oblivious transfers and homomorphic values."""
        return points.P256Points(self.kernels)

    points = cached_property(_points)

    def _digest_many(self, prefix: bytes, data: Octets, offsets: Indices, framed: bool) -> Octets:
        from protocols.kernels import sha2  # noqa: PLC0415 - loads numba

        return sha2.sha256_many(prefix, data, offsets, framed=framed)

    def _block_hash_kernel(self, key: bytes) -> tuple[Callable[[Words, Words, Any], None], Any]:
        from protocols.kernels import aes  # noqa: PLC0415 - loads numba

        return aes.hash_blocks, aes.expand_key(key)

    def generate_signing_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key), deterministic in a secret seed of 32 bytes."""
        length = ed25519_signature.PRIVATE_KEY_BYTES
        private_key = self.stream(seed, b"ed25519 signing key").bytes(length)
        return private_key, ed25519_signature.public_key(private_key)

    def public_key(self, private_key: bytes) -> bytes:
        """Return the 32-byte public key that belongs to ``private_key``."""
        return ed25519_signature.public_key(private_key)

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        """Return the 64-byte signature; ``entropy`` is not used, Ed25519 draws no nonce."""
        return ed25519_signature.sign(private_key, message, entropy)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Return if the signature verifies; raises :class:`InvalidSignature` otherwise."""
        ed25519_signature.verify(public_key, message, signature)

    def verify_each(self, items: Sequence[SignedMessage]) -> list[int]:
        """Return the indices of the items that :meth:`verify` refuses; 0.1 ms each."""
        refused = []
        for index, (public_key, message, signature) in enumerate(items):
            try:
                ed25519_signature.verify(public_key, message, signature)
            except InvalidSignature:
                refused.append(index)
        return refused

    def agreement_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key), 32 bytes each, deterministic in a 32-byte seed."""
        private_key = self.stream(seed, b"x25519 agreement key").bytes(curve25519.X_BYTES)
        return private_key, curve25519.x25519_public_key(private_key)

    def agree(self, private_key: bytes, peer_public_key: bytes) -> bytes:
        """Return the raw shared secret of :func:`curve25519.x25519`, for the KDF only."""
        return curve25519.x25519(private_key, peer_public_key)

    def agree_each(self, private_key: bytes, peer_public_keys: Sequence[bytes]) -> list[bytes]:
        """Return what :meth:`agree` does for each key, or refuse the first that it refuses."""
        secrets = []
        for index, public_key in enumerate(peer_public_keys):
            try:
                secrets.append(curve25519.x25519(private_key, public_key))
            except InvalidElement:
                raise InvalidElement(index) from None
        return secrets
