"""What a check found, and exactly where."""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypeAlias

import msgspec

Severity: TypeAlias = Literal["failed", "unchecked", "note"]
MAX_FINDINGS = 50
"""Of each severity."""


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where in the evidence: a bundle or database, a file in it, an entry, a byte."""

    source: str
    file: str | None = None
    line: int | None = None
    """Line of the file, from 1."""
    seq: int | None = None
    """Position of the entry in its log, from 0."""
    offset: int | None = None
    """Byte of the whole bundle, from 0."""

    def __str__(self) -> str:
        """Return the place as a person reads it."""
        parts = [self.file] if self.file else []
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.seq is not None:
            parts.append(f"seq {self.seq}")
        if self.offset is not None:
            parts.append(f"byte {self.offset}")
        return f"{self.source}: {', '.join(parts)}" if parts else self.source


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, could not be checked, or should be known."""

    severity: Severity
    place: Place
    message: str

    def __str__(self) -> str:
        """Return the finding on one line."""
        return f"{self.place}: {self.message}"


class Findings(list[Finding]):
    """Findings in the order they were made, cut short when the evidence is hopeless.

    A hostile bundle of a million wrong lines must not become a report of a million findings;
    what is cut off is counted, never silently dropped.
    """

    def __init__(self) -> None:
        super().__init__()
        self.more = 0
        self._kept: Counter[Severity] = Counter()

    def add(self, severity: Severity, place: Place, message: str) -> None:
        """Keep a finding, or count it when there are too many of its severity already."""
        if self._kept[severity] >= MAX_FINDINGS:
            self.more += 1
            return
        self._kept[severity] += 1
        self.append(Finding(severity, place, message))

    def failed(self, place: Place, message: str) -> None:
        """Keep a finding that makes the verification fail."""
        self.add("failed", place, message)

    @property
    def any_failed(self) -> bool:
        """Whether anything is wrong."""
        return self._kept["failed"] > 0
