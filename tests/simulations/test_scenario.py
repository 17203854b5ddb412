"""Scenario files are read strictly, and every refusal says what is wrong and what to do."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from protocols.suite import get_suite
from simulations.scenario import (
    BUILTIN,
    Scenario,
    ScenarioError,
    changed,
    load,
    made_scenario,
    prepare,
)

SUITE = get_suite("gm")

TEXT = """
name = "churn-2026"
title = "Who leaves"
purpose = "churn"
output_use = "research_only"
agreement = "A-17"
seed = 7
pooled_on_this_machine = "synthetic"
provenance = ["Made for a test."]
[[parties]]
id = "telco"
role = "active_party"
file = "telco.csv"
identifier = "phone"
identifier_kind = "phone"
numeric = ["months"]
categorical = ["plan"]
jurisdiction = "CN"
legal_basis = "CN13_1"
allowed_purposes = ["churn"]
[[parties]]
id = "shop"
role = "passive_party"
file = "tables/shop.parquet"
identifier = "number"
identifier_kind = "phone"
numeric = ["spend"]
jurisdiction = "EU"
legal_basis = "EU6_1a"
allowed_purposes = ["churn"]
minimum_cohort = 500
[label]
column = "left"
purpose = "churn"
positive = "yes"
meaning = "left within 90 days"
[model]
trees = 5
learning_rate = 0.15
l2 = 1
[retention]
days = 10
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    telco = pd.DataFrame({"phone": ["1"], "months": [3], "plan": ["a"], "left": ["yes"]})
    telco.to_csv(tmp_path / "telco.csv", index=False)
    (tmp_path / "tables").mkdir()
    pd.DataFrame({"number": ["1"], "spend": [2.5]}).to_parquet(tmp_path / "tables/shop.parquet")
    return tmp_path


def loaded(folder: Path, text: str = TEXT) -> Scenario:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_scenario_file_must_load_with_defaults_and_exact_decimals(folder: Path) -> None:
    scenario = loaded(folder)
    assert scenario.active_party.id == "telco"
    (shop,) = scenario.passive_parties
    assert shop.id == "shop"
    assert scenario.file("shop") == folder / "tables/shop.parquet"
    assert scenario.active_party.columns == (("months", "numeric"), ("plan", "categorical"))
    assert (scenario.active_party.minimum_cohort, shop.minimum_cohort) == (1000, 500)
    assert (scenario.active_party.consent_column, shop.consent_column) == (None, None)
    assert scenario.model.learning_rate == Decimal("0.15")
    assert (scenario.model.trees, scenario.model.paillier_bits) == (5, 2048)
    assert (scenario.suite, scenario.alignment.protocol) == ("gm", "ecdh")
    assert scenario.evaluation.held_out_percent == 20
    assert (scenario.evaluation.repeats, scenario.evaluation.threshold) == (1, Decimal("0.5"))
    assert scenario.provenance_sentences == ("Made for a test.",)
    assert scenario.limit_sentences == ()
    assert prepare(scenario, folder / "unused", SUITE) is scenario
    assert not (folder / "unused").exists()


