"""Made purchases: as many retailers and customers as asked, with something to learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.horizontal.table import joined
from party_node.purchases import PreparedPurchases, training_table
from protocols.suite import get_suite
from simulations.samples import made_purchases
from simulations.samples.purchase_files import SplitError

SUITE = get_suite("gm")
CUSTOMERS = 300


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedPurchases]:
    folder = tmp_path_factory.mktemp("made")
    sample = made_purchases.write(folder, seed=1, suite=SUITE, parties=5, customers=CUSTOMERS)
    return [
        training_table(file.registration(folder), sample.terms, SUITE, folder / "rejects.csv")
        for file in sample.files
    ]


def test_every_retailer_must_have_customers_who_leave_and_stay(
    prepared: list[PreparedPurchases],
) -> None:
    for made in prepared:
        assert CUSTOMERS * 0.8 < made.facts.customers_in_file <= CUSTOMERS
        assert CUSTOMERS * 0.35 < made.facts.customers < CUSTOMERS * 0.75
        assert 0.15 < made.facts.churned / made.facts.customers < 0.55
        assert made.rejected == {}
        assert made.table.columns == made_purchases.terms().columns
    assert joined([made.table for made in prepared]).rows == sum(
        made.table.rows for made in prepared
    )


def test_who_leaves_must_be_learnable_in_part(prepared: list[PreparedPurchases]) -> None:
    table = joined([made.table for made in prepared])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    scores = cross_val_predict(model, table.values, table.labels, cv=5, method="predict_proba")
    assert 0.78 < roc_auc_score(table.labels, scores[:, 1]) < 0.92


def test_retailers_must_differ(prepared: list[PreparedPurchases]) -> None:
    spent = prepared[0].table.columns.index("spent")
    means = [float(made.table.values[:, spent].mean()) for made in prepared]
    assert np.ptp(means) > 0.3


def test_a_hundred_retailers_must_be_written(tmp_path: Path) -> None:
    sample = made_purchases.write(tmp_path, seed=1, suite=SUITE, parties=100, customers=20)
    assert len(list(tmp_path.glob("*.parquet"))) == len(sample.files) == 100
    last = sample.files[-1]
    made = training_table(last.registration(tmp_path), sample.terms, SUITE, tmp_path / "r.csv")
    assert last.party_id == "retailer-100"
    assert made.table.rows > 0


def test_same_seed_must_give_the_same_files_and_more_retailers_the_same_ones(
    tmp_path: Path,
) -> None:
    arguments = {"suite": SUITE, "customers": 40}
    for name, seed, parties in (("one", 1, 3), ("more", 1, 5), ("other", 2, 3)):
        made_purchases.write(tmp_path / name, seed=seed, parties=parties, **arguments)
    files = [(tmp_path / n / "retailer-2.parquet").read_bytes() for n in ("one", "more", "other")]
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize(("parties", "customers"), [(2, 100), (101, 100), (5, 19), (5, 20_001)])
def test_numbers_outside_the_limits_must_be_refused(
    tmp_path: Path, parties: int, customers: int
) -> None:
    with pytest.raises(SplitError, match=r"to .*, not "):
        made_purchases.write(tmp_path, seed=1, suite=SUITE, parties=parties, customers=customers)
