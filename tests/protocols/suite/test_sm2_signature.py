"""SM2 signatures: the standard's example, hedged nonces, strict verification."""

from __future__ import annotations

import json
from pathlib import Path

import gmssl.func
import gmssl.sm2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import InvalidSignature, get_suite, sm2_signature
from tests.protocols.suite import plain_gm

VECTOR = json.loads(
    (Path(__file__).parents[2] / "vectors" / "suite" / "sm2_signature.json").read_text("utf-8")
)
N = plain_gm.N
SUITE = get_suite("gm")
PRIVATE, PUBLIC = SUITE.generate_signing_key(b"\x07" * 32)
ENTROPY = b"\x08" * 32
MESSAGE = b"size statement"
SIGNATURE = SUITE.sign(PRIVATE, MESSAGE, ENTROPY)


def integers(signature: bytes) -> tuple[int, int]:
    length = signature[3]
    return (
        int.from_bytes(signature[4 : 4 + length], "big"),
        int.from_bytes(signature[6 + length :], "big"),
    )


def test_the_standards_example(monkeypatch):
    nonce = int(VECTOR["nonce"], 16)
    monkeypatch.setattr(sm2_signature, "_nonces", lambda *_: iter([nonce]))
    private, public, message = (
        bytes.fromhex(VECTOR[name]) for name in ("private_key", "public_key", "message")
    )
    assert SUITE.public_key(private) == public
    assert sm2_signature.message_digest(public, message).hex() == VECTOR["digest"]
    signature = SUITE.sign(private, message, ENTROPY)
    assert signature == plain_gm.der(int(VECTOR["r"], 16), int(VECTOR["s"], 16))
    SUITE.verify(public, message, signature)


def test_gmssls_own_random_source_is_never_called(monkeypatch):
    def forbidden(*_):
        raise RuntimeError("gmssl drew from Python's random")

    monkeypatch.setattr("random.choice", forbidden)
    monkeypatch.setattr(gmssl.func, "choice", forbidden)
    monkeypatch.setattr(gmssl.sm2, "choice", forbidden)
    with pytest.raises(RuntimeError):  # the tripwire is where gmssl would fall into it
        gmssl.sm2.CryptSM2(PRIVATE.hex(), "").sign_with_sm3(b"")

    private, public = SUITE.generate_signing_key(b"\x09" * 32)
    SUITE.verify(public, MESSAGE, SUITE.sign(private, MESSAGE, ENTROPY))


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=100),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=5, deadline=None)
def test_sign_matches_a_second_implementation(seed, message, entropy):
    private, public = SUITE.generate_signing_key(seed)
    assert public == plain_gm.public_key(private)
    signature = SUITE.sign(private, message, entropy)
    assert signature == plain_gm.sign(private, message, entropy)
    assert plain_gm.verify(public, message, *integers(signature))
    SUITE.verify(public, message, signature)


def test_a_replay_signs_the_same_bytes():
    assert SUITE.sign(PRIVATE, MESSAGE, ENTROPY) == SIGNATURE


def nonce_of(private: bytes, message: bytes, entropy: bytes) -> int:
    digest = sm2_signature.message_digest(SUITE.public_key(private), message)
    return next(sm2_signature._nonces(private, entropy, digest))


def test_the_nonce_changes_with_message_entropy_and_key():
    other, _ = SUITE.generate_signing_key(b"\x0a" * 32)
    nonces = {
        nonce_of(PRIVATE, MESSAGE, ENTROPY),
        nonce_of(PRIVATE, MESSAGE + b".", ENTROPY),
        nonce_of(PRIVATE, MESSAGE, bytes(32)),
        nonce_of(other, MESSAGE, ENTROPY),
    }
    assert len(nonces) == 4


@pytest.mark.parametrize("case", ["r = 0", "r + k = n", "s = 0"])
def test_degenerate_nonces_are_passed_over(monkeypatch, case):
    bad = nonce_of(PRIVATE, MESSAGE, ENTROPY)
    good = nonce_of(PRIVATE, MESSAGE, bytes(32))
    x = plain_gm.multiply(bad, plain_gm.G)[0]
    r = {"r = 0": 0, "r + k = n": N - bad, "s = 0": bad * pow(int(PRIVATE.hex(), 16), -1, N)}[case]
    digest = ((r - x) % N).to_bytes(32, "big")
    monkeypatch.setattr(sm2_signature, "message_digest", lambda *_: digest)
    monkeypatch.setattr(sm2_signature, "_nonces", lambda *_: iter([bad, good]))
    signature = SUITE.sign(PRIVATE, MESSAGE, ENTROPY)
    assert (
        integers(signature)[0]
        == (int.from_bytes(digest, "big") + plain_gm.multiply(good, plain_gm.G)[0]) % N
    )


def test_nonces_out_of_range_are_passed_over(monkeypatch):
    values = iter([bytes(32), N.to_bytes(32, "big"), b"\xff" * 32, (5).to_bytes(32, "big")])
    monkeypatch.setattr(
        sm2_signature,
        "hmac_sm3",
        lambda key, *parts: b"key" if key == PRIVATE else next(values),
    )
    assert next(sm2_signature._nonces(PRIVATE, ENTROPY, bytes(32))) == 5


def test_an_honest_signature_verifies():
    SUITE.verify(PUBLIC, MESSAGE, SIGNATURE)
    with pytest.raises(InvalidSignature):
        SUITE.verify(PUBLIC, MESSAGE + b".", SIGNATURE)
    with pytest.raises(InvalidSignature):
        SUITE.verify(SUITE.generate_signing_key(b"\x0b" * 32)[1], MESSAGE, SIGNATURE)


