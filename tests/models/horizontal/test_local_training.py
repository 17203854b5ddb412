"""A party's round against a plain PyTorch loop and scikit-learn, and its determinism."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from models.horizontal.local_training import batches, local_update
from models.horizontal.not_finite import NotFinite
from models.horizontal.prediction import margins, predict
from models.horizontal.scaling import LARGEST_INPUT, scaling_from, statistics
from models.horizontal.splits import splits
from models.horizontal.state import FederatedState, initial_state
from models.table import Rows
from protocols.errors import LocalProtocolError
from protocols.session.horizontal_terms import LogisticTerms, PerceptronTerms
from tests.models.horizontal.made import (
    LOGISTIC,
    PERCEPTRON,
    PUBLIC_SEED,
    SUITE,
    evaluation,
    made_table,
    training,
)

SEED = b"\5" * 32
MODELS = {"logistic": LOGISTIC, "perceptron": PERCEPTRON}


def prepared(table, model, terms, repeats=2):
    held_out = splits(table.customers, evaluation(repeats=repeats), SUITE)
    scaling = scaling_from(statistics(table, held_out), len(table.columns), repeats)
    state = initial_state(
        model, terms, len(table.columns), repeats, suite=SUITE, public_seed=PUBLIC_SEED
    )
    return state, scaling, table, held_out


def update(parts, model, terms, seed=SEED, progress=None):
    return local_update(
        *parts, model=model, training=terms, suite=SUITE, seed=seed, progress=progress
    )


def module_of(hidden, columns, parameters):
    widths = (columns, *hidden, 1)
    modules = []
    for inputs, outputs in pairwise(widths):
        modules += [torch.nn.Linear(inputs, outputs, dtype=torch.float64), torch.nn.ReLU()]
    module = torch.nn.Sequential(*modules[:-1])
    torch.nn.utils.vector_to_parameters(torch.tensor(parameters), module.parameters())
    return module


def plain_loop(parameters, inputs, labels, order, *, hidden, rate, l2=0.0, mu=0.0):
    """Mini-batch gradient steps of torch.optim.SGD on PyTorch's own layers and loss."""
    module = module_of(hidden, inputs.shape[1], parameters)
    optimiser = torch.optim.SGD(module.parameters(), lr=rate)
    origin = [p.detach().clone() for p in module.parameters()]
    for rows in order:
        found = module(torch.tensor(inputs[rows])).squeeze(1)
        target = torch.tensor(labels[rows].astype(float))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(found, target)
        for parameter, start in zip(module.parameters(), origin, strict=True):
            if parameter.ndim == 2:
                loss = loss + l2 / 2 * (parameter**2).sum()
            loss = loss + mu / 2 * ((parameter - start) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("mu", ["0", "0.3"])
def test_every_repeat_must_be_a_plain_training_loop(name, mu):
    model = MODELS[name]
    hidden = getattr(model, "hidden", ())
    terms = training(strategy="fedprox" if mu != "0" else "fedavg", proximal=mu)
    state, scaling, table, held_out = parts = prepared(made_table("a"), model, terms)
    found = update(parts, model, terms)
    training_rows = [np.flatnonzero(~out) for out in held_out]
    assert found.rows.tolist() == [len(rows) for rows in training_rows]
    for repeat in range(2):
        order = []
        for epoch in range(terms.local_epochs):
            passed = batches(training_rows, epoch, batch_rows=16, suite=SUITE, seed=SEED)
            for rows, shares in zip(passed.rows, passed.shares, strict=True):
                order.append(rows[repeat, shares[repeat] > 0])
        scaled = (table.values - scaling.mean[repeat]) / scaling.deviation[repeat]
        expected = plain_loop(
            state.parameters[repeat],
            np.clip(scaled, -LARGEST_INPUT, LARGEST_INPUT),
            table.labels,
            [rows for rows in order if len(rows)],
            hidden=hidden,
            rate=0.1,
            l2=0.05,
            mu=float(mu),
        )
        moved = state.parameters[repeat] + found.delta[repeat]
        assert np.allclose(moved, expected, rtol=0, atol=1e-13)
        assert np.abs(found.delta[repeat]).max() > 1e-3


def test_long_training_must_reach_scikit_learns_optimum():
    table, terms = (
        made_table("a", rows=120),
        training(local_epochs=50, batch_rows=1000, learning_rate="1"),
    )
    model = LogisticTerms(l2="0.02")
    state, scaling, _, held_out = parts = prepared(table, model, terms)
    for _ in range(10):
        moved = state.parameters + update(parts, model, terms).delta
        state = FederatedState.of(state.round + 1, moved)
        parts = (state, *parts[1:])
    for repeat, out in enumerate(held_out):
        scaled = (table.values[~out] - scaling.mean[repeat]) / scaling.deviation[repeat]
        assert np.abs(scaled).max() < LARGEST_INPUT
        reference = LogisticRegression(C=1 / (0.02 * (~out).sum()), tol=1e-12, max_iter=10_000)
        reference.fit(scaled, table.labels[~out])
        expected = np.r_[reference.coef_[0], reference.intercept_]
        assert np.allclose(state.parameters[repeat], expected, atol=1e-6)
        scores = predict(state, scaling, table, model)[repeat, ~out]
        assert np.allclose(scores, reference.predict_proba(scaled)[:, 1], atol=1e-6)


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    batch_rows=st.integers(1, 50),
    number=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_a_pass_takes_every_row_once_in_batches_of_nearly_one_size(sizes, batch_rows, number):
    rows = [100 * place + np.arange(size) for place, size in enumerate(sizes)]
    found = batches(rows, number, batch_rows=batch_rows, suite=SUITE, seed=SEED)
    for repeat, own in enumerate(rows):
        taken = [r[repeat, s[repeat] > 0] for r, s in zip(found.rows, found.shares, strict=True)]
        assert sorted(np.concatenate(taken).tolist()) == own.tolist()
        lengths = [len(t) for t in taken if len(t)]
        assert len(lengths) == -(-len(own) // batch_rows)
        assert max(lengths) - min(lengths) <= 1
        for shares, length in zip(found.shares, lengths, strict=False):
            assert shares[repeat].sum() == pytest.approx(1)
            assert shares[repeat].max() == 1 / length


def test_orders_differ_between_passes_repeats_and_seeds():
    rows: list[Rows] = [np.arange(50), np.arange(50)]

    def order(number, seed=SEED):
        found = batches(rows, number, batch_rows=50, suite=SUITE, seed=seed)
        return [found.rows[0][repeat].tolist() for repeat in range(2)]

    drawn = [*order(0), *order(1), *order(0, b"\6" * 32)]
    assert len({tuple(o) for o in drawn}) == 6
    assert order(0) == drawn[:2]


def test_a_repeat_must_not_depend_on_the_others_beside_it():
    terms, table = training(), made_table("a")
    both = update(prepared(table, PERCEPTRON, terms), PERCEPTRON, terms)
    alone = update(prepared(table, PERCEPTRON, terms, repeats=1), PERCEPTRON, terms)
    # Another number of repeats may be multiplied in another order.
    assert np.allclose(both.delta[:1], alone.delta, rtol=0, atol=1e-14)


def test_a_repeat_that_has_finished_its_pass_stands_still():
    # 17 and 16 training rows: two batches and one.
    table, terms = made_table("a", rows=20), training(local_epochs=1, learning_rate="0.5")
    model = LogisticTerms(l2="1")
    state, scaling, _, _ = prepared(table, model, terms)
    start = FederatedState.of(0, np.ones_like(state.parameters))
    held_out = np.zeros((2, 20), bool)
    held_out[0, :3], held_out[1, :4] = True, True
    found = update((start, scaling, table, held_out), model, terms)
    one = update(
        (FederatedState.of(0, start.parameters[:1]), _first(scaling), table, held_out[:1]),
        model,
        terms,
    )
    assert np.allclose(found.delta[0], one.delta[0], atol=1e-14)
    passed = batches([np.arange(4, 20)], 0, batch_rows=16, suite=SUITE, seed=SEED)
    assert len(passed.rows) == 1
    inputs = (table.values - scaling.mean[1]) / scaling.deviation[1]
    expected = plain_loop(
        start.parameters[1],
        np.clip(inputs, -LARGEST_INPUT, LARGEST_INPUT),
        table.labels,
        [np.arange(4, 20)],
        hidden=(),
        rate=0.5,
        l2=1.0,
    )
    assert np.allclose(start.parameters[1] + found.delta[1], expected, atol=1e-13)


def _first(scaling):
    width = 8 * scaling.columns
    return type(scaling)(
        scaling.columns,
        scaling.mean_bytes[:width],
        scaling.deviation_bytes[:width],
        scaling.rows[:1],
        scaling.positives[:1],
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_same_inputs_must_give_the_same_bytes_whatever_torch_was_set_to(name):
    model, terms = MODELS[name], training()
    table = made_table("a")
    expected = update(prepared(table, model, terms), model, terms).delta.tobytes()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.set_default_dtype(torch.float16)
        torch.manual_seed(3)
        with torch.no_grad():
            # Memory that starts elsewhere.
            moved = np.frombuffer(bytes(8) + table.values.tobytes(), np.float64)[1:]
            other = replace(table, values=moved.reshape(table.values.shape))
            assert update(prepared(other, model, terms), model, terms).delta.tobytes() == expected
        assert torch.get_num_threads() == 2
        assert torch.get_default_dtype() == torch.float16
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(threads)


def test_training_leaves_torch_as_it_was():
    before = (
        torch.get_rng_state().numpy().tobytes(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
    )
    parts = prepared(made_table("a"), PERCEPTRON, training())
    update(parts, PERCEPTRON, training())
    predict(*parts[:3], PERCEPTRON)
    assert before == (
        torch.get_rng_state().numpy().tobytes(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
    )


def test_parties_in_threads_of_one_process_get_the_same_bytes():
    terms = training()
    parts = prepared(made_table("a"), PERCEPTRON, terms)
    expected = update(parts, PERCEPTRON, terms).delta.tobytes()
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(update(parts, PERCEPTRON, terms).delta.tobytes())
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_round_done_again_gives_the_same_update_and_the_next_another():
    terms = training()
    state, *rest = prepared(made_table("a"), PERCEPTRON, terms)
    later = FederatedState.of(1, state.parameters)
    first = update((state, *rest), PERCEPTRON, terms)
    assert np.array_equal(update((state, *rest), PERCEPTRON, terms).delta, first.delta)
    assert not np.array_equal(update((later, *rest), PERCEPTRON, terms).delta, first.delta)


def test_progress_counts_passes():
    seen = []
    terms = training(local_epochs=3)
    parts = prepared(made_table("a"), LOGISTIC, terms)
    update(parts, LOGISTIC, terms, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_divergence_must_be_an_error_that_says_what_to_change():
    terms = training(learning_rate="10", local_epochs=50)
    model = PerceptronTerms(hidden=(5,), l2="100")
    with pytest.raises(NotFinite, match="round 1: a smaller learning_rate than 10"):
        update(prepared(made_table("a"), model, terms), model, terms)


REFUSED = {
    "other columns": (lambda s, c, t, h: (s, c, made_table("a", columns=3), h), "columns"),
    "another model": (
        lambda s, c, t, h: (FederatedState.of(0, np.zeros((2, 7))), c, t, h),
        "columns",
    ),
    "fewer repeats": (lambda s, c, t, h: (s, c, t, h[:1]), "as many repeats"),
    "nobody left": (lambda s, c, t, h: (s, c, t, h | True), "no customer is left"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parts_that_do_not_fit_are_refused(case):
    change, reason = REFUSED[case]
    terms = training()
    with pytest.raises(LocalProtocolError, match=reason):
        update(change(*prepared(made_table("a"), LOGISTIC, terms)), LOGISTIC, terms)


def test_predictions_are_those_of_pytorchs_layers_in_any_number_of_rows(monkeypatch):
    table, terms = made_table("a", rows=90), training()
    state, scaling, _, _ = prepared(table, PERCEPTRON, terms)
    found = predict(state, scaling, table, PERCEPTRON)
    for repeat in range(2):
        module = module_of((5, 3), 4, state.parameters[repeat])
        scaled = (table.values - scaling.mean[repeat]) / scaling.deviation[repeat]
        inputs = torch.tensor(np.clip(scaled, -LARGEST_INPUT, LARGEST_INPUT))
        expected = torch.sigmoid(module(inputs))[:, 0].detach().numpy()
        assert np.allclose(found[repeat], expected, atol=1e-14)
    monkeypatch.setattr("models.horizontal.prediction.FRAME_NUMBERS", 70)
    assert np.allclose(predict(state, scaling, table, PERCEPTRON), found, atol=1e-14)


def test_prediction_refuses_parts_that_do_not_fit():
    state, scaling, table, _ = prepared(made_table("a"), LOGISTIC, training())
    with pytest.raises(LocalProtocolError, match="columns"):
        predict(state, scaling, table, PERCEPTRON)
    with pytest.raises(LocalProtocolError, match="scaling"):
        margins(
            state.parameters,
            table.values[:, :3],
            mean=scaling.mean,
            deviation=scaling.deviation,
            hidden=(),
        )
