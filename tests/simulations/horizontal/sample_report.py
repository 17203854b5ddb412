"""A report of a horizontal run with made numbers: nothing in it was measured on anybody."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from protocols.suite import get_suite
from simulations.horizontal.report.learned import what_each_learned
from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.report.worth import HeldOutScores, measured

REVIEW = (
    {
        "english": "Made review line: nobody alone reads an update; two of {count} organisations "
        "and the coordinator together would be too few.",
        "chinese": "虚构的审阅内容：任何单独一方都读不到更新；{count} 家机构中的两家与协调方合谋仍"
        "不够。",
    },
    {
        "english": "Made review line: an organisation and whoever carries its messages read what "
        "they both know.",
        "chinese": "虚构的审阅内容：一家机构与传递其报文者合谋，可读到双方已知的内容。",
    },
    {
        "english": "Made review line: nothing is said of single customers.",
        "chinese": "虚构的审阅内容：不涉及单个客户。",
    },
)


def names(count: int) -> list[str]:
    """Party ids, in order."""
    return [f"retailer-{number + 1:02d}" for number in range(count)]


def made_scores(party: int, split: int, customers: int, *, pooled: bool) -> HeldOutScores:
    """Labels and scores: alone weak, joint stronger, pooled nearly joint."""
    info = f"made {party} {split}".encode()
    stream = get_suite("gm").stream(bytes(32), info)
    drawn = np.array([stream.below(1 << 20) / (1 << 20) for _ in range(4 * customers)])
    signal, noise, draw, blur = drawn.reshape(4, customers)
    share = 1 / (1 + np.exp(-5 * (signal - 0.5 - 0.02 * (party % 5))))
    return HeldOutScores(
        trained_on=3 * customers,
        rows=np.arange(1, customers + 1, dtype=np.int64) * 3 + split,
        labels=(draw < share).astype(np.uint8),
        alone=0.4 * signal + 0.6 * noise,
        joint=0.8 * signal + 0.2 * noise,
        pooled=0.8 * signal + 0.2 * noise + 0.02 * blur if pooled else None,
    )


def made_sums(
    ids: list[str], rounds: int, dropped: dict[int, list[str]], lost: set[int]
) -> list[dict[str, Any]]:
    """Every sum of a job: ``dropped`` is by sum number; a ``lost`` one's work is done again."""
    work: list[tuple[str, int | None]] = [("statistics", None)]
    work += [("round", number + 1) for number in range(rounds)]
    work.append(("evaluation", None))
    sums: list[dict[str, Any]] = []
    while work:
        number = len(sums)
        what, of_round = work[0]
        missing = dropped.get(number, [])
        opened = number not in lost
        sums.append(
            {
                "number": number,
                "what": what,
                "round": of_round,
                "contributors": [party for party in ids if party not in missing],
                "missing": dict.fromkeys(missing, "no_answer"),
                "opened": opened,
                "lost": "" if opened else "only 2 of the 4 shares it needs came",
                "seconds": 1.8 + 0.1 * (number % 4),
                "party_s": {party: 0.21 + 0.01 * at for at, party in enumerate(ids)}
                | {"coordinator": 0.05 * len(ids)},
            }
        )
        if opened:
            work.pop(0)
    return sums


