"""A party's own table: every row is used, or rejected under its own number and reason."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from party_node.datasets import LabelRule, Registration
from party_node.errors import DatasetError
from protocols.identifiers import protocol_input
from protocols.session.job_spec import ColumnTerms
from tests.party_node.tables import (
    AMOUNT,
    CITY,
    SUITE,
    TOOK,
    csv_file,
    ids,
    labels,
    numbers,
    parquet_file,
    read,
    registered,
    rejects_of,
    texts,
)

# -- what a row becomes ----------------------------------------------------------------------


def test_a_csv_must_be_read_row_by_row(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "id,amount,city,took,note\n"
        "a1,10,Xi'an,yes,x\n"
        "a2,-2.5e3,,no,\n"
        '007,,"Paris, Texas",yes,x\n'
        'a4, 4 ,"two\nlines",maybe,x\n',
    )
    dataset = read(registered(path, AMOUNT, CITY, label=TOOK))
    assert ids(dataset) == ["a1", "a2", "007", "a4"]
    assert numbers(dataset) == [10.0, -2500.0, None, 4.0]
    assert texts(dataset, 1) == ["Xi'an", None, "Paris, Texas", "two\nlines"]
    assert labels(dataset) == [1, 0, 1, 0]
    assert list(dataset.source_rows) == [1, 2, 3, 4]
    assert dataset.source_rows.dtype == np.int64
    assert (dataset.rows_in_file, dataset.rejects, rejects_of(path)) == (4, {}, [])
    assert [row.tobytes() for row in dataset.protocol_inputs] == [
        protocol_input(SUITE, "opaque", identifier) for identifier in dataset.identifiers
    ]
    assert [column.name for column in dataset.table.columns] == ["amount", "city"]
    assert dataset.table.rows == 4


def test_columns_must_come_in_the_registered_order(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "b,id,a\n1,x,2\n3,y,4\n")
    columns = (ColumnTerms(name="a", kind="numeric"), ColumnTerms(name="b", kind="numeric"))
    dataset = read(registered(path, *columns))
    assert (numbers(dataset, 0), numbers(dataset, 1)) == ([2.0, 4.0], [1.0, 3.0])


def test_a_table_of_identifiers_only_must_be_read(tmp_path: Path) -> None:
    dataset = read(registered(csv_file(tmp_path, "id\na\n\nb\n")))
    assert (ids(dataset), dataset.table.columns, dataset.table.rows) == (["a", "b"], (), 2)
    assert dataset.labels is None


@pytest.mark.parametrize("name", ["row", "index", "reason", "编号", "a b", 'say "x"', "a,b"])
def test_a_column_may_have_any_name(tmp_path: Path, name: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["id", name], ["a", "5"], ["b", "6"]])
    terms = ColumnTerms(name=name, kind="numeric")
    assert numbers(read(registered(csv_file(tmp_path, buffer.getvalue()), terms))) == [5.0, 6.0]
    path = parquet_file(tmp_path, **{"id": ["a", "b"], name: [5, 6]})
    assert numbers(read(registered(path, terms))) == [5.0, 6.0]
    by_name = parquet_file(tmp_path, "n.parquet", **{name: ["a", "b"]})
    assert ids(read(registered(by_name, identifier=name))) == ["a", "b"]


def test_every_row_of_a_long_file_must_be_read(tmp_path: Path) -> None:
    # Longer than the megabyte in which pyarrow would cut it, values with line breaks at the cuts.
    rows = 60_000
    lines = (f'c{i},{i},"x\r\n{i % 7}"\r\n' if i % 1000 else f"c{i},{i}\r\n" for i in range(rows))
    path = csv_file(tmp_path, "id,amount,city\r\n" + "".join(lines))
    assert path.stat().st_size > 1 << 20
    dataset = read(registered(path, AMOUNT, CITY))
    assert rejects_of(path) == [(i + 1, "wrong_number_of_fields", "") for i in range(0, rows, 1000)]
    kept = [i for i in range(rows) if i % 1000]
    assert list(dataset.source_rows) == [i + 1 for i in kept]
    assert ids(dataset) == [f"c{i}" for i in kept]
    assert texts(dataset, 1) == [f"x\r\n{i % 7}" for i in kept]


# -- what is rejected, and under which number ------------------------------------------------


PHONE_ROWS: list[tuple[str, str | None, str]] = [
    # line, reason, column
    ("13800138000,5,yes", None, ""),
    ("138 0013 8000,6,yes", "duplicate_identifier", "id"),
    ("+8613800138001,7,no", None, ""),
    (",5,yes", "missing_identifier", "id"),
    ("NULL,5,yes", "missing_identifier", "id"),
    ('" ",5,yes', "empty", "id"),
    ("phone,5,yes", "bad_characters", "id"),
    ("138,5,yes", "malformed", "id"),
    ("82345678,5,yes", "unassigned_number", "id"),
    ("9" * 2000 + ",5,yes", "too_long", "id"),
    ("13800138002,five,yes", "not_a_number", "amount"),
    ("13800138003,inf,yes", "not_a_number", "amount"),
    ("13800138004,-Infinity,yes", "not_a_number", "amount"),
    ("13800138005,1e999,yes", "not_a_number", "amount"),
    ("13800138006,true,yes", "not_a_number", "amount"),
    ("13800138007,1_000,yes", "not_a_number", "amount"),
    ('13800138008,"1,000",yes', "not_a_number", "amount"),
    ("13800138009,0x10,yes", "not_a_number", "amount"),
    ("13800138010,5,", "no_label", "took"),
    ("13800138011,,nan", "no_label", "took"),
    ("13800138012,five,", "not_a_number", "amount"),  # one reason a row: the first
    ("13800138013,5", "wrong_number_of_fields", ""),
    ("13800138014,5,yes,", "wrong_number_of_fields", ""),
    ("13800138015", "wrong_number_of_fields", ""),
    ('"13800138016,5,yes"', "wrong_number_of_fields", ""),
    ("13800138017,,yes", None, ""),
    ("13800138018,nan,no", None, ""),
]


def test_every_reason_must_be_told_with_its_row(tmp_path: Path) -> None:
    good = [f"1390013{i:04},{i},no" for i in range(30)]
    lines = [line for line, _, _ in PHONE_ROWS] + good
    path = csv_file(tmp_path, "\n".join(["id,amount,took", *lines]))
    dataset = read(registered(path, AMOUNT, kind="phone", label=TOOK))
    assert rejects_of(path) == [
        (row, reason, column)
        for row, (_, reason, column) in enumerate(PHONE_ROWS, start=1)
        if reason is not None
    ]
    used = [i for i, (_, reason, _) in enumerate(PHONE_ROWS, start=1) if reason is None]
    assert list(dataset.source_rows) == used + [len(PHONE_ROWS) + i for i in range(1, 31)]
    assert dataset.rows_in_file == len(lines)
    assert sum(dataset.rejects.values()) == dataset.rows_in_file - len(dataset.source_rows)
    assert dataset.rejects["not_a_number"] == 9
    assert all(type(reason) is str for reason in dataset.rejects)
    assert numbers(dataset)[:4] == [5.0, 7.0, None, None]
    assert labels(dataset)[:4] == [1, 0, 1, 0]


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


class Row(msgspec.Struct, frozen=True):
    """A record, and what must become of it."""

    text: str
    reason: str | None
    column: str = ""
    identifier: str = ""


KINDS = ["good", "good", "few", "many", "no-id", "bad-id", "again", "text", "inf", "no-label"]
MISSING = ("missing_identifier", "id")
CITIES = st.sampled_from(["", "x", "é", '"', "a,b", "p\nq", "p\r\nq", "\n", '""', " ", "NA"])
AMOUNTS = st.sampled_from(["", "1", "-2.5", "1e3", "NaN"])


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Draw records of every kind, in every order, identifiers distinct unless a duplicate."""
    drawn: list[Row] = []
    seen: list[str] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(KINDS))
        identifier = f"id{number}"
        city = quoted(draw(CITIES))
        amount, took = draw(AMOUNTS), draw(st.sampled_from(["yes", "no", '"yes"']))
        reason, column = None, ""
        if kind == "no-id":
            identifier, reason, column = draw(st.sampled_from(["", '""', "NA"])), *MISSING
        elif kind == "bad-id":
            identifier, reason, column = '"a\u200bb"', "bad_characters", "id"
        elif kind == "again" and seen:
            identifier, reason, column = draw(st.sampled_from(seen)), "duplicate_identifier", "id"
        elif kind == "text":
            amount, reason, column = "12 apples", "not_a_number", "amount"
        elif kind == "inf":
            amount, reason, column = "inf", "not_a_number", "amount"
        elif kind == "no-label":
            took, reason, column = "", "no_label", "took"
        cells = [identifier, amount, city, took]
        if kind == "few":
            cells, reason, column = cells[: draw(st.integers(1, 3))], "wrong_number_of_fields", ""
        elif kind == "many":
            cells, reason, column = [*cells, city], "wrong_number_of_fields", ""
        if reason is None or column in ("amount", "took"):
            seen.append(identifier)  # the first row of an identifier stands, even if not used
        drawn.append(Row(",".join(cells), reason, column, identifier))
    return drawn


