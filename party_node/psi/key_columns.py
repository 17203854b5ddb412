"""From a table's key columns to the rounds of items that a matching protocol is given.

A key is one column; several that must **all** match; or several of which the **first** that matches
counts. All at once there is one round, whose item is a digest over the columns' protocol inputs.
First there is one round per column, in the order both parties agreed:

- An identifier belongs to the first row of the file that has it. A later row cannot be matched by
  it; a row that no identifier is left to is rejected as ``duplicate_identifier``. This is settled
  before the first round.
- A row takes part in a round if it has an identifier for it and was not matched in an earlier
  round (:meth:`KeyRound.without`). With the result to both, both leave out the rows of every pair
  found so far, so that each row is in at most one pair: the matching is one to one, and the same
  at both, because a round's items are distinct at both.
- The shared order is that of the rounds, and within a round the protocol's.

What more is learned than with one column: how many rows of the other take part in each round, and
by which column each pair was found. Of a row matched early, nothing is learned from its later
columns. Rounds need the list of matches at both parties: without it one of them cannot leave rows
out, so that a row could be matched twice, and neither a size nor a sum can be put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from protocols.identifiers import (
    REASON_WORDS,
    IdentifierKind,
    NormalisedColumn,
    TextColumn,
    composite_input_column,
    normalise_column,
    protocol_input_column,
)
from protocols.suite import Suite
from protocols.suite.interface import Indices, Items

WRONG_NUMBER_OF_FIELDS = "wrong_number_of_fields"
DUPLICATE_IDENTIFIER = "duplicate_identifier"
UNUSABLE_NUMBER = "unusable_number"
WORDS = (*REASON_WORDS, WRONG_NUMBER_OF_FIELDS, DUPLICATE_IDENTIFIER, UNUSABLE_NUMBER)
"""What :attr:`Rejects.reasons` mean."""

NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class KeyColumn:
    """A column of this party's file and the kind of identifier it holds."""

    name: str
    kind: IdentifierKind


@dataclass(frozen=True)
class MatchKey:
    """What a row is matched by; both parties agree on the kinds, their order and ``match``."""

    columns: tuple[KeyColumn, ...]
    match: Literal["all", "first"] = "all"

    def __post_init__(self) -> None:
        """Refuse a key without a column, and a column twice."""
        names = [column.name for column in self.columns]
        if not names or len(set(names)) != len(names):
            raise ValueError("a key has at least one column, and each only once")

    @property
    def names(self) -> list[str]:
        """Names of the key columns."""
        return [column.name for column in self.columns]

    @property
    def labels(self) -> tuple[str, ...]:
        """What a reject is about: each column, and last of all the columns together."""
        together = ("+".join(self.names),) if self.match == "all" and len(self.columns) > 1 else ()
        return (*self.names, *together)

    @property
    def round_labels(self) -> tuple[int, ...]:
        """The place in ``labels`` of what each round matches by."""
        last = len(self.labels) - 1
        return (last,) if self.match == "all" else tuple(range(len(self.columns)))


@dataclass(frozen=True)
class KeyRound:
    """What takes part in one round: row i of the file is number ``rows[i]``."""

    items: Items = field(repr=False)
    """uint8 [n, 32]."""
    rows: Indices = field(repr=False)
    """int64 [n]: 1-based row numbers in the file, ascending."""

    def without(self, matched: Indices) -> KeyRound:
        """Return the round without the rows matched in earlier rounds."""
        if not len(matched):
            return self
        left = ~np.isin(self.rows, matched)
        return KeyRound(self.items[left], self.rows[left])


