"""Nothing leaks across the cut: what is bought later moves labels only, and then nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TypeVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from party_node.purchases import PreparedPurchases
from tests.party_node.purchases.purchase_lines import Line, prepared, terms, written
from tests.party_node.purchases.test_features import lines_on

HORIZON = 10
Value = TypeVar("Value")

ANCHOR = [Line("a", 0, str(number)) for number in range(8)]
"""Somebody is in the table, and a few unusable lines are never most of them."""


def read(lines: list[Line]) -> PreparedPurchases:
    with tempfile.TemporaryDirectory() as folder:
        return prepared(written(Path(folder) / "till.csv", lines), terms(horizon_days=HORIZON))


@st.composite
def woven(draw: st.DrawFn, early: list[Line], late: list[Line]) -> list[Line]:
    """Return both in one list, the early ones in their order, the late ones anywhere."""
    places = draw(st.lists(st.integers(0, len(early)), min_size=len(late), max_size=len(late)))
    lines: list[Line] = []
    for place in range(len(early) + 1):
        lines += [line for line, at in zip(late, places, strict=True) if at == place]
        lines += early[place : place + 1]
    return lines


def later(first: int, last: int) -> st.SearchStrategy[list[Line]]:
    """Return lines on these days, of customers old and new, some of them broken."""
    new = st.builds(Line, customer=st.sampled_from(["new", "", "0"]), day=st.integers(first, last))
    broken = st.builds(
        Line,
        customer=st.sampled_from("ab"),
        day=st.integers(first, last),
        amount=st.sampled_from(["", "x", "inf", "1e13"]),
    )
    return st.lists(st.one_of(lines_on(first, last), new, broken), max_size=7)


def assert_same_features(one: PreparedPurchases, other: PreparedPurchases) -> None:
    assert one.identifiers == other.identifiers
    assert one.table.customers.tobytes() == other.table.customers.tobytes()
    assert one.table.values.tobytes() == other.table.values.tobytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_lines_after_the_cut_must_not_move_a_feature(data: st.DataObject) -> None:
    early = ANCHOR + data.draw(st.lists(lines_on(-70, 0), max_size=25))
    one, other = (read(data.draw(woven(early, data.draw(later(1, 40))))) for _ in range(2))
    assert_same_features(one, other)
    assert b"new" not in one.identifiers


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lines_after_the_horizon_must_move_nothing(data: st.DataObject) -> None:
    until = ANCHOR + data.draw(st.lists(lines_on(-70, HORIZON), max_size=25))
    one, other = (
        read(data.draw(woven(until, data.draw(later(HORIZON + 1, 60))))) for _ in range(2)
    )
    assert_same_features(one, other)
    assert one.table.labels.tobytes() == other.table.labels.tobytes()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_lines_before_the_history_must_move_nothing(data: st.DataObject) -> None:
    since = ANCHOR + data.draw(st.lists(lines_on(-59, 20), max_size=25))
    old = data.draw(st.lists(lines_on(-200, -60), max_size=7))
    one, other = read(since), read(data.draw(woven(since, old)))
    assert_same_features(one, other)
    assert one.table.labels.tobytes() == other.table.labels.tobytes()


def test_sums_over_baskets_must_be_added_in_one_order() -> None:
    """A late line that names baskets first would turn their order, and with it the last bit."""
    amounts = ("0.0318", "4.81e-05", "0.000815", "0.766")  # their sum depends on the order
    early = [Line("b", -1, f"r{place}", amount=amount) for place, amount in enumerate(amounts)]
    late = [Line("z", 30, f"r{place}") for place in reversed(range(len(amounts)))]
    assert_same_features(read(ANCHOR + early), read(late + ANCHOR + early))


def test_labels_must_follow_what_is_bought_in_the_horizon() -> None:
    """The test above could not fail on a table that looks at nothing."""
    silent, back = read(ANCHOR), read([*ANCHOR, Line("a", HORIZON)])
    assert (silent.table.labels.tolist(), back.table.labels.tolist()) == ([1], [0])
    moved = read([*ANCHOR, Line("a", -1)])
    assert not np.array_equal(silent.table.values, moved.table.values)
