"""How much memory a simulation's processes take together, looked at while it runs."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_EVERY_S = 0.5
_PROC = Path("/proc")


@dataclass
class PeakMemory:
    """The most there was; None where the system does not tell."""

    bytes: int | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Take the present memory into account."""
        now = _of_family(os.getpid())
        if now is not None:
            self.bytes = max(now, self.bytes or 0)


@contextlib.contextmanager
def watched() -> Iterator[PeakMemory]:
    """Watch this process and all that come of it; pages they share are counted once."""
    peak = PeakMemory()

    def watch() -> None:
        while not peak._done.wait(_EVERY_S):
            peak.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak._done.set()
        watcher.join()
        peak.look()


def _of_family(root: int) -> int | None:
    """Return the proportional set size of ``root`` and its descendants, Linux only."""
    parents: dict[int, int] = {}
    try:
        for entry in _PROC.iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    told = (entry / "stat").read_text().rpartition(")")[2].split()
                    parents[int(entry.name)] = int(told[1])
    except OSError:
        return None
    family, grown = {root}, True
    while grown:
        more = {process for process, parent in parents.items() if parent in family} - family
        family |= more
        grown = bool(more)
    sizes = [_pss(process) for process in family]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _pss(process: int) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in (_PROC / str(process) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None
