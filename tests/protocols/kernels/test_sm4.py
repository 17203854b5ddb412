"""SM4 in vector registers: GB/T 32907's vectors, OpenSSL, gmssl."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CTR
from gmssl import sm4 as gmssl_sm4
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu, sm4
from tests.protocols.kernels import block_batches
from tests.protocols.kernels.message_batches import VECTORS

needs_gfni = pytest.mark.skipif(not cpu.has(cpu.GFNI), reason="needs AVX-512 and GFNI")
STANDARD = json.loads((VECTORS / "sm4.json").read_text(encoding="utf-8"))


def test_substitution_is_the_standards_table():
    assert [sm4.substitute(byte) for byte in range(256)] == list(gmssl_sm4.SM4_BOXES_TABLE)


@given(st.binary(min_size=16, max_size=16))
@settings(max_examples=20, deadline=None)
def test_round_keys_match_a_second_implementation(key):
    cipher = gmssl_sm4.CryptSM4()
    cipher.set_key(key, gmssl_sm4.SM4_ENCRYPT)
    assert sm4.expand_key(key).tolist() == list(cipher.sk)


def test_refuses_other_keys():
    with pytest.raises(ValueError, match="16 bytes"):
        sm4.expand_key(bytes(15))


@needs_gfni
def test_matches_the_standard():
    keys = sm4.expand_key(bytes.fromhex(STANDARD["key"]))
    blocks = np.frombuffer(bytearray.fromhex(STANDARD["plaintext"] * 81), np.uint64)
    out = np.empty_like(blocks)
    sm4.hash_blocks(blocks, out, keys)
    assert (out ^ blocks).tobytes().hex() == STANDARD["ciphertext"] * 81


@needs_gfni
@pytest.mark.slow
def test_matches_the_standard_after_a_million_encryptions():
    keys = sm4.expand_key(bytes.fromhex(STANDARD["key"]))
    block = np.frombuffer(bytearray.fromhex(STANDARD["plaintext"]), np.uint64)
    hashed = np.empty_like(block)
    for _ in range(1_000_000):
        sm4.hash_blocks(block, hashed, keys)
        np.bitwise_xor(block, hashed, out=block)
    assert block.tobytes().hex() == STANDARD["ciphertext_after_1000000_rounds"]


@needs_gfni
def test_every_byte_goes_through_the_substitution():
    # Words whose bytes take all values in each position, in every lane.
    octets = bytearray((i + 37 * (i // 256)) % 256 for i in range(16 * 256))
    blocks = np.frombuffer(octets, np.uint64)
    key = bytes(range(16))
    out = np.empty_like(blocks)
    sm4.hash_blocks(blocks, out, sm4.expand_key(key))
    assert (out == block_batches.expected(SM4(key), blocks)).all()


@needs_gfni
@given(st.binary(min_size=16, max_size=16))
@settings(max_examples=5, deadline=None)
def test_matches_openssl(key):
    keys = sm4.expand_key(key)
    block_batches.check_hash(lambda blocks, out: sm4.hash_blocks(blocks, out, keys), SM4(key))


@needs_gfni
@given(
    st.binary(min_size=16, max_size=16),
    st.one_of(st.integers(0, 2**62), st.integers(2**32 - 300, 2**32 + 1)),
    st.sampled_from(block_batches.COUNTS),
    st.integers(0, 15),
)
@settings(max_examples=60, deadline=None)
def test_counter_mode_matches_openssl(key, first, count, shift):
    around = np.full(16 * count + shift + 16, 7, np.uint8)
    out = around[shift : shift + 16 * count]
    sm4.count_blocks(first, out.ctypes.data, len(out), sm4.expand_key(key))
    expected = Cipher(SM4(key), CTR(first.to_bytes(16, "big"))).encryptor()
    assert out.tobytes() == expected.update(bytes(16 * count))
    assert (around[:shift] == 7).all()
    assert (around[shift + 16 * count :] == 7).all()
