"""Horizontal scenario files: what is read, what is changed, and what an error names."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulations.horizontal.scenario import BUILTIN, LogisticTable, is_horizontal, load
from simulations.scenario_tables import ScenarioError

OWN = """
kind = "horizontal"
name = "own"
title = "Who stops buying"
output_use = "research_only"
agreement = "contract-1"
seed = 7
pooled_on_this_machine = "no"

[[parties]]
id = "north"
file = "north.parquet"
identifier = "customer"
columns = { time = "date", amount = "paid" }
jurisdiction = "CN"
legal_basis = "CN13_1"
allowed_purposes = ["churn"]

[[parties]]
id = "south"
file = "south.csv"
identifier = "card"
columns = { time = "day", unit_price = "price", quantity = "pieces" }
jurisdiction = "CN"
legal_basis = "CN13_1"
allowed_purposes = ["churn"]

[purchases]
cut = "2017-11-30"
columns = ["recency_days", "spent"]

[model]
l2 = 0.10

[retention]
days = 30
"""


def written(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(folder: Path, text: str, changes: dict[str, Any] | None = None) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load(written(folder, text), changes or {})
    assert caught.value.hint
    assert caught.value.message.startswith("own.toml")
    return caught.value


@pytest.mark.parametrize("name", BUILTIN)
def test_packaged_scenarios_are_read(name: str) -> None:
    scenario = load(name, {})
    assert (scenario.name, scenario.source, scenario.source_argument) == (
        name,
        f"{name}.toml",
        name,
    )
    assert scenario.sample is not None
    assert scenario.pooling_allowed


def test_own_files_are_relative_to_the_scenario_or_to_what_was_named(tmp_path: Path) -> None:
    source = written(tmp_path, OWN)
    scenario = load(source, {})
    assert scenario.folder == tmp_path
    assert [party.file for party in scenario.parties] == ["north.parquet", "south.csv"]
    assert scenario.parties[1].columns.unit_price == "price"
    assert not scenario.pooling_allowed
    assert load(source, {}, tmp_path / "elsewhere").folder == tmp_path / "elsewhere"


def test_decimals_keep_the_digits_that_were_written(tmp_path: Path) -> None:
    model = load(written(tmp_path, OWN), {}).model
    assert model == LogisticTable(l2=Decimal("0.10"))
    assert str(model.l2) == "0.10"


def test_changes_take_the_place_of_what_the_file_says() -> None:
    scenario = load(
        "churn",
        {
            "suite": "intl",
            "aggregation.method": "masks",
            "training.rounds": 3,
            "sample": {"name": "made_purchases", "parties": 4, "rows": 50},
        },
    )
    assert (scenario.suite, scenario.aggregation.method, scenario.training.rounds) == (
        "intl",
        "masks",
        3,
    )
    assert scenario.sample is not None
    assert (scenario.sample.name, scenario.sample.parties) == ("made_purchases", 4)
    unchanged = load("churn", {})
    assert scenario.aggregation.minimum_contributors == unchanged.aggregation.minimum_contributors
    assert scenario.training.local_epochs == unchanged.training.local_epochs


def test_another_model_has_its_own_defaults() -> None:
    """The file's keys are the old model's."""
    scenario = load("churn", {"model.kind": "multilayer_perceptron"})
    assert scenario.model.__struct_config__.tag == "multilayer_perceptron"
    assert scenario.model.hidden == (32,)  # type: ignore[union-attr]


def test_a_table_the_file_leaves_out_can_be_changed(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, OWN), {"evaluation.repeats": 2})
    assert scenario.evaluation.repeats == 2


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("seed = 7", 'seed = "7"', "$.seed"),
        ("seed = 7", "", "`seed`"),
        ("seed = 7", "seed = 7\nseeds = 8", "`seeds`"),
        ("l2 = 0.10", "l3 = 0.10", "`l3`"),
        ("l2 = 0.10", 'kind = "boosted_trees"', "boosted_trees"),
        ("days = 30", "days = 30\nweeks = 4", "$.retention"),
        ('identifier = "card"', "", "$.parties[1]"),
        ('unit_price = "price"', 'prize = "price"', "$.parties[1].columns"),
        ('jurisdiction = "CN"', 'jurisdiction = "US"', "$.parties[0].jurisdiction"),
        ('id = "south"', 'id = "north"', "party ids must differ"),
        ('[purchases]\ncut = "2017-11-30"\ncolumns = ["recency_days", "spent"]', "", "[purchases]"),
        ("[retention]", '[sample]\nname = "made_purchases"\n[retention]', "either a sample or"),
    ],
)
def test_an_error_names_the_file_and_the_key(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    assert old in OWN
    assert named in refused(tmp_path, OWN.replace(old, new, 1)).message


def test_a_scenario_without_anybody_is_refused(tmp_path: Path) -> None:
    nobody = OWN[: OWN.index("[[parties]]")] + OWN[OWN.index("[purchases]") :]
    assert "either a sample or parties" in refused(tmp_path, nobody).message


def test_what_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    error = refused(tmp_path, OWN.replace("seed = 7", "seed ="))
    assert "is not TOML" in error.message
    assert "line 7" in error.message


def test_an_error_in_a_change_names_the_change(tmp_path: Path) -> None:
    error = refused(tmp_path, OWN, {"aggregation.method": "plain"})
    assert "own.toml with aggregation.method" in error.message
    assert "$.aggregation.method" in error.message


def test_kinds_of_scenario_are_told_apart(tmp_path: Path) -> None:
    assert all(is_horizontal(name) for name in BUILTIN)
    assert is_horizontal(written(tmp_path, OWN))
    for source in ("credit-need", "churn-vertical", str(tmp_path / "none.toml"), str(tmp_path)):
        assert not is_horizontal(source)
    assert not is_horizontal(written(tmp_path, OWN.replace('kind = "horizontal"', "")))
    assert not is_horizontal(written(tmp_path, 'kind = "horizontal'))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    assert not is_horizontal(str(tmp_path / "binary.toml"))
