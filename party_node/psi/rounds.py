"""This side's items, round by round: in memory, or in files where a table is large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from party_node.errors import NodeError
from party_node.psi.bucket_files import BucketFiles, BucketWriter, bucket_numbers
from party_node.psi.key_columns import (
    KeyColumn,
    KeyRound,
    MatchKey,
    Rejects,
    distinct_rounds,
    duplicate_rejects,
)
from party_node.psi.match_vole import Bucketed
from party_node.psi.options import PsiOptions
from party_node.psi.table import Rows
from party_node.psi.table_in import (
    KeyReader,
    Stamp,
    check_usable,
    joined_round,
    read_keys,
    stamp,
    write_rejects,
)
from protocols.suite import Items, Suite

if TYPE_CHECKING:
    from party_node.psi.values import Values

IN_MEMORY_ROWS = 1 << 22
"""A larger table's items, 40 bytes a row, wait on the disk."""
_NO_ITEMS = np.empty((0, 32), np.uint8)


class Round(Protocol):
    """What takes part in one round of the match."""

    @property
    def size(self) -> int:
        """How many rows take part."""

    def without(self, matched: Rows) -> Round:
        """Return the round without the rows matched in earlier rounds."""

    def whole(self) -> tuple[Items, Rows]:
        """Return all items, shape (n, 32), and the row of each."""

    def in_buckets(self, count: int) -> Bucketed:
        """Return the items split into ``count`` buckets by their first bits."""


@dataclass(frozen=True)
class Rounds:
    """The items of one table, ready to be matched."""

    key: MatchKey
    rounds: tuple[Round, ...]
    excused: Items
    """Items of people who withdrew or objected; they take part in no round."""
    rejected: int
    digest: bytes
    stamp: Stamp
    session: bytes
    """What tells this reading of the table from another without reading it."""
    values: Values | None = None
    """What the sender's rows add to a sum, in the order of the first round's items."""

    @property
    def rows(self) -> int:
        """How many rows take part in the first round."""
        return self.rounds[0].size

    @property
    def unread(self) -> bool:
        """Whether the table was prepared for ``oprf`` before and has not been read again."""
        return any(isinstance(part, _Unread) for part in self.rounds)

    def items(self) -> Iterator[Items]:
        """Yield the items of every round, part by part."""
        for part in self.rounds:
            parts = 1 if part.size <= IN_MEMORY_ROWS else 64
            buckets = part.in_buckets(parts)
            for bucket in range(parts):
                yield buckets.load(bucket)[0]

    def forget(self) -> None:
        """Remove what is kept on disk: the run is over."""
        for part in self.rounds:
            if isinstance(part, _OnDisk):
                part.files.remove()


class _Note(msgspec.Struct, frozen=True):
    """What is kept beside the files of a large table, so that a resumed run need not read it."""

    digest: bytes
    rejected: int


def table_session(options: PsiOptions, suite: Suite) -> bytes:
    """Return what tells one reading of the input from another without reading it again."""
    excluded = None if options.exclude is None else stamp(options.exclude)
    fields = (
        stamp(options.input), options.keys, options.kinds, options.match, options.region,
        suite.name, excluded,
    )  # fmt: skip
    return suite.hash(b"fedcrm/psi-table/v1\x00", repr(fields).encode())


def match_key(options: PsiOptions) -> MatchKey:
    """Return the key the options name; raises :class:`NodeError`."""
    try:
        return MatchKey(tuple(map(KeyColumn, options.keys, options.kinds)), options.match)
    except ValueError as error:
        raise NodeError(f"--key: {error}") from None


def rounds_of_prepared(
    options: PsiOptions, suite: Suite, *, rows: int, digest: bytes, session: bytes
) -> Rounds:
    """Return the rounds of a table that was prepared for ``oprf``: read only if they are needed."""
    key = match_key(options)
    later = _Unread(rows, lambda: read_rounds(options, suite).rounds[0])
    return Rounds(key, (later,), _NO_ITEMS, 0, digest, stamp(options.input), session)


