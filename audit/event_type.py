"""What the catalogue says of a type of event: its meaning, who may see it, how long, which keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Visibility: TypeAlias = Literal["local", "joint", "regulator"]
RetentionClass: TypeAlias = Literal["NET", "JOINT", "SHARE", "ASSESS", "MODEL", "PROOF"]
DetailValue: TypeAlias = str | int | bool | list[str]

VISIBILITY_MEANING: Final[Mapping[Visibility, str]] = {
    "local": "this party, its auditors and a regulator",
    "joint": "every party of the job, their auditors and a regulator",
    "regulator": "this party's officers and a regulator",
}
RETENTION_MEANING: Final[Mapping[RetentionClass, str]] = {
    "NET": "12 months; at least 6 (Cybersecurity Law 23)",
    "JOINT": "3 years after the project ends (NFRA measures 43)",
    "SHARE": "3 years; at least 3 (Network Data Security Regulations 12)",
    "ASSESS": "5 years; at least 3 (PIPL 56)",
    "MODEL": "the model's life and 3 years more",
    "PROOF": "permanent; holds no personal data",
}


@dataclass(frozen=True, slots=True)
class EventType:
    """One row of the catalogue."""

    name: str
    meaning: str
    visibility: Visibility
    retention: RetentionClass
    details: frozenset[str]
    counts: frozenset[str]
    ends: str | None
    """The ``…intended`` type that an event of this type may close."""
    end_required: bool
    """Whether the event is refused unless it closes an open intent."""


def event_type(
    name: str,
    meaning: str,
    *,
    visibility: Visibility = "joint",
    retention: RetentionClass = "JOINT",
    details: str = "",
    counts: str = "",
    ends: str | None = None,
    end_required: bool = False,
) -> EventType:
    """Return one row; details and counts are given as words with spaces between."""
    return EventType(
        name=name,
        meaning=meaning,
        visibility=visibility,
        retention=retention,
        details=frozenset(details.split()),
        counts=frozenset(counts.split()),
        ends=ends,
        end_required=end_required,
    )
