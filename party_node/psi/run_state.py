"""What a killed run leaves behind so that the same command goes on: the spec and finished parts.

A folder beside the output, readable by its owner only, gone when the run ends well. A part is one
bucket of one round; its result is written whole or not at all. What is in progress is not kept: an
unfinished part starts again with fresh randomness.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from zipfile import BadZipFile

import msgspec
import numpy as np
import numpy.typing as npt

from party_node.errors import NodeError
from protocols.errors import DecodeError
from protocols.session.psi_negotiation import Attempts
from protocols.session.psi_spec import PsiSpec, decode_psi_spec

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
_FILE = "run.msgpack"
_PART = re.compile(r"part-([0-9]{1,9})-([0-9]{1,10})\.npz")
_VERSION = 1


class _RunFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``run.msgpack``: what was agreed, over which input, and how often this side connected."""

    version: int
    spec: bytes
    inputs: bytes
    attempt: int
    summary: bytes
    """How the run ended for this side, once it has; empty before."""


class PartStore(Protocol):
    """Where the results of finished parts are kept until the run is over."""

    def finished(self, first: int, count: int) -> Attempts:
        """Return in which attempt each of ``count`` parts from ``first`` on was finished, or 0."""

    def save_part(self, index: int, attempt: int, arrays: Arrays) -> None:
        """Keep the result that part ``index`` has from ``attempt``, in place of an earlier one."""

    def load_part(self, index: int) -> Arrays:
        """Return the result of part ``index``."""


class PartsInMemory:
    """The results of a run that is too short to be resumed."""

    def __init__(self) -> None:
        self._parts: dict[int, tuple[int, Arrays]] = {}

    def finished(self, first: int, count: int) -> Attempts:
        """Return in which attempt each of ``count`` parts from ``first`` on was finished, or 0."""
        none: tuple[int, Arrays] = (0, {})
        return _attempts(self._parts.get(index, none)[0] for index in range(first, first + count))

    def save_part(self, index: int, attempt: int, arrays: Arrays) -> None:
        """Keep the result that part ``index`` has from ``attempt``, in place of an earlier one."""
        self._parts[index] = attempt, arrays

    def load_part(self, index: int) -> Arrays:
        """Return the result of part ``index``."""
        return self._parts[index][1]


class RunState:
    """The folder of one run. Raises :class:`NodeError` where it cannot be written or read."""

    def __init__(self, folder: Path, file: _RunFile) -> None:
        self.folder = folder
        self._file = file
        self.spec: PsiSpec = decode_psi_spec(file.spec)

    @classmethod
    def begin(cls, folder: Path, spec: PsiSpec, inputs: bytes) -> RunState:
        """Make the folder of a new run; what an abandoned one left there is removed."""
        with _written(folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700, parents=True)
        state = cls(folder, _RunFile(_VERSION, spec.to_bytes(), inputs, 1, b""))
        state._write()
        return state

    @classmethod
    def find(cls, folder: Path, inputs: bytes) -> RunState | None:
        """Return the run that can go on with these inputs, or None.

        ``inputs`` is the digest of file and options: with others it would be another run.
        """
        try:
            file = msgspec.msgpack.decode((folder / _FILE).read_bytes(), type=_RunFile)
            if file.version != _VERSION or file.inputs != inputs:
                return None
            return cls(folder, file)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, DecodeError) as error:
            raise NodeError(
                f"the interrupted run in {folder} cannot be read ({type(error).__name__})",
                "remove that folder to start anew",
            ) from None

    @property
    def attempt(self) -> int:
        """How often this side has connected for this run."""
        return self._file.attempt

    @property
    def summary(self) -> bytes:
        """What :meth:`conclude` was given; empty if the run has not ended for this side."""
        return self._file.summary

    def connected(self, attempt: int) -> None:
        """Remember the number of the attempt that begins now; a number serves once."""
        self._file = msgspec.structs.replace(self._file, attempt=attempt)
        self._write()

    def conclude(self, summary: bytes) -> None:
        """Remember that this side has all it gets, and only the other may still need it."""
        self._file = msgspec.structs.replace(self._file, summary=summary)
        self._write()

    # -- parts -------------------------------------------------------------------------------

    def finished(self, first: int, count: int) -> Attempts:
        """Return in which attempt each of ``count`` parts from ``first`` on was finished, or 0."""
        kept = self._kept()
        return _attempts(kept.get(index, 0) for index in range(first, first + count))

    def save_part(self, index: int, attempt: int, arrays: Arrays) -> None:
        """Keep the result that part ``index`` has from ``attempt``, in place of an earlier one."""
        staged = self.folder / f"part-{index}.writing"
        with _written(self.folder):
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(self._part(index, attempt))
            for path in self.folder.glob(f"part-{index}-*.npz"):
                if path != self._part(index, attempt):
                    path.unlink()

    def load_part(self, index: int) -> Arrays:
        """Return the result of part ``index``."""
        path = self._part(index, self._kept()[index])
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, EOFError, BadZipFile):
            raise NodeError(
                f"{path} is damaged", f"remove {self.folder} and start both sides anew"
            ) from None

    def destroy(self) -> None:
        """Remove the folder: the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kept(self) -> dict[int, int]:
        """Return the attempt that the result of each part is from."""
        kept: dict[int, int] = {}
        for path in self.folder.iterdir():
            if named := _PART.fullmatch(path.name):
                index, attempt = int(named[1]), int(named[2])
                kept[index] = max(attempt, kept.get(index, 0))
        return kept

    def _part(self, index: int, attempt: int) -> Path:
        return self.folder / f"part-{index}-{attempt}.npz"

    def _write(self) -> None:
        path = self.folder / _FILE
        staged = path.with_suffix(".writing")
        with _written(self.folder):
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.msgpack.encode(self._file))
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep other processes from using the run's ``folder`` at the same time.

    Raises :class:`NodeError` if one does. The lock goes with the process, however it ends.
    """
    path = folder.with_name(folder.name + ".lock")
    with _written(folder):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if not _locked(descriptor, path):
            raise NodeError(
                f"another run uses {folder}",
                "wait for it, or name another --output (as a sender without one: a copy of the "
                "input)",
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, path: Path) -> bool:
    """Lock the file; False if another process has, or has just removed it after its run."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except OSError:
        return False


@contextlib.contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NodeError(
            f"cannot write {folder} ({error.strerror})",
            "a run keeps there what it needs to go on after an interruption",
        ) from None


def _attempts(numbers: Iterator[int]) -> Attempts:
    return np.fromiter(numbers, dtype=np.int64)
