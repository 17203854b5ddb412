"""The Chinese national suite (国密): SM2, SM3 and SM4.

SM3 (GB/T 32905-2016), SM4 (GB/T 32907-2016) in GCM (RFC 8998 §2, NIST SP 800-38D) and counter
mode come from OpenSSL through ``cryptography``; SM2 signatures (GB/T 32918.2-2016) from
``gmssl``; the batch arithmetic on the SM2 curve is this package's own.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.hashes import SM3

from protocols.suite import sm2_agreement, sm2_curve, sm2_keys, sm2_signature
from protocols.suite.interface import Group
from protocols.suite.symmetric import SymmetricSuite


class GmSuite(SymmetricSuite):
    """:class:`~protocols.suite.interface.Suite` of SM2, SM3 and SM4. It holds no state."""

    name = "gm"
    hash_function = SM3
    block_cipher = SM4
    key_bytes = 16

    def __init__(self) -> None:
        self.group: Group = sm2_curve.Sm2Group()
        self.primitives = {
            "hash": "SM3",
            "message authentication": "HMAC-SM3",
            "key derivation": "HKDF-SM3",
            "authenticated encryption": "SM4-GCM",
            "random stream": "SM4-CTR",
            "tokens": "SM4",
            "signature": "SM2",
            "key agreement": "ephemeral Diffie-Hellman on the SM2 curve",
            "intersection": "SM2 curve",
            "hash to curve": sm2_curve.SUITE_ID.decode("ascii"),
        }

    def generate_signing_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key), deterministic in a secret seed of 32 bytes."""
        return sm2_keys.generate(self.stream(seed, b"sm2 signing key"))

    def public_key(self, private_key: bytes) -> bytes:
        """Return the 65-byte public key that belongs to ``private_key``."""
        return sm2_keys.public_key(private_key)

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        """Return the DER signature; ``entropy`` (32 fresh secret bytes) hedges the nonce."""
        return sm2_signature.sign(private_key, message, entropy)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Return if the signature verifies; raises :class:`InvalidSignature` otherwise."""
        sm2_signature.verify(public_key, message, signature)

    def agreement_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (32-byte private key, 65-byte public key), deterministic in a 32-byte seed."""
        return sm2_keys.generate(self.stream(seed, b"sm2 agreement key"))

    def agree(self, private_key: bytes, peer_public_key: bytes) -> bytes:
        """Return the raw shared secret of :func:`sm2_agreement.shared_secret`, for the KDF."""
        return sm2_agreement.shared_secret(private_key, peer_public_key)
