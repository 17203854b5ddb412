"""The Chinese national suite (国密): SM2, SM3 and SM4.

SM3 (GB/T 32905-2016), SM4 (GB/T 32907-2016) in GCM (RFC 8998 §2, NIST SP 800-38D) and counter
mode come from OpenSSL through ``cryptography``; SM2 signatures (GB/T 32918.2-2016) from
``gmssl``; the batch arithmetic on the SM2 curve is this package's own.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CTR, GCM

from protocols.suite import sm2_curve, sm2_signature
from protocols.suite.interface import Group, OpenError, RandomStream
from protocols.suite.keystream import Keystream
from protocols.suite.sm3 import DIGEST_BYTES, hkdf_sm3, hmac_sm3, sm3

SEED_BYTES = 32
TAG_BYTES = 16
BLOCK_BYTES = 16


class GmSuite:
    """:class:`~protocols.suite.interface.Suite` of SM2, SM3 and SM4. It holds no state."""

    name = "gm"
    digest_bytes = DIGEST_BYTES
    key_bytes = 16
    nonce_bytes = 12

    def __init__(self) -> None:
        self.group: Group = sm2_curve.Sm2Group()

    def hash(self, *parts: bytes) -> bytes:
        """Return the 32-byte SM3 digest of the parts' concatenation."""
        return sm3(*parts)

    def mac(self, key: bytes, *parts: bytes) -> bytes:
        """Return the 32-byte HMAC-SM3 of the parts' concatenation."""
        return hmac_sm3(key, *parts)

    def derive(self, key: bytes, info: bytes, length: int) -> bytes:
        """Return ``length`` bytes (at most 8,160) of HKDF-SM3 with an empty salt."""
        return hkdf_sm3(key, info, length)

    def stream(self, seed: bytes, info: bytes) -> RandomStream:
        """Return the SM4-CTR key stream, counter from 0, of the 16-byte HKDF-SM3(seed, info)."""
        if len(seed) < SEED_BYTES:
            raise ValueError(f"a seed must be at least {SEED_BYTES} bytes")
        key = hkdf_sm3(seed, b"fedcrm/stream/1" + info, self.key_bytes)
        return Keystream(Cipher(SM4(key), CTR(bytes(BLOCK_BYTES))))

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Return SM4-GCM ciphertext and its 16-byte tag; a nonce serves once per key."""
        self._check_key_and_nonce(key, nonce)
        encryptor = Cipher(SM4(key), GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated)
        ciphertext = encryptor.update(plaintext) + encryptor.finalize()
        return ciphertext + encryptor.tag

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Return the plaintext; raises :class:`OpenError`."""
        self._check_key_and_nonce(key, nonce)
        if len(sealed) < TAG_BYTES:
            raise OpenError("sealed data is shorter than its tag")
        ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
        decryptor = Cipher(SM4(key), GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated)
        try:
            return decryptor.update(ciphertext) + decryptor.finalize()
        except InvalidTag:
            raise OpenError("sealed data was not made with this key, nonce and context") from None

    def generate_signing_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key), deterministic in a secret seed of 32 bytes."""
        # GB/T 32918.1 §6.1: the private key is uniform in [1, n - 2].
        scalar = 1 + self.stream(seed, b"sm2 signing key").below(int(sm2_curve.N) - 2)
        private_key = scalar.to_bytes(sm2_signature.PRIVATE_KEY_BYTES, "big")
        return private_key, sm2_signature.public_key(private_key)

    def public_key(self, private_key: bytes) -> bytes:
        """Return the 65-byte public key that belongs to ``private_key``."""
        return sm2_signature.public_key(private_key)

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        """Return the DER signature; ``entropy`` (32 fresh secret bytes) hedges the nonce."""
        return sm2_signature.sign(private_key, message, entropy)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Return if the signature verifies; raises :class:`InvalidSignature` otherwise."""
        sm2_signature.verify(public_key, message, signature)

    def fingerprint(self, public_key: bytes) -> str:
        """Return SM3 of the public key as 64 hex digits in 16 groups of four."""
        digits = sm3(public_key).hex()
        return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))

    def _check_key_and_nonce(self, key: bytes, nonce: bytes) -> None:
        if len(key) != self.key_bytes or len(nonce) != self.nonce_bytes:
            raise ValueError("SM4-GCM takes a 16-byte key and a 12-byte nonce")
