"""Items and their row numbers split into buckets by digest, on disk.

Bucket i of n, a power of two, holds the items whose first log2(n) bits are the number i. Both
parties split alike, so that what is shared is shared within a bucket.

One pass writes the files, each from its beginning to its end; they are read whole, a few times.
Memory is bounded by ``WAITING_ROWS`` while writing and by one file's rows afterwards. An item is
as good as the identifier it is made of (identifiers' SPEC.md §5): the files are readable by their
owner only, and removed with :meth:`BucketFiles.remove`. A manifest written last, with each file's
digest, tells a finished set of files from a torn or a foreign one.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from party_node.errors import NodeError
from party_node.psi.key_columns import NO_ROWS, KeyRound, first_occurrences
from protocols.suite import Suite
from protocols.suite.interface import Indices, Items

MAX_BUCKETS = 1024
DEFAULT_FILES = 64
WAITING_ROWS = 1 << 19

_ITEM_BYTES = 32
_RECORD_BYTES = _ITEM_BYTES + 8
_CHUNK_BYTES = 1 << 12
_MANIFEST = "manifest"
_DUPLICATES = "duplicates"
_OURS = re.compile(rf"bucket-[0-9]{{4}}|{_DUPLICATES}|{_MANIFEST}|.*\.writing")
_DOMAIN = b"fedcrm/bucket-files/v1\x00"


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session: bytes
    counts: tuple[int, ...]
    """Distinct items in each of ``MAX_BUCKETS`` buckets."""
    digests: tuple[bytes, ...]
    """Of each file, and of the duplicates' after them."""
    note: bytes


class BucketWriter:
    """Splits a round's items, given batch by batch, into files of a new ``folder``.

    ``session`` (any bytes) says what they are for; what an earlier writer left in the folder is
    removed. Raises :class:`NodeError` if that is something else, or if the disk does not take it.
    """

    def __init__(
        self, folder: Path, suite: Suite, *, session: bytes, files: int = DEFAULT_FILES
    ) -> None:
        check_count(files)
        self._folder = folder
        self._suite = suite
        self._session = session
        self._files = files
        self._waiting: list[tuple[Items, Indices]] = []
        self._waiting_rows = 0
        _clear(folder)
        folder.mkdir(mode=0o700, parents=True)

    def append(self, part: KeyRound) -> None:
        """Take in a batch; rows must ascend from batch to batch."""
        self._waiting.append((part.items, part.rows))
        self._waiting_rows += len(part.rows)
        if self._waiting_rows >= WAITING_ROWS:
            self._flush()

    def finish(self, note: bytes = b"") -> BucketFiles:
        """Remove duplicates, keeping each item's first row, and write the manifest.

        ``note`` is the caller's, given back by :attr:`BucketFiles.note`.
        """
        self._flush()
        counts, digests, duplicates = [], [], [NO_ROWS]
        for number in range(self._files):
            path = _bucket_path(self._folder, number)
            records = _records(path.read_bytes()) if path.exists() else _records(b"")
            first = first_occurrences(records[:, :_ITEM_BYTES])
            if not first.all():
                duplicates.append(_rows(records[~first]))
                records = records[first]
                _write_whole(path, records.tobytes())
            buckets = bucket_numbers(records, MAX_BUCKETS)
            each = MAX_BUCKETS // self._files
            counts += np.bincount(buckets, minlength=MAX_BUCKETS)[
                number * each : (number + 1) * each
            ].tolist()
            digests.append(_digest(self._suite, records))
        repeated = np.sort(np.concatenate(duplicates))
        _write_whole(self._folder / _DUPLICATES, repeated.astype("<i8").tobytes())
        digests.append(_digest(self._suite, repeated))
        manifest = _Manifest(self._session, tuple(counts), tuple(digests), note)
        encoded = msgspec.msgpack.encode(manifest)
        _write_whole(self._folder / _MANIFEST, self._suite.hash(_DOMAIN, encoded) + encoded)
        return BucketFiles(self._folder, self._suite, manifest)

    def _flush(self) -> None:
        if not self._waiting:
            return
        records = np.empty((self._waiting_rows, _RECORD_BYTES), dtype=np.uint8)
        at = 0
        for items, rows in self._waiting:
            here = records[at : at + len(rows)]
            here[:, :_ITEM_BYTES] = items
            here[:, _ITEM_BYTES:] = rows.astype("<i8").view(np.uint8).reshape(-1, 8)
            at += len(rows)
        self._waiting, self._waiting_rows = [], 0
        buckets = bucket_numbers(records, self._files)
        records = records[np.argsort(buckets, kind="stable")]
        start = 0
        for number, size in enumerate(np.bincount(buckets, minlength=self._files).tolist()):
            if size:
                _append(_bucket_path(self._folder, number), records[start : start + size])
            start += size


