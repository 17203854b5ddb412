"""Where a simulation keeps what: results for people at the top, the parties' homes below."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

_MARKER = ".fedcrm-simulation"


class WorkspaceError(Exception):
    """A folder that cannot be used for a run; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Workspace:
    """The folder of one scenario's run."""

    root: Path

    @property
    def inputs(self) -> Path:
        """Where a packaged sample is written."""
        return self.root / "input"

    @property
    def coordinator(self) -> Path:
        """The coordinator's home."""
        return self.root / "nodes" / "coordinator"

    @property
    def meeting(self) -> Path:
        """Where the parties find each other's loopback port, and the stop file."""
        return self.root / "nodes" / "meeting"

    def party(self, party_id: str) -> Path:
        """The home of one party's node."""
        return self.root / "nodes" / "parties" / party_id

    def start_over(self) -> None:
        """Empty the folder; refuses one that no simulation made."""
        if self.root.is_dir() and any(self.root.iterdir()):
            if not (self.root / _MARKER).exists():
                raise WorkspaceError(
                    f"{self.root} is not empty and no simulation made it",
                    "give another folder with --out",
                )
            shutil.rmtree(self.root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / _MARKER).write_text("made by `fedcrm simulate`; removed by its next run\n")
        except OSError as error:
            raise WorkspaceError(
                f"cannot write into {self.root}: {error.strerror}", "give another folder with --out"
            ) from None

    def must_exist(self, hint: str = "run it without --resume") -> None:
        """Raise :class:`WorkspaceError` unless a run was started here."""
        if not (self.root / _MARKER).exists():
            raise WorkspaceError(f"there is no run in {self.root}", hint)

    def clear_meeting_place(self) -> None:
        """Forget ports and stop file of an earlier run."""
        shutil.rmtree(self.meeting, ignore_errors=True)
        self.meeting.mkdir(parents=True)
