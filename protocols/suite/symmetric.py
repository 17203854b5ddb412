"""What a suite builds from one hash function and one 128-bit block cipher.

HMAC (RFC 2104), HKDF (RFC 5869), GCM (NIST SP 800-38D) and counter mode (SP 800-38A §6.5), all
computed by OpenSSL through ``cryptography``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB, GCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocols.suite import block_hash
from protocols.suite.interface import (
    BlockHash,
    Indices,
    Octets,
    OpenError,
    RandomStream,
    Words,
)
from protocols.suite.keystream import Blocks, CounterMode, Keystream

SEED_BYTES = 32
TAG_BYTES = 16
BLOCK_BYTES = 16
BULK_VALUES = 1024  # so many digests are worth loading a kernel for: OpenSSL takes a millisecond
STREAM_LABEL = b"fedcrm/stream/1"


class SymmetricSuite(ABC):
    """The half of a :class:`~protocols.suite.interface.Suite` that needs no public key.

    A suite names its hash function (32-byte digests), its block cipher and that cipher's key size,
    and the kernels that compute these in bulk.
    """

    hash_function: type[hashes.SM3 | hashes.SHA256]
    block_cipher: type[SM4 | AES]
    digest_bytes = 32
    key_bytes: int
    nonce_bytes = 12

    def __init__(self, kernels: str) -> None:
        self._wanted_kernels = kernels

    def _chosen_kernels(self) -> str:
        """Which twin computes in bulk: ``avx512`` or ``portable``."""
        if self._wanted_kernels == "auto":
            from protocols.kernels import cpu  # noqa: PLC0415 - loads numba

            wanted = cpu.IFMA | cpu.VAES | cpu.GFNI | cpu.CLMUL
            return "avx512" if cpu.has(wanted) else "portable"
        return self._wanted_kernels

    # Not a decorator, which the type checker takes for read-only, unlike the attribute of Suite.
    kernels = cached_property(_chosen_kernels)

    def hash(self, *parts: bytes) -> bytes:
        """Return the 32-byte digest of the parts' concatenation."""
        digest = hashes.Hash(self.hash_function())
        for part in parts:
            digest.update(part)
        return digest.finalize()

    def hash_many(self, prefix: bytes, data: Octets, offsets: Indices, *, framed: bool) -> Octets:
        """Return the digest of ``prefix`` and each value, shape (n, 32).

        Value i is ``data[offsets[i]:offsets[i + 1]]``; ``framed`` puts its length, four bytes big
        endian, between. Raises ``ValueError`` for offsets that do not ascend within the data.
        """
        _check_values(data, offsets, framed)
        if len(offsets) > BULK_VALUES:
            return self._digest_many(prefix, data, offsets, framed)
        digests = bytearray()
        begun = hashes.Hash(self.hash_function())
        begun.update(prefix)
        octets, bounds = data.data, offsets.tolist()
        for start, stop in pairwise(bounds):
            digest = begun.copy()
            if framed:
                digest.update((stop - start).to_bytes(4, "big"))
            digest.update(octets[start:stop])
            digests += digest.finalize()
        return np.frombuffer(digests, np.uint8).reshape(-1, self.digest_bytes)

    @abstractmethod
    def _digest_many(self, prefix: bytes, data: Octets, offsets: Indices, framed: bool) -> Octets:
        """Compute :meth:`hash_many` by a kernel, which any processor can run."""

    def block_hash(self, key: bytes) -> BlockHash:
        """Return the fixed-key hash of a 16-byte key, x -> E(x) xor x."""
        if len(key) != block_hash.KEY_BYTES:
            raise ValueError(f"a block hash takes a {block_hash.KEY_BYTES}-byte key")
        if self.kernels == "avx512":
            return block_hash.KernelBlockHash(*self._block_hash_kernel(key))
        return block_hash.PortableBlockHash(self.block_cipher(key))

    @abstractmethod
    def _block_hash_kernel(self, key: bytes) -> tuple[Callable[[Words, Words, Any], None], Any]:
        """Return the kernel of :meth:`block_hash` and the key in the form it takes."""

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
        return Keystream(self._counter_mode(key))

    def _counter_mode(self, key: bytes) -> Blocks:
        return CounterMode(self.block_cipher(key))

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


def _check_values(data: Octets, offsets: Indices, framed: bool) -> None:
    if data.dtype != np.uint8 or data.ndim != 1 or not data.flags.c_contiguous:
        raise ValueError("the values' data must be one contiguous row of bytes")
    if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets):
        raise ValueError("offsets must be 64-bit integers, one more than there are values")
    if offsets.min() < 0 or offsets.max() > len(data):  # before a difference could overflow
        raise ValueError("offsets must ascend within the data")
    lengths = np.diff(offsets)
    if (lengths < 0).any():
        raise ValueError("offsets must ascend within the data")
    if framed and len(lengths) and lengths.max() >> 32:
        raise ValueError("a framed value must be shorter than 2^32 bytes")
