"""The plan of a job: every step in order, and who takes part, derived alike at every party."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import (
    ScorecardTerms,
    SplitNetworkTerms,
    TrainingTerms,
    TreeTerms,
)
from protocols.session.phase_report import Phase, phases_of

KEYS_STEP = "train/keys"
TRAINED_STEP = "train/countersign"
EVALUATE_CHECKPOINTS_STEP = "evaluate/checkpoints"
SCORE_STEP = "score/predict"
SCORED_STEP = "score/countersign"
SCORE_CHECKPOINTS_STEP = "score/checkpoints"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One generator of the job; ``parties`` run it, the others pass it by."""

    name: str
    parties: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """All steps of a job; a step's ordinal, in journals and on the wire, is its place here."""

    steps: tuple[PlannedStep, ...]

    @classmethod
    def of(cls, spec: JobSpec) -> Plan:
        """Return the plan every party derives from the signed spec."""
        everyone = frozenset(party.party_id for party in spec.parties)
        active = spec.active_party.party_id
        passives = [party.party_id for party in spec.passive_parties]
        steps: list[PlannedStep] = []

        def add(names: Iterable[str], parties: frozenset[str] = everyone) -> None:
            steps.extend(PlannedStep(name, parties) for name in names)

        pairs = [(passive, frozenset((active, passive))) for passive in passives]
        if spec.alignment.protocol == "server_aided":
            for passive, pair in pairs:
                add([token_keys_step(passive)], pair)
        for passive, pair in pairs:
            add([psi_step(spec, passive)], pair)
        if len(passives) > 1:
            add([common_step(spec)])
        add([alignment_step(spec)])
        if spec.is_scoring:
            add([SCORE_STEP, SCORED_STEP, SCORE_CHECKPOINTS_STEP])
            return cls(tuple(steps))
        repeats = range(spec.measurement.repeats)
        add(training_steps(spec.training, len(repeats)))
        add([TRAINED_STEP])
        add(predict_step(repeat) for repeat in repeats)
        if isinstance(spec.model, ScorecardTerms) and spec.model.joint_table:
            add(joint_table_step(repeat) for repeat in repeats)
        add([EVALUATE_CHECKPOINTS_STEP])
        return cls(tuple(steps))

    def ordinal(self, name: str) -> int:
        """Return the place of the step called ``name``; raises ``ValueError``."""
        return [step.name for step in self.steps].index(name)

    def of_party(self, party: str, phase: str = "") -> tuple[int, ...]:
        """Return the places of the steps ``party`` takes part in, of one phase or of all."""
        return tuple(
            ordinal
            for ordinal, step in enumerate(self.steps)
            if party in step.parties and step.name.startswith(phase)
        )


def token_keys_step(passive: str) -> str:
    """Name the active party's agreement with ``passive`` on keys for server-aided tokens."""
    return f"align/keys-{passive}"


def psi_step(spec: JobSpec, passive: str) -> str:
    """Name the private set intersection of the active party with ``passive``."""
    return f"{_matching_phase(spec)}/psi-{passive}"


def common_step(spec: JobSpec) -> str:
    """Name the narrowing to the customers that all of several passive parties share."""
    return f"{_matching_phase(spec)}/common"


def alignment_step(spec: JobSpec) -> str:
    """Name the signing of the alignment by all parties."""
    return f"{_matching_phase(spec)}/countersign"


def _matching_phase(spec: JobSpec) -> Phase:
    return "match" if "match" in phases_of(spec) else "align"


def training_steps(terms: TrainingTerms, repeats: int) -> list[str]:
    """Name every step of the training, in order; each is a checkpoint."""
    match terms:
        case TreeTerms():
            steps = [tree_step(r, tree) for r in range(repeats) for tree in range(terms.trees)]
            return [KEYS_STEP, *steps]
        case ScorecardTerms():
            steps = []
            for repeat in range(repeats):
                steps.append(binning_step(repeat))
                steps += [epoch_step(repeat, epoch) for epoch in range(terms.epochs)]
                steps.append(finish_step(repeat))
            return [KEYS_STEP, *steps]
        case SplitNetworkTerms():
            steps = []
            for repeat in range(repeats):
                steps += [epoch_step(repeat, epoch) for epoch in range(terms.epochs)]
                steps.append(finish_step(repeat))
            return steps


def tree_step(repeat: int, tree: int) -> str:
    """Name the growing of one tree; both count from 0, names from 1."""
    return f"train/model-{repeat + 1}-tree-{tree + 1:03d}"


def binning_step(repeat: int) -> str:
    """Name the finding of bins and their weight of evidence."""
    return f"train/model-{repeat + 1}-binning"


def epoch_step(repeat: int, epoch: int) -> str:
    """Name one pass over the training customers; both count from 0, names from 1."""
    return f"train/model-{repeat + 1}-epoch-{epoch + 1:03d}"


def finish_step(repeat: int) -> str:
    """Name what turns a trained state into each party's half."""
    return f"train/model-{repeat + 1}-finish"


def joint_table_step(repeat: int) -> str:
    """Name the handing over of points for the joint table."""
    return f"evaluate/joint-table-{repeat + 1}"


def predict_step(repeat: int) -> str:
    """Name the prediction of one split's held-out customers."""
    return f"evaluate/predict-{repeat + 1}"
