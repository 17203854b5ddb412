"""A half that does not fit is refused with every difference in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.model_file import ModelFile, decode, encode
from models.scoring import (
    HalfStatement,
    column_differences,
    half_differences,
    needed_columns,
    take_columns,
)
from models.table import Column, ColumnTable
from protocols.errors import DecodeError, LocalProtocolError

NEEDED = (("income", "numeric"), ("district", "categorical"), ("age", "numeric"))
BANK = HalfStatement("bank", "job-1", "boosted_trees", "active_party", 1, "ab" * 32)
RETAILER = HalfStatement("retailer", "job-1", "boosted_trees", "passive_party", 1, "cd" * 32)


def table(**kinds):
    columns = tuple(
        Column(name, kind, np.zeros(2) if kind == "numeric" else np.array(["a", None], object))
        for name, kind in kinds.items()
    )
    return ColumnTable(columns, 2)


def test_a_table_with_the_columns_in_any_order_fits():
    there = table(age="numeric", district="categorical", income="numeric")
    assert column_differences(NEEDED, there) == []
    taken = take_columns(NEEDED, there)
    assert [(c.name, c.kind) for c in taken.columns] == list(NEEDED)
    assert taken.rows == 2


def test_every_difference_of_a_table_is_named():
    there = table(Income="numeric", district="numeric", turnover="numeric")
    found = column_differences(NEEDED, there)
    assert [(d.what, d.blocks) for d in found] == [
        ("missing_column", True),
        ("other_kind", True),
        ("missing_column", True),
        ("extra_column", False),
        ("extra_column", False),
    ]
    texts = [d.text for d in found]
    assert texts[0] == (
        "column 'income' is missing; the model needs it (numeric); there is 'Income', and names "
        "are compared exactly"
    )
    assert (
        texts[1] == "column 'district' is numeric here; the model was trained on a categorical one"
    )
    assert texts[2] == "column 'age' is missing; the model needs it (numeric)"
    assert texts[4] == "column 'turnover' is not used by the model"
    with pytest.raises(LocalProtocolError, match=r"'income' is missing.*'district'.*'age'"):
        take_columns(NEEDED, there)


def test_a_column_more_stops_nothing():
    there = table(income="numeric", district="categorical", age="numeric", turnover="numeric")
    assert [d.what for d in column_differences(NEEDED, there)] == ["extra_column"]
    assert [c.name for c in take_columns(NEEDED, there).columns] == [name for name, _ in NEEDED]


def test_the_columns_are_those_the_stored_half_states():
    facts = {"columns": [{"name": name, "kind": kind} for name, kind in NEEDED]}
    data = encode(ModelFile("scorecard", "passive_party", facts, {}))
    assert needed_columns(decode(data, kind="scorecard", role="passive_party").facts) == NEEDED


@pytest.mark.parametrize(
    "listed",
    [
        None,
        {"age": "numeric"},
        ["age"],
        [{"name": "age"}],
        [{"name": 1, "kind": "numeric"}],
        [{"name": "age", "kind": "ordinal"}],
        [{"name": "age", "kind": ["numeric"]}],
        [{"name": "age", "kind": "numeric"}] * 2,
    ],
)
def test_facts_that_list_no_columns_are_refused(listed):
    with pytest.raises(DecodeError):
        needed_columns({} if listed is None else {"columns": listed})


def test_the_halves_that_were_agreed_fit():
    assert half_differences([BANK, RETAILER], [RETAILER, BANK]) == []


@pytest.mark.parametrize(
    ("change", "what", "text"),
    [
        (
            {"model_id": "job-2", "digest": "ef" * 32},
            ["other_model"],
            "retailer brings a half of another model: a boosted_trees trained by job job-2; agreed "
            "is the boosted_trees trained by job job-1",
        ),
        ({"kind": "scorecard"}, ["other_model"], "a scorecard trained by job job-1"),
        (
            {"digest": "ef" * 32},
            ["changed_half"],
            "retailer's half was changed: its digest is efefefefefefefef..., agreed is "
            "cdcdcdcdcdcdcdcd...",
        ),
        (
            {"version": 2, "digest": "ef" * 32},
            ["other_version", "changed_half"],
            "retailer's half has format version 2; agreed is 1",
        ),
        (
            {"role": "active_party"},
            ["other_role"],
            "retailer brings the active party's half; its own is the passive party's",
        ),
    ],
)
def test_a_half_that_is_not_the_agreed_one_is_named(change, what, text):
    found = half_differences([BANK, RETAILER], [BANK, replace(RETAILER, **change)])
    assert [d.what for d in found] == what
    assert text in found[0].text
    assert all(d.blocks for d in found)


def test_a_half_too_few_or_too_many_is_named():
    telecom = replace(RETAILER, party="telecom")
    found = half_differences([BANK, RETAILER], [BANK, telecom])
    assert [(d.what, d.text) for d in found] == [
        ("missing_half", "retailer brings no half of the model that job job-1 trained"),
        ("extra_half", "telecom brings a half, and has no part in the model"),
    ]
