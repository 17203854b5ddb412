"""A large table is read once: a run that goes on takes up the files that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from party_node.psi import rounds as module
from party_node.psi.options import PsiOptions
from party_node.psi.rounds import Rounds, read_rounds, rounds_of_prepared, table_session
from protocols.suite import get_suite
from tests.party_node.psi.sides import free_port, options, write_table

SUITE = get_suite("intl")
HEADER = ("phone", "mail", "note")


def table(folder: Path, **changes: Any) -> PsiOptions:
    """40 customers; of five more, three have no key of their own, and two keep one of two."""
    good = [(f"1380013{n:04d}", f"u{n}@example.com", "x") for n in range(40)]
    bad = [
        ("no number", "no mail", "x"),
        (good[3][0], good[3][1], "x"),
        (good[4][0], good[5][1], "x"),
        (good[6][0], "another@example.com", "x"),
        ("13800139999", good[7][1], "x"),
    ]
    keys: dict[str, Any] = {"keys": ("phone", "mail"), "kinds": ("phone", "email")}
    keys["match"] = "first"
    path = write_table(folder / "a.csv", good + bad, HEADER)
    return options("receiver", path, free_port(), **(keys | changes))


def contents(read: Rounds) -> list[dict[bytes, int]]:
    """What takes part in each round: item to row."""
    found = []
    for part in read.rounds:
        items, rows = part.whole()
        found.append(dict(zip((i.tobytes() for i in items), rows.tolist(), strict=True)))
    return found


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY_ROWS", 10)


@pytest.mark.parametrize("match", ["all", "first"])
def test_memory_and_disk_hold_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, match: Any
) -> None:
    asked = table(tmp_path, match=match)
    in_memory = read_rounds(asked, SUITE)
    monkeypatch.setattr(module, "IN_MEMORY_ROWS", 10)
    on_disk = read_rounds(asked, SUITE)
    assert contents(in_memory) == contents(on_disk)
    assert in_memory.rejected == on_disk.rejected
    assert in_memory.digest == on_disk.digest
    for count in (1, 4, 64):
        split = on_disk.rounds[0].in_buckets(count)
        again = in_memory.rounds[0].in_buckets(count)
        assert split.sizes() == again.sizes()
        for bucket in range(count):
            rows = [sorted(side.load(bucket)[1].tolist()) for side in (split, again)]
            assert rows[0] == rows[1]
    on_disk.forget()


@pytest.mark.parametrize("match", ["all", "first"])
@pytest.mark.usefixtures("on_disk")
def test_the_second_reading_takes_up_the_files_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, match: Any
) -> None:
    asked = table(tmp_path, match=match)
    first = read_rounds(asked, SUITE)
    assert first.rejected == (3 if match == "first" else 2)

    def reading(*_: object, **__: object) -> None:
        raise AssertionError("the table is read again")

    monkeypatch.setattr(module, "KeyReader", reading)
    second = read_rounds(asked, SUITE)
    assert contents(second) == contents(first)
    assert (second.rejected, second.digest) == (first.rejected, first.digest)
    second.forget()
    assert [path.name for path in tmp_path.iterdir() if "items" in path.name] == []


@pytest.mark.usefixtures("on_disk")
def test_a_changed_table_is_read_again(tmp_path: Path) -> None:
    asked = table(tmp_path)
    first = read_rounds(asked, SUITE)
    with asked.input.open("a") as file:
        file.write("13800138888,new@example.com,x\n")
    second = read_rounds(asked, SUITE)
    assert second.rows == first.rows + 1
    second.forget()


@pytest.mark.usefixtures("on_disk")
def test_rows_matched_before_are_left_out_of_what_is_on_disk(tmp_path: Path) -> None:
    read = read_rounds(table(tmp_path), SUITE)
    part = read.rounds[1]
    rows = part.whole()[1]
    gone = rows[:10]
    left = part.without(np.sort(gone))
    assert left.size == len(rows) - 10
    assert sum(left.in_buckets(8).sizes()) == len(rows) - 10
    assert not set(left.whole()[1].tolist()) & set(gone.tolist())
    assert part.without(np.empty(0, np.int64)).size == len(rows)
    read.forget()


def test_a_prepared_table_is_read_only_if_its_items_are_needed(tmp_path: Path) -> None:
    asked = table(tmp_path, match="all")
    read = read_rounds(asked, SUITE)
    session = table_session(asked, SUITE)
    kept = rounds_of_prepared(asked, SUITE, rows=read.rows, digest=read.digest, session=session)
    assert kept.unread
    assert kept.rows == read.rows
    assert contents(kept) == contents(read)
    assert not read.unread