R, S = integers(SIGNATURE)


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, S), (R, 0), (N, S), (R, N), (R + N, S), (R, S + N), (N - S, S), (S, R), (R, S + 1)],
)
def test_verify_refuses_other_integers(r, s):
    with pytest.raises(InvalidSignature):
        SUITE.verify(PUBLIC, MESSAGE, plain_gm.der(r, s))


NEGATIVE = plain_gm.der(R, S)[:4] + b"\xff" + plain_gm.der(R, S)[5:]


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:-1],
        SIGNATURE + b"\0",
        b"\x31" + SIGNATURE[1:],
        b"\x30\x81" + SIGNATURE[1:],  # length in the long form: BER, not DER
        b"\x30" + bytes([SIGNATURE[1] + 1, 2, SIGNATURE[3] + 1, 0]) + SIGNATURE[4:],  # padded r
        R.to_bytes(32, "big") + S.to_bytes(32, "big"),  # raw r || s
        NEGATIVE,
    ],
)
def test_verify_refuses_anything_but_canonical_der(signature):
    with pytest.raises(InvalidSignature):
        SUITE.verify(PUBLIC, MESSAGE, signature)


def test_canonical_der_does_not_rest_on_the_librarys_strictness(monkeypatch):
    monkeypatch.setattr(sm2_signature, "decode_dss_signature", lambda _: (R, S))
    SUITE.verify(PUBLIC, MESSAGE, SIGNATURE)
    with pytest.raises(InvalidSignature, match="canonical"):
        SUITE.verify(PUBLIC, MESSAGE, b"\x30\x81" + SIGNATURE[1:])


@pytest.mark.parametrize(("r", "s", "added"), [(2, 5, N), (0, 5, 0)])
def test_the_range_is_checked_where_the_equation_alone_would_hold(monkeypatch, r, s, added):
    q = (int.from_bytes(PUBLIC[1:33], "big"), int.from_bytes(PUBLIC[33:], "big"))
    point = plain_gm.add(plain_gm.multiply(s, plain_gm.G), plain_gm.multiply(r + s, q))
    digest = ((r - point[0]) % N).to_bytes(32, "big")
    monkeypatch.setattr(sm2_signature, "message_digest", lambda *_: digest)
    if r:
        SUITE.verify(PUBLIC, MESSAGE, plain_gm.der(r, s))
    with pytest.raises(InvalidSignature, match=r"in \[1, n - 1\]"):
        SUITE.verify(PUBLIC, MESSAGE, plain_gm.der(r, s + added))


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_verify_raises_nothing_else(signature):
    with pytest.raises(InvalidSignature):
        SUITE.verify(PUBLIC, MESSAGE, signature)


P_BYTES = plain_gm.P.to_bytes(32, "big")


@pytest.mark.parametrize(
    "public",
    [
        b"",
        PUBLIC[:-1],
        PUBLIC + b"\0",
        PUBLIC[1:],
        b"\x03" + PUBLIC[1:],
        b"\x02" + PUBLIC[1:33],  # compressed
        PUBLIC[:-1] + bytes([PUBLIC[-1] ^ 1]),  # not on the curve
        b"\x04" + bytes(64),
        b"\x04" + P_BYTES + PUBLIC[33:],
        b"\x04" + b"\xff" * 64,
    ],
)
def test_verify_refuses_a_bad_public_key(public):
    with pytest.raises(InvalidSignature, match="public key"):
        SUITE.verify(public, MESSAGE, SIGNATURE)


def test_keys_that_begin_with_zeros_and_fours_verify():
    """gmssl's constructor strips leading 0 and 4 digits of such keys; ours must not."""
    found = 0
    for seed in range(400):
        private, public = SUITE.generate_signing_key(seed.to_bytes(32, "big"))
        if public[1] in (0x00, 0x04, 0x40, 0x44):
            SUITE.verify(public, MESSAGE, SUITE.sign(private, MESSAGE, ENTROPY))
            found += 1
    assert found >= 3


def test_verify_refuses_a_sum_at_infinity():
    """s G + t P = infinity, which only the key's owner can arrange, is refused like any other."""
    d = int.from_bytes(PRIVATE, "big")
    s = 12345
    t = -s * pow(d, -1, N) % N
    with pytest.raises(InvalidSignature):
        SUITE.verify(PUBLIC, MESSAGE, plain_gm.der((t - s) % N, s))


@pytest.mark.parametrize(
    "private", [b"", bytes(31), bytes(32), (N - 1).to_bytes(32, "big"), b"\xff" * 32, b"\1" * 33]
)
def test_private_keys_out_of_range_are_refused(private):
    with pytest.raises(ValueError, match=r"in \[1, n - 2\]"):
        SUITE.public_key(private)
    with pytest.raises(ValueError, match=r"in \[1, n - 2\]"):
        SUITE.sign(private, MESSAGE, ENTROPY)


def test_the_largest_private_key_signs():
    private = (N - 2).to_bytes(32, "big")
    SUITE.verify(SUITE.public_key(private), MESSAGE, SUITE.sign(private, MESSAGE, ENTROPY))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_entropy_is_32_bytes(length):
    with pytest.raises(ValueError, match="entropy must be 32 bytes"):
        SUITE.sign(PRIVATE, MESSAGE, bytes(length))


def test_generated_keys_follow_their_seed():
    assert SUITE.generate_signing_key(b"\x07" * 32) == (PRIVATE, PUBLIC)
    assert SUITE.generate_signing_key(b"\x17" * 32)[0] != PRIVATE
    with pytest.raises(ValueError, match="at least 32 bytes"):
        SUITE.generate_signing_key(bytes(16))