class BucketFiles:
    """A finished set of bucket files."""

    def __init__(self, folder: Path, suite: Suite, manifest: _Manifest) -> None:
        self._folder = folder
        self._suite = suite
        self._manifest = manifest

    @classmethod
    def find(cls, folder: Path, suite: Suite, session: bytes) -> BucketFiles | None:
        """Return the files of this session, or None if they are another's or not finished.

        Raises :class:`NodeError` if the manifest is damaged; files are checked as they are loaded.
        """
        try:
            data = (folder / _MANIFEST).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NodeError(f"cannot read {folder} ({error.strerror})") from None
        encoded = data[suite.digest_bytes :]
        try:
            manifest = msgspec.msgpack.decode(encoded, type=_Manifest)
        except (msgspec.DecodeError, ValueError):
            raise _damaged(folder) from None
        if manifest.session != session:
            return None
        if suite.hash(_DOMAIN, encoded) != data[: suite.digest_bytes]:
            raise _damaged(folder)
        return cls(folder, suite, manifest)

    @property
    def note(self) -> bytes:
        """What the writer's caller kept with the files."""
        return self._manifest.note

    @property
    def items(self) -> int:
        """Distinct items in all buckets."""
        return sum(self._manifest.counts)

    def duplicates(self) -> Indices:
        """Return the rows whose item an earlier row has, ascending."""
        data = self._checked(self._folder / _DUPLICATES, len(self._manifest.digests) - 1)
        return np.frombuffer(data, dtype="<i8").astype(np.int64)

    def split(self, count: int) -> SplitFiles:
        """Return the items in ``count`` buckets, whatever the number of files."""
        check_count(count)
        return SplitFiles(self, count)

    def sizes(self, count: int) -> list[int]:
        """Return how many items each of ``count`` buckets holds."""
        counts = np.array(self._manifest.counts).reshape(count, -1)
        sizes: list[int] = counts.sum(axis=1).tolist()
        return sizes

    def load(self, bucket: int, count: int) -> tuple[Items, Indices]:
        """Return the items of bucket number ``bucket`` of ``count``, and their rows."""
        files = len(self._manifest.digests) - 1
        numbers = range(bucket * files // count, max((bucket + 1) * files // count, 0))
        parts = [self._load_file(number) for number in numbers or [bucket * files // count]]
        records = np.concatenate(parts)
        if count > files:
            records = records[bucket_numbers(records, count) == bucket]
        return np.ascontiguousarray(records[:, :_ITEM_BYTES]), _rows(records)

    def remove(self) -> None:
        """Remove the files and their folder."""
        _clear(self._folder)

    def _load_file(self, number: int) -> npt.NDArray[np.uint8]:
        return _records(self._checked(_bucket_path(self._folder, number), number))

    def _checked(self, path: Path, place: int) -> bytes:
        """Return a file's content if it is what the manifest says."""
        try:
            data = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise NodeError(f"cannot read {path} ({error.strerror})") from None
        if _digest(self._suite, np.frombuffer(data, np.uint8)) != self._manifest.digests[place]:
            raise _damaged(self._folder)
        return data


@dataclass(frozen=True)
class SplitFiles:
    """The items of bucket files in ``count`` buckets."""

    files: BucketFiles
    count: int

    def sizes(self) -> list[int]:
        """Return how many items each bucket holds."""
        return self.files.sizes(self.count)

    def load(self, bucket: int) -> tuple[Items, Indices]:
        """Return one bucket's items, uint8 [n, 32], and their rows.

        Raises :class:`NodeError` for files that are torn or not these.
        """
        return self.files.load(bucket, self.count)


def check_count(count: int) -> None:
    """Raise ``ValueError`` unless ``count`` is a power of two up to ``MAX_BUCKETS``."""
    if not 1 <= count <= MAX_BUCKETS or count & (count - 1):
        raise ValueError(f"the number of buckets is a power of two up to {MAX_BUCKETS}")


def bucket_numbers(items: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint16]:
    """Return uint16 [n]: the bucket of each item among ``count``, by its first bits."""
    first_bits = items[:, 0].astype(np.uint16) << np.uint16(8) | items[:, 1]
    return first_bits >> np.uint16(16 - (count.bit_length() - 1)) if count > 1 else first_bits * 0


def _bucket_path(folder: Path, number: int) -> Path:
    return folder / f"bucket-{number:04}"


def _records(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, _RECORD_BYTES)


def _rows(records: npt.NDArray[np.uint8]) -> Indices:
    rows = np.ascontiguousarray(records[:, _ITEM_BYTES:]).view("<i8")
    return rows[:, 0].astype(np.int64)


def _digest(suite: Suite, content: npt.NDArray[Any]) -> bytes:
    """Return the hash of the content's length and of its chunks' hashes, many at a time."""
    data = content.reshape(-1).view(np.uint8)
    offsets = np.append(np.arange(0, len(data), _CHUNK_BYTES, dtype=np.int64), len(data))
    chunks = suite.hash_many(_DOMAIN, data, offsets, framed=False)
    return suite.hash(_DOMAIN, len(data).to_bytes(8, "big"), chunks.tobytes())


def _append(path: Path, records: npt.NDArray[np.uint8]) -> None:
    _write(path, records.tobytes(), os.O_APPEND)


def _write_whole(path: Path, data: bytes) -> None:
    staged = path.with_name(path.name + ".writing")
    _write(staged, data, os.O_TRUNC)
    staged.replace(path)


def _write(path: Path, data: bytes, how: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if how == os.O_TRUNC:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise NodeError(
            f"cannot write {path} ({error.strerror})",
            f"a table needs {_RECORD_BYTES} bytes a row in that folder while it is matched",
        ) from None


def _clear(folder: Path) -> None:
    """Remove a folder of bucket files; raises :class:`NodeError` if anything else is in it."""
    if not folder.exists():
        return
    if not folder.is_dir() or not all(_OURS.fullmatch(path.name) for path in folder.iterdir()):
        raise NodeError(f"{folder} holds other files", "move them away, or name another folder")
    shutil.rmtree(folder)


def _damaged(folder: Path) -> NodeError:
    return NodeError(
        f"the files in {folder} are damaged or of another run", "remove that folder to start anew"
    )
