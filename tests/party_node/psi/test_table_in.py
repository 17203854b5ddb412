"""Key columns read from files: the same rows, values and rejects as the node's table reader."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from party_node.errors import DatasetError
from party_node.psi import table_in
from party_node.psi.key_columns import WORDS, KeyColumn, MatchKey
from party_node.psi.table_in import (
    CsvFile,
    KeyReader,
    TableKeys,
    check_usable,
    read_keys,
    read_texts,
    stamp,
    write_rejects,
)
from party_node.table_files import file_digest, read_table
from protocols.identifiers import Unusable, normalise, protocol_input
from protocols.suite import get_suite

SUITE = get_suite("gm", kernels="portable")
OPAQUE = MatchKey((KeyColumn("id", "opaque"),))
IN_TMP = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def csv_file(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet_file(folder: Path, **columns: Any) -> Path:
    pa_parquet.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


def item(value: str, kind: Any = "opaque") -> bytes:
    return protocol_input(SUITE, kind, normalise(kind, value))


def items_of(keys: TableKeys, at: int = 0) -> dict[int, bytes]:
    part = keys.rounds[at]
    return {int(row): item.tobytes() for row, item in zip(part.rows, part.items, strict=True)}


def rejects_of(keys: TableKeys) -> list[tuple[int, str]]:
    pairs = zip(keys.rejects.rows, keys.rejects.reasons, strict=True)
    return [(int(row), WORDS[reason]) for row, reason in pairs]


def refusal(path: Path, key: MatchKey = OPAQUE) -> DatasetError:
    with pytest.raises(DatasetError) as refused:
        read_keys(path, key, SUITE)
    return refused.value


def by_table_reader(path: Path, column: str = "id") -> tuple[dict[int, bytes], list]:
    """What the node's own reader and row-by-row rules make of the file."""
    table = read_table(path, [column], SUITE)
    found: dict[int, bytes] = {}
    rejects = [(row, "wrong_number_of_fields") for row in table.broken]
    seen: set[bytes] = set()
    for row, text in zip(table.rows.tolist(), table.table[column].to_pylist(), strict=True):
        try:
            made = item(text) if text is not None else None
        except Unusable as unusable:
            rejects.append((row, unusable.reason.value))
            continue
        if made is None:
            rejects.append((row, "missing_identifier"))
        elif made in seen:
            rejects.append((row, "duplicate_identifier"))
        else:
            seen.add(made)
            found[row] = made
    return found, sorted(rejects)


@given(
    st.text('ab1é,"\n\r \x00', max_size=40), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans()
)
@example("", "\n", True)
@example('"a\n",b\n\n"x""y",NA\nNA,b\n"null",b\n,b', "\n", False)
@example("a,b\r\n\r\nc\n", "\n", False)
@IN_TMP
def test_any_csv_must_be_read_as_the_nodes_table_reader_reads_it(
    tmp_path: Path, body: str, line_end: str, mark: bool
) -> None:
    path = csv_file(tmp_path, ("\ufeff" if mark else "") + f'"id",b{line_end}{body}')
    try:
        found, rejects = by_table_reader(path)
    except DatasetError:
        assert "well-formed" in refusal(path).message
        return
    keys = read_keys(path, OPAQUE, SUITE)
    assert items_of(keys) == found
    assert rejects_of(keys) == rejects
    assert keys.rows_in_file == len(found) + len(rejects)
    assert keys.digest == file_digest(path, SUITE)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=8))
@IN_TMP
def test_what_pythons_writer_writes_must_be_read_back(tmp_path: Path, values: list[str]) -> None:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerow(["x,y", "id"])
    writer.writerows((f'"{n}', value) for n, value in enumerate(values))
    path = csv_file(tmp_path, written.getvalue())
    rows = np.arange(1, len(values) + 1, dtype=np.int64)
    nulls = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
    expected = [None if value in nulls else value for value in values]
    assert read_texts(path, "id", rows, since=stamp(path)) == expected
    assert read_keys(path, OPAQUE, SUITE).rows_in_file == len(values)


