"""Ciphertexts against the textbook formula and against ``phe``."""

from __future__ import annotations

import phe
import pytest
from gmpy2 import gcd, mpz, powmod
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import DecodeError
from protocols.paillier.fixed_base import FixedBase
from tests.protocols.paillier.keys import private_key, stream

KEY = private_key()
PUBLIC = KEY.public_key
N = int(PUBLIC.n)
EDGES = [0, 1, -1, N - 1, N // 2, -(N // 2), 2**1000, -(2**55)]


def _phe_pair():
    public = phe.PaillierPublicKey(N)
    return public, phe.PaillierPrivateKey(public, int(KEY.p), int(KEY.q))


@pytest.mark.parametrize("bits", [2048, 3072])
def test_phe_must_decrypt_what_we_encrypt(bits):
    key = private_key(bits)
    public = phe.PaillierPublicKey(int(key.public_key.n))
    secret = phe.PaillierPrivateKey(public, int(key.p), int(key.q))
    plaintexts = [0, 1, -1, 2**1000, -(2**55)]
    for plaintext, c in zip(plaintexts, key.encrypt_many(plaintexts, stream(b"e")), strict=True):
        assert secret.raw_decrypt(int(c)) == plaintext % public.n


def test_we_must_decrypt_what_phe_encrypts_and_adds():
    public, _ = _phe_pair()
    ciphertexts = [mpz(public.raw_encrypt(m % N, r_value=m % 1000 + 2)) for m in EDGES]
    assert KEY.decrypt_many(ciphertexts) == [m % N for m in EDGES]
    total = public.encrypt(20) + public.encrypt(-63)
    assert KEY.decrypt_many([mpz(total.ciphertext(be_secure=False))]) == [N - 43]


def test_phe_must_decrypt_our_sums():
    public, secret = _phe_pair()
    a, b = KEY.encrypt_many([7, 35], stream(b"e"))
    encrypted = phe.EncryptedNumber(public, int(PUBLIC.add(a, b)), 0)
    assert secret.decrypt(encrypted) == 42


def test_encryption_must_be_the_public_formula_with_the_randomness_of_the_stream():
    drawn, size = stream(b"formula"), PUBLIC.randomness_bytes
    assert 8 * size == 2048 + 64
    for plaintext, c in zip(EDGES, KEY.encrypt_many(EDGES, stream(b"formula")), strict=True):
        r = int.from_bytes(drawn.bytes(size), "big")
        mask = powmod(PUBLIC.h, PUBLIC.n * r, PUBLIC.n_squared)
        assert c == (1 + plaintext * PUBLIC.n) * mask % PUBLIC.n_squared


def test_rerandomisation_must_multiply_by_the_same_kind_of_mask():
    ciphertexts = KEY.encrypt_many([5, 5, 6], stream(b"e"))
    fresh = PUBLIC.rerandomise_many(ciphertexts, stream(b"mask"))
    drawn = stream(b"mask")
    for before, after in zip(ciphertexts, fresh, strict=True):
        r = int.from_bytes(drawn.bytes(PUBLIC.randomness_bytes), "big")
        assert after == before * powmod(PUBLIC.h, PUBLIC.n * r, PUBLIC.n_squared) % PUBLIC.n_squared
    assert KEY.decrypt_many(fresh) == [5, 5, 6]
    assert not set(fresh) & set(ciphertexts)
    assert len(set(PUBLIC.rerandomise_many([ciphertexts[0]] * 4, stream(b"mask")))) == 4


@settings(max_examples=15, deadline=None)
@given(st.integers(-(2**500), 2**500), st.integers(-(2**500), 2**500), st.integers(0, 100))
def test_arithmetic_must_be_that_of_the_plaintexts(left, right, bits):
    a, b = KEY.encrypt_many([left, right], stream(b"e"))
    results = [
        PUBLIC.add(a, b),
        PUBLIC.subtract(a, b),
        PUBLIC.add_plaintext(a, right),
        PUBLIC.shift(a, bits),
    ]
    expected = [left + right, left - right, left + right, left << bits]
    assert KEY.decrypt_many(results) == [value % N for value in expected]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_fixed_base_must_agree_with_powmod(data):
    root = data.draw(st.sampled_from([mpz(15), mpz(2**61 - 1), mpz(10**40 + 1)]))
    unit = st.integers(1, int(root) ** 2 - 1).map(mpz)
    base = data.draw(unit.filter(lambda w: gcd(w, root) == 1))
    exponents = data.draw(st.lists(st.integers(0, 256**3 - 1).map(mpz), max_size=5))
    offsets = [mpz(data.draw(st.integers(0, int(root) - 1))) for _ in exponents]
    table = FixedBase(base, root, 3)
    assert table.powers(exponents, offsets) == [
        powmod(base, e, root**2) * (1 + root * offset) % root**2
        for e, offset in zip(exponents, offsets, strict=True)
    ]


def test_fixed_base_must_refuse_what_its_table_does_not_hold():
    table = FixedBase(mpz(2), mpz(101), 2)
    with pytest.raises(OverflowError):
        table.powers([mpz(256**2)], [mpz(0)])
    with pytest.raises(ValueError, match="1 exponents but 0 offsets"):
        table.powers([mpz(1)], [])


def test_ciphertexts_must_travel_in_fixed_length():
    ciphertexts = [*KEY.encrypt_many([1, 2], stream(b"e")), mpz(1)]
    data = PUBLIC.encode_ciphertexts(ciphertexts)
    assert len(data) == 3 * 512 == 3 * PUBLIC.ciphertext_bytes
    assert PUBLIC.decode_ciphertexts(data) == ciphertexts
    assert PUBLIC.decode_ciphertexts(b"") == []


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    "bad",
    [0, N, N * 3, N * N, N * N + 1, 2**4096 - 1, int(KEY.p), int(KEY.q) * 2],
    ids=["0", "n", "3n", "n^2", "n^2 + 1", "largest", "p", "2q"],
)
def test_bad_ciphertext_must_be_refused_wherever_it_stands(bad, position):
    good = PUBLIC.encode_ciphertexts(KEY.encrypt_many([1, 2], stream(b"e")))
    data = good[: 512 * position] + bad.to_bytes(512, "big") + good[512 * position :]
    with pytest.raises(DecodeError):
        PUBLIC.decode_ciphertexts(data)


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.binary(max_size=1100), st.binary(min_size=512, max_size=512)))
def test_bytes_must_be_refused_exactly_when_they_are_not_ciphertexts(data):
    values = [int.from_bytes(data[at : at + 512], "big") for at in range(0, len(data), 512)]
    valid = len(data) % 512 == 0 and all(v < N * N and gcd(v, N) == 1 for v in values)
    if valid:
        assert PUBLIC.encode_ciphertexts(PUBLIC.decode_ciphertexts(data)) == data
    else:
        with pytest.raises(DecodeError):
            PUBLIC.decode_ciphertexts(data)