def read_rounds(options: PsiOptions, suite: Suite) -> Rounds:
    """Read the key columns, leave out the excluded people, write what is rejected.

    Raises ``DatasetError`` for a file that cannot be read or used.
    """
    key = match_key(options)
    session = table_session(options, suite)
    folders = [_folder(options, index) for index in range(len(key.round_labels))]
    before = stamp(options.input)
    gone = _excluded(options, key, suite)
    excused = np.concatenate([part.items for part in gone]) if gone else _NO_ITEMS
    kept = [BucketFiles.find(folder, suite, session) for folder in folders]
    if all(files is not None for files in kept):
        files_kept = [files for files in kept if files is not None]
        note = msgspec.msgpack.decode(files_kept[0].note, type=_Note)
        rounds = tuple(_OnDisk(files) for files in files_kept)
        rejected = note.rejected + len(_duplicates_on_disk(key, files_kept))
        return Rounds(key, rounds, excused, rejected, note.digest, before, session)
    return _Reading(options, key, suite, gone).read(session, excused)


def _folder(options: PsiOptions, index: int) -> Path:
    base = options.state_folder
    return base.with_name(f"{base.name}-items-{index}")


def _excluded(options: PsiOptions, key: MatchKey, suite: Suite) -> tuple[KeyRound, ...]:
    """Return the rounds of the people to leave out."""
    if options.exclude is None:
        return ()
    return read_keys(options.exclude, key, suite, region=options.region).rounds


class _Reading:
    """One pass over the input: into memory first, to disk as soon as it is large."""

    def __init__(
        self, options: PsiOptions, key: MatchKey, suite: Suite, gone: tuple[KeyRound, ...]
    ) -> None:
        self._options = options
        self._key = key
        self._suite = suite
        self._gone = [_sorted_words(part.items) for part in gone]
        self._parts: list[list[KeyRound]] = [[] for _ in key.round_labels]
        self._writers: list[BucketWriter] = []
        self._rows = 0

    def read(self, session: bytes, excused: Items) -> Rounds:
        """Read all, and return the rounds."""
        options, key = self._options, self._key
        reader = KeyReader(options.input, key, self._suite, region=options.region)
        rejects: list[Rejects] = []
        for batch in reader:
            rejects.append(batch.rejects)
            self._take(self._without_excluded(batch.rounds), session)
        if self._writers:
            rounds, more = self._finish_on_disk(reader.digest, rejects)
        else:
            joined = [joined_round(parts) for parts in self._parts]
            distinct, more = distinct_rounds(key, joined)
            rounds = tuple(_InMemory(part) for part in distinct)
        rejects.append(more)
        values = None
        if options.values is not None:
            # Imported where it is needed: it loads the protocol that sums.
            from party_node.psi.values import read_values  # noqa: PLC0415

            part, values, more = read_values(
                options.input, options.values, distinct[0], key, since=reader.stamp
            )
            rounds = (_InMemory(part),)
            rejects.append(more)
        rejected = Rejects.joined(key, rejects)
        if len(rejected):
            write_rejects(options.reject_file, rejected)
        else:
            options.reject_file.unlink(missing_ok=True)
        check_usable(options.input, key, reader.rows_in_file, rejected, options.reject_file)
        return Rounds(
            key,
            rounds,
            excused,
            len(rejected),
            reader.digest,
            reader.stamp,
            session,
            values,
        )

    def _take(self, rounds: tuple[KeyRound, ...], session: bytes) -> None:
        self._rows += len(rounds[0].rows)
        # A sum's values stand beside its items, in memory.
        large = self._rows > IN_MEMORY_ROWS and self._options.values is None
        if large and not self._writers:
            self._writers = [
                BucketWriter(_folder(self._options, index), self._suite, session=session)
                for index in range(len(rounds))
            ]
            for writer, parts in zip(self._writers, self._parts, strict=True):
                for part in parts:
                    writer.append(part)
                parts.clear()
        if self._writers:
            for writer, part in zip(self._writers, rounds, strict=True):
                writer.append(part)
        else:
            for parts, part in zip(self._parts, rounds, strict=True):
                parts.append(part)

    def _finish_on_disk(
        self, digest: bytes, rejects: list[Rejects]
    ) -> tuple[tuple[Round, ...], Rejects]:
        # The note goes in with the manifest; the duplicates are known only then, and come on top.
        note = _Note(digest, sum(map(len, rejects)))
        files = [writer.finish(msgspec.msgpack.encode(note)) for writer in self._writers]
        return tuple(_OnDisk(part) for part in files), _duplicates_on_disk(self._key, files)

    def _without_excluded(self, rounds: tuple[KeyRound, ...]) -> tuple[KeyRound, ...]:
        """Return the rounds without the rows that any key column of an excluded person names."""
        if not self._gone:
            return rounds
        out = [
            part.rows[_among(part.items, gone)]
            for part, gone in zip(rounds, self._gone, strict=True)
        ]
        rows = np.unique(np.concatenate(out))
        return tuple(part.without(rows) for part in rounds)


