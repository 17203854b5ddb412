"""Items on disk by digest: all there, each once, and no other run's or torn files taken."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from party_node.errors import NodeError
from party_node.psi import bucket_files
from party_node.psi.bucket_files import BucketFiles, BucketWriter, bucket_numbers
from party_node.psi.key_columns import KeyRound
from protocols.suite import get_suite

SUITE = get_suite("gm", kernels="portable")
SESSION = b"a session"


def random_items(count: int) -> np.ndarray:
    data = SUITE.stream(bytes(32), b"items").bytes(32 * count)
    return np.frombuffer(data, np.uint8).reshape(-1, 32)


def write(
    folder: Path, items: np.ndarray, rows: np.ndarray, files: int = 8, batch: int = 100
) -> BucketFiles:
    writer = BucketWriter(folder, SUITE, session=SESSION, files=files)
    for start in range(0, len(rows), batch):
        writer.append(KeyRound(items[start : start + batch], rows[start : start + batch]))
    return writer.finish(b"a note")


def held(files: BucketFiles, count: int) -> dict[bytes, int]:
    """Return each item's row, after checking that every bucket holds what it must."""
    split, found = files.split(count), {}
    sizes = split.sizes()
    assert len(sizes) == count
    assert sum(sizes) == files.items
    for bucket, size in enumerate(sizes):
        items, rows = split.load(bucket)
        assert (items.shape, items.dtype) == ((size, 32), np.uint8)
        assert (rows.shape, rows.dtype) == ((size,), np.int64)
        assert items.flags.c_contiguous
        for item, row in zip(items, rows, strict=True):
            first_bits = int.from_bytes(item[:2].tobytes(), "big") * count >> 16
            assert first_bits == bucket
            found[item.tobytes()] = int(row)
    assert len(found) == files.items
    return found


@pytest.mark.parametrize("files", [1, 8, 64])
@pytest.mark.parametrize("waiting", [1 << 19, 150])
def test_every_item_must_be_in_its_bucket_with_its_row(
    tmp_path, monkeypatch, files, waiting
) -> None:
    monkeypatch.setattr(bucket_files, "WAITING_ROWS", waiting)
    items, rows = random_items(1000), np.arange(5, 2005, 2, dtype=np.int64)
    stored = write(tmp_path / "buckets", items, rows, files)
    expected = {item.tobytes(): int(row) for item, row in zip(items, rows, strict=True)}
    for count in (1, 2, 8, 32, 1024):
        assert held(stored, count) == expected
    assert stored.duplicates().tolist() == []
    found = BucketFiles.find(tmp_path / "buckets", SUITE, SESSION)
    assert found is not None
    assert found.note == b"a note"
    assert held(found, 8) == expected


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 9))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_first_row_of_an_item_must_be_kept(tmp_path, picks, batch) -> None:
    items = random_items(21)[np.array(picks, dtype=np.int64)]
    rows = np.arange(1, len(picks) + 1, dtype=np.int64)
    stored = write(tmp_path / "buckets", items, rows, files=4, batch=batch)
    first: dict[bytes, int] = {}
    for item, row in zip(items, rows, strict=True):
        first.setdefault(item.tobytes(), int(row))
    assert held(stored, 4) == first
    assert held(stored, 16) == first
    assert stored.duplicates().tolist() == sorted(set(rows.tolist()) - set(first.values()))


def test_both_parties_must_split_alike_whatever_their_files(tmp_path) -> None:
    items, rows = random_items(400), np.arange(1, 401, dtype=np.int64)
    ours = write(tmp_path / "ours", items, rows, files=2)
    theirs = write(tmp_path / "theirs", items[::-1].copy(), rows, files=64)
    for count in (1, 4, 128):
        for bucket in range(count):
            one, _ = ours.load(bucket, count)
            other, _ = theirs.load(bucket, count)
            assert {i.tobytes() for i in one} == {i.tobytes() for i in other}


def test_files_must_be_readable_by_their_owner_only(tmp_path) -> None:
    folder = tmp_path / "deep" / "buckets"
    write(folder, random_items(100), np.arange(100, dtype=np.int64))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert not list(folder.glob("*.writing"))


def test_unfinished_files_must_not_be_found_and_be_replaced(tmp_path) -> None:
    folder = tmp_path / "buckets"
    assert BucketFiles.find(folder, SUITE, SESSION) is None
    writer = BucketWriter(folder, SUITE, session=SESSION)
    writer.append(KeyRound(random_items(10), np.arange(10, dtype=np.int64)))
    writer._flush()
    assert list(folder.glob("bucket-*"))
    assert BucketFiles.find(folder, SUITE, SESSION) is None
    stored = write(folder, random_items(3), np.arange(3, dtype=np.int64))
    assert stored.items == 3
    assert len(held(stored, 8)) == 3


