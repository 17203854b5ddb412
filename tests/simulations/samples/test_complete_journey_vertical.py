"""A bank and a retailer made of one chain's households: linked by made numbers only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from party_node.datasets import read_dataset
from protocols.identifiers import normalise
from protocols.suite import get_suite
from simulations.job import registration
from simulations.samples import complete_journey, complete_journey_vertical
from simulations.scenario import Scenario, load, prepare

SUITE = get_suite("gm")


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return prepare(load("churn-vertical"), tmp_path_factory.mktemp("inputs"), SUITE)


@pytest.fixture(scope="module")
def sides(scenario: Scenario) -> tuple[pd.DataFrame, pd.DataFrame]:
    bank = pd.read_csv(scenario.file("bank"), dtype=str, keep_default_na=False)
    return bank, pd.read_parquet(scenario.file("retailer"))


def test_scenarios_columns_must_be_all_the_files_have(
    scenario: Scenario, sides: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    bank, retailer = sides
    listed = {party.id: [name for name, _ in party.columns] for party in scenario.parties}
    assert [*bank] == ["mobile", *listed["bank"]]
    assert [*retailer] == ["phone", *listed["retailer"], "left"]
    assert tuple(listed["retailer"]) == complete_journey_vertical.terms().columns


def test_every_row_must_be_usable_and_the_bank_know_only_shared_customers(
    scenario: Scenario, sides: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    read = {
        party.id: read_dataset(registration(scenario, party.id), SUITE, tmp_path / party.id)
        for party in scenario.parties
    }
    assert {party: len(data.identifiers) for party, data in read.items()} == {
        "bank": 801,
        "retailer": 2323,
    }
    assert all(data.rejects == {} and data.left_out == {} for data in read.values())
    assert set(read["bank"].identifiers) <= set(read["retailer"].identifiers)
    bank, retailer = sides
    assert set(bank["mobile"]).isdisjoint(retailer["phone"])


def joined(sides: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    bank, retailer = (
        side.assign(customer=[normalise("phone", number) for number in side.iloc[:, 0]])
        for side in sides
    )
    return bank.merge(retailer, on="customer")


def test_rows_must_be_the_same_households_on_both_sides(
    sides: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """Households with the bank's and the retailer's values together are in the source together."""
    lines = complete_journey.purchase_lines()
    people = complete_journey.read_tables("demographics")["demographics"]
    history = lines[(lines["time"] >= "2017-01-05") & (lines["time"] < "2017-12-01")]
    spent = np.log1p(history.groupby("household")["amount"].sum().rename("real"))
    real = people.merge(spent, left_on="household_id", right_index=True)
    expected = sorted(zip(real["age"], real["income"], real["real"].round(6), strict=True))
    shared = joined(sides)
    found = sorted(zip(shared["age"], shared["income"], shared["spent"].round(6), strict=True))
    assert len(found) == 801
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], abs=2e-6)


def test_sentences_must_hold(sides: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """What the report says of the data: who left, and what the bank adds in the clear."""
    shared = joined(sides)
    left = (shared["left"] == "yes").to_numpy()
    assert (len(shared), left.sum()) == (801, 66)
    purchases = shared[list(complete_journey_vertical.terms().columns)]
    family = pd.get_dummies(shared[list(complete_journey_vertical.BANK_COLUMNS)])

    def auc(features: pd.DataFrame) -> float:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        scores = cross_val_predict(
            model, features.to_numpy(float), left, cv=5, method="predict_proba"
        )
        return float(roc_auc_score(left, scores[:, 1]))

    alone = auc(purchases)
    assert alone == pytest.approx(0.82, abs=0.03)
    assert auc(purchases.join(family)) < alone + 0.01


def test_same_seed_must_give_the_same_files_and_another_seed_others(
    scenario: Scenario, tmp_path: Path
) -> None:
    for seed in (scenario.seed, 5):
        complete_journey_vertical.write(tmp_path / str(seed), seed=seed, suite=SUITE)
    for party in scenario.parties:
        written = scenario.file(party.id).read_bytes()
        assert (tmp_path / str(scenario.seed) / party.file).read_bytes() == written
        assert (tmp_path / "5" / party.file).read_bytes() != written
