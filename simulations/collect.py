"""Gathers what the parties left behind into the result files and the report.

Everything here comes from each party's own outputs, its log and its journal's cost; the comparison
in the clear is the simulation's own, and the coordinator's log says so.
"""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from audit.log import read_events
from coordinator.coordinator import Coordinator
from party_node.node import Node
from party_node.phases.evaluate import scores_file
from party_node.quality import QualityProfile
from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import (
    Objective,
    ScorecardTerms,
    SplitNetworkTerms,
    TreeTerms,
)
from simulations.evidence import (
    TRUST_FILE,
    CollectError,
    PartyOutputs,
    export_bundles,
    primitives_of,
    spec_digest,
    versions,
    write_json,
)
from simulations.learned import what_each_learned
from simulations.pooled import compare_in_the_clear
from simulations.report import measures
from simulations.report.model import (
    PartyReport,
    PsiReport,
    RunReport,
    Traffic,
    TrainReport,
    metrics_json,
)
from simulations.report.page import render
from simulations.report.readable import Layer, PointsTables, points_of, start_of
from simulations.report.worth import MEASURES, HeldOut, Repeat, Which, Worth
from simulations.scenario import Scenario
from simulations.workspace import Workspace

_PHASES = ("align", "match", "train", "evaluate")
_ESTIMATE = "estimate.json"


@dataclass(frozen=True)
class _Scores:
    """The active party's held-out customers."""

    objective: Objective
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[Any]
    alone: npt.NDArray[np.float64]
    """Probabilities or numbers, shape (rows,); of several classes, shape (rows, classes)."""
    joint: npt.NDArray[np.float64]

    @classmethod
    def read(cls, path: Path, objective: Objective) -> _Scores:
        with path.open(newline="") as file:
            table = list(csv.reader(file))[1:]
        columns = list(zip(*table, strict=True))
        scores = np.array(columns[2:], dtype=np.float64)  # alone and joint take turns
        several = objective == "multiclass"
        return cls(
            objective,
            np.array(columns[0], dtype=np.int64),
            np.array(columns[1], dtype=np.float64 if objective == "regression" else np.int64),
            scores[0::2].T if several else scores[0],
            scores[1::2].T if several else scores[1],
        )

    def worth(
        self, scenario: Scenario, spec: JobSpec, pooled: npt.NDArray[np.float64] | None
    ) -> Worth:
        """Return what joining was worth on these customers."""
        scores: dict[Which, npt.NDArray[np.float64]] = {"alone": self.alone, "joint": self.joint}
        if pooled is not None:
            scores["pooled"] = pooled
        match self.objective:
            case "binary":
                return measures.ranking(self.labels, scores, spec.measurement.threshold)
            case "regression":
                return measures.numbers(self.labels, scores)
            case "multiclass":
                return measures.classes(self.labels, scores, scenario.label.classes)


