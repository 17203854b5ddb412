"""Why a horizontal job does not go on."""

from __future__ import annotations

from typing import Literal


class JobEnded(Exception):
    """The job ends here; ``party`` is by whom, or because of whom, where that is known."""

    def __init__(
        self,
        status: Literal["refused", "failed", "stopped"],
        message: str,
        *,
        party: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.party = party
        self.hint = hint
