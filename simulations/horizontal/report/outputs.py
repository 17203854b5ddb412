"""What a horizontal run leaves for machines: ``metrics.json``, ``wire.json``, ``scores.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from typing import Any

import msgspec

from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.report.strings import IN_ENGLISH
from simulations.horizontal.report.worth import HeldOutScores, by_party, overall
from simulations.report.worth import WHICH

SCORES_HEAD = ("party", "row", "label", "score_alone", "score_joint")


def metrics_json(run: HorizontalReport) -> dict[str, Any]:
    """Return what ``metrics.json`` holds: the run in English, and what it says computed.

    ``metrics`` has by model ``auc``, the mean of the parties' own AUCs weighted by held-out
    customers, and ``auc_over_all``, of all parties' held-out customers in one ranking, where the
    model has it. The differences are of ``auc`` for joint minus alone, and of ``auc_over_all`` for
    joint minus pooled.
    """
    facts: dict[str, Any] = msgspec.to_builtins(run)
    whole = overall(run)
    for name in ("threshold", "method", "floor", "precision", "review"):
        facts.pop(name)
    for name in ("model", "model_parameters", "strategy", "rounds", "wall_s", "peak_memory_bytes"):
        facts.pop(name)
    facts["parties"] = [party.party_id for party in run.parties]
    facts["party_facts"] = {
        party.party_id: {k: v for k, v in msgspec.to_builtins(party).items() if k != "party_id"}
        | {"left_share": party.left_share}
        for party in run.parties
    }
    facts["train"] = {
        "model": run.model,
        "parameters": run.model_parameters,
        "strategy": run.strategy,
        "rounds": run.rounds,
        "wall_s": run.wall_s,
        "bytes": sum(step.bytes_sent for steps in run.wire.values() for step in steps.values()),
        "peak_memory_bytes": run.peak_memory_bytes,
    }
    facts["metrics"] = {
        which: {
            name: values[which]
            for name, values in (("auc", whole.within), ("auc_over_all", whole.over_all))
            if which in values
        }
        for which in WHICH
        if which in whole.within or which in whole.over_all
    }
    facts["differences"] = {
        name: msgspec.to_builtins(gap)
        for name, gap in (("joint_minus_alone", whole.gain), ("joint_minus_pooled", whole.cost))
        if gap is not None
    }
    facts["by_party"] = {
        worth.party_id: {
            "held_out": worth.held_out,
            "auc_alone": worth.alone,
            "auc_joint": worth.joint,
            "joint_minus_alone": msgspec.to_builtins(worth.gain),
        }
        for worth in by_party(run)
    }
    facts["aggregation"] = {
        "method": run.method,
        "threshold": run.threshold if run.masked else None,
        "floor": run.floor,
        "precision": msgspec.to_builtins(run.precision),
        "review": [sentence.said(IN_ENGLISH) for sentence in run.review],
    }
    facts["learned"] = {
        party: [sentence.said(IN_ENGLISH) for sentence in sentences]
        for party, sentences in run.learned.items()
    }
    return facts


def wire_json(run: HorizontalReport) -> dict[str, Any]:
    """Return what ``wire.json`` holds: bytes and messages by party and step."""
    facts: dict[str, Any] = msgspec.to_builtins(run.wire)
    return facts


def scores_csv(parties: Mapping[str, HeldOutScores]) -> str:
    """Return ``scores.csv``: every party's held-out customers of one split, by own row number."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SCORES_HEAD)
    for party, scores in parties.items():
        columns = zip(scores.rows, scores.labels, scores.alone, scores.joint, strict=True)
        writer.writerows(
            (party, row, label, f"{alone:.9f}", f"{joint:.9f}")
            for row, label, alone, joint in columns
        )
    return text.getvalue()
