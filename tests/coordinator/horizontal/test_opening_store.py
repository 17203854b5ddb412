"""The coordinator's checkpoint: openings kept whole, in order, until the job is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.horizontal.opening_store import OpeningStore
from protocols.secure_aggregation import ContributorList, Opening

CHUNKS = (b"first", b"", bytes(range(256)) * 40)


def opening(number: int, chunks: tuple[bytes, ...] = CHUNKS) -> Opening:
    contributors = ContributorList(
        terms=bytes(32),
        number=number,
        roster=bytes(32),
        sharers=bytes(32),
        opened=number,
        model=bytes(32),
        contributors=("east", "north", "west"),
        contributions=(bytes(32),) * 3,
        total=bytes([number]) * 32,
    )
    return Opening(contributors, (), (), chunks)


def test_an_opening_is_read_back_as_it_was_by_another_process(tmp_path: Path) -> None:
    OpeningStore(tmp_path / "job").keep(opening(3))
    store = OpeningStore(tmp_path / "job")
    assert store.numbers() == [3]
    assert Opening.read(store.note(3), store.chunks(3)) == opening(3)


def test_pieces_keep_their_order_however_many_there_are(tmp_path: Path) -> None:
    store = OpeningStore(tmp_path)
    pieces = tuple(number.to_bytes(2, "big") for number in range(12))
    store.keep(opening(0, pieces))
    assert tuple(store.chunks(0)) == pieces


def test_numbers_ascend_and_leave_out_sums_that_were_lost(tmp_path: Path) -> None:
    store = OpeningStore(tmp_path)
    for number in (11, 2, 0):
        store.keep(opening(number))
    assert store.numbers() == [0, 2, 11]


def test_an_opening_that_was_half_written_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = OpeningStore(tmp_path)
    store.keep(opening(0))

    def killed(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            store.keep(opening(1, (b"old",) * 5))
    again = OpeningStore(tmp_path)
    assert again.numbers() == [0]
    again.keep(opening(1))
    assert again.numbers() == [0, 1]
    assert again.chunks(1) == list(CHUNKS)


def test_whose_contributions_were_listed_first_stays(tmp_path: Path) -> None:
    store = OpeningStore(tmp_path)
    assert store.bound(2) == ()
    store.bind(2, ["east", "north", "west"])
    store.bind(2, ["east", "north"])
    assert OpeningStore(tmp_path).bound(2) == ("east", "north", "west")
    assert store.bound(3) == ()
    assert store.numbers() == []


def test_what_parties_told_at_the_end_is_kept_beside_the_openings(tmp_path: Path) -> None:
    store = OpeningStore(tmp_path)
    assert store.told() is None
    store.keep(opening(0))
    store.keep_told({"east/checkpoint": b"note", "west": b""})
    assert OpeningStore(tmp_path).told() == {"east/checkpoint": b"note", "west": b""}
    assert store.numbers() == [0]


def test_nothing_is_left_when_the_job_is_over(tmp_path: Path) -> None:
    store = OpeningStore(tmp_path / "job")
    store.keep(opening(0))
    store.forget()
    assert list(tmp_path.iterdir()) == []
    store.forget()  # a second end is no error
