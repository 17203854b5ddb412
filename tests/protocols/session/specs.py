"""A valid JobSpec as plain JSON."""

from __future__ import annotations

from typing import Any


def plain_spec() -> dict[str, Any]:
    """Return a valid spec as plain JSON; each call a new one to change."""
    return {
        "version": "fedcrm-job/1",
        "job_id": "credit-need-1",
        "title": "谁会需要贷款",
        "purpose": "credit_need",
        "output_use": "marketing",
        "agreement": "contract-17",
        "suite": "gm",
        "parties": [
            {
                "party_id": "bank",
                "role": "active_party",
                "public_key": "04" + "11" * 64,
                "jurisdiction": "CN",
                "legal_basis": "CN13_1",
                "dataset": {
                    "name": "bank-customers",
                    "identifier_kind": "phone",
                    "columns": [
                        {"name": "balance", "kind": "numeric"},
                        {"name": "job", "kind": "categorical"},
                    ],
                },
                "minimum_cohort": 1000,
                "approver": "staff-b7",
            },
            {
                "party_id": "retailer",
                "role": "passive_party",
                "public_key": "04" + "22" * 64,
                "jurisdiction": "CN",
                "legal_basis": "CN13_2",
                "dataset": {
                    "name": "shop-customers",
                    "identifier_kind": "phone",
                    "columns": [{"name": "orders", "kind": "numeric"}],
                },
                "minimum_cohort": 2000,
                "approver": "staff-r2",
            },
        ],
        "label": {"party_id": "bank", "name": "took_loan", "meaning": "took a loan"},
        "alignment": {
            "protocol": "ecdh",
            "reveal": "list",
            "to": "both",
            "identifier_rules": "fedcrm-identifiers/1",
        },
        "model": {
            "kind": "boosted_trees",
            "trees": 20,
            "depth": 3,
            "bins": 32,
            "learning_rate": "0.2",
            "l2": "1.0",
            "minimum_bin_count": 10,
            "first_tree_active_only": True,
            "objective": "binary",
            "classes": 1,
            "class_weights": "none",
            "row_sample": "1",
            "one_side_sampling": {"top": "0.2", "other": "0.1"},
            "early_stopping_rounds": 5,
            "validation_percent": 20,
            "paillier_bits": 2048,
            "paillier_randomness": "exact",
        },
        "evaluation": {
            "held_out_percent": 20,
            "split_seed": 7,
            "minimum_held_out": 30,
            "repeats": 1,
            "threshold": "0.5",
        },
        "outputs": [
            {"name": "scores", "recipient": "bank", "form": "band"},
            {"name": "model_half", "recipient": "retailer", "form": "local"},
        ],
        "retention": {
            "row_map_days": 30,
            "intermediate_days": 1,
            "model_days": 365,
            "scores_days": 90,
        },
        "privacy_budget": "none",
        "proposed_by": "staff-b1",
        "created_at": "2026-11-21T08:00:00Z",
        "expires_at": "2026-12-21T08:00:00Z",
    }