def test_another_sessions_files_must_not_be_taken(tmp_path) -> None:
    write(tmp_path / "buckets", random_items(10), np.arange(10, dtype=np.int64))
    assert BucketFiles.find(tmp_path / "buckets", SUITE, b"another") is None
    intl = get_suite("intl", kernels="portable")
    with pytest.raises(NodeError, match="damaged"):
        BucketFiles.find(tmp_path / "buckets", intl, SESSION)


def test_a_torn_or_foreign_file_must_be_refused(tmp_path) -> None:
    folder = tmp_path / "buckets"
    items, rows = random_items(300), np.arange(300, dtype=np.int64)
    stored = write(folder, items, rows, files=4)
    (path, other) = sorted(folder.glob("bucket-*"))[:2]
    whole = path.read_bytes()
    flipped = bytes([whole[0] ^ 1]) + whole[1:]
    for damaged in (whole[:-40], whole[:-1], whole + whole[:40], other.read_bytes(), flipped, b""):
        path.write_bytes(damaged)
        with pytest.raises(NodeError, match="damaged"):
            stored.load(0, 4)
        assert len(stored.load(1, 4)[0]) > 0
    path.unlink()
    with pytest.raises(NodeError, match="damaged"):
        stored.split(1).load(0)
    path.write_bytes(whole)
    assert held(stored, 4) == dict(zip(map(bytes, items), rows.tolist(), strict=True))
    (folder / "duplicates").write_bytes(bytes(8))
    with pytest.raises(NodeError, match="damaged"):
        stored.duplicates()


def test_any_damage_to_the_manifest_must_be_found(tmp_path) -> None:
    folder = tmp_path / "buckets"
    write(folder, random_items(20), np.arange(20, dtype=np.int64), files=2)
    manifest = folder / "manifest"
    whole = manifest.read_bytes()
    refused = 0
    for at in range(0, len(whole), 37):
        manifest.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        try:
            found = BucketFiles.find(folder, SUITE, SESSION)
        except NodeError:
            refused += 1
        else:
            assert found is None
    assert refused > 10
    for length in (0, 31, 32, 40, len(whole) - 1):
        manifest.write_bytes(whole[:length])
        with pytest.raises(NodeError, match="damaged"):
            BucketFiles.find(folder, SUITE, SESSION)


def test_a_folder_of_something_else_must_be_left_alone(tmp_path) -> None:
    folder = tmp_path / "buckets"
    folder.mkdir()
    (folder / "customers.csv").write_text("id\n")
    with pytest.raises(NodeError, match="holds other files"):
        BucketWriter(folder, SUITE, session=SESSION)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NodeError, match="holds other files"):
        BucketWriter(tmp_path / "file", SUITE, session=SESSION)
    assert (folder / "customers.csv").read_text() == "id\n"


def test_removed_files_must_be_gone(tmp_path) -> None:
    stored = write(tmp_path / "buckets", random_items(9), np.arange(9, dtype=np.int64))
    stored.remove()
    assert not (tmp_path / "buckets").exists()
    stored.remove()
    assert BucketFiles.find(tmp_path / "buckets", SUITE, SESSION) is None


def test_no_items_must_be_stored_and_found(tmp_path) -> None:
    none = np.empty((0, 32), np.uint8)
    write(tmp_path / "buckets", none, np.empty(0, np.int64))
    stored = BucketFiles.find(tmp_path / "buckets", SUITE, SESSION)
    assert stored is not None
    assert (stored.items, held(stored, 16)) == (0, {})


@pytest.mark.parametrize("count", [0, -1, 3, 2048])
def test_a_number_of_buckets_that_is_no_power_of_two_must_be_refused(tmp_path, count) -> None:
    stored = write(tmp_path / "buckets", random_items(3), np.arange(3, dtype=np.int64))
    with pytest.raises(ValueError, match="power of two"):
        stored.split(count)
    with pytest.raises(ValueError, match="power of two"):
        BucketWriter(tmp_path / "other", SUITE, session=SESSION, files=count)


def test_a_disk_that_takes_no_more_must_be_named(tmp_path, monkeypatch) -> None:
    writer = BucketWriter(tmp_path / "buckets", SUITE, session=SESSION, files=1)
    (tmp_path / "buckets").rmdir()
    writer.append(KeyRound(random_items(3), np.arange(3, dtype=np.int64)))
    with pytest.raises(NodeError, match="cannot write") as refused:
        writer.finish()
    assert "40 bytes a row" in refused.value.hint


def test_bucket_numbers_must_be_the_items_first_bits() -> None:
    items = random_items(500)
    for count in (1, 2, 64, 1024):
        expected = [int.from_bytes(bytes(i[:4]), "big") * count >> 32 for i in items]
        assert bucket_numbers(items, count).tolist() == expected
