"""Gathers what the parties' nodes and the coordinator left, and writes a horizontal run's results.

The parties' own outputs are read from their homes, which only a simulation can; the comparisons in
the clear are made where the scenario allows them, and the coordinator's log says so.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from compliance.aggregation_review import review_lines
from coordinator.coordinator import Coordinator, JobRecord
from coordinator.horizontal.recorder import Recorder, SumRecord
from models.horizontal.layout import hidden_units, size
from models.horizontal.model import TrainedModel
from party_node.gate_facts import no_event
from party_node.horizontal.finish import MODEL_FILE, SCORES_FILE
from party_node.node import Node
from party_node.privacy_ledger import PrivacyLedger
from party_node.store import transaction
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.suite import get_suite
from protocols.sum_ciphers import value_bits
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
from simulations.horizontal.clear import InTheClear
from simulations.horizontal.report.learned import what_each_learned
from simulations.horizontal.report.model import (
    ContributorReport,
    Exchanged,
    HorizontalReport,
    PrecisionReport,
    PrivacyReport,
    SplitReport,
    SumReport,
    Told,
)
from simulations.horizontal.report.outputs import metrics_json, scores_csv, wire_json
from simulations.horizontal.report.page import render
from simulations.horizontal.report.worth import HeldOutScores, measured, overall
from simulations.horizontal.sample import Setting
from simulations.horizontal.scenario import HorizontalScenario
from simulations.workspace import Workspace

_NOTHING = Exchanged(bytes_sent=0, messages_sent=0, bytes_received=0, messages_received=0)


@dataclass(frozen=True)
class _Coordinated:
    """What the coordinator knows of a finished job."""

    sums: list[SumRecord]
    traffic: dict[tuple[str, str], Any]

    @classmethod
    def read(cls, workspace: Workspace, record: JobRecord[HorizontalSpec]) -> _Coordinated:
        coordinator = Coordinator.open(workspace.coordinator)
        try:
            recorder = Recorder(coordinator, record.spec, record.attempt)
            return cls(recorder.sums(), recorder.all_traffic())
        finally:
            coordinator.close()

    @property
    def groups(self) -> set[tuple[str, ...]]:
        """Return every group of contributors whose sum was opened."""
        return {one.contributors for one in self.sums if one.status == "opened"}

    def absent(self, spec: HorizontalSpec) -> dict[int, frozenset[str]]:
        """Return who was not in each opened sum, by training round; 0 is the statistics."""
        opened = [one for one in self.sums if one.status == "opened"]
        everybody = {party.party_id for party in spec.parties}
        return {
            number: frozenset(everybody - set(one.contributors))
            for number, one in enumerate(opened[: spec.training.rounds + 1])
        }


def collect(
    scenario: HorizontalScenario,
    setting: Setting,
    workspace: Workspace,
    record: JobRecord[HorizontalSpec],
    *,
    peak_memory: int | None,
) -> HorizontalReport:
    """Write report, metrics, scores, wire, bundles and trust file; return the report."""
    spec, suite = record.spec, get_suite(scenario.suite)
    outputs = {
        party.party_id: PartyOutputs(workspace.party(party.party_id) / "outputs" / spec.job_id)
        for party in spec.parties
    }
    for party, output in outputs.items():
        if not output.has(SCORES_FILE):
            raise CollectError(
                f"{party} was away at the end and has no results; the others' are in "
                f"{workspace.party(party).parent}"
            )
    known = _Coordinated.read(workspace, record)
    clear = None
    if scenario.pooling_allowed:
        clear = InTheClear.read(setting, spec, suite, known.absent(spec))
    scores = _scores(outputs, spec, clear)
    splits = tuple(
        measured(spec.evaluation.split_seed + repeat, parties)
        for repeat, parties in enumerate(scores)
    )
    if clear is not None:
        _record_pooled(workspace, spec, splits)
    audit = export_bundles(workspace, spec)
    primitives, exceptions = primitives_of(outputs)
    parameters = size(hidden_units(spec.model), len(spec.purchases.columns))
    run = HorizontalReport(
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
        provenance=setting.provenance,
        limits=setting.limits,
        gates=tuple(decision for party in outputs for decision in outputs[party].decisions(party)),
        parameters=_parameters(spec),
        versions=versions(),
        primitives=primitives,
        primitive_exceptions=exceptions,
        audit=audit,
        trust_file=TRUST_FILE,
        cut=spec.purchases.cut,
        horizon_days=spec.purchases.horizon_days,
        active_days=spec.purchases.active_days,
        history_days=spec.purchases.history_days,
        columns=spec.purchases.columns,
        model=spec.model.kind,  # type: ignore[arg-type]
        model_parameters=parameters,
        strategy=spec.training.strategy,
        rounds=spec.training.rounds,
        method=spec.aggregation.method,
        threshold=spec.aggregation.threshold,
        floor=spec.floor,
        parties=tuple(_contributor(spec, party, outputs[party]) for party in outputs),
        splits=splits,
        learning=() if clear is None or spec.privacy is not None else clear.learning(),
        sums=tuple(_sum(spec, one) for one in known.sums if one.status != "started"),
        review=_review(spec),
        learned=what_each_learned(
            [party.party_id for party in spec.parties],
            method=spec.aggregation.method,
            columns=len(spec.purchases.columns),
            model_parameters=parameters,
            splits=len(splits),
            private=spec.privacy is not None,
            contributors_changed=len(known.groups) > 1,
            fewest_contributors=min(map(len, known.groups)),
        ),
        precision=_precision(spec, outputs, clear),
        privacy=_privacy(workspace, spec),
        wire=_wire(known),
        wall_s=sum(one.wall_ms for one in known.sums) / 1000,
        peak_memory_bytes=peak_memory,
    )
    overall(run)  # a run whose numbers cannot be told ends here, before anything is written
    write_json(workspace.root / "metrics.json", metrics_json(run))
    write_json(workspace.root / "wire.json", wire_json(run))
    (workspace.root / "scores.csv").write_text(scores_csv(scores[0]), encoding="utf-8")
    (workspace.root / "report.html").write_text(render(run), encoding="utf-8")
    return run


def _scores(
    outputs: Mapping[str, PartyOutputs], spec: HorizontalSpec, clear: InTheClear | None
) -> list[dict[str, HeldOutScores]]:
    """Return each split's held-out scores by party."""
    pooled = None if clear is None else clear.pooled()
    found: list[dict[str, HeldOutScores]] = [{} for _ in range(spec.evaluation.repeats)]
    for party, output in outputs.items():
        told = output.json("evaluation.json")
        table = _rows(output.folder / SCORES_FILE)
        for repeat in range(spec.evaluation.repeats):
            own = table[table[:, 0] == repeat + 1]
            rows = own[:, 1].astype(np.int64)
            joined = None
            if clear is not None and pooled is not None:
                at = np.argsort(clear.tables[party].source_rows)
                places = at[np.searchsorted(clear.tables[party].source_rows[at], rows)]
                joined = pooled[party][repeat, places]
            found[repeat][party] = HeldOutScores(
                told[repeat]["trained_on"],
                rows,
                own[:, 2].astype(np.uint8),
                own[:, 3],
                own[:, 4],
                joined,
            )
    return found


