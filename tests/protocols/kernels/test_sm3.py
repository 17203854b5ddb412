"""SM3 in lanes: the standard's vectors, OpenSSL, gmssl."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from gmssl import sm3 as gmssl_sm3
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import sm3
from tests.protocols.kernels.message_batches import (
    PREFIXES,
    column,
    expected,
    made,
    rows,
    vectors,
)


def openssl(message: bytes) -> bytes:
    return hashlib.new("sm3", message).digest()


def test_matches_the_standard():
    found = vectors("sm3.json")
    messages = [bytes.fromhex(vector["message"]) for vector in found]
    digests = sm3.digest_many(b"", *column(messages), framed=False)
    assert [row.hex() for row in rows(digests)] == [vector["digest"] for vector in found]
    assert digests.shape == (2, 32)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 33])
def test_any_number_of_messages(count):
    values = made([14] * count, b"count")
    digests = sm3.digest_many(b"p", *column(values), framed=True)
    assert rows(digests) == expected(openssl, b"p", values, framed=True)
    assert digests.dtype == np.uint8


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("length", PREFIXES)
def test_every_length_after_every_prefix(length, framed):
    prefix = made([length], b"prefix")[0]
    values = made([*range(140), 300, 0, 299, 7], b"values")
    digests = sm3.digest_many(prefix, *column(values, b"before", b"after"), framed=framed)
    assert rows(digests) == expected(openssl, prefix, values, framed)


def test_matches_a_second_implementation():
    values = made([0, 1, 55, 56, 64, 300], b"gmssl")
    digests = sm3.digest_many(b"item", *column(values), framed=False)
    for row, value in zip(rows(digests), values, strict=True):
        assert row.hex() == gmssl_sm3.sm3_hash(list(b"item" + value))


def test_a_long_message_beside_short_ones():
    values = made([3] * 20 + [100_000] + [3] * 40, b"long")
    digests = sm3.digest_many(b"", *column(values), framed=True)
    assert rows(digests) == expected(openssl, b"", values, framed=True)


@given(st.binary(max_size=140), st.lists(st.binary(max_size=300), max_size=40), st.booleans())
@settings(max_examples=60, deadline=None)
def test_matches_openssl(prefix, values, framed):
    digests = sm3.digest_many(prefix, *column(values), framed=framed)
    assert rows(digests) == expected(openssl, prefix, values, framed)
