"""The intl suite's hash, MAC, KDF, AEAD and stream: official vectors, a second implementation."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import Suite, get_suite
from tests.protocols.suite import plain_intl

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
SUITE = get_suite("intl")


def vectors(name: str) -> dict:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def hexadecimal(vector: dict, *names: str) -> list[bytes]:
    return [bytes.fromhex(vector[name]) for name in names]


def test_sha_256_matches_the_standard():
    for vector in vectors("sha256.json")["vectors"]:
        message = bytes.fromhex(vector["message"])
        assert SUITE.hash(message).hex() == vector["digest"]
        assert SUITE.hash(message[:1], b"", message[1:]).hex() == vector["digest"]


def test_hmac_sha_256_matches_the_rfc():
    for vector in vectors("hmac_sha256.json")["vectors"]:
        key, message = hexadecimal(vector, "key", "message")
        assert SUITE.mac(key, message).hex() == vector["mac"]
        assert SUITE.mac(key, message[:3], message[3:]).hex() == vector["mac"]


def test_hkdf_matches_the_rfc():
    for vector in vectors("hkdf_sha256.json")["vectors"]:
        key, info = hexadecimal(vector, "key", "info")
        assert SUITE.derive(key, info, vector["length"]).hex() == vector["okm"]


def test_aes_matches_the_standard():
    key, plaintext, ciphertext = hexadecimal(
        vectors("aes256.json")["block"], "key", "plaintext", "ciphertext"
    )
    assert SUITE.encrypt_blocks(key, plaintext * 3) == ciphertext * 3


def test_counter_mode_matches_the_rfc():
    for vector in vectors("aes256.json")["ctr"]:
        key, counter, plaintext, ciphertext = hexadecimal(
            vector, "key", "counter", "plaintext", "ciphertext"
        )
        encryptor = Cipher(AES(key), CTR(counter)).encryptor()
        assert encryptor.update(plaintext) + encryptor.finalize() == ciphertext


def test_gcm_matches_nist():
    found = vectors("aes256.json")["gcm"]
    assert len(found) == 5
    for vector in found:
        key, nonce, plaintext, associated, ciphertext, tag = hexadecimal(
            vector, "key", "nonce", "plaintext", "associated", "ciphertext", "tag"
        )
        assert SUITE.seal(key, nonce, plaintext, associated) == ciphertext + tag
        assert SUITE.open(key, nonce, ciphertext + tag, associated) == plaintext


@given(st.binary(max_size=80), st.binary(max_size=40), st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_hash_mac_and_derive_match_a_second_implementation(key, data, length):
    assert SUITE.hash(data) == hashlib.sha256(data).digest()
    assert SUITE.mac(key, data) == hmac.digest(key, data, "sha256")
    assert SUITE.derive(key, data, length) == plain_intl.hkdf(key, data, length)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.binary(max_size=40))
@settings(max_examples=30, deadline=None)
def test_seal_and_stream_match_a_second_implementation(key, plaintext, associated):
    nonce = key[:12]
    sealed = plain_intl.seal(key, nonce, plaintext, associated)
    assert SUITE.seal(key, nonce, plaintext, associated) == sealed
    assert SUITE.stream(key, plaintext).bytes(77) == plain_intl.key_stream(key, plaintext, 77)


def test_intl_has_its_own_sizes():
    suite: Suite = SUITE
    sizes = suite.digest_bytes, suite.key_bytes, suite.nonce_bytes, suite.group.element_bytes
    assert (suite.name, *sizes) == ("intl", 32, 32, 12, 32)
