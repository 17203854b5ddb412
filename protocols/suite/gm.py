"""The Chinese national suite (国密): SM2, SM3 and SM4.

SM3 (GB/T 32905-2016), SM4 (GB/T 32907-2016) in GCM (RFC 8998 §2, NIST SP 800-38D) and counter
mode come from OpenSSL through ``cryptography``; SM2 signatures (GB/T 32918.2-2016) from
``gmssl``. The batch arithmetic on the SM2 curve, and SM3 and SM4 in bulk, are this project's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.hashes import SM3

from protocols.suite import (
    points,
    sm2_agreement,
    sm2_batches,
    sm2_curve,
    sm2_keys,
    sm2_signature,
)
from protocols.suite.curve_batches import CurveBatches, curve_batches
from protocols.suite.interface import (
    Group,
    Indices,
    Octets,
    PointGroup,
    SignedMessage,
    Words,
)
from protocols.suite.keystream import BULK_BYTES, Blocks, CounterMode
from protocols.suite.symmetric import SymmetricSuite

LOADED_BYTES = 1 << 14
"""Of a key stream, worth its key's expansion where the kernel is loaded already."""
FRESH_BATCH, LOADED_BATCH = 512, 8
"""So many points of the SM2 curve are worth loading a kernel for: numba and all, or it alone.

Plain integers take 0.5 ms a point, the kernels 0.02 ms; but loading numba takes a process 0.3 s,
and these kernels 0.04 s more, and a party's process may live for one message.
"""


class _Sm4CounterMode(CounterMode):
    """SM4's key stream: OpenSSL's for short reads, for long ones the kernel's if there is one."""

    def __init__(self, suite: GmSuite, key: bytes) -> None:
        super().__init__(SM4(key))
        self._suite = suite
        self._key = key
        self._round_keys: Any = None

    def write(self, first: int, zeros: Octets) -> None:
        """Write the stream over ``zeros``, from block ``first`` on."""
        if self._round_keys is None and not self._worth_a_kernel(len(zeros)):
            super().write(first, zeros)
            return
        from protocols.kernels import sm4  # noqa: PLC0415 - loads numba

        if self._round_keys is None:
            self._round_keys = sm4.expand_key(self._key)
        sm4.count_blocks(first, zeros.ctypes.data, len(zeros), self._round_keys)

    def _worth_a_kernel(self, length: int) -> bool:
        bulk = LOADED_BYTES if _loaded("sm4") else BULK_BYTES
        return length >= bulk and self._suite.kernels == "avx512"


class GmSuite(SymmetricSuite):
    """:class:`~protocols.suite.interface.Suite` of SM2, SM3 and SM4. It holds no secret."""

    name = "gm"
    hash_function = SM3
    block_cipher = SM4
    key_bytes = 16

    def __init__(self, kernels: str) -> None:
        super().__init__(kernels)
        self.primitives = {
            "hash": "SM3",
            "message authentication": "HMAC-SM3",
            "key derivation": "HKDF-SM3",
            "authenticated encryption": "SM4-GCM",
            "random stream": "SM4-CTR",
            "tokens": "SM4",
            "signature": "SM2",
            "key agreement": "ephemeral Diffie-Hellman on the SM2 curve",
            "points": "SM2 curve",
            "correlation-robust hash": "SM4 (Matyas-Meyer-Oseas)",
            "intersection": "SM2 curve",
            "hash to curve": sm2_curve.SUITE_ID.decode("ascii"),
        }

    def _group(self) -> Group:
        """The group of Diffie-Hellman PSI."""
        return sm2_curve.Sm2Group(self.kernels)

    group = cached_property(_group)

    def _points(self) -> PointGroup:
        """The group of base oblivious transfers and homomorphic values."""
        return points.Sm2Points(self.kernels)

    points = cached_property(_points)

    def _digest_many(self, prefix: bytes, data: Octets, offsets: Indices, framed: bool) -> Octets:
        from protocols.kernels import sm3  # noqa: PLC0415 - loads numba

        return sm3.digest_many(prefix, data, offsets, framed=framed)

    def _block_hash_kernel(self, key: bytes) -> tuple[Callable[[Words, Words, Any], None], Any]:
        from protocols.kernels import sm4  # noqa: PLC0415 - loads numba

        return sm4.hash_blocks, sm4.expand_key(key)

    def _counter_mode(self, key: bytes) -> Blocks:
        return _Sm4CounterMode(self, key)

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

    def verify_each(self, items: Sequence[SignedMessage]) -> list[int]:
        """Return the indices of the items that :meth:`verify` refuses."""
        return sm2_batches.refused(self._batches(len(items)), items)

    def agreement_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (32-byte private key, 65-byte public key), deterministic in a 32-byte seed."""
        return sm2_keys.generate(self.stream(seed, b"sm2 agreement key"))

    def agree(self, private_key: bytes, peer_public_key: bytes) -> bytes:
        """Return the raw shared secret of :func:`sm2_agreement.shared_secret`, for the KDF."""
        return sm2_agreement.shared_secret(private_key, peer_public_key)

    def agree_each(self, private_key: bytes, peer_public_keys: Sequence[bytes]) -> list[bytes]:
        """Return what :meth:`agree` does for each key, or refuse the first that it refuses."""
        batches = self._batches(len(peer_public_keys))
        return sm2_batches.shared_secrets(batches, private_key, peer_public_keys)

    def _batches(self, points: int) -> CurveBatches:
        """Return the arithmetic for so many points."""
        worth = points >= (LOADED_BATCH if _loaded("jit") else FRESH_BATCH)
        return curve_batches(sm2_curve.CURVE, self.kernels if worth else "portable")


def _loaded(kernel: str) -> bool:
    return f"protocols.kernels.{kernel}" in sys.modules
