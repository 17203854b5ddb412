"""A scenario as the job its parties sign, and as what each party's node registers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from party_node.datasets import LabelRule, Registration
from protocols.identifiers import RULES_VERSION
from protocols.session.agreed_job import OutputTerms, RetentionTerms
from protocols.session.job_spec import (
    AlignmentTerms,
    ColumnTerms,
    DatasetTerms,
    EvaluationTerms,
    JobSpec,
    LabelTerms,
    PartyTerms,
)
from protocols.session.model_terms import (
    Objective,
    OneSideSampling,
    ScorecardTerms,
    SplitNetworkTerms,
    TrainingTerms,
    TreeTerms,
)
from simulations.scenario import LabelTable, PartyTable, Scenario, ScenarioError
from simulations.scenario_tables import ScorecardTable, SplitNetworkTable, TreeTable


def job_spec(
    scenario: Scenario,
    public_keys: Mapping[str, str],
    *,
    job_id: str,
    created_at: str,
    expires_at: str,
) -> JobSpec:
    """Return the spec of ``scenario`` for parties with these keys (hex, by party id).

    Times are UTC, RFC 3339 with seconds, ending in ``Z``. Raises :class:`ScenarioError` for
    parameters below the protocols' floors, and ``KeyError`` for a party without a key.
    """
    active = scenario.active_party.id
    days = scenario.retention.days
    keys = {party.id: public_keys[party.id] for party in scenario.parties}
    try:
        return JobSpec(
            job_id=job_id,
            title=scenario.title,
            purpose=scenario.purpose,
            output_use=scenario.output_use,
            agreement=scenario.agreement,
            suite=scenario.suite,
            parties=tuple(_party_terms(party, keys[party.id]) for party in scenario.parties),
            label=LabelTerms(
                party_id=active, name=scenario.label.column, meaning=_meaning(scenario.label)
            ),
            alignment=AlignmentTerms(
                protocol=scenario.alignment.protocol,
                reveal="list",
                to="both",
                identifier_rules=RULES_VERSION,
            ),
            model=model_terms(scenario),
            evaluation=EvaluationTerms(
                held_out_percent=scenario.evaluation.held_out_percent,
                split_seed=scenario.seed,
                minimum_held_out=scenario.evaluation.minimum_held_out,
                repeats=scenario.evaluation.repeats,
                threshold=format(scenario.evaluation.threshold, "f"),
            ),
            outputs=_outputs(scenario),
            retention=RetentionTerms(
                row_map_days=days, intermediate_days=days, model_days=days, scores_days=days
            ),
            privacy_budget="none",
            proposed_by=f"{active}-analyst-1",
            created_at=created_at,
            expires_at=expires_at,
        )
    except ValueError as error:
        # The spec checks its own floors; its message names the parameter and the bounds.
        raise ScenarioError(
            f"{scenario.source}: {error}", "correct the value in the scenario file"
        ) from None


def model_terms(scenario: Scenario) -> TrainingTerms:
    """Return what the scenario's parties train; raises ``ValueError`` for a value out of range."""
    model = scenario.model
    stated: dict[str, Any] = {
        name: format(value, "f") if isinstance(value, Decimal) else value
        for name, value in msgspec.structs.asdict(model).items()
    }
    match model:
        case TreeTable():
            sampling = model.one_side_sampling
            label = scenario.label
            stated |= {
                "objective": objective(label),
                "classes": len(label.classes) or 1,
                "validation_percent": (
                    model.validation_percent if model.early_stopping_rounds else 0
                ),
                "one_side_sampling": sampling
                and OneSideSampling(
                    top=format(sampling.top, "f"), other=format(sampling.other, "f")
                ),
            }
            return TreeTerms(**stated)
        case ScorecardTable():
            return ScorecardTerms(**stated)
        case SplitNetworkTable():
            return SplitNetworkTerms(**stated)


def objective(label: LabelTable) -> Objective:
    """Return what kind of label the model predicts."""
    if label.number:
        return "regression"
    return "multiclass" if label.classes else "binary"


def registration(scenario: Scenario, party_id: str) -> Registration:
    """Return what ``party_id``'s node registers of its dataset; raises ``KeyError``."""
    party = next((p for p in scenario.parties if p.id == party_id), None)
    if party is None:
        raise KeyError(party_id)
    label = scenario.label
    above = None if label.above is None else float(label.above)
    holds_label = party.role == "active_party"
    return Registration(
        name=_dataset_name(party),
        path=str(scenario.file(party_id)),
        identifier_column=party.identifier,
        identifier_kind=party.identifier_kind,
        columns=_columns(party),
        consent_column=party.consent_column,
        label=(
            LabelRule(
                label.column,
                equals=label.positive,
                above=above,
                classes=label.classes,
                number=label.number,
            )
            if holds_label
            else None
        ),
        label_purpose=label.purpose if holds_label else None,
        allowed_purposes=party.allowed_purposes,
        minimum_cohort=party.minimum_cohort,
    )


def _party_terms(party: PartyTable, public_key: str) -> PartyTerms:
    return PartyTerms(
        party_id=party.id,
        role=party.role,
        public_key=public_key,
        jurisdiction=party.jurisdiction,
        legal_basis=party.legal_basis,
        dataset=DatasetTerms(
            name=_dataset_name(party),
            identifier_kind=party.identifier_kind,
            columns=_columns(party),
        ),
        minimum_cohort=party.minimum_cohort,
        approver=f"{party.id}-officer-1",
    )


def _dataset_name(party: PartyTable) -> str:
    return f"{party.id}-customers"


def _columns(party: PartyTable) -> tuple[ColumnTerms, ...]:
    return tuple(ColumnTerms(name=name, kind=kind) for name, kind in party.columns)


def _meaning(label: LabelTable) -> str:
    """Return the meaning with the rule: the passive party agrees to what is really predicted."""
    if label.number:
        return f"{label.meaning} ({label.column})"
    if label.classes:
        return f"{label.meaning} ({label.column}: {', '.join(label.classes)})"
    rule = f"= {label.positive}" if label.above is None else f"> {format(label.above, 'f')}"
    return f"{label.meaning} ({label.column} {rule})"


def _outputs(scenario: Scenario) -> tuple[OutputTerms, ...]:
    """Scores and metrics go to the party that owns the purpose; each keeps its half and rows."""
    active = scenario.active_party.id
    kept = tuple(
        OutputTerms(name=name, recipient=party.id, form="local")
        for party in scenario.parties
        for name in ("model_half", "aligned_rows")
    )
    joint_table: tuple[OutputTerms, ...] = ()
    if isinstance(scenario.model, ScorecardTable) and scenario.model.joint_table:
        joint_table = (OutputTerms(name="joint_table", recipient=active, form="aggregate"),)
    return (
        OutputTerms(name="scores", recipient=active, form="score"),
        OutputTerms(name="metrics", recipient=active, form="aggregate"),
        *joint_table,
        *kept,
    )
