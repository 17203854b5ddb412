"""A party's own table: every row is used, or rejected under its own number and reason."""

from __future__ import annotations

import csv
import datetime
import io
import traceback
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from party_node import datasets
from party_node.datasets import Dataset, LabelRule, Registration, read_dataset
from party_node.errors import DatasetError
from protocols.identifiers import normalise, protocol_input
from protocols.session.job_spec import ColumnTerms, IdentifierKind
from protocols.suite import get_suite

SUITE = get_suite("gm")
AMOUNT = ColumnTerms(name="amount", kind="numeric")
CITY = ColumnTerms(name="city", kind="categorical")
TOOK = LabelRule(column="took", equals="yes")

Reject = tuple[int, str, str]


def registered(
    path: Path,
    *columns: ColumnTerms,
    kind: IdentifierKind = "opaque",
    label: LabelRule | None = None,
    identifier: str = "id",
) -> Registration:
    return Registration(
        name="customers",
        path=str(path),
        identifier_column=identifier,
        identifier_kind=kind,
        columns=columns,
        label=label,
        allowed_purposes=("churn",),
        minimum_cohort=1,
    )


def read(registration: Registration) -> Dataset:
    path = Path(registration.path)
    return read_dataset(registration, SUITE, path.parent / "rejects" / "customers.csv")


