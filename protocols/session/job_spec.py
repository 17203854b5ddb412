"""The JobSpec of a job on shared customers: what every party signs before anything runs.

Its digest is bound into every message and every audit event. It is data only: nothing in it is
executed, and a parameter below the floor its protocol states is refused here, in code.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

from protocols.identifiers import IdentifierKind
from protocols.session.agreed_job import AgreedJob, Participant
from protocols.session.model_terms import (
    ModelTerms,
    ScoringTerms,
    Terms,
    TrainingTerms,
    decimal,
    within,
)
from protocols.suite import canonical

_MAX_INTEGER = canonical.MAX_INTEGER

ColumnKind: TypeAlias = Literal["numeric", "integer", "boolean", "date", "categorical"]
PartyRole: TypeAlias = Literal["active_party", "passive_party"]


class ColumnTerms(Terms, frozen=True, kw_only=True):
    """A column a party contributes, and how it is read."""

    name: str
    kind: ColumnKind


class DatasetTerms(Terms, frozen=True, kw_only=True):
    """The table a party brings: never its rows, only what the other side agreed to."""

    name: str
    identifier_kind: IdentifierKind
    columns: tuple[ColumnTerms, ...]


class PartyTerms(Participant, frozen=True, kw_only=True):
    """One organisation in the job."""

    role: PartyRole
    dataset: DatasetTerms
    minimum_cohort: int
    """The smallest intersection this party opens; the strictest party's number applies."""

    @property
    def dataset_name(self) -> str:
        """The dataset the party brings."""
        return self.dataset.name


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


class JobSpec(AgreedJob, frozen=True, kw_only=True, tag="fedcrm-job/1"):
    """A job on shared customers: everything the parties agree on."""

    parties: tuple[PartyTerms, ...]
    label: LabelTerms
    alignment: AlignmentTerms
    model: ModelTerms
    evaluation: EvaluationTerms | None
    """How the trained model is measured; a job that scores with a trained one has none."""
    privacy_budget: Literal["none"]

    def __post_init__(self) -> None:
        """Refuse specs that contradict themselves; the law's questions are ``compliance/``'s."""
        self.check_agreed()
        ids = [party.party_id for party in self.parties]
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
        self.check_recipients()

    @property
    def participants(self) -> tuple[PartyTerms, ...]:
        """Every organisation of the job."""
        return self.parties

    @property
    def protocol(self) -> str:
        """The private set intersection's protocol."""
        return self.alignment.protocol

    @property
    def algorithm(self) -> str:
        """What is done with the model, as the spec names it."""
        return self.model.kind

    @property
    def reveal(self) -> str:
        """What the intersection tells the parties."""
        return self.alignment.reveal

    @property
    def floor(self) -> int:
        """The smallest intersection that is opened."""
        return self.cohort_floor

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
