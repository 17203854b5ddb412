"""Everything the report of a horizontal run says, as typed data: the run builds it, the page reads.

A report may be given as plain data: ``msgspec.convert(run, HorizontalReport)`` checks every key
and type. Seconds are wall clock unless said otherwise, bytes are what went over the wire, shares
and AUCs are fractions. What several splits say together is computed from them by
``simulations.horizontal.report.worth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import msgspec

from protocols.session.horizontal_terms import MASKED, AggregationMethod, Strategy
from simulations.report.model import COORDINATOR, ReportedRun
from simulations.report.strings import Strings
from simulations.report.worth import Part

Kind: TypeAlias = Literal["logistic_regression", "multilayer_perceptron"]
What: TypeAlias = Literal["statistics", "round", "evaluation"]
Absence: TypeAlias = Literal["no_answer", "next_epoch", "refused"]
"""Why a party is not in a sum: no answer in time; away when the keys in use were agreed, so that
it joins at the next agreement; or its contribution was refused."""
Step: TypeAlias = Literal[
    "advertise", "share", "contribute", "consist", "unmask", "finish", "close"
]
STEPS: tuple[Step, ...] = get_args(Step)
"""Steps of the protocol, in the order they run (``protocols/secure_aggregation/SPEC.md``)."""


class Told(Part, frozen=True, kw_only=True):
    """One sentence in both languages."""

    english: str
    chinese: str

    def said(self, t: Strings) -> str:
        """Return the sentence in the language of ``t``."""
        return self.chinese if t["language"] == "zh-CN" else self.english


class ContributorReport(Part, frozen=True, kw_only=True):
    """One organisation of the run, and what it brought."""

    party_id: str
    jurisdiction: str
    legal_basis: str
    minimum_contributors: int
    """The fewest contributions it lets its own be added to."""
    lines_read: int
    """Purchase lines in its file."""
    rejected: dict[str, int]
    """Purchase lines that could not be used, by reason."""
    customers: int
    """Customers in its table: active before the cut."""
    left: int
    """Of these, who bought nothing in the horizon after the cut."""

    def __post_init__(self) -> None:
        """Refuse counts that contradict each other."""
        if not 0 <= self.left <= self.customers:
            raise ValueError(f"{self.party_id}: left must be between 0 and customers")
        if sum(self.rejected.values()) > self.lines_read:
            raise ValueError(f"{self.party_id}: more lines rejected than read")

    @property
    def left_share(self) -> float:
        """The label rate."""
        return self.left / self.customers if self.customers else 0.0


class PartyScore(Part, frozen=True, kw_only=True):
    """How well the models rank one party's held-out customers, on one split.

    An AUC is None where these customers cannot show one: fewer than two left, or than two stayed.
    """

    trained_on: int
    held_out: int
    left: int
    """Of the held-out customers."""
    alone: float | None
    """AUC of the model trained on this party's customers only."""
    joint: float | None
    """AUC, on the same customers, of the model all parties trained together."""
    pooled: float | None = None
    """AUC, on the same customers, of the model trained on all tables joined in the clear."""
    gain_error: float | None = None
    """DeLong's standard error of joint minus alone; None where there is no AUC."""

    def __post_init__(self) -> None:
        """Refuse an AUC of one model without the other's."""
        if (self.alone is None) != (self.joint is None):
            raise ValueError("alone and joint are measured on the same customers")


class SplitReport(Part, frozen=True, kw_only=True):
    """One split of every party's customers, with models trained and measured on it."""

    split_seed: int
    parties: dict[str, PartyScore]
    joint: float
    """AUC of the joint model on all parties' held-out customers together."""
    pooled: float | None = None
    """The same of the model trained on all tables joined in the clear, where that is allowed."""
    cost_error: float | None = None
    """DeLong's standard error of joint minus pooled on all these customers."""

    @property
    def trained_on(self) -> int:
        """Customers the models learned from, of all parties."""
        return sum(score.trained_on for score in self.parties.values())

    @property
    def held_out(self) -> int:
        """Customers the models were measured on, of all parties."""
        return sum(score.held_out for score in self.parties.values())


class SumReport(Part, frozen=True, kw_only=True):
    """One sum over the parties' contributions."""

    number: int
    what: What
    round: int | None = None
    """Which training round, from 1; None of the other sums."""
    contributors: tuple[str, ...]
    missing: dict[str, Absence] = msgspec.field(default_factory=dict)
    """Every party that is not in the sum, and why."""
    opened: bool
    """False where it was lost: the next number does its work again."""
    lost: str = ""
    """Why it was not opened, in a sentence; empty where it was."""
    seconds: float
    """From the coordinator's request to the last contribution, signature and share."""
    party_s: dict[str, float] = msgspec.field(default_factory=dict)
    """Seconds of each party's own work on it; ``coordinator`` is the adding."""

    def __post_init__(self) -> None:
        """Refuse a sum that contradicts itself."""
        if (self.round is not None) != (self.what == "round"):
            raise ValueError("round belongs to a training round's sum, and to no other")
        if set(self.contributors) & set(self.missing):
            raise ValueError(f"sum {self.number}: a contributor is listed as missing")
        if self.opened and self.lost:
            raise ValueError(f"sum {self.number}: it was opened, so it was not lost")


