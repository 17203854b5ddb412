"""Exponent ElGamal: small numbers encrypted to one key, added by anyone. SPEC.md states it."""

from __future__ import annotations

from protocols.elgamal.ciphertexts import (
    add_all,
    check_ciphertexts,
    ciphertext_bytes,
    encrypt_zero,
    first_point,
    open_with_share,
)
from protocols.elgamal.logarithm import MAX_BOUND, small_logarithm
from protocols.elgamal.private_key import PrivateKey

__all__ = [
    "MAX_BOUND",
    "PrivateKey",
    "add_all",
    "check_ciphertexts",
    "ciphertext_bytes",
    "encrypt_zero",
    "first_point",
    "open_with_share",
    "small_logarithm",
]
