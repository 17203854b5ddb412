"""The openings of a job's sums on the coordinator's disk: its checkpoint.

An opening is ciphertext and sealed shares, nothing the coordinator can read. A party that was away
gets those it missed; a new run after a crash goes on behind the last one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from protocols.secure_aggregation import Opening

_NOTE = "note"
_BOUND = "listed-"
_CHECKPOINTS = "checkpoints"


class OpeningStore:
    """One folder for each opened sum of one attempt: its note, and its ciphertexts in pieces."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, opening: Opening) -> None:
        """Keep an opening, whole or not at all."""
        number = opening.contributors.number
        staged = self._folder / f"{number:06d}.writing"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        for i, chunk in enumerate(opening.chunks):
            (staged / f"{i:05d}").write_bytes(chunk)
        (staged / _NOTE).write_bytes(opening.note())
        staged.rename(self._folder / f"{number:06d}")

    def numbers(self) -> list[int]:
        """Return the numbers of the sums that were opened, ascending."""
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdecimal())

    def note(self, number: int) -> bytes:
        """Return what opens a sum, but for its ciphertexts."""
        return (self._folder / f"{number:06d}" / _NOTE).read_bytes()

    def chunks(self, number: int) -> list[bytes]:
        """Return the added ciphertexts of a sum."""
        folder = self._folder / f"{number:06d}"
        return [path.read_bytes() for path in sorted(folder.iterdir()) if path.name != _NOTE]

    def bind(self, opened: int, contributors: Sequence[str]) -> None:
        """Keep whose contributions were first listed for the work after ``opened`` sums.

        Whoever signed that list signs no other for the same work, also after a crash of ours.
        """
        if not self.bound(opened):
            self._write(f"{_BOUND}{opened:06d}", msgspec.msgpack.encode(list(contributors)))

    def bound(self, opened: int) -> tuple[str, ...]:
        """Return whose contributions were listed for that work; empty where nobody's were yet."""
        path = self._folder / f"{_BOUND}{opened:06d}"
        if not path.exists():
            return ()
        return msgspec.msgpack.decode(path.read_bytes(), type=tuple[str, ...])

    def keep_told(self, notes: Mapping[str, bytes]) -> None:
        """Keep the parties' signed log states: the job has only to be closed."""
        self._write(_CHECKPOINTS, msgspec.msgpack.encode(dict(notes)))

    def told(self) -> dict[str, bytes] | None:
        """Return what :meth:`keep_told` kept, None before."""
        path = self._folder / _CHECKPOINTS
        if not path.exists():
            return None
        return msgspec.msgpack.decode(path.read_bytes(), type=dict[str, bytes])

    def _write(self, name: str, data: bytes) -> None:
        staged = self._folder / f"{name}.writing"
        staged.write_bytes(data)
        staged.rename(self._folder / name)

    def forget(self) -> None:
        """Delete every opening: the job is over."""
        shutil.rmtree(self._folder, ignore_errors=True)
