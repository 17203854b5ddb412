"""Ed25519: RFC 8032, a second implementation, and what is refused that OpenSSL would take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature as OpenSslRefused
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import InvalidSignature, ed25519_signature, get_suite
from tests.protocols.suite import plain_intl

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "suite" / "ed25519.json").read_text("utf-8")
)["vectors"]
SUITE = get_suite("intl")
PRIVATE, PUBLIC = SUITE.generate_signing_key(b"\x07" * 32)
ENTROPY = b"\x08" * 32
MESSAGE = b"size statement"
SIGNATURE = SUITE.sign(PRIVATE, MESSAGE, ENTROPY)
P, L = plain_intl.P, plain_intl.L


def encoded(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{len(vector['message']) // 2} B")
def test_rfc_8032(vector):
    private, public, message, signature = (
        bytes.fromhex(vector[name])
        for name in ("private_key", "public_key", "message", "signature")
    )
    assert SUITE.public_key(private) == public
    assert SUITE.sign(private, message, ENTROPY) == signature
    SUITE.verify(public, message, signature)
    with pytest.raises(InvalidSignature):
        SUITE.verify(public, message + b".", signature)


def test_all_five_vectors_are_there():
    assert [len(vector["message"]) // 2 for vector in VECTORS] == [0, 1, 2, 1023, 64]


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
@settings(max_examples=10, deadline=None)
def test_sign_matches_a_second_implementation(seed, message):
    private, public = SUITE.generate_signing_key(seed)
    assert private == plain_intl.key_stream(seed, b"ed25519 signing key", 32)
    assert public == plain_intl.compress(
        plain_intl.multiply(plain_intl.expand(private)[0], plain_intl.BASE)
    )
    signature = SUITE.sign(private, message, bytes(32))
    assert signature == plain_intl.sign(private, message)
    SUITE.verify(public, message, signature)


def test_entropy_changes_nothing_but_its_length_is_checked():
    assert SUITE.sign(PRIVATE, MESSAGE, bytes(32)) == SIGNATURE
    for length in (0, 31, 33):
        with pytest.raises(ValueError, match="entropy must be 32 bytes"):
            SUITE.sign(PRIVATE, MESSAGE, bytes(length))


@pytest.mark.parametrize("position", range(0, 64, 7))
def test_a_changed_signature_is_refused(position):
    changed = bytearray(SIGNATURE)
    changed[position] ^= 1
    with pytest.raises(InvalidSignature):
        SUITE.verify(PUBLIC, MESSAGE, bytes(changed))


def test_another_s_that_satisfies_the_equation_is_refused():
    s = int.from_bytes(SIGNATURE[32:], "little") + L
    with pytest.raises(InvalidSignature, match="does not verify"):
        SUITE.verify(PUBLIC, MESSAGE, SIGNATURE[:32] + s.to_bytes(32, "little"))


def test_a_commitment_in_another_encoding_is_refused():
    """R = identity as y = 1 + p: the equation holds, the encoding is not the canonical one."""
    scalar, _ = plain_intl.expand(PRIVATE)
    for commitment, accepted in ((encoded(1), True), (encoded(P + 1), False)):
        k = plain_intl.sha512_number(commitment, PUBLIC, MESSAGE) % L
        forged = commitment + (k * scalar % L).to_bytes(32, "little")
        if accepted:  # only the key's owner can make it: it shows that the equation holds
            SUITE.verify(PUBLIC, MESSAGE, forged)
        else:
            with pytest.raises(InvalidSignature, match="does not verify"):
                SUITE.verify(PUBLIC, MESSAGE, forged)


def small_order_points() -> list[tuple[int, int]]:
    """The 8 multiples of a point of order 8, from L times some point outside the subgroup."""
    for y in range(2, 100):
        try:
            point = plain_intl.multiply(L, plain_intl.decompress(encoded(y)))
        except AssertionError:  # no point has this y
            continue
        if plain_intl.multiply(4, point) != plain_intl.IDENTITY:
            return [plain_intl.multiply(k, point) for k in range(8)]
    raise RuntimeError("no point of order 8 found")


SMALL = small_order_points()


def test_the_small_order_list_is_complete():
    assert len(set(SMALL)) == 8
    assert {y for _, y in SMALL} == ed25519_signature.LOW_ORDER


def openssl_takes(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except OpenSslRefused:
        return False
    return True


@pytest.mark.parametrize("point", SMALL)
def test_keys_of_small_order_are_refused_which_openssl_takes(point):
    """R = identity, S = 0 verifies one message in as many as the key's order: nobody signed."""
    public, forged = plain_intl.compress(point), encoded(1) + bytes(32)
    messages = [number.to_bytes(4, "big") for number in range(60)]
    assert any(openssl_takes(public, message, forged) for message in messages)
    for message in messages:
        with pytest.raises(InvalidSignature, match="small order"):
            SUITE.verify(public, message, forged)


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", range(P, 2**255))
def test_public_keys_that_are_not_canonical_are_refused(y, sign):
    with pytest.raises(InvalidSignature, match="not canonical"):
        SUITE.verify(encoded(y, sign), MESSAGE, SIGNATURE)


def test_openssl_takes_a_key_that_is_not_canonical():
    """Why the check above is ours: y = p + 1 is the identity to OpenSSL."""
    forged = encoded(1) + bytes(32)
    assert openssl_takes(encoded(P + 1), MESSAGE, forged)


@pytest.mark.parametrize("public", [b"", PUBLIC[:-1], PUBLIC + b"\0", encoded(2)])
def test_other_public_keys_are_refused(public):
    with pytest.raises(InvalidSignature):
        SUITE.verify(public, MESSAGE, SIGNATURE)


@given(st.binary(max_size=80), st.binary(max_size=40))
@settings(max_examples=100, deadline=None)
def test_verify_raises_nothing_else(signature, public):
    with pytest.raises(InvalidSignature):
        SUITE.verify(PUBLIC, MESSAGE, signature)
    with pytest.raises(InvalidSignature):
        SUITE.verify(public, MESSAGE, SIGNATURE)


@pytest.mark.parametrize("private", [b"", bytes(31), bytes(33)])
def test_private_keys_of_another_length_are_refused(private):
    with pytest.raises(ValueError, match="seed of 32 bytes"):
        SUITE.public_key(private)
    with pytest.raises(ValueError, match="seed of 32 bytes"):
        SUITE.sign(private, MESSAGE, ENTROPY)


def test_generated_keys_follow_their_seed():
    assert SUITE.generate_signing_key(b"\x07" * 32) == (PRIVATE, PUBLIC)
    assert SUITE.generate_signing_key(b"\x17" * 32)[0] != PRIVATE
    with pytest.raises(ValueError, match="at least 32 bytes"):
        SUITE.generate_signing_key(bytes(16))
