"""A profile tells what a dataset is like in numbers, finds the label in disguise, and no value."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from party_node.datasets import LabelRule, Registration
from party_node.quality import ColumnQuality, QualityProfile, profile
from protocols.session.job_spec import ColumnKind, ColumnTerms
from protocols.suite import get_suite
from tests.party_node.tables import csv_file, parquet_file, read, registered

ROWS = 4000


def noise(name: bytes, bound: int = 1000) -> np.ndarray:
    """Return uniform integers below ``bound``, the same for the same name."""
    data = get_suite("gm").stream(bytes(32), name).bytes(8 * ROWS)
    return np.frombuffer(data, dtype=np.uint64).astype(np.int64) % bound


def profiled(registration: Registration) -> QualityProfile:
    return profile(registration, read(registration))


def with_label(
    folder: Path, labels: np.ndarray, kinds: dict[str, ColumnKind], **columns: Any
) -> dict[str, ColumnQuality]:
    path = parquet_file(
        folder,
        id=[f"c{i}" for i in range(len(labels))],
        took=pa.array(np.where(labels, "yes", "no").astype(object)),
        **columns,
    )
    terms = (ColumnTerms(name=name, kind=kinds.get(name, "numeric")) for name in columns)
    registration = registered(path, *terms, label=LabelRule(column="took", equals="yes"))
    return {column.name: column for column in profiled(registration).columns}


def test_a_profile_must_count_what_is_there(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "id,consent,took,n,i,b,d,c\n"
        "138 0013 8000,y,yes,1.5,3,yes,2026-11-21,Paris\n"
        "13800138001,y,no,2.5,,no,2026-11-23,Paris\n"
        "+8613800138002,y,no,,5,,,\n"
        "13800138003,y,no,10,4,yes,2026-11-22T12:00:00,Rome\n"
        "13800138004,n,yes,1,1,yes,2026-11-22,Oslo\n"
        "138,y,yes,1,1,yes,2026-11-22,Oslo\n",
    )
    kinds: dict[str, ColumnKind] = {
        "n": "numeric", "i": "integer", "b": "boolean", "d": "date", "c": "categorical",
    }  # fmt: skip
    found = profiled(
        registered(
            path,
            *(ColumnTerms(name=name, kind=kind) for name, kind in kinds.items()),
            kind="phone",
            consent="consent",
            label=LabelRule(column="took", equals="yes"),
        )
    )
    assert (found.dataset, found.rows_in_file, found.usable) == ("customers", 6, 4)
    assert found.rejected == {"malformed": 1, "no_consent": 1}
    assert (found.identifier_kind, found.respelled) == ("phone", 3)
    assert found.label is not None
    assert (found.label.name, found.label.positives, found.label.negatives) == ("took", 1, 3)
    assert found.label.positive_share == 0.25
    assert found.label.warnings == ("too_few_to_look_for_disguises",)
    n, i, b, d, c = found.columns
    assert (n.minimum, n.median, n.maximum, n.missing, n.distinct) == (1.5, 2.5, 10.0, 1, 3)
    assert (i.minimum, i.median, i.maximum, i.missing, i.distinct) == (3.0, 4.0, 5.0, 1, 3)
    assert (d.minimum, d.median, d.maximum) == ("2026-11-21", "2026-11-22T12:00:00", "2026-11-23")
    assert (b.minimum, b.most_frequent_share, b.missing, b.distinct) == (None, 2 / 3, 1, 2)
    assert (c.maximum, c.most_frequent_share, c.missing, c.distinct) == (None, 2 / 3, 1, 2)
    assert [column.kind for column in found.columns] == list(kinds.values())
    assert all(column.used and not column.warnings for column in found.columns)


def test_a_profile_must_survive_json_and_be_plain(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,x\na,1\nb,2\n")
    found = profiled(registered(path, ColumnTerms(name="x", kind="numeric")))
    assert found.label is None
    assert msgspec.json.decode(found.to_json(), type=QualityProfile) == found
    assert json.loads(found.to_json())["columns"][0]["name"] == "x"
    assert b"\n" in found.to_json()


def test_columns_no_split_could_use_must_be_named(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "x": [1, 2, 3, 4],
        "again": [1.0, 2.0, 3.0, 4.0],
        "constant": [7, 7, 7, 7],
        "one_level": ["a", "a", "a", "a"],
        "nothing": pa.nulls(4),
        "rare": [None, None, 5, 6],
        "only_known": ["a", None, None, None],
    }
    path = parquet_file(tmp_path, id=["a", "b", "c", "d"], **columns)
    kinds: dict[str, ColumnKind] = {"one_level": "categorical", "only_known": "categorical"}
    terms = (ColumnTerms(name=name, kind=kinds.get(name, "numeric")) for name in columns)
    found = {column.name: column for column in profiled(registered(path, *terms)).columns}
    assert {name: column.warnings for name, column in found.items()} == {
        "x": (),
        "again": ("duplicate",),
        "constant": ("constant",),
        "one_level": ("constant",),
        "nothing": ("all_missing",),
        "rare": ("mostly_missing",),
        "only_known": ("mostly_missing",),
    }
    assert [name for name, column in found.items() if column.used] == ["x", "rare", "only_known"]
    assert [name for name, column in found.items() if column.constant] == [
        "constant", "one_level", "nothing",
    ]  # fmt: skip
    assert (found["again"].duplicate_of, found["constant"].duplicate_of) == ("x", None)
    assert (found["nothing"].missing, found["nothing"].distinct) == (4, 0)
    assert (found["nothing"].minimum, found["nothing"].maximum) == (None, None)
    assert (found["one_level"].most_frequent_share, found["one_level"].distinct) == (1.0, 1)


def test_a_category_that_is_different_in_every_row_must_be_pointed_out(tmp_path: Path) -> None:
    found = with_label(
        tmp_path,
        noise(b"label", 2) == 1,
        {"note": "categorical", "city": "categorical"},
        note=[f"customer {i}" for i in range(ROWS)],
        city=[f"city {i % 3000}" for i in range(ROWS)],
        exact=np.arange(ROWS),
    )
    assert found["note"].warnings == ("like_an_identifier",)
    assert found["city"].warnings == found["exact"].warnings == ()


def test_numbers_that_may_identify_must_not_be_shown(tmp_path: Path) -> None:
    amounts = 1_000_000 + noise(b"amounts")
    found = with_label(
        tmp_path,
        noise(b"label", 2) == 1,
        {"account": "integer"},
        phone=[str(13_800_000_000 + 7 * i) for i in range(ROWS)],
        account=pa.array(6_222_000_000 + np.arange(ROWS), mask=np.arange(ROWS) % 3 == 0),
        amount=amounts,
        exact=amounts + np.arange(ROWS) / 7,
        row=np.arange(ROWS),
    )
    for name in ("phone", "account"):
        column = found[name]
        assert column.warnings == ("like_an_identifier",)
        assert (column.minimum, column.median, column.maximum) == (None, None, None)
        assert column.most_frequent_share is None
    for name in ("amount", "exact", "row"):
        assert found[name].warnings == ()
        assert found[name].maximum is not None


# -- the label in disguise -------------------------------------------------------------------


@pytest.mark.parametrize("positive_per_mille", [5, 200, 500])
def test_the_label_in_disguise_must_be_found_at_any_balance(
    tmp_path: Path, positive_per_mille: int
) -> None:
    labels = noise(b"label") < positive_per_mille
    assert labels.sum() >= 10
    small = noise(b"small", 3)
    found = with_label(
        tmp_path,
        labels,
        {
            "flag": "boolean",
            "level": "categorical",
            "levels": "categorical",
            "city": "categorical",
            "cities": "categorical",
            "closed_on": "date",
        },
        # copies
        flag=labels,
        inverse=1 - labels.astype(int),
        score=np.where(labels, 700, 300) + small,
        level=np.where(labels, "late", "paid").astype(object),
        levels=[f"code {2 * s + y}" for s, y in zip(noise(b"s", 5), labels, strict=True)],
        codes=2 * noise(b"codes", 5) + labels,  # no order, but each code tells
        closed_on=pa.array(
            [datetime.date(2026, 1, 1 + int(y)) for y in labels], mask=noise(b"m", 2) == 1
        ),
        filled_in_later=pa.array(small + 1.0, mask=~labels),
        taken_out_later=pa.array(small + 1.0, mask=labels | (noise(b"t", 50) == 1)),
        # honest ones
        related=noise(b"related", 600) + 400 * labels,
        unrelated=noise(b"unrelated"),
        city=[f"city {c}" for c in noise(b"city", 8)],
        cities=[f"city {c}" for c in noise(b"cities", 900)],
        with_gaps=pa.array(small, mask=noise(b"g", 2) == 1),
    )
    disguised = ("looks_like_the_label",)
    by_missing = ("mostly_missing", "missingness_predicts_the_label")
    for name in ("flag", "inverse", "score", "level", "levels", "codes", "closed_on"):
        assert disguised[0] in found[name].warnings, name
    assert "missingness_predicts_the_label" in found["filled_in_later"].warnings
    assert "missingness_predicts_the_label" in found["taken_out_later"].warnings
    for name in ("related", "unrelated", "city", "cities", "with_gaps"):
        assert not {*disguised, *by_missing[1:]} & {*found[name].warnings}, name


def test_a_rare_class_must_be_said(tmp_path: Path) -> None:
    labels = noise(b"label") < 5
    path = parquet_file(
        tmp_path,
        id=[f"c{i}" for i in range(ROWS)],
        took=pa.array(labels),
    )
    found = profiled(registered(path, label=LabelRule(column="took", equals="true")))
    assert found.label is not None
    assert found.label.positives == labels.sum()
    assert found.label.positive_share == pytest.approx(0.005, abs=0.003)
    assert found.label.warnings == ("rare_class",)


@pytest.mark.parametrize("positives", [0, 3, 9, 10])
def test_too_few_of_one_class_must_not_be_judged_by(tmp_path: Path, positives: int) -> None:
    labels = np.arange(300) < positives
    path = parquet_file(
        tmp_path,
        id=[f"c{i}" for i in range(300)],
        took=pa.array(labels),
        copy=labels.astype(int),
        other=np.arange(300) % 7,
    )
    registration = registered(
        path,
        ColumnTerms(name="copy", kind="numeric"),
        ColumnTerms(name="other", kind="numeric"),
        label=LabelRule(column="took", equals="true"),
    )
    found = profiled(registration)
    assert found.label is not None
    assert ("too_few_to_look_for_disguises" in found.label.warnings) == (positives < 10)
    assert ("one_class" in found.label.warnings) == (positives == 0)
    judged = "looks_like_the_label" in found.columns[0].warnings
    assert judged == (positives == 10)
    assert found.columns[1].warnings == ()


# -- nothing of a row leaves -----------------------------------------------------------------


def test_no_identifier_and_no_level_may_be_in_a_profile(tmp_path: Path) -> None:
    marker = "4711-marker"
    path = csv_file(
        tmp_path,
        "id,city,flag,took\n"
        + "".join(f"{marker}{i},{marker}{i % 2},yes,{marker}{i % 3 == 0}\n" for i in range(60)),
    )
    registration = registered(
        path,
        ColumnTerms(name="city", kind="categorical"),
        ColumnTerms(name="flag", kind="boolean"),
        label=LabelRule(column="took", equals=f"{marker}True"),
    )
    assert marker.encode() not in profiled(registration).to_json()


@pytest.mark.slow
def test_a_wide_table_must_be_read_and_profiled_in_seconds(tmp_path: Path) -> None:
    rows, width = 30_000, 200
    kinds: tuple[ColumnKind, ...] = ("numeric", "integer", "boolean", "date", "categorical")
    values = np.frombuffer(
        get_suite("gm").stream(bytes(32), b"wide").bytes(2 * rows * width), dtype=np.uint16
    ).reshape(width, rows)
    columns: dict[str, Any] = {}
    for at, drawn in enumerate(values):
        kind = kinds[at % len(kinds)]
        column: Any = pa.array(drawn)
        if kind == "numeric":
            column = pa.array(drawn / 7)
        elif kind == "boolean":
            column = pa.array(drawn < 9000)
        elif kind == "date":
            column = pa.array(drawn.astype(np.int32)).cast(pa.date32())
        elif kind == "categorical":
            column = pa.array([f"level {level}" for level in drawn % 5000])
        columns[f"{kind}-{at}"] = column
    ids = [f"c{i}" for i in range(rows)]
    path = parquet_file(tmp_path, id=ids, took=np.arange(rows) % 2, **columns)
    terms = (ColumnTerms(name=name, kind=kinds[at % len(kinds)]) for at, name in enumerate(columns))
    registration = registered(path, *terms, label=LabelRule(column="took", above=0.5))
    started = time.monotonic()
    found = profiled(registration)
    assert time.monotonic() - started < 20
    assert len(found.columns) == width
