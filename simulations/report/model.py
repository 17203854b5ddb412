"""Everything a report says, as typed data: built by the run, read by the page and the summary.

A run may be given as plain data: ``msgspec.convert(run, RunReport)`` checks every key and type.
Seconds are wall clock, bytes are what left a party on the wire, shares and metrics are fractions.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from party_node.quality import QualityProfile
from simulations.report import figures
from simulations.report.english import ENGLISH
from simulations.report.strings import Strings, listed

Verdict: TypeAlias = Literal["ALLOW", "CONDITIONS", "NEEDS_APPROVAL", "DENY"]
Which: TypeAlias = Literal["alone", "joint", "pooled"]
WHICH: tuple[Which, ...] = ("alone", "joint", "pooled")
"""The three models, in the order they are shown: alone, joint, and joined in the clear."""
COORDINATOR = "coordinator"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the report's parts: immutable, and an unknown field is an error."""


class PartyReport(_Part, frozen=True, kw_only=True):
    """One organisation of the run, and what it brought."""

    party_id: str
    role: Literal["active_party", "passive_party"]
    jurisdiction: str
    legal_basis: str
    minimum_cohort: int
    rows_in_file: int
    columns: tuple[str, ...]


class PsiReport(_Part, frozen=True, kw_only=True):
    """The private set intersection."""

    protocol: Literal["ecdh", "server_aided"]
    sizes: dict[str, int]
    """Usable customers each party entered with, by party."""
    intersection: int
    """Customers all parties share: the only ones the job uses."""
    pairwise: dict[str, int]
    """Customers the active party shares with each passive one, by passive party."""
    floor: int
    wall_s: float
    bytes: int


class TrainReport(_Part, frozen=True, kw_only=True):
    """The joint training."""

    model: str
    rounds: int
    """Trees grown."""
    wall_s: float
    bytes: int


class Metrics(_Part, frozen=True, kw_only=True):
    """How well one model ranks the held-out customers; the intervals are of 95 %."""

    auc: float
    auc_low: float
    auc_high: float
    ks: float
    ks_low: float
    ks_high: float


class MetricsReport(_Part, frozen=True, kw_only=True):
    """The three models; ``pooled`` is there only where the scenario allowed it."""

    alone: Metrics
    joint: Metrics
    pooled: Metrics | None = None


class Difference(_Part, frozen=True, kw_only=True):
    """A difference of two AUCs on the same customers, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> Literal["more", "less", "unclear"]:
        """Whether the interval leaves out zero, and on which side."""
        if self.low > 0:
            return "more"
        return "less" if self.high < 0 else "unclear"


class Differences(_Part, frozen=True, kw_only=True):
    """What joining was worth, and what learning apart cost against pooling in the clear."""

    joint_minus_alone: Difference
    joint_minus_pooled: Difference | None = None


class HeldOut(_Part, frozen=True, kw_only=True):
    """The customers the metrics were measured on, and those the models learned from."""

    customers: int
    positives: int
    trained_on: int


class Curve(_Part, frozen=True, kw_only=True):
    """The points of one model's charts; ``simulations.report.measures.curve`` makes them."""

    roc: tuple[tuple[float, float], ...]
    """(false-positive rate, true-positive rate), from (0, 0) to (1, 1)."""
    gain: tuple[tuple[float, float], ...]
    """(share of customers contacted, best score first; share of all positives among them)."""
    calibration: tuple[tuple[float, float, int], ...]
    """(mean score, share of positives, customers) of each tenth, lowest scores first."""


class Reach(_Part, frozen=True, kw_only=True):
    """What the best-scored ``share`` of customers contains."""

    share: float
    customers: int
    gain: float
    """Share of all positives that are among them."""
    precision: float
    """Share of positives among them."""
    lift: float
    """Precision over the share of positives among everybody."""


