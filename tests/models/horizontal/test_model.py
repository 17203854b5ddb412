"""The trained model's file, and what it says of customers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import model_file
from models.horizontal import clear
from models.horizontal.model import TrainedModel
from models.model_file import ModelFile
from protocols.errors import DecodeError, LocalProtocolError
from tests.models.horizontal.made import (
    LOGISTIC,
    PERCEPTRON,
    PUBLIC_SEED,
    SUITE,
    damaged,
    evaluation,
    made_tables,
    seeds,
    training,
)

MODELS = {"logistic_regression": LOGISTIC, "multilayer_perceptron": PERCEPTRON}


@pytest.fixture(scope="module", params=MODELS)
def trained(request):
    tables, model = made_tables(2), MODELS[request.param]
    run = clear.federated(
        tables,
        model,
        training(),
        evaluation(),
        suite=SUITE,
        public_seed=PUBLIC_SEED,
        seeds=seeds(tables),
    )
    table = tables["party-0"]
    return TrainedModel.of(run.state, run.scaling, model, table.columns, repeat=1), run, table


def test_the_file_holds_the_whole_model(trained):
    model, run, table = trained
    found = TrainedModel.from_bytes(model.to_bytes())
    assert found.to_bytes() == model.to_bytes()
    assert (found.kind, found.columns, found.hidden) == (model.kind, table.columns, model.hidden)
    file = model_file.read(model.to_bytes())
    assert (file.kind, file.role) == (MODELS[model.kind].kind, "party")
    assert file.facts["columns"] == [{"name": n, "kind": "numeric"} for n in table.columns]
    scores = found.predict(table.columns, table.values)
    assert np.allclose(scores.probabilities, run.predict(table)[1], rtol=0, atol=1e-14)


def test_shares_of_logistic_regression_add_up_to_the_log_odds(trained):
    model, _, table = trained
    found = model.predict(table.columns, table.values)
    if model.hidden:
        assert found.contributions == {}
        return
    shares = np.sum(list(found.contributions.values()), axis=0)
    assert np.allclose(found.margins, shares + model.parameters[-1], atol=1e-13)
    at_mean = model.predict(table.columns, model.mean[None])
    assert [share[0] for share in at_mean.contributions.values()] == [0.0] * 4


def test_other_columns_and_values_are_refused(trained):
    model, _, table = trained
    with pytest.raises(LocalProtocolError, match="column 0, column 1, column 2, column 3"):
        model.predict(table.columns[::-1], table.values)
    for bad in (table.values[:, :3], table.values[0], table.values * np.nan):
        with pytest.raises(LocalProtocolError, match="finite, one row a customer"):
            model.predict(table.columns, bad)


def _refile(model, facts=None, arrays=None, **changes):
    file = model_file.read(model.to_bytes())
    return model_file.encode(
        ModelFile(
            changes.get("kind", file.kind),
            changes.get("role", file.role),
            {**file.facts, **(facts or {})},
            {**file.arrays, **(arrays or {})},
        )
    )


CHANGES = {
    "another kind": {"kind": "scorecard"},
    "the other kind": {"kind": "other"},
    "a half's role": {"role": "active_party"},
    "no columns": {"facts": {"columns": []}},
    "a column twice": {"facts": {"columns": [{"name": "column 0", "kind": "numeric"}] * 4}},
    "a category": {
        "facts": {"columns": [{"name": f"{n}", "kind": "categorical"} for n in range(4)]}
    },
    "a fact more": {"facts": {"more": 1}},
    "other layers": {"facts": {"hidden": [7]}},
    "huge layers": {"facts": {"hidden": [2**40]}},
    "no deviation": {"arrays": {"deviation": np.zeros(4)}},
    "a parameter less": {"arrays": {"parameters": np.zeros(4)}},
    "single precision": {"arrays": {"mean": np.zeros(4, np.float32)}},
    "an array more": {"arrays": {"more": np.zeros(1)}},
}


@pytest.mark.parametrize("case", CHANGES)
def test_files_of_no_such_model_are_refused(trained, case):
    changes = dict(CHANGES[case])
    if changes.get("kind") == "other":
        kinds = list(MODELS)
        changes["kind"] = kinds[1 - kinds.index(trained[0].kind)]
    with pytest.raises(DecodeError):
        TrainedModel.from_bytes(_refile(trained[0], **changes))


def test_damaged_files_raise_nothing_else(trained):
    model, _, _ = trained
    refused = 0
    for data in damaged(model.to_bytes(), changes=200):
        try:
            assert TrainedModel.from_bytes(data).to_bytes() == data
        except DecodeError:
            refused += 1
    assert refused > 100


def test_a_model_that_is_not_finite_is_not_stored(trained):
    model, _, _ = trained
    with pytest.raises(LocalProtocolError, match="not finite"):
        replace(model, mean=model.mean * np.nan).to_bytes()
