"""DP-SGD: what one customer can move, where the noise comes from, and what it costs."""

from __future__ import annotations

from dataclasses import replace as replaced

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.differential_privacy.accountant import epsilon, noise_for
from models.differential_privacy.gaussian import gaussian
from models.horizontal import private_steps
from models.horizontal.layout import size
from models.horizontal.not_finite import NotFinite
from models.horizontal.private_training import (
    counting,
    noisy_counts,
    private_statistics,
    private_update,
    sampling,
)
from models.horizontal.scaling import scaling_from, statistics_length
from models.horizontal.splits import splits
from models.horizontal.state import FederatedState, initial_state
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
    uniform,
)

SEED = b"\5" * 32
RANGES = np.tile([-5.0, 15.0], (4, 1))


def prepared(table=None, model=LOGISTIC, noise=1.0, terms=None):
    table = made_table("a") if table is None else table
    held_out = splits(table.customers, evaluation(repeats=1), SUITE)
    told = private_statistics(
        table, held_out, RANGES, noise_multiplier=noise, suite=SUITE, seed=SEED
    )
    state = initial_state(model, terms or training(), 4, 1, suite=SUITE, public_seed=PUBLIC_SEED)
    return (state, scaling_from(told, 4, 1), table, held_out), told[0]


def update(parts, model, terms, rows, **changes):
    options = {"clip_norm": 0.7, "noise_multiplier": 1.2, "seed": SEED, **changes}
    return private_update(*parts, model=model, training=terms, rows=rows, suite=SUITE, **options)


def clipped_sum(inputs, labels, *, hidden, parameters, clip_norm):
    """The sum that noise is added to: one step at rate 1 without noise, rate of learning 1."""
    moved = private_steps.descend(
        parameters,
        hidden,
        torch.tensor(inputs),
        torch.tensor(labels),
        rate=1.0,
        steps=1,
        expected_rows=1.0,
        clip_norm=clip_norm,
        noise_multiplier=0.0,
        learning_rate=1.0,
        l2=0.0,
        proximal=0.0,
        sample_stream=SUITE.stream(SEED, b"sample"),
        noise_stream=SUITE.stream(SEED, b"noise"),
    )
    return parameters - moved


@given(data=st.data(), hidden=st.sampled_from([(), (3,), (4, 2)]))
@settings(max_examples=40, deadline=None)
def test_one_customer_moves_the_clipped_sum_by_at_most_the_clip_norm(data, hidden):
    number = st.floats(-5, 5)
    rows = data.draw(st.integers(1, 5))
    inputs = np.array(
        data.draw(st.lists(st.lists(number, min_size=3, max_size=3), min_size=rows, max_size=rows))
    )
    labels = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=rows, max_size=rows))
    )
    clip_norm = data.draw(st.sampled_from([1e-3, 0.1, 1.0, 30.0]))
    scale = data.draw(st.sampled_from([0.1, 1.0, 20.0]))
    parameters = scale * (uniform(f"parameters {hidden}", size(hidden, 3)) - 0.5)
    options = {"hidden": hidden, "parameters": parameters, "clip_norm": clip_norm}
    everybody = clipped_sum(inputs, labels, **options)
    gone = data.draw(st.integers(0, rows - 1))
    others = clipped_sum(np.delete(inputs, gone, 0), np.delete(labels, gone), **options)
    difference = np.linalg.norm(everybody - others)
    rounding = 1e-12 * (1 + np.abs(parameters).max())
    assert difference <= clip_norm + rounding
    assert np.linalg.norm(everybody) <= rows * clip_norm + rows * rounding


def test_the_clipped_sum_must_be_the_sum_of_every_customers_own_clipped_gradient():
    hidden, clip_norm = (3,), 0.6
    inputs, labels = 4 * uniform("inputs", 9, 3) - 2, (uniform("labels", 9) < 0.4).astype(float)
    parameters = uniform("p", size(hidden, 3)) - 0.5
    options = {"hidden": hidden, "parameters": parameters}
    # A norm that cuts nobody leaves the gradient itself.
    own = [
        clipped_sum(inputs[row : row + 1], labels[row : row + 1], clip_norm=1e9, **options)
        for row in range(9)
    ]
    expected = sum(g * min(1, clip_norm / (np.linalg.norm(g) + 1e-6)) for g in own)
    found = clipped_sum(inputs, labels, clip_norm=clip_norm, **options)
    assert np.allclose(found, expected, rtol=0, atol=1e-12)
    assert max(np.linalg.norm(g) for g in own) > clip_norm > min(np.linalg.norm(g) for g in own)


