"""What both sides of ``oprf`` keep between runs: the prepared set, its key, the peers' quotas.

The sender keeps, for one table and key, an epoch: the secret the epoch's key is drawn from, the
sorted tags, the row of each, and how many queries each peer has had. A changed table or setting,
or ``--rotate``, begins a new epoch; the old one is removed with its secret. The receiver keeps the
sender's tags, by the sender's signature key.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from audit.key_files import KeyFileError, create_secret_file, load_secret_file
from party_node.errors import JobRefused, NodeError
from party_node.psi.table import Rows
from protocols.errors import LocalProtocolError
from protocols.psi_oprf import EpochKey, TagSet, draw_epoch_key, evaluate_set
from protocols.suite import Items, Suite

_SECRET, _TAGS, _ROWS, _ABOUT, _USED = "epoch.key", "tags", "rows", "about", "queries"


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the files beside it hold."""

    session: bytes
    table_digest: bytes
    key_id: bytes
    digest: bytes
    count: int
    length: int
    quota: int


@dataclass(frozen=True)
class PreparedSet:
    """The sender's epoch: its key, its tags, and the row each belongs to."""

    folder: Path
    key: EpochKey
    tag_set: TagSet
    rows: Rows
    table_digest: bytes
    quota: int

    def set_aside(self, peer_key: bytes) -> int:
        """Take all queries that are left to the peer, before the run; return how many.

        What was not asked comes back with :meth:`give_back`; a run that breaks off has cost all.
        Raises :class:`JobRefused` where none is left.
        """
        used = self._used()
        left = self.quota - used.get(peer_key.hex(), 0)
        if left <= 0:
            raise JobRefused(
                f"the peer has had its {self.quota:,} queries under this key",
                "prepare the set under a new key with --rotate",
            )
        self._write_used(used | {peer_key.hex(): self.quota})
        return left

    def give_back(self, peer_key: bytes, queries: int) -> None:
        """Return ``queries`` that a finished run did not need."""
        used = self._used()
        used[peer_key.hex()] -= queries
        self._write_used(used)

    def _used(self) -> dict[str, int]:
        try:
            data = (self.folder / _USED).read_bytes()
        except FileNotFoundError:
            return {}
        return msgspec.msgpack.decode(data, type=dict[str, int])

    def _write_used(self, used: dict[str, int]) -> None:
        _write(self.folder / _USED, msgspec.msgpack.encode(used))


def find_prepared(cache: Path, suite: Suite, session: bytes, quota: int) -> PreparedSet | None:
    """Return the epoch of this table and quota, or None. Raises :class:`NodeError` if damaged."""
    about = _about(cache)
    if about is None or about.session != session or about.quota != quota:
        return None
    try:
        secret = load_secret_file(cache / _SECRET)
    except KeyFileError as error:
        raise NodeError(str(error), f"begin a new epoch with --rotate, or remove {cache}") from None
    rows = np.memmap(cache / _ROWS, dtype="<i8", mode="r") if about.count else np.empty(0, "<i8")
    key = draw_epoch_key(suite, secret)
    if len(rows) != about.count or key.id != about.key_id:
        raise _damaged(cache)
    return PreparedSet(cache, key, _tag_set(cache, about), rows, about.table_digest, about.quota)


def prepare_set(
    cache: Path,
    suite: Suite,
    items: Items,
    rows: Rows,
    *,
    session: bytes,
    table_digest: bytes,
    quota: int,
    on_progress: Callable[[str, int, int], None],
) -> PreparedSet:
    """Begin a new epoch for these items; an earlier one in the folder is removed."""
    if cache.exists():
        if any(path.name not in _OURS for path in cache.iterdir()):
            raise NodeError(f"{cache} holds other files", "name another folder with --cache")
        shutil.rmtree(cache)
    cache.mkdir(mode=0o700, parents=True)
    key = draw_epoch_key(suite, create_secret_file(cache / _SECRET))
    evaluation = evaluate_set(items, suite=suite, key=key, quota=quota)
    while True:
        try:
            progress = next(evaluation)
        except StopIteration as stop:
            made = stop.value
            break
        on_progress(progress.step, progress.done, progress.total)
    tags = made.tag_set.tags
    _write(cache / _TAGS, tags.tobytes())
    _write(cache / _ROWS, rows[made.order].astype("<i8").tobytes())
    about = _About(
        session, table_digest, key.id, made.tag_set.digest, len(tags), tags.shape[1], quota
    )
    _write(cache / _ABOUT, msgspec.msgpack.encode(about))
    found = find_prepared(cache, suite, session, quota)
    assert found is not None
    return found


def find_received(cache: Path, peer_key: bytes) -> TagSet | None:
    """Return the sender's tags as this receiver keeps them, or None."""
    folder = _received(cache, peer_key)
    about = _about(folder)
    return None if about is None else _tag_set(folder, about)


def keep_received(cache: Path, peer_key: bytes, tag_set: TagSet) -> None:
    """Keep the tags for the next run, in place of earlier ones."""
    folder = _received(cache, peer_key)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / _ABOUT).unlink(missing_ok=True)
    count, length = tag_set.tags.shape
    _write(folder / _TAGS, tag_set.tags.tobytes())
    about = _About(b"", b"", tag_set.key_id, tag_set.digest, count, length, 0)
    _write(folder / _ABOUT, msgspec.msgpack.encode(about))


_OURS = {_SECRET, _TAGS, _ROWS, _ABOUT, _USED}


def _received(cache: Path, peer_key: bytes) -> Path:
    return cache / f"from-{peer_key.hex()[:32]}"


def _about(folder: Path) -> _About | None:
    try:
        return msgspec.msgpack.decode((folder / _ABOUT).read_bytes(), type=_About)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        raise _damaged(folder) from None


def _tag_set(folder: Path, about: _About) -> TagSet:
    shape = (about.count, about.length)
    try:
        # Mapped: a few queries read a few pages of a hundred megabytes.
        tags = (
            np.memmap(folder / _TAGS, dtype=np.uint8, mode="r", shape=shape)
            if about.count
            else np.empty(shape, np.uint8)
        )
        if (folder / _TAGS).stat().st_size != about.count * about.length:
            raise _damaged(folder)
        return TagSet(about.key_id, tags, about.digest)
    except (OSError, ValueError, LocalProtocolError):
        raise _damaged(folder) from None


def _damaged(folder: Path) -> NodeError:
    return NodeError(f"the oprf cache in {folder} is damaged", "remove that folder")


def _write(path: Path, data: bytes) -> None:
    staged = path.with_name(path.name + ".writing")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
