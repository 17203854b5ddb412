"""The made population: who is shared, what is spoiled, and that every party adds something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from party_node.datasets import Dataset, read_dataset
from party_node.quality import profile
from protocols.suite import get_suite
from simulations.job import registration
from simulations.samples import population
from simulations.samples.phones import (
    BANK_STYLES,
    MADE_NUMBERS,
    PREFIXES,
    RETAILER_STYLES,
    made_numbers_at,
    written,
    written_many,
)
from simulations.scenario import Scenario, ScenarioError, made_scenario, prepare

SUITE = get_suite("gm")
PARTIES, ROWS = 3, 6000
SPOILED, COMMON = 6, 4200


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return prepare(made_scenario(PARTIES, ROWS, 7), tmp_path_factory.mktemp("inputs"), SUITE)


@pytest.fixture(scope="module")
def datasets(scenario: Scenario) -> dict[str, Dataset]:
    return {
        party.id: read_dataset(
            registration(scenario, party.id), SUITE, scenario.folder / f"{party.id}-rejects.csv"
        )
        for party in scenario.parties
    }


def test_every_party_must_have_its_rows_and_columns(scenario: Scenario) -> None:
    assert [party.id for party in scenario.parties] == ["bank", "retailer-1", "retailer-2"]
    for party in scenario.parties:
        schema = pq.read_schema(scenario.file(party.id))
        label = ["made_label"] if party.role == "active_party" else []
        features = [name for name in schema.names if name.startswith("made_")]
        assert schema.names[:2] == ["phone", "consent"]
        assert sorted(features) == sorted([*label, *(name for name, _ in party.columns)])
        assert len(party.columns) == population.COLUMNS_PER_PARTY
        assert pq.read_metadata(scenario.file(party.id)).num_rows == ROWS


def test_rejects_must_be_what_was_spoiled(datasets: dict[str, Dataset]) -> None:
    for dataset in datasets.values():
        assert dataset.rows_in_file == ROWS
        unreadable = sum(
            count
            for reason, count in dataset.rejects.items()
            if reason not in ("no_consent", "duplicate_identifier")
        )
        assert 0 < unreadable <= SPOILED
        assert 0 < dataset.rejects["duplicate_identifier"] <= SPOILED
        assert 0.02 < dataset.rejects["no_consent"] / ROWS < 0.06
        assert dataset.left_out == {}


def test_everybody_must_share_the_common_customers_and_no_others(
    datasets: dict[str, Dataset],
) -> None:
    customers = [set(dataset.identifiers) for dataset in datasets.values()]
    everyones = set.intersection(*customers)
    # Each party lacks the few per cent who withhold its consent.
    assert 0.84 * COMMON < len(everyones) < 0.94 * COMMON
    for at, ours in enumerate(customers):
        for theirs in customers[at + 1 :]:
            assert len(ours & theirs) <= COMMON
            assert len(ours & theirs) > 0.88 * COMMON
    assert datasets["bank"].respelled == len(datasets["bank"].identifiers)
    assert 0 < datasets["retailer-1"].respelled < len(datasets["retailer-1"].identifiers)


def test_columns_must_be_as_they_come(scenario: Scenario, datasets: dict[str, Dataset]) -> None:
    for party, dataset in datasets.items():
        found = profile(registration(scenario, party), dataset)
        assert {column.kind for column in found.columns} == {
            "numeric", "integer", "boolean", "date", "categorical",
        }  # fmt: skip
        assert not any(column.warnings for column in found.columns)
        assert all(
            (column.missing > 0) == (column.kind in ("numeric", "categorical"))
            for column in found.columns
        )
    bank = profile(registration(scenario, "bank"), datasets["bank"])
    assert bank.label is not None
    assert 0.15 < bank.label.positive_share < 0.35


def test_every_party_must_add_something(datasets: dict[str, Dataset]) -> None:
    shared = sorted(set.intersection(*(set(d.identifiers) for d in datasets.values())))
    labels = datasets["bank"].labels
    assert labels is not None

    def table(party: str) -> pd.DataFrame:
        dataset = datasets[party]
        columns = {
            f"{party} {column.name}": column.values
            if column.kind == "numeric"
            else pd.factorize(column.values)[0].astype(float)
            for column in dataset.table.columns
        }
        return pd.DataFrame(columns, index=dataset.identifiers).loc[shared]

    answers = pd.Series(labels, index=datasets["bank"].identifiers).loc[shared].to_numpy()
    test = np.arange(len(shared)) % 3 == 0

    def auc(*parties: str) -> float:
        features = pd.concat([table(party) for party in parties], axis=1).to_numpy()
        model = HistGradientBoostingClassifier(max_depth=3, max_iter=60)
        model.fit(features[~test], answers[~test])
        return float(roc_auc_score(answers[test], model.predict_proba(features[test])[:, 1]))

    alone, two, three = auc("bank"), auc("bank", "retailer-1"), auc(*datasets)
    assert 0.55 < alone < two - 0.03
    assert two < three - 0.03
    assert three < 0.95


def test_same_seed_must_give_the_same_files_and_another_seed_others(
    scenario: Scenario, tmp_path: Path
) -> None:
    prepare(made_scenario(PARTIES, ROWS, 7), tmp_path / "again", SUITE)
    prepare(made_scenario(PARTIES, ROWS, 8), tmp_path / "other", SUITE)
    for party in scenario.parties:
        mine = scenario.file(party.id).read_bytes()
        assert (tmp_path / "again" / party.file).read_bytes() == mine
        assert (tmp_path / "other" / party.file).read_bytes() != mine


@pytest.mark.parametrize("columns", [1, 3, 20])
def test_a_party_must_have_as_many_columns_as_asked_for(tmp_path: Path, columns: int) -> None:
    population.write(tmp_path, parties=2, rows=500, seed=1, suite=SUITE, columns_per_party=columns)
    names = pq.read_schema(tmp_path / "retailer-1.parquet").names
    assert names[2:] == list(population.column_kinds(columns))
    assert len(set(names)) == 2 + columns


@pytest.mark.parametrize(
    ("parties", "rows", "message"),
    [
        (1, 1000, "2 to 5 parties"),
        (6, 1000, "2 to 5 parties"),
        (2, 499, "between 500 and"),
        (2, 10**7, "between 500 and"),
    ],
)
def test_a_population_outside_its_limits_must_be_refused(
    tmp_path: Path, parties: int, rows: int, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        made_scenario(parties, rows, 1)
    with pytest.raises(ValueError, match="outside"):
        population.write(tmp_path, parties=parties, rows=rows, seed=1, suite=SUITE)


def test_a_made_scenario_must_say_that_it_is_made(scenario: Scenario) -> None:
    assert "Made population" in scenario.title
    assert scenario.name == "made-3-parties-6000-rows"
    assert scenario.pooled_on_this_machine == "synthetic"
    assert scenario.label.meaning.startswith("made label")
    assert "All data is made" in scenario.provenance_sentences[0]
    assert "nothing about any market" in scenario.limit_sentences[0]
    assert scenario.source_argument == "--parties 3 --rows 6000 --seed 7"
    assert {party.legal_basis for party in scenario.parties} == {"synthetic_or_public_data"}


@pytest.mark.parametrize("rows", [500, 1000, 10_000])
def test_a_small_population_must_pass_its_own_floors(tmp_path: Path, rows: int) -> None:
    small = prepare(made_scenario(5, rows, 3), tmp_path, SUITE)
    shared = set.intersection(
        *(
            set(
                read_dataset(
                    registration(small, party.id), SUITE, tmp_path / "rejects.csv"
                ).identifiers
            )
            for party in small.parties
        )
    )
    assert len(shared) >= max(party.minimum_cohort for party in small.parties)
    # 20 % held out, with room for chance.
    assert 0.15 * len(shared) > small.evaluation.minimum_held_out


def test_many_numbers_must_be_written_as_one_by_one() -> None:
    places = np.array([0, 1, 99_999_999, 10**8, MADE_NUMBERS - 1])
    numbers = made_numbers_at(places)
    assert numbers[0] == int(PREFIXES[0]) * 10**8
    assert numbers[-1] == int(PREFIXES[-1]) * 10**8 + 99_999_999
    for styles in (BANK_STYLES, RETAILER_STYLES):
        for style, _ in enumerate(styles):
            stream = SUITE.stream(bytes(32), b"unused")
            chosen = np.full(len(numbers), style)
            assert written_many(numbers, styles, chosen).to_pylist() == [
                written(str(number), styles[style : style + 1], stream) for number in numbers
            ]
        mixed = np.arange(len(numbers))
        assert written_many(numbers, styles, mixed).to_pylist() == [
            written_many(numbers, styles, np.full(len(numbers), style)).to_pylist()[style]
            for style in mixed
        ]