def test_many_customers_at_once_are_cut_in_parts_to_the_same_sum(monkeypatch):
    inputs, labels = uniform("inputs", 50, 3), (uniform("labels", 50) < 0.4).astype(float)
    options = {"hidden": (3,), "parameters": uniform("p", size((3,), 3)), "clip_norm": 0.3}
    whole = clipped_sum(inputs, labels, **options)
    monkeypatch.setattr(private_steps, "GRADIENT_NUMBERS", 7 * size((3,), 3))
    assert np.allclose(clipped_sum(inputs, labels, **options), whole, rtol=0, atol=1e-13)


def _without_data(count_steps, noise, clip_norm=2.0, expected_rows=4.0):
    """Steps on no customer at all, from 0, at a learning rate of 1: the noise, added up."""
    return private_steps.descend(
        np.zeros(6),
        (),
        torch.zeros((0, 5), dtype=torch.float64),
        torch.zeros(0, dtype=torch.float64),
        rate=0.5,
        steps=count_steps,
        expected_rows=expected_rows,
        clip_norm=clip_norm,
        noise_multiplier=noise,
        learning_rate=1.0,
        l2=0.0,
        proximal=0.0,
        sample_stream=SUITE.stream(SEED, b"sample"),
        noise_stream=SUITE.stream(SEED, b"noise"),
    )


def test_an_empty_draw_is_a_step_of_noise_alone():
    noise = gaussian(SUITE.stream(SEED, b"noise"), 5), None
    found = _without_data(1, 1.5)
    # clip_norm x noise multiplier, over the expected rows.
    assert np.allclose(found[:5], -2.0 * 1.5 / 4.0 * noise[0], atol=1e-15)
    stream = SUITE.stream(SEED, b"noise")
    total = np.zeros(6)
    for _ in range(20):
        total -= 0.75 * np.r_[gaussian(stream, 5), gaussian(stream, 1)]
    assert np.allclose(_without_data(20, 1.5), total, atol=1e-12)


def test_noise_has_the_stated_deviation_in_every_coordinate():
    table = made_table("a")
    parts, rows = prepared(table)
    terms = training(batch_rows=1000, local_epochs=1, learning_rate="1")
    assert sampling(rows, terms) == sampling(rows, training(batch_rows=1000, local_epochs=1))
    model = LogisticTerms(l2="0")
    quiet = update(parts, model, terms, rows, noise_multiplier=1e-12).delta
    drawn = [
        update(parts, model, terms, rows, seed=SUITE.hash(b"%d" % number)).delta - quiet
        for number in range(150)
    ]
    noise = np.concatenate(drawn).ravel() * rows / (0.7 * 1.2)
    assert len(noise) == 750
    assert stats.kstest(noise, "norm").pvalue > 0.001


def test_customers_are_drawn_independently_at_the_rate():
    drawn = [
        private_steps.sample(500, 0.083333, SUITE.stream(SEED, b"%d" % number))
        for number in range(400)
    ]
    counts = np.array([len(rows) for rows in drawn])
    expected, deviation = 500 * 0.083333, np.sqrt(500 * 0.083333 * (1 - 0.083333))
    assert abs(counts.mean() - expected) < 4 * deviation / 20
    assert abs(counts.std() / deviation - 1) < 0.15
    share = np.bincount(np.concatenate(drawn), minlength=500) / 400
    assert abs(share - 0.083333).max() < 5 * np.sqrt(0.083333 * 0.92 / 400)
    together = sum({3, 4} <= set(rows.tolist()) for rows in drawn)
    assert together < 12  # 2.8 expected
    assert private_steps.sample(7, 1.0, SUITE.stream(SEED, b"x")).tolist() == list(range(7))


def test_rows_are_never_drawn_more_often_than_the_rate_says():
    class Fixed:
        def words(self, count):
            return np.full(count, int(0.25 * 2**64), np.uint64)

    # The first word that is not below a quarter of all.
    assert len(private_steps.sample(3, 0.25, Fixed())) == 0
    assert len(private_steps.sample(3, 0.250001, Fixed())) == 3


