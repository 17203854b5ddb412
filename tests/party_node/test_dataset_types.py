"""Columns of every Parquet type, and what becomes of a label."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from party_node.datasets import LabelRule
from protocols.identifiers import normalise
from protocols.session.job_spec import ColumnTerms
from tests.party_node.tables import (
    AMOUNT,
    CITY,
    csv_file,
    ids,
    labels,
    numbers,
    parquet_file,
    read,
    refused,
    registered,
    rejects_of,
    texts,
)

ID_CARD = 110105194912310021  # 18 digits: beyond what a float holds exactly


@pytest.mark.parametrize(
    ("values", "kept", "reasons"),
    [
        (["13800138000", None, "13800138001"], [1, 3], [(2, "missing_identifier")]),
        (pa.array([13800138000, 13800138001]), [1, 2], []),
        (pa.array([13800138000, None, 13800138001]), [1, 3], [(2, "missing_identifier")]),
        (
            pa.array([13800138000.0, float("nan"), 13800138001.0]),
            [1, 3],
            [(2, "missing_identifier")],
        ),
        (
            pa.array([13800138000.0, 13800138001.5, 13800138001.0]),
            [1, 3],
            [(2, "unassigned_number")],
        ),
        (pa.array([13800138000.0, float("inf"), 13800138001.0]), [1, 3], [(2, "bad_characters")]),
        (pa.array([13800138000, 13800138001], pa.uint64()), [1, 2], []),
        (pa.array([Decimal("13800138000.00"), Decimal(13800138001)]), [1, 2], []),
        (pa.array(["13800138000", "13800138001"], pa.large_string()), [1, 2], []),
        (pa.array(["13800138000", "13800138001"]).dictionary_encode(), [1, 2], []),
        (["13800138000", "", "13800138001"], [1, 3], [(2, "empty")]),
        (
            ["13800138000", "+8613800138000", "+86 138 0013 8001"],
            [1, 3],
            [(2, "duplicate_identifier")],
        ),
    ],
    ids=str,
)
def test_identifiers_of_any_type_must_be_read_exactly(
    tmp_path: Path, values: Any, kept: list[int], reasons: list[tuple[int, str]]
) -> None:
    path = parquet_file(tmp_path, id=values)
    dataset = read(registered(path, kind="phone"))
    assert list(dataset.source_rows) == kept
    assert dataset.identifiers == [
        normalise("phone", number) for number in ("13800138000", "13800138001")
    ]
    assert rejects_of(path) == [(row, reason, "id") for row, reason in reasons]


def test_a_null_must_not_change_long_numbers(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, id=[ID_CARD, None, ID_CARD + 1], city=[ID_CARD, None, 5])
    dataset = read(registered(path, CITY))
    assert ids(dataset) == [str(ID_CARD), str(ID_CARD + 1)]
    assert texts(dataset) == [str(ID_CARD), "5"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None, 3], [1.0, None, 3.0]),
        (pa.array([1, None, 3], pa.int8()), [1.0, None, 3.0]),
        ([0.5, None, float("nan")], [0.5, None, None]),
        (pa.array([0.5, None], pa.float32()), [0.5, None]),
        ([True, None, False], [1.0, None, 0.0]),
        ([Decimal("1.25"), None], [1.25, None]),
        (["1", None, " 2e3 "], [1.0, None, 2000.0]),
        (pa.array(["1", None, "2"]).dictionary_encode(), [1.0, None, 2.0]),
        (pa.array([7, None, 8]).dictionary_encode(), [7.0, None, 8.0]),
        (pa.nulls(2), [None, None]),
    ],
    ids=str,
)
def test_numeric_columns_of_any_type_must_be_read(
    tmp_path: Path, values: Any, expected: list[float | None]
) -> None:
    path = parquet_file(tmp_path, id=[f"a{i}" for i in range(len(values))], amount=values)
    assert numbers(read(registered(path, AMOUNT))) == expected


def test_numbers_that_are_none_must_be_rejected(tmp_path: Path) -> None:
    for values in ([1.0, float("inf"), float("-inf"), 2.0], ["1", "one", "", "2"]):
        path = parquet_file(tmp_path, id=["a", "b", "c", "d"], amount=values)
        assert numbers(read(registered(path, AMOUNT))) == [1.0, 2.0]
        assert rejects_of(path) == [(n, "not_a_number", "amount") for n in (2, 3)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["x", None, ""], ["x", None, ""]),
        ([1, None, 2], ["1", None, "2"]),
        ([1.0, None, 2.5, float("nan")], ["1", None, "2.5", None]),
        ([True, None, False], ["true", None, "false"]),
        ([Decimal("1.50"), Decimal("2.00")], ["1.50", "2"]),
        ([datetime.date(2026, 11, 21), None], ["2026-11-21", None]),
        (pa.array(["x", None]).dictionary_encode(), ["x", None]),
        (pa.nulls(2), [None, None]),
    ],
    ids=str,
)
def test_categorical_columns_of_any_type_must_be_read(
    tmp_path: Path, values: Any, expected: list[str | None]
) -> None:
    path = parquet_file(tmp_path, id=[f"a{i}" for i in range(len(values))], city=values)
    assert texts(read(registered(path, CITY))) == expected


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([b"x", b"y"], "holds binary"),
        ([[1], [2]], "holds list<"),
        ([{"a": 1}, {"a": 2}], "holds struct<"),
        ([datetime.datetime(2026, 11, 21), None], "holds timestamp[us]"),
        ([datetime.timedelta(1), None], "holds duration[us]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("kind", ["numeric", "categorical", "id", "label"])
def test_a_type_that_is_no_value_must_be_refused(
    tmp_path: Path, values: Sequence[Any], reason: str, kind: Any
) -> None:
    path = parquet_file(tmp_path, id=["a", "b"], x=values)
    registration = {
        "id": registered(path, identifier="x"),
        "label": registered(path, label=LabelRule(column="x", above=1)),
    }.get(kind) or registered(path, ColumnTerms(name="x", kind=kind))
    error = refused(registration)
    if "timestamp" in reason and kind in ("numeric", "label"):
        reason = "holds dates, which are not numbers"
    assert f"column 'x' of {path} {reason}" in error.message
    assert error.hint


def test_dates_must_not_be_taken_for_numbers(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, id=["a", "b"], amount=[datetime.date(2026, 11, 21)] * 2)
    for registration in (
        registered(path, AMOUNT),
        registered(path, label=LabelRule(column="amount", above=1)),
    ):
        assert "holds dates, which are not numbers" in refused(registration).message
    assert labels(
        read(registered(path, label=LabelRule(column="amount", equals="2026-11-21")))
    ) == [1, 1]


def test_a_folder_name_must_not_become_a_column(tmp_path: Path) -> None:
    # pyarrow's dataset reader makes columns out of folders called key=value.
    (tmp_path / "amount=5").mkdir()
    path = parquet_file(tmp_path / "amount=5", "T.PARQUET", id=["a"])
    assert "has no column 'amount'" in refused(registered(path, AMOUNT)).message


# -- labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "rule", "expected", "missing"),
    [
        (["yes", "no", None, "YES", "yes "], {"equals": "yes"}, [1, 0, 0, 0], [3]),
        (["1", "1.0", "0", None], {"equals": "1"}, [1, 0, 0], [4]),
        ([1, 0, 2, None], {"equals": "1"}, [1, 0, 0], [4]),
        ([1.0, 0.5, float("nan"), 1.0], {"equals": "1"}, [1, 0, 1], [3]),
        ([True, False, None, True], {"equals": "true"}, [1, 0, 1], [3]),
        ([True, False, None, True], {"above": 0.5}, [1, 0, 1], [3]),
        ([10, 11, None, -5], {"above": 10}, [0, 1, 0], [3]),
        ([10.0, 10.5, float("nan"), float("inf")], {"above": 10.0}, [0, 1], [3, 4]),
        (["10", "10.5", "many", None, " 11 ", "9"], {"above": 10}, [0, 1, 1, 0], [3, 4]),
        (["1", "-1", "0"], {"above": -0.5}, [1, 0, 1], []),
    ],
    ids=str,
)
def test_labels_must_follow_the_rule(
    tmp_path: Path, values: Any, rule: dict[str, Any], expected: list[int], missing: list[int]
) -> None:
    path = parquet_file(tmp_path, id=[f"a{i}" for i in range(len(values))], took=values)
    assert labels(read(registered(path, label=LabelRule(column="took", **rule)))) == expected
    assert rejects_of(path) == [(row, "no_label", "took") for row in missing]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [({"equals": "10"}, [1, 0, 0]), ({"equals": "007"}, [0, 0, 1]), ({"above": 7}, [1, 1, 0])],
)
def test_a_csv_label_is_its_text_or_its_number(
    tmp_path: Path, rule: dict[str, Any], expected: list[int]
) -> None:
    path = csv_file(tmp_path, "id,took\na,10\nb,10.0\nc,007\nd,\n")
    assert labels(read(registered(path, label=LabelRule(column="took", **rule)))) == expected
