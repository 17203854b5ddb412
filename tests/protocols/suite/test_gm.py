"""The gm suite's hash, MAC, KDF, AEAD and stream: official vectors, a second implementation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import Suite, get_suite
from protocols.suite.keystream import CounterMode
from tests.protocols.suite import plain_gm

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
SUITE = get_suite("gm")
SEED = bytes(range(32))


def vectors(name: str) -> dict:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def test_sm3_matches_the_standard():
    for vector in vectors("sm3.json")["vectors"]:
        message = bytes.fromhex(vector["message"])
        assert SUITE.hash(message).hex() == vector["digest"]
        assert SUITE.hash(message[:1], b"", message[1:]).hex() == vector["digest"]


def test_hmac_sm3_matches_the_standard():
    for vector in vectors("hmac_sm3.json")["vectors"]:
        key, message = bytes.fromhex(vector["key"]), bytes.fromhex(vector["message"])
        assert SUITE.mac(key, message).hex() == vector["mac"]
        assert SUITE.mac(key, message[:3], message[3:]).hex() == vector["mac"]


def test_sm4_and_its_key_stream_match_the_standard():
    vector = vectors("sm4.json")
    key, plaintext = bytes.fromhex(vector["key"]), bytes.fromhex(vector["plaintext"])
    assert SUITE.encrypt_blocks(key, plaintext * 3).hex() == vector["ciphertext"] * 3
    # In counter mode a block is the encryption of its number.
    block = np.zeros(16, np.uint8)
    CounterMode(SM4(key)).write(int.from_bytes(plaintext, "big"), block)
    assert block.tobytes().hex() == vector["ciphertext"]


def test_sm4_matches_the_standard_after_a_million_rounds():
    vector = vectors("sm4.json")
    encryptor = Cipher(SM4(bytes.fromhex(vector["key"])), ECB()).encryptor()
    block = bytes.fromhex(vector["plaintext"])
    for _ in range(1_000_000):
        block = encryptor.update(block)
    assert block.hex() == vector["ciphertext_after_1000000_rounds"]


def test_sm4_gcm_matches_rfc_8998():
    vector = vectors("sm4_gcm.json")
    key, nonce, associated, plaintext, ciphertext, tag = (
        bytes.fromhex(vector[name])
        for name in ("key", "nonce", "associated", "plaintext", "ciphertext", "tag")
    )
    assert SUITE.seal(key, nonce, plaintext, associated) == ciphertext + tag
    assert SUITE.open(key, nonce, ciphertext + tag, associated) == plaintext


@given(st.binary(max_size=80), st.binary(max_size=40), st.integers(1, 200))
@settings(max_examples=20, deadline=None)
def test_hash_mac_and_derive_match_a_second_implementation(key, data, length):
    assert SUITE.hash(data) == plain_gm.sm3(data)
    assert SUITE.mac(key, data) == plain_gm.hmac(key, data)
    assert SUITE.derive(key, data, length) == plain_gm.hkdf(key, data, length)


def test_derive_refuses_more_than_the_rfc_allows():
    assert len(SUITE.derive(SEED, b"", 255 * 32)) == 255 * 32
    with pytest.raises(ValueError, match="derive"):
        SUITE.derive(SEED, b"", 255 * 32 + 1)


def test_gm_has_its_own_sizes():
    suite: Suite = get_suite("gm")
    assert (suite.name, suite.digest_bytes, suite.key_bytes, suite.nonce_bytes) == (
        "gm",
        32,
        16,
        12,
    )