class Exchanged(Part, frozen=True, kw_only=True):
    """What one party sent and received in one step of the protocol, over the whole run."""

    bytes_sent: int
    messages_sent: int
    bytes_received: int
    messages_received: int


class PrecisionReport(Part, frozen=True, kw_only=True):
    """The joint model beside plain federated averaging of the same updates in the clear."""

    largest_difference: float
    """Of all the model's parameters, absolute."""
    bound: float
    """What the method states that no parameter can differ by more than."""


class PrivacyReport(Part, frozen=True, kw_only=True):
    """Differential privacy of one customer, by each party's own noise alone."""

    epsilon: str
    """What a party's part in the job may cost at most, as the parties agreed; a decimal."""
    delta: str
    clip_norm: str
    spent: dict[str, float]
    """Epsilon each party's part cost, at ``delta``."""
    in_total: dict[str, float] = msgspec.field(default_factory=dict)
    """Epsilon of all jobs on the party's dataset with these recipients, this one included."""


class HorizontalReport(ReportedRun, frozen=True, kw_only=True):
    """One finished horizontal run."""

    cut: str
    """The last day the features look at."""
    horizon_days: int
    active_days: int
    history_days: int
    columns: tuple[str, ...]
    model: Kind
    model_parameters: int
    """Numbers in the model, which every party's update has one each of."""
    strategy: Strategy
    rounds: int
    """Training rounds agreed on."""
    method: AggregationMethod
    threshold: int
    """Parties whose shares recover the masks of one that dropped out; masked methods only."""
    floor: int
    """A sum of fewer contributions is never opened."""
    parties: tuple[ContributorReport, ...]
    splits: tuple[SplitReport, ...]
    """Every split; all are trained side by side. The first is the one ``scores.csv`` is of."""
    learning: tuple[tuple[int, float], ...] = ()
    """(training round, AUC of the joint model after it on all held-out customers), ascending; the
    mean over the splits. The simulation computes it; in a deployment nobody could."""
    sums: tuple[SumReport, ...]
    review: tuple[Told, ...]
    """Who colluding with whom reads what, as the job's review printed it: the line for where there
    is room for one first, the one about privacy last."""
    learned: dict[str, tuple[Told, ...]]
    """What each party, and the coordinator, learned from the run."""
    precision: PrecisionReport | None = None
    privacy: PrivacyReport | None = None
    wire: dict[str, dict[Step, Exchanged]]
    """By party, the coordinator among them, and step."""
    wall_s: float
    """The whole job, from its first sum to its last opening."""
    peak_memory_bytes: int | None = None
    """Largest resident memory of the simulation's processes together."""

    def __post_init__(self) -> None:
        """Refuse a report whose parts speak of different parties, splits or models."""
        ids = {party.party_id for party in self.parties}
        if len(ids) < 2 or len(ids) != len(self.parties):
            raise ValueError("a report is about two parties or more, with different ids")
        if not self.splits:
            raise ValueError("a report has at least one split")
        for split in self.splits:
            if set(split.parties) != ids:
                raise ValueError("every split must be of every party, and of nobody else")
        if len({split.pooled is None for split in self.splits}) != 1:
            raise ValueError("every split has a pooled model, or none has")
        for one in self.sums:
            if set(one.contributors) | set(one.missing) != ids:
                raise ValueError(f"sum {one.number} must account for every party, once")
            _only(f"party_s of sum {one.number}", one.party_s, ids | {COORDINATOR})
        for name in ("learned", "wire", "audit"):
            _only(name, getattr(self, name), ids | {COORDINATOR})
        if self.privacy is not None:
            _only("spent", self.privacy.spent, ids)
            _only("in_total", self.privacy.in_total, ids)

    @property
    def masked(self) -> bool:
        """Whether pairwise masks cover each contribution."""
        return self.method in MASKED

    @property
    def has_pooled(self) -> bool:
        """Whether the tables were joined in the clear for comparison."""
        return self.splits[0].pooled is not None

    @property
    def customers(self) -> int:
        """Customers of all parties."""
        return sum(party.customers for party in self.parties)


def _only(name: str, by_party: Mapping[str, object], known: set[str]) -> None:
    if unknown := set(by_party) - known:
        raise ValueError(f"{name} names {sorted(unknown)}, which took no part")
