"""The same ciphertexts in other hands: TenSEAL's own calls, SEAL's own objects, and ``phe``."""

from __future__ import annotations

import gmpy2
import numpy as np
import phe
import pytest
import tenseal
from tenseal import sealapi

from protocols.paillier import PrivateKey
from protocols.sum_ciphers import bfv, ckks, paillier, ring, ring_cipher
from tests.protocols.sum_ciphers.contributions import (
    SUITE,
    adder_of,
    cipher_of,
    drawn,
    encrypted,
    key_of,
)

SCHEMES = {
    "masked_he": (bfv, tenseal.bfv_vector, tenseal.bfv_vector_from),
    "ckks": (ckks, tenseal.ckks_vector, tenseal.ckks_vector_from),
}


def context_of(method):
    return SCHEMES[method][0]._form().context_with(key_of(method).secret)


def residues_of(vector):
    saved = ring_cipher.saved_object(vector.serialize())
    return ring_cipher.SealFrame.of(saved, 97, ring.CIPHERTEXT_BYTES)[1]


@pytest.mark.parametrize("method", SCHEMES)
def test_sums_must_be_those_tenseal_computes(method):
    """Bit for bit: TenSEAL's ``+=`` and our sum of the residues it wrote."""
    module, vector, _ = SCHEMES[method]
    context, adder = context_of(method), adder_of(method)
    scale = 1 if method == "masked_he" else 2.0**23
    words = [drawn(module.SLOTS, 20, number) for number in range(5)]
    vectors = [vector(context, (row / scale).astype(type(scale)).tolist()) for row in words]
    for one in vectors:
        chunk = [residues_of(one)]
        adder.check(chunk, length=module.SLOTS)
        adder.add(chunk)
    total = vectors[0]
    for one in vectors[1:]:
        total += one
    assert adder.total() == [residues_of(total)]


@pytest.mark.parametrize("method", SCHEMES)
def test_tenseal_must_open_our_ciphertexts_and_we_its(method):
    module, vector, vector_from = SCHEMES[method]
    context, cipher = context_of(method), cipher_of(method)
    words = drawn(module.SLOTS, 20)
    scaled = words if method == "masked_he" else words / 2.0**23
    theirs = vector(context, scaled.tolist())
    ours = cipher.decrypt([residues_of(theirs)], contributions=1, length=module.SLOTS)
    assert np.array_equal(ours, words % cipher.modulus if cipher.modulus else words)

    message = theirs.serialize()
    (chunk,) = encrypted(cipher, words)
    frame, old = ring_cipher.SealFrame.of(
        ring_cipher.saved_object(message), 97, ring.CIPHERTEXT_BYTES
    )
    assert old != chunk
    tail = message[len(message) - 9 :] if method == "ckks" else b""
    sizes = ring_cipher.packed_field(1, module.SLOTS)
    assert message.startswith(sizes)
    opened = vector_from(
        context, sizes + ring_cipher.field(2, frame.put_together(chunk)) + tail
    ).decrypt()
    assert np.allclose(opened, scaled, rtol=0, atol=0 if method == "masked_he" else 2.0**-30)


@pytest.fixture(scope="module")
def seal():
    """SEAL's own objects under the parameters of ``masked_he``."""
    parameters = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.BFV)
    parameters.set_poly_modulus_degree(ring.DEGREE)
    parameters.set_coeff_modulus(
        sealapi.CoeffModulus.Create(ring.DEGREE, list(ring.COEFFICIENT_BITS))
    )
    parameters.set_plain_modulus(bfv.PLAIN_MODULUS)
    return sealapi.SEALContext(parameters, True, sealapi.SEC_LEVEL_TYPE.TC128)


def test_seal_must_accept_the_parameters_as_128_bits(seal):
    assert seal.parameters_set()
    chain = [
        [modulus.value() for modulus in data.parms().coeff_modulus()]
        for data in (seal.key_context_data(), seal.first_context_data())
    ]
    assert chain == [[ring.MODULUS, ring.SPECIAL_MODULUS], [ring.MODULUS]]
    level = sealapi.SEC_LEVEL_TYPE
    assert sealapi.CoeffModulus.MaxBitCount(ring.DEGREE, level.TC128) == 109
    assert sealapi.CoeffModulus.MaxBitCount(ring.DEGREE, level.TC192) == 75
    assert (ring.MODULUS * ring.SPECIAL_MODULUS).bit_length() == 76
    assert ring.MODULUS.bit_length() == 60


