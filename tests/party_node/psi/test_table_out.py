"""Matching rows written in a given order: every byte of theirs, and nothing half done."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import os
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from party_node.errors import DatasetError
from party_node.psi import table_in
from party_node.psi.table_in import stamp
from party_node.psi.table_out import check_output, write_matching
from party_node.table_files import file_digest
from protocols.suite import get_suite

SUITE = get_suite("gm", kernels="portable")
IN_TMP = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CELLS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(',"\n\r é'), max_size=9)


def numbers(rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


def shuffled(count: int, taken: int, seed: bytes = b"order") -> np.ndarray:
    return SUITE.stream(bytes(32), seed).permutation(count)[:taken] + 1


def written(folder: Path, content: bytes, rows: np.ndarray, **options: int) -> bytes:
    (folder / "in.csv").write_bytes(content)
    digest = write_matching(folder / "in.csv", folder / "out.csv", rows, SUITE, **options)
    assert digest == file_digest(folder / "out.csv", SUITE)
    return (folder / "out.csv").read_bytes()


@pytest.mark.parametrize(
    ("content", "rows", "expected"),
    [
        (b"id,b\n1,x\n2,y\n3,z\n", [3, 1], b"id,b\n3,z\n1,x\n"),
        (b"id,b\n1,x\n2,y", [2, 1], b"id,b\n2,y\n1,x\n"),
        (b"id,b\r\n1,x\r\n2,y\r\n", [2], b"id,b\r\n2,y\r\n"),
        (b"\xef\xbb\xbfid\n\n1\n\n\n2\n", [2, 1], b"\xef\xbb\xbfid\n2\n1\n"),
        (b'"id",b\n"0138","a\nb"\n"""",\xff\n', [2, 1], b'"id",b\n"""",\xff\n"0138","a\nb"\n'),
        (b"id,b\nbroken\n1,x\n2,y\n", [3], b"id,b\n2,y\n"),
        (b"id\n1\n", [], b"id\n"),
        (b"id", [], b"id\n"),
        (b"id\r1\r2\r", [2], b"id\r2\r"),
    ],
)  # fmt: skip
def test_records_must_be_copied_byte_by_byte(tmp_path, content, rows, expected) -> None:
    assert written(tmp_path, content, numbers(rows)) == expected


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.data())
@IN_TMP
def test_any_table_must_come_out_in_the_order_asked_for(tmp_path, cells, data) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([("id", "b,c"), *cells])
    rows = data.draw(st.permutations(range(1, len(cells) + 1)))
    rows = rows[: data.draw(st.integers(0, len(rows)))]
    out = written(tmp_path, text.getvalue().encode(), numbers(rows), memory=data.draw(MEMORY))
    records = list(csv.reader(io.StringIO(out.decode(), newline=""), strict=True))
    assert records == [["id", "b,c"], *(list(cells[row - 1]) for row in rows)]


MEMORY = st.sampled_from([1 << 26, 8, 100])


@pytest.mark.parametrize("memory", [1 << 26, 20_000, 999])
@pytest.mark.parametrize("block", [1 << 22, 1 << 10])
def test_parts_on_disk_must_give_what_memory_gives(tmp_path, monkeypatch, memory, block) -> None:
    monkeypatch.setattr(table_in, "BLOCK_BYTES", block)
    lines = [b'%d,"%s"' % (n, b"x\n" * (n % 40)) for n in range(3000)]
    rows = shuffled(3000, 2000)
    out = written(tmp_path, b"id,b\n" + b"\n".join(lines), rows, memory=memory)
    assert out == b"id,b\n" + b"".join(lines[row - 1] + b"\n" for row in rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def full_table() -> pa.Table:
    count = 500
    return pa.table(
        {
            "id": [f"{n:05}" for n in range(count)],
            "when": [datetime.datetime(2026, 11, 21, 1, 2, n % 60) for n in range(count)],
            "day": [datetime.date(2026, 11, 1 + n % 30) for n in range(count)],
            "sum": [decimal.Decimal(n) / 100 if n % 7 else None for n in range(count)],
            "share": [n / 3 for n in range(count)],
            "small": pa.array([n % 100 for n in range(count)], pa.int8()),
            "yes": [n % 2 == 0 for n in range(count)],
            "city": pa.array([f"c{n % 5}" for n in range(count)]).dictionary_encode(),
            "tags": [[f"t{n}"] * (n % 3) for n in range(count)],
        }
    ).replace_schema_metadata({"made by": "a test"})


@pytest.mark.parametrize("memory", [1 << 26, 5000])
@pytest.mark.parametrize("group", [500, 33])
def test_parquet_must_keep_its_types_and_values(tmp_path, memory, group) -> None:
    table = full_table()
    pa_parquet.write_table(table, tmp_path / "in.parquet", row_group_size=group)
    rows = shuffled(500, 300)
    out = tmp_path / "out.parquet"
    write_matching(tmp_path / "in.parquet", out, rows, SUITE, memory=memory)
    found = pa_parquet.read_table(out)
    assert found.schema.equals(pa_parquet.read_schema(tmp_path / "in.parquet"))
    assert found.to_pylist() == table.take(pa.array(rows - 1)).to_pylist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_parquet_rows_must_be_taken_from_the_groups_that_have_them(tmp_path) -> None:
    table = full_table()
    pa_parquet.write_table(table, tmp_path / "in.parquet", row_group_size=50)
    rows = numbers([451, 2, 460, 1])
    write_matching(tmp_path / "in.parquet", tmp_path / "out.parquet", rows, SUITE)
    assert pa_parquet.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [
        "00450", "00001", "00459", "00000",
    ]  # fmt: skip


def test_no_rows_must_give_an_empty_table_of_the_same_types(tmp_path) -> None:
    pa_parquet.write_table(full_table(), tmp_path / "in.parquet")
    write_matching(tmp_path / "in.parquet", tmp_path / "out.parquet", numbers([]), SUITE)
    found = pa_parquet.read_table(tmp_path / "out.parquet")
    assert found.num_rows == 0
    assert found.schema.equals(pa_parquet.read_schema(tmp_path / "in.parquet"))


def test_csv_must_become_parquet_of_texts(tmp_path) -> None:
    (tmp_path / "in.csv").write_text('id,b\n"0138","a\nb"\nNA,\n3,"x, ""y"""\n')
    write_matching(tmp_path / "in.csv", tmp_path / "out.PARQUET", numbers([3, 2, 1]), SUITE)
    assert pa_parquet.read_table(tmp_path / "out.PARQUET").to_pydict() == {
        "id": ["3", "NA", "0138"],
        "b": ['x, "y"', "", "a\nb"],
    }
    write_matching(tmp_path / "in.csv", tmp_path / "none.parquet", numbers([]), SUITE)
    assert pa_parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_parquet_must_become_csv(tmp_path) -> None:
    table = full_table().drop_columns(["tags"])
    pa_parquet.write_table(table, tmp_path / "in.parquet")
    write_matching(tmp_path / "in.parquet", tmp_path / "out.csv", numbers([9, 3]), SUITE)
    with (tmp_path / "out.csv").open(newline="") as file:
        header, *records = csv.reader(file, strict=True)
    assert header == table.column_names
    assert [record[0] for record in records] == ["00008", "00002"]
    assert [record[3] for record in records] == ["0.08", "0.02"]
    assert [record[7] for record in records] == ["c3", "c2"]


