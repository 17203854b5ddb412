"""How often an encoding fails, simulated with bands narrow enough for it to happen.

The rows are those of the OKVS with all but ``width`` coefficients cleared; SPEC.md §4 extrapolates
to the 256 of the protocol.
"""

from __future__ import annotations

from math import log, log2

import numpy as np
import pytest

from protocols.kernels import band
from protocols.okvs.okvs import MAX_KEYS
from protocols.suite import get_suite

SUITE = get_suite("intl")
KEYS = 1 << 14


def failures(width: int, keys: int, trials: int) -> int:
    """Return how many of ``trials`` random systems of ``keys`` rows have dependent rows."""
    stream = SUITE.stream(bytes(32), f"okvs failures {width} {keys}".encode())
    starts = -(-11 * keys // 10)
    columns = -(-(starts + band.MARGIN - 1) // 64) * 64
    places, spare = np.empty(keys, np.uint64), np.empty(keys, np.uint64)
    high, values = np.zeros((keys, 2), np.uint64), np.zeros(keys, np.uint64)
    failed = 0
    for _ in range(trials):
        hashes, low = stream.words(4 * keys).reshape(2, keys, 2)
        band.place(hashes, 0, starts, places)
        band.sort_places(places, spare, starts.bit_length())
        low[:, 0] &= np.uint64((1 << width) - 1)
        low[:, 1] = 0
        pivots = np.zeros((columns, band.PIVOT_WORDS), np.uint64)
        failed += not band.eliminate(places, low, high, values, pivots)
    return failed


def dependencies(width: int, keys: int, trials: int) -> float:
    """Return how many places of a system fail on average, independently of one another."""
    return -log(1 - failures(width, keys, trials) / trials)


def test_failures_are_as_published_and_extrapolate_below_the_bound():
    """Bienstock et al., eps = 0.1: 2^(15.21 - 0.2691 width) for 2^20 keys."""
    widths, trials = np.array([40, 48, 56, 64]), [200, 400, 800, 2000]
    bits = np.array(
        [log2(dependencies(w, KEYS, t)) for w, t in zip(widths.tolist(), trials, strict=True)]
    )
    published = 15.21 - 0.2691 * widths + log2(KEYS / 2**20)
    assert np.abs(bits - published).max() < 1.5
    slope, constant = np.polyfit(widths, bits, 1)
    assert -0.32 < slope < -0.23
    assert slope * band.BAND + constant + log2(MAX_KEYS / KEYS) < -40


def test_failures_are_proportional_to_the_keys():
    few, many = dependencies(40, 4096, 1000), dependencies(40, 4 * 4096, 300)
    assert 2.5 < many / few < 7


@pytest.mark.slow
def test_no_system_of_the_protocols_band_fails():
    stream = SUITE.stream(bytes(32), b"okvs full band")
    for _ in range(60):
        keys = 1 << 16
        starts = -(-11 * keys // 10)
        columns = -(-(starts + band.MARGIN - 1) // 64) * 64
        places = np.empty(keys, np.uint64)
        hashes, low, high = stream.words(6 * keys).reshape(3, keys, 2)
        band.place(hashes, 0, starts, places)
        band.sort_places(places, np.empty_like(places), starts.bit_length())
        pivots = np.zeros((columns, band.PIVOT_WORDS), np.uint64)
        assert band.eliminate(places, low, high, np.zeros(keys, np.uint64), pivots)
