"""A run report made of plain data, for tests of the page, the JSON and the summary."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from protocols.suite import get_suite
from simulations.report.measures import curve, difference, metrics
from simulations.report.model import RunReport


def made_scores(count: int = 600) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels and three models' scores: alone weak, joint strong, pooled nearly joint."""
    stream = get_suite("gm").stream(bytes(32), b"sample run")
    uniform = np.array([stream.below(1 << 20) / (1 << 20) for _ in range(3 * count)])
    signal, noise, draw = uniform.reshape(3, count)
    joint = 1 / (1 + np.exp(-5 * (signal - 0.5)))
    alone = 1 / (1 + np.exp(-1.2 * (0.3 * signal + 0.7 * noise - 0.5)))
    labels = (draw < joint).astype(np.uint8)
    return labels, {"alone": alone, "joint": joint, "pooled": np.round(joint, 2)}


def plain_run(**changes: Any) -> dict[str, Any]:
    """Return a whole run as the integrating code may hand it over: plain data."""
    labels, scores = made_scores()
    run: dict[str, Any] = {
        "scenario": "credit-need",
        "title": "Who will ask for a credit above 1,000",
        "suite": "gm",
        "purpose": "credit_need",
        "output_use": "research_only",
        "agreement": "sample agreement",
        "label": "asked for a credit above 1,000 (Amount > 1000)",
        "seed": 20261121,
        "started_at": "2026-11-21T08:00:00Z",
        "spec_digest": "ab" * 32,
        "retention_days": 30,
        "pooled_on_this_machine": "public",
        "provenance": ["The values come from one real table.", "The phone numbers are made."],
        "limits": ["Everybody in this table applied for a credit."],
        "parties": [
            {
                "party_id": "bank",
                "role": "active_party",
                "jurisdiction": "CN",
                "legal_basis": "synthetic_or_public_data",
                "minimum_cohort": 1000,
                "rows_in_file": 3924,
                "columns": ["Seniority", "Income", "Assets", "Debt", "Expenses", "Records", "Job"],
            },
            {
                "party_id": "retailer",
                "role": "passive_party",
                "jurisdiction": "CN",
                "legal_basis": "synthetic_or_public_data",
                "minimum_cohort": 1000,
                "rows_in_file": 4013,
                "columns": ["Price", "Age", "Home", "Marital"],
            },
        ],
        "psi": {
            "protocol": "ecdh",
            "sizes": {"bank": 3919, "retailer": 4008},
            "intersection": 3521,
            "floor": 1000,
            "wall_s": 4.21,
            "bytes": 812_345,
        },
        "train": {"model": "boosted_trees", "rounds": 20, "wall_s": 95.3, "bytes": 41_234_567},
        "held_out": {"customers": len(labels), "positives": int(labels.sum()), "trained_on": 2921},
        "metrics": {which: msgspec.to_builtins(metrics(labels, scores[which])) for which in scores},
        "differences": {
            f"joint_minus_{other}": msgspec.to_builtins(
                difference(labels, scores["joint"], scores[other])
            )
            for other in ("alone", "pooled")
        },
        "curves": {which: msgspec.to_builtins(curve(labels, scores[which])) for which in scores},
        "learned": {
            "bank": [
                "which 3,521 of its customers the retailer also has",
                "scores of these customers, and sums of gradients in shuffled bins",
            ],
            "retailer": [
                "which 3,521 of its customers the bank also has",
                "at its own splits, which of these customers fall on which side",
            ],
        },
        "gates": [
            {
                "party": party,
                "gate": gate,
                "stage": stage,
                "verdict": verdict,
                "hard": gate != "G15",
                "reason": f"{party} says so at {stage}.",
                "articles": articles,
                "conditions": ["see to it"] if verdict == "CONDITIONS" else [],
            }
            for stage in ("proposal", "release")
            for party in ("bank", "retailer")
            for gate, verdict, articles in (
                ("G02", "CONDITIONS", ["PIPL-13", "PIPL-23"]),
                ("G03", "ALLOW", ["PIPL-6"]),
                ("G15", "ALLOW", ["CRR-2"]),
            )
        ],
        "rejects": {
            "bank": {"duplicate_identifier": 2, "missing_identifier": 1, "bad_characters": 1},
            "retailer": {"duplicate_identifier": 2, "malformed": 1},
        },
        "importance": {
            "bank": {"Income": 30.0, "Seniority": 60.0, "Job": 10.0, "Debt": 0.0},
            "retailer": {"Price": 7900.0, "Age": 2100.0, "Home": 0.0},
        },
        "gain_by_party": {"bank": 100.0, "retailer": 400.0},
        "parameters": {"trees": 20, "depth": 3, "learning_rate": "0.2", "first_tree": True},
        "versions": {"fedcrm": "0.1.0", "python": "3.11.9"},
        "phase_s": {"align": 4.21, "train": 95.3, "evaluate": 0.04},
        "wire": {
            "bank": {
                "align": {"bytes": 400_000, "messages": 9},
                "train": {"bytes": 40_000_000, "messages": 140},
            },
            "retailer": {
                "align": {"bytes": 412_345, "messages": 9},
                "train": {"bytes": 1_234_567, "messages": 120},
            },
        },
        "audit": {
            "bank": {"events": 61, "root": "0c" * 32, "bundle": "bank.zip"},
            "retailer": {"events": 58, "root": "1d" * 32, "bundle": "retailer.zip"},
        },
        "trust_file": "trust.toml",
    }
    run.update(changes)
    return run


def sample_run(**changes: Any) -> RunReport:
    """Return :func:`plain_run` with ``changes``, checked and typed."""
    return msgspec.convert(plain_run(**changes), RunReport)
