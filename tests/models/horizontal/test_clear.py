"""Rounds of several parties: what they must equal, and what they are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.evaluation import auc
from models.horizontal import clear
from models.horizontal.local_training import local_update
from models.horizontal.scaling import scaling_from, statistics
from models.horizontal.server_optimiser import apply_mean
from models.horizontal.splits import splits
from models.horizontal.state import initial_state
from models.horizontal.table import joined
from protocols.errors import LocalProtocolError
from tests.models.horizontal.made import (
    LOGISTIC,
    PERCEPTRON,
    PUBLIC_SEED,
    SUITE,
    evaluation,
    made_table,
    made_tables,
    seeds,
    training,
)


def run(tables, model, terms, split=None, **options):
    return clear.federated(
        tables,
        model,
        terms,
        split or evaluation(),
        suite=SUITE,
        public_seed=PUBLIC_SEED,
        seeds=seeds(tables),
        **options,
    )


def test_one_party_alone_must_be_its_own_local_training():
    tables, terms = made_tables(1), training(rounds=4)
    table = tables["party-0"]
    held_out = splits(table.customers, evaluation(), SUITE)
    scaling = scaling_from(statistics(table, held_out), 4, 2)
    state = initial_state(PERCEPTRON, terms, 4, 2, suite=SUITE, public_seed=PUBLIC_SEED)
    for _ in range(4):
        update = local_update(
            state,
            scaling,
            table,
            held_out,
            model=PERCEPTRON,
            training=terms,
            suite=SUITE,
            seed=seeds(tables)["party-0"],
        )
        state = apply_mean(state, update.delta, terms)
    found = run(tables, PERCEPTRON, terms)
    assert np.allclose(found.state.parameters, state.parameters, rtol=0, atol=1e-14)
    assert [s.round for s in found.states] == [0, 1, 2, 3, 4]
    # The rounds of one party are one run of gradient steps, wherever they are cut.
    in_one = run(tables, PERCEPTRON, training(rounds=1, local_epochs=8))
    assert np.allclose(in_one.state.parameters, state.parameters, rtol=0, atol=1e-13)


@pytest.mark.parametrize("model", [LOGISTIC, PERCEPTRON], ids=["logistic", "perceptron"])
@pytest.mark.parametrize("rows", [(60, 60, 60), (20, 70, 90)], ids=["equal", "unequal"])
def test_one_full_batch_step_each_must_be_one_step_on_all_rows(model, rows):
    # The mean of gradients weighted by rows is the gradient of all rows (FedSGD, McMahan 2017).
    tables = {f"party-{n}": made_table(f"party-{n}", rows=r) for n, r in enumerate(rows)}
    terms = training(rounds=5, local_epochs=1, batch_rows=1000)
    federated = run(tables, model, terms)
    pooled = clear.pooled(
        tables,
        model,
        terms,
        evaluation(),
        suite=SUITE,
        public_seed=PUBLIC_SEED,
        seed=bytes(32),
    )
    assert federated.scaling == pooled.scaling
    for ours, theirs in zip(federated.states, pooled.states, strict=True):
        assert np.allclose(ours.parameters, theirs.parameters, rtol=0, atol=1e-12)
    assert np.abs(federated.state.parameters - federated.states[0].parameters).max() > 0.01


def test_who_is_absent_must_leave_the_mean_of_those_who_stayed():
    tables, terms = made_tables(3), training(rounds=2)
    found = run(tables, LOGISTIC, terms, absent={1: ["party-1"], 2: ["party-0", "party-2"]})
    everybody = run(tables, LOGISTIC, terms)
    assert found.scaling == everybody.scaling
    held_out = {p: splits(t.customers, evaluation(), SUITE) for p, t in tables.items()}
    state = everybody.states[0]
    for present in (["party-0", "party-2"], ["party-1"]):
        updates = [
            local_update(
                state,
                found.scaling,
                tables[p],
                held_out[p],
                model=LOGISTIC,
                training=terms,
                suite=SUITE,
                seed=seeds(tables)[p],
            )
            for p in present
        ]
        weights = np.array([update.rows for update in updates], float)
        deltas = np.array([update.delta for update in updates])
        mean = (weights[:, :, None] * deltas).sum(axis=0) / weights.sum(axis=0)[:, None]
        state = apply_mean(state, mean, terms)
    assert np.allclose(found.state.parameters, state.parameters, rtol=0, atol=1e-14)
    assert not np.allclose(found.state.parameters, everybody.state.parameters, atol=1e-4)


def test_a_round_of_nobody_is_refused():
    with pytest.raises(LocalProtocolError, match="no party is left in round 2"):
        run(made_tables(2), LOGISTIC, training(), absent={2: ["party-0", "party-1"]})


def test_parties_with_other_columns_are_refused():
    tables = made_tables(2)
    tables["party-1"] = replace(tables["party-1"], columns=("a", "b", "c", "d"))
    with pytest.raises(LocalProtocolError, match="same columns"):
        run(tables, LOGISTIC, training())


def test_every_strategy_must_learn_what_all_rows_tell():
    tables = made_tables(4, rows=150)
    everybody = joined(list(tables.values()))
    held_out = splits(everybody.customers, evaluation(), SUITE)

    def measured(found):
        scores = found.predict(everybody)
        return [
            auc(everybody.labels[out], row[out]) for out, row in zip(held_out, scores, strict=True)
        ]

    terms = {
        "fedavg": training(rounds=15),
        "fedprox": training(rounds=15, strategy="fedprox", proximal="0.1"),
        "fedadam": training(rounds=15, strategy="fedadam", server_learning_rate="0.1"),
    }
    pooled = clear.pooled(
        tables,
        LOGISTIC,
        terms["fedavg"],
        evaluation(),
        suite=SUITE,
        public_seed=PUBLIC_SEED,
        seed=bytes(32),
    )
    assert min(measured(pooled)) > 0.75
    for strategy in terms.values():
        found = run(tables, LOGISTIC, strategy)
        assert np.allclose(measured(found), measured(pooled), atol=0.02)


def test_training_alone_looks_at_no_other_party():
    tables, terms = made_tables(2), training()
    options = {"suite": SUITE, "public_seed": PUBLIC_SEED, "seed": bytes(32)}
    alone = clear.alone(tables["party-0"], PERCEPTRON, terms, evaluation(), **options)
    assert alone.scaling.rows == tuple(
        (~splits(tables["party-0"].customers, evaluation(), SUITE)).sum(axis=1).tolist()
    )
    pooled_one = clear.pooled({"a": tables["party-0"]}, PERCEPTRON, terms, evaluation(), **options)
    assert alone.state == pooled_one.state


def test_progress_counts_rounds():
    seen = []
    run(made_tables(2), LOGISTIC, training(), progress=lambda *n: seen.append(n))
    assert seen == [(1, 3), (2, 3), (3, 3)]
