"""AES-128 in vector registers: FIPS 197's vectors, OpenSSL."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import aes, cpu
from tests.protocols.kernels import block_batches
from tests.protocols.kernels.message_batches import vectors

needs_vaes = pytest.mark.skipif(not cpu.has(cpu.VAES), reason="needs AVX-512 and VAES")


def test_key_expansion_matches_the_standard():
    # FIPS 197, appendix A.1: w[4] and w[43].
    keys = aes.expand_key(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")).tobytes()
    assert (len(keys), keys[16:20].hex(), keys[-4:].hex()) == (176, "a0fafe17", "b6630ca6")


def test_refuses_other_keys():
    with pytest.raises(ValueError, match="16 bytes"):
        aes.expand_key(bytes(32))


@needs_vaes
def test_matches_the_standard():
    for vector in vectors("aes128.json"):
        key, plaintext = bytes.fromhex(vector["key"]), bytes.fromhex(vector["plaintext"])
        blocks = np.frombuffer(bytearray(plaintext * 17), np.uint64)
        out = np.empty_like(blocks)
        aes.hash_blocks(blocks, out, aes.expand_key(key))
        assert (out ^ blocks).tobytes().hex() == vector["ciphertext"] * 17


@needs_vaes
@given(st.binary(min_size=16, max_size=16))
@settings(max_examples=5, deadline=None)
def test_matches_openssl(key):
    keys = aes.expand_key(key)
    block_batches.check_hash(lambda blocks, out: aes.hash_blocks(blocks, out, keys), AES(key))