def test_blocks_of_any_size_must_give_the_same(tmp_path, monkeypatch) -> None:
    lines = [f'"{n}\n",x{n}é' if n % 3 else f"{n},{n}" for n in range(200)]
    path = csv_file(tmp_path, "note,id\r\n" + "\r\n".join(lines))
    key = MatchKey((KeyColumn("id", "opaque"), KeyColumn("note", "opaque")), "first")
    whole = read_keys(path, key, SUITE)
    assert len(whole.rounds[0].rows) == 200
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr(table_in, "BLOCK_BYTES", size)
        keys = read_keys(path, key, SUITE)
        for at in range(2):
            assert items_of(keys, at) == items_of(whole, at)
        assert rejects_of(keys) == rejects_of(whole)


def test_a_leading_zero_must_stay(tmp_path) -> None:
    path = csv_file(tmp_path, "id\n0138\n138\n")
    assert items_of(read_keys(path, OPAQUE, SUITE)) == {1: item("0138"), 2: item("138")}


def test_a_header_alone_must_give_no_rows(tmp_path) -> None:
    for content in ("id,b", "id,b\n", "\ufeffid,b\r\n\r\n"):
        keys = read_keys(csv_file(tmp_path, content), OPAQUE, SUITE)
        assert keys.rows_in_file == 0
        assert keys.rounds[0].items.shape == (0, 32)
        assert len(keys.rejects) == 0
    empty = parquet_file(tmp_path, id=pa.array([], pa.string()))
    assert read_keys(empty, OPAQUE, SUITE).rows_in_file == 0


def test_all_and_first_of_several_columns_must_be_read(tmp_path) -> None:
    path = csv_file(tmp_path, "mail,x,tel\na@b.co,,13800138000\n,1,13900139000\nA@B.co,,\n1,2\n")
    columns = (KeyColumn("tel", "phone"), KeyColumn("mail", "email"))
    together = read_keys(path, MatchKey(columns), SUITE)
    assert list(items_of(together)) == [1]
    assert rejects_of(together) == [
        (2, "missing_identifier"),
        (3, "missing_identifier"),
        (4, "wrong_number_of_fields"),
    ]
    first = read_keys(path, MatchKey(columns, "first"), SUITE)
    assert items_of(first, 0) == {1: item("13800138000", "phone"), 2: item("13900139000", "phone")}
    assert items_of(first, 1) == {1: item("a@b.co", "email")}
    assert rejects_of(first) == [(3, "duplicate_identifier"), (4, "wrong_number_of_fields")]


def test_a_region_must_be_heeded(tmp_path) -> None:
    path = csv_file(tmp_path, "id\n2345 6789\n")
    phone = MatchKey((KeyColumn("id", "phone"),))
    assert len(read_keys(path, phone, SUITE, region="HK").rounds[0].rows) == 1
    assert len(read_keys(path, phone, SUITE).rounds[0].rows) == 0


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["a", None, "é", ""]), ["a", None, "é", ""]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", None], pa.string_view()), ["a", None]),
        (pa.array(["b", None, "b", "a"]).dictionary_encode(), ["b", None, "b", "a"]),
        (pa.array([13800138000, None, -1]), ["13800138000", None, "-1"]),
        (pa.array([13800138000.0, 1.5, None]), ["13800138000", "1.5", None]),
        (pa.array([decimal.Decimal("12.00"), None]), ["12", None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([datetime.date(2026, 11, 21)]), ["2026-11-21"]),
        (pa.nulls(2), [None, None]),
        (pa.array(["NA", "0138"]), ["NA", "0138"]),
    ],
)
def test_parquet_columns_must_be_the_text_a_csv_would_hold(tmp_path, values, texts) -> None:
    path = parquet_file(tmp_path, x=pa.array(range(len(values))), id=values)
    rows = np.arange(1, len(values) + 1, dtype=np.int64)
    assert read_texts(path, "id", rows, since=stamp(path)) == texts
    keys = read_keys(path, OPAQUE, SUITE)
    assert keys.digest == file_digest(path, SUITE)
    first = {text: row for row, text in reversed(list(enumerate(texts, 1))) if text}
    assert items_of(keys) == {row: item(text) for text, row in sorted(first.items())}


