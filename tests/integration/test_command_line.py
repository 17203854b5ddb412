"""What a person sees when something is wrong: what, where, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import simulations.cli
from fedcrm import app
from simulations.run import Simulation
from tests.integration import thread_grid
from tests.integration.small_job import write_job


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command as it is, on the threads of this process."""
    original = Simulation.run
    monkeypatch.setattr(
        simulations.cli.Simulation,
        "run",
        lambda self, *, resume: original(self, resume=resume, run_engine=thread_grid.run),
    )


def simulate(scenario: Path, *options: str) -> tuple[int, str, str]:
    out = str(scenario.parent / "out")
    result = CliRunner().invoke(app, ["simulate", str(scenario), "--out", out, *options])
    return result.exit_code, result.stdout, result.stderr


def edit(scenario: Path, old: str, new: str) -> Path:
    text = scenario.read_text()
    assert old in text
    scenario.write_text(text.replace(old, new))
    return scenario


def test_a_whole_run_prints_the_table(tmp_path: Path) -> None:
    status, stdout, stderr = simulate(write_job(tmp_path))
    assert status == 0
    assert re.fullmatch(r"training is expected to take about .+ training customers\)\n", stderr)
    for words in ("shared customers", "180", "bank alone", "Who learned what", "audit verify"):
        assert words in stdout


@pytest.mark.parametrize(
    ("old", "new", "status", "told"),
    [
        ('column = "wants_credit"', 'column = "wants_loan"', 2, ["'wants_loan'", "wants_credit"]),
        ('file = "bank.csv"', 'file = "branch.csv"', 2, ["'branch.csv'", "does not exist"]),
        ("trees = 3", "tress = 3", 2, ["unknown key 'tress'", "did you mean 'trees'"]),
        (
            'identifier = "phone"',
            'identifier = "income"',
            1,
            ["210 of 210 rows", "is 'income' a column of kind phone"],
        ),
        (
            'legal_basis = "synthetic_or_public_data"\nallowed',
            'legal_basis = "because"\nallowed',
            1,
            ["G02", "DENY", "PIPL-13"],
        ),
        ('positive = "1"', 'positive = "perhaps"', 1, ["bank", "labels"]),
        ("bins = 8", "bins = 1", 2, ["bins must be between 2 and 256"]),
    ],
)
def test_a_mistake_in_the_scenario_is_explained(
    tmp_path: Path, old: str, new: str, status: int, told: list[str]
) -> None:
    scenario = edit(write_job(tmp_path), old, new)
    if "income" in new:
        edit(scenario, 'numeric = ["income"]', "")
    code, stdout, stderr = simulate(scenario)
    assert (code, stdout) == (status, "")
    # What training is expected to take is said before it finds anything wrong.
    (*before, first) = stderr[: stderr.index("error: ")].split("\n")
    assert (len(before), first) in ((0, ""), (1, ""))
    assert all(words in stderr for words in told), stderr
    assert "Traceback" not in stderr


def test_a_scenario_that_is_not_there(tmp_path: Path) -> None:
    code, _, stderr = simulate(tmp_path / "nothing.toml")
    assert code == 2
    assert "no scenario" in stderr
    assert "credit-need" in stderr


def test_resume_without_a_run(tmp_path: Path) -> None:
    code, _, stderr = simulate(write_job(tmp_path), "--resume")
    assert code == 2
    assert "no run in" in stderr


def test_a_folder_that_holds_something_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    code, _, stderr = simulate(write_job(tmp_path))
    assert code == 2
    assert "not empty" in stderr
    assert (tmp_path / "out" / "thesis.txt").exists()


def test_broken_rows_and_junk_identifiers_are_counted_not_fatal(tmp_path: Path) -> None:
    scenario = write_job(tmp_path)
    path = tmp_path / "bank.csv"
    lines = path.read_text().splitlines()
    for row in range(1, len(lines), 10):
        lines[row] = "not a phone," + lines[row].split(",", 1)[1]
    lines[2] += ",one field too many"
    path.write_text("\n".join(lines) + "\n")
    code, stdout, stderr = simulate(scenario)
    assert code == 0
    assert "22 rows left out" in stdout
    assert "warning: 10.5% of the rows of bank cannot be used, most often: bad_character" in stderr
    rejects = (tmp_path / "out/nodes/parties/bank/rejects/bank-customers.csv").read_text()
    assert rejects.count("bad_characters") == 21
    assert "2,wrong_number_of_fields," in rejects
    assert "138" not in rejects


def test_a_floor_that_is_not_met(tmp_path: Path) -> None:
    code, stdout, stderr = simulate(write_job(tmp_path, floor=200))
    assert (code, stdout) == (1, "")
    assert "fewer than 200 shared customers: no customer was revealed" in stderr


def test_a_wrong_option_leaves_an_earlier_run_alone(tmp_path: Path) -> None:
    scenario = write_job(tmp_path)
    assert simulate(scenario)[0] == 0
    code, _, stderr = simulate(scenario, "--repeats", "50")
    assert code == 2
    assert "repeats must be between 1 and 20" in stderr
    assert (tmp_path / "out" / "report.html").exists()


def test_a_folder_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    code, _, stderr = simulate(write_job(tmp_path))
    assert code == 2
    assert "cannot write into" in stderr
