"""The catalogue of rules: clauses of law, legal bases, purposes and the numbers of the policy.

The catalogue is versioned data (``catalogue.toml``) read from the installed package, strictly: an
unknown field, a duplicate id or a reference to a clause that is not there is an error. What it
does not establish: that a summary is complete, or that a law has not changed since ``as_of``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal, TypeAlias

import msgspec

from protocols.suite import Suite

Confidence: TypeAlias = Literal["primary", "secondary", "unverified"]

MADE_OR_PUBLIC = "synthetic_or_public_data"
"""The basis of a simulation on made-up or published data; see ``gates/g02_legal_basis.py``."""


class CatalogueError(ValueError):
    """The packaged catalogue contradicts itself."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the catalogue's entries: immutable, and an unknown field is an error."""


class Clause(_Entry, frozen=True):
    """One clause of law, as this project understands it."""

    id: str
    jurisdiction: Literal["CN", "EU"]
    law: str
    law_zh: str
    article: str
    edition: str
    confidence: Confidence
    """``primary``: text read; ``secondary``: reproduction or draft; ``unverified``: not checked."""
    summary_en: str
    summary_zh: str


class LegalBasis(_Entry, frozen=True):
    """One value a party may name as its legal basis, and what comes with naming it."""

    id: str
    jurisdiction: Literal["CN", "EU", "any"]
    clauses: tuple[str, ...]
    summary_en: str
    summary_zh: str
    condition: str
    condition_clauses: tuple[str, ...]
    condition_without_list: str = ""
    """What stands in its place where no party learns whose customer anybody is; empty: the same."""


class PurposeEntry(_Entry, frozen=True):
    """One purpose and the uses of results that are consistent with it."""

    id: str
    uses: tuple[str, ...]
    summary_en: str
    summary_zh: str


class RetentionDays(_Entry, frozen=True):
    """Days after a job's end, one number for each kind of left-over."""

    row_map: int
    intermediate: int
    model: int
    scores: int


class Policy(_Entry, frozen=True):
    """Numbers no statute sets: this project's choices, the same for every party."""

    minimum_cohort: int
    """Smallest intersection opened on real data; a party may ask for more, never for less."""
    minimum_contributors: int
    """Fewest contributions in a sum that is opened, where noise alone does not protect them."""
    minimum_cell: int
    """Fewest customers of a split's side, or of a class in a scorecard's bin, on real data."""
    label_epsilon: str
    """Largest epsilon of private labels that needs nobody's approval; a decimal."""
    privacy_epsilon: str
    """Largest epsilon of all a dataset releases to one recipient for one purpose; a decimal."""
    privacy_delta: str
    """The delta at which that epsilon holds, and the largest a job may name; a decimal."""
    noise_alone_epsilon: str
    """Largest epsilon that asks nobody where noise is all that hides an update; a decimal."""
    retention_usual_days: RetentionDays
    """Longer than this is allowed on condition that the reason is written down."""
    retention_longest_days: RetentionDays
    """Longer than this is refused."""


class Catalogue(_Entry, frozen=True):
    """Everything the gates decide by."""

    version: Literal[1]
    as_of: str
    policy: Policy
    purposes: tuple[PurposeEntry, ...]
    legal_bases: tuple[LegalBasis, ...]
    clauses: tuple[Clause, ...]

    def __post_init__(self) -> None:
        """Refuse duplicate ids and citations of clauses that are not in the catalogue."""
        for kind, entries in (
            ("purpose", self.purposes),
            ("legal basis", self.legal_bases),
            ("clause", self.clauses),
        ):
            ids = [entry.id for entry in entries]
            for id_ in ids:
                if ids.count(id_) > 1:
                    raise CatalogueError(f"{kind} {id_!r} is in the catalogue twice")
        known = {clause.id for clause in self.clauses}
        for basis in self.legal_bases:
            for cited in (*basis.clauses, *basis.condition_clauses):
                if cited not in known:
                    raise CatalogueError(f"legal basis {basis.id!r} cites unknown clause {cited!r}")

    def clause(self, id_: str) -> Clause:
        """Return the clause ``id_``; raises ``KeyError``."""
        for clause in self.clauses:
            if clause.id == id_:
                return clause
        raise KeyError(id_)

    def legal_basis(self, id_: str) -> LegalBasis | None:
        """Return the legal basis ``id_``, or None if there is none of that name."""
        return next((basis for basis in self.legal_bases if basis.id == id_), None)

    def purpose(self, id_: str) -> PurposeEntry | None:
        """Return the purpose ``id_``, or None if there is none of that name."""
        return next((purpose for purpose in self.purposes if purpose.id == id_), None)


def decode_catalogue(data: bytes) -> Catalogue:
    """Return the catalogue in TOML bytes; raises :class:`CatalogueError` saying what is wrong."""
    try:
        return msgspec.toml.decode(data, type=Catalogue)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"the catalogue of rules does not load: {error}") from None


@cache
def load_catalogue() -> Catalogue:
    """Return the catalogue packaged with this code; it is read once in a process."""
    return decode_catalogue(files("compliance").joinpath("catalogue.toml").read_bytes())


def bundle_digest(suite: Suite) -> bytes:
    """Return the digest of the rules: the catalogue and the source text of the gates.

    Two parties with the same digest decide by the same data and the same code. Files are taken in
    order of their path inside the package, each framed by its name and length.
    """
    framed = [b"fedcrm/compliance-rules/v1\x00"]
    for path, content in sorted(_rule_files(files("compliance"), "")):
        name = path.encode()
        framed += [len(name).to_bytes(4, "big"), name, len(content).to_bytes(8, "big"), content]
    return suite.hash(*framed)


def _rule_files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            yield from _rule_files(entry, path + "/")
        elif entry.name.endswith((".py", ".toml")):
            yield path, entry.read_bytes()
