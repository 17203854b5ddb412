"""Lines that cannot be used: their row numbers and reasons, never their values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from models.table import Mask, Rows

NO_CONSENT = "no_consent"
CANCELLED = "cancelled"
BY_RULE = frozenset({NO_CONSENT, CANCELLED})
"""Reasons for which a line is left out although it can be read."""


class Rejects:
    """The lines left out so far. A line is rejected once, for the first reason found."""

    def __init__(self, lines: int) -> None:
        self.usable: Mask = np.ones(lines, dtype=bool)
        self._parts: list[tuple[Rows, str, str]] = []

    def broken(self, rows: Rows, reason: str) -> None:
        """Reject rows of the file of which no line could be made."""
        self._parts.append((rows, reason, ""))

    def lines(self, bad: Mask, rows: Rows, reason: str, column: str) -> None:
        """Reject the lines that are ``bad``, as far as they were usable until now."""
        found = bad & self.usable
        if found.any():
            self._parts.append((rows[found], reason, column))
            self.usable &= ~found

    @property
    def counts(self) -> dict[str, int]:
        """Number of rejected rows by reason."""
        counts: Counter[str] = Counter()
        for rows, reason, _ in self._parts:
            counts[reason] += len(rows)
        return {reason: count for reason, count in sorted(counts.items()) if count}

    def most_common(self) -> str:
        """Return the most common reason that points at a wrong setting, with its column."""
        _, reason, column = max(
            (len(rows), reason, column)
            for rows, reason, column in self._parts
            if reason not in BY_RULE
        )
        return f"{reason} in column {column!r}" if column else reason

    def write(self, path: Path) -> None:
        """Write the rejected rows as CSV (row, reason, column) in the order of the file."""
        frames = [
            pd.DataFrame({"row": rows, "reason": reason, "column": column})
            for rows, reason, column in self._parts
        ]
        empty = pd.DataFrame({"row": [], "reason": [], "column": []})
        table = pd.concat(frames).sort_values("row", kind="stable") if frames else empty
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)