def collect(scenario: Scenario, workspace: Workspace, spec: JobSpec) -> RunReport:
    """Write report, metrics, scores, wire, bundles and trust file; return the report."""
    active = spec.active_party.party_id
    outputs = {
        party.party_id: PartyOutputs(workspace.party(party.party_id) / "outputs" / spec.job_id)
        for party in spec.parties
    }
    shutil.copyfile(outputs[active].folder / scores_file(0), workspace.root / "scores.csv")
    splits = outputs[active].json("evaluation.json")
    scores = _Scores.read(workspace.root / "scores.csv", splits[0]["objective"])
    pooled = None
    if scenario.pooling_allowed:
        pooled = _pooled(scenario, workspace, spec, scores.rows)
    cost = {party: _cost(workspace, spec, party) for party in outputs}
    wire = _wire(cost)
    alignment = _Alignment.read(workspace, spec)
    audit = export_bundles(workspace, spec)
    psi = PsiReport(
        protocol=spec.alignment.protocol,
        sizes=alignment.own_sets,
        intersection=alignment.shared,
        pairwise=alignment.pairs,
        floor=alignment.floor,
        wall_s=sum(_seconds(cost, phase) for phase in ("align", "match")),
        bytes=sum(_bytes(wire, phase) for phase in ("align", "match")),
    )
    held_out = HeldOut(
        customers=splits[0]["held_out"],
        positives=splits[0].get("positives"),
        trained_on=splits[0]["trained_on"],
    )
    repeats = _repeats(spec, splits)
    predicted = outputs[active].json(_ESTIMATE) if outputs[active].has(_ESTIMATE) else {}
    primitives, exceptions = primitives_of(outputs)
    run = RunReport(
        scenario=scenario.name,
        title=spec.title,
        suite=spec.suite,
        purpose=spec.purpose,
        output_use=spec.output_use,
        agreement=spec.agreement,
        label=spec.label.meaning,
        seed=scenario.seed,
        started_at=spec.created_at,
        spec_digest=spec_digest(workspace, spec),
        retention_days=scenario.retention.days,
        pooled_on_this_machine=scenario.pooled_on_this_machine,
        provenance=scenario.provenance_sentences,
        limits=scenario.limit_sentences,
        parties=tuple(
            PartyReport(
                party_id=party.party_id,
                role=party.role,
                jurisdiction=party.jurisdiction,
                legal_basis=party.legal_basis,
                minimum_cohort=party.minimum_cohort,
                rows_in_file=outputs[party.party_id].json("dataset.json")["rows_in_file"],
                columns=tuple(column.name for column in party.dataset.columns),
            )
            for party in spec.parties
        ),
        psi=psi,
        train=TrainReport(
            model=spec.training.kind,  # type: ignore[arg-type]
            rounds=_rounds(workspace, spec),
            wall_s=_seconds(cost, "train"),
            bytes=_bytes(wire, "train"),
            predicted_s=predicted.get("seconds"),
            predicted_bytes=predicted.get("bytes"),
        ),
        held_out=held_out,
        worth=scores.worth(scenario, spec, pooled),
        repeats=repeats,
        over_repeats=measures.over_repeats(scores.objective, repeats),
        learned=what_each_learned(spec, psi, held_out),
        gates=tuple(decision for party in outputs for decision in outputs[party].decisions(party)),
        rejects={party: outputs[party].json("dataset.json")["rejects"] for party in outputs},
        quality={party: _quality(outputs[party]) for party in outputs},
        importance={party: _own_importance(outputs[party], spec, party) for party in outputs},
        gain_by_party=_gain_by_party(outputs[active], spec),
        points=_points(outputs, spec),
        layers=_layers(outputs, spec),
        parameters=_parameters(spec)
        | _encryption(outputs[active])
        | {
            "held_out_percent": spec.measurement.held_out_percent,
            "repeats": spec.measurement.repeats,
        },
        versions=versions(),
        primitives=primitives,
        primitive_exceptions=exceptions,
        phase_s={phase: seconds for phase in _PHASES if (seconds := _seconds(cost, phase))},
        wire=wire,
        audit=audit,
        trust_file=TRUST_FILE,
    )
    write_json(workspace.root / "metrics.json", metrics_json(run))
    write_json(workspace.root / "wire.json", msgspec.to_builtins(wire))
    (workspace.root / "report.html").write_text(render(run), encoding="utf-8")
    return run


def _rounds(workspace: Workspace, spec: JobSpec) -> int:
    """Trees of the first model, which may have stopped growing early; or passes over the rows."""
    terms = spec.training
    if not isinstance(terms, TreeTerms):
        return terms.epochs
    node = Node.open(workspace.party(spec.active_party.party_id))
    try:
        with node.engine.connect() as connection:
            registered = read_events(connection, job=spec.job_id, type_="model.registered")
            return next(iter(registered)).counts["trees"]
    finally:
        node.close()


def _points(outputs: dict[str, PartyOutputs], spec: JobSpec) -> PointsTables | None:
    """Return a scorecard's points as the parties' nodes print them."""
    terms = spec.training
    if not isinstance(terms, ScorecardTerms):
        return None
    active = spec.active_party.party_id
    halves = {party: outputs[party].json("model.json")["half"] for party in outputs}
    joint: dict[str, list[dict[str, Any]]] = {}
    if outputs[active].has("joint-table.json"):
        for row in outputs[active].json("joint-table.json")["rows"]:
            joint.setdefault(row["party"], []).append(row)
    return PointsTables(
        halves={party: points_of(rows) for party, rows in halves.items()},
        joint={party: points_of(rows) for party, rows in joint.items()},
        start=start_of(halves[active]),
        base_points=terms.base_points,
        base_odds=terms.base_odds,
        points_to_double=terms.points_to_double,
    )


def _layers(outputs: dict[str, PartyOutputs], spec: JobSpec) -> dict[str, tuple[Layer, ...]]:
    """Return a network's layers, by party."""
    if not isinstance(spec.training, SplitNetworkTerms):
        return {}
    return {
        party: msgspec.convert(written.json("model.json")["half"], tuple[Layer, ...])
        for party, written in outputs.items()
    }


def _parameters(spec: JobSpec) -> dict[str, str | int | bool]:
    """Return the model's terms one by one; its kind stands elsewhere in the report."""
    shown: dict[str, str | int | bool] = {}
    for name, value in msgspec.to_builtins(spec.training).items():
        if isinstance(value, dict):
            shown |= {f"{name}_{part}": number for part, number in value.items()}
        elif value is not None and name != "kind":
            shown[name] = value
    return shown


def _encryption(outputs: PartyOutputs) -> dict[str, str]:
    """Return how the active party's ciphertexts were computed, where there were any."""
    if not (outputs.folder / "encryption.json").exists():
        return {}
    return {"paillier_mode": outputs.json("encryption.json")["mode"]}


