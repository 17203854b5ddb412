"""Integers, booleans, dates and many levels: read alike from CSV and from Parquet."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from party_node.datasets import Dataset, LabelRule
from protocols.session.job_spec import ColumnKind, ColumnTerms
from tests.party_node.tables import (
    csv_file,
    labels,
    numbers,
    parquet_file,
    read,
    refused,
    registered,
    rejects_of,
    texts,
)

UTC = datetime.UTC
EIGHT = datetime.timezone(datetime.timedelta(hours=8))


def of_kind(kind: ColumnKind) -> ColumnTerms:
    return ColumnTerms(name="x", kind=kind)


def from_csv(folder: Path, kind: ColumnKind, cells: list[str]) -> tuple[Path, Dataset]:
    """Read the cells between enough rows without one, which are no reject of any kind."""
    rows = [*cells, *[""] * len(cells)]
    content = "id,x\n" + "".join(f'a{at},"{cell}"\n' for at, cell in enumerate(rows))
    path = csv_file(folder, content.replace('""', ""))
    return path, read(registered(path, of_kind(kind)))


NUMBERS = {
    "5": 5.0, " -7 ": -7.0, "+3": 3.0, "1e3": 1000.0, "2.0": 2.0, ".5": 0.5, "5.": 5.0,
    "-0": 0.0, "1e-3": 0.001, "0138": 138.0,
}  # fmt: skip
NO_NUMBERS = [
    "five",
    "1,5",
    "0x10",
    "1_0",
    "inf",
    "-Infinity",
    "1e999",
    "--5",
    "1e",
    "e5",
    ".",
    "５",
    "1 2",
]


@pytest.mark.parametrize("all_numbers", [True, False])
def test_numbers_must_be_told_from_other_texts(tmp_path: Path, all_numbers: bool) -> None:
    # One text that is no number takes the reader another way than none does.
    wrong = [] if all_numbers else NO_NUMBERS
    path, dataset = from_csv(tmp_path, "numeric", [*NUMBERS, *wrong])
    assert numbers(dataset)[: len(NUMBERS)] == list(NUMBERS.values())
    assert rejects_of(path) == [
        (len(NUMBERS) + at, "not_a_number", "x") for at, _ in enumerate(wrong, start=1)
    ]


def test_integers_must_not_have_fractions(tmp_path: Path) -> None:
    cells = ["5", "-7", "2.0", "1e3", "9007199254740993", "2.5", "1e-3", "x", "inf", ""]
    path, dataset = from_csv(tmp_path, "integer", cells)
    assert numbers(dataset)[:6] == [5.0, -7.0, 2.0, 1000.0, 9007199254740992.0, None]
    assert rejects_of(path) == [(row, "not_an_integer", "x") for row in (6, 7, 8, 9)]
    assert dataset.registered.columns[0].kind == "numeric"


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 3],
        [1.0, None, 3.0],
        [1.0, float("nan"), 3.0],
        pa.array([1, None, 3], pa.decimal128(10, 2)),
        ["1", None, "3"],
        pa.array([1, None, 3], pa.uint8()).dictionary_encode(),
    ],
    ids=str,
)
def test_integers_of_any_type_must_be_read(tmp_path: Path, values: Any) -> None:
    path = parquet_file(tmp_path, id=["a", "b", "c"], x=values)
    assert numbers(read(registered(path, of_kind("integer")))) == [1.0, None, 3.0]


def test_a_fraction_in_parquet_must_be_no_integer(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, id=["a", "b", "c"], x=[1.0, 2.5, None])
    assert numbers(read(registered(path, of_kind("integer")))) == [1.0, None]
    assert rejects_of(path) == [(2, "not_an_integer", "x")]


def test_booleans_must_be_read_in_every_spelling(tmp_path: Path) -> None:
    yes, no = ["true", "T", "YES", "y", " 1 ", "True"], ["false", "f", "No", "N", "0", "FALSE"]
    wrong = ["maybe", "2", "1.0", "tr ue", "是"]
    path, dataset = from_csv(tmp_path, "boolean", [*yes, *no, *wrong])
    assert texts(dataset)[:13] == ["true"] * 6 + ["false"] * 6 + [None]
    assert rejects_of(path) == [(13 + at, "not_a_boolean", "x") for at in range(len(wrong))]
    assert dataset.registered.columns[0].kind == "categorical"


@pytest.mark.parametrize(
    "values",
    [
        [True, None, False],
        [1, None, 0],
        [1.0, float("nan"), 0.0],
        ["Yes", None, "no"],
        pa.array(["t", None, "f"]).dictionary_encode(),
    ],
    ids=str,
)
def test_booleans_of_any_type_must_be_read(tmp_path: Path, values: Any) -> None:
    path = parquet_file(tmp_path, id=["a", "b", "c"], x=values)
    assert texts(read(registered(path, of_kind("boolean")))) == ["true", None, "false"]


DAY = 20_778  # 2026-11-21
DATES = {
    "2026-11-21": DAY,
    "20261121": DAY,
    " 2026-11-21 ": DAY,
    "1970-01-01": 0,
    "1969-12-31": -1,
    "2026-11-21T06:00:00": DAY + 0.25,
    "2026-11-21 12:00": DAY + 0.5,
    "2026-11-21T18:00:00.000000Z": DAY + 0.75,
    "2026-11-21T08:00:00+08:00": DAY,
    "2026-11-21T00:00:00+0800": DAY - 1 / 3,
    "2024-02-29": 19_782,
}
NO_DATES = [
    "2026-02-29", "2026-13-01", "21.11.2026", "2026/11/21", "2026-11-21x", "2026-W47-6", "26-11-21",
    "2026-11-21T25:00", "yesterday", "20778", "0001-01-01T00:00+08:00", "２０２６-11-21",
]  # fmt: skip


def test_dates_must_become_days(tmp_path: Path) -> None:
    path, dataset = from_csv(tmp_path, "date", [*DATES, *NO_DATES])
    assert numbers(dataset)[: len(DATES)] == pytest.approx(list(DATES.values()), abs=1e-9)
    assert rejects_of(path) == [
        (len(DATES) + at, "not_a_date", "x") for at, _ in enumerate(NO_DATES, start=1)
    ]
    assert dataset.registered.columns[0].kind == "numeric"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([datetime.date(2026, 11, 21), None], DAY),
        (pa.array([datetime.date(2026, 11, 21), None], pa.date64()), DAY),
        ([datetime.datetime(2026, 11, 21, 6), None], DAY + 0.25),
        (pa.array([datetime.datetime(2026, 11, 21, 6), None], pa.timestamp("s")), DAY + 0.25),
        (pa.array([datetime.datetime(2026, 11, 21, 6), None], pa.timestamp("ms")), DAY + 0.25),
        (pa.array([datetime.datetime(2026, 11, 21, 6), None], pa.timestamp("ns")), DAY + 0.25),
        (pa.array([datetime.datetime(1960, 1, 1, 6), None], pa.timestamp("us")), -3652.75),
        ([datetime.datetime(2026, 11, 21, 8, tzinfo=EIGHT), None], DAY),
        ([datetime.datetime(2026, 11, 21, 6, tzinfo=UTC), None], DAY + 0.25),
        (["2026-11-21", None], DAY),
        ([20261121, None], DAY),
        ([20261121.0, float("nan")], DAY),
        (pa.array([datetime.date(2026, 11, 21), None]).dictionary_encode(), DAY),
        (pa.array(["2026-11-21", None]).dictionary_encode(), DAY),
    ],
    ids=str,
)
def test_dates_of_any_type_must_become_days(tmp_path: Path, values: Any, expected: float) -> None:
    path = parquet_file(tmp_path, id=["a", "b"], x=values)
    assert numbers(read(registered(path, of_kind("date")))) == [pytest.approx(expected), None]


def test_a_number_must_not_be_taken_for_a_date(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, id=["a", "b", "c"], x=[20_778, 5, None])
    assert "2 of 3 rows" in refused(registered(path, of_kind("date"))).message
    assert rejects_of(path) == [(1, "not_a_date", "x"), (2, "not_a_date", "x")]


@pytest.mark.parametrize("kind", ["numeric", "integer", "boolean", "date", "categorical"])
def test_a_missing_value_must_stay_missing_and_lose_no_row(
    tmp_path: Path, kind: ColumnKind
) -> None:
    for values in (["", "NA", ""], pa.nulls(3), pa.array([None] * 3, pa.string())):
        path = (
            csv_file(tmp_path, "id,x\n" + "".join(f"a{i},{v}\n" for i, v in enumerate(values)))
            if isinstance(values, list)
            else parquet_file(tmp_path, id=["a", "b", "c"], x=values)
        )
        dataset = read(registered(path, of_kind(kind)))
        column = dataset.registered.columns[0].values
        empty = [value is None or np.isnan(value) for value in column]
        assert (empty, dataset.rejects) == ([True] * 3, {})
        assert (dataset.left_out, dataset.used_columns) == ({"x": None}, ())


def test_a_text_column_of_many_levels_must_be_read(tmp_path: Path) -> None:
    rows = [f"a{i},level {i % 5000}\n" for i in range(20_000)]
    dataset = read(registered(csv_file(tmp_path, "id,x\n" + "".join(rows)), of_kind("categorical")))
    assert texts(dataset) == [f"level {i % 5000}" for i in range(20_000)]
    assert dataset.used_columns == ("x",)


def test_the_first_wrong_value_of_a_row_must_be_its_reason(tmp_path: Path) -> None:
    columns = (
        ColumnTerms(name="n", kind="integer"),
        ColumnTerms(name="b", kind="boolean"),
        ColumnTerms(name="d", kind="date"),
    )
    path = csv_file(tmp_path, "id,n,b,d\na,x,x,x\nb,1,x,x\nc,1,y,x\nd,1,y,20261121\ne,,,\nf,,,\n")
    read(registered(path, *columns))
    assert rejects_of(path) == [
        (1, "not_an_integer", "n"),
        (2, "not_a_boolean", "b"),
        (3, "not_a_date", "d"),
    ]


# -- consent ---------------------------------------------------------------------------------


def test_rows_without_consent_must_be_left_out(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,consent\na,yes\nb,no\nc,\nd,1\ne,perhaps\nf,TRUE\n,no\n")
    dataset = read(registered(path, consent="consent"))
    assert [i.decode() for i in dataset.identifiers] == ["a", "d", "f"]
    assert rejects_of(path) == [
        (2, "no_consent", "consent"),
        (3, "no_consent", "consent"),
        (5, "not_a_boolean", "consent"),
        (7, "no_consent", "consent"),
    ]
    assert dataset.rejects == {"no_consent": 3, "not_a_boolean": 1}


@pytest.mark.parametrize("other", ["no", "", "what"])
def test_a_refusal_in_one_row_must_hold_for_the_customer(tmp_path: Path, other: str) -> None:
    path = csv_file(tmp_path, f"id,consent\na,yes\nb,yes\nA,yes\na,{other}\na,yes\nc,y\nd,y\n")
    dataset = read(registered(path, consent="consent"))
    assert [i.decode() for i in dataset.identifiers] == ["b", "A", "c", "d"]
    assert [row for row, *_ in rejects_of(path)] == [1, 4, 5]


def test_withheld_consent_must_not_be_taken_for_a_wrong_setting(tmp_path: Path) -> None:
    rows = "".join(f"a{i},{'yes' if i == 7 else 'no'},{i}\n" for i in range(100))
    path = csv_file(tmp_path, "id,consent,took\n" + rows)
    dataset = read(registered(path, consent="consent", label=LabelRule(column="took", equals="7")))
    assert (labels(dataset), dataset.rejects) == ([1], {"no_consent": 99})
    assert (dataset.rows_in_file, list(dataset.source_rows)) == (100, [8])


def test_a_table_without_any_consent_must_say_so(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,consent\na,no\nb,\n")
    error = refused(registered(path, consent="consent"))
    assert error.message == f"no customer in {path} consents"
    assert "'consent' says yes in no row" in error.hint
    assert rejects_of(path) == [(1, "no_consent", "consent"), (2, "no_consent", "consent")]


def test_consent_must_be_a_column_of_its_own(tmp_path: Path) -> None:
    for identifier, consent in (("id", "id"), ("id", "x")):
        with pytest.raises(ValueError, match="is used twice"):
            registered(
                tmp_path / "t.csv", of_kind("numeric"), identifier=identifier, consent=consent
            )


# -- columns no split could use --------------------------------------------------------------


def test_constant_and_duplicate_columns_must_be_kept_out(tmp_path: Path) -> None:
    table: dict[str, Any] = {
        "a": [1.0, 2.0, None, 4.0],
        "constant": [7, 7, 7, 7],
        "one_level": ["x"] * 4,
        "all_missing": pa.nulls(4),
        "known_or_not": [7, None, 7, 7],
        "level_or_not": ["x", "x", None, "x"],
        "a_again": ["1", "2.0", None, "4e0"],
        "flag": [True, False, True, None],
        "flag_again": ["y", "n", "1", None],
        "city": ["x", "y", "x", None],
        "city_again": ["x", "y", "x", None],
        "renamed": ["y", "x", "y", None],
        "zero": [0.0, 1.0, 2.0, 3.0],
        "minus_zero": [-0.0, 1.0, 2.0, 3.0],
    }
    kinds: dict[str, ColumnKind] = dict.fromkeys(table, "numeric")
    kinds |= dict.fromkeys(
        ("one_level", "level_or_not", "city", "city_again", "renamed"), "categorical"
    )
    kinds |= {"flag": "boolean", "flag_again": "boolean", "constant": "integer"}
    path = parquet_file(tmp_path, id=["a", "b", "c", "d"], **table)
    dataset = read(registered(path, *(ColumnTerms(name=n, kind=k) for n, k in kinds.items())))
    assert dataset.left_out == {
        "constant": None,
        "one_level": None,
        "all_missing": None,
        "a_again": "a",
        "flag_again": "flag",
        "city_again": "city",
        "minus_zero": "zero",
    }
    assert dataset.used_columns == (
        "a", "known_or_not", "level_or_not", "flag", "city", "renamed", "zero",
    )  # fmt: skip
    assert [column.name for column in dataset.registered.columns] == list(table)
    assert dataset.table.rows == dataset.registered.rows == 4


def test_only_usable_rows_must_count_for_constant_columns(tmp_path: Path) -> None:
    columns = (ColumnTerms(name="x", kind="numeric"), ColumnTerms(name="y", kind="numeric"))
    path = csv_file(tmp_path, "id,x,y\na,1,5\nb,1,6\nb,2,7\nc,9,bad\nd,1,8\n")
    assert read(registered(path, *columns)).left_out == {"x": None}


def test_respelled_identifiers_must_be_counted(tmp_path: Path) -> None:
    phones = ["+8613800138000", "138 0013 8001", "13800138002", "+8613800138003", "12345"]
    path = csv_file(tmp_path, "id\n" + "\n".join(phones))
    dataset = read(registered(path, kind="phone"))
    assert (len(dataset.identifiers), dataset.respelled) == (4, 2)
