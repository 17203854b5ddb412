"""The guard against reading one customer off two nearly equal runs, and what it remembers.

Two sizes, or two sums, over sets that differ in one customer tell whether that customer is
shared. A run that reveals a size or a sum is therefore refused when this party's set changed by
fewer than the floor since the last such run against the same peer. Rows that left because of a
withdrawal, an objection, an erasure or an expiry never count. Where the list is revealed there is
no guard; the changes are counted for the log.

Kept per peer: 64-bit tags of the items under a key of this log folder's own, never the items.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from audit.key_files import KeyFileError, create_secret_file, load_secret_file
from party_node.errors import JobRefused, NodeError
from protocols.suite import Items, Suite

Tags = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Change:
    """How this party's set differs from the one it last ran with; None before the first run."""

    added: int
    removed: int
    excused: int
    """Rows that left by right of the person, not counted in ``removed``."""


class Guard:
    """What this party remembers of its sets, by peer.

    Raises :class:`NodeError` where that cannot be read or kept: without it nothing is revealed.
    """

    def __init__(self, folder: Path, suite: Suite, peer: str) -> None:
        self._folder = folder / "guard"
        self._suite = suite
        self._path = self._folder / f"{peer}.tags"
        self._key_path = self._folder / "guard.key"

    def compare(self, items: Iterable[Items], excused: Items) -> Change | None:
        """Return how ``items`` differ from the last run's, the excused rows aside."""
        if not self._path.exists():
            return None
        with self._kept():
            last = np.fromfile(self._path, dtype="<u8").astype(np.uint64)
        present = self._tags(items)
        added = np.setdiff1d(present, last, assume_unique=True)
        removed = np.setdiff1d(last, present, assume_unique=True)
        by_right = np.intersect1d(removed, self._tags([excused]))
        return Change(len(added), len(removed) - len(by_right), len(by_right))

    def remember(self, items: Iterable[Items]) -> None:
        """Keep the tags of ``items`` for the next run's comparison."""
        tags = self._tags(items)
        staged = self._path.with_suffix(".writing")
        with self._kept():
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                tags.astype("<u8").tofile(file)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(self._path)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except (OSError, KeyFileError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise NodeError(
                f"what the guard keeps in {self._folder} cannot be used ({reason})",
                "it is as much a part of the log as the database beside it: restore both",
            ) from None

    def _secret(self) -> bytes:
        with self._kept():
            # Never beside tags made under a lost key: every row would count as changed.
            if not self._key_path.exists() and not any(self._folder.glob("*.tags")):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                create_secret_file(self._key_path)
            return load_secret_file(self._key_path)

    def _tags(self, items: Iterable[Items]) -> Tags:
        secret = self._secret()
        key = self._suite.derive(secret, b"fedcrm/psi-guard/v1", self._suite.key_bytes)
        tags = [np.empty(0, np.uint64)]
        for part in items:
            blocks = self._suite.encrypt_blocks(key, part[:, :16].tobytes())
            tags.append(np.frombuffer(blocks, dtype="<u8")[::2].astype(np.uint64))
        return np.unique(np.concatenate(tags))


def check_change(change: Change | None, floor: int) -> None:
    """Return if a size or sum may be revealed; raises :class:`JobRefused`."""
    if change is None:
        return
    changed = change.added + change.removed
    if 0 < changed < floor:
        raise JobRefused(
            f"this file differs from the last run's in fewer than {floor} rows: the two results "
            "together could tell whether a single customer is shared",
            "run again when more rows have changed; rows withdrawn by right go into --exclude",
        )


def rounded_down(size: int, floor: int) -> int:
    """Return ``size`` as it may be shown where the size itself is revealed."""
    return size - size % floor