def _repeats(spec: JobSpec, splits: list[dict[str, Any]]) -> tuple[Repeat, ...]:
    """Return every split's measures; none where there was one split."""
    if len(splits) < 2:
        return ()
    return tuple(
        Repeat(
            split_seed=spec.measurement.split_seed + number,
            trained_on=split["trained_on"],
            customers=split["held_out"],
            positives=split.get("positives"),
            alone=split["alone"],
            joint=split["joint"],
        )
        for number, split in enumerate(splits)
    )


def _quality(outputs: PartyOutputs) -> QualityProfile:
    return msgspec.convert(outputs.json("quality.json"), QualityProfile)


def _pooled(
    scenario: Scenario, workspace: Workspace, spec: JobSpec, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the joined table's model's scores; the coordinator's log says it was made."""
    coordinator = Coordinator.open(workspace.coordinator)
    try:
        pooled = compare_in_the_clear(scenario, spec, coordinator.suite)
        first = MEASURES[pooled.objective][0]
        measured = {first: f"{pooled.measures[first]:.6f}"}
        coordinator.record_pooled_comparison(
            spec, train=pooled.trained_on, held_out=len(rows), **measured
        )
    finally:
        coordinator.close()
    return pooled.scores_of(rows)


def _cost(workspace: Workspace, spec: JobSpec, party: str) -> dict[str, dict[str, int]]:
    """Return by phase what the party's log says it cost; of a resumed phase, its last run."""
    node = Node.open(workspace.party(party))
    phases: dict[str, dict[str, int]] = {}
    try:
        with node.engine.connect() as connection:
            for event in read_events(connection, job=spec.job_id, type_="phase.completed"):
                phases[str(event.details["step"])] = event.counts
    finally:
        node.close()
    return phases


def _wire(cost: dict[str, dict[str, dict[str, int]]]) -> dict[str, dict[str, Traffic]]:
    return {
        party: {
            phase: Traffic(bytes=spent["bytes_sent"], messages=spent["messages_sent"])
            for phase, spent in phases.items()
        }
        for party, phases in cost.items()
    }


def _bytes(wire: dict[str, dict[str, Traffic]], phase: str) -> int:
    return sum(phases[phase].bytes for phases in wire.values() if phase in phases)


def _seconds(cost: dict[str, dict[str, dict[str, int]]], phase: str) -> float:
    """The slowest party's time in the phase: waiting for the others is part of it."""
    return max(phases.get(phase, {}).get("duration_ms", 0) for phases in cost.values()) / 1000


@dataclass(frozen=True)
class _Alignment:
    """What the parties' own logs say of the alignment."""

    own_sets: dict[str, int]
    """Usable customers each party entered with."""
    pairs: dict[str, int]
    """Customers the active party shares with each passive one."""
    shared: int
    """Customers all parties share."""
    floor: int

    @classmethod
    def read(cls, workspace: Workspace, spec: JobSpec) -> _Alignment:
        own_sets: dict[str, int] = {}
        pairs: dict[str, int] = {}
        shared = floor = 0
        for party in spec.parties:
            node = Node.open(workspace.party(party.party_id))
            try:
                with node.engine.connect() as connection:
                    found = list(read_events(connection, job=spec.job_id, type_="psi.completed"))
                    made = list(read_events(connection, job=spec.job_id, type_="align.created"))
            finally:
                node.close()
            if not found or not made:
                raise CollectError(f"the log of {party.party_id} has no completed alignment")
            latest = [event for event in found if event.attempt == made[-1].attempt]
            own_sets[party.party_id] = latest[0].counts["own_set"]
            if party.role == "active_party":
                shared, floor = made[-1].counts["rows"], latest[0].counts["floor"]
                for event in latest:
                    (peer,) = set(event.details["parties"]) - {party.party_id}  # type: ignore[arg-type]
                    pairs[peer] = event.counts["intersection"]
        return cls(own_sets, pairs, shared, floor)


def _own_importance(outputs: PartyOutputs, spec: JobSpec, party: str) -> dict[str, float]:
    """How much a party's half uses each of its own columns, as that party counts."""
    values: dict[str, float] = outputs.json("importance.json")["columns"]
    return {
        column.name: values.get(column.name, 0.0) for column in spec.party(party).dataset.columns
    }


def _gain_by_party(outputs: PartyOutputs, spec: JobSpec) -> dict[str, float]:
    """Total gain of each party's splits, from the active party's half."""
    values = outputs.json("importance.json")
    if "by_party" not in values:
        return {}
    active = spec.active_party
    own = sum(values["columns"].values())
    peers = {p.party_id: values["by_party"].get(p.party_id, 0.0) for p in spec.passive_parties}
    return {active.party_id: own} | peers
