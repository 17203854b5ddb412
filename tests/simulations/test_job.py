"""A scenario becomes the job its parties sign, and what each node registers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from protocols.identifiers import RULES_VERSION
from protocols.session.decoded_spec import decode_spec
from protocols.session.job_spec import JobSpec
from protocols.suite import get_suite
from simulations.job import job_spec, registration
from simulations.scenario import Scenario, ScenarioError, load, made_scenario

SUITE = get_suite("gm")
KEYS = {"bank": "aa", "retailer": "bb"}


def spec_of(scenario: Scenario) -> JobSpec:
    return job_spec(
        scenario,
        KEYS,
        job_id="job-1",
        created_at="2026-11-21T08:00:00Z",
        expires_at="2026-11-28T08:00:00Z",
    )


@pytest.mark.parametrize("name", ["credit-need", "credit-risk"])
def test_spec_must_have_one_encoding_and_survive_it(name: str) -> None:
    spec = spec_of(load(name))
    assert decode_spec(spec.to_bytes()) == spec
    assert spec.digest(SUITE) == spec_of(load(name)).digest(SUITE)


def test_spec_must_say_what_the_scenario_says() -> None:
    spec = spec_of(load("credit-need"))
    assert (spec.active_party.party_id, spec.active_party.public_key) == ("bank", "aa")
    assert [p.party_id for p in spec.passive_parties] == ["retailer"]
    assert spec.label.meaning == "asked for a credit above 1,000 (Amount > 1000)"
    assert spec_of(load("credit-risk")).label.meaning.endswith("(Status = bad)")
    assert spec.alignment.identifier_rules == RULES_VERSION
    assert (spec.model.learning_rate, spec.model.l2) == ("0.2", "1.0")
    assert spec.evaluation.split_seed == load("credit-need").seed
    assert (spec.evaluation.repeats, spec.evaluation.threshold) == (1, "0.5")
    assert (spec.suite, spec.alignment.protocol) == ("gm", "ecdh")
    assert spec.cohort_floor == 1000
    assert spec.retention is not None
    assert spec.retention.scores_days == 30
    recipients = {
        o.name: {x.recipient for x in spec.outputs if x.name == o.name} for o in spec.outputs
    }
    assert recipients == {
        "scores": {"bank"},
        "metrics": {"bank"},
        "model_half": {"bank", "retailer"},
        "aligned_rows": {"bank", "retailer"},
    }
    assert spec.proposed_by not in {party.approver for party in spec.parties}


def test_registration_must_match_the_signed_terms() -> None:
    scenario = msgspec.structs.replace(load("credit-need"), folder=Path("/data"))
    spec = spec_of(scenario)
    for party in spec.parties:
        registered = registration(scenario, party.party_id)
        assert registered.name == party.dataset.name
        assert registered.columns == party.dataset.columns
        assert registered.minimum_cohort == party.minimum_cohort
    bank, retailer = registration(scenario, "bank"), registration(scenario, "retailer")
    assert bank.path == "/data/bank.csv"
    assert bank.label is not None
    assert (bank.label.column, bank.label.above, bank.label_purpose) == (
        "Amount",
        1000,
        "credit_need",
    )
    assert (retailer.label, retailer.label_purpose) == (None, None)
    with pytest.raises(KeyError):
        registration(scenario, "nobody")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trees": 0}, "trees must be between"),
        ({"minimum_bin_count": 1}, "minimum_bin_count must be between"),
        ({"learning_rate": Decimal("0")}, "learning_rate must be in"),
        ({"paillier_bits": 1024}, "paillier_bits must be 2048 or 3072"),
    ],
)
def test_parameter_below_a_floor_must_be_refused(change: dict[str, object], message: str) -> None:
    scenario = load("credit-need")
    weak = msgspec.structs.replace(
        scenario, model=msgspec.structs.replace(scenario.model, **change)
    )
    with pytest.raises(ScenarioError, match=message) as caught:
        spec_of(weak)
    assert caught.value.message.startswith("credit-need.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repeats": 21}, "repeats must be between 1 and 20"),
        ({"threshold": Decimal("1")}, "threshold must be between 0 and 1"),
    ],
)
def test_evaluation_outside_its_bounds_must_be_refused(
    change: dict[str, object], message: str
) -> None:
    scenario = load("credit-need")
    wrong = msgspec.structs.replace(scenario.evaluation, **change)
    with pytest.raises(ScenarioError, match=message):
        spec_of(msgspec.structs.replace(scenario, evaluation=wrong))


def test_a_made_population_must_become_a_job_of_all_its_parties() -> None:
    scenario = made_scenario(5, 2000, 1)
    keys = {party.id: f"{at:02x}" for at, party in enumerate(scenario.parties)}
    spec = job_spec(
        scenario,
        keys,
        job_id="job-1",
        created_at="2026-11-21T08:00:00Z",
        expires_at="2026-11-28T08:00:00Z",
    )
    assert len(spec.passive_parties) == 4
    kinds = {column.kind for column in spec.active_party.dataset.columns}
    assert kinds == {"numeric", "integer", "boolean", "date", "categorical"}
    for party in spec.parties:
        registered = registration(scenario, party.party_id)
        assert registered.columns == party.dataset.columns
        assert registered.consent_column == "consent"


def test_party_without_a_key_must_be_refused() -> None:
    with pytest.raises(KeyError):
        job_spec(load("credit-need"), {"bank": "aa"}, job_id="j", created_at="", expires_at="")
