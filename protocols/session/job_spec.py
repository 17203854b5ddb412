"""The JobSpec: what every party signs before anything runs.

Its digest is bound into every message and every audit event. It is data only: nothing in it is
executed, and a parameter below the floor its protocol states is refused here, in code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from protocols.errors import DecodeError
from protocols.identifiers import IdentifierKind
from protocols.session.model_terms import (
    ModelTerms,
    ScoringTerms,
    Terms,
    TrainingTerms,
    decimal,
    within,
)
from protocols.suite import Suite, canonical

# What an event can hold (audit/catalogue.py): nothing shaped like a phone number or an ID.
_REFERENCE = re.compile(r"(?!\d{7,}$)(?!\d{17}[Xx]$)[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}")
# Job and party ids name files and logs as well: no separator, and at least one letter.
_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_MISLEADING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MAX_INTEGER = canonical.MAX_INTEGER

Purpose: TypeAlias = Literal["credit_need", "creditworthiness", "churn"]
ColumnKind: TypeAlias = Literal["numeric", "integer", "boolean", "date", "categorical"]
PartyRole: TypeAlias = Literal["active_party", "passive_party"]
Jurisdiction: TypeAlias = Literal["CN", "EU"]


class ColumnTerms(Terms, frozen=True, kw_only=True):
    """A column a party contributes, and how it is read."""

    name: str
    kind: ColumnKind


class DatasetTerms(Terms, frozen=True, kw_only=True):
    """The table a party brings: never its rows, only what the other side agreed to."""

    name: str
    identifier_kind: IdentifierKind
    columns: tuple[ColumnTerms, ...]


class PartyTerms(Terms, frozen=True, kw_only=True):
    """One organisation in the job."""

    party_id: str
    role: PartyRole
    public_key: str
    """Hex of the party's signature key."""
    jurisdiction: Jurisdiction
    legal_basis: str
    """A value of the party's own enumeration, for example ``CN13_1``; see ``compliance/``."""
    dataset: DatasetTerms
    minimum_cohort: int
    """The smallest intersection this party opens; the strictest party's number applies."""
    approver: str
    """Pseudonymous staff id of who may approve for this party."""


class LabelTerms(Terms, frozen=True, kw_only=True):
    """What is predicted, and who holds it."""

    party_id: str
    name: str
    meaning: str


class AlignmentTerms(Terms, frozen=True, kw_only=True):
    """Private set intersection."""

    protocol: Literal["ecdh", "server_aided"]
    reveal: Literal["list"]
    to: Literal["both"]
    identifier_rules: str
    """Version of the normalisation rules both sides apply."""


class EvaluationTerms(Terms, frozen=True, kw_only=True):
    """How the held-out customers are chosen: by a hash of identifier and seed, on both sides."""

    held_out_percent: int
    split_seed: int
    minimum_held_out: int
    """Fewer held-out customers than this, and nothing measured on them is released."""
    repeats: int
    """How many times the customers are split anew, and a model trained and measured."""
    threshold: str
    """Scores from here on count as yes where a decision is counted; a decimal in (0, 1)."""

    def __post_init__(self) -> None:
        """Refuse a split that trains on nothing or tests on nothing."""
        within("held_out_percent", self.held_out_percent, 5, 50)
        within("split_seed", self.split_seed, 0, _MAX_INTEGER - self.repeats)
        within("minimum_held_out", self.minimum_held_out, 10, 1_000_000)
        within("repeats", self.repeats, 1, 20)
        if not Decimal(0) < decimal("threshold", self.threshold) < 1:
            raise ValueError("threshold must be between 0 and 1")


class OutputTerms(Terms, frozen=True, kw_only=True):
    """One thing that leaves the job, and the only party that gets it."""

    name: Literal["scores", "metrics", "model_half", "aligned_rows", "joint_table"]
    recipient: str
    form: Literal["score", "band", "label", "aggregate", "local"]


class RetentionTerms(Terms, frozen=True, kw_only=True):
    """Days after which each kind of left-over is deleted, counted from the job's end."""

    row_map_days: int
    intermediate_days: int
    model_days: int
    scores_days: int


