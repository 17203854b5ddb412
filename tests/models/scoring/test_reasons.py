"""Reason codes: the strongest pushes up, named by the party that owns the column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring import strongest_reasons
from protocols.errors import LocalProtocolError
from tests.models.scoring.made import GROUPS


def reasons(own, peers, count=3, groups=GROUPS):
    arrays = [np.array(values, float) for values in (*own.values(), *peers.values())]
    rows = len(arrays[0]) if arrays else 2
    return strongest_reasons(
        dict(zip(own, arrays, strict=False)),
        dict(zip(peers, arrays[len(own) :], strict=True)),
        groups,
        rows=rows,
        count=count,
    )


def test_the_strongest_pushes_come_first():
    own = {"income": [0.1, 3.0, -1.0], "age": [0.2, 1.0, -2.0]}
    peers = {"retailer": [0.3, 2.0, -3.0]}
    assert reasons(own, peers) == (
        ("the retailer's columns", "age", "income"),
        ("income", "the retailer's columns", "age"),
        (),
    )
    assert reasons(own, peers, count=1) == (("the retailer's columns",), ("income",), ())
    assert reasons(own, peers, count=0) == ((), (), ())
    assert reasons({}, {}) == ((), ())


def test_ties_go_to_the_column_that_comes_first():
    peers = {"retailer": [0.3], "telecom": [0.3]}
    # 0.1 + 0.2 is not 0.3 in its last bit: it is a tie all the same.
    assert reasons({"income": [0.1 + 0.2], "age": [0.3]}, peers, count=4) == (
        ("income", "age", "the retailer's columns", "the telecom's columns"),
    )
    assert reasons({"age": [0.3], "income": [0.1 + 0.2]}, peers, count=1) == (("age",),)
    assert reasons({"age": [1e-12]}, {}) == ((),)


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=8),
    st.integers(0, 5),
)
def test_reasons_are_those_of_a_plain_sort(table, count):
    columns = ["a", "b", "c"]
    own = {name: [row[i] for row in table] for i, name in enumerate(columns)}
    found = reasons(own, {"retailer": [row[3] for row in table]}, count)
    names = [*columns, GROUPS["retailer"]]
    for row, got in zip(table, found, strict=True):
        positive = [i for i in range(4) if row[i] > 0]
        expected = sorted(positive, key=lambda i: (-row[i], i))[:count]
        assert got == tuple(names[i] for i in expected)


def test_a_name_stands_for_one_thing():
    with pytest.raises(LocalProtocolError, match="no group name for the columns of insurer"):
        reasons({}, {"insurer": [1.0]})
    with pytest.raises(LocalProtocolError, match="rename the group"):
        reasons({"retailer": [1.0]}, {"retailer": [1.0]}, groups={"retailer": "retailer"})
    with pytest.raises(LocalProtocolError, match="rename the group"):
        reasons({}, {"a": [1.0], "b": [1.0]}, groups={"a": "others", "b": "others"})
    with pytest.raises(LocalProtocolError, match="for each customer"):
        reasons({"age": [1.0], "income": [1.0, 2.0]}, {})
