"""The field of AES against the standard's examples and the field's own laws."""

from __future__ import annotations

from protocols.kernels.finite_bytes import inverse, multiply


def test_products_are_the_standards():
    # FIPS 197 §4.2 and §4.2.1.
    assert multiply(0x57, 0x83) == 0xC1
    assert multiply(0x57, 0x13) == 0xFE


def test_inverses_invert():
    assert inverse(0) == 0
    assert all(multiply(x, inverse(x)) == 1 for x in range(1, 256))
