"""Small logarithms: every number, at the borders of tables and blocks above all."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.elgamal import MAX_BOUND, logarithm, small_logarithm
from protocols.suite import InvalidElement, get_suite
from tests.protocols.base_ot.plain_base_ot import P256, SM2

GROUPS = {"SM2": get_suite("gm", "portable").points, "P-256": get_suite("intl", "portable").points}
BOTH = pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
REACH = logarithm._Walk(GROUPS["SM2"], logarithm.FIRST_INDEX).reach
WIDTH = 2 * REACH + 1
TABLE, BLOCK = logarithm.TABLE_POINTS, logarithm.BLOCK_POINTS
MIDDLE = WIDTH * BLOCK // 2


def solve(group, number: int, bound: int = MAX_BOUND) -> int | None:
    return small_logarithm(group, group.multiply_base([number]), bound)


@BOTH
@pytest.mark.parametrize(
    "number",
    [
        *(1, 2, 3, 4),
        *(TABLE - 1, TABLE, TABLE + 1, 2 * TABLE, BLOCK, BLOCK + 1, 3 * TABLE, 3 * TABLE + 1),
        *(REACH - 1, REACH, REACH + 1, WIDTH, WIDTH + 1),
        *(MIDDLE - 1, MIDDLE, MIDDLE + 1),
        # The centre is one of the table's points, or the opposite of one, or of the stride.
        *(MIDDLE - WIDTH, MIDDLE + WIDTH, MIDDLE + TABLE * WIDTH, MIDDLE - TABLE * WIDTH),
        *(MIDDLE + BLOCK * WIDTH, MIDDLE + 2 * BLOCK * WIDTH, MIDDLE + (BLOCK + 1) * WIDTH),
        # Where one block ends and the next begins.
        *(BLOCK * WIDTH - 1, BLOCK * WIDTH, BLOCK * WIDTH + 1),
        *((1 << 31) - 1, 1 << 31, (1 << 31) + 1, 1 << 35, 123_456_789_012),
    ],
)
def test_every_number_is_found(group, number):
    assert solve(group, number) == number


@given(st.sampled_from(sorted(GROUPS)), st.integers(1, 1 << 34))
@settings(max_examples=100, deadline=None)
def test_random_numbers_are_found(name, number):
    assert solve(GROUPS[name], number) == number


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("number", [(1 << 40) - 1, (1 << 44) + 5, MAX_BOUND - 1])
def test_large_numbers_are_found(group, number):
    assert solve(group, number) == number


@BOTH
def test_a_range_is_searched_without_gaps(group):
    """With a small index and a short table's blocks: all of 1 to 200."""
    constants = {"FIRST_INDEX": 4, "LARGEST_INDEX": 16, "TABLE_POINTS": 2, "BLOCK_POINTS": 5}
    curve = {"SM2": SM2, "P-256": P256}[group.name]
    with patch.multiple(logarithm, **constants):
        point = None
        for number in range(1, 201):
            point = curve.add(point, curve.g)
            assert small_logarithm(group, curve.encode(point), 201) == number
        point = curve.add(point, curve.g)
        assert small_logarithm(group, curve.encode(point), 201) is None


@BOTH
def test_numbers_beyond_the_bound_are_not_found(group):
    for number, bound in ((10, 10), (11, 10), (1, 1), (MIDDLE, MIDDLE), (REACH, 7)):
        assert solve(group, number, bound) is None
        assert solve(group, number, number + 1) == number
    assert solve(group, group.order - 1, 1 << 20) is None
    assert solve(group, group.order - MIDDLE, 1 << 20) is None


def test_bad_arguments_are_refused():
    group = GROUPS["SM2"]
    for bound in (0, -1, MAX_BOUND + 1):
        with pytest.raises(ValueError, match="bound must be between"):
            solve(group, 1, bound)
    off = next(x for x in range(1, 99) if not SM2.is_on_curve(x))
    for point in (bytes(33), b"\x02" + off.to_bytes(32, "big")):
        with pytest.raises(InvalidElement):
            small_logarithm(group, point, 10)
    with pytest.raises(ValueError, match="one point"):
        small_logarithm(group, group.generator * 2, 10)
