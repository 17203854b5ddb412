"""A JobSpec every gate lets pass on real data, and how to change one thing in it."""

from __future__ import annotations

from typing import Any

import msgspec

from compliance.facts import DatasetFacts, Facts
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
from protocols.session.model_terms import TreeTerms

RETENTION = RetentionTerms(row_map_days=30, intermediate_days=1, model_days=365, scores_days=365)


def bank(**changes: Any) -> PartyTerms:
    """The active party: a bank in China."""
    terms = PartyTerms(
        party_id="bank",
        role="active_party",
        public_key="04" + "11" * 64,
        jurisdiction="CN",
        legal_basis="CN13_1",
        dataset=DatasetTerms(
            name="bank_customers",
            identifier_kind="phone",
            columns=(ColumnTerms(name="balance", kind="numeric"),),
        ),
        minimum_cohort=1000,
        approver="staff-b7",
    )
    return msgspec.structs.replace(terms, **changes)


def retailer(**changes: Any) -> PartyTerms:
    """The passive party: a retailer in China."""
    terms = PartyTerms(
        party_id="retailer",
        role="passive_party",
        public_key="04" + "22" * 64,
        jurisdiction="CN",
        legal_basis="CN13_1",
        dataset=DatasetTerms(
            name="shop_customers",
            identifier_kind="phone",
            columns=(ColumnTerms(name="orders", kind="numeric"),),
        ),
        minimum_cohort=1000,
        approver="staff-r2",
    )
    return msgspec.structs.replace(terms, **changes)


def job(
    *,
    bank_terms: PartyTerms | None = None,
    retailer_terms: PartyTerms | None = None,
    **changes: Any,
) -> JobSpec:
    """A credit-need job for marketing on real data, with ``changes``."""
    spec = JobSpec(
        job_id="job-1",
        title="Who will want financing",
        purpose="credit_need",
        output_use="marketing",
        agreement="contract-17",
        suite="gm",
        parties=(bank_terms or bank(), retailer_terms or retailer()),
        label=LabelTerms(party_id="bank", name="took_loan", meaning="took a loan in six months"),
        alignment=AlignmentTerms(
            protocol="ecdh", reveal="list", to="both", identifier_rules="identifiers/1"
        ),
        model=TreeTerms(
            objective="binary",
            classes=1,
            trees=10,
            depth=3,
            bins=16,
            learning_rate="0.3",
            l2="1",
            minimum_bin_count=20,
            first_tree_active_only=True,
            class_weights="none",
            row_sample="1",
            one_side_sampling=None,
            early_stopping_rounds=0,
            validation_percent=0,
            paillier_bits=2048,
            paillier_randomness="exact",
        ),
        evaluation=EvaluationTerms(
            held_out_percent=30, split_seed=7, minimum_held_out=100, repeats=1, threshold="0.5"
        ),
        outputs=(OutputTerms(name="scores", recipient="bank", form="band"),),
        retention=RETENTION,
        privacy_budget="none",
        proposed_by="staff-b1",
        created_at="2026-11-21T08:00:00Z",
        expires_at="2026-12-21T08:00:00Z",
    )
    return msgspec.structs.replace(spec, **changes)


def simulated_job(**changes: Any) -> JobSpec:
    """The same job on made-up data, for research only, with a floor of 50."""
    basis = {"legal_basis": "synthetic_or_public_data", "minimum_cohort": 50}
    return job(
        bank_terms=bank(**basis),
        retailer_terms=retailer(**basis),
        **{"output_use": "research_only", **changes},
    )


def bank_facts(**changes: Any) -> Facts:
    """What the bank's own catalogue says of its dataset."""
    dataset = {
        "party_id": "bank",
        "name": "bank_customers",
        "allowed_purposes": ("credit_need",),
        "label_purpose": "credit_need",
    }
    dataset |= {key: changes.pop(key) for key in tuple(changes) if key in dataset}
    return Facts(dataset=DatasetFacts(**dataset), **changes)


def retailer_facts(**changes: Any) -> Facts:
    """What the retailer's own catalogue says of its dataset."""
    dataset = DatasetFacts(
        party_id="retailer",
        name="shop_customers",
        allowed_purposes=changes.pop("allowed_purposes", ("credit_need",)),
    )
    return Facts(dataset=dataset, **changes)