class Layout(msgspec.Struct, frozen=True):
    """How records are written down."""

    end_of_line: str
    byte_order_mark: bool
    ends_with_a_line: bool
    blank_lines: tuple[int, ...]

    def write(self, folder: Path, lines: list[str]) -> Path:
        for at in sorted(self.blank_lines, reverse=True):
            lines.insert(min(at, len(lines)), "")  # a blank line is no row
        content = self.end_of_line.join(lines) + self.end_of_line * self.ends_with_a_line
        return csv_file(folder, "\ufeff" * self.byte_order_mark + content)


LAYOUTS = st.builds(
    Layout,
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 13), max_size=3).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(rows(), LAYOUTS)
def test_row_numbers_must_be_right_in_all_combinations(
    tmp_path: Path, drawn: list[Row], layout: Layout
) -> None:
    path = layout.write(tmp_path, ["id,amount,city,took", *(row.text for row in drawn)])
    good = [(number, row) for number, row in enumerate(drawn, start=1) if row.reason is None]
    expected = [
        (number, row.reason, row.column)
        for number, row in enumerate(drawn, start=1)
        if row.reason is not None
    ]
    registration = registered(path, AMOUNT, CITY, label=TOOK)
    if not drawn or len(good) * 2 < len(drawn):
        with pytest.raises(DatasetError, match=r"cannot be used|has no rows"):
            read(registration)
    else:
        dataset = read(registration)
        assert [int(n) for n in dataset.source_rows] == [number for number, _ in good]
        assert ids(dataset) == [row.identifier for _, row in good]
        assert dataset.rows_in_file == len(drawn)
        assert sum(dataset.rejects.values()) == len(expected)
    assert rejects_of(path) == expected


# -- registrations ---------------------------------------------------------------------------


def test_a_registration_must_survive_json(tmp_path: Path) -> None:
    registration = registered(tmp_path / "t.csv", AMOUNT, CITY, label=TOOK)
    data = msgspec.json.encode(registration)
    assert msgspec.json.decode(data, type=Registration) == registration


@pytest.mark.parametrize(
    "rule",
    [{}, {"equals": "a", "above": 1}, {"above": float("nan")}, {"above": float("inf")}],
    ids=str,
)
def test_a_rule_with_no_condition_or_two_must_be_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`above`"):
        LabelRule(column="took", **rule)


def test_a_column_with_two_uses_must_be_refused(tmp_path: Path) -> None:
    id_column = ColumnTerms(name="id", kind="categorical")
    for columns, label in (
        ((id_column,), None),
        ((AMOUNT, AMOUNT), None),
        ((AMOUNT,), LabelRule(column="amount", above=1)),
        ((), LabelRule(column="id", equals="a")),
    ):
        with pytest.raises(ValueError, match="is used twice"):
            registered(tmp_path / "t.csv", *columns, label=label)
