"""The spec of a horizontal job: parties with the same columns and different customers.

Nothing tells a party which customers another has. What the aggregation protects, and from whom,
is ``protocols/secure_aggregation/SPEC.md``.
"""

from __future__ import annotations

from protocols.session.agreed_job import AgreedJob, Participant
from protocols.session.horizontal_terms import (
    MASKED,
    MAX_PARTIES,
    AggregationTerms,
    FederatedTraining,
    HorizontalModel,
    PrivacyTerms,
    PurchaseTerms,
)
from protocols.session.job_spec import EvaluationTerms
from protocols.session.model_terms import Terms, within

MINIMUM_CONTRIBUTORS = 3
"""Fewer contributions are added only where each party's own noise alone meets the budget."""


class ContributorTerms(Participant, frozen=True, kw_only=True):
    """One organisation whose customers the model learns from."""

    dataset: str
    minimum_contributors: int
    """The fewest contributions this party lets its own be added to; the strictest counts."""

    @property
    def dataset_name(self) -> str:
        """The dataset the party brings."""
        return self.dataset


class ChurnLabel(Terms, frozen=True, kw_only=True):
    """What is predicted; every party knows it of its own customers."""

    name: str
    meaning: str


class HorizontalSpec(AgreedJob, frozen=True, kw_only=True, tag="fedcrm-horizontal-job/1"):
    """A job on the same columns of different customers: everything the parties agree on."""

    parties: tuple[ContributorTerms, ...]
    label: ChurnLabel
    purchases: PurchaseTerms
    model: HorizontalModel
    training: FederatedTraining
    aggregation: AggregationTerms
    privacy: PrivacyTerms | None
    evaluation: EvaluationTerms

    def __post_init__(self) -> None:
        """Refuse specs that contradict themselves; the law's questions are ``compliance/``'s."""
        self.check_agreed()
        within("number of parties", len(self.parties), 2, MAX_PARTIES)
        for party in self.parties:
            within("minimum_contributors", party.minimum_contributors, 2, MAX_PARTIES)
        if self.floor > len(self.parties):
            raise ValueError("minimum_contributors is more than there are parties")
        if self.floor < MINIMUM_CONTRIBUTORS and self.privacy is None:
            raise ValueError(
                f"fewer than {MINIMUM_CONTRIBUTORS} contributions are added only where each "
                "party's own noise meets a privacy budget: name one"
            )
        if self.aggregation.method in MASKED:
            within("threshold", self.aggregation.threshold, 2, len(self.parties))
            # Two lists of contributors need 2t signatures; an honest party gives one (SPEC.md §5).
            if len(self.parties) > 2 and 2 * self.aggregation.threshold < len(self.parties) + 2:
                raise ValueError("threshold must be at least half of the parties and one more")
        if self.privacy is not None and self.evaluation.repeats != 1:
            raise ValueError("with a privacy budget the customers are learned from once: repeats 1")
        self.check_recipients()

    @property
    def participants(self) -> tuple[ContributorTerms, ...]:
        """Every organisation of the job."""
        return self.parties

    @property
    def protocol(self) -> str:
        """How updates are added."""
        return self.aggregation.method

    @property
    def algorithm(self) -> str:
        """What is trained."""
        return self.model.kind

    @property
    def reveal(self) -> str:
        """What the parties learn of each other: sums over all of them."""
        return "sum"

    @property
    def floor(self) -> int:
        """The fewest contributions in a sum that is opened: the strictest party's number."""
        return max(
            self.aggregation.minimum_contributors,
            *(party.minimum_contributors for party in self.parties),
        )

    def party(self, party_id: str) -> ContributorTerms:
        """Return the terms of ``party_id``; raises ``KeyError``."""
        for party in self.parties:
            if party.party_id == party_id:
                return party
        raise KeyError(party_id)
