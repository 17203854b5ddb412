"""A HorizontalSpec every gate lets pass on real data, and how to change one thing in it."""

from __future__ import annotations

from typing import Any

import msgspec

from compliance.facts import DatasetFacts, Facts, PrivacyFacts
from protocols.session.agreed_job import OutputTerms
from protocols.session.horizontal_spec import ChurnLabel, ContributorTerms, HorizontalSpec
from protocols.session.horizontal_terms import (
    AggregationTerms,
    FederatedTraining,
    LogisticTerms,
    PrivacyTerms,
    PurchaseTerms,
)
from protocols.session.job_spec import EvaluationTerms
from tests.compliance.specs import RETENTION

PRIVACY = PrivacyTerms(epsilon="3", delta="0.000001", clip_norm="1")
AGGREGATION = AggregationTerms(
    method="masked_he",
    update_bound="1",
    minimum_contributors=3,
    threshold=4,
    key_rounds=8,
    paillier_bits=2048,
    round_deadline_s=60,
)
NAMES = ("east", "north", "south", "west", "centre")


def shop(name: str, **changes: Any) -> ContributorTerms:
    """A retailer in China."""
    number = NAMES.index(name)
    terms = ContributorTerms(
        party_id=name,
        public_key="04" + f"{number + 1}{number + 1}" * 64,
        jurisdiction="CN",
        legal_basis="CN13_2",
        approver=f"staff-{name}",
        dataset=f"{name}_purchases",
        minimum_contributors=3,
    )
    return msgspec.structs.replace(terms, **changes)


def horizontal(
    *,
    parties: int = 5,
    party: dict[str, Any] | None = None,
    last: dict[str, Any] | None = None,
    aggregation: dict[str, Any] | None = None,
    **changes: Any,
) -> HorizontalSpec:
    """A churn job for marketing on real data of five retailers, with ``changes``.

    ``party`` changes every party's terms, ``last`` the last one's besides, ``aggregation`` the way
    updates are added.
    """
    terms = [shop(name, **(party or {})) for name in NAMES[:parties]]
    terms[-1] = msgspec.structs.replace(terms[-1], **(last or {}))
    return HorizontalSpec(
        **{
            "job_id": "churn-1",
            "title": "Who is about to leave",
            "purpose": "churn",
            "output_use": "marketing",
            "agreement": "contract-18",
            "suite": "gm",
            "outputs": tuple(
                OutputTerms(name="scores", recipient=name, form="band") for name in NAMES[:parties]
            ),
            "retention": RETENTION,
            "proposed_by": "staff-p1",
            "created_at": "2026-11-21T08:00:00Z",
            "expires_at": "2026-12-21T08:00:00Z",
            "parties": tuple(terms),
            "label": ChurnLabel(name="left", meaning="buys nothing for 30 days"),
            "purchases": PurchaseTerms(
                rules="purchases/1",
                cut="2017-11-30",
                horizon_days=30,
                active_days=90,
                history_days=365,
                categories=("GROCERY",),
                columns=("recency_days", "purchase_days"),
            ),
            "model": LogisticTerms(l2="0.01"),
            "training": FederatedTraining(
                strategy="fedavg",
                rounds=10,
                local_epochs=1,
                batch_rows=64,
                learning_rate="0.1",
                proximal="0",
                server_learning_rate="1",
                beta1="0.9",
                beta2="0.99",
                tau="0.001",
            ),
            "aggregation": msgspec.structs.replace(AGGREGATION, **(aggregation or {})),
            "privacy": None,
            "evaluation": EvaluationTerms(
                held_out_percent=30, split_seed=7, minimum_held_out=100, repeats=1, threshold="0.5"
            ),
            **changes,
        }
    )


def pair(method: str = "masked_he", **changes: Any) -> HorizontalSpec:
    """Two parties, whose sums of two are protected by noise alone."""
    return horizontal(
        parties=2,
        party={"minimum_contributors": 2},
        aggregation={"method": method, "minimum_contributors": 2, "threshold": 2},
        **{"privacy": PRIVACY, **changes},
    )


def made_up(**changes: Any) -> HorizontalSpec:
    """The job of five on made-up data, for research only."""
    changes["party"] = {"legal_basis": "synthetic_or_public_data", **changes.get("party", {})}
    return horizontal(**{"output_use": "research_only", **changes})


def shop_facts(party: str = "east", **changes: Any) -> Facts:
    """What a retailer's own records say of its dataset."""
    dataset = {
        "party_id": party,
        "name": f"{party}_purchases",
        "allowed_purposes": ("churn",),
        "label_purpose": "churn",
    }
    dataset |= {key: changes.pop(key) for key in tuple(changes) if key in dataset}
    return Facts(dataset=DatasetFacts(**dataset), **changes)


def balance(spent: str = "0", after: str | None = "3", **changes: Any) -> PrivacyFacts:
    """What the privacy ledger says for the recipient with least left."""
    return PrivacyFacts(
        **{
            "recipient": "west",
            "delta": "0.000001",
            "spent_epsilon": spent,
            "after_epsilon": after,
            **changes,
        }
    )
