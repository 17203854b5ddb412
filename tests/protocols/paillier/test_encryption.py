"""Ciphertexts against the textbook formula and against ``phe``, under both kernels."""

from __future__ import annotations

import copy

import numpy as np
import phe
import pytest
from gmpy2 import gcd, mpz, powmod
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier import Ciphertexts
from protocols.paillier.fixed_base import FixedBase
from tests.protocols.paillier.keys import both_kernels, private_key, stream

N = int(private_key().public_key.n)
P, Q = int(private_key().p), int(private_key().q)
EDGES = [0, 1, -1, N - 1, N // 2, -(N // 2), 2**1000, -(2**55), N, -(3 * N) - 7, 2**5000]


def _phe_pair(key):
    public = phe.PaillierPublicKey(int(key.public_key.n))
    return public, phe.PaillierPrivateKey(public, int(key.p), int(key.q))


@both_kernels
@pytest.mark.parametrize("bits", [2048, 3072])
def test_phe_must_decrypt_what_we_encrypt(bits, kernels):
    key = private_key(bits, kernels)
    public, secret = _phe_pair(key)
    plaintexts = [0, 1, -1, 2**1000, -(2**55)]
    sealed = key.encrypt(plaintexts, stream(b"e")).integers()
    sealed += key.public_key.encrypt(plaintexts[:1], stream(b"f")).integers()
    assert [secret.raw_decrypt(c) for c in sealed] == [m % public.n for m in [*plaintexts, 0]]


@both_kernels
@pytest.mark.parametrize("bits", [2048, 3072])
def test_we_must_decrypt_what_phe_encrypts_and_adds(bits, kernels):
    key = private_key(bits, kernels)
    public, _ = _phe_pair(key)
    ciphertexts = [public.raw_encrypt(m % public.n, r_value=m % 1000 + 2) for m in EDGES[:6]]
    ciphertexts.append((public.encrypt(20) + public.encrypt(-63)).ciphertext(be_secure=False))
    opened = key.decrypt(key.public_key.from_integers(ciphertexts))
    assert opened == [m % public.n for m in [*EDGES[:6], -43]]


@both_kernels
def test_phe_must_decrypt_our_sums(kernels):
    key = private_key(2048, kernels)
    public, secret = _phe_pair(key)
    a, b = key.encrypt([7, 35], stream(b"e")), key.encrypt([1, 2], stream(b"f"))
    (total, _) = key.public_key.add(a, b).integers()
    assert secret.decrypt(phe.EncryptedNumber(public, total, 0)) == 8


@both_kernels
@pytest.mark.parametrize("by", ["owner", "public side", "owner, prepared"])
def test_encryption_must_be_the_public_formula_with_the_randomness_of_the_stream(kernels, by):
    key = private_key(2048, kernels)
    public, drawn = key.public_key, stream(b"formula")
    if by == "owner":
        sealed = key.encrypt(EDGES, stream(b"formula"))
    elif by == "public side":
        sealed = public.encrypt(EDGES, stream(b"formula"))
    else:
        sealed = key.encrypt_with(EDGES, key.prepare(len(EDGES), stream(b"formula")))
    assert public.randomness_bytes == (2048 + 64) // 8
    for plaintext, c in zip(EDGES, sealed.integers(), strict=True):
        r = int.from_bytes(drawn.bytes(public.randomness_bytes), "big")
        mask = powmod(public.h, public.n * r, public.n**2)
        assert c == (1 + plaintext * public.n) * mask % public.n**2


@both_kernels
def test_short_exponents_must_be_one_for_both_primes_and_only_the_owners(kernels):
    key = private_key(2048, kernels, "short")
    public, drawn = key.public_key, stream(b"short")
    for plaintext, c in zip(
        [5, -6], key.encrypt([5, -6], stream(b"short")).integers(), strict=True
    ):
        r = int.from_bytes(drawn.bytes(256 // 8), "big")
        mask = powmod(public.h, public.n * r, public.n**2)
        assert c == (1 + plaintext * public.n) * mask % public.n**2
    exact = private_key(2048, kernels).public_key
    sealed = key.encrypt([1, 2], stream(b"e"))
    fresh = public.rerandomise(sealed, stream(b"mask"))
    assert fresh.integers() == exact.rerandomise(sealed, stream(b"mask")).integers()


@both_kernels
def test_the_mode_must_be_said_in_one_line(kernels):
    instructions = {"portable": "portable", "avx512": "avx512-ifma"}[kernels]
    exact, short = private_key(2048, kernels), private_key(2048, kernels, "short")
    again = "re-randomisation |n|+64 bits"
    assert exact.mode == f"{instructions}; owner exponents |n|+64 bits; {again}"
    assert short.mode == (
        f"{instructions}; owner exponents 256 bits (short-exponent assumption); {again}"
    )
    assert exact.public_key.mode == f"{instructions}; encryption and {again}"
    assert exact.public_key.kernels == kernels


@both_kernels
def test_rerandomisation_must_multiply_by_the_same_kind_of_mask(kernels):
    key = private_key(2048, kernels)
    public = key.public_key
    ciphertexts = key.encrypt([5, 5, 6], stream(b"e"))
    fresh = public.rerandomise(ciphertexts, stream(b"mask"))
    drawn = stream(b"mask")
    for before, after in zip(ciphertexts.integers(), fresh.integers(), strict=True):
        r = int.from_bytes(drawn.bytes(public.randomness_bytes), "big")
        assert after == before * powmod(public.h, public.n * r, public.n**2) % public.n**2
    assert key.decrypt(fresh) == [5, 5, 6]
    assert not set(fresh.integers()) & set(ciphertexts.integers())
    same = ciphertexts.take(np.zeros(4, np.int64))
    assert len(set(public.rerandomise(same, stream(b"mask")).integers())) == 4


@both_kernels
@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(-(2**500), 2**500), min_size=1, max_size=9), st.integers(0, 100))
def test_arithmetic_must_be_that_of_the_plaintexts(kernels, left, bits):
    key = private_key(2048, kernels)
    public, right = key.public_key, [3 * value + 1 for value in left[::-1]]
    factors = [(-1) ** at * (1 << bits % 9 * at) * (at % 3) for at in range(len(left))]
    a, b = key.encrypt(left, stream(b"e")), key.encrypt(right, stream(b"f"))
    for result, expected in (
        (public.add(a, b), map(int.__add__, left, right)),
        (public.subtract(a, b), map(int.__sub__, left, right)),
        (public.add_plaintexts(a, right), map(int.__add__, left, right)),
        (public.multiply(a, factors), map(int.__mul__, left, factors)),
        (public.shift(a, bits), [value << bits for value in left]),
    ):
        assert key.decrypt(result) == [value % N for value in expected]


@both_kernels
def test_nothing_must_stay_nothing(kernels):
    key = private_key(2048, kernels)
    public, none = key.public_key, key.encrypt([], stream(b"e"))
    assert len(none) == 0
    assert key.decrypt(none) == none.integers() == []
    for result in (
        public.add(none, none),
        public.subtract(none, none),
        public.multiply(none, []),
        public.add_plaintexts(none, []),
        public.shift(none, 5),
        public.rerandomise(none, stream(b"r")),
        public.decode(b""),
        public.zeros(0),
        public.encrypt([], stream(b"e")),
        none[3:],
    ):
        assert public.encode(result) == b""


@both_kernels
def test_zeros_must_be_the_integer_one(kernels):
    key = private_key(2048, kernels)
    zeros = key.public_key.zeros(3)
    assert zeros.integers() == [1, 1, 1]
    assert key.decrypt(zeros) == [0, 0, 0]


@both_kernels
def test_parts_must_be_taken_and_joined_in_order(kernels):
    key = private_key(2048, kernels)
    values = list(range(20))
    sealed = key.encrypt(values, stream(b"e"))
    assert key.decrypt(sealed[3:9]) == values[3:9]
    assert key.decrypt(sealed[::-2]) == values[::-2]
    assert key.decrypt(sealed.take(np.array([4, 4, 19, 0]))) == [4, 4, 19, 0]
    joined = Ciphertexts.join([sealed[:5], sealed[5:5], sealed[12:]])
    assert key.decrypt(joined) == [*values[:5], *values[12:]]
    for positions in ([20], [-1], [0, 1, 2**40]):
        with pytest.raises(IndexError):
            sealed.take(np.array(positions))
    with pytest.raises(LocalProtocolError, match="no ciphertexts"):
        Ciphertexts.join([])


@both_kernels
def test_what_does_not_go_together_must_be_refused(kernels):
    key, other = private_key(2048, kernels), private_key(3072, kernels)
    sealed, others = key.encrypt([1, 2], stream(b"e")), other.encrypt([1, 2], stream(b"e"))
    public = key.public_key
    for mixed in (
        lambda: public.add(sealed, others),
        lambda: public.encode(others),
        lambda: key.decrypt(others),
        lambda: Ciphertexts.join([sealed, others]),
        lambda: key.encrypt_with([1], other.prepare(1, stream(b"p"))),
    ):
        with pytest.raises(LocalProtocolError, match="different keys"):
            mixed()
    for uneven in (
        lambda: public.add(sealed, sealed[:1]),
        lambda: public.subtract(sealed[:1], sealed),
        lambda: public.multiply(sealed, [1]),
        lambda: public.add_plaintexts(sealed, [1, 2, 3]),
    ):
        with pytest.raises(LocalProtocolError, match="to go with them"):
            uneven()
    with pytest.raises(LocalProtocolError, match="to the right"):
        public.shift(sealed, -1)


@both_kernels
def test_obfuscators_must_serve_once(kernels):
    key = private_key(2048, kernels)
    prepared = key.prepare(5, stream(b"p"))
    first, second = key.encrypt_with([1, 2], prepared), key.encrypt_with([3, 4, 5], prepared)
    sealed = Ciphertexts.join([first, second])
    assert sealed.integers() == key.encrypt([1, 2, 3, 4, 5], stream(b"p")).integers()
    assert len(prepared) == 0
    with pytest.raises(LocalProtocolError, match="1 obfuscators are needed and 0 are left"):
        key.encrypt_with([6], prepared)


def test_obfuscators_must_not_be_stored_or_copied():
    prepared = private_key().prepare(1, stream(b"p"))
    for store in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied or stored"):
            store(prepared)
    assert str(int(private_key().prepare(1, stream(b"p")).take(1).integers()[0])) not in repr(
        prepared
    )


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_fixed_base_must_agree_with_powmod(data):
    root = data.draw(st.sampled_from([mpz(15), mpz(2**61 - 1), mpz(10**40 + 1)]))
    unit = st.integers(1, int(root) ** 2 - 1).map(mpz)
    base = data.draw(unit.filter(lambda w: gcd(w, root) == 1))
    exponents = data.draw(st.lists(st.integers(0, 256**3 - 1).map(mpz), max_size=5))
    table = FixedBase(base, root, 3)
    assert table.powers(exponents) == [powmod(base, e, root**2) for e in exponents]


def test_fixed_base_must_refuse_what_its_table_does_not_hold():
    with pytest.raises(OverflowError):
        FixedBase(mpz(2), mpz(101), 2).powers([mpz(256**2)])


@both_kernels
def test_ciphertexts_must_travel_in_fixed_length(kernels):
    key = private_key(2048, kernels)
    public = key.public_key
    ciphertexts = Ciphertexts.join([key.encrypt([1, 2], stream(b"e")), public.zeros(1)])
    data = public.encode(ciphertexts)
    assert len(data) == 3 * 512 == 3 * public.ciphertext_bytes
    assert data == b"".join(value.to_bytes(512, "big") for value in ciphertexts.integers())
    assert public.decode(data).integers() == ciphertexts.integers()
    assert public.encode(public.from_integers(ciphertexts.integers())) == data


@both_kernels
@pytest.mark.parametrize("position", [0, 1, 10])
@pytest.mark.parametrize(
    "bad",
    [0, N, N * 3, N * N, N * N + 1, 2**4096 - 1, P, Q * 2, P * (N - 1)],
    ids=["0", "n", "3n", "n^2", "n^2 + 1", "largest", "p", "2q", "p (n - 1)"],
)
def test_bad_ciphertext_must_be_refused_wherever_it_stands(kernels, bad, position):
    key = private_key(2048, kernels)
    values = key.encrypt(list(range(10)), stream(b"e")).integers()
    values.insert(position, bad)
    with pytest.raises(DecodeError):
        key.public_key.decode(b"".join(value.to_bytes(512, "big") for value in values))
    with pytest.raises(DecodeError):
        key.public_key.from_integers(values)


@both_kernels
@pytest.mark.parametrize("bad", [-1, 2**4096, 2**5000])
def test_integers_of_another_length_must_be_refused(kernels, bad):
    with pytest.raises(DecodeError):
        private_key(2048, kernels).public_key.from_integers([bad])


@both_kernels
@settings(max_examples=40, deadline=None)
@given(st.one_of(st.binary(max_size=1100), st.binary(min_size=512, max_size=512)))
def test_bytes_must_be_refused_exactly_when_they_are_not_ciphertexts(kernels, data):
    public = private_key(2048, kernels).public_key
    values = [int.from_bytes(data[at : at + 512], "big") for at in range(0, len(data), 512)]
    valid = len(data) % 512 == 0 and all(v < N * N and gcd(v, N) == 1 for v in values)
    if valid:
        assert public.encode(public.decode(data)) == data
    else:
        with pytest.raises(DecodeError):
            public.decode(data)