class Decisions(_Part, frozen=True, kw_only=True):
    """Yes from the threshold on, counted against what happened."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    precision: float | None
    """Share of positives among those answered yes; None where nobody was."""
    recall: float
    accuracy: float


class Measured(_Part, frozen=True, kw_only=True):
    """One model on one split, without intervals."""

    auc: float
    ks: float


class Repeat(_Part, frozen=True, kw_only=True):
    """One split of the shared customers, with models trained and measured anew."""

    split_seed: int
    trained_on: int
    customers: int
    positives: int
    alone: Measured
    joint: Measured


class Mean(_Part, frozen=True, kw_only=True):
    """A mean over the repeated splits, with its corrected 95 % interval."""

    mean: float
    low: float
    high: float


class OverRepeats(_Part, frozen=True, kw_only=True):
    """What the repeated splits say together; ``measures.over_repeats`` makes it."""

    alone_auc: Mean
    joint_auc: Mean
    alone_ks: Mean
    joint_ks: Mean
    joint_minus_alone: Difference
    """Of the AUCs."""


class Learned(_Part, frozen=True, kw_only=True):
    """One thing a party learned: a sentence of the language tables, and what stands in it."""

    key: str
    values: dict[str, int | str | tuple[str, ...]] = {}
    """Counts, names, and lists of names."""

    def __post_init__(self) -> None:
        """Refuse a sentence no language has."""
        if f"learned_{self.key}" not in ENGLISH:
            raise ValueError(f"there is no sentence {self.key!r} on what a party learns")

    def said(self, t: Strings) -> str:
        """Return the sentence in the language of ``t``."""
        shown: dict[str, str] = {}
        for name, value in self.values.items():
            if isinstance(value, tuple):
                shown[name] = listed(value, t)
            else:
                shown[name] = figures.whole(value) if isinstance(value, int) else value
        return t[f"learned_{self.key}"].format(**shown)


class GateReport(_Part, frozen=True, kw_only=True):
    """One compliance decision, as the party that took it logged it."""

    party: str
    gate: str
    stage: Literal["proposal", "start", "release"]
    verdict: Verdict
    hard: bool
    reason: str
    articles: tuple[str, ...]
    """Clause ids of ``compliance/catalogue.toml``."""
    conditions: tuple[str, ...] = ()


class Traffic(_Part, frozen=True, kw_only=True):
    """What one party sent in one phase."""

    bytes: int
    messages: int


class AuditReport(_Part, frozen=True, kw_only=True):
    """One party's audit log at the end of the run."""

    events: int
    root: str
    """Hex."""
    bundle: str
    """The bundle's file name, beside the report."""


