"""Points of SM2 and P-256 in eight lanes against plain integers and RFC 9380."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.suite import hash_to_curve, short_weierstrass

pytestmark = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")

if cpu.has(cpu.IFMA):
    from protocols.kernels import weierstrass, weierstrass_batch

    BLOCK_POINTS = 8 * weierstrass_batch.BLOCK
    CURVES = {
        "SM2": (weierstrass.SM2, short_weierstrass.SM2, -9),
        "P-256": (weierstrass.P256, short_weierstrass.P256, -10),
    }

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
both_curves = pytest.mark.parametrize("name", ["SM2", "P-256"])


def rows(values, width=32):
    octets = b"".join(int(value).to_bytes(width, "big") for value in values)
    return np.frombuffer(octets, np.uint8).reshape(-1, width)


def integers(octets):
    return [int.from_bytes(row.tobytes(), "big") for row in octets]


def multiples(name, count):
    """G, 2 G, 3 G, ... as lists of coordinates."""
    curve = CURVES[name][1]
    xs, ys = [curve.g_x], [curve.g_y]
    for _ in range(count - 1):
        x, y = short_weierstrass.add(curve, ([xs[-1]], [ys[-1]]), ([curve.g_x], [curve.g_y]))
        xs += x
        ys += y
    return xs, ys


def edges(n):
    small = [*range(1, 70), 1023, 1024, 1025]
    windows = [32**i + d for i in range(2, 52) for d in (-1, 0, 1)]
    middles = [(n - 1) // 2, (n + 1) // 2, 2**255, 2**255 + 1, 2**256 - n, n // 32]
    near = [*small, *windows, *middles]
    return [*near, *(n - k for k in near)]


@both_curves
def test_constants_are_the_portable_twins(name):
    fast, curve, _ = CURVES[name]
    assert (fast.prime, fast.order, fast.x, fast.y) == (curve.p, curve.n, curve.g_x, curve.g_y)


@both_curves
def test_scalars_at_every_edge(name):
    fast, curve, _ = CURVES[name]
    scalars = edges(fast.order)
    xs, ys = multiples(name, 2)
    expected = short_weierstrass.multiply_base(curve, scalars)
    x, y = weierstrass.multiply_base(fast, rows(scalars))
    assert (integers(x), integers(y)) == expected
    for i in range(2):
        point = rows([xs[i]] * len(scalars)), rows([ys[i]] * len(scalars))
        x, y = weierstrass.multiply(fast, rows(scalars), *point)
        if i == 1:
            expected = short_weierstrass.double(curve, expected)
        assert (integers(x), integers(y)) == expected


@both_curves
def test_shared_scalars_at_the_edges(name):
    fast, curve, _ = CURVES[name]
    n = fast.order
    points = multiples(name, 19)
    for scalar in (1, 2, 3, 62, n - 62, n - 2, n - 1, (n - 1) // 2, (n + 1) // 2):
        x, y = weierstrass.multiply(fast, rows([scalar]), rows(points[0]), rows(points[1]))
        assert (integers(x), integers(y)) == short_weierstrass.multiply(curve, scalar, points)


@both_curves
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_random_multiples(name, data):
    fast, curve, _ = CURVES[name]
    scalar = st.integers(1, fast.order - 1)
    logarithms = data.draw(st.lists(scalar, min_size=1, max_size=20))
    x, y = weierstrass.multiply_base(fast, rows(logarithms))
    points = short_weierstrass.multiply_base(curve, logarithms)
    assert (integers(x), integers(y)) == points
    own = [data.draw(scalar) for _ in logarithms]
    new_x, new_y = weierstrass.multiply(fast, rows(own), x, y)
    expected = [a * b % fast.order for a, b in zip(logarithms, own, strict=True)]
    assert (integers(new_x), integers(new_y)) == short_weierstrass.multiply_base(curve, expected)
    new_x, new_y = weierstrass.multiply(fast, rows(own[:1]), x, y)
    expected = [a * own[0] % fast.order for a in logarithms]
    assert (integers(new_x), integers(new_y)) == short_weierstrass.multiply_base(curve, expected)


@both_curves
def test_batches_over_one_block(name):
    fast, _, _ = CURVES[name]
    count = BLOCK_POINTS + 13
    scalars = [3 * i + 1 for i in range(count)]
    x, y = weierstrass.multiply_base(fast, rows(scalars))
    new_x, new_y = weierstrass.multiply(fast, rows([7]), x, y)
    expected = weierstrass.multiply_base(fast, rows([7 * k for k in scalars]))
    assert np.array_equal(new_x, expected[0])
    assert np.array_equal(new_y, expected[1])
    for i in (0, BLOCK_POINTS - 1, BLOCK_POINTS, count - 1):
        single = weierstrass.multiply_base(fast, rows([7 * scalars[i]]))
        assert np.array_equal(new_x[i : i + 1], single[0])
    sums = weierstrass.add(fast, x, y, *weierstrass.multiply_base(fast, rows([1] * count)))
    expected = weierstrass.multiply_base(fast, rows([k + 1 for k in scalars]))
    assert np.array_equal(sums[0], expected[0])
    assert np.array_equal(sums[1], expected[1])
    assert not sums[2].any()


@both_curves
@given(seed=st.integers(0, 2**256 - 1), count=st.integers(1, 40), odd=st.booleans())
@settings(max_examples=20, deadline=None)
def test_lifting_finds_the_first_x_that_is_none(name, seed, count, odd):
    fast, curve, _ = CURVES[name]
    xs = [pow(seed, i + 1, 2**256) for i in range(count)]
    y, invalid = weierstrass.lift(fast, rows(xs), np.array([odd]))
    roots = [short_weierstrass.lift(curve, mpz(x)) if x < curve.p else None for x in xs]
    assert invalid == next((i for i, root in enumerate(roots) if root is None), -1)
    for value, root in zip(integers(y), roots, strict=True):
        if root is not None:
            assert value in (root, curve.p - root)
            assert value % 2 == odd


@both_curves
@pytest.mark.parametrize("position", [0, 5, 8, 40])
def test_lifting_refuses_what_is_on_no_point_or_not_reduced(name, position):
    fast, curve, _ = CURVES[name]
    valid = [int(x) for x in multiples(name, 41)[0]]
    off = next(x for x in range(1, 100) if short_weierstrass.lift(curve, mpz(x)) is None)
    low = next(x for x in range(1, 100) if short_weierstrass.lift(curve, mpz(x)) is not None)
    no_flag = np.zeros(1, np.bool_)
    assert weierstrass.lift(fast, rows(valid), no_flag)[1] == -1
    for bad in (off, int(curve.p), int(curve.p) + low, 2**256 - 1):
        xs = valid.copy()
        xs[position] = bad
        assert weierstrass.lift(fast, rows(xs), no_flag)[1] == position


@both_curves
def test_sums_of_equal_opposite_and_other_points(name):
    fast, curve, _ = CURVES[name]
    xs, ys = multiples(name, 30)
    others = [xs[i] if i % 3 else xs[-1 - i] for i in range(30)]
    other_ys = [[ys[-1 - i], ys[i], curve.p - ys[i]][i % 3] for i in range(30)]
    x, y, infinite = weierstrass.add(fast, rows(xs), rows(ys), rows(others), rows(other_ys))
    assert infinite.tolist() == [i % 3 == 2 for i in range(30)]
    kept = [i for i in range(30) if i % 3 != 2]
    expected = short_weierstrass.add(
        curve,
        ([xs[i] for i in kept], [ys[i] for i in kept]),
        ([others[i] for i in kept], [other_ys[i] for i in kept]),
    )
    assert [integers(x)[i] for i in kept] == expected[0]
    assert [integers(y)[i] for i in kept] == expected[1]


def encoding(name):
    _, curve, z = CURVES[name]
    return hash_to_curve.SimplifiedSwu(
        p=curve.p, a=curve.p - 3, b=curve.b, z=curve.p + z, field_bytes=48, expander=None
    )


def test_the_map_matches_rfc_9380_on_p256():
    vectors = json.loads((VECTORS / "p256_xmd_sha256_sswu_nu.json").read_text("utf-8"))["vectors"]
    x, y = weierstrass.map_sswu(weierstrass.P256, rows([int(v["u"], 16) for v in vectors], 48))
    assert [f"{value:064x}" for value in integers(x)] == [v["x"] for v in vectors]
    assert [f"{value:064x}" for value in integers(y)] == [v["y"] for v in vectors]
    assert len(vectors) == 5


@both_curves
@given(st.lists(st.integers(0, 2**384 - 1), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_the_map_matches_plain_integers(name, numbers):
    fast, curve, _ = CURVES[name]
    x, y = weierstrass.map_sswu(fast, rows(numbers, 48))
    expected = [hash_to_curve.map_to_curve(mpz(u) % curve.p, encoding(name)) for u in numbers]
    assert list(zip(integers(x), integers(y), strict=True)) == expected


@both_curves
def test_exceptional_field_elements_are_mapped(name):
    fast, curve, z = CURVES[name]
    p = int(curve.p)
    # The denominator is 0 for u = 0 and for u^2 = -1/Z; every multiple of p stands for 0.
    root = pow(-pow(z, -1, p), (p + 1) // 4, p)
    numbers = [0, root, p - root, 1, p - 1, p, 2 * p, 2**128 * p, p + 1, 2**256, 2**384 - 1]
    x, y = weierstrass.map_sswu(fast, rows(numbers, 48))
    expected = [hash_to_curve.map_to_curve(mpz(u) % p, encoding(name)) for u in numbers]
    assert list(zip(integers(x), integers(y), strict=True)) == expected


@both_curves
def test_maps_over_one_block(name):
    fast, _, _ = CURVES[name]
    numbers = [pow(3, i, 2**384) for i in range(BLOCK_POINTS + 9)]
    x, y = weierstrass.map_sswu(fast, rows(numbers, 48))
    for start in (0, BLOCK_POINTS - 4):
        part = weierstrass.map_sswu(fast, rows(numbers[start : start + 13], 48))
        assert np.array_equal(x[start : start + 13], part[0])
        assert np.array_equal(y[start : start + 13], part[1])


@both_curves
def test_nothing_in_nothing_out(name):
    fast, _, _ = CURVES[name]
    none, wide = rows([]), rows([], 48)
    assert weierstrass.lift(fast, none, np.zeros(1, np.bool_))[1] == -1
    for result in (
        weierstrass.multiply(fast, rows([5]), none, none),
        weierstrass.multiply(fast, none, none, none),
        weierstrass.multiply_base(fast, none),
        weierstrass.add(fast, none, none, none, none)[:2],
        weierstrass.map_sswu(fast, wide),
    ):
        assert [part.shape for part in result] == [(0, 32), (0, 32)]


@both_curves
def test_wrong_shapes_and_scalars_are_refused(name):
    fast, _, _ = CURVES[name]
    x, y = weierstrass.multiply_base(fast, rows([1, 2, 3]))
    for scalar in (0, fast.order, 2**256 - 1):
        with pytest.raises(ValueError, match="n - 1"):
            weierstrass.multiply(fast, rows([scalar]), x, y)
        with pytest.raises(ValueError, match="n - 1"):
            weierstrass.multiply_base(fast, rows([1, scalar]))
    for call in (
        lambda: weierstrass.multiply(fast, rows([1, 2]), x, y),
        lambda: weierstrass.multiply(fast, rows([1]), x, y[:2]),
        lambda: weierstrass.multiply(fast, rows([1], 40), x, y),
        lambda: weierstrass.multiply(fast, rows([1]), x[:, :24], y[:, :24]),
        lambda: weierstrass.lift(fast, x, np.zeros(2, np.bool_)),
        lambda: weierstrass.lift(fast, x.astype(np.uint16), np.zeros(1, np.bool_)),
        lambda: weierstrass.add(fast, x, y, x, y[:1]),
        lambda: weierstrass.map_sswu(fast, x),
    ):
        with pytest.raises(ValueError, match="must be"):
            call()


@both_curves
@given(st.data())
@settings(max_examples=50, deadline=None)
def test_recoding_is_the_portable_twins(name, data):
    fast, _, _ = CURVES[name]
    scalar = data.draw(
        st.one_of(st.integers(1, fast.order - 1), st.sampled_from(edges(fast.order)))
    )
    digits, negative = weierstrass._digits(fast, rows([scalar]))
    odd = fast.order - scalar if scalar % 2 == 0 else scalar
    assert digits.tolist() == [short_weierstrass.odd_digits(odd)]
    assert negative.tolist() == [scalar % 2 == 0]
