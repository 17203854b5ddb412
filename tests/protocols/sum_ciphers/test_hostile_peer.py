"""Bytes from a hostile party or coordinator: refused with a ``RemoteProtocolError`` or harmless."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.sum_ciphers import MAX_WORDS, ckks, ring
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

each_method = pytest.mark.parametrize("method", METHODS)
RING = ["masked_he", "ckks"]
LENGTH = 70


def contribution(method, length=LENGTH):
    return encrypted(cipher_of(method), drawn(length, 16))


@each_method
def test_changed_bytes_must_raise_nothing_else(method):
    """Whatever check lets pass can be added and opened without another exception."""
    cipher, adder = cipher_of(method), adder_of(method)
    stream = SUITE.stream(seed_of(1), b"contribution fuzz")
    (honest,) = contribution(method)
    passed = 0
    for _ in range(300):
        chunks = [mutated(honest, noise(stream), stream)]
        try:
            adder.check(chunks, length=LENGTH)
        except RemoteProtocolError:
            continue
        passed += 1
        assert len(chunks[0]) == len(honest)
        adder.start()
        adder.add(contribution(method))
        adder.add(chunks)
        try:
            sums = cipher.decrypt(adder.total(), contributions=2, length=LENGTH)
        except RemoteProtocolError:
            continue
        assert sums.shape == (LENGTH,)
    assert passed < 200


@each_method
def test_random_bytes_of_the_right_length_must_be_harmless(method):
    cipher, adder = cipher_of(method), adder_of(method)
    (honest,) = contribution(method)
    for number in range(10):
        chunks = [SUITE.stream(seed_of(number), b"garbage").bytes(len(honest))]
        if method in RING:
            chunks = [(np.frombuffer(chunks[0], "<u8") % ring.MODULUS).tobytes()]
        try:
            adder.check(chunks, length=LENGTH)
            cipher.decrypt(chunks, contributions=1, length=LENGTH)
        except RemoteProtocolError:
            assert method not in ("masks", "masked_he")


@each_method
def test_other_numbers_of_words_must_be_refused(method):
    adder, cipher = adder_of(method), cipher_of(method)
    chunks = contribution(method)
    border = {"masks": 1, "masked_he": 4096, "ckks": 2048, "paillier": 63}[method]
    full = border * -(-LENGTH // border)
    adder.check(chunks, length=full)
    for length in (full + 1, full - border, full + cipher.chunk_words, MAX_WORDS):
        if length:
            with pytest.raises(RemoteProtocolError, match="chunk"):
                adder.check(chunks, length=length)
            with pytest.raises(RemoteProtocolError, match="chunk"):
                cipher.decrypt(chunks, contributions=1, length=length)
    for length in (0, -1, MAX_WORDS + 1):
        with pytest.raises(LocalProtocolError, match="words"):
            adder.check(chunks, length=length)


@each_method
def test_other_lists_of_chunks_must_be_refused(method):
    adder = adder_of(method)
    (chunk,) = contribution(method)
    for chunks in (
        [],
        [b""],
        [chunk, chunk],
        [chunk, b""],
        [chunk[:-1]],
        [chunk + b"\0"],
        [bytearray(chunk)],
        [chunk.decode("latin1")],
        [None],
        chunk,
        None,
        {0: chunk},
    ):
        with pytest.raises(RemoteProtocolError):
            adder.check(chunks, length=LENGTH)


@pytest.mark.parametrize("method", RING)
def test_residues_that_are_none_must_be_refused(method):
    adder, cipher = adder_of(method), cipher_of(method)
    residues = np.frombuffer(contribution(method)[0], "<u8")
    for position in (0, ring.DEGREE - 1, ring.DEGREE, 2 * ring.DEGREE - 1):
        for value in (ring.MODULUS, ring.MODULUS + 1, 2**64 - 1):
            wrong = residues.copy()
            wrong[position] = value
            for refuses in (
                lambda data: adder.check(data, length=LENGTH),
                lambda data: cipher.decrypt(data, contributions=1, length=LENGTH),
            ):
                with pytest.raises(RemoteProtocolError, match="not below the modulus"):
                    refuses([wrong.tobytes()])
    wrong = residues.copy()
    wrong[position] = ring.MODULUS - 1
    adder.check([wrong.tobytes()], length=LENGTH)


@pytest.mark.parametrize("method", RING)
def test_a_transparent_ciphertext_must_be_refused(method):
    """c_1 = 0 leaves the plaintext in c_0; any of several must be noticed."""
    slots = {"masked_he": 4096, "ckks": 2048}[method]
    length = 3 * slots
    residues = np.frombuffer(contribution(method, length)[0], "<u8").reshape(3, 2, ring.DEGREE)
    for number in range(3):
        wrong = residues.copy()
        wrong[number, 1] = 0
        with pytest.raises(RemoteProtocolError, match="transparent"):
            adder_of(method).check([wrong.tobytes()], length=length)
    wrong = residues.copy()
    wrong[1, 0] = 0
    adder_of(method).check([wrong.tobytes()], length=length)


@pytest.mark.parametrize("value", [0, None, "n"])
def test_a_value_that_is_no_paillier_ciphertext_must_be_refused(value):
    n = int.from_bytes(key_of("paillier").public, "big")
    for number in {0: (0,), None: (n * n, n * n + 1), "n": (n, 5 * n)}[value]:
        chunk = bytearray(contribution("paillier")[0])
        chunk[512:] = number.to_bytes(512, "big")
        with pytest.raises(RemoteProtocolError):
            adder_of("paillier").check([bytes(chunk)], length=LENGTH)
        with pytest.raises(RemoteProtocolError):
            cipher_of("paillier").decrypt([bytes(chunk)], contributions=1, length=LENGTH)


def test_a_paillier_sum_outside_its_slots_must_be_refused():
    from protocols.paillier import PublicKey

    public = PublicKey.from_bytes(key_of("paillier").public, SUITE)
    stream = SUITE.stream(seed_of(3), b"outside")
    for plaintext in (1 << 2016, -(1 << 2040), int(public.n) // 2):
        chunk = public.encode(public.encrypt([plaintext, 0], stream))
        with pytest.raises(RemoteProtocolError, match="longer than their slots"):
            cipher_of("paillier").decrypt([chunk], contributions=1, length=LENGTH)


@pytest.mark.parametrize("shift", [0.04, 0.5])
def test_a_ckks_total_off_the_integers_must_be_refused(shift):
    cipher = cipher_of("ckks")
    chunks = cipher._encrypt_blocks((drawn(LENGTH, 16) + shift) / 2.0**23)
    with pytest.raises(RemoteProtocolError, match="not integers"):
        cipher.decrypt(chunks, contributions=1, length=LENGTH)
    near = cipher._encrypt_blocks((drawn(LENGTH, 16) + ckks.ROUNDING_BOUND / 2) / 2.0**23)
    assert np.array_equal(cipher.decrypt(near, contributions=1, length=LENGTH), drawn(LENGTH, 16))


def test_a_ckks_total_beyond_its_contributions_must_be_refused():
    cipher, adder = cipher_of("ckks"), adder_of("ckks")
    chunks = encrypted(cipher, np.full(LENGTH, -(1 << 23)))
    for _ in range(4):
        adder.add(chunks)
    assert cipher.decrypt(adder.total(), contributions=4, length=LENGTH).max() == -(1 << 25)
    with pytest.raises(RemoteProtocolError, match="too large"):
        cipher.decrypt(adder.total(), contributions=3, length=LENGTH)