def test_moduli_must_be_the_largest_primes_that_fit():
    step = 2 * ring.DEGREE
    for modulus, bits in ((ring.MODULUS, 60), (ring.SPECIAL_MODULUS, 16), (bfv.PLAIN_MODULUS, 40)):
        assert gmpy2.is_prime(modulus)
        assert modulus % step == 1
        larger = range(modulus + step, 1 << bits, step)
        assert not any(gmpy2.is_prime(candidate) for candidate in larger)


def test_noise_must_leave_a_budget_after_256_additions(seal):
    """Fresh 15 bits, 11 after 256 additions (SPEC.md §4): an opened sum is never a near miss."""
    keys = sealapi.KeyGenerator(seal)
    encryptor = sealapi.Encryptor(seal, keys.secret_key())
    decryptor = sealapi.Decryptor(seal, keys.secret_key())
    encoder, evaluator = sealapi.BatchEncoder(seal), sealapi.Evaluator(seal)

    def fresh(number):
        plain, sealed = sealapi.Plaintext(), sealapi.Ciphertext()
        encoder.encode((drawn(bfv.SLOTS, 62, number) % bfv.PLAIN_MODULUS).tolist(), plain)
        encryptor.encrypt_symmetric(plain, sealed)
        return sealed

    total = fresh(0)
    assert decryptor.invariant_noise_budget(total) >= 14
    for number in range(1, 256):
        evaluator.add_inplace(total, fresh(number))
    assert decryptor.invariant_noise_budget(total) >= 10


@pytest.mark.parametrize("contributions", [3, 100, 256])
def test_ckks_noise_must_stay_far_below_half_a_unit(contributions):
    """Largest error seen is 2^-13 of a unit (SPEC.md §4); it is refused from 2^-5 on."""
    cipher, adder = cipher_of("ckks"), adder_of("ckks")
    half = 1 << 23
    patterns = [drawn(ckks.SLOTS, 24), np.full(ckks.SLOTS, -half), np.full(ckks.SLOTS, half - 1)]
    worst = 0.0
    for words in patterns:
        adder.start()
        for _ in range(contributions):
            adder.add(encrypted(cipher, words))
        values = cipher._decrypt_blocks(adder.total(), contributions, ckks.SLOTS)
        worst = max(worst, np.abs(values * half - words * contributions).max())
    assert worst < 2.0**-11
    assert ckks.ROUNDING_BOUND <= 2.0**-5


def test_seal_must_draw_from_blake2xb_under_a_fresh_seed():
    factory = sealapi.Blake2xbPRNGFactory.DefaultFactory()
    assert factory.use_random_seed()
    assert factory.create().info().type() == sealapi.prng_type.blake2xb


def phe_keys():
    key = PrivateKey.from_bytes(key_of("paillier").secret, SUITE)
    public = phe.PaillierPublicKey(int(key.public_key.n))
    return public, phe.PaillierPrivateKey(public, int(key.p), int(key.q))


def plain_slots(plaintext, n):
    """Words of 32 bits, signed, read off one after the other as the SPEC says."""
    value = plaintext - n if plaintext > n // 2 else plaintext
    words = []
    for _ in range(63):
        word = (value + (1 << 31)) % (1 << 32) - (1 << 31)
        words.append(word)
        value = (value - word) >> 32
    assert value == 0
    return words


def test_phe_must_open_a_packed_sum():
    cipher, adder = cipher_of("paillier"), adder_of("paillier")
    public, private = phe_keys()
    contributions = [drawn(150, 30, number) for number in range(3)]
    for words in contributions:
        adder.add(encrypted(cipher, words))
    (chunk,) = adder.total()
    opened = []
    for start in range(0, len(chunk), 512):
        number = phe.EncryptedNumber(public, int.from_bytes(chunk[start : start + 512], "big"))
        opened += plain_slots(private.decrypt(number) % public.n, public.n)
        assert opened[-63:] == plain_slots(private.raw_decrypt(number.ciphertext(False)), public.n)
    assert opened[:150] == np.sum(contributions, axis=0).tolist()
    assert set(opened[150:]) == {0}


def test_we_must_open_what_phe_packed_and_added():
    public, _ = phe_keys()
    words = [drawn(63, 31, number).tolist() for number in range(2)]
    plaintexts = [sum(word << 32 * slot for slot, word in enumerate(row)) for row in words]
    total = public.encrypt(plaintexts[0]) + public.encrypt(plaintexts[1])
    chunk = total.ciphertext().to_bytes(512, "big")
    opened = cipher_of("paillier").decrypt([chunk], contributions=2, length=63)
    assert opened.tolist() == [sum(pair) for pair in zip(*words, strict=True)]
    assert paillier.Slots(2048).count == 63
    assert paillier.Slots(3072).count == 95