def test_without_noise_and_clipping_it_is_local_training():
    terms = training(batch_rows=1000, local_epochs=3)
    for model in (LOGISTIC, PERCEPTRON):
        parts, _ = prepared(model=model)
        rows = int((~parts[3]).sum())
        from models.horizontal.local_training import local_update

        expected = local_update(*parts, model=model, training=terms, suite=SUITE, seed=SEED)
        found = update(parts, model, terms, rows, clip_norm=1e6, noise_multiplier=1e-14)
        assert np.allclose(found.delta, expected.delta, rtol=0, atol=1e-6)
        assert np.abs(found.delta).max() > 0.01


def test_penalties_are_added_after_the_noise():
    terms = training(strategy="fedprox", proximal="0.5", batch_rows=1000, local_epochs=4)
    model = PerceptronTerms(hidden=(3,), l2="0.2")
    parts, _ = prepared(model=model)
    rows = int((~parts[3]).sum())
    from models.horizontal.local_training import local_update

    expected = local_update(*parts, model=model, training=terms, suite=SUITE, seed=SEED)
    found = update(parts, model, terms, rows, clip_norm=1e6, noise_multiplier=1e-14)
    assert np.allclose(found.delta, expected.delta, rtol=0, atol=1e-6)


def test_a_round_done_again_is_the_same_release_and_another_round_another():
    terms = training()
    parts, rows = prepared(model=PERCEPTRON)
    first = update(parts, PERCEPTRON, terms, rows).delta
    torch.manual_seed(99)
    assert update(parts, PERCEPTRON, terms, rows).delta.tobytes() == first.tobytes()
    later = (FederatedState.of(1, parts[0].parameters), *parts[1:])
    assert not np.allclose(update(later, PERCEPTRON, terms, rows).delta, first, atol=1e-3)
    other = update(parts, PERCEPTRON, terms, rows, seed=b"\6" * 32).delta
    assert not np.allclose(other, first, atol=1e-3)


def test_whatever_differs_between_two_releases_their_noise_does_not_cancel():
    terms = training(local_epochs=1, batch_rows=1000, learning_rate="0.01")
    parts, rows = prepared()
    state, scaling, table, held_out = parts
    first = update(parts, LOGISTIC, terms, rows, clip_norm=0.001).delta
    values, labels = table.values.copy(), table.labels.copy()
    row = int(np.flatnonzero(~held_out[0])[0])
    values[row, 0] += 1e-9
    labels[row] = 1 - labels[row]
    moved = FederatedState.of(state.round, state.parameters + 1e-12)
    smaller = msgspec.structs.replace(scaling, rows=(scaling.rows[0] - 1,))
    changed = [
        (moved, scaling, table, held_out),
        (state, smaller, table, held_out),
        (state, scaling, replaced(table, values=values), held_out),
        (state, scaling, replaced(table, labels=labels), held_out),
    ]
    others = [update(p, LOGISTIC, terms, rows, clip_norm=0.001).delta for p in changed]
    others.append(update(parts, LOGISTIC, terms, rows + 1, clip_norm=0.001).delta)
    others.append(update(parts, LOGISTIC, terms, rows, clip_norm=0.00100001).delta)
    # Of noise this large the changes themselves would be a few percent.
    noise = 0.01 * 0.001 * 1.2 / rows
    for other in others:
        assert np.abs(other - first).max() > 0.3 * noise
    # Held-out customers do not train: theirs is not a different release.
    out = int(np.flatnonzero(held_out[0])[0])
    values = table.values.copy()
    values[out] = 0
    same = (state, scaling, replaced(table, values=values), held_out)
    again = update(same, LOGISTIC, terms, rows, clip_norm=0.001)
    assert again.delta.tobytes() == first.tobytes()


def test_torch_is_left_as_it_was_and_its_generator_not_used():
    before = torch.get_rng_state().numpy().tobytes(), torch.get_num_threads()
    parts, rows = prepared(model=PERCEPTRON)
    update(parts, PERCEPTRON, training(), rows)
    assert before == (torch.get_rng_state().numpy().tobytes(), torch.get_num_threads())
    assert torch.is_grad_enabled()


def test_progress_counts_steps():
    seen = []
    parts, rows = prepared()
    terms = training(local_epochs=1)
    update(parts, LOGISTIC, terms, rows, progress=lambda *n: seen.append(n))
    steps = sampling(rows, terms).steps
    assert seen == [(n + 1, steps) for n in range(steps)]


