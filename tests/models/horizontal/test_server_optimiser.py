"""What every party does with the opened mean, against the algorithms written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.horizontal.not_finite import NotFinite
from models.horizontal.server_optimiser import apply_mean
from models.horizontal.state import FederatedState, initial_state
from protocols.errors import LocalProtocolError
from tests.models.horizontal.made import PERCEPTRON, PUBLIC_SEED, SUITE, training, uniform


def _state(terms):
    return initial_state(PERCEPTRON, terms, 4, 2, suite=SUITE, public_seed=PUBLIC_SEED)


def _mean(number=0):
    return uniform(f"mean {number}", *_state(training()).parameters.shape) - 0.4


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox"])
def test_fedavg_and_fedprox_add_the_mean(strategy):
    terms = training(strategy=strategy, proximal="0.1" if strategy == "fedprox" else "0")
    state = _state(terms)
    found = apply_mean(state, _mean(), terms)
    assert np.array_equal(found.parameters, state.parameters + _mean())
    assert (found.round, found.moments) == (1, None)


def test_fedadam_must_be_algorithm_2_one_number_at_a_time():
    terms = training(
        strategy="fedadam", server_learning_rate="0.03", beta1="0.8", beta2="0.95", tau="0.01"
    )
    state = _state(terms)
    x = state.parameters.ravel().tolist()
    delta, v = [0.0] * len(x), [0.01 * 0.01] * len(x)
    for round_ in range(4):
        mean = _mean(round_)
        state = apply_mean(state, mean, terms)
        for i, m in enumerate(mean.ravel().tolist()):
            delta[i] = 0.8 * delta[i] + (1 - 0.8) * m
            v[i] = 0.95 * v[i] + (1 - 0.95) * (delta[i] * delta[i])
            x[i] = x[i] + 0.03 * delta[i] / (math.sqrt(v[i]) + 0.01)
    # Bit for bit: Python's own floats are IEEE 754's, rounded one operation at a time.
    assert state.parameters.ravel().tolist() == x
    assert state.moments[0].ravel().tolist() == delta
    assert state.moments[1].ravel().tolist() == v
    assert state.round == 4


def test_a_state_stored_between_rounds_changes_nothing():
    terms = training(strategy="fedadam", server_learning_rate="0.03")
    once = apply_mean(_state(terms), _mean(), terms)
    stored = FederatedState.from_bytes(once.to_bytes())
    assert apply_mean(stored, _mean(1), terms) == apply_mean(once, _mean(1), terms)


@pytest.mark.parametrize("strategy", ["fedavg", "fedadam"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.8e308 * 0.99])
def test_a_mean_that_makes_the_model_infinite_is_refused(strategy, bad):
    terms = training(strategy=strategy)
    mean = _mean()
    mean[1, 3] = bad
    state = _state(terms)
    if bad == 1.8e308 * 0.99:  # finite, but no number can be added to it twice
        state = FederatedState.of(0, np.full_like(state.parameters, 1e308), state.moments)
    with pytest.raises(NotFinite, match="after round 1"):
        apply_mean(state, mean, terms)


def test_means_and_states_that_do_not_fit_are_refused():
    terms = training()
    state = _state(terms)
    for mean in (_mean()[:1], _mean()[:, 1:], _mean().astype(np.float32)):
        with pytest.raises(LocalProtocolError, match="shape"):
            apply_mean(state, mean, terms)
    with pytest.raises(LocalProtocolError, match="another strategy"):
        apply_mean(state, _mean(), training(strategy="fedadam"))
    with pytest.raises(LocalProtocolError, match="another strategy"):
        apply_mean(_state(training(strategy="fedadam")), _mean(), terms)
