"""What both twins of Curve25519 do alike, by each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from protocols.kernels import cpu, curve25519
from protocols.suite import curve25519_portable as portable
from protocols.suite.curve25519_portable import LOW_ORDER
from tests.protocols.suite import plain_intl

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
P = plain_intl.P
CLAMPED = 2**254 + 8 * 0x1234567890ABCDEF
NEEDS_IFMA = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")
TWINS = [
    pytest.param(curve25519, marks=NEEDS_IFMA, id="lanes"),
    pytest.param(portable, id="portable"),
]


def uniform(*us: int) -> np.ndarray:
    data = b"".join(u.to_bytes(48, "big") for u in us)
    return np.frombuffer(data, np.uint8).reshape(-1, 48)


@pytest.mark.parametrize("twin", TWINS)
def test_map_matches_rfc_9380(twin):
    path = VECTORS / "curve25519_xmd_sha512_ell2_nu.json"
    vectors = json.loads(path.read_text(encoding="utf-8"))["vectors"]
    assert len(vectors) == 5
    xs = twin.map_elligator2(uniform(*(int(vector["u"], 16) for vector in vectors)))
    assert [x[::-1].tobytes().hex() for x in xs] == [vector["p_x"] for vector in vectors]


@pytest.mark.parametrize("twin", TWINS)
def test_other_shapes_are_refused(twin):
    for wrong in (np.zeros((2, 31), np.uint8), np.zeros(32, np.uint8), np.zeros((2, 32), np.int8)):
        with pytest.raises(ValueError, match="rows of 32"):
            twin.check(wrong)
        with pytest.raises(ValueError, match="rows of 32"):
            twin.multiply(CLAMPED, wrong)
    for wrong in (np.zeros((2, 47), np.uint8), np.zeros(48, np.uint8), np.zeros((1, 48), np.int8)):
        with pytest.raises(ValueError, match="rows of 48"):
            twin.map_elligator2(wrong)


@pytest.mark.parametrize("twin", TWINS)
def test_nothing_gives_nothing(twin):
    assert twin.check(np.empty((0, 32), np.uint8)) == -1
    assert twin.multiply(CLAMPED, np.empty((0, 32), np.uint8)).shape == (0, 32)
    assert twin.map_elligator2(np.empty((0, 48), np.uint8)).shape == (0, 32)


@pytest.mark.parametrize("twin", TWINS)
def test_an_item_that_encodes_to_the_identity_is_refused(twin):
    # u with -J / (1 + 2 u^2) = x for an x of low order: it exists, though no message is known.
    # And 0, whose x_1 = -J is not on the curve, so that x is x_2 = 0.
    other = next(
        plain_intl.square_root(square)
        for x in LOW_ORDER - {0}
        for square in [(-plain_intl.J * pow(x, -1, P) - 1) * pow(2, -1, P) % P]
        if plain_intl.is_square(plain_intl.curve(x)) and plain_intl.is_square(square)
    )
    for u in (other, 0, P, 2 * P):
        assert plain_intl.map_to_curve(u % P) in LOW_ORDER
        with pytest.raises(ValueError, match="identity"):
            twin.map_elligator2(uniform(*[1] * 100, u, *[2] * 200))
