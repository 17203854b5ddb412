"""Everything a report says, as typed data: built by the run, read by the page and the summary.

A run may be given as plain data: ``msgspec.convert(run, RunReport)`` checks every key and type.
Seconds are wall clock, bytes are what left a party on the wire, shares and metrics are fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from party_node.quality import QualityProfile
from protocols.session.model_terms import Objective
from simulations.report import figures
from simulations.report.english import ENGLISH
from simulations.report.readable import Layer, PointsTables
from simulations.report.strings import Strings, listed
from simulations.report.worth import (
    WHICH,
    HeldOut,
    OverRepeats,
    Part,
    Ranking,
    Repeat,
    Which,
    Worth,
)

Verdict: TypeAlias = Literal["ALLOW", "CONDITIONS", "NEEDS_APPROVAL", "DENY"]
Kind: TypeAlias = Literal["boosted_trees", "scorecard", "split_network"]
COORDINATOR = "coordinator"


class PartyReport(Part, frozen=True, kw_only=True):
    """One organisation of the run, and what it brought."""

    party_id: str
    role: Literal["active_party", "passive_party"]
    jurisdiction: str
    legal_basis: str
    minimum_cohort: int
    rows_in_file: int
    columns: tuple[str, ...]


class PsiReport(Part, frozen=True, kw_only=True):
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


class TrainReport(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The joint training."""

    model: Kind
    rounds: int
    """Trees agreed on, or passes over the training customers."""
    wall_s: float
    bytes: int
    predicted_s: float | None = None
    """What the active party's node predicted before it began; None where it did not."""
    predicted_bytes: int | None = None


class Learned(Part, frozen=True, kw_only=True):
    """One thing a party learned: a sentence of the language tables, and what stands in it."""

    key: str
    values: dict[str, int | str | tuple[str, ...]] = msgspec.field(default_factory=dict)
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


class GateReport(Part, frozen=True, kw_only=True):
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


class Traffic(Part, frozen=True, kw_only=True):
    """What one party sent in one phase."""

    bytes: int
    messages: int


class AuditReport(Part, frozen=True, kw_only=True):
    """One party's audit log at the end of the run."""

    events: int
    root: str
    """Hex."""
    bundle: str
    """The bundle's file name, beside the report."""


class ReportedRun(Part, frozen=True, kw_only=True):
    """What every report says of its run, whatever was trained and however data met."""

    scenario: str
    title: str
    suite: Literal["gm", "intl"]
    purpose: str
    output_use: str
    agreement: str
    label: str
    """What is predicted, in words."""
    seed: int
    started_at: str
    """UTC, RFC 3339."""
    spec_digest: str
    """Hex digest of the spec all parties signed."""
    retention_days: int
    pooled_on_this_machine: str
    provenance: tuple[str, ...]
    limits: tuple[str, ...] = ()
    gates: tuple[GateReport, ...]
    parameters: dict[str, str | int | bool]
    versions: dict[str, str]
    primitives: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Each cryptographic primitive the run used, and the rooms that used it."""
    primitive_exceptions: dict[str, str] = msgspec.field(default_factory=dict)
    """Primitives outside the suite, and why each is there."""
    audit: dict[str, AuditReport]
    """The log of each party, and of the coordinator."""
    trust_file: str
    """The file with the parties' key fingerprints, beside the report."""


class RunReport(ReportedRun, frozen=True, kw_only=True):
    """One finished run on shared customers."""

    parties: tuple[PartyReport, ...]
    psi: PsiReport
    train: TrainReport
    held_out: HeldOut
    """Of the first split, as is what follows."""
    worth: Worth
    repeats: tuple[Repeat, ...] = ()
    """Every split, the first among them; empty where there was one."""
    over_repeats: OverRepeats | None = None
    learned: dict[str, tuple[Learned, ...]]
    """What each party, and the coordinator, learned from the run."""
    rejects: dict[str, dict[str, int]]
    """Rejected rows by party and reason."""
    quality: dict[str, QualityProfile] = msgspec.field(default_factory=dict)
    """Each party's profile of its own table."""
    importance: dict[str, dict[str, float]]
    """How much each party's half uses each of its own columns, as that party counts: the active
    party adds up gain, a passive one, which never learns gain, the training rows it divided."""
    gain_by_party: dict[str, float] = msgspec.field(default_factory=dict)
    """Total gain of each party's splits, which the active party knows; empty where not told."""
    points: PointsTables | None = None
    """Of a scorecard."""
    layers: dict[str, tuple[Layer, ...]] = msgspec.field(default_factory=dict)
    """Of a network, by party."""
    phase_s: dict[str, float]
    """Seconds by phase, in the order they ran."""
    wire: dict[str, dict[str, Traffic]]
    """What each party sent, by party and phase."""

    def __post_init__(self) -> None:
        """Refuse a report whose parts speak of different parties, models or splits."""
        ids = {party.party_id for party in self.parties}
        if [party.role for party in self.parties].count("active_party") != 1 or len(ids) < 2:
            raise ValueError("a report is about one active party and at least one passive party")
        for name in ("rejects", "quality", "importance", "gain_by_party", "layers"):
            _only(name, getattr(self, name), ids)
        for name in ("learned", "wire", "audit"):
            _only(name, getattr(self, name), ids | {COORDINATOR})
        if self.points is not None:
            _only("points", self.points.halves, ids)
            _only("points", self.points.joint, ids)
        if set(self.psi.pairwise) != {party.party_id for party in self.partners}:
            raise ValueError("psi.pairwise must name every passive party, and nobody else")
        if (self.held_out.positives is not None) != isinstance(self.worth, Ranking):
            raise ValueError("positives belong to a label that is yes or no")
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

    @property
    def objective(self) -> Objective:
        """What kind of label the model predicts."""
        return self.worth.objective

    @property
    def models(self) -> tuple[Which, ...]:
        """The models there are, in the order they are shown."""
        return tuple(which for which in WHICH if which in self.worth.metrics)


def metrics_json(run: RunReport) -> dict[str, Any]:
    """Return what ``metrics.json`` holds: the run without its charts' points, in English.

    What joining was worth stands at the top, beside the label's ``objective``. Where the partners'
    columns may not stand one by one, what is known of each is left out.
    """
    facts: dict[str, Any] = msgspec.to_builtins(run)
    facts |= facts.pop("worth")
    facts.pop("curves", None)
    facts["learned"] = {
        party: [learned.said(ENGLISH) for learned in sentences]
        for party, sentences in run.learned.items()
    }
    facts["parties"] = [party.party_id for party in run.parties]
    facts["party_terms"] = {
        party.party_id: {k: v for k, v in msgspec.to_builtins(party).items() if k != "party_id"}
        for party in run.parties
    }
    for name in ("points", "layers"):
        if not facts[name]:
            del facts[name]
    if not run.names_columns:
        for partner in run.partners:
            facts["importance"].pop(partner.party_id, None)
            facts.get("points", {"halves": {}})["halves"].pop(partner.party_id, None)
            if partner.party_id in facts["quality"]:
                del facts["quality"][partner.party_id]["columns"]
    return facts


def _only(name: str, by_party: Mapping[str, object], known: set[str]) -> None:
    if unknown := set(by_party) - known:
        raise ValueError(f"{name} names {sorted(unknown)}, which took no part")
