"""Features and labels: the example of SPEC.md, and a second implementation on random lines."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.party_node.purchases.plain_features import plain_active, plain_features, plain_label
from tests.party_node.purchases.purchase_lines import (
    CATEGORIES,
    COLUMNS,
    Line,
    by_customer,
    prepared,
    terms,
    written,
)

EXAMPLE = (
    Line("c", -10, "1", "food", "2", "8.00", "2.00"),
    Line("c", -10, "1", "toys", "1", "12.00"),
    Line("c", -2, "2", "food", "1", "4.00"),
    Line("c", -1, "2", "food", "1", "-4.00"),
    Line("c", 11, "3", "toys", "1", "9.00"),
)


def test_example_of_the_specification_must_hold(tmp_path: Path) -> None:
    path = written(tmp_path / "till.csv", EXAMPLE)
    made = by_customer(prepared(path, terms(categories=("food",))))["c"]
    expected = {
        "label": 1.0,
        "recency_days": math.log(3),
        "tenure_days": math.log(11),
        "purchase_days": math.log(3),
        "baskets": math.log(3),
        "spent": math.log(25),
        "interval_mean": math.log(9),
        "interval_deviation": 0.0,
        "share: food": 0.5,
        "share_of_others": 0.5,
        "discount_share": 2 / 26,
        "returned_share": 4 / 28,
    }
    assert {name: made[name] for name in expected} == pytest.approx(expected, rel=1e-14)


def lines_on(first: int, last: int) -> st.SearchStrategy[Line]:
    return st.builds(
        Line,
        customer=st.sampled_from("abcd"),
        day=st.integers(first, last),
        receipt=st.sampled_from(["", "1", "2", "3"]),
        kind=st.sampled_from(["food", " food", "toys", "books", ""]),
        pieces=st.sampled_from(["1", "2", "-3", "0.5", ""]),
        amount=st.sampled_from(["10", "0.1", "3.37", "1e6", "0", "-2", "-0.7"]),
        off=st.sampled_from(["", "0", "1.1", "-2.5"]),
    )


@settings(max_examples=80, deadline=None)
@given(
    st.lists(lines_on(-75, 25), max_size=30),
    st.integers(1, 15),
    st.integers(1, 40),
    st.integers(0, 30),
)
def test_features_must_equal_a_second_implementations(
    drawn: list[Line], horizon: int, active: int, more: int
) -> None:
    lines = [Line("a", 0), *drawn]
    agreed = terms(horizon_days=horizon, active_days=active, history_days=active + more)
    with tempfile.TemporaryDirectory() as folder:
        made = by_customer(prepared(written(Path(folder) / "till.csv", lines), agreed))
    of_customer = {name: [line for line in lines if line.customer == name] for name in "abcd"}
    assert set(made) == {n for n, own in of_customer.items() if plain_active(own, active=active)}
    for name, values in made.items():
        own = of_customer[name]
        expected = plain_features(
            own, horizon=horizon, history=active + more, categories=CATEGORIES
        ) | {"label": plain_label(own, horizon=horizon)}
        assert values == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_windows_must_include_both_their_ends(tmp_path: Path) -> None:
    lines = [
        Line("first active day", -19),
        Line("too early", -20),
        Line("on the cut", 0),
        Line("on the last day", 0),
        Line("on the last day", 10),
        Line("a day late", 0),
        Line("a day late", 11),
        Line("later", 1),
    ]
    made = by_customer(prepared(written(tmp_path / "till.csv", lines)))
    labels = {name: values["label"] for name, values in made.items()}
    assert labels == {
        "first active day": 1,
        "on the cut": 1,
        "on the last day": 0,
        "a day late": 1,
    }


def test_a_return_or_a_gift_must_keep_nobody(tmp_path: Path) -> None:
    lines = [
        Line("returns", 0),
        Line("returns", 5, amount="-3"),
        Line("gift", 0),
        Line("gift", 5, amount="0"),
        Line("only returned", 0, amount="-1"),
    ]
    made = by_customer(prepared(written(tmp_path / "till.csv", lines)))
    assert {name: values["label"] for name, values in made.items()} == {"returns": 1, "gift": 1}


def test_amount_may_be_a_price_times_a_quantity(tmp_path: Path) -> None:
    lines = [Line("a", -3, amount="2.5", pieces="4"), Line("a", -1, amount="2.5", pieces="-2")]
    columns = type(COLUMNS)(time="day", unit_price="amount", quantity="pieces")
    agreed = terms(columns=("spent", "returned_share", "basket_quantity"))
    path = written(tmp_path / "till.csv", lines)
    values = prepared(path, agreed, columns=columns).table.values
    assert values.tolist() == [pytest.approx([math.log(11), 5 / 15, math.log(5)])]


def test_extreme_amounts_must_stay_finite(tmp_path: Path) -> None:
    lines = [
        Line("a", -1, amount="1e12", off="1e12"),
        Line("a", -1, amount="-1e12"),
        Line("b", 0, amount="5e-324", off="1e12", pieces="1e12"),
    ]
    made = prepared(written(tmp_path / "till.csv", lines))
    assert sorted(made.identifiers) == [b"a", b"b"]  # the table itself refuses what is not finite
    assert by_customer(made)["b"]["discount_share"] == 1.0