def test_many_row_groups_and_slices_must_be_numbered_through(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(table_in, "RECORDS_AT_ONCE", 16)
    path = tmp_path / "t.parquet"
    pa_parquet.write_table(pa.table({"id": [f"n{n}" for n in range(100)]}), path, row_group_size=37)
    keys = read_keys(path, OPAQUE, SUITE)
    assert items_of(keys) == {n + 1: item(f"n{n}") for n in range(100)}


def test_texts_of_some_rows_must_be_theirs(tmp_path) -> None:
    path = csv_file(tmp_path, 'id,v\n1,a\n2\n3,"b\n"\n4,\n5,é\n')
    rows = np.array([3, 4, 5], dtype=np.int64)
    assert read_texts(path, "v", rows, since=stamp(path)) == ["b\n", None, "é"]
    assert read_texts(path, "v", rows[:0], since=stamp(path)) == []


def test_a_missing_file_a_folder_and_a_missing_column_must_be_named(tmp_path) -> None:
    assert f"no file {tmp_path / 'none.csv'}" in refusal(tmp_path / "none.csv").message
    assert "is a folder" in refusal(tmp_path).message
    error = refusal(csv_file(tmp_path, "phone,city\n1,2\n"))
    assert "has no column 'id'" in error.message
    assert error.hint == "it has: phone, city"
    error = refusal(csv_file(tmp_path, "13800138000,Anna\n13900139000,Bert\n"))
    assert "13800138000" not in error.message + error.hint
    error = refusal(parquet_file(tmp_path, phone=["1"]))
    assert error.hint == "it has: phone"


@pytest.mark.parametrize("content", [b"", b"\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n\n"])
def test_an_empty_file_must_be_named(tmp_path, content) -> None:
    assert "is empty" in refusal(csv_file(tmp_path, content)).message


def test_a_key_column_that_is_there_twice_must_be_named(tmp_path) -> None:
    assert "more than one column 'id'" in refusal(csv_file(tmp_path, "id,b,id\n1,2,3\n")).message
    others_twice = csv_file(tmp_path, "b,id,b\n1,2,3\n")
    assert items_of(read_keys(others_twice, OPAQUE, SUITE)) == {1: item("2")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("编号,id\n1,2\n".encode("gb18030"), "the header of"),
        (b"id\nok\n" + "张三\n".encode("gb18030"), "is not UTF-8 in rows 1 to 2"),
        (b"id\n\xe4\n\xbd\xa0\n", "is not UTF-8"),
        ("id\n1\n".encode("utf-16"), "the header of"),
        (b"\xff\xfei\x00d\x00", "the header of"),
    ],
)
def test_text_that_is_not_utf_8_must_be_named(tmp_path, content, said) -> None:
    error = refusal(csv_file(tmp_path, content))
    assert said in error.message
    assert "iconv" in error.hint


def test_other_columns_may_hold_any_bytes(tmp_path) -> None:
    path = csv_file(tmp_path, b"id,b\n1,\xff\n2,\x80\n")
    assert items_of(read_keys(path, OPAQUE, SUITE)) == {1: item("1"), 2: item("2")}


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"PAR1\x15\x00\xff", ".parquet"),
        (b"PK\x03\x04\xff", "CSV"),
        (b"\x1f\x8b\x08\xff", "unpack"),
    ],
)
def test_a_file_of_another_kind_must_be_told_apart(tmp_path, content, hint) -> None:
    assert hint in refusal(csv_file(tmp_path, content)).hint


def test_a_corrupt_parquet_file_must_be_named(tmp_path) -> None:
    path = parquet_file(tmp_path, id=[f"secret{n}" for n in range(1000)])
    data = path.read_bytes()
    for damaged in (data[:-9], b"PAR1", b"", data[:20] + bytes(200) + data[220:]):
        path.write_bytes(damaged)
        error = refusal(path)
        assert "cannot read" in error.message
        assert "secret" not in error.message + error.hint


def test_a_column_of_lists_must_be_refused(tmp_path) -> None:
    assert "holds list" in refusal(parquet_file(tmp_path, id=[[1], [2]])).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_must_be_named(tmp_path) -> None:
    path = csv_file(tmp_path, "id\n1\n")
    path.chmod(0)
    assert "cannot read" in refusal(path).message


def test_misplaced_quotes_must_be_named_by_row(tmp_path) -> None:
    error = refusal(csv_file(tmp_path, 'id,b\n1,2\n\n"3"x,4\n'))
    assert "at row 2" in error.message
    assert "at row 1" in refusal(csv_file(tmp_path, 'id,b\n1,"2\n3,4\n')).message
    assert "its header" in refusal(csv_file(tmp_path, '"id,b\n1,2\n')).message


