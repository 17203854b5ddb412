"""The comparison in the clear: only where declared, and on the joint model's customers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from protocols.suite import get_suite
from simulations.job import job_spec
from simulations.pooled import Pooled, compare_in_the_clear
from simulations.scenario import Scenario, ScenarioError, load, prepare

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
    assert result.metrics.auc == pytest.approx(0.83, abs=0.03)
    assert result.metrics.auc == pytest.approx(roc_auc_score(result.labels, result.scores))
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


def test_pooling_must_be_refused_where_the_scenario_does_not_allow_it(tmp_path: Path) -> None:
    scenario = msgspec.structs.replace(
        load("credit-need"), pooled_on_this_machine="no", folder=tmp_path
    )
    with pytest.raises(ScenarioError, match="does not allow joining") as caught:
        pooled(scenario)
    assert "authorised" in caught.value.hint
