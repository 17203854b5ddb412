"""Keys: who can do what with which half, and what a hostile key maker can send."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import numpy as np
import pytest

from protocols import sum_ciphers
from protocols.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from protocols.sum_ciphers import SumKey, bfv, ring
from tests.fuzz.mutations import mutated, noise
from tests.protocols.sum_ciphers.contributions import (
    METHODS,
    SUITE,
    adder_of,
    cipher_of,
    drawn,
    encrypted,
    key_of,
    seed_of,
)

KEYED = [method for method in METHODS if method != "masks"]
each_keyed = pytest.mark.parametrize("method", KEYED)


@each_keyed
def test_a_key_must_survive_being_stored(method):
    key = key_of(method)
    assert SumKey.from_bytes(key.to_bytes()) == key
    assert sum_ciphers.received_key(key.to_bytes(), method, SUITE) == key


@each_keyed
def test_a_key_must_not_show_its_secret(method):
    key = key_of(method)
    shown = f"{key!r} {key}"
    assert "bytes" in shown
    assert repr(key.secret)[2:20] not in shown
    assert "secret" not in shown


@each_keyed
def test_another_key_must_not_open_a_sum(method):
    """What the coordinator has is the public half alone: with it, and a key of its own, nothing."""
    own = sum_ciphers.generate(method, paillier_bits=2048, suite=SUITE, seed=seed_of(9))
    words = drawn(60, 16)
    chunks = encrypted(cipher_of(method), words)
    other = sum_ciphers.cipher(own, method, SUITE)
    try:
        opened = other.decrypt(chunks, contributions=1, length=60)
    except RemoteProtocolError:
        return  # noise that no sum gives
    agree = int((opened == (words % other.modulus if other.modulus else words)).sum())
    assert agree == 0


@pytest.mark.parametrize("method", ["masked_he", "ckks"])
def test_the_public_half_must_depend_on_no_secret(method):
    """Alike for all keys: parameters, from which nothing can be decrypted or encrypted."""
    other = sum_ciphers.generate(method, paillier_bits=2048, suite=SUITE, seed=bytes(32))
    assert other.public == key_of(method).public
    assert other.secret != key_of(method).secret
    assert str(ring.MODULUS).encode() in other.public
    assert len(other.public) < 80


def test_the_public_half_of_paillier_must_be_its_modulus():
    key = key_of("paillier")
    half = len(key.secret) // 2
    p, q = (int.from_bytes(part, "big") for part in (key.secret[:half], key.secret[half:]))
    assert int.from_bytes(key.public, "big") == p * q


@pytest.mark.parametrize("method", METHODS)
def test_an_adder_must_have_no_way_to_open(method):
    adder = adder_of(method)
    assert not hasattr(adder, "decrypt")
    secret = key_of(method).secret if method != "masks" else b"nothing"
    adder.add(encrypted(cipher_of(method), drawn(3, 8)))
    assert secret[:32] not in b"".join(_bytes_within(adder))


def _bytes_within(value, depth=0):
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, np.ndarray):
        yield value.tobytes()
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _bytes_within(item, depth + 1)
    elif depth < 6 and type(value).__module__.startswith("protocols"):
        for name in (*getattr(value, "__dict__", ()), *getattr(type(value), "__slots__", ())):
            yield from _bytes_within(getattr(value, name, None), depth + 1)


@pytest.mark.parametrize("method", METHODS)
def test_public_bytes_of_anything_else_must_be_refused(method):
    stream = SUITE.stream(seed_of(1), b"public fuzz")
    public = key_of(method).public if method != "masks" else b"fedcrm"
    others = [mutated(public, noise(stream), stream) for _ in range(100)]
    others += [key_of(other).public for other in KEYED if other != method]
    others = [data for data in others if data not in (public, b"")]
    refused = 0
    for data in others:
        try:
            sum_ciphers.adder(data, method, SUITE)
        except RemoteProtocolError:
            refused += 1
    # Of Paillier's moduli, some that are not a product of two primes look like one.
    assert refused == len(others) or (method == "paillier" and refused > 90)


@each_keyed
def test_a_hostile_key_must_raise_nothing_but_a_decode_error(method):
    stream = SUITE.stream(seed_of(2), b"key fuzz")
    honest = key_of(method).to_bytes()
    refused = 0
    for _ in range(60):
        data = mutated(honest, noise(stream), stream)
        try:
            key = sum_ciphers.received_key(data, method, SUITE)
        except DecodeError:
            refused += 1
        else:
            assert len(key.secret) == len(key_of(method).secret)
    assert refused > 30


@pytest.mark.parametrize("method", ["masked_he", "ckks"])
def test_a_secret_of_another_shape_must_be_refused(method):
    key = key_of(method)
    large = np.frombuffer(key.secret, "<u8").copy()
    for position, modulus in ((0, ring.MODULUS), (ring.DEGREE, ring.SPECIAL_MODULUS)):
        wrong = large.copy()
        wrong[position] = modulus
        with pytest.raises(DecodeError, match="not below"):
            sum_ciphers.cipher(msgspec.structs.replace(key, secret=wrong.tobytes()), method, SUITE)
    for secret in (key.secret[:-1], key.secret + b"\0", b"\0"):
        with pytest.raises(DecodeError, match="65536 bytes"):
            sum_ciphers.cipher(msgspec.structs.replace(key, secret=secret), method, SUITE)


@pytest.mark.parametrize("method", ["masked_he", "ckks"])
def test_residues_that_are_no_small_polynomial_must_be_harmless(method):
    """A party can make such a key, and it works: no byte string of the shape stops another."""
    moduli = np.array([[ring.MODULUS], [ring.SPECIAL_MODULUS]], np.uint64)
    drawn_residues = SUITE.stream(seed_of(4), b"secret").words(2 * ring.DEGREE).reshape(2, -1)
    words = drawn(20, 20) % (1 << 20)
    for residues in (np.zeros((2, ring.DEGREE), np.uint64), drawn_residues % moduli):
        key = msgspec.structs.replace(key_of(method), secret=residues.astype("<u8").tobytes())
        cipher = sum_ciphers.cipher(key, method, SUITE)
        chunks = cipher.encrypt(words, seed=bytes(32))
        assert np.array_equal(cipher.decrypt(chunks, contributions=1, length=20), words)


def test_keys_and_methods_must_belong_together():
    with pytest.raises(DecodeError, match="for ckks, not for masked_he"):
        sum_ciphers.cipher(key_of("ckks"), "masked_he", SUITE)
    swapped = msgspec.structs.replace(key_of("masked_he"), public=key_of("ckks").public)
    with pytest.raises(DecodeError, match="public half"):
        sum_ciphers.cipher(swapped, "masked_he", SUITE)
    with pytest.raises(LocalProtocolError, match="has no key"):
        sum_ciphers.cipher(key_of("ckks"), "masks", SUITE)
    with pytest.raises(LocalProtocolError, match="needs the job's key"):
        sum_ciphers.cipher(None, "ckks", SUITE)
    with pytest.raises(LocalProtocolError, match="has no key"):
        sum_ciphers.generate("masks", paillier_bits=2048, suite=SUITE, seed=bytes(32))
    with pytest.raises(LocalProtocolError, match="seed"):
        sum_ciphers.generate("masked_he", paillier_bits=2048, suite=SUITE, seed=b"short")


def test_a_key_must_make_the_same_cipher_in_another_object():
    words = drawn(30, 30) % bfv.PLAIN_MODULUS
    again = sum_ciphers.cipher(key_of("masked_he"), "masked_he", SUITE)
    chunks = cipher_of("masked_he").encrypt(words, seed=bytes(32))
    assert np.array_equal(again.decrypt(chunks, contributions=1, length=30), words)


@pytest.mark.parametrize("method", METHODS)
def test_who_adds_must_not_load_tenseal(method):
    """Nor does importing the package load it, numba or pyarrow."""
    public = key_of(method).public if method != "masks" else b""
    program = (
        "import sys\nfrom protocols import sum_ciphers\nfrom protocols.suite import get_suite\n"
        "heavy = {'tenseal', '_tenseal_cpp', 'numba', 'pyarrow', 'torch'}\n"
        "assert not heavy & set(sys.modules)\n"
        f"sum_ciphers.adder({public!r}, {method!r}, get_suite('gm'))\n"
        "assert not {'tenseal', '_tenseal_cpp', 'pyarrow', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
