"""Tables for measuring trees: made alike everywhere, joined by id, the right fifth held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulations.bench.gbdt_tables import (
    ACTIVE,
    PASSIVE,
    is_held_out,
    join_files,
    make_tables,
    read_side,
)
from simulations.bench.two_processes import BenchError

HELD_OUT = (11, 13, 14, 20)


def write(folder: Path, active: str, passive: str) -> tuple[Path, Path]:
    files = folder / "a.csv", folder / "p.csv"
    files[0].write_text(active)
    files[1].write_text(passive)
    return files


def test_the_held_out_must_be_those_of_sha256() -> None:
    assert tuple(n for n in range(25) if is_held_out(n)) == HELD_OUT
    assert is_held_out("7") == is_held_out(7)


def test_tables_must_be_joined_in_the_active_partys_order(tmp_path: Path) -> None:
    files = write(
        tmp_path,
        "id,y,income\n9,1,2.5\n7,0,0.1\n8,1,\n11,0,4\n",
        "shop,id\nred,11\n,7\nblue,9\nred,6\n",
    )
    joined = join_files(files, tmp_path, id_column="id", label_column="y")
    assert joined.rows == 3
    assert joined.kinds == {ACTIVE: {"income": "numeric"}, PASSIVE: {"shop": "categorical"}}
    parts = {side: read_side(joined.files[side], joined.kinds[side]) for side in joined.files}
    by_id = {}
    for part, identifiers in ((0, (9, 7)), (1, (11,))):
        incomes, shops = (parts[side][part].table.columns[0].values for side in (ACTIVE, PASSIVE))
        labels = parts[ACTIVE][part].known_labels()
        for identifier, *row in zip(identifiers, incomes, shops, labels, strict=True):
            by_id[identifier] = tuple(row)
    assert by_id == {9: (2.5, "blue", 1), 7: (0.1, None, 0), 11: (4.0, "red", 0)}
    assert parts[PASSIVE][0].labels is None


def test_a_missing_number_must_stay_missing(tmp_path: Path) -> None:
    files = write(tmp_path, "id,y,v\n1,1,\n2,0,3\n", "id,w\n1,1\n2,\n")
    joined = join_files(files, tmp_path, id_column="id", label_column="y")
    values = [
        value
        for side in (ACTIVE, PASSIVE)
        for part in read_side(joined.files[side], joined.kinds[side])
        for value in part.table.columns[0].values
    ]
    assert np.isnan(values).sum() == 2


@pytest.mark.parametrize(
    ("active", "passive", "words"),
    [
        ("id,z\n1,0\n2,1\n", "id,v\n1,1\n2,1\n", "no column 'y'"),
        ("key,y\n1,0\n2,1\n", "id,v\n1,1\n2,1\n", "no column 'id'"),
        ("id,y\n1,0\n1,1\n", "id,v\n1,1\n2,1\n", "id twice"),
        ("id,y\n1,0\n2,2\n", "id,v\n1,1\n2,1\n", "must hold 0 and 1"),
        ("id,y\n1,0\n2,0\n", "id,v\n1,1\n2,1\n", "must hold 0 and 1"),
        ("id,y\n1,0\n2,1\n", "id\n1\n2\n", "no column to learn from"),
    ],
)
def test_tables_that_cannot_be_used_must_be_refused(
    tmp_path: Path, active: str, passive: str, words: str
) -> None:
    with pytest.raises(BenchError, match=words):
        join_files(write(tmp_path, active, passive), tmp_path, id_column="id", label_column="y")


def test_a_file_that_is_not_there_must_be_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot read"):
        join_files((tmp_path / "a", tmp_path / "b"), tmp_path, id_column="id", label_column="y")


def test_made_tables_must_be_alike_every_time(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make_tables((tmp_path / name / "a.csv", tmp_path / name / "p.csv"), 500, 4, 3)
    for file in ("a.csv", "p.csv"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    active = pd.read_csv(tmp_path / "first" / "a.csv")
    passive = pd.read_csv(tmp_path / "first" / "p.csv")
    assert list(active) == ["id", "y", "x0", "x1", "x2", "x3"]
    assert list(passive) == ["id", "x0", "x1", "x2"]
    assert len(active) == len(passive) == 500
    assert active["y"].mean() == pytest.approx(0.22, abs=0.01)
    assert active["x2"].nunique() <= 64 < active["x0"].nunique()
    # Something can be learned from either side.
    assert abs(np.corrcoef(active["x0"], active["y"])[0, 1]) > 0.1
    assert abs(np.corrcoef(passive["x0"], active["y"])[0, 1]) > 0.1