@pytest.mark.parametrize("name", BUILTIN)
def test_packaged_scenarios_must_load_and_place_their_sample(name: str, tmp_path: Path) -> None:
    scenario = prepare(load(name), tmp_path / "inputs", SUITE)
    assert scenario.name == name
    assert scenario.pooling_allowed
    assert all(scenario.file(party.id).is_file() for party in scenario.parties)
    features = {column for party in scenario.parties for column, _ in party.columns}
    assert features.isdisjoint({"Amount", "Time", "Status"})
    said = " ".join((*scenario.provenance_sentences, *scenario.limit_sentences))
    assert "phone numbers are made" in said
    assert "split of that one table" in said


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("trees = 5", "tress = 5", r"unknown key 'tress' in \[model\]", "did you mean 'trees'"),
        ("seed = 7", "seed = 7\ncolour = 1", "unknown key 'colour'", "the keys are: name, title"),
        ('id = "telco"', 'id = "telco"\nx = 1', r"unknown key 'x' in \[\[parties\]\]", "numeric"),
        ('agreement = "A-17"', "", "missing key 'agreement'", "contract"),
        (
            'agreement = "A-17"',
            'agreement = " "',
            "agreement = ' ' is not a reference",
            "A-2026/17",
        ),
        ('legal_basis = "CN13_1"', "", r"missing key 'legal_basis' in \[\[parties\]\]", "CN13_1"),
        ('agreement = "A-17"', 'agreement = "13912345678"', "is not a reference", "A-2026/17"),
        ('title = "Who leaves"', 'title = ""', "title is empty", "in words"),
        ('legal_basis = "CN13_1"', 'legal_basis = ""', "telco: legal_basis = '' is none", "CN13_1"),
        ('["months"]', '["13912345678"]', "column name '13912345678' cannot be logged", "rename"),
        ("[retention]\ndays = 10", "", "missing key 'retention'", "days ="),
        ('purpose = "churn"\noutput', 'purpose = "fun"\noutput', "purpose: .*fun", "credit_need"),
        ("seed = 7", "seed = -7", "seed must be", "whole number"),
        ("seed = 7", 'seed = "7"', "seed: expected `int`", "commented examples"),
        ('"synthetic"', '"sure"', "'sure' is not an answer", "authorised: <reference>"),
        ('"synthetic"', '"authorised:"', "is not an answer", "authorised: <reference>"),
        ('"synthetic"', '"Public"', "is not an answer", '"public"'),
        ('id = "shop"', 'id = "telco"', "two parties are called 'telco'", "its own id"),
        ('id = "shop"', 'id = "coordinator"', "called 'coordinator'", "has that name"),
        ('id = "shop"', 'id = "../shop"', "'../shop' is not usable", "lower-case"),
        ('name = "churn-2026"', 'name = "../x"', "name must be", "credit-need"),
        ('"passive_party"', '"active_party"', "one active_party and one to four", "label"),
        ('"passive_party"', '"boss"', "role: .*boss", "commented examples"),
        ('numeric = ["spend"]', "", "shop has no columns", "numeric"),
        ('numeric = ["spend"]', 'date = ["spend"]\nboolean = ["spend"]', "'spend' twice", "once"),
        ('["months"]', '["months"]\nconsent_column = "months"', "consent column 'months'", "take"),
        ('["months"]', '["months"]\nconsent_column = "phone"', "also the consent column", "two"),
        ('["months"]', '["months"]\nconsent_column = "left"', "label is the consent column", "pre"),
        ('["months"]', '["months"]\nconsent_column = "ok"', "no column 'ok'", "months, plan, left"),
        ("seed = 7", "seed = 7\nsample_rows = 900", "goes with sample = .population.", "10000"),
        ("seed = 7", "seed = 7\nsample = 'population'", "sample_rows goes with", "10,000 made"),
        (
            "seed = 7",
            "seed = 7\nsample = 'population'\nsample_rows = 5",
            "sample_rows must be between 500 and",
            "10000",
        ),
        ("seed = 7", "seed = 7\nsuite = 'other'", "suite: .*other", "commented examples"),
        ("days = 10", "days = 10\n[alignment]\nprotocol = 'hash'", "alignment.protocol", "exam"),
        ('["months"]', '["months", "plan"]', "telco lists 'plan' twice", "once"),
        ('["months"]', '["months", "phone"]', "identifier 'phone' is also a feature", "take it"),
        ('["months"]', '["months", "left"]', "label 'left' is also a feature", "take it"),
        ('column = "left"', 'column = "phone"', "label is the identifier", "predicted"),
        ('column = "left"', 'column = "lefd"', r"no column 'lefd' \(label\)", "mean 'left'.*plan"),
        ('["months"]', '["month"]', r"no column 'month' \(numeric\)", "phone, months, plan, left"),
        ('"number"', '"phone"', r"no column 'phone' \(identifier\)", "number, spend"),
        ('positive = "yes"', "", "one of positive, above, classes", "above = a number"),
        (
            'positive = "yes"',
            'positive = "yes"\nabove = 3',
            "one of positive, above, classes",
            "above",
        ),
        ('positive = "yes"', "positive = 1", "label.positive", 'positive = "1"'),
        ('positive = "yes"', "above = nan", "finite", "1000"),
        ("minimum_cohort = 500", "minimum_cohort = 0", "at least 1", "1000"),
        ("days = 10", "days = -1", "must not be negative", "0 deletes"),
        ('file = "telco.csv"', 'file = "no.csv"', "of telco, 'no.csv', does not exist", "looked"),
        ('file = "telco.csv"', 'file = "mine.toml"', "neither .csv nor .parquet", "export"),
        ("seed = 7", "sample = 'other'\nseed = 7", "sample: .*other", "credit_data"),
        ("seed = 7", "seed = ", "is not TOML: .*line", "line"),
    ],
)
def test_mistake_must_be_explained(
    folder: Path, old: str, new: str, message: str, hint: str
) -> None:
    assert old in TEXT
    with pytest.raises(ScenarioError) as caught:
        loaded(folder, TEXT.replace(old, new, 1))
    assert caught.value.message.startswith("mine.toml")
    assert re.search(message, caught.value.message), caught.value.message
    assert re.search(hint, caught.value.hint), caught.value.hint


