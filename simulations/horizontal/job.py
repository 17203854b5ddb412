"""A horizontal scenario as the job its parties sign."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from protocols.session.agreed_job import OutputTerms, RetentionTerms
from protocols.session.horizontal_spec import ChurnLabel, ContributorTerms, HorizontalSpec
from protocols.session.horizontal_terms import (
    AggregationTerms,
    FederatedTraining,
    HorizontalModel,
    LogisticTerms,
    PerceptronTerms,
    PrivacyTerms,
    PurchaseTerms,
)
from protocols.session.job_spec import EvaluationTerms
from simulations.horizontal.parties import Retailer
from simulations.horizontal.scenario import HorizontalScenario, LogisticTable, TrainingTable
from simulations.scenario_tables import ScenarioError

_FEDADAM_RATE = Decimal("0.05")
_FEDPROX_MU = Decimal("0.01")


def horizontal_spec(
    scenario: HorizontalScenario,
    retailers: tuple[Retailer, ...],
    purchases: PurchaseTerms,
    public_keys: Mapping[str, str],
    *,
    job_id: str,
    created_at: str,
    expires_at: str,
) -> HorizontalSpec:
    """Return the spec of ``scenario`` for parties with these keys (hex, by party id).

    Times are UTC, RFC 3339 with seconds, ending in ``Z``. Raises :class:`ScenarioError` for
    parameters below the protocols' floors, and ``KeyError`` for a party without a key.
    """
    days = scenario.retention.days
    keys = {retailer.id: public_keys[retailer.id] for retailer in retailers}
    try:
        return HorizontalSpec(
            job_id=job_id,
            title=scenario.title,
            purpose=scenario.purpose,
            output_use=scenario.output_use,
            agreement=scenario.agreement,
            suite=scenario.suite,
            parties=tuple(
                ContributorTerms(
                    party_id=retailer.id,
                    public_key=keys[retailer.id],
                    jurisdiction=retailer.jurisdiction,
                    legal_basis=retailer.legal_basis,
                    dataset=retailer.registration.name,
                    minimum_contributors=retailer.registration.minimum_contributors,
                    approver=f"{retailer.id}-officer-1",
                )
                for retailer in retailers
            ),
            label=ChurnLabel(name=scenario.label.name, meaning=scenario.label.meaning),
            purchases=purchases,
            model=_model(scenario),
            training=_training(scenario.training),
            aggregation=_aggregation(scenario, len(retailers)),
            privacy=_privacy(scenario),
            evaluation=EvaluationTerms(
                held_out_percent=scenario.evaluation.held_out_percent,
                split_seed=scenario.seed,
                minimum_held_out=scenario.evaluation.minimum_held_out,
                repeats=scenario.evaluation.repeats,
                threshold=_text(scenario.evaluation.threshold),
            ),
            outputs=_outputs(retailers),
            retention=RetentionTerms(
                row_map_days=days, intermediate_days=days, model_days=days, scores_days=days
            ),
            proposed_by=f"{retailers[0].id}-analyst-1",
            created_at=created_at,
            expires_at=expires_at,
        )
    except ValueError as error:
        # The spec checks its own floors; its message names the parameter and the bounds.
        raise ScenarioError(
            f"{scenario.source}: {error}", "correct the value in the scenario file"
        ) from None


def _model(scenario: HorizontalScenario) -> HorizontalModel:
    table = scenario.model
    if isinstance(table, LogisticTable):
        return LogisticTerms(l2=_text(table.l2))
    return PerceptronTerms(hidden=table.hidden, l2=_text(table.l2))


def _training(table: TrainingTable) -> FederatedTraining:
    """Return the terms; what a strategy does not have is what leaves it alone."""
    proximal = _FEDPROX_MU if table.strategy == "fedprox" else Decimal(0)
    rate = _FEDADAM_RATE if table.strategy == "fedadam" else Decimal(1)
    stated: dict[str, Any] = {
        "proximal": proximal if table.proximal is None else table.proximal,
        "server_learning_rate": (
            rate if table.server_learning_rate is None else table.server_learning_rate
        ),
    }
    fields: dict[str, Any] = msgspec.structs.asdict(table) | stated
    plain: dict[str, Any] = {
        name: _text(value) if isinstance(value, Decimal) else value
        for name, value in fields.items()
    }
    return FederatedTraining(**plain)


def _aggregation(scenario: HorizontalScenario, parties: int) -> AggregationTerms:
    table = scenario.aggregation
    usual = max(2, 2 * parties // 3 + 1)
    return AggregationTerms(
        method=table.method,
        update_bound=_text(table.update_bound),
        minimum_contributors=min(table.minimum_contributors, parties),
        threshold=min(usual, parties) if table.threshold is None else table.threshold,
        key_rounds=table.key_rounds,
        paillier_bits=table.paillier_bits,
        round_deadline_s=table.round_deadline_s,
    )


def _privacy(scenario: HorizontalScenario) -> PrivacyTerms | None:
    table = scenario.privacy
    if table is None:
        return None
    return PrivacyTerms(
        epsilon=_text(table.epsilon), delta=_text(table.delta), clip_norm=_text(table.clip_norm)
    )


def _outputs(retailers: tuple[Retailer, ...]) -> tuple[OutputTerms, ...]:
    """Every party gets the model, and scores of its own customers alone."""
    return tuple(
        output
        for retailer in retailers
        for output in (
            OutputTerms(name="model", recipient=retailer.id, form="aggregate"),
            OutputTerms(name="scores", recipient=retailer.id, form="score"),
            OutputTerms(name="metrics", recipient=retailer.id, form="local"),
        )
    )


def _text(value: Decimal) -> str:
    """Return a decimal as a spec holds it: plain digits, no exponent."""
    return format(value, "f")
