"""Everything a report says, as typed data: built by the run, read by the page and the summary.

A run may be given as plain data: ``msgspec.convert(run, RunReport)`` checks every key and type.
Seconds are wall clock, bytes are what left a party on the wire, shares and metrics are fractions.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Verdict: TypeAlias = Literal["ALLOW", "CONDITIONS", "NEEDS_APPROVAL", "DENY"]
WHICH = ("alone", "joint", "pooled")
"""The three models, in the order they are shown: alone, joint, and joined in the clear."""


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

    protocol: str
    sizes: dict[str, int]
    """Usable customers each party entered with, by party."""
    intersection: int
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
    """How well one model ranks the held-out customers; the interval is of 95 %."""

    auc: float
    auc_low: float
    auc_high: float
    ks: float


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
    best_fifth: float
    """Share of all positives among the fifth of customers with the best scores."""


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
    suite: str
    purpose: str
    output_use: str
    agreement: str
    label: str
    """What counts as yes, in words."""
    seed: int
    started_at: str
    """UTC, RFC 3339."""
    spec_digest: str
    """Hex digest of the JobSpec both parties signed."""
    retention_days: int
    pooled_on_this_machine: str
    provenance: tuple[str, ...]
    limits: tuple[str, ...] = ()
    parties: tuple[PartyReport, ...]
    psi: PsiReport
    train: TrainReport
    held_out: HeldOut
    metrics: MetricsReport
    differences: Differences
    curves: dict[str, Curve]
    """By ``alone``, ``joint`` and, where there is one, ``pooled``."""
    learned: dict[str, tuple[str, ...]]
    """What each party learned from the run, sentence by sentence."""
    gates: tuple[GateReport, ...]
    rejects: dict[str, dict[str, int]]
    """Rejected rows by party and reason."""
    importance: dict[str, dict[str, float]]
    """How much each party's half uses each of its own columns, as that party counts: the active
    party adds up gain, a passive one, which never learns gain, the training rows it divided."""
    gain_by_party: dict[str, float] = {}
    """Total gain of each party's splits, which the active party knows; empty where not told."""
    parameters: dict[str, str | int | bool]
    versions: dict[str, str]
    phase_s: dict[str, float]
    """Seconds by phase, in the order they ran."""
    wire: dict[str, dict[str, Traffic]]
    """What each party sent, by party and phase."""
    audit: dict[str, AuditReport]
    """The log of each party, and of the coordinator."""
    trust_file: str
    """The file with the parties' key fingerprints, beside the report."""

    def __post_init__(self) -> None:
        """Refuse a report whose parts speak of different parties or models."""
        ids = {party.party_id for party in self.parties}
        for name in ("learned", "rejects", "importance", "gain_by_party", "wire", "audit"):
            logs = {"coordinator"} if name == "audit" else set()
            if unknown := set(getattr(self, name)) - ids - logs:
                raise ValueError(f"{name} names {sorted(unknown)}, which took no part")
        models = {"alone", "joint"} | ({"pooled"} if self.metrics.pooled else set())
        if set(self.curves) != models:
            raise ValueError(f"curves must be of {', '.join(sorted(models))}")

    @property
    def active(self) -> PartyReport:
        """The party with the label, which the comparison is about."""
        return next(party for party in self.parties if party.role == "active_party")

    @property
    def partner(self) -> PartyReport:
        """The party that brought columns only."""
        return next(party for party in self.parties if party.role == "passive_party")

    def shown_metrics(self) -> list[tuple[str, Metrics]]:
        """Return the models there are, in the order they are shown."""
        found = ((which, getattr(self.metrics, which)) for which in WHICH)
        return [(which, metrics) for which, metrics in found if metrics is not None]


def metrics_json(run: RunReport) -> dict[str, Any]:
    """Return what ``metrics.json`` holds: the run without its charts' points."""
    facts: dict[str, Any] = msgspec.to_builtins(run)
    del facts["curves"]
    facts["parties"] = [party.party_id for party in run.parties]
    facts["party_terms"] = {
        party.party_id: {k: v for k, v in msgspec.to_builtins(party).items() if k != "party_id"}
        for party in run.parties
    }
    if run.metrics.pooled is None:
        del facts["metrics"]["pooled"]
        del facts["differences"]["joint_minus_pooled"]
    return facts
