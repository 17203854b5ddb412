"""What is opened is the exact sum of what was contributed, by every method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.sum_ciphers import MAX_CONTRIBUTIONS, bfv, paillier
from tests.protocols.sum_ciphers.contributions import (
    METHODS,
    adder_of,
    cipher_of,
    drawn,
    encrypted,
    opened_sum,
)

each_method = pytest.mark.parametrize("method", METHODS)


@each_method
@pytest.mark.parametrize("parties", [2, 3, 5, 100])
def test_random_contributions_must_open_to_their_sum(method, parties):
    cipher = cipher_of(method)
    bits = cipher.value_bits(parties)
    contributions = [drawn(50, bits, number) for number in range(parties)]
    assert np.array_equal(
        opened_sum(cipher, adder_of(method), contributions), np.sum(contributions, axis=0)
    )


@each_method
@pytest.mark.parametrize("parties", [2, 100, MAX_CONTRIBUTIONS])
def test_extreme_words_must_open_to_their_sum(method, parties):
    cipher = cipher_of(method)
    half = 1 << (cipher.value_bits(parties) - 1)
    words = np.array([-half, 1 - half, -1, 0, 1, half - 1])
    assert np.array_equal(opened_sum(cipher, adder_of(method), [words] * parties), words * parties)


@each_method
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_contributions_must_open_to_their_sum(method, data):
    cipher = cipher_of(method)
    parties = data.draw(st.integers(1, 6))
    half = 1 << (cipher.value_bits(parties) - 1)
    words = st.lists(st.integers(-half, half - 1), min_size=9, max_size=9)
    contributions = [np.array(data.draw(words)) for _ in range(parties)]
    assert np.array_equal(
        opened_sum(cipher, adder_of(method), contributions), np.sum(contributions, axis=0)
    )


@each_method
def test_lengths_about_a_chunks_border_must_open(method, monkeypatch):
    monkeypatch.setattr(paillier, "CHUNK_CIPHERTEXTS", 3)  # 8,192 of them take seconds to open
    cipher, adder = cipher_of(method), adder_of(method)
    border = cipher.chunk_words
    chunk = len(encrypted(cipher, drawn(border, 20))[0])
    assert method == "paillier" or chunk == 4 << 20
    for length in (1, border - 1, border, border + 1):
        contributions = [drawn(length, 20, number) for number in range(2)]
        chunks = encrypted(cipher, contributions[0])
        assert len(chunks) == 1 + (length > border)
        assert {len(full) for full in chunks[:-1]} <= {chunk}
        assert np.array_equal(
            opened_sum(cipher, adder, contributions), np.sum(contributions, axis=0)
        )


@pytest.mark.parametrize(("bits", "size"), [(2048, 4 << 20), (3072, 6 << 20)])
def test_a_chunk_of_paillier_must_be_4_to_8_mb(bits, size):
    cipher = cipher_of("paillier", bits)
    assert cipher.chunk_words == {2048: 516_096, 3072: 778_240}[bits]
    assert paillier.CHUNK_CIPHERTEXTS * bits // 4 == size


def test_paillier_of_3072_bits_must_open_to_the_sum():
    contributions = [drawn(200, 30, number) for number in range(3)]
    assert np.array_equal(
        opened_sum(cipher_of("paillier", 3072), adder_of("paillier", 3072), contributions),
        np.sum(contributions, axis=0),
    )


@pytest.mark.parametrize("method", ["masks", "masked_he"])
def test_masks_must_survive_the_sum(method):
    """Words uniform modulo the modulus, as masks make them, add up modulo it."""
    cipher, adder = cipher_of(method), adder_of(method)
    contributions = [drawn(5000, 62, number) % cipher.modulus for number in range(20)]
    adder.start()
    for words in contributions:
        adder.add(cipher.encrypt(words, seed=bytes(32)))
    sums = cipher.decrypt(adder.total(), contributions=20, length=5000)
    assert np.array_equal(sums, np.sum(contributions, axis=0) % cipher.modulus)


@each_method
def test_a_new_sum_must_forget_the_last(method):
    cipher, adder = cipher_of(method), adder_of(method)
    for value in (3, 4):
        assert opened_sum(cipher, adder, [np.array([value]), np.array([1])]) == [value + 1]


@each_method
def test_value_bits_must_leave_room_for_the_sum(method):
    cipher = cipher_of(method)
    widest = {"masks": 32, "masked_he": 39, "paillier": 32, "ckks": 24}[method]
    room = 0 if method == "ckks" else 1
    assert [cipher.value_bits(n) for n in (1, 2, 3, 4, 5, 100, 128, 129, 256)] == [
        widest - room * bits for bits in (0, 1, 2, 2, 3, 7, 7, 8, 8)
    ]
    for parties in (0, MAX_CONTRIBUTIONS + 1):
        with pytest.raises(LocalProtocolError, match="256 contributions"):
            cipher.value_bits(parties)


@each_method
def test_words_a_method_cannot_hold_must_be_refused(method):
    cipher = cipher_of(method)
    low, high = {
        "masks": (0, 1 << 32),
        "masked_he": (0, bfv.PLAIN_MODULUS),
        "ckks": (-(1 << 23), 1 << 23),
        "paillier": (-(1 << 31), 1 << 31),
    }[method]
    for word in (low - 1, high):
        with pytest.raises(LocalProtocolError, match="words must be in"):
            cipher.encrypt(np.array([0, word]), seed=bytes(32))
    for words in (np.array([], np.int64), np.zeros((2, 2), np.int64), np.zeros(3, np.int32)):
        with pytest.raises(LocalProtocolError, match="words"):
            cipher.encrypt(words, seed=bytes(32))


@each_method
def test_a_sum_must_refuse_other_lengths_and_too_many(method):
    cipher, adder = cipher_of(method), adder_of(method)
    with pytest.raises(LocalProtocolError, match="nothing was added"):
        adder.total()
    chunks = encrypted(cipher, drawn(2, 8))
    adder.add(chunks)
    with pytest.raises(LocalProtocolError, match="one length"):
        adder.add(encrypted(cipher, drawn(5000, 8)))
    for _ in range(MAX_CONTRIBUTIONS - 1):
        adder.add(chunks)
    with pytest.raises(LocalProtocolError, match="at most 256"):
        adder.add(chunks)
    sums = cipher.decrypt(adder.total(), contributions=MAX_CONTRIBUTIONS, length=2)
    expected = drawn(2, 8) * MAX_CONTRIBUTIONS
    assert np.array_equal(sums, expected % cipher.modulus if cipher.modulus else expected)


def test_encryption_must_be_random_where_its_randomness_is_seals():
    words = drawn(10, 8) % bfv.PLAIN_MODULUS
    cipher = cipher_of("masked_he")
    assert cipher.encrypt(words, seed=bytes(32)) != cipher.encrypt(words, seed=bytes(32))


def test_paillier_must_be_deterministic_in_its_seed():
    words, cipher = drawn(10, 8), cipher_of("paillier")
    assert encrypted(cipher, words, 1) == encrypted(cipher, words, 1)
    assert encrypted(cipher, words, 1) != encrypted(cipher, words, 2)
