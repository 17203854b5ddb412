"""The gm suite's hash, MAC, KDF, AEAD and stream: official vectors, a second implementation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import Suite, get_suite
from protocols.suite.keystream import Keystream
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
    # In counter mode the first block is the encryption of the first counter value.
    assert Keystream(Cipher(SM4(key), CTR(plaintext))).bytes(16).hex() == vector["ciphertext"]


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


def test_stream_matches_a_second_implementation():
    ours, plain = SUITE.stream(SEED, b"info"), plain_gm.Stream(SEED, b"info")
    assert ours.bytes(37) == plain.bytes(37)
    for bound in (1, 2, 3, 255, 256, 257, 10**30):
        assert ours.below(bound) == plain.below(bound)
    for length in (0, 1, 2, 3, 300):
        assert ours.permutation(length) == plain.permutation(length)
    assert ours.bytes(5) == plain.bytes(5)


def test_stream_does_not_depend_on_how_it_is_cut():
    whole = SUITE.stream(SEED, b"info").bytes(10_000)
    stream = SUITE.stream(SEED, b"info")
    assert b"".join(stream.bytes(length) for length in (0, 1, 4095, 1, 5903)) == whole


@given(st.integers(1, 1 << 130), st.binary(min_size=32, max_size=32))
@settings(max_examples=50, deadline=None)
def test_below_stays_below(bound, seed):
    assert 0 <= SUITE.stream(seed, b"").below(bound) < bound


def test_below_takes_every_value_about_equally_often():
    stream = SUITE.stream(SEED, b"uniform")
    counts = [0] * 5
    for _ in range(5000):
        counts[stream.below(5)] += 1
    # Chi-square with 4 degrees of freedom; fixed seed, so this is a fixed outcome.
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 18.5


@given(st.integers(0, 2000), st.binary(min_size=32, max_size=32))
@settings(max_examples=30, deadline=None)
def test_permutation_is_one(length, seed):
    assert sorted(SUITE.stream(seed, b"").permutation(length)) == list(range(length))


def test_all_permutations_of_three_are_about_equally_likely():
    stream = SUITE.stream(SEED, b"three")
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(6000):
        order = tuple(stream.permutation(3))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


class Words:
    """A cipher whose key stream is the given 32-bit words."""

    def __init__(self, *words: int) -> None:
        self.data = b"".join(word.to_bytes(4, "big") for word in words)

    def encryptor(self) -> Words:
        return self

    def update(self, zeros: bytes) -> bytes:
        taken, self.data = self.data[: len(zeros)], self.data[len(zeros) :]
        return taken.ljust(len(zeros), b"\0")


def test_permutation_rejects_the_incomplete_last_interval():
    # 2^32 = 1 mod 3: the word 2^32 - 1 must not count for position 2, and is drawn again last.
    assert Keystream(Words(2**32 - 1, 0, 1)).permutation(3) == [2, 0, 1]
    assert Keystream(Words(1, 0)).permutation(3) == [2, 0, 1]


@pytest.mark.parametrize("call", ["bytes", "permutation"])
def test_stream_refuses_negative_lengths(call):
    with pytest.raises(ValueError, match="length must"):
        getattr(SUITE.stream(SEED, b""), call)(-1)


def test_below_refuses_an_empty_range():
    with pytest.raises(ValueError, match="at least 1"):
        SUITE.stream(SEED, b"").below(0)


def test_gm_has_its_own_sizes():
    suite: Suite = get_suite("gm")
    assert (suite.name, suite.digest_bytes, suite.key_bytes, suite.nonce_bytes) == (
        "gm",
        32,
        16,
        12,
    )
