"""Sums over levels of trees, and the missing node they give, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels.ggm import complete, sum_sides


def level(data: st.DataObject, depth: int, trees: int) -> tuple[np.ndarray, int]:
    """Random nodes of one level: 2^depth left children a tree and at least one right one."""
    left = 1 << depth
    right = data.draw(st.integers(1, left))
    seed = data.draw(st.integers(0, 2**32))
    words = np.arange(2 * trees * (left + right), dtype=np.uint64) + np.uint64(seed)
    words *= np.uint64(0x9E3779B97F4A7C15)
    words ^= words >> np.uint64(29)
    return words.reshape(-1, 2), left


@settings(max_examples=30, deadline=None)
@given(data=st.data(), depth=st.integers(0, 6), trees=st.integers(1, 12))
def test_sums_are_numpys(data, depth, trees):
    nodes, left = level(data, depth, trees)
    out = np.full((2, trees, 2), 7, np.uint64)
    sum_sides(nodes, left * trees, trees, out)
    shaped = nodes.reshape(-1, trees, 2)
    assert np.array_equal(out[0], np.bitwise_xor.reduce(shaped[:left], axis=0))
    assert np.array_equal(out[1], np.bitwise_xor.reduce(shaped[left:], axis=0))


@settings(max_examples=50, deadline=None)
@given(data=st.data(), depth=st.integers(0, 6), trees=st.integers(1, 12))
def test_a_level_is_completed_from_the_sum_of_the_other_side(data, depth, trees):
    nodes, left = level(data, depth, trees)
    rows = len(nodes) // trees
    # Higher bits than this level's are of no matter here.
    paths = np.array(
        [data.draw(st.integers(0, rows - 1)) | data.draw(st.integers(0, 3)) << (depth + 1)
         for _ in range(trees)],
        np.int64,
    )  # fmt: skip
    missing = paths & (2 * left - 1)
    sums = np.empty((2, trees, 2), np.uint64)
    sum_sides(nodes, left * trees, trees, sums)
    known = np.stack([sums[1 - (path >> depth & 1), i] for i, path in enumerate(paths)])

    # Both children of the missing parent are garbage at first.
    grown = nodes.copy().reshape(-1, trees, 2)
    for i, path in enumerate(missing):
        for row in (path % left, path % left + left):
            if row < rows:
                grown[row, i] = data.draw(st.integers(0, 2**64 - 1))
    totals = np.empty((trees, 2), np.uint64)
    complete(grown.reshape(-1, 2), paths, depth, known, totals)

    expected = nodes.copy().reshape(-1, trees, 2)
    for i, path in enumerate(missing):
        expected[path, i] = 0
    assert np.array_equal(grown, expected)
    assert np.array_equal(totals, np.bitwise_xor.reduce(expected, axis=0))


def test_arrays_of_other_shapes_are_refused():
    nodes, out = np.zeros((12, 2), np.uint64), np.zeros((2, 4, 2), np.uint64)
    sum_sides(nodes, 8, 4, out)
    for bad in (
        lambda: sum_sides(nodes, 6, 4, out),
        lambda: sum_sides(nodes, 4, 4, out),
        lambda: sum_sides(nodes[:11], 8, 4, out),
        lambda: sum_sides(nodes[::2], 4, 2, out[:, :2]),
        lambda: sum_sides(nodes.reshape(-1), 8, 4, out),
        lambda: sum_sides(nodes, 8, 4, out[:, :3]),
    ):
        with pytest.raises(ValueError, match=r"node|level|nodes"):
            bad()
    paths, known = np.zeros(4, np.int64), np.zeros((4, 2), np.uint64)
    complete(nodes, paths, 1, known, known.copy())
    for bad in (
        lambda: complete(nodes, paths, 0, known, known.copy()),
        lambda: complete(nodes, paths, 2, known, known.copy()),
        lambda: complete(nodes, paths, 1, known[:3], known.copy()),
        lambda: complete(nodes, paths, 1, known, known[:3].copy()),
    ):
        with pytest.raises(ValueError, match=r"node|level"):
            bad()
