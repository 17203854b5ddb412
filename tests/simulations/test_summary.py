"""The closing summary says the essentials in 80 columns, and prints no markup of a file's text."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.model import RunReport
from simulations.report.strings import Strings
from simulations.summary import print_summary
from tests.simulations.sample_models import multiclass, network, regression, scorecard
from tests.simulations.sample_run import plain_run, repeated, sample_run, several_parties


def printed(run: RunReport, width: int = 80, t: Strings = ENGLISH) -> str:
    out = StringIO()
    print_summary(run, Console(file=out, width=width), Path("out/credit-need"), t)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_summary_must_fit_the_terminal_and_hold_the_essentials(width: int) -> None:
    text = printed(sample_run(), width)
    # The command is there to be copied: it stays on one line however long.
    lines = [line for line in text.splitlines() if not line.startswith("  fedcrm audit verify")]
    assert max(cell_len(line.rstrip()) for line in lines) <= width
    joined = " ".join(text.split())
    for expected in (
        "customers of bank 3,919 4 rows left out",
        "customers of retailer 4,008 3 rows left out",
        "shared customers 3,521 fewer than 1,000 are not opened",
        "bank alone 0.602 0.557 – 0.647",
        "both tables joined in the clear",
        "Joined with retailer, bank ranks customers better",
        "bank: which 3,521 of its 3,919 customers are also customers of retailer",
        "coordinator: no identifier, row, gradient or score",
        "bank sent 40.4 MB",
        "out/credit-need/report.html",
        "bank.zip, retailer.zip",
        "fedcrm audit verify --trust",
    ):
        assert expected in joined, expected


def test_summary_must_show_a_question_for_legal() -> None:
    gates = [
        gate | ({"verdict": "NEEDS_APPROVAL", "hard": False} if gate["gate"] == "G15" else {})
        for gate in plain_run()["gates"]
    ]
    assert "A legal answer is needed before this is used (G15)" in printed(sample_run(gates=gates))
    assert "legal answer" not in printed(sample_run())


def test_text_of_a_file_must_not_act_as_markup() -> None:
    told = {"key": "columns", "values": {"others": ["[red]y[/]"]}}
    text = printed(sample_run(title="[bold]x[/nothing]", learned={"bank": [told]}))
    assert "[bold]x[/nothing]" in text
    assert "the columns of [red]y[/]" in text


def test_summary_must_speak_english_unless_told() -> None:
    run = sample_run()
    english, chinese = printed(run), printed(run, t=CHINESE)
    assert not re.search(r"[\u4e00-\u9fff]", english)
    assert max(cell_len(line.rstrip()) for line in english.splitlines()[:-1]) <= 80
    for expected in (
        "联合建模后",
        "共有客户数",
        "协调方：",
        "离线核验审计包",
        "双方数据明文合并建模",
    ):
        assert expected in chinese, expected
    lines = [line for line in chinese.splitlines() if not line.startswith("  fedcrm audit verify")]
    assert max(cell_len(line.rstrip()) for line in lines) <= 80


def test_summary_of_several_parties_and_splits_must_name_them_all() -> None:
    several = " ".join(printed(msgspec.convert(several_parties(), RunReport), 160).split())
    for expected in (
        "customers of telco 5,120",
        "customers common to all 3,002",
        "bank with retailer and telco, each keeping its data",
        "all tables joined in the clear",
        "bank: which 3,340 of its 3,919 customers are also customers of telco",
        "telco sent 500 kB",
        "retailer.zip, telco.zip",
    ):
        assert expected in several, expected
    repeats = " ".join(printed(msgspec.convert(repeated(), RunReport)).split())
    assert "Predicted, on the first of 3 splits: asked" in repeats
    assert "mean AUC 0.820 instead of 0.610 over 3 splits" in repeats


@pytest.mark.parametrize("t", [ENGLISH, CHINESE])
@pytest.mark.parametrize("made", [regression, multiclass, scorecard, network])
def test_summary_of_any_label_and_model_must_fit_the_terminal(t: Strings, made: Any) -> None:
    text = printed(msgspec.convert(made(), RunReport), t=t)
    lines = [line for line in text.splitlines() if not line.startswith("  fedcrm audit verify")]
    assert max(cell_len(line.rstrip()) for line in lines) <= 80
    assert "{" not in text


def test_summary_must_show_the_measures_of_the_label() -> None:
    numbers = " ".join(printed(msgspec.convert(regression(), RunReport)).split())
    for expected in ("RMSE 95 % interval MAE R²", "bank alone 400.9 366.3 – 438.7 290.6 0.388"):
        assert expected in numbers, expected
    named = " ".join(printed(msgspec.convert(multiclass(), RunReport)).split())
    for expected in ("Accuracy 95 % interval", "bank alone 35.8 % 32.1 % – 39.7 % 1.405 0.642"):
        assert expected in named, expected


def test_summary_must_name_a_model_that_is_not_trees_and_what_it_kept() -> None:
    run = scorecard()
    run["train"] |= {"predicted_s": 19.0, "predicted_bytes": 8_000_000}
    text = " ".join(printed(msgspec.convert(run, RunReport)).split())
    for expected in (
        "Model a scorecard",
        "bank: 2 of 7 columns are in the scorecard.",
        "retailer: 1 of 4 columns are in the scorecard.",
        "training took 21.4 s (predicted 19.0 s)",
        "training sent 8.1 MB (predicted 8.0 MB)",
    ):
        assert expected in text, expected
    trees = printed(sample_run())
    assert "boosted trees" not in trees
    assert "predicted" not in trees
