"""Why a half does not fit: every difference between what it expects and what is there, in words.

Texts about columns name a party's own columns. They are for that party's operator and are sent to
no one; texts about halves name parties, jobs and digests only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from models.table import Column, ColumnKind, ColumnTable
from protocols.errors import DecodeError, LocalProtocolError
from protocols.roles import PartyId
from protocols.suite.canonical import Json

What: TypeAlias = Literal[
    "missing_column",
    "other_kind",
    "extra_column",
    "missing_half",
    "other_model",
    "other_role",
    "other_version",
    "changed_half",
    "extra_half",
]
_KINDS: dict[Json, ColumnKind] = {"numeric": "numeric", "categorical": "categorical"}
_SHOWN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference; ``text`` is a sentence without its full stop."""

    what: What
    text: str

    @property
    def blocks(self) -> bool:
        """Whether nothing can be scored so: a column the model does not use hurts nobody."""
        return self.what != "extra_column"


@dataclass(frozen=True, slots=True)
class HalfStatement:
    """What a party says of the half it brings, or what was agreed that it brings."""

    party: PartyId
    model_id: str
    """The job that trained the model."""
    kind: str
    role: str
    version: int
    """Format version of the half's file."""
    digest: str
    """Hex of the suite's hash of the half's bytes."""


def needed_columns(facts: Mapping[str, Json]) -> tuple[tuple[str, ColumnKind], ...]:
    """Return (name, kind) of the columns a half needs, in its order, from its stated facts.

    Raises :class:`DecodeError` where the facts do not list columns as
    :mod:`models.model_file` says.
    """
    listed = facts.get("columns")
    if not isinstance(listed, list):
        raise DecodeError("the half does not list the columns it needs")
    columns: dict[str, ColumnKind] = {}
    for each in listed:
        name = each.get("name") if isinstance(each, dict) else None
        kind = each.get("kind") if isinstance(each, dict) else None
        if not isinstance(name, str) or not isinstance(kind, str) or kind not in _KINDS:
            raise DecodeError("the half lists a column without a name or of no known kind")
        if name in columns:
            raise DecodeError("the half lists a column twice")
        columns[name] = _KINDS[kind]
    return tuple(columns.items())


def column_differences(
    needed: Sequence[tuple[str, ColumnKind]], table: ColumnTable
) -> list[Difference]:
    """Return every difference between the columns a half needs and those of ``table``.

    In the order of the half's columns, then of the table's. Order is no difference:
    :func:`take_columns` restores it.
    """
    there = {column.name: column for column in table.columns}
    found = []
    for name, kind in needed:
        if name not in there:
            found.append(Difference("missing_column", _missing(name, kind, table.columns)))
        elif there[name].kind != kind:
            text = (
                f"column {name!r} is {there[name].kind} here; the model was trained on a {kind} one"
            )
            found.append(Difference("other_kind", text))
    names = {name for name, _ in needed}
    found += [
        Difference("extra_column", f"column {column.name!r} is not used by the model")
        for column in table.columns
        if column.name not in names
    ]
    return found


def take_columns(needed: Sequence[tuple[str, ColumnKind]], table: ColumnTable) -> ColumnTable:
    """Return ``table`` with the columns a half needs, in its order, and no others.

    Raises :class:`LocalProtocolError` naming every difference that keeps it from that.
    """
    blocking = [d.text for d in column_differences(needed, table) if d.blocks]
    if blocking:
        raise LocalProtocolError("; ".join(blocking))
    there = {column.name: column for column in table.columns}
    return ColumnTable(tuple(there[name] for name, _ in needed), table.rows)


def half_differences(
    agreed: Sequence[HalfStatement], offered: Sequence[HalfStatement]
) -> list[Difference]:
    """Return every difference between the halves that were agreed and those that are offered.

    Both have one statement per party. A half of another model is only that: what else differs
    about it is its own.
    """
    by_party = {half.party: half for half in offered}
    found = []
    for half in agreed:
        other = by_party.pop(half.party, None)
        if other is None:
            text = f"{half.party} brings no half of the model that job {half.model_id} trained"
            found.append(Difference("missing_half", text))
        elif other.model_id != half.model_id or other.kind != half.kind:
            text = (
                f"{half.party} brings a half of another model: a {other.kind} trained by job "
                f"{other.model_id}; agreed is the {half.kind} trained by job {half.model_id}"
            )
            found.append(Difference("other_model", text))
        else:
            found += _differences_of_one(half, other)
    found += [
        Difference("extra_half", f"{party} brings a half, and has no part in the model")
        for party in by_party
    ]
    return found


def _differences_of_one(agreed: HalfStatement, other: HalfStatement) -> list[Difference]:
    found = []
    party = agreed.party
    if other.role != agreed.role:
        text = (
            f"{party} brings the {_spoken(other.role)}'s half; its own is the "
            f"{_spoken(agreed.role)}'s"
        )
        found.append(Difference("other_role", text))
    if other.version != agreed.version:
        text = f"{party}'s half has format version {other.version}; agreed is {agreed.version}"
        found.append(Difference("other_version", text))
    if other.digest != agreed.digest:
        text = (
            f"{party}'s half was changed: its digest is {_shown(other.digest)}, agreed is "
            f"{_shown(agreed.digest)}"
        )
        found.append(Difference("changed_half", text))
    return found


def _missing(name: str, kind: ColumnKind, columns: Sequence[Column]) -> str:
    similar = [c.name for c in columns if c.name.strip().casefold() == name.strip().casefold()]
    hint = f"; there is {similar[0]!r}, and names are compared exactly" if similar else ""
    return f"column {name!r} is missing; the model needs it ({kind}){hint}"


def _spoken(role: str) -> str:
    return role.replace("_", " ")


def _shown(digest: str) -> str:
    return f"{digest[:_SHOWN_DIGITS]}..."