def _duplicates_on_disk(key: MatchKey, files: list[BucketFiles]) -> Rejects:
    """Return the rows that no round is left to, as :func:`duplicate_rejects`."""
    return duplicate_rejects(
        key,
        [part.duplicates() for part in files],
        lambda: (part.load(bucket, 64)[1] for part in files for bucket in range(64)),
    )


def _sorted_words(items: Items) -> npt.NDArray[np.uint64]:
    """Return the items' first eight bytes as numbers, sorted; they are digests."""
    return np.sort(np.ascontiguousarray(items[:, :8]).view(np.uint64)[:, 0])


def _among(items: Items, words: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Return, for each item, whether it begins as one of the excluded does (2^-64 by chance)."""
    own = np.ascontiguousarray(items[:, :8]).view(np.uint64)[:, 0]
    return np.isin(own, words)


@dataclass(frozen=True)
class _InMemory:
    """A round whose items are in memory."""

    part: KeyRound

    @property
    def size(self) -> int:
        return len(self.part.rows)

    def without(self, matched: Rows) -> Round:
        return _InMemory(self.part.without(matched))

    def whole(self) -> tuple[Items, Rows]:
        return self.part.items, self.part.rows

    def in_buckets(self, count: int) -> Bucketed:
        return _BucketsInMemory(self.part, count)


class _BucketsInMemory:
    """One round's items in ``count`` buckets, by the first bits of their digests."""

    def __init__(self, part: KeyRound, count: int) -> None:
        self._part = part
        self._order: Rows | None = None
        self._bounds = np.array([0, len(part.rows)])
        if count > 1:
            buckets = bucket_numbers(part.items, count)
            self._order = np.argsort(buckets, kind="stable")
            self._bounds = np.searchsorted(buckets[self._order], np.arange(count + 1))

    def sizes(self) -> list[int]:
        return [int(size) for size in np.diff(self._bounds)]

    def load(self, bucket: int) -> tuple[Items, Rows]:
        if self._order is None:
            return self._part.items, self._part.rows
        chosen = self._order[self._bounds[bucket] : self._bounds[bucket + 1]]
        return self._part.items[chosen], self._part.rows[chosen]


@dataclass(frozen=True)
class _OnDisk:
    """A round whose items wait in files."""

    files: BucketFiles
    matched: Rows | None = None
    """Rows matched in earlier rounds, left out as the files are read."""

    @property
    def size(self) -> int:
        if self.matched is None:
            return self.files.items
        return sum(self.in_buckets(64).sizes())

    def without(self, matched: Rows) -> Round:
        return _OnDisk(self.files, matched if len(matched) else None)

    def whole(self) -> tuple[Items, Rows]:
        return self.in_buckets(1).load(0)

    def in_buckets(self, count: int) -> Bucketed:
        if self.matched is None:
            return self.files.split(count)
        return _LeftOnDisk(self.files, count, self.matched)


@dataclass(frozen=True)
class _LeftOnDisk:
    """The rows of bucket files that earlier rounds have left."""

    files: BucketFiles
    count: int
    matched: Rows

    def sizes(self) -> list[int]:
        return [len(self.load(bucket)[1]) for bucket in range(self.count)]

    def load(self, bucket: int) -> tuple[Items, Rows]:
        part = KeyRound(*self.files.load(bucket, self.count)).without(self.matched)
        return part.items, part.rows


class _Unread:
    """A round of a table that need not be read as long as only its size is asked for."""

    def __init__(self, size: int, read: Callable[[], Round]) -> None:
        self.size = size
        self._read = read

    def without(self, matched: Rows) -> Round:
        return self if not len(matched) else self._read().without(matched)

    def whole(self) -> tuple[Items, Rows]:
        return self._read().whole()

    def in_buckets(self, count: int) -> Bucketed:
        return self._read().in_buckets(count)
