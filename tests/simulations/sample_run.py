"""A run report made of plain data, for tests of the page, the JSON and the summary."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from protocols.suite import get_suite
from simulations.report.measures import over_repeats, ranking
from simulations.report.model import RunReport
from simulations.report.worth import Repeat


def made_scores(count: int = 600) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels and three models' scores: alone weak, joint strong, pooled nearly joint."""
    stream = get_suite("gm").stream(bytes(32), b"sample run")
    uniform = np.array([stream.below(1 << 20) / (1 << 20) for _ in range(3 * count)])
    signal, noise, draw = uniform.reshape(3, count)
    joint = 1 / (1 + np.exp(-5 * (signal - 0.5)))
    alone = 1 / (1 + np.exp(-1.2 * (0.3 * signal + 0.7 * noise - 0.5)))
    labels = (draw < joint).astype(np.uint8)
    return labels, {"alone": alone, "joint": joint, "pooled": np.round(joint, 2)}


def shared(own: str, other: str, customers: int) -> dict[str, Any]:
    """What a party learns from an intersection."""
    sizes = {"bank": 3919, "retailer": 4008, "telco": 5120}
    values = {"shared": customers, "own": sizes[own], "other": other, "others_size": sizes[other]}
    return {"key": "shared", "values": values}


def made_column(
    name: str,
    kind: str,
    spread: Any,
    *,
    distinct: int = 90,
    missing: int = 0,
    duplicate_of: str | None = None,
    used: bool = True,
    warned: str = "",
) -> dict[str, Any]:
    """A column's profile: three values of a number or a date, or the most frequent share."""
    warnings = {"label": ["looks_like_the_label"]}.get(warned, [])
    ordered = isinstance(spread, tuple)
    low, median, high = spread if ordered else (None, None, None)
    return {
        "name": name,
        "kind": kind,
        "missing": missing,
        "distinct": distinct,
        "minimum": low,
        "median": median,
        "maximum": high,
        "most_frequent_share": None if ordered else spread,
        "used": used,
        "constant": False,
        "duplicate_of": duplicate_of,
        "warnings": [*warnings, *(["duplicate"] if duplicate_of else [])],
    }


