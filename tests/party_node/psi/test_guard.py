"""The guard: what changed since the last run against the same peer, and when that is too little."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from party_node.errors import JobRefused, NodeError
from party_node.psi.guard import Change, Guard, check_change, rounded_down
from protocols.suite import Items, Suite, get_suite

NONE = np.empty((0, 32), np.uint8)


@pytest.fixture(params=["gm", "intl"])
def suite(request: pytest.FixtureRequest) -> Suite:
    return get_suite(request.param)


def items(suite: Suite, numbers: Sequence[int]) -> Items:
    digests = b"".join(suite.hash(number.to_bytes(4, "big")) for number in numbers)
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)


def test_before_the_first_run_there_is_nothing_to_compare(tmp_path: Path, suite: Suite) -> None:
    assert Guard(tmp_path, suite, "shop").compare([items(suite, range(5))], NONE) is None


def test_equal_sets_in_any_order_and_any_parts_did_not_change(tmp_path: Path, suite: Suite) -> None:
    guard = Guard(tmp_path, suite, "shop")
    guard.remember([items(suite, range(100))])
    parts = [items(suite, range(99, 49, -1)), items(suite, range(50))]
    assert Guard(tmp_path, suite, "shop").compare(parts, NONE) == Change(0, 0, 0)


def test_what_was_added_and_removed_is_counted(tmp_path: Path, suite: Suite) -> None:
    guard = Guard(tmp_path, suite, "shop")
    guard.remember([items(suite, range(100))])
    assert guard.compare([items(suite, range(10, 107))], NONE) == Change(7, 10, 0)
    assert guard.compare([NONE], NONE) == Change(0, 100, 0)


def test_rows_that_left_by_right_do_not_count(tmp_path: Path, suite: Suite) -> None:
    guard = Guard(tmp_path, suite, "shop")
    guard.remember([items(suite, range(100))])
    # 90 to 99 left, 95 to 99 of them by right; 200 to 204 were excluded and never there.
    excused = items(suite, [*range(95, 100), *range(200, 205)])
    assert guard.compare([items(suite, range(90))], excused) == Change(0, 5, 5)


def test_only_the_last_run_against_the_same_peer_counts(tmp_path: Path, suite: Suite) -> None:
    Guard(tmp_path, suite, "shop").remember([items(suite, range(10))])
    assert Guard(tmp_path, suite, "mill").compare([items(suite, range(10))], NONE) is None
    Guard(tmp_path, suite, "shop").remember([items(suite, range(5))])
    change = Guard(tmp_path, suite, "shop").compare([items(suite, range(5))], NONE)
    assert change == Change(0, 0, 0)


def test_no_item_is_kept(tmp_path: Path, suite: Suite) -> None:
    own = items(suite, range(50))
    Guard(tmp_path, suite, "shop").remember([own])
    kept = b"".join(path.read_bytes() for path in (tmp_path / "guard").iterdir())
    assert not any(item[at : at + 8].tobytes() in kept for item in own for at in (0, 8, 16, 24))
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "guard").iterdir()} == {0o600}


def test_two_logs_give_one_item_two_tags(tmp_path: Path, suite: Suite) -> None:
    for name in ("one", "other"):
        Guard(tmp_path / name, suite, "shop").remember([items(suite, range(50))])
    one, other = ((tmp_path / n / "guard" / "shop.tags").read_bytes() for n in ("one", "other"))
    assert len(one) == len(other) == 50 * 8
    assert not set(np.frombuffer(one, "<u8")) & set(np.frombuffer(other, "<u8"))


def test_a_lost_key_is_an_error_and_not_a_new_beginning(tmp_path: Path, suite: Suite) -> None:
    guard = Guard(tmp_path, suite, "shop")
    guard.remember([items(suite, range(50))])
    (tmp_path / "guard" / "guard.key").unlink()
    with pytest.raises(NodeError, match="what the guard keeps"):
        guard.compare([items(suite, range(49))], NONE)


def test_a_key_others_can_read_is_an_error(tmp_path: Path, suite: Suite) -> None:
    guard = Guard(tmp_path, suite, "shop")
    guard.remember([items(suite, range(50))])
    (tmp_path / "guard" / "guard.key").chmod(0o644)
    with pytest.raises(NodeError, match="readable by others"):
        guard.remember([items(suite, range(49))])


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (None, True),
        (Change(0, 0, 0), True),
        (Change(1, 0, 0), False),
        (Change(0, 1, 0), False),
        (Change(25, 24, 0), False),
        (Change(25, 25, 0), True),
        (Change(50, 0, 0), True),
        (Change(0, 0, 1), True),
        (Change(0, 0, 500), True),
        (Change(1, 0, 500), False),
    ],
)
def test_a_set_that_changed_by_less_than_the_floor_is_refused(
    change: Change | None, allowed: bool
) -> None:
    if allowed:
        assert check_change(change, 50) is None  # type: ignore[func-returns-value]
    else:
        with pytest.raises(JobRefused, match="fewer than 50 rows"):
            check_change(change, 50)


@pytest.mark.parametrize(
    ("size", "floor", "shown"), [(0, 50, 0), (49, 50, 0), (50, 50, 50), (149, 50, 100), (7, 1, 7)]
)
def test_a_size_is_shown_rounded_down_to_the_floor(size: int, floor: int, shown: int) -> None:
    assert rounded_down(size, floor) == shown
