"""A small file that says how far a phase is, for whoever watches the node from outside."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType

_EVERY_S = 0.2


class ProgressFile:
    """Rewritten atomically at most five times a second; removed when the phase ends."""

    def __init__(self, path: Path, phase: str) -> None:
        self._path = path
        self._phase = phase
        self._written_at = 0.0

    def __enter__(self) -> ProgressFile:
        self._write("", 0, 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._path.unlink(missing_ok=True)

    def update(self, step: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` units of ``step`` are finished."""
        now = time.monotonic()
        if now - self._written_at >= _EVERY_S or done >= total:
            self._written_at = now
            self._write(step, done, total)

    def _write(self, step: str, done: int, total: int) -> None:
        staged = self._path.with_suffix(".writing")
        staged.write_text(
            json.dumps({"phase": self._phase, "step": step, "done": done, "total": total})
        )
        staged.replace(self._path)
