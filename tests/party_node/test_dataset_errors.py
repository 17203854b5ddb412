"""A file that cannot be read says why, and never what is in it."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from party_node import table_files
from protocols.session.job_spec import ColumnTerms
from tests.party_node.tables import (
    AMOUNT,
    CITY,
    SUITE,
    TOOK,
    csv_file,
    numbers,
    parquet_file,
    read,
    refused,
    registered,
    rejects_of,
    texts,
)


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
    "first", ["13800138000,Li", "a@example.com,5", "Li,4711", "11010519491231002X,Li", "Li,-1.5"]
)
def test_a_first_line_that_is_a_row_must_not_be_repeated(tmp_path: Path, first: str) -> None:
    error = refused(registered(csv_file(tmp_path, f"{first}\n{first}\n")))
    assert "does not look like column names" in error.hint
    for cell in first.split(","):
        assert cell not in (error.message + error.hint).replace(str(tmp_path), "")


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
    read_csv = table_files.pa_csv.read_csv

    def read_and_change(*arguments: Any, **options: Any) -> pa.Table:
        table = read_csv(*arguments, **options)
        csv_file(tmp_path, "id\na\nc\nd\n")
        return table

    monkeypatch.setattr(table_files.pa_csv, "read_csv", read_and_change)
    assert "changed while it was read" in refused(registered(path)).message


def test_the_digest_must_be_the_files(tmp_path: Path) -> None:
    content = "id\n" + "".join(f"c{i}\n" for i in range(900_000))  # more than one chunk
    path = csv_file(tmp_path, content)
    digest = table_files.file_digest(path, SUITE)
    chunks = [content.encode()[i : i + (1 << 22)] for i in range(0, len(content), 1 << 22)]
    assert len(chunks) > 1
    assert digest == SUITE.hash(b"fedcrm/file/v1\x00", *map(SUITE.hash, chunks))
    short = csv_file(tmp_path, "id\na\n", "short.csv")
    assert read(registered(short)).digest == table_files.file_digest(short, SUITE) != digest


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
