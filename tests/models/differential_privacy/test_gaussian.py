"""The noise: its distribution for a fixed seed, and where it comes from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.differential_privacy.gaussian import BLOCK, _box_muller, gaussian
from protocols.suite import get_suite
from tests.models.horizontal.made import SUITE

SEED = b"\7" * 32


def _noise(count, info=b"noise", suite=SUITE):
    return gaussian(suite.stream(SEED, info), count)


@pytest.mark.parametrize("suite", ["gm", "intl"])
def test_samples_are_standard_normal(suite):
    found = _noise(200_000, suite=get_suite(suite))
    assert stats.kstest(found, "norm").pvalue > 0.001
    assert abs(found.mean()) < 4 / np.sqrt(200_000)
    assert abs(found.var() - 1) < 4 * np.sqrt(2 / 200_000)
    assert abs(stats.kurtosis(found)) < 4 * np.sqrt(24 / 200_000)
    # The tails are what a privacy guarantee stands on.
    for far in (2, 3, 4):
        expected = 2 * stats.norm.sf(far) * 200_000
        assert abs((np.abs(found) > far).sum() - expected) < 4 * np.sqrt(expected) + 1


def test_neighbours_are_independent():
    found = _noise(100_000)
    for distance in (1, 2, BLOCK, 50_000):
        correlation = np.corrcoef(found[:-distance], found[distance:])[0, 1]
        assert abs(correlation) < 4 / np.sqrt(len(found) - distance)
    pairs = np.abs(found)
    assert abs(np.corrcoef(pairs[:-1], pairs[1:])[0, 1]) < 4 / np.sqrt(len(found))


def test_one_sample_is_half_the_sum_of_four():
    four = _box_muller(SUITE.stream(SEED, b"noise"), 8).reshape(4, 4)
    assert np.array_equal(_noise(3), (four.sum(axis=0) / 2)[:3])
    assert stats.kstest(_box_muller(SUITE.stream(SEED, b"x"), 50_000), "norm").pvalue > 0.001


def test_the_stream_alone_decides():
    assert np.array_equal(_noise(1000), _noise(1000))
    assert not np.array_equal(_noise(1000), _noise(1000, b"other"))
    assert np.isfinite(_noise(0)).all()
    assert len(_noise(BLOCK + 1)) == BLOCK + 1


def test_the_extreme_uniforms_are_finite():
    class Extreme:
        def __init__(self, word):
            self.word = word

        def words(self, count):
            return np.full(count, self.word, np.uint64)

    for word in (0, 2**64 - 1):
        found = gaussian(Extreme(word), 6)
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 2 * 8.6
