"""``fedcrm simulate`` of a horizontal scenario: which options there are, and what each changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from fedcrm import app
from simulations.horizontal import command
from simulations.horizontal.command import Options, show
from simulations.horizontal.report.outputs import metrics_json
from simulations.horizontal.run import HorizontalSimulation
from simulations.horizontal.scenario import load
from tests.simulations.horizontal.sample_report import sample_report

EVERY = Options(
    "churn",
    None,
    suite="intl",
    repeats=2,
    model="multilayer_perceptron",
    made=(4, 50, 9),
    method="masks",
    strategy="fedadam",
    rounds=3,
    split="random",
    data=Path("tables"),
    one_away=True,
)


def simulate(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["simulate", *arguments])
    return result.exit_code, result.stderr


def test_without_options_nothing_is_changed() -> None:
    options = Options("churn", None)
    assert options.changes() == {}
    assert options.typed() == ""


def test_each_option_changes_its_key_of_the_file() -> None:
    scenario = load("churn", EVERY.changes())
    assert (scenario.suite, scenario.seed) == ("intl", 9)
    assert scenario.model.__struct_config__.tag == "multilayer_perceptron"
    assert scenario.aggregation.method == "masks"
    assert (scenario.training.strategy, scenario.training.rounds) == ("fedadam", 3)
    assert scenario.evaluation.repeats == 2
    assert scenario.sample is not None
    made = scenario.sample
    assert (made.name, made.parties, made.rows, made.split) == (
        "made_purchases",
        4,
        50,
        "random",
    )
    assert scenario.pooled_on_this_machine == "synthetic"


def test_what_is_typed_gives_the_same_options_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the command a hint shows, there to be copied."""
    given: list[Options] = []

    def run(options: Options) -> tuple[Any, Any]:
        given.append(options)
        return None, None

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "show", lambda *_, as_json: None)
    assert simulate("churn", *EVERY.typed().split()) == (0, "")
    assert simulate("churn") == (0, "")
    assert given == [EVERY, Options("churn", None)]


@pytest.mark.parametrize("option", ["--protocol=ecdh", "--trees=3", "--plan"])
def test_options_of_shared_customers_are_refused(option: str) -> None:
    name = option.partition("=")[0]
    assert simulate("churn", option) == (
        2,
        f"error: {name} is not an option of a horizontal scenario\n"
        "hint: see fedcrm simulate --help\n",
    )


@pytest.mark.parametrize(
    "option",
    [
        "--method=masks",
        "--strategy=fedavg",
        "--rounds=2",
        "--split=random",
        "--data=.",
        "--one-away",
    ],
)
def test_options_of_churn_are_refused_for_shared_customers(option: str) -> None:
    name = option.partition("=")[0]
    status, told = simulate("credit-need", option)
    assert (status, told.splitlines()[0]) == (
        2,
        f"error: {name} is not an option of a scenario of shared customers",
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rows", "50"], "--parties and --rows go together"),
        (["--parties", "3", "--rows", "7"], "20 to 20000 customers, not 7"),
        (["--parties", "3", "--rows", "50", "--rounds", "0"], "rounds"),
        (["--split", "by_moon"], "split = 'by_moon' is none: home_store"),
        (["--model", "boosted_trees"], "churn.toml with model.kind"),
    ],
)
def test_a_wrong_value_is_a_wrong_call(tmp_path: Path, options: list[str], told: str) -> None:
    status, said = simulate("churn", "--out", str(tmp_path / "out"), *options)
    assert status == 2, said
    assert told in said
    assert "\nhint: " in said


def simulation(folder: Path) -> HorizontalSimulation:
    return HorizontalSimulation.of("churn", folder, changes={})


def test_many_lines_nobody_can_use_are_told_with_where_the_reasons_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = sample_report()
    show(simulation(tmp_path), report, as_json=True)
    few = capsys.readouterr()
    assert few.err == ""
    assert json.loads(few.out) == json.loads(json.dumps(metrics_json(report)))
    worse = list(report.parties)
    worse[2] = replace(worse[2], rejected={"missing_date": worse[2].lines_read // 10})
    show(simulation(tmp_path), replace(report, parties=tuple(worse)), as_json=True)
    told = capsys.readouterr().err
    assert told.startswith("warning: 10.0% of the lines of retailer-03 cannot be used")
    assert str(simulation(tmp_path).workspace.party("retailer-03") / "rejects") in told
    assert told.count("\n") == 1