def plain_report(
    *,
    parties: int = 5,
    splits: int = 1,
    rounds: int = 10,
    pooled: bool = True,
    private: bool = False,
    dropped: dict[int, list[str]] | None = None,
    lost: set[int] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return a whole report as the integrating code may hand it over: plain data."""
    ids = names(parties)
    customers = [60 + 7 * (at % 6) for at in range(parties)]
    scored = [
        {
            party: made_scores(at, split, customers[at], pooled=pooled)
            for at, party in enumerate(ids)
        }
        for split in range(splits)
    ]
    measures = [msgspec.to_builtins(measured(20261121 + n, s)) for n, s in enumerate(scored)]
    columns = ["recency_days", "spent", "purchase_days", "discount_share", "trend_spent"]
    learned = what_each_learned(
        ids,
        method="masked_he",
        columns=len(columns),
        model_parameters=6,
        splits=splits,
        private=private,
        contributors_changed=bool(dropped),
    )
    report: dict[str, Any] = {
        "scenario": "made-churn",
        "title": "Which customers are about to leave",
        "suite": "gm",
        "purpose": "churn",
        "output_use": "research_only",
        "agreement": "made agreement",
        "label": "bought nothing in the 30 days after the cut",
        "seed": 20261121,
        "started_at": "2026-11-21T08:00:00Z",
        "spec_digest": "cd" * 32,
        "retention_days": 30,
        "pooled_on_this_machine": "synthetic" if pooled else "no",
        "provenance": ["All numbers of this report are made."],
        "limits": ["Nothing here was measured."],
        "cut": "2026-09-30",
        "horizon_days": 30,
        "active_days": 90,
        "history_days": 365,
        "columns": columns,
        "model": "logistic_regression",
        "model_parameters": 6,
        "strategy": "fedavg",
        "rounds": rounds,
        "method": "masked_he",
        "threshold": parties // 2 + 1,
        "floor": 3,
        "parties": [
            {
                "party_id": party,
                "jurisdiction": "CN",
                "legal_basis": "synthetic_or_public_data",
                "minimum_contributors": 3,
                "lines_read": 24_310 + 813 * at,
                "rejected": {"missing_date": 12 + at, "number_out_of_range": 3} if at else {},
                "customers": 4 * customers[at],
                "left": round(4 * customers[at] * (0.12 + 0.05 * (at % 4))),
            }
            for at, party in enumerate(ids)
        ],
        "splits": measures,
        "learning": [[n, 0.81 - 0.2 / n] for n in range(1, rounds + 1)],
        "sums": made_sums(ids, rounds, dropped or {}, lost or set()),
        "review": [
            {language: text.format(count=parties) for language, text in line.items()}
            for line in REVIEW
        ],
        "learned": msgspec.to_builtins(learned),
        "precision": {"largest_difference": 1.3e-8, "bound": 4.5e-8},
        "privacy": None,
        "wire": {
            party: {
                "advertise": exchanged(90_000, 1, 450_000, 1),
                "share": exchanged(2_400_000, 1, 90_000, 1),
                "contribute": exchanged(31_000_000 + 1000 * at, 12, 33_000_000, 12),
                "consist": exchanged(12_000, 12, 60_000, 12),
                "unmask": exchanged(24_000, 12, 90_000, 12),
                "finish": exchanged(4_000, 1, 2_700_000, 1),
            }
            for at, party in enumerate(ids)
        },
        "wall_s": 31.4,
        "peak_memory_bytes": 1_240_000_000,
        "gates": [
            {
                "party": party,
                "gate": gate,
                "stage": stage,
                "verdict": verdict,
                "hard": True,
                "reason": f"{party} says so at {stage}.",
                "articles": articles,
                "conditions": ["see to it"] if verdict == "CONDITIONS" else [],
            }
            for stage in ("proposal", "release")
            for party in ids[:2]
            for gate, verdict, articles in (
                ("G02", "CONDITIONS", ["PIPL-13"]),
                ("G03", "ALLOW", ["PIPL-6"]),
            )
        ],
        "parameters": {"strategy": "fedavg", "rounds": rounds, "learning_rate": "0.1"},
        "versions": {"fedcrm": "0.1.0", "python": "3.11.9"},
        "primitives": {"SM2": ["protocols.suite.sm2_signature"], "SM3": ["protocols.suite"]},
        "primitive_exceptions": {"made up": "a reason nobody translated"},
        "audit": {
            log: {"events": 40 + at, "root": f"{at:02x}" * 32, "bundle": f"{log}.zip"}
            for at, log in enumerate(["coordinator", *ids])
        },
        "trust_file": "trust.toml",
    }
    sent = sum(steps["contribute"]["bytes_sent"] for steps in report["wire"].values())
    report["wire"]["coordinator"] = {"contribute": exchanged(sent, 60, sent, 60)}
    if private:
        report["privacy"] = {
            "epsilon": "2.0",
            "delta": "0.00001",
            "clip_norm": "1.0",
            "spent": {party: 1.91 + 0.001 * at for at, party in enumerate(ids)},
            "in_total": dict.fromkeys(ids, 3.82),
        }
    return report | changes


def exchanged(sent: int, sent_in: int, received: int, received_in: int) -> dict[str, int]:
    """What went over the wire, plain."""
    return {
        "bytes_sent": sent,
        "messages_sent": sent_in,
        "bytes_received": received,
        "messages_received": received_in,
    }


def sample_report(**changes: Any) -> HorizontalReport:
    """Return :func:`plain_report` with ``changes``, checked and typed."""
    return msgspec.convert(plain_report(**changes), HorizontalReport)


def one_dropped_each_round(parties: int = 5, rounds: int = 10) -> dict[int, list[str]]:
    """Another party missing in every training round's sum."""
    ids = names(parties)
    return {number: [ids[number % parties]] for number in range(1, rounds + 1)}
