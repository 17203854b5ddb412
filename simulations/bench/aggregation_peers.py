"""What others take for the work of ``fedcrm bench aggregation``: TenSEAL's own calls, and ``phe``.

Both get the same words under the same parameters or key, and what they open is compared with the
sum of the words. TenSEAL is called as its users call it, by its fastest public way: one vector to
a ciphertext, made from an array, serialised; loaded, added and serialised by whoever adds; loaded
and decrypted. ``phe`` is too slow for a whole contribution: a sample of its ciphertexts is
measured and scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import phe
import phe.util

from protocols.paillier import PrivateKey
from protocols.suite import Suite
from protocols.sum_ciphers import SumKey, Words, bfv, ckks
from protocols.sum_ciphers.paillier import Slots


class Peer(Protocol):
    """Another implementation of a contribution, a sum and an opening."""

    facts: dict[str, Any]
    """Who it is and what was measured of it."""
    share: float
    """Part of the work it did; its times are divided by this."""

    def encrypt(self, words: Words) -> list[bytes]:
        """Return a contribution."""

    def add(self, contributions: list[list[bytes]]) -> list[bytes]:
        """Return the contributions' sum."""

    def open(self, total: list[bytes]) -> Words:
        """Return the words of a sum, or as many as it worked on."""


class Tenseal:
    """``tenseal.bfv_vector`` or ``tenseal.ckks_vector`` under our parameters, one thread."""

    share = 1.0

    def __init__(self, method: str) -> None:
        import tenseal  # noqa: PLC0415 - only for the methods it is compared with

        module = bfv if method == "masked_he" else ckks
        make, load = {
            "masked_he": (tenseal.bfv_vector, tenseal.bfv_vector_from),
            "ckks": (tenseal.ckks_vector, tenseal.ckks_vector_from),
        }[method]
        self._make: Callable[..., Any] = make
        self._load: Callable[..., Any] = load
        self._slots = module.SLOTS
        self._unit = 1.0 if method == "masked_he" else 2.0 ** (ckks.VALUE_BITS - 1)
        self._context = module.fresh_context()
        self._adding = tenseal.context_from(
            self._context.serialize(save_public_key=False, save_secret_key=False), n_threads=1
        )
        self.facts = {
            "name": "tenseal",
            "version": tenseal.__version__,
            "calls": f"{make.__name__} of an array for each ciphertext, serialize; "
            f"{load.__name__}, +=, serialize; {load.__name__}, decrypt",
        }

    def encrypt(self, words: Words) -> list[bytes]:
        """Return one serialised vector for each ciphertext; the last may be shorter."""
        values = words if self._unit == 1.0 else words / self._unit
        return [
            self._make(self._context, values[start : start + self._slots]).serialize()
            for start in range(0, len(values), self._slots)
        ]

    def add(self, contributions: list[list[bytes]]) -> list[bytes]:
        """Return the serialised sums."""
        first, *others = contributions
        totals = [self._load(self._adding, data) for data in first]
        for contribution in others:
            for number, data in enumerate(contribution):
                totals[number] += self._load(self._adding, data)
        return [total.serialize() for total in totals]

    def open(self, total: list[bytes]) -> Words:
        """Return the sums, for BFV modulo t in [-t/2, t/2)."""
        opened = [np.array(self._load(self._context, data).decrypt()) for data in total]
        return np.rint(np.concatenate(opened) * self._unit).astype(np.int64)


class Phe:
    """``phe`` with the same private key and the same packed plaintexts, on a sample of them."""

    def __init__(self, key: SumKey, suite: Suite, length: int, ciphertexts: int) -> None:
        private = PrivateKey.from_bytes(key.secret, suite)
        self._public = phe.PaillierPublicKey(int(private.public_key.n))
        self._private = phe.PaillierPrivateKey(self._public, int(private.p), int(private.q))
        self._slots = Slots(private.public_key.bits)
        self._bytes = private.public_key.ciphertext_bytes
        of = -(-length // self._slots.count)
        self._sample = min(ciphertexts, of)
        self.share = self._sample / of
        self.facts = {
            "name": "phe",
            "version": phe.__version__,
            "gmpy2": bool(phe.util.HAVE_GMP),
            "calls": "raw_encrypt, EncryptedNumber +, raw_decrypt of the same packed integers",
            "measured_ciphertexts": self._sample,
            "scaled_to_ciphertexts": of,
        }

    def encrypt(self, words: Words) -> list[bytes]:
        """Return the ciphertexts of the first words."""
        plaintexts = self._slots.pack(words[: self._sample * self._slots.count])
        return [
            self._public.raw_encrypt(plaintext % self._public.n).to_bytes(self._bytes, "big")
            for plaintext in plaintexts
        ]

    def add(self, contributions: list[list[bytes]]) -> list[bytes]:
        """Return the ciphertexts of the sums."""
        first, *others = (
            [phe.EncryptedNumber(self._public, int.from_bytes(data, "big")) for data in one]
            for one in contributions
        )
        for numbers in others:
            first = [mine + other for mine, other in zip(first, numbers, strict=True)]
        return [number.ciphertext(be_secure=False).to_bytes(self._bytes, "big") for number in first]

    def open(self, total: list[bytes]) -> Words:
        """Return the sums of the first words."""
        plaintexts = [self._private.raw_decrypt(int.from_bytes(data, "big")) for data in total]
        return self._slots.unpack(plaintexts, self._public.n)