def profile(
    party: str,
    rows: int,
    usable: int,
    *columns: dict[str, Any],
    label: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A party's profile of its table, as its node writes it."""
    if label is not None:
        share = label["positives"] / (label["positives"] + label["negatives"])
        label = label | {"positive_share": share, "warnings": []}
    return {
        "dataset": f"{party}-customers",
        "rows_in_file": rows,
        "usable": usable,
        "rejected": {},
        "identifier_kind": "phone",
        "respelled": 1204,
        "label": label,
        "columns": list(columns),
    }


def plain_run(**changes: Any) -> dict[str, Any]:
    """Return a whole run as the integrating code may hand it over: plain data.

    ``changes`` of a part of what joining was worth go where that part is.
    """
    labels, scores = made_scores()
    worth = msgspec.to_builtins(ranking(labels, scores, "0.5"))
    worth |= {name: changes.pop(name) for name in worth.keys() & changes}
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
            "pairwise": {"retailer": 3521},
            "floor": 1000,
            "wall_s": 4.21,
            "bytes": 812_345,
        },
        "train": {"model": "boosted_trees", "rounds": 20, "wall_s": 95.3, "bytes": 41_234_567},
        "held_out": {"customers": len(labels), "positives": int(labels.sum()), "trained_on": 2921},
        "worth": worth,
        "learned": {
            "bank": [
                {"key": "columns", "values": {"others": ["retailer"]}},
                shared("bank", "retailer", 3521),
                {
                    "key": "gradient_sums",
                    "values": {"training": 2921, "passives": ["retailer"]},
                },
                {"key": "held_out_sides", "values": {"held_out": 600}},
            ],
            "retailer": [
                {"key": "columns_and_label", "values": {"others": ["bank"]}},
                shared("retailer", "bank", 3521),
                {"key": "nodes", "values": {"training": 2921}},
                {"key": "no_scores"},
            ],
            "coordinator": [{"key": "job_terms"}, {"key": "sizes"}, {"key": "no_contents"}],
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
        "quality": {
            "bank": profile(
                "bank",
                3924,
                3919,
                made_column("Income", "numeric", (6, 165, 959), missing=381),
                made_column("Job", "categorical", 0.66, distinct=4, missing=2),
                made_column("Debt", "numeric", (0, 0, 30000), duplicate_of="Assets", used=False),
                made_column("Amount asked", "numeric", (-5, 12.5, 0.00004), warned="label"),
                label={"name": "Amount", "positives": 1840, "negatives": 2079},
            ),
            "retailer": profile(
                "retailer",
                4013,
                4008,
                made_column("Price", "numeric", (105, 1400, 11140)),
                made_column("Home", "categorical", 0.474, distinct=6, missing=6),
                made_column("Since", "date", ("2019-02-01", "2021-07-15", "2024-12-31")),
            ),
        },
        "importance": {
            "bank": {"Income": 30.0, "Seniority": 60.0, "Job": 10.0, "Debt": 0.0},
            "retailer": {"Price": 7900.0, "Age": 2100.0, "Home": 0.0},
        },
        "gain_by_party": {"bank": 100.0, "retailer": 400.0},
        "parameters": {"trees": 20, "depth": 3, "learning_rate": "0.2", "first_tree": True},
        "versions": {"fedcrm": "0.1.0", "python": "3.11.9"},
        "primitives": {
            "HMAC-SM3": ["protocols.suite.symmetric"],
            "Paillier": ["protocols.paillier.private_key", "protocols.paillier.public_key"],
            "SM2": ["protocols.suite.sm2_curve", "protocols.suite.sm2_signature"],
            "SM3": ["protocols.suite.symmetric"],
            "SM4-GCM": ["protocols.suite.symmetric"],
            "made up": ["simulations.nowhere"],
        },
        "primitive_exceptions": {
            "Paillier": "sums over encrypted values need a homomorphic scheme, and neither suite "
            "has one",
            "made up": "a reason nobody translated",
        },
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


def repeated(**changes: Any) -> dict[str, Any]:
    """Return :func:`plain_run` with three splits; the mean gain is 0.2, give or take."""
    repeats = [
        {
            "split_seed": 20261121 + number,
            "trained_on": 2900 - number,
            "customers": 600 + number,
            "positives": 300,
            "alone": {"auc": 0.60 + number / 100, "ks": 0.15 + number / 50},
            "joint": {"auc": 0.80 + number / 50, "ks": 0.45 + number / 50},
        }
        for number in range(3)
    ]
    means = over_repeats("binary", msgspec.convert(repeats, list[Repeat]))
    return plain_run(repeats=repeats, over_repeats=msgspec.to_builtins(means)) | changes


def several_parties(**changes: Any) -> dict[str, Any]:
    """Return :func:`plain_run` with a second passive party."""
    run = plain_run()
    retailer = run["parties"][1]
    run["parties"] = [
        *run["parties"],
        retailer | {"party_id": "telco", "rows_in_file": 5125, "columns": ["Calls", "Roaming"]},
    ]
    run["psi"]["sizes"]["telco"] = 5120
    run["psi"] |= {"intersection": 3002, "pairwise": {"retailer": 3521, "telco": 3340}}
    run["importance"]["telco"] = {"Calls": 10.0, "Roaming": 30.0}
    run["gain_by_party"]["telco"] = 100.0
    run["learned"] = {
        "bank": [
            {"key": "columns", "values": {"others": ["retailer", "telco"]}},
            shared("bank", "retailer", 3521),
            shared("bank", "telco", 3340),
            {"key": "only_common", "values": {"common": 3002}},
        ],
        "telco": [
            {"key": "columns_and_label", "values": {"others": ["bank", "retailer"]}},
            shared("telco", "bank", 3340),
            {"key": "which_common", "values": {"common": 3002, "others": ["retailer"]}},
        ],
    }
    run["wire"]["telco"] = {"align": {"bytes": 500_000, "messages": 12}}
    run["audit"]["telco"] = {"events": 57, "root": "2e" * 32, "bundle": "telco.zip"}
    return run | changes