class JobSpec(Terms, frozen=True, kw_only=True):
    """Everything the parties agree on, in the order a compliance officer reads it."""

    version: Literal["fedcrm-job/1"]
    job_id: str
    title: str
    purpose: Purpose
    output_use: str
    """How results are used: ``research_only``, ``marketing`` or ``lending_decision``."""
    agreement: str
    """Reference of the contract the parties signed outside this system."""
    suite: Literal["gm", "intl"]
    parties: tuple[PartyTerms, ...]
    label: LabelTerms
    alignment: AlignmentTerms
    model: ModelTerms
    evaluation: EvaluationTerms | None
    """How the trained model is measured; a job that scores with a trained one has none."""
    outputs: tuple[OutputTerms, ...]
    retention: RetentionTerms | None
    privacy_budget: Literal["none"]
    proposed_by: str
    """Pseudonymous staff id of who proposed the job."""
    created_at: str
    """UTC, RFC 3339 with seconds, ending in ``Z``."""
    expires_at: str

    def __post_init__(self) -> None:
        """Refuse specs that contradict themselves; the law's questions are ``compliance/``'s."""
        check_id("job_id", self.job_id)
        check_reference("agreement", self.agreement)
        if self.proposed_by:  # that nobody is named is gate G22's to refuse, and to record
            check_reference("proposed_by", self.proposed_by)
        ids = [party.party_id for party in self.parties]
        for party_id in ids:
            check_id("party_id", party_id)
        if len(set(ids)) != len(ids):
            raise ValueError("party ids must differ")
        if len({party.public_key for party in self.parties}) != len(ids):
            raise ValueError("the parties' public keys must differ")
        if [p.role for p in self.parties].count("active_party") != 1 or not 2 <= len(ids) <= 5:
            raise ValueError("a job takes one active party and one to four passive parties")
        if self.label.party_id != self.active_party.party_id:
            raise ValueError("the label belongs to the active party")
        names = [c.name for c in self.active_party.dataset.columns]
        if self.label.name in names:
            raise ValueError(f"the label {self.label.name!r} is also a feature")
        for party in self.parties:
            columns = [c.name for c in party.dataset.columns]
            if len(set(columns)) != len(columns):
                raise ValueError(f"columns of {party.party_id} must differ")
            if party.role == "passive_party" and not columns:
                raise ValueError(f"{party.party_id} brings no column: there is nothing to learn")
            within("minimum_cohort", party.minimum_cohort, 1, _MAX_INTEGER)
        if len({party.dataset.identifier_kind for party in self.parties}) != 1:
            raise ValueError("the parties' identifiers are of different kinds: none would match")
        if isinstance(self.model, ScoringTerms):  # noqa: SIM102
            if {half.party_id for half in self.model.halves} != set(ids):
                raise ValueError("a scoring job names one half of the model for each party")
        if (self.evaluation is None) != self.is_scoring:
            raise ValueError("a job that trains is measured, one that scores is not")
        if not {output.recipient for output in self.outputs} <= set(ids):
            raise ValueError("an output's recipient is not a party of the job")
        created = check_instant("created_at", self.created_at)
        if check_instant("expires_at", self.expires_at) <= created:
            raise ValueError("expires_at must be later than created_at")
        if any(unicodedata.category(c) in _MISLEADING for t in _texts(self) for c in t):
            # An officer approves what is shown: control and format characters can hide or
            # reorder text.
            raise ValueError("a text holds a control or format character")

    @property
    def active_party(self) -> PartyTerms:
        """The party with the label."""
        return next(p for p in self.parties if p.role == "active_party")

    @property
    def passive_parties(self) -> tuple[PartyTerms, ...]:
        """The parties with features only."""
        return tuple(p for p in self.parties if p.role == "passive_party")

    @property
    def is_scoring(self) -> bool:
        """Whether the job scores customers with a trained model, instead of training one."""
        return isinstance(self.model, ScoringTerms)

    @property
    def training(self) -> TrainingTerms:
        """What is trained; raises ``ValueError`` for a job that scores."""
        if isinstance(self.model, ScoringTerms):
            raise ValueError("this job trains nothing")
        return self.model

    @property
    def scoring(self) -> ScoringTerms:
        """What is scored; raises ``ValueError`` for a job that trains."""
        if not isinstance(self.model, ScoringTerms):
            raise ValueError("this job scores nobody")
        return self.model

    @property
    def measurement(self) -> EvaluationTerms:
        """How what is trained is measured; raises ``ValueError`` for a job that scores."""
        if self.evaluation is None:
            raise ValueError("this job measures nothing")
        return self.evaluation

    @property
    def cohort_floor(self) -> int:
        """The smallest intersection that is opened: the strictest party's minimum."""
        return max(party.minimum_cohort for party in self.parties)

    def party(self, party_id: str) -> PartyTerms:
        """Return the terms of ``party_id``; raises ``KeyError``."""
        for party in self.parties:
            if party.party_id == party_id:
                return party
        raise KeyError(party_id)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical.encode(msgspec.json.decode(msgspec.json.encode(self)))

    def digest(self, suite: Suite) -> bytes:
        """Return the digest that is bound into every message and event."""
        return suite.hash(b"fedcrm/job-spec/v1\x00", self.to_bytes())


def session_binding(spec: JobSpec, attempt: int, suite: Suite) -> bytes:
    """Return what every message, hash and signature of one attempt of a job is bound to."""
    return spec.digest(suite) + attempt.to_bytes(4, "big")


def decode_spec(data: bytes) -> JobSpec:
    """Return the spec ``data`` encodes; raises :class:`DecodeError` and nothing else."""
    try:
        return msgspec.convert(canonical.decode(data), JobSpec)
    except (canonical.CanonicalError, msgspec.ValidationError) as error:
        raise DecodeError(f"not a valid JobSpec: {shortened(str(error))}") from None


def check_id(name: str, value: str) -> None:
    """Refuse what is no job or party id; raises ``ValueError``."""
    if not _ID.fullmatch(value):
        raise ValueError(f"{name} must be 1 to 100 ASCII letters (at least one), digits, . _ or -")


def check_reference(name: str, value: str) -> None:
    """Refuse what is no short reference; raises ``ValueError``."""
    if not _REFERENCE.fullmatch(value):
        raise ValueError(f"{name} must be a short reference without spaces, not shaped like an ID")


def check_instant(name: str, text: str) -> datetime:
    """Return the time ``text`` states; raises ``ValueError``."""
    try:
        when = datetime.strptime(text, _INSTANT).replace(tzinfo=UTC)
    except ValueError:
        when = None
    if when is None or when.strftime(_INSTANT) != text:
        raise ValueError(f"{name} must be a UTC time such as 2026-11-21T08:00:00Z")
    return when


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a part of a spec."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for element in value:
            yield from _texts(element)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _texts(getattr(value, name))


def shortened(text: str) -> str:
    """Return the reason as it may stand in a log: the proposer's words in it are bounded."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= 200 else shown[:197] + "..."