def rejects_of(path: Path) -> list[Reject]:
    with (path.parent / "rejects" / "customers.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["row", "reason", "column"]
    return [(int(row), reason, column) for row, reason, column in rows]


def csv_file(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet_file(folder: Path, name: str = "t.parquet", **columns: Any) -> Path:
    pa_parquet.write_table(pa.table(columns), folder / name)
    return folder / name


def numbers(dataset: Dataset, index: int = 0) -> list[float | None]:
    values = dataset.table.columns[index].values
    assert values.dtype == np.float64
    return [None if np.isnan(value) else float(value) for value in values]


def texts(dataset: Dataset, index: int = 0) -> list[str | None]:
    return list(dataset.table.columns[index].values)


def labels(dataset: Dataset) -> list[int]:
    assert dataset.labels is not None
    assert dataset.labels.dtype == np.uint8
    return [int(label) for label in dataset.labels]


def ids(dataset: Dataset) -> list[str]:
    return [identifier.decode() for identifier in dataset.identifiers]


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
    assert dataset.protocol_inputs == [
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
    rows = 40_000
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
    ("82345678,5,yes", "malformed", "id"),
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


CITIES = st.sampled_from(["", "x", "é", '"', "a,b", "p\nq", "p\r\nq", "\n", '""', " ", "NA"])
AMOUNTS = st.sampled_from(["", "1", "-2.5", "1e3", "NaN"])


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Draw records of every kind, in every order, identifiers distinct unless a duplicate."""
    drawn: list[Row] = []
    seen: list[str] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(
            st.sampled_from(
                ["good", "good", "few", "many", "no id", "bad id"]
                + ["again", "text", "inf", "no label"]
            )
        )
        identifier = f"id{number}"
        city = quoted(draw(CITIES))
        amount, took = draw(AMOUNTS), draw(st.sampled_from(["yes", "no", '"yes"']))
        reason, column = None, ""
        if kind == "no id":
            identifier, reason, column = draw(st.sampled_from(["", '""', "NA"])), *MISSING
        elif kind == "bad id":
            identifier, reason, column = '"a\u200bb"', "bad_characters", "id"
        elif kind == "again" and seen:
            identifier, reason, column = draw(st.sampled_from(seen)), "duplicate_identifier", "id"
        elif kind == "text":
            amount, reason, column = "12 apples", "not_a_number", "amount"
        elif kind == "inf":
            amount, reason, column = "inf", "not_a_number", "amount"
        elif kind == "no label":
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


MISSING = ("missing_identifier", "id")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    rows(),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 13), max_size=3),
)
def test_row_numbers_must_be_right_in_all_combinations(
    tmp_path: Path, drawn: list[Row], eol: str, bom: bool, ends: bool, blanks: list[int]
) -> None:
    lines = ["id,amount,city,took", *(row.text for row in drawn)]
    for at in sorted(blanks, reverse=True):
        lines.insert(min(at, len(lines)), "")  # a blank line is no row
    content = "\ufeff" * bom + eol.join(lines) + eol * ends
    path = csv_file(tmp_path, content)
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


# -- files that cannot be read ---------------------------------------------------------------


def refused(registration: Registration) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        read(registration)
    return caught.value


@pytest.mark.parametrize("content", ["", "\n", "\r\n\r\n", "\ufeff", "\ufeff\n"])
def test_an_empty_file_must_say_so(tmp_path: Path, content: str) -> None:
    error = refused(registered(csv_file(tmp_path, content)))
    assert "t.csv is empty" in error.message
    assert "header" in error.hint


@pytest.mark.parametrize("content", ["id", "id\n", "\ufeffid\r\n", "id\n\n\n", "\n\nid\n"])
def test_a_header_alone_must_say_so(tmp_path: Path, content: str) -> None:
    path = csv_file(tmp_path, content)
    assert refused(registered(path)).message == f"{path} has no rows"
    assert rejects_of(path) == []


def test_a_parquet_file_without_rows_must_say_so(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, id=pa.array([], pa.string()), amount=pa.array([], pa.int64()))
    assert refused(registered(path, AMOUNT)).message == f"{path} has no rows"


def test_a_missing_file_must_be_named(tmp_path: Path) -> None:
    for path in (tmp_path / "no.csv", tmp_path / "no.parquet", tmp_path):
        assert str(path) in refused(registered(path)).message


def test_a_missing_column_must_be_named_with_those_there_are(tmp_path: Path) -> None:
    for path in (
        csv_file(tmp_path, "ID,年龄,city,\nx,1,2,3\n"),
        parquet_file(tmp_path, **{"ID": ["x"], "年龄": [1], "city": ["2"], "": ["3"]}),
    ):
        error = refused(registered(path, AMOUNT, CITY, label=TOOK))
        assert error.message == f"{path} has no column 'id', 'amount', 'took'"
        assert error.hint == "it has: ID, 年龄, city, "


@pytest.mark.parametrize(
    "first", ["13800138000,Li", "a@example.com,5", "li,4711", "11010519491231002X,x", "x,-1.5"]
)
def test_a_first_line_that_is_a_row_must_not_be_repeated(tmp_path: Path, first: str) -> None:
    error = refused(registered(csv_file(tmp_path, f"{first}\n{first}\n")))
    assert "does not look like column names" in error.hint
    for cell in first.split(","):
        assert cell not in error.message + error.hint


@pytest.mark.parametrize("header", ["id,amount,amount", "id,amount,id,x", "id,id,amount"])
def test_a_column_that_is_there_twice_must_be_named(tmp_path: Path, header: str) -> None:
    path = csv_file(tmp_path, f"{header}\n" + ",".join("1" for _ in header.split(",")) + "\n")
    twice = "amount" if header.count("amount") > 1 else "id"
    error = refused(registered(path, AMOUNT))
    assert error.message == f"{path} has more than one column {twice!r}"
    assert error.hint


def test_a_column_nobody_registered_may_be_there_twice(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,x,amount,x,,\na,1,2,3,4,5\n")
    assert numbers(read(registered(path, AMOUNT))) == [2.0]


def test_a_parquet_column_that_is_there_twice_must_be_named(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array([1]), pa.array([2])], ["id", "x", "x"])
    path = tmp_path / "t.parquet"
    pa_parquet.write_table(table, path)
    error = refused(registered(path, ColumnTerms(name="x", kind="numeric")))
    assert "more than one column 'x'" in error.message


MARKER = "4711-marker"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", f"id,amount\n{MARKER},é\n".encode("latin-1")),
        ("t.csv", "id,金额\n".encode("gb18030") + MARKER.encode()),
        ("t.csv", f"id,amount\n{MARKER},1\n".encode("utf-16")),
        ("t.csv", f"id,amount\n{MARKER}\xff,1\n".encode("latin-1")),
        ("t.csv", b"id,amount\n" + MARKER.encode() + b",\xed\xa0\x80\n"),
        ("t.parquet", b""),
        ("t.parquet", f"id,amount\n{MARKER},1\n".encode()),
        ("t.parquet", b"PAR1" + MARKER.encode() * 20 + b"PAR1"),
    ],
)
def test_a_file_of_another_encoding_must_be_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    error = refused(registered(csv_file(tmp_path, content, name), AMOUNT))
    assert f"cannot read {tmp_path / name}" in error.message
    assert "UTF-8 CSV with a header, or Parquet" in error.hint


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('id,amount\na,1\n"b,2\nc,3\nd,4\n', 5),  # a quote that never closes
        ('id,amount\na,1\nb,"2" inches\nc,3\n', 3),
        ('id,amount\na,1\nb,"2\nc,"3\nd,4\n', 4),  # two that swallow a line break
        ('id,"amount\na,1\n', 2),
        ('id,amount\n"a,1\n', 2),
    ],
)
def test_misplaced_quotes_must_not_swallow_rows(tmp_path: Path, content: str, line: int) -> None:
    path = csv_file(tmp_path, content)
    error = refused(registered(path, AMOUNT))
    assert error.message == f"{path} is not well-formed CSV at line {line}"


def test_a_quote_inside_an_unquoted_value_is_a_quote(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'id,city\na,5" disk\nb,"5"" disk"\n')
    assert texts(read(registered(path, CITY))) == ['5" disk', '5" disk']


@pytest.mark.parametrize("bad", [0, 1, 2, 3, 4])
def test_more_than_half_unusable_must_be_refused(tmp_path: Path, bad: int) -> None:
    lines = [f"a{i},{'x' if i < bad else i}\n" for i in range(4)]
    path = csv_file(tmp_path, "id,amount\n" + "".join(lines))
    registration = registered(path, AMOUNT)
    if bad <= 2:
        assert len(read(registration).source_rows) == 4 - bad
    else:
        error = refused(registration)
        assert error.message == f"{bad} of 4 rows of {path} cannot be used"
        assert "most often: not_a_number in column 'amount'" in error.hint
        assert str(tmp_path / "rejects" / "customers.csv") in error.hint
    assert len(rejects_of(path)) == bad


def test_a_file_that_changes_while_it_is_read_must_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv_file(tmp_path, "id\na\nb\n")
    read_csv = datasets.pa_csv.read_csv

    def read_and_change(*arguments: Any, **options: Any) -> pa.Table:
        table = read_csv(*arguments, **options)
        csv_file(tmp_path, "id\na\nc\nd\n")
        return table

    monkeypatch.setattr(datasets.pa_csv, "read_csv", read_and_change)
    assert "changed while it was read" in refused(registered(path)).message


def test_the_digest_must_be_the_files(tmp_path: Path) -> None:
    content = "id\n" + "".join(f"c{i}\n" for i in range(900_000))  # more than one chunk
    path = csv_file(tmp_path, content)
    digest = datasets._file_digest(path, SUITE)
    chunks = [content.encode()[i : i + (1 << 22)] for i in range(0, len(content), 1 << 22)]
    assert len(chunks) > 1
    assert digest == SUITE.hash(b"fedcrm/file/v1\x00", *map(SUITE.hash, chunks))
    short = csv_file(tmp_path, "id\na\n", "short.csv")
    assert read(registered(short)).digest == datasets._file_digest(short, SUITE) != digest


# -- nothing of a row leaves -----------------------------------------------------------------


def told(error: BaseException) -> str:
    """Return all of an error that a log or a report could show."""
    shown = "".join(traceback.format_exception(error))
    return shown + repr(error) + repr(error.__dict__)


@pytest.mark.parametrize(
    "content",
    [
        f"id,amount,took\n{MARKER},{MARKER},{MARKER}\n{MARKER},1,yes\nb,{MARKER},\n",
        f"id,amount,took\n{MARKER},1\n{MARKER},1,yes,{MARKER}\n{MARKER}\n",
        f"id,amount,took\n\u200b{MARKER},1,yes\n",
        f'id,amount,took\n"{MARKER},1,yes\n',
        f'id,amount,took\n{MARKER},"1"{MARKER},yes\n',
        f"id,amount,took\n{MARKER},1,yes\n{MARKER},2,\ud800\n",
        f"{MARKER},{MARKER}@x,5\n",
        f"id,amount\n{MARKER},1\n",
    ],
)
def test_no_error_and_no_reject_file_may_hold_a_value(tmp_path: Path, content: str) -> None:
    path = csv_file(tmp_path, content.encode("utf-8", "surrogatepass"))
    error = refused(registered(path, AMOUNT, label=TOOK))
    assert MARKER not in told(error)
    reject_file = tmp_path / "rejects" / "customers.csv"
    if reject_file.exists():
        assert MARKER not in reject_file.read_text()


def test_no_parquet_error_may_hold_a_value(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, id=[MARKER, MARKER, "\u200b" + MARKER], amount=[MARKER] * 3)
    assert MARKER not in told(refused(registered(path, AMOUNT)))
    assert MARKER not in (tmp_path / "rejects" / "customers.csv").read_text()


def test_no_value_may_be_shown_with_the_dataset(tmp_path: Path) -> None:
    path = csv_file(tmp_path, f"id,city,took\n{MARKER},{MARKER},yes\nb,x,no\n")
    shown = repr(read(registered(path, CITY, label=TOOK)))
    assert MARKER not in shown
    assert "rows_in_file=2" in shown


# -- Parquet ---------------------------------------------------------------------------------

ID_CARD = 110105194912310021  # 18 digits: beyond what a float holds exactly


@pytest.mark.parametrize(
    ("values", "kept", "reasons"),
    [
        (["13800138000", None, "13800138001"], [1, 3], [(2, "missing_identifier")]),
        (pa.array([13800138000, 13800138001]), [1, 2], []),
        (pa.array([13800138000, None, 13800138001]), [1, 3], [(2, "missing_identifier")]),
        (pa.array([13800138000.0, float("nan"), 13800138001.0]), [1, 3], [(2, MISSING[0])]),
        (pa.array([13800138000.0, 13800138001.5, 13800138001.0]), [1, 3], [(2, "malformed")]),
        (pa.array([13800138000.0, float("inf"), 13800138001.0]), [1, 3], [(2, "bad_characters")]),
        (pa.array([13800138000, 13800138001], pa.uint64()), [1, 2], []),
        (pa.array([Decimal("13800138000.00"), Decimal(13800138001)]), [1, 2], []),
        (pa.array(["13800138000", "13800138001"], pa.large_string()), [1, 2], []),
        (pa.array(["13800138000", "13800138001"]).dictionary_encode(), [1, 2], []),
        (["13800138000", "", "13800138001"], [1, 3], [(2, "empty")]),
        (["13800138000", "8613800138000", "+86 138 0013 8001"], [1, 3], [(2, "malformed")]),
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
        ([datetime.datetime(2026, 11, 21), None], "holds timestamp[us]"),  # noqa: DTZ001
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
