"""The comparison in the clear: only where declared, and on the joint model's customers."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from protocols.suite import get_suite
from simulations.job import job_spec
from simulations.pooled import Pooled, compare_in_the_clear
from simulations.scenario import LabelTable, Scenario, ScenarioError, changed, load, prepare

SUITE = get_suite("gm")


def pooled(scenario: Scenario) -> Pooled:
    spec = job_spec(
        scenario,
        {"bank": "aa", "retailer": "bb"},
        job_id="job-1",
        created_at="2026-11-21T08:00:00Z",
        expires_at="2026-11-28T08:00:00Z",
    )
    return compare_in_the_clear(scenario, spec, SUITE)


@pytest.fixture(scope="module")
def need(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return prepare(load("credit-need"), tmp_path_factory.mktemp("inputs"), SUITE)


@pytest.fixture(scope="module")
def result(need: Scenario) -> Pooled:
    return pooled(need)


def test_pooled_model_must_rank_as_the_demonstration_says(result: Pooled) -> None:
    assert result.objective == "binary"
    assert result.measures["auc"] == pytest.approx(0.83, abs=0.03)
    assert result.measures["auc"] == pytest.approx(roc_auc_score(result.labels, result.scores))
    customers = len(result.labels)
    assert 0.17 < customers / (customers + result.trained_on) < 0.23


def test_rows_must_be_those_of_the_active_partys_file(need: Scenario, result: Pooled) -> None:
    bank = pd.read_csv(need.file("bank"))
    amounts = bank["Amount"].to_numpy()[result.source_rows - 1]
    assert np.array_equal(amounts > 1000, result.labels == 1)
    assert (np.diff(result.source_rows) > 0).all()


def test_same_scenario_must_give_the_same_scores(need: Scenario, result: Pooled) -> None:
    assert np.array_equal(pooled(need).scores, result.scores)
    other = pooled(msgspec.structs.replace(need, seed=need.seed + 1))
    assert not np.array_equal(other.source_rows, result.source_rows)


def test_scores_must_be_found_by_row_in_any_order(result: Pooled) -> None:
    reversed_rows = result.source_rows[::-1]
    assert np.array_equal(result.scores_of(reversed_rows), result.scores[::-1])
    for others in (result.source_rows[1:], result.source_rows + 1):
        with pytest.raises(ValueError, match="not the customers"):
            result.scores_of(others)


def with_label(need: Scenario, **label: Any) -> Scenario:
    """The scenario with another rule for its label, and fewer trees."""
    table = LabelTable(
        column=label.pop("column"), meaning="made for a test", purpose=need.label.purpose, **label
    )
    return msgspec.structs.replace(changed(need, {"trees": 8}), label=table)


def test_a_number_must_be_predicted_as_one(need: Scenario) -> None:
    found = pooled(with_label(need, column="Amount", number=True))
    assert found.objective == "regression"
    bank = pd.read_csv(need.file("bank"))
    assert np.array_equal(bank["Amount"].to_numpy()[found.source_rows - 1], found.labels)
    assert set(found.measures) == {"rmse", "mae", "r2"}
    assert found.measures["r2"] == pytest.approx(r2_score(found.labels, found.scores))
    assert found.measures["r2"] > 0.3
    reversed_rows = found.source_rows[::-1]
    assert np.array_equal(found.scores_of(reversed_rows), found.scores[::-1])


def test_a_class_must_be_predicted_as_one(need: Scenario) -> None:
    with_class = classes_of_amounts(need)
    found = pooled(with_class)
    assert found.objective == "multiclass"
    assert found.scores.shape == (len(found.labels), 3)
    assert found.scores.sum(axis=1) == pytest.approx(1)
    named = found.scores.argmax(axis=1)
    assert found.measures["accuracy"] == pytest.approx(accuracy_score(found.labels, named))
    usual = np.bincount(found.labels).max() / len(found.labels)
    assert found.measures["accuracy"] > usual + 0.05
    assert np.array_equal(found.scores_of(found.source_rows[::-1]), found.scores[::-1])


def classes_of_amounts(need: Scenario) -> Scenario:
    """The scenario with the amount asked for in three classes, in files of its own."""
    folder = need.folder / "classes"
    shutil.copytree(need.folder, folder)
    bank = folder / need.active_party.file
    table = pd.read_csv(bank, dtype=str)
    amount = table["Amount"].astype(float)
    table["size"] = np.select([amount < 800, amount < 1200], ["small", "middle"], "large")
    table.to_csv(bank, index=False)
    made = with_label(need, column="size", classes=("small", "middle", "large"))
    return msgspec.structs.replace(made, folder=folder, sample=None)


def test_early_stopping_must_set_the_same_rows_aside(need: Scenario, result: Pooled) -> None:
    tables = msgspec.structs.replace(need.model, early_stopping_rounds=2)
    found = pooled(msgspec.structs.replace(need, model=tables))
    assert np.array_equal(found.source_rows, result.source_rows)
    assert found.trained_on == result.trained_on
    assert not np.array_equal(found.scores, result.scores)
    assert found.measures["auc"] == pytest.approx(result.measures["auc"], abs=0.03)


def test_scorecard_must_rank_nearly_as_well_as_trees(need: Scenario, result: Pooled) -> None:
    found = pooled(changed(need, {"model": "scorecard"}))
    assert np.array_equal(found.source_rows, result.source_rows)
    assert np.array_equal(found.labels, result.labels)
    assert found.measures["auc"] == pytest.approx(result.measures["auc"], abs=0.05)


def test_network_must_learn_from_the_true_labels(need: Scenario, result: Pooled) -> None:
    model = changed(need, {"model": "split_network"})
    quick = msgspec.structs.replace(model.model, epochs=4, label_epsilon=Decimal("0.1"))
    found = pooled(msgspec.structs.replace(model, model=quick))
    assert np.array_equal(found.source_rows, result.source_rows)
    # With labels randomised at this epsilon hardly anything could be learned.
    assert found.measures["auc"] > 0.75


def test_pooling_must_be_refused_where_the_scenario_does_not_allow_it(tmp_path: Path) -> None:
    scenario = msgspec.structs.replace(
        load("credit-need"), pooled_on_this_machine="no", folder=tmp_path
    )
    with pytest.raises(ScenarioError, match="does not allow joining") as caught:
        pooled(scenario)
    assert "authorised" in caught.value.hint
