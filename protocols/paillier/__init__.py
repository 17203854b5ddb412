"""Paillier encryption in batches: keys, sums, packing and re-randomisation (SPEC.md)."""

from __future__ import annotations

from protocols.paillier.ciphertexts import Ciphertexts
from protocols.paillier.obfuscators import Obfuscators
from protocols.paillier.packing import Packing
from protocols.paillier.private_key import PrivateKey, generate_private_key
from protocols.paillier.public_key import KEY_BITS, PublicKey
from protocols.paillier.rehearsal import rehearse
from protocols.paillier.summation import Summands

__all__ = [
    "KEY_BITS",
    "Ciphertexts",
    "Obfuscators",
    "Packing",
    "PrivateKey",
    "PublicKey",
    "Summands",
    "generate_private_key",
    "rehearse",
]
