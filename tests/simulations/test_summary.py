"""The closing summary says the essentials in 80 columns, and prints no markup of a file's text."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from simulations.report.model import RunReport
from simulations.summary import print_summary
from tests.simulations.sample_run import plain_run, sample_run


def printed(run: RunReport, width: int = 80) -> str:
    out = StringIO()
    print_summary(run, Console(file=out, width=width), Path("out/credit-need"))
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
        "bank: which 3,521 of its customers the retailer also has",
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
    text = printed(sample_run(title="[bold]x[/nothing]", learned={"bank": ["[red]y[/]"]}))
    assert "[bold]x[/nothing]" in text
    assert "bank: [red]y[/]" in text