def _rows(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    with path.open(newline="") as file:
        return np.array(list(csv.reader(file))[1:], dtype=np.float64)


def _contributor(spec: HorizontalSpec, party: str, output: PartyOutputs) -> ContributorReport:
    terms, told = spec.party(party), output.json("purchases.json")
    return ContributorReport(
        party_id=party,
        jurisdiction=terms.jurisdiction,
        legal_basis=terms.legal_basis,
        minimum_contributors=terms.minimum_contributors,
        lines_read=told["lines"],
        rejected=told["rejected"],
        customers=told["customers"],
        left=told["churned"],
    )


def _sum(spec: HorizontalSpec, one: SumRecord) -> SumReport:
    what, _, number = one.name.partition("-")
    missing = dict(one.missing)
    return SumReport(
        number=one.number,
        what=what,  # type: ignore[arg-type]
        round=int(number) if number else None,
        contributors=one.contributors,
        missing=missing,
        opened=one.status == "opened",
        lost=one.lost,
        seconds=one.wall_ms / 1000,
        party_s={party: spent / 1000 for party, spent in one.party_ms.items()},
    )


def _review(spec: HorizontalSpec) -> tuple[Told, ...]:
    return tuple(Told(english=line.english, chinese=line.chinese) for line in review_lines(spec))


def _precision(
    spec: HorizontalSpec, outputs: Mapping[str, PartyOutputs], clear: InTheClear | None
) -> PrecisionReport | None:
    """Return how far the joint model is from plain federated averaging of the same updates."""
    if clear is None or spec.privacy is not None:
        return None
    plain = clear.averaged.state.parameters[0]
    models = [
        TrainedModel.from_bytes((output.folder / MODEL_FILE).read_bytes())
        for output in outputs.values()
        if output.has(MODEL_FILE)
    ]
    difference = max(float(np.abs(model.parameters - plain).max()) for model in models)
    return PrecisionReport(largest_difference=difference, bound=_stated_precision(spec, clear))


def _stated_precision(spec: HorizontalSpec, clear: InTheClear) -> float:
    """Return the rounding of all rounds' fixed point words together, as the sums' SPEC.md has it.

    A word is off by half a step at most, and a mean by the contributors' steps over the sum of
    their weights. What training makes of it between the rounds is not in it.
    """
    parties = len(spec.parties)
    rows = {party: (~held).sum(axis=1) for party, held in clear.held_out.items()}
    total = sum(rows.values())
    step = float(spec.aggregation.update_bound) * 2.0 ** (
        1 - value_bits(spec.aggregation.method, parties)
    )
    bound = 0.0
    for number in range(1, spec.training.rounds + 1):
        present = [party for party in rows if party not in clear.absent.get(number, ())]
        weight = np.min(sum(rows[party] for party in present) / total)
        bound += len(present) * step / float(weight)
    if spec.training.strategy == "fedadam":
        bound *= float(spec.training.server_learning_rate) / float(spec.training.tau)
    return bound


def _privacy(workspace: Workspace, spec: HorizontalSpec) -> PrivacyReport | None:
    if spec.privacy is None:
        return None
    spent, in_total = {}, {}
    for party in spec.parties:
        node = Node.open(workspace.party(party.party_id))
        try:
            with transaction(node.engine) as connection:
                balance = PrivacyLedger.of(spec, party.party_id, 1, no_event).balance(connection)
        finally:
            node.close()
        spent[party.party_id] = float(balance.epsilon)
        in_total[party.party_id] = float(balance.used)
    return PrivacyReport(
        epsilon=spec.privacy.epsilon,
        delta=spec.privacy.delta,
        clip_norm=spec.privacy.clip_norm,
        spent=spent,
        in_total=in_total,
    )


def _wire(known: _Coordinated) -> dict[str, dict[Any, Exchanged]]:
    wire: dict[str, dict[Any, Exchanged]] = {}
    for (party, step), told in known.traffic.items():
        for name, sent in ((party, True), ("coordinator", False)):
            before = wire.setdefault(name, {}).get(step, _NOTHING)
            out = (told.sent_bytes, told.sent_messages)
            back = (told.received_bytes, told.received_messages)
            first, second = (out, back) if sent else (back, out)
            wire[name][step] = Exchanged(
                bytes_sent=before.bytes_sent + first[0],
                messages_sent=before.messages_sent + first[1],
                bytes_received=before.bytes_received + second[0],
                messages_received=before.messages_received + second[1],
            )
    return wire


def _parameters(spec: HorizontalSpec) -> dict[str, str | int | bool]:
    """Return everything the parties agreed on that changes what is computed."""
    told: dict[str, str | int | bool] = {}
    for part in (spec.model, spec.training, spec.aggregation, spec.evaluation):
        for name, value in msgspec.structs.asdict(part).items():
            told[name] = value if isinstance(value, str | int | bool) else str(value)
    return told


def _record_pooled(
    workspace: Workspace, spec: HorizontalSpec, splits: tuple[SplitReport, ...]
) -> None:
    """Have the coordinator's log say that the tables were joined in the clear to compare."""
    first = splits[0]
    coordinator = Coordinator.open(workspace.coordinator)
    try:
        coordinator.record_pooled_comparison(
            spec, train=first.trained_on, held_out=first.held_out, auc=f"{first.pooled:.6f}"
        )
    finally:
        coordinator.close()