@pytest.mark.parametrize(
    ("rows", "batch_rows", "epochs", "rate", "steps"),
    [(100, 10, 2, 0.1, 20), (300, 32, 1, 0.106667, 10), (10, 32, 3, 1.0, 3), (1, 1, 1, 1.0, 1)],
)
def test_sampling_makes_the_agreed_passes_on_average(rows, batch_rows, epochs, rate, steps):
    found = sampling(rows, training(batch_rows=batch_rows, local_epochs=epochs))
    assert (found.rate, found.steps) == (rate, steps)
    event = found.event(1.5, rounds=4)
    assert (event.rate, event.noise_multiplier, event.steps) == (rate, 1.5, 4 * steps)


def test_a_whole_job_keeps_to_its_budget():
    terms = training(rounds=10)
    count_noise = noise_for(0.2, 1e-5, 1.0, 1)
    _, rows = prepared(noise=count_noise)
    plan = sampling(rows, terms)
    besides = [counting(count_noise)]
    noise = noise_for(2.0, 1e-5, plan.rate, plan.steps * 10, besides=besides)
    spent = [*besides, *[plan.event(noise)] * 10]
    assert 1.98 < epsilon(spent, 1e-5) <= 2.0


def test_statistics_tell_the_noisy_count_and_public_ranges_only():
    table = made_table("a")
    held_out = splits(table.customers, evaluation(repeats=1), SUITE)
    ranges = np.array([[-5.0, 15.0], [0.0, 1.0], [-0.25, 0.125], [1e6, 2e6]])
    options = {"noise_multiplier": 3.0, "suite": SUITE}
    told = private_statistics(table, held_out, ranges, seed=SEED, **options)
    assert len(told) == statistics_length(4, 1)
    assert told[0] != (~held_out).sum()
    # Other values and labels of as many customers tell the same.
    other = replaced(table, values=table.values * 3 - 1, labels=1 - table.labels)
    assert private_statistics(other, held_out, ranges, seed=SEED, **options) == told
    others = private_statistics(table, held_out, ranges, seed=b"\6" * 32, **options)
    total = [a + b for a, b in zip(told, others, strict=True)]
    scaling = scaling_from(total, 4, 1)
    assert np.allclose(scaling.mean[0], ranges.mean(axis=1), rtol=1e-8)
    assert np.allclose(scaling.deviation[0], (ranges[:, 1] - ranges[:, 0]) / 4, rtol=1e-6)
    assert scaling.rows == (told[0] + others[0],)


def test_a_noisy_count_has_the_stated_noise_and_is_at_least_one():
    counts = noisy_counts([100] * 20_000, 4.0, suite=SUITE, seed=SEED)
    assert noisy_counts([100] * 20_000, 4.0, suite=SUITE, seed=SEED) == counts
    others = noisy_counts([*[100] * 19_999, 101], 4.0, suite=SUITE, seed=SEED)
    assert np.mean(np.array(others) == np.array(counts)) < 0.2
    assert np.mean(counts) == pytest.approx(100, abs=4 * 4 / np.sqrt(20_000))
    assert np.std(counts) == pytest.approx(np.sqrt(16 + 1 / 12), rel=0.03)
    table = made_table("a", rows=1)
    options = {"noise_multiplier": 50.0, "suite": SUITE}
    told = [
        private_statistics(
            table, np.zeros((1, 1), bool), RANGES, seed=SUITE.hash(b"%d" % n), **options
        )[0]
        for n in range(20)
    ]
    assert min(told) == 1 < max(told)


REFUSED = {
    "two repeats": (np.zeros((2, 60), bool), RANGES, "1 repeat"),
    "a column less": (np.zeros((1, 60), bool), RANGES[1:], "ranges"),
    "no extent": (np.zeros((1, 60), bool), np.zeros((4, 2)), "ascend"),
    "no number": (np.zeros((1, 60), bool), RANGES * np.nan, "ranges"),
    "too wide": (np.zeros((1, 60), bool), RANGES * 1e12, "2\\^32"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_statistics_of_other_shapes_are_refused(case):
    held_out, ranges, reason = REFUSED[case]
    with pytest.raises(LocalProtocolError, match=reason):
        private_statistics(
            made_table("a"), held_out, ranges, noise_multiplier=1.0, suite=SUITE, seed=SEED
        )


def test_divergence_is_an_error_that_says_what_to_change():
    terms = training(learning_rate="10", local_epochs=50)
    model = PerceptronTerms(hidden=(5,), l2="100")
    parts, rows = prepared(model=model)
    with pytest.raises(NotFinite, match="smaller learning_rate"):
        update(parts, model, terms, rows)
