"""Keys meet the conditions SPEC.md §4 states, and nothing else is accepted as one."""

from __future__ import annotations

import pytest
from gmpy2 import gcd, is_prime, jacobi, mpz, next_prime
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier import PrivateKey, PublicKey, generate_private_key
from tests.protocols.paillier.keys import SUITE, private_key, stream

N = int(private_key().public_key.n)


def _large_prime(bits: int) -> int:
    return int(next_prime((mpz(3) << (bits - 2)) + 12345))


@pytest.mark.parametrize("bits", [2048, 3072])
def test_primes_must_meet_the_conditions(bits):
    key = private_key(bits)
    p, q, n = key.p, key.q, key.public_key.n
    assert n == p * q
    assert n.bit_length() == bits
    assert p.bit_length() == q.bit_length() == bits // 2
    assert p % 4 == 3
    assert q % 4 == 3
    assert is_prime(p)
    assert is_prime(q)
    assert gcd(n, (p - 1) * (q - 1)) == 1
    assert gcd(p - 1, q - 1) == 2
    assert abs(p - q) > mpz(2) ** (bits // 2 - 100)
    assert all((p - 1) % small and (q - 1) % small for small in range(3, 1 << 16, 2))


def test_base_must_be_minus_a_square_that_follows_from_the_modulus():
    key = private_key()
    n, h = key.public_key.n, key.public_key.h
    drawn = SUITE.derive(key.public_key.to_bytes(), b"fedcrm/paillier/1 base", 2048 // 8 + 8)
    assert (h + int.from_bytes(drawn, "big") ** 2) % n == 0
    assert jacobi(h, key.p) == jacobi(h, key.q) == -1


def test_key_must_follow_from_the_stream_alone():
    assert (
        private_key().to_bytes()
        == generate_private_key(2048, stream(b"test key"), SUITE).to_bytes()
    )
    other = generate_private_key(2048, stream(b"test key", 1), SUITE)
    assert other.to_bytes() != private_key().to_bytes()


def test_a_key_that_computes_wrongly_must_not_leave_its_generation(monkeypatch):
    right = PrivateKey.decrypt
    monkeypatch.setattr(
        PrivateKey, "decrypt", lambda key, sealed: [m + 1 for m in right(key, sealed)]
    )
    with pytest.raises(LocalProtocolError, match="fails its check against the phe library"):
        generate_private_key(2048, stream(b"test key"), SUITE)


@pytest.mark.parametrize("bits", [0, 1024, 2047, 2056, 4096])
def test_other_sizes_must_not_be_generated(bits):
    with pytest.raises(LocalProtocolError, match="2048 or 3072"):
        generate_private_key(bits, stream(b"unused"), SUITE)


def test_encodings_must_give_back_the_key():
    key = private_key()
    assert len(key.public_key.to_bytes()) == 256
    assert PublicKey.from_bytes(key.public_key.to_bytes(), SUITE) == key.public_key
    again = PrivateKey.from_bytes(key.to_bytes(), SUITE)
    assert (again.p, again.q, again.public_key) == (key.p, key.q, key.public_key)


def test_secrets_must_not_be_in_the_representation():
    key = private_key()
    assert str(key.p) not in repr(key)
    assert str(key.q) not in repr(key)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param((_large_prime(512) * _large_prime(511)).to_bytes(128, "big"), id="1024 bits"),
        pytest.param((N >> 1 | 1).to_bytes(256, "big"), id="2047 bits"),
        pytest.param((N & ~1).to_bytes(256, "big"), id="even"),
        pytest.param(N.to_bytes(257, "big"), id="leading zero"),
        pytest.param(N.to_bytes(256, "big") + b"\0", id="trailing byte"),
        pytest.param(_large_prime(2048).to_bytes(256, "big"), id="prime"),
        pytest.param((_large_prime(1024) ** 2).to_bytes(256, "big"), id="square"),
        pytest.param((_large_prime(2032) * 65521).to_bytes(256, "big"), id="small factor"),
        pytest.param(b"\xff" * 512, id="4096 bits"),
    ],
)
def test_bad_modulus_must_be_refused(data):
    with pytest.raises(DecodeError):
        PublicKey.from_bytes(data, SUITE)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(private_key().to_bytes() + b"\0\0", id="trailing bytes"),
        pytest.param(private_key().to_bytes()[:128] * 2, id="one prime twice"),
        pytest.param(
            private_key().to_bytes()[:128] + (int(private_key().q) + 4).to_bytes(128, "big"),
            id="composite",
        ),
    ],
)
def test_bad_private_key_must_be_refused(data):
    with pytest.raises(DecodeError):
        PrivateKey.from_bytes(data, SUITE)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=600), st.binary(min_size=256, max_size=256)))
def test_any_bytes_must_be_a_key_or_a_decode_error(data):
    for decode in (PublicKey.from_bytes, PrivateKey.from_bytes):
        try:
            assert decode(data, SUITE).to_bytes() == data
        except DecodeError:
            continue