@dataclass(frozen=True)
class Rejects:
    """Rows that cannot be matched, each with a reason and the column it is about."""

    labels: tuple[str, ...]
    rows: Indices = field(repr=False)
    """int64 [n]: 1-based row numbers in the file."""
    reasons: npt.NDArray[np.uint8] = field(repr=False)
    """uint8 [n]: places in :data:`WORDS`."""
    columns: npt.NDArray[np.int16] = field(repr=False)
    """int16 [n]: places in ``labels``, -1 for none."""

    @classmethod
    def of(cls, key: MatchKey, rows: Indices, reason: str) -> Rejects:
        """Return rows rejected for a reason that is about no column."""
        reasons = np.full(len(rows), WORDS.index(reason), dtype=np.uint8)
        return cls(key.labels, rows, reasons, np.full(len(rows), -1, dtype=np.int16))

    @classmethod
    def joined(cls, key: MatchKey, parts: Sequence[Rejects]) -> Rejects:
        """Return all parts' rows by ascending number."""
        every = [cls.of(key, NO_ROWS, DUPLICATE_IDENTIFIER), *parts]
        rows = np.concatenate([part.rows for part in every])
        order = np.argsort(rows, kind="stable")
        return cls(
            key.labels,
            rows[order],
            np.concatenate([part.reasons for part in every])[order],
            np.concatenate([part.columns for part in every])[order],
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """Rejected rows by reason."""
        counts = np.bincount(self.reasons, minlength=len(WORDS)).tolist()
        return {word: count for word, count in sorted(zip(WORDS, counts, strict=True)) if count}

    def most_common(self) -> str:
        """Return the most common reason and its column, in words; there must be a row."""
        pairs = Counter(zip(self.reasons.tolist(), self.columns.tolist(), strict=True))
        ((reason, column), _), *_ = pairs.most_common(1)
        return (
            f"{WORDS[reason]} in column {self.labels[column]!r}" if column >= 0 else WORDS[reason]
        )


def key_rounds(
    key: MatchKey, columns: Sequence[TextColumn], rows: Indices, suite: Suite, *, region: str
) -> tuple[tuple[KeyRound, ...], Rejects]:
    """Return each round's items of these rows, duplicates among them, and the rows in no round.

    ``columns`` are the key's, row by row; ``rows`` are the rows' numbers in the file.
    """
    spelled = [
        normalise_column(column.kind, values, region=region)
        for column, values in zip(key.columns, columns, strict=True)
    ]
    inputs = [
        protocol_input_column(suite, column.kind, normalised)
        for column, normalised in zip(key.columns, spelled, strict=True)
    ]
    combine = _all_match if key.match == "all" else _first_matches
    return combine(key, spelled, inputs, rows, suite)


def _first_matches(
    key: MatchKey,
    spelled: Sequence[NormalisedColumn],
    inputs: Sequence[Items],
    rows: Indices,
    _: Suite,
) -> tuple[tuple[KeyRound, ...], Rejects]:
    rounds = tuple(
        KeyRound(items, rows[column.usable]) for items, column in zip(inputs, spelled, strict=True)
    )
    hopeless = ~np.logical_or.reduce([column.usable for column in spelled])
    reasons = spelled[0].reasons[hopeless]
    first = np.zeros(len(reasons), dtype=np.int16)
    return rounds, Rejects(key.labels, rows[hopeless], reasons, first)


def _all_match(
    key: MatchKey,
    spelled: Sequence[NormalisedColumn],
    inputs: Sequence[Items],
    rows: Indices,
    suite: Suite,
) -> tuple[tuple[KeyRound, ...], Rejects]:
    reasons = np.zeros(len(rows), dtype=np.uint8)
    about = np.zeros(len(rows), dtype=np.int16)
    for place, column in reversed(list(enumerate(spelled))):
        reasons[~column.usable] = column.reasons[~column.usable]
        about[~column.usable] = place
    usable = reasons == 0
    if len(spelled) == 1:
        items = inputs[0]
    else:
        parts = [part[usable[column.usable]] for part, column in zip(inputs, spelled, strict=True)]
        items = composite_input_column(suite, parts)
    rejects = Rejects(key.labels, rows[~usable], reasons[~usable], about[~usable])
    return (KeyRound(items, rows[usable]),), rejects


def first_occurrences(items: Items) -> npt.NDArray[np.bool_]:
    """Return bool [n]: whether no earlier row of ``items`` [n, 32] is the same.

    Made for digests: rows that share their first eight bytes but differ are few.
    """
    words = np.ascontiguousarray(items).view(np.uint64)
    first = np.ones(len(words), dtype=np.bool_)
    ordered = np.sort(words[:, 0])
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(repeated):
        return first
    tied = np.flatnonzero(np.isin(words[:, 0], repeated))
    # Stable: among the same digests the earliest row stays first.
    order = np.lexsort(words[tied].T)
    groups = words[tied[order]]
    same = (groups[1:] == groups[:-1]).all(axis=1)
    first[tied[order[1:][same]]] = False
    return first


def distinct_rounds(
    key: MatchKey, rounds: Sequence[KeyRound]
) -> tuple[tuple[KeyRound, ...], Rejects]:
    """Return the rounds without duplicates, and the rows that no round is left to."""
    distinct, duplicates = [], []
    for part in rounds:
        first = first_occurrences(part.items)
        whole = bool(first.all())
        distinct.append(part if whole else KeyRound(part.items[first], part.rows[first]))
        duplicates.append(NO_ROWS if whole else part.rows[~first])
    rejects = duplicate_rejects(key, duplicates, lambda: (part.rows for part in distinct))
    return tuple(distinct), rejects


def duplicate_rejects(
    key: MatchKey, duplicates: Sequence[Indices], kept: Callable[[], Iterable[Indices]]
) -> Rejects:
    """Return the rows that are duplicates in some round and take part in none.

    ``duplicates`` are each round's; ``kept`` gives, in any number of parts, the rows that take
    part in a round. For rounds in memory see :func:`distinct_rounds`; this is for those on disk.
    """
    rows = np.concatenate([NO_ROWS, *duplicates])
    columns = np.repeat(
        np.array(key.round_labels, dtype=np.int16), [len(part) for part in duplicates]
    )
    rows, earliest = np.unique(rows, return_index=True)
    columns = columns[earliest]
    if len(rows) and len(duplicates) > 1:
        out = np.ones(len(rows), dtype=np.bool_)
        for part in kept():
            out &= ~np.isin(rows, part)
        rows, columns = rows[out], columns[out]
    reasons = np.full(len(rows), WORDS.index(DUPLICATE_IDENTIFIER), dtype=np.uint8)
    return Rejects(key.labels, rows, reasons, columns)