def test_what_a_format_cannot_hold_must_be_told(tmp_path) -> None:
    pa_parquet.write_table(full_table(), tmp_path / "in.parquet")
    with pytest.raises(DatasetError, match="cannot write the rows"):
        write_matching(tmp_path / "in.parquet", tmp_path / "out.csv", numbers([1]), SUITE)
    (tmp_path / "in.csv").write_text("id,b,b\n1,2,3\n")
    with pytest.raises(DatasetError, match="two columns of one name"):
        write_matching(tmp_path / "in.csv", tmp_path / "out.parquet", numbers([1]), SUITE)
    assert written(tmp_path, b"id,b,b\n1,2,3\n", numbers([1])) == b"id,b,b\n1,2,3\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "in.parquet", "out.csv"]


def test_an_earlier_output_must_stay_until_the_new_one_is_whole(tmp_path) -> None:
    (tmp_path / "in.csv").write_bytes(b'id\n1\n2\n"3"x\n')
    (tmp_path / "out.csv").write_bytes(b"earlier")
    with pytest.raises(DatasetError, match="well-formed"):
        write_matching(tmp_path / "in.csv", tmp_path / "out.csv", numbers([1]), SUITE)
    assert (tmp_path / "out.csv").read_bytes() == b"earlier"
    assert written(tmp_path, b"id\n1\n", numbers([1])) == b"id\n1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_the_output_must_be_readable_by_whom_the_input_is(tmp_path) -> None:
    (tmp_path / "in.csv").write_bytes(b"id\n1\n")
    for mode in (0o600, 0o640):
        (tmp_path / "in.csv").chmod(mode)
        write_matching(tmp_path / "in.csv", tmp_path / "out.csv", numbers([1]), SUITE)
        assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == mode


def test_an_input_that_changed_must_be_refused(tmp_path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"id\n1\n2\n")
    before = stamp(path)
    path.write_bytes(b"id\n1\n")
    with pytest.raises(DatasetError, match="changed"):
        write_matching(path, tmp_path / "out.csv", numbers([1]), SUITE, since=before)
    with pytest.raises(DatasetError, match="fewer rows"):
        write_matching(path, tmp_path / "out.csv", numbers([2]), SUITE)
    pa_parquet.write_table(pa.table({"id": ["1"]}), tmp_path / "in.parquet")
    with pytest.raises(DatasetError, match="fewer rows"):
        write_matching(tmp_path / "in.parquet", tmp_path / "out.csv", numbers([2]), SUITE)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("rows", [[1, 1], [0], [2, 1, 2], [-1, 1]])
def test_rows_that_are_not_distinct_numbers_must_be_refused(tmp_path, rows) -> None:
    (tmp_path / "in.csv").write_bytes(b"id\n1\n2\n")
    with pytest.raises(ValueError, match="distinct"):
        write_matching(tmp_path / "in.csv", tmp_path / "out.csv", numbers(rows), SUITE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_an_output_that_cannot_be_must_be_told_beforehand(tmp_path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"id\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to(path)
    for out, said in (
        (tmp_path / "folder", "is a folder"),
        (path, "is the input"),
        (tmp_path / "link.csv", "is the input"),
        (tmp_path / "none" / "out.csv", "no folder"),
    ):
        with pytest.raises(DatasetError, match=said):
            check_output(path, out)
    assert check_output(path, tmp_path / "out.csv") is None
    if os.geteuid() != 0:
        (tmp_path / "folder").chmod(0o500)
        with pytest.raises(DatasetError, match="no right"):
            check_output(path, tmp_path / "folder" / "out.csv")


def test_a_missing_input_and_a_corrupt_one_must_be_named(tmp_path) -> None:
    with pytest.raises(DatasetError, match="no file"):
        write_matching(tmp_path / "in.csv", tmp_path / "out.csv", numbers([1]), SUITE)
    (tmp_path / "in.parquet").write_bytes(b"PAR1 not so PAR1")
    with pytest.raises(DatasetError, match="cannot write the rows"):
        write_matching(tmp_path / "in.parquet", tmp_path / "out.csv", numbers([1]), SUITE)