def test_a_quotation_mark_left_open_must_not_fill_the_memory(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(table_in, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(table_in, "MAX_RECORD_BYTES", 1 << 14)
    path = csv_file(tmp_path, 'id,b\n1,2\n3,"' + "x" * (1 << 16))
    error = refusal(path)
    assert "row 2" in error.message
    assert "quotation mark" in error.hint
    assert "does not end" in refusal(csv_file(tmp_path, "x" * (1 << 16))).message


def test_a_file_that_changes_meanwhile_must_be_refused(tmp_path) -> None:
    path = csv_file(tmp_path, "id\n1\n2\n")
    reader = KeyReader(path, OPAQUE, SUITE)
    batches = iter(reader)
    next(batches)
    path.write_bytes(b"id\n1\n2\n3\n")
    with pytest.raises(DatasetError, match="changed"):
        list(batches)
    assert not hasattr(reader, "digest")
    assert not hasattr(reader, "rows_in_file")


def test_the_reject_file_must_hold_rows_reasons_and_columns(tmp_path) -> None:
    path = csv_file(tmp_path, 'a"b,tel\n1,110\n1\n2,13800138000\n3,13800138000\n4,\n')
    key = MatchKey((KeyColumn("tel", "phone"),))
    keys = read_keys(path, key, SUITE)
    rejects = tmp_path / "out.csv.rejects.csv"
    write_rejects(rejects, keys.rejects)
    with rejects.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file, strict=True)) == [
            ["row", "reason", "column"],
            ["1", "malformed", "tel"],
            ["2", "wrong_number_of_fields", ""],
            ["4", "duplicate_identifier", "tel"],
            ["5", "missing_identifier", "tel"],
        ]
    assert keys.rejects.counts == {
        "duplicate_identifier": 1, "malformed": 1, "missing_identifier": 1,
        "wrong_number_of_fields": 1,
    }  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv.rejects.csv", "t.csv"]
    with pytest.raises(DatasetError, match="cannot write"):
        write_rejects(tmp_path / "none" / "r.csv", keys.rejects)


def test_a_column_name_with_a_comma_must_be_quoted_in_the_reject_file(tmp_path) -> None:
    path = csv_file(tmp_path, '"id, ""own"""\n\x01\n')
    key = MatchKey((KeyColumn('id, "own"', "opaque"),))
    keys = read_keys(path, key, SUITE)
    write_rejects(tmp_path / "r.csv", keys.rejects)
    with (tmp_path / "r.csv").open(newline="") as file:
        assert list(csv.reader(file, strict=True))[1] == ["1", "bad_characters", 'id, "own"']


def test_a_wrong_kind_must_be_told_and_duplicates_not(tmp_path) -> None:
    rejects = tmp_path / "r.csv"
    phone = MatchKey((KeyColumn("id", "phone"),))
    path = csv_file(tmp_path, "id\nx1\nx2\n13800138000\n")
    keys = read_keys(path, phone, SUITE)
    with pytest.raises(DatasetError) as refused:
        check_usable(path, phone, keys.rows_in_file, keys.rejects, rejects)
    assert "2 of 3 rows" in refused.value.message
    assert "bad_characters in column 'id'" in refused.value.hint
    assert "'id' of kind phone" in refused.value.hint
    path = csv_file(tmp_path, "id\n" + "13800138000\n" * 9)
    keys = read_keys(path, phone, SUITE)
    assert keys.rejects.counts == {"duplicate_identifier": 8}
    assert check_usable(path, phone, keys.rows_in_file, keys.rejects, rejects) is None


def test_the_header_must_be_kept_byte_by_byte(tmp_path) -> None:
    for head, line_end in (
        (b'\xef\xbb\xbf"id",b', b"\r\n"),
        (b"id,b", b"\n"),
        (b'"i\nd",b', b"\r"),
    ):
        file = CsvFile(csv_file(tmp_path, head + line_end + b"1,2" + line_end))
        assert (file.head, file.line_end) == (head, line_end)
    assert CsvFile(csv_file(tmp_path, "id")).line_end == b"\n"
