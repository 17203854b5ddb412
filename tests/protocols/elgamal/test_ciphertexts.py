"""Encryption, sums and decryption against plain integers on both curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import elgamal
from protocols.suite import InvalidElement, get_suite
from tests.protocols.base_ot.plain_base_ot import P256, SM2

SUITES = {"gm": (get_suite("gm", "portable"), SM2), "intl": (get_suite("intl", "portable"), P256)}
GROUPS = pytest.mark.parametrize(("suite", "curve"), SUITES.values(), ids=SUITES.keys())
SEED = bytes(range(32))
BOUND = 1 << 34


def key_of(suite) -> elgamal.PrivateKey:
    return elgamal.PrivateKey.generate(suite.points, suite.stream(SEED, b"key"))


def encrypted(suite, values: list[int], purpose: bytes = b"encryption"):
    return key_of(suite).encrypt(np.array(values, np.int64), suite.stream(SEED, purpose))


@GROUPS
def test_ciphertexts_are_what_plain_integers_give(suite, curve):
    key = key_of(suite)
    stream = suite.stream(SEED, b"key")
    s = 1 + stream.below(curve.n - 1)
    assert key.public_key == curve.encode(curve.multiply(s, curve.g))
    values = [0, 1, 2**32 - 1, 77]
    rows = encrypted(suite, values)
    stream = suite.stream(SEED, b"encryption")
    for row, value in zip(rows, values, strict=True):
        r = 1 + stream.below(curve.n - 1)
        public = curve.multiply(s, curve.g)
        second = curve.add(curve.multiply(r, public), curve.multiply(value, curve.g))
        first = curve.multiply(r, curve.g)
        assert row.tobytes() == curve.encode(first) + curve.encode(second)


@pytest.mark.parametrize("name", SUITES)
def test_both_twins_encrypt_alike(name):
    automatic = get_suite(name)
    if automatic.kernels == "portable":
        pytest.skip("this processor has the portable kernels only")
    values = list(range(20))
    assert (encrypted(automatic, values) == encrypted(SUITES[name][0], values)).all()


@given(
    st.sampled_from(sorted(SUITES)),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=25, deadline=None)
def test_sums_decrypt_to_the_plain_sum(name, values, seed):
    suite, _ = SUITES[name]
    key = key_of(suite)
    sum_ = elgamal.add_all(suite.points, encrypted(suite, values))
    zero = elgamal.encrypt_zero(suite.points, key.public_key, suite.stream(seed, b"t"))
    assert key.decrypt(zero.tobytes(), 1) == 0
    other = elgamal.add_all(suite.points, np.concatenate([encrypted(suite, values), zero]))
    assert key.decrypt(sum_, BOUND) == key.decrypt(other, BOUND) == sum(values)
    share = key.share(elgamal.first_point(suite.points, other))
    assert elgamal.open_with_share(suite.points, other, share, BOUND) == sum(values)
    assert {sum_[:33], sum_[33:]}.isdisjoint({other[:33], other[33:]})


@GROUPS
def test_a_sum_may_pass_through_infinity(suite, curve):
    """Only the end counts: what a sum of some of the points is does not."""
    rows = encrypted(suite, [5, 6, 7])
    rows[1] = np.frombuffer(suite.points.negate(rows[0].tobytes()), np.uint8)
    assert key_of(suite).decrypt(elgamal.add_all(suite.points, rows), BOUND) == 7
    with pytest.raises(ValueError, match="must not be infinity"):
        elgamal.add_all(suite.points, rows[:2])
    with pytest.raises(ValueError, match="needs a point"):
        elgamal.add_all(suite.points, rows[:0])


@GROUPS
def test_what_is_out_of_range_is_not_decrypted(suite, curve):
    key, rows = key_of(suite), encrypted(suite, [0, 9, 10])
    assert [key.decrypt(row.tobytes(), 10) for row in rows] == [0, 9, None]
    assert key.decrypt(rows[0].tobytes(), 1) == 0
    wrong_share = key.share(rows[1].tobytes()[:33])
    assert elgamal.open_with_share(suite.points, rows[2].tobytes(), wrong_share, 1 << 20) is None


@GROUPS
def test_what_is_no_ciphertext_is_refused(suite, curve):
    key, rows = key_of(suite), encrypted(suite, [1, 2, 3])
    elgamal.check_ciphertexts(suite.points, rows)
    off = next(x for x in range(1, 99) if not curve.is_on_curve(x))
    bad = np.frombuffer(b"\x02" + off.to_bytes(32, "big"), np.uint8)
    for half in (slice(0, 33), slice(33, 66)):
        spoiled = rows.copy()
        spoiled[1, half] = bad
        with pytest.raises(InvalidElement) as raised:
            elgamal.check_ciphertexts(suite.points, spoiled)
        assert raised.value.index == 1
        with pytest.raises(InvalidElement):
            elgamal.add_all(suite.points, spoiled)
        with pytest.raises(InvalidElement):
            key.decrypt(spoiled[1].tobytes(), BOUND)
    with pytest.raises(ValueError, match="66 bytes"):
        key.decrypt(rows[0].tobytes()[:-1], BOUND)
    with pytest.raises(InvalidElement):
        elgamal.open_with_share(suite.points, rows[0].tobytes(), bad.tobytes(), BOUND)


@GROUPS
def test_values_must_not_be_negative(suite, curve):
    with pytest.raises(ValueError, match="negative"):
        encrypted(suite, [1, -1])
    assert encrypted(suite, []).shape == (0, 66)


def test_another_stream_gives_other_points():
    suite, _ = SUITES["gm"]
    first, second = encrypted(suite, [1, 1]), encrypted(suite, [1, 1], b"another")
    points = {row.tobytes()[half : half + 33] for row in (*first, *second) for half in (0, 33)}
    assert len(points) == 8


def test_the_private_key_stays_out_of_the_representation():
    key = key_of(SUITES["gm"][0])
    assert str(key.scalar) not in repr(key)
    assert "public_key" in repr(key)