def test_every_kind_of_column_and_every_choice_must_load(folder: Path) -> None:
    table = pd.read_parquet(folder / "tables/shop.parquet")
    for name in ("visits", "member", "since", "city", "agreed"):
        table[name] = "1"
    table.to_parquet(folder / "tables/shop.parquet")
    lists = (
        'categorical = ["city"]\ndate = ["since"]\nnumeric = ["spend"]\nboolean = ["member"]\n'
        'integer = ["visits"]\nconsent_column = "agreed"'
    )
    more = "[alignment]\nprotocol = 'server_aided'\n[evaluation]\nrepeats = 5\nthreshold = 0.30\n"
    text = TEXT.replace('numeric = ["spend"]', lists) + more
    scenario = loaded(folder, text.replace("seed = 7", "seed = 7\nsuite = 'intl'"))
    (shop,) = scenario.passive_parties
    assert shop.columns == (
        ("spend", "numeric"),
        ("visits", "integer"),
        ("member", "boolean"),
        ("since", "date"),
        ("city", "categorical"),
    )
    assert shop.consent_column == "agreed"
    assert (scenario.suite, scenario.alignment.protocol) == ("intl", "server_aided")
    assert (scenario.evaluation.repeats, scenario.evaluation.threshold) == (5, Decimal("0.30"))


PASSIVE = """
[[parties]]
id = "shop-{}"
role = "passive_party"
file = "tables/shop.parquet"
identifier = "number"
identifier_kind = "phone"
numeric = ["spend"]
jurisdiction = "CN"
legal_basis = "CN13_1"
allowed_purposes = ["churn"]
"""


@pytest.mark.parametrize("passives", [1, 2, 4, 5])
def test_one_to_four_passive_parties_must_be_allowed(folder: Path, passives: int) -> None:
    text = TEXT + "".join(PASSIVE.format(number) for number in range(2, passives + 1))
    if passives > 4:
        with pytest.raises(ScenarioError, match="one to four passive_party, not 6 parties"):
            loaded(folder, text)
    else:
        ids = [party.id for party in loaded(folder, text).passive_parties]
        assert ids == ["shop", *(f"shop-{number}" for number in range(2, passives + 1))]


@pytest.mark.parametrize("answer", ["public", "synthetic", "authorised: DPO-2026-11", "no"])
def test_pooling_must_follow_the_declared_answer(folder: Path, answer: str) -> None:
    scenario = loaded(folder, TEXT.replace('"synthetic"', f'"{answer}"', 1))
    assert scenario.pooling_allowed is (answer != "no")


def test_absent_scenario_must_name_the_packaged_ones(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no scenario 'credit'") as caught:
        load("credit")
    assert "credit-need, credit-risk" in caught.value.hint
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(ScenarioError, match="it is not UTF-8"):
        load(tmp_path / "latin.toml")
    with pytest.raises(ScenarioError, match="cannot read"):
        load(tmp_path)


def test_unreadable_table_must_not_quote_its_rows(folder: Path) -> None:
    (folder / "tables/shop.parquet").write_bytes(b"13912345678 is no Parquet")
    with pytest.raises(ScenarioError) as caught:
        loaded(folder)
    assert "cannot be read as parquet" in caught.value.message
    assert "13912345678" not in caught.value.message + caught.value.hint


def test_a_scorecard_of_three_parties_must_be_refused_before_it_runs() -> None:
    three = made_scenario(3, 1000, 1)
    with pytest.raises(ScenarioError, match="trained by two parties, not 3"):
        changed(three, {"model": "scorecard"})
    assert changed(made_scenario(2, 1000, 1), {"model": "scorecard"}).model.epochs > 0
