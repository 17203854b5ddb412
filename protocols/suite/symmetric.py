"""What a suite builds from one hash function and one 128-bit block cipher.

HMAC (RFC 2104), HKDF (RFC 5869), GCM (NIST SP 800-38D) and counter mode (SP 800-38A §6.5), all
computed by OpenSSL through ``cryptography``.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB, GCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocols.suite.interface import OpenError, RandomStream
from protocols.suite.keystream import Keystream

SEED_BYTES = 32
TAG_BYTES = 16
BLOCK_BYTES = 16
STREAM_LABEL = b"fedcrm/stream/1"


class SymmetricSuite:
    """The half of a :class:`~protocols.suite.interface.Suite` that needs no public key.

    A suite names its hash function (32-byte digests), its block cipher and that cipher's key size.
    """

    hash_function: type[hashes.SM3 | hashes.SHA256]
    block_cipher: type[SM4 | AES]
    digest_bytes = 32
    key_bytes: int
    nonce_bytes = 12

    def hash(self, *parts: bytes) -> bytes:
        """Return the 32-byte digest of the parts' concatenation."""
        digest = hashes.Hash(self.hash_function())
        for part in parts:
            digest.update(part)
        return digest.finalize()

    def mac(self, key: bytes, *parts: bytes) -> bytes:
        """Return the 32-byte HMAC of the parts' concatenation."""
        mac = hmac.HMAC(key, self.hash_function())
        for part in parts:
            mac.update(part)
        return mac.finalize()

    def derive(self, key: bytes, info: bytes, length: int) -> bytes:
        """Return ``length`` bytes, at most 8,160, of HKDF with an empty salt (RFC 5869 §2)."""
        return HKDF(self.hash_function(), length=length, salt=None, info=info).derive(key)

    def stream(self, seed: bytes, info: bytes) -> RandomStream:
        """Return the cipher's CTR key stream, counter from 0, under HKDF(seed, label || info)."""
        if len(seed) < SEED_BYTES:
            raise ValueError(f"a seed must be at least {SEED_BYTES} bytes")
        key = self.derive(seed, STREAM_LABEL + info, self.key_bytes)
        return Keystream(Cipher(self.block_cipher(key), CTR(bytes(BLOCK_BYTES))))

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Return GCM ciphertext and its 16-byte tag; a nonce serves once per key."""
        self._check_key(key, nonce)
        encryptor = Cipher(self.block_cipher(key), GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated)
        ciphertext = encryptor.update(plaintext) + encryptor.finalize()
        return ciphertext + encryptor.tag

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Return the plaintext; raises :class:`OpenError`."""
        self._check_key(key, nonce)
        if len(sealed) < TAG_BYTES:
            raise OpenError("sealed data is shorter than its tag")
        ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
        decryptor = Cipher(self.block_cipher(key), GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated)
        try:
            return decryptor.update(ciphertext) + decryptor.finalize()
        except InvalidTag:
            raise OpenError("sealed data was not made with this key, nonce and context") from None

    def encrypt_blocks(self, key: bytes, blocks: bytes) -> bytes:
        """Return each 16-byte block of ``blocks`` under the block cipher, by itself (ECB).

        For tokens only: a pseudorandom permutation of values that are already pseudorandom and
        distinct wherever their meaning is. Equal blocks give equal results, so this hides nothing
        about data with structure or repetitions, and authenticates nothing: to protect a message
        use :meth:`seal`. Raises ``ValueError`` for a wrong key length or a cut-off block.
        """
        self._check_key(key)
        if len(blocks) % BLOCK_BYTES:
            raise ValueError(f"blocks must be a multiple of {BLOCK_BYTES} bytes long")
        encryptor = Cipher(self.block_cipher(key), ECB()).encryptor()  # noqa: S305
        return encryptor.update(blocks) + encryptor.finalize()

    def fingerprint(self, public_key: bytes) -> str:
        """Return the hash of the public key as 64 hex digits in 16 groups of four."""
        digits = self.hash(public_key).hex()
        return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))

    def _check_key(self, key: bytes, nonce: bytes | None = None) -> None:
        if len(key) != self.key_bytes or (nonce is not None and len(nonce) != self.nonce_bytes):
            cipher = self.block_cipher.__name__
            raise ValueError(
                f"{cipher} takes a {self.key_bytes}-byte key and a {self.nonce_bytes}-byte nonce"
                if nonce is not None
                else f"{cipher} takes a {self.key_bytes}-byte key"
            )
