"""Sums over subsets and packed sums decrypt to what the integers give."""

from __future__ import annotations

import pytest
from gmpy2 import mpz
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier import Packing, Summands
from tests.protocols.paillier.keys import private_key, stream

KEY = private_key()
PUBLIC = KEY.public_key
VALUES = [3**k * (-1) ** k for k in range(40)]
CIPHERTEXTS = KEY.encrypt_many(VALUES, stream(b"values"))


def _summands():
    summands = Summands(PUBLIC)
    summands.extend(CIPHERTEXTS[:25])
    summands.extend(CIPHERTEXTS[25:])
    return summands


def test_sums_must_be_the_very_products_of_the_ciphertexts():
    segments = [[0], [1, 2, 3], list(range(40)), [5, 5], []]
    products = []
    for segment in segments:
        product = mpz(1)
        for position in segment:
            product = product * CIPHERTEXTS[position] % PUBLIC.n_squared
        products.append(product)
    assert len(_summands()) == 40
    assert _summands().sums(segments) == products
    expected = [sum(VALUES[at] for at in segment) % PUBLIC.n for segment in segments]
    assert KEY.decrypt_many(products) == expected


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
    assert packing.unpack(mpz(packed + offset)) == values + zeros


@pytest.mark.parametrize("count", [1, 5, 37, 38, 80])
def test_packed_ciphertexts_must_decrypt_to_the_values_in_order(count):
    largest = 2**54 - 1
    packing = Packing.for_magnitude(largest, PUBLIC)
    assert (packing.slot_bits, packing.slots) == (55, 37)
    values = [(largest - at) * (-1) ** at for at in range(count)]
    packed = packing.pack_many(KEY.encrypt_many(values, stream(b"e")), PUBLIC)
    assert len(packed) == -(-count // 37)
    unpacked = [value for each in KEY.decrypt_many(packed) for value in packing.unpack(each)]
    assert unpacked[:count] == values
    assert not any(unpacked[count:])


def test_no_ciphertexts_must_pack_to_none():
    assert Packing.for_magnitude(10, PUBLIC).pack_many([], PUBLIC) == []


def test_values_too_large_for_a_plaintext_must_be_refused():
    assert Packing.for_magnitude(2**2045, PUBLIC).slots == 1
    with pytest.raises(LocalProtocolError, match="too large"):
        Packing.for_magnitude(2**2046, PUBLIC)


def test_plaintext_beyond_the_slots_must_be_refused():
    packing = Packing.for_magnitude(2**54 - 1, PUBLIC)
    top = mpz(1) << packing.slot_bits * packing.slots
    assert packing.unpack(top - 1) == [2**54 - 1] * packing.slots
    for plaintext in (top, PUBLIC.n - 1):
        with pytest.raises(DecodeError):
            packing.unpack(plaintext)
