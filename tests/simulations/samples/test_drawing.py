"""Draws from a suite's stream have the distributions they are named after."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.suite import get_suite
from simulations.samples.drawing import dirichlet, normals, uniforms

SUITE = get_suite("gm")


def test_uniforms_must_fill_the_open_interval() -> None:
    drawn = uniforms(SUITE.stream(bytes(32), b"uniforms"), 200, 500)
    assert drawn.shape == (200, 500)
    assert 0 < drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    tenths = np.histogram(drawn, bins=10, range=(0, 1))[0] / drawn.size
    assert np.abs(tenths - 0.1).max() < 0.005


def test_normals_must_have_the_moments_of_the_normal() -> None:
    drawn = normals(SUITE.stream(bytes(32), b"normals"), 100_000)
    moments = [float((drawn**power).mean()) for power in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.05)


@pytest.mark.parametrize("concentration", [0.1, 0.5, 1.0, 4.0])
def test_dirichlet_must_have_its_mean_and_variance(concentration: float) -> None:
    places, draws = 4, 1500
    stream = SUITE.stream(bytes(32), b"dirichlet")
    shares = np.array([dirichlet(stream, concentration, places) for _ in range(draws)])
    assert shares.min() >= 0
    assert shares.sum(axis=1) == pytest.approx(1)
    # Johnson, Kotz, Balakrishnan: var = a(A - a) / A^2(A + 1), with A = places * a.
    total = places * concentration
    variance = concentration * (total - concentration) / (total**2 * (total + 1))
    assert shares.mean(axis=0) == pytest.approx(1 / places, abs=0.03)
    assert shares.var(axis=0) == pytest.approx(variance, rel=0.15)


def test_a_tiny_concentration_must_stay_a_distribution() -> None:
    stream = SUITE.stream(bytes(32), b"tiny")
    shares = np.array([dirichlet(stream, 0.01, 5) for _ in range(200)])
    assert np.isfinite(shares).all()
    assert (shares.max(axis=1) > 0.9).mean() > 0.8
