"""SHA-256 and SHA-512 in lanes: NIST's vectors, OpenSSL."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import sha2
from tests.protocols.kernels.message_batches import (
    PREFIXES,
    column,
    expected,
    made,
    rows,
    vectors,
)

FUNCTIONS = {"sha256": sha2.sha256_many, "sha512": sha2.sha512_many}
both = pytest.mark.parametrize("name", FUNCTIONS)


def openssl(name: str):
    return lambda message: hashlib.new(name, message).digest()


@both
def test_matches_the_standard(name):
    found = vectors(f"{name}.json")
    messages = [bytes.fromhex(vector["message"]) for vector in found]
    digests = FUNCTIONS[name](b"", *column(messages), framed=False)
    assert [row.hex() for row in rows(digests)] == [vector["digest"] for vector in found]
    assert digests.shape == (len(found), int(name[3:]) // 8)


def test_constants_are_the_standards():
    # FIPS 180-4 §4.2.2, §4.2.3, §5.3.3, §5.3.5: the first and the last of each table.
    k256, k512 = sha2.round_constants(sha2.SHA256), sha2.round_constants(sha2.SHA512)
    assert (len(k256), k256[0], k256[-1]) == (64, 0x428A2F98, 0xC67178F2)
    assert (len(k512), k512[0], k512[-1]) == (80, 0x428A2F98D728AE22, 0x6C44198C4A475817)
    assert sha2.initial_value(sha2.SHA256)[::7] == [0x6A09E667, 0x5BE0CD19]
    assert sha2.initial_value(sha2.SHA512)[::7] == [0x6A09E667F3BCC908, 0x5BE0CD19137E2179]


@both
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 15, 16, 17, 33])
def test_any_number_of_messages(name, count):
    values = made([14] * count, b"count")
    digests = FUNCTIONS[name](b"p", *column(values), framed=True)
    assert rows(digests) == expected(openssl(name), b"p", values, framed=True)


@both
@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("length", PREFIXES)
def test_every_length_after_every_prefix(name, length, framed):
    prefix = made([length], b"prefix")[0]
    values = made([*range(270), 300, 0, 299, 7], b"values")
    digests = FUNCTIONS[name](prefix, *column(values, b"before", b"after"), framed=framed)
    assert rows(digests) == expected(openssl(name), prefix, values, framed)


@both
@given(st.binary(max_size=270), st.lists(st.binary(max_size=300), max_size=40), st.booleans())
@settings(max_examples=50, deadline=None)
def test_matches_openssl(name, prefix, values, framed):
    digests = FUNCTIONS[name](prefix, *column(values), framed=framed)
    assert rows(digests) == expected(openssl(name), prefix, values, framed)
