"""Sums over subsets and packed sums decrypt to what the integers give."""

from __future__ import annotations

import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier import Packing, Summands
from tests.protocols.paillier.keys import both_kernels, private_key, stream

PUBLIC = private_key().public_key
VALUES = [3**k * (-1) ** k for k in range(40)]


def _summands(key):
    ciphertexts = key.encrypt(VALUES, stream(b"values"))
    summands = Summands(key.public_key)
    summands.extend(ciphertexts[:25])
    summands.extend(ciphertexts[25:])
    return summands


@both_kernels
@pytest.mark.parametrize(
    "segments",
    [
        [[0], [1, 2, 3], list(range(40)), [5, 5], []],
        [[], []],
        [],
        [[], list(range(40)) * 40, [7], []],
        [[k] for k in range(39, -1, -1)],
    ],
    ids=["some", "empty", "none", "long", "single"],
)
def test_sums_must_be_the_very_products_of_the_ciphertexts(kernels, segments):
    key = private_key(2048, kernels)
    summands, modulus = _summands(key), key.public_key.n**2
    ciphertexts = key.encrypt(VALUES, stream(b"values")).integers()
    products = []
    for segment in segments:
        product = mpz(1)
        for position in segment:
            product = product * ciphertexts[position] % modulus
        products.append(product)
    assert len(summands) == 40
    positions = np.array([at for segment in segments for at in segment], np.int64)
    offsets = np.cumsum([0, *map(len, segments)])
    sums = summands.sums(positions, offsets)
    assert sums.integers() == products
    expected = [sum(VALUES[at] for at in segment) % PUBLIC.n for segment in segments]
    assert key.decrypt(sums) == expected


@both_kernels
def test_no_summands_must_have_empty_sums_only(kernels):
    public = private_key(2048, kernels).public_key
    none = np.zeros(0, np.int64)
    assert Summands(public).sums(none, np.array([0, 0, 0])).integers() == [1, 1]
    with pytest.raises(IndexError):
        Summands(public).sums(np.array([0]), np.array([0, 1]))


@both_kernels
@pytest.mark.parametrize(
    ("positions", "offsets", "error"),
    [
        ([40], [0, 1], IndexError),
        ([-1], [0, 1], IndexError),
        ([1, 2], [0, 1], ValueError),
        ([1, 2], [0, 3], ValueError),
        ([1, 2], [1, 2], ValueError),
        ([1, 2], [0, 2, 1, 2], ValueError),
        ([1, 2], [], ValueError),
    ],
)
def test_segments_that_are_not_there_must_be_refused(kernels, positions, offsets, error):
    summands = _summands(private_key(2048, kernels))
    with pytest.raises(error):
        summands.sums(np.array(positions, np.int64), np.array(offsets, np.int64))


def test_summands_of_another_key_must_be_refused():
    other = private_key(3072)
    with pytest.raises(LocalProtocolError, match="different keys"):
        Summands(PUBLIC).extend(other.public_key.zeros(1))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2**70), st.data())
@example(1, None)
@example(2**54 - 1, None)
def test_unpacking_must_undo_packing_at_every_magnitude(largest, data):
    packing = Packing.for_magnitude(largest, PUBLIC)
    if data is None:
        values = [largest if at % 2 else -largest for at in range(packing.slots)]
    else:
        values = data.draw(
            st.lists(st.integers(-largest, largest), min_size=1, max_size=packing.slots)
        )
    packed = sum(value << (at * packing.slot_bits) for at, value in enumerate(values))
    offset = sum(
        1 << (at * packing.slot_bits + packing.slot_bits - 1) for at in range(packing.slots)
    )
    assert 0 <= packed + offset < PUBLIC.n
    zeros = [0] * (packing.slots - len(values))
    assert packing.unpack(packed + offset) == values + zeros


@both_kernels
@pytest.mark.parametrize("count", [1, 5, 37, 38, 80])
def test_packed_ciphertexts_must_decrypt_to_the_values_in_order(kernels, count):
    key = private_key(2048, kernels)
    largest = 2**54 - 1
    packing = Packing.for_magnitude(largest, key.public_key)
    assert (packing.slot_bits, packing.slots) == (55, 37)
    values = [(largest - at) * (-1) ** at for at in range(count)]
    packed = packing.pack(key.encrypt(values, stream(b"e")), key.public_key)
    assert len(packed) == -(-count // 37)
    unpacked = [value for each in key.decrypt(packed) for value in packing.unpack(each)]
    assert unpacked[:count] == values
    assert not any(unpacked[count:])


def test_no_ciphertexts_must_pack_to_none():
    packed = Packing.for_magnitude(10, PUBLIC).pack(PUBLIC.zeros(0), PUBLIC)
    assert packed.integers() == []


def test_values_too_large_for_a_plaintext_must_be_refused():
    assert Packing.for_magnitude(2**2045, PUBLIC).slots == 1
    with pytest.raises(LocalProtocolError, match="too large"):
        Packing.for_magnitude(2**2046, PUBLIC)


def test_plaintext_beyond_the_slots_must_be_refused():
    packing = Packing.for_magnitude(2**54 - 1, PUBLIC)
    top = 1 << packing.slot_bits * packing.slots
    assert packing.unpack(top - 1) == [2**54 - 1] * packing.slots
    for plaintext in (top, int(PUBLIC.n) - 1):
        with pytest.raises(DecodeError):
            packing.unpack(plaintext)
