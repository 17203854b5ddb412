"""What a horizontal run leaves for machines and prints at its end."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.report.outputs import SCORES_HEAD, metrics_json, scores_csv, wire_json
from simulations.horizontal.report.strings import IN_CHINESE, IN_ENGLISH
from simulations.horizontal.report.summary import print_summary
from simulations.horizontal.report.worth import overall
from tests.simulations.horizontal.sample_report import (
    made_scores,
    names,
    one_dropped_each_round,
    sample_report,
)


def printed(run: HorizontalReport, t: Any = IN_ENGLISH, width: int = 100) -> str:
    console = Console(width=width, record=True, file=StringIO())
    print_summary(run, console, Path("out/churn"), t)
    return console.export_text()


def test_metrics_json_must_hold_the_run_and_what_joining_was_worth() -> None:
    run = sample_report(splits=3, dropped=one_dropped_each_round(), lost={4})
    facts = json.loads(json.dumps(metrics_json(run), allow_nan=False))
    whole = overall(run)
    assert whole.cost is not None
    assert (facts["scenario"], facts["suite"], facts["purpose"]) == ("made-churn", "gm", "churn")
    assert facts["parties"] == names(5)
    assert facts["train"]["model"] == "logistic_regression"
    assert facts["train"]["rounds"] == 10
    assert facts["train"]["bytes"] > 100_000_000
    for which in ("alone", "joint", "pooled"):
        assert facts["metrics"][which]["auc"] == pytest.approx(whole.within[which])
    assert "auc_over_all" not in facts["metrics"]["alone"]
    assert facts["differences"]["joint_minus_pooled"]["value"] == pytest.approx(whole.cost.value)
    assert len(facts["splits"]) == 3
    assert facts["by_party"]["retailer-03"]["auc_joint"] > 0.5
    assert facts["aggregation"]["method"] == "masked_he"
    assert facts["aggregation"]["threshold"] == 3
    assert facts["aggregation"]["precision"]["bound"] == 4.5e-8
    assert facts["aggregation"]["review"][0].startswith("Made review line")
    assert facts["sums"][4]["opened"] is False
    assert facts["sums"][1]["missing"] == {"retailer-02": "no_answer"}
    assert facts["party_facts"]["retailer-02"]["rejected"]["missing_date"] == 13
    assert set(facts["learned"]) == {*names(5), "coordinator"}
    assert all(isinstance(said, str) for said in facts["learned"]["coordinator"])
    assert facts["audit"]["retailer-01"]["events"] == 41
    assert facts["privacy"] is None


def test_metrics_json_must_say_nothing_of_what_was_not_there() -> None:
    facts = metrics_json(sample_report(pooled=False, method="ckks", private=True))
    assert set(facts["metrics"]) == {"alone", "joint"}
    assert set(facts["differences"]) == {"joint_minus_alone"}
    assert facts["aggregation"]["threshold"] is None
    assert facts["privacy"]["spent"]["retailer-01"] == pytest.approx(1.91)


def test_wire_json_must_hold_what_each_sent_and_received() -> None:
    facts = wire_json(sample_report())
    assert set(facts) == {*names(5), "coordinator"}
    assert facts["retailer-02"]["contribute"] == {
        "bytes_sent": 31_001_000,
        "messages_sent": 12,
        "bytes_received": 33_000_000,
        "messages_received": 12,
    }


def test_scores_must_stand_by_party_and_own_row() -> None:
    scored = {party: made_scores(at, 0, 30, pooled=False) for at, party in enumerate(names(2))}
    rows = list(csv.reader(StringIO(scores_csv(scored))))
    assert tuple(rows[0]) == SCORES_HEAD
    assert len(rows) == 61
    party, row, label, alone, joint = rows[31]
    second = scored["retailer-02"]
    assert (party, row, label) == ("retailer-02", str(second.rows[0]), str(second.labels[0]))
    assert float(alone) == pytest.approx(second.alone[0], abs=1e-9)
    assert float(joint) == pytest.approx(second.joint[0], abs=1e-9)


def test_summary_must_say_what_the_report_says_first() -> None:
    run = sample_report(splits=10, dropped=one_dropped_each_round())
    text = " ".join(printed(run).split())
    for expected in (
        "5 organisations rank their own customers better",
        "It cost no accuracy that can be shown",
        "In 10 of 12 encrypted sums somebody was missing",
        "Encryption itself changed the model by at most",
        run.review[0].english,
        run.review[-1].english,
        "logistic regression, 6 numbers",
        "FedAvg, 10 rounds",
        "1.2 GB",
        "out/churn/report.html",
        "fedcrm audit verify --trust out/churn/trust.toml out/churn/coordinator.zip",
    ):
        assert expected in text, expected
    assert run.review[1].english not in text
    assert "differential privacy" not in text.lower()  # the review's line says it, once
    for party in names(5):
        assert party in text
    chinese = "".join(printed(run, IN_CHINESE).split())
    assert "5家机构对各自客户的排序能力提高" in chinese
    assert "虚构的审阅内容" in chinese


def test_summary_must_list_the_first_of_many_and_never_take_text_for_markup() -> None:
    run = sample_report(parties=50, pooled=False, private=True, title="[red]Who[/red] leaves")
    text = printed(run)
    assert "[red]Who[/red] leaves" in text
    assert "38 more are in the report" in text
    assert "retailer-13 " not in text.split("38 more")[0]
    assert "epsilon at most, of the 2.0 agreed" in " ".join(text.split())
    warned = printed(sample_report(precision={"largest_difference": 1.0, "bound": 1e-9}))
    assert "Do not use this model" in warned
