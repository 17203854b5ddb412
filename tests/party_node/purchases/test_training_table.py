"""Files, rejects and refusals: every line is used, or rejected under its own number and reason."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from party_node.errors import DatasetError
from party_node.purchases import LineColumns, feature_names
from protocols.identifiers import protocol_input
from tests.party_node.purchases.purchase_lines import (
    COLUMNS,
    HEADER,
    SUITE,
    Line,
    by_customer,
    prepared,
    rejects_of,
    terms,
    written,
)

PLAIN = [
    Line("17850", -30, "1", "food", "2", "3.5", "0.5"),
    Line("17850", -2, "2", "toys", "1", "9"),
    Line("13047", -4, "3", "food", "6", "12.25", "1"),
    Line("13047", 7, "4", "food", "6", "12.25", "1"),
    Line("12583", -40, "5", "books", "1", "2"),
    Line("late", 3, "6"),
]


def test_table_must_hold_who_is_active_in_the_order_of_digests(tmp_path: Path) -> None:
    made = prepared(written(tmp_path / "till.csv", PLAIN))
    digests = {i: protocol_input(SUITE, "opaque", i) for i in (b"17850", b"13047")}
    assert made.identifiers == sorted(digests, key=digests.__getitem__)
    assert [row.tobytes() for row in made.table.customers] == sorted(digests.values())
    assert made.table.columns == feature_names(("food", "toys"))
    first = {b"17850": 1, b"13047": 3}
    assert made.table.source_rows.tolist() == [first[i] for i in made.identifiers]
    assert {name: row["label"] for name, row in by_customer(made).items()} == {
        "17850": 1.0,
        "13047": 0.0,
    }
    facts = made.facts
    assert (facts.lines_in_file, facts.lines_used, facts.customers_in_file) == (6, 6, 4)
    assert (facts.customers, facts.churned) == (2, 1)
    assert (facts.first_day, facts.last_day) == ("2024-01-30", "2024-03-17")
    assert (made.rejected, rejects_of(tmp_path / "till.csv")) == ({}, [])
    assert "17850" not in repr(made)


def test_columns_must_come_in_the_agreed_order(tmp_path: Path) -> None:
    path = written(tmp_path / "till.csv", PLAIN)
    made = prepared(path, terms(columns=("spent", "recency_days")))
    assert made.table.columns == ("spent", "recency_days")
    whole = by_customer(prepared(path))
    for name, row in by_customer(made).items():
        assert row.items() <= whole[name].items()


@pytest.mark.parametrize("kind", ["gzip", "text", "typed", "dictionary", "zone"])
def test_every_kind_of_file_must_give_the_same_table(tmp_path: Path, kind: str) -> None:
    expected = prepared(written(tmp_path / "till.csv", PLAIN)).table
    cells = [line.cells() for line in PLAIN if line.customer != "late"]
    frame = pd.DataFrame(cells, columns=list(HEADER)).replace("", None)
    if kind == "gzip":
        path = written(tmp_path / "till.csv.gz", PLAIN)
    else:
        path = tmp_path / "till.parquet"
        columns: dict[str, Any] = {name: pa.array(frame[name]) for name in HEADER}
        if kind == "dictionary":
            columns["kind"] = columns["kind"].dictionary_encode()
            columns["customer"] = columns["customer"].dictionary_encode()
        if kind in ("typed", "zone"):
            columns["customer"] = pa.array(frame["customer"].astype(float))
            columns["receipt"] = pa.array(frame["receipt"].astype(int))
            for name in ("pieces", "amount", "off"):
                columns[name] = pa.array(frame[name].astype(float), from_pandas=True)
            columns["day"] = columns["day"].cast(pa.date32())
        if kind == "zone":
            times = [datetime.fromisoformat(d).replace(hour=23, tzinfo=UTC) for d in frame["day"]]
            columns["day"] = pa.array(times, pa.timestamp("ns", "Asia/Shanghai"))
        pq.write_table(pa.table(columns), path)
    table = prepared(path).table
    assert table.values.tobytes() == expected.values.tobytes()
    assert table.labels.tobytes() == expected.labels.tobytes()
    assert table.customers.tobytes() == expected.customers.tobytes()


def test_lines_that_cannot_be_used_must_be_rejected_with_their_reason(tmp_path: Path) -> None:
    good = [Line("a", -day).cells() for day in range(14)]
    day = Line("a", 0).cells()[1]
    bad: list[tuple[tuple[str, ...], str, str]] = [
        (("", day, "", "", "1", "5", ""), "missing_identifier", "customer"),
        (("x" * 2000, day, "", "", "1", "5", ""), "too_long", "customer"),
        (("a", "10/03/2024", "", "", "1", "5", ""), "not_a_date", "day"),
        (("a", "", "", "", "1", "5", ""), "missing_date", "day"),
        (("a", "0024-03-10", "", "", "1", "5", ""), "date_out_of_range", "day"),
        (("a", day, "", "", "1", "", ""), "missing_number", "amount"),
        (("a", day, "", "", "1", "5,00", ""), "not_a_number", "amount"),
        (("a", day, "", "", "1", "inf", ""), "not_a_number", "amount"),
        (("a", day, "", "", "1", "1e13", ""), "number_out_of_range", "amount"),
        (("a", day, "", "", "two", "5", ""), "not_a_number", "pieces"),
        (("a", day, "", "", "1", "5", "some"), "not_a_number", "off"),
        (("a", day, "", "", "1", "5"), "wrong_number_of_fields", ""),
        (("a", day, "C7", "", "1", "5", ""), "cancelled", "receipt"),
    ]
    path = written(tmp_path / "till.csv", [*good, *(cells for cells, _, _ in bad)])
    made = prepared(path, cancelled_prefix="C")
    assert rejects_of(path) == [(15 + at, r, c) for at, (_, r, c) in enumerate(bad)]
    assert made.rejected["not_a_number"] == 4
    assert sum(made.rejected.values()) == len(bad)
    assert made.facts.lines_used == len(good)
    clean = prepared(written(tmp_path / "clean.csv", good))
    assert made.table.values.tobytes() == clean.table.values.tobytes()


def test_who_refuses_in_one_line_must_be_left_out_of_all(tmp_path: Path) -> None:
    header = (*HEADER, "agreed")
    lines = [
        (*Line("a", -1).cells(), "yes"),
        (*Line("b", -1).cells(), "yes"),
        (*Line("b", 20).cells(), "no"),
        (*Line("c", -1).cells(), ""),
        (*Line("", -1).cells(), "yes"),
    ]
    path = written(tmp_path / "till.csv", lines, header)
    made = prepared(path, consent_column="agreed")
    assert made.identifiers == [b"a"]
    assert rejects_of(path) == [
        (2, "no_consent", "agreed"),
        (3, "no_consent", "agreed"),
        (4, "no_consent", "agreed"),
        (5, "missing_identifier", "customer"),
    ]
    nobody = written(tmp_path / "nobody.csv", [(*Line("a", -1).cells(), "no")], header)
    with pytest.raises(DatasetError, match=r"no line of .* is left") as caught:
        prepared(nobody, consent_column="agreed")
    assert "1 are of customers who do not consent" in caught.value.hint


def test_spellings_of_one_customer_must_be_one(tmp_path: Path) -> None:
    lines = [Line("138 0013 8000", -3), Line("+86-138-0013-8000", -1)]
    made = prepared(written(tmp_path / "till.csv", lines), identifier_kind="phone")
    assert made.identifiers == [b"+8613800138000"]
    assert by_customer(made)["+8613800138000"]["purchase_days"] == np.log(3)


def test_a_file_of_mostly_unusable_lines_must_be_refused(tmp_path: Path) -> None:
    lines = [Line("a", 0), *[Line("a", 0, amount="secret-17")] * 2]
    path = written(tmp_path / "till.csv", lines)
    with pytest.raises(DatasetError, match=r"2 of 3 lines of .* cannot be used") as caught:
        prepared(path)
    assert "not_a_number in column 'amount'" in caught.value.hint
    assert rejects_of(path) == [(2, "not_a_number", "amount"), (3, "not_a_number", "amount")]
    assert "secret" not in str(caught.value) + caught.value.hint
    cancelled = written(tmp_path / "c.csv", [Line("a", 0), *[Line("a", 0, "C1")] * 5])
    assert prepared(cancelled, cancelled_prefix="C").rejected == {"cancelled": 5}


def test_a_file_that_ends_before_the_horizon_must_be_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "till.csv", [Line("a", 0), Line("b", 9)])
    with pytest.raises(DatasetError, match=r"ends on 2024-03-19; .* 2024-03-20") as caught:
        prepared(path, complete_until=None)
    assert "complete_until" in caught.value.hint
    with pytest.raises(DatasetError, match="ends on 2024-03-19"):
        prepared(path, complete_until="2024-03-18")
    assert prepared(path, complete_until="2024-03-20").facts.customers == 1
    whole = written(tmp_path / "whole.csv", [Line("a", 0), Line("b", 10)])
    assert prepared(whole, complete_until=None).facts.customers == 1


def test_a_cut_outside_the_file_must_be_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "till.csv", [Line("a", 5), Line("b", -20)])
    with pytest.raises(DatasetError, match="bought anything in the 20 days up to 2024-03-10"):
        prepared(path)


def test_features_the_file_cannot_give_must_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "till.csv", PLAIN)
    least = LineColumns(time="day", amount="amount")
    for column, needed in (
        ("discount_share", "discount"),
        ("basket_quantity", "quantity"),
        ("categories_seen", "category"),
        ("share: food", "category"),
        ("share_of_others", "category"),
    ):
        with pytest.raises(DatasetError, match=f"{column}.* needs a column {needed}"):
            prepared(path, terms(columns=("spent", column)), columns=least)
    with pytest.raises(DatasetError, match="'colour', which rules purchases/1 do not make"):
        prepared(path, terms(columns=("colour",)))
    made = prepared(path, terms(columns=("baskets", "purchase_days")), columns=least)
    assert made.table.values[:, 0].tolist() == made.table.values[:, 1].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"customer,day\n", r"cannot read .* \(BadGzipFile\)"),
        ("", "is empty"),
        ("customer,day\n", "has no column 'amount', "),
        (",".join(HEADER) + "\n", "has no lines"),
        (",".join(HEADER) + '\na,"2024', "not well-formed CSV at line 2"),
        (b"\xff\xfe" * 40, r"cannot read .* \(BadGzipFile\)"),
        ("customer,day,day,receipt,kind,pieces,amount,off\n", "more than one column 'day'"),
    ],
)
def test_a_broken_compressed_file_must_be_explained(
    tmp_path: Path, content: bytes | str, message: str
) -> None:
    path = tmp_path / "till.csv.gz"
    path.write_bytes(content if isinstance(content, bytes) else gzip.compress(content.encode()))
    with pytest.raises(DatasetError, match=message):
        prepared(path)


def test_a_cut_off_compressed_file_must_be_explained(tmp_path: Path) -> None:
    path = written(tmp_path / "till.csv.gz", PLAIN)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DatasetError, match=r"cannot read .* \(EOFError\)"):
        prepared(path)
    latin = tmp_path / "latin.csv.gz"
    latin.write_bytes(gzip.compress(",".join(HEADER).encode() + b"\nM\xfcller,,,,,,\n"))
    with pytest.raises(DatasetError, match=r"cannot read .* \(UnicodeDecodeError\)"):
        prepared(latin)
    with pytest.raises(DatasetError, match="no file"):
        prepared(tmp_path / "absent.csv.gz")


def test_broken_rows_of_a_compressed_file_must_keep_their_numbers(tmp_path: Path) -> None:
    cells = Line("a", 0).cells()
    lines = [cells, cells[:-1], (cells[0], cells[1], "two\nlines", *cells[3:]), (*cells, "more")]
    for name in ("till.csv", "till.csv.gz"):
        path = written(tmp_path / name, [*lines, *[cells] * 3])
        made = prepared(path)
        assert made.rejected == {"wrong_number_of_fields": 2}
        assert [row for row, _, _ in rejects_of(path)] == [2, 4]
        assert made.facts.lines_in_file == 7


def test_a_column_of_dates_must_not_be_an_amount(tmp_path: Path) -> None:
    path = tmp_path / "till.parquet"
    frame = pd.DataFrame([line.cells() for line in PLAIN], columns=list(HEADER))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    day = table["day"].cast(pa.date32())
    pq.write_table(table.set_column(5, "amount", day), path)
    with pytest.raises(DatasetError, match=r"'amount' of .* holds dates"):
        prepared(path, columns=COLUMNS)