class RunReport(_Part, frozen=True, kw_only=True):
    """One finished run."""

    scenario: str
    title: str
    suite: Literal["gm", "intl"]
    purpose: str
    output_use: str
    agreement: str
    label: str
    """What counts as yes, in words."""
    seed: int
    started_at: str
    """UTC, RFC 3339."""
    spec_digest: str
    """Hex digest of the JobSpec all parties signed."""
    retention_days: int
    pooled_on_this_machine: str
    provenance: tuple[str, ...]
    limits: tuple[str, ...] = ()
    parties: tuple[PartyReport, ...]
    psi: PsiReport
    train: TrainReport
    held_out: HeldOut
    """Of the first split, as are the four fields after it."""
    metrics: MetricsReport
    differences: Differences
    curves: dict[Which, Curve]
    """By ``alone``, ``joint`` and, where there is one, ``pooled``; so are the next two."""
    reach: dict[Which, tuple[Reach, ...]]
    threshold: str
    """Scores from here on are counted as yes; a decimal."""
    decisions: dict[Which, Decisions]
    repeats: tuple[Repeat, ...] = ()
    """Every split, the first among them; empty where there was one."""
    over_repeats: OverRepeats | None = None
    learned: dict[str, tuple[Learned, ...]]
    """What each party, and the coordinator, learned from the run."""
    gates: tuple[GateReport, ...]
    rejects: dict[str, dict[str, int]]
    """Rejected rows by party and reason."""
    quality: dict[str, QualityProfile] = {}
    """Each party's profile of its own table."""
    importance: dict[str, dict[str, float]]
    """How much each party's half uses each of its own columns, as that party counts: the active
    party adds up gain, a passive one, which never learns gain, the training rows it divided."""
    gain_by_party: dict[str, float] = {}
    """Total gain of each party's splits, which the active party knows; empty where not told."""
    parameters: dict[str, str | int | bool]
    versions: dict[str, str]
    primitives: dict[str, tuple[str, ...]] = {}
    """Each cryptographic primitive the run used, and the rooms that used it."""
    primitive_exceptions: dict[str, str] = {}
    """Primitives outside the suite, and why each is there."""
    phase_s: dict[str, float]
    """Seconds by phase, in the order they ran."""
    wire: dict[str, dict[str, Traffic]]
    """What each party sent, by party and phase."""
    audit: dict[str, AuditReport]
    """The log of each party, and of the coordinator."""
    trust_file: str
    """The file with the parties' key fingerprints, beside the report."""

    def __post_init__(self) -> None:
        """Refuse a report whose parts speak of different parties, models or splits."""
        ids = {party.party_id for party in self.parties}
        if [party.role for party in self.parties].count("active_party") != 1 or len(ids) < 2:
            raise ValueError("a report is about one active party and at least one passive party")
        for name in ("rejects", "quality", "importance", "gain_by_party"):
            _only(name, getattr(self, name), ids)
        for name in ("learned", "wire", "audit"):
            _only(name, getattr(self, name), ids | {COORDINATOR})
        if set(self.psi.pairwise) != {party.party_id for party in self.partners}:
            raise ValueError("psi.pairwise must name every passive party, and nobody else")
        models = {which for which, _ in self.shown_metrics()}
        for name in ("curves", "reach", "decisions"):
            if set(getattr(self, name)) != models:
                raise ValueError(f"{name} must be of {', '.join(sorted(models))}")
        if (len(self.repeats) > 1) != (self.over_repeats is not None):
            raise ValueError("over_repeats belongs to more than one repeat, and to no fewer")

    @property
    def active(self) -> PartyReport:
        """The party with the label, whose report this is."""
        return next(party for party in self.parties if party.role == "active_party")

    @property
    def partners(self) -> tuple[PartyReport, ...]:
        """The parties that brought columns only, in the order of the job."""
        return tuple(party for party in self.parties if party.role == "passive_party")

    @property
    def names_columns(self) -> bool:
        """Whether the partners' columns may stand in this report one by one.

        Only where the tables are about nobody, or published; otherwise the report is the active
        party's, and speaks of a partner's columns as a group.
        """
        return self.pooled_on_this_machine in ("public", "synthetic")

    def shown_metrics(self) -> list[tuple[Which, Metrics]]:
        """Return the models there are, in the order they are shown."""
        found = ((which, getattr(self.metrics, which)) for which in WHICH)
        return [(which, metrics) for which, metrics in found if metrics is not None]


def metrics_json(run: RunReport) -> dict[str, Any]:
    """Return what ``metrics.json`` holds: the run without its charts' points, in English.

    Where the partners' columns may not stand one by one, what is known of each is left out.
    """
    facts: dict[str, Any] = msgspec.to_builtins(run)
    del facts["curves"]
    facts["learned"] = {
        party: [learned.said(ENGLISH) for learned in sentences]
        for party, sentences in run.learned.items()
    }
    facts["parties"] = [party.party_id for party in run.parties]
    facts["party_terms"] = {
        party.party_id: {k: v for k, v in msgspec.to_builtins(party).items() if k != "party_id"}
        for party in run.parties
    }
    if not run.names_columns:
        for partner in run.partners:
            facts["importance"].pop(partner.party_id, None)
            if partner.party_id in facts["quality"]:
                del facts["quality"][partner.party_id]["columns"]
    if run.metrics.pooled is None:
        del facts["metrics"]["pooled"]
        del facts["differences"]["joint_minus_pooled"]
    return facts


def _only(name: str, by_party: dict[str, object], known: set[str]) -> None:
    if unknown := set(by_party) - known:
        raise ValueError(f"{name} names {sorted(unknown)}, which took no part")
