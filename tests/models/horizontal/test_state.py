"""First parameters, their layout, and the state's one encoding."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from models.horizontal.layout import layers, shapes, size
from models.horizontal.state import FederatedState, initial_state
from protocols.errors import LocalProtocolError
from protocols.suite import get_suite
from tests.models.horizontal.made import LOGISTIC, PERCEPTRON, PUBLIC_SEED, SUITE, damaged, training


def _initial(model, strategy="fedavg", suite=SUITE, seed=PUBLIC_SEED, repeats=3):
    terms = training(strategy=strategy)
    return initial_state(model, terms, 4, repeats, suite=suite, public_seed=seed)


def test_layers_lie_as_pytorchs_own_parameters_do():
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3), torch.nn.ReLU(),
        torch.nn.Linear(3, 1),
    )  # fmt: skip
    assert shapes((5, 3), 4) == [tuple(p.shape) for p in module.parameters()]
    assert size((5, 3), 4) == sum(p.numel() for p in module.parameters())
    flat = torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
    for ours, theirs in zip(
        layers(flat[None], shapes((5, 3), 4)), module.parameters(), strict=True
    ):
        assert np.array_equal(ours[0], theirs.detach().numpy())
    assert shapes((), 4) == [(1, 4), (1,)]


def test_a_change_of_a_layer_is_one_of_the_vector():
    parameters = np.zeros((2, size((5, 3), 4)))
    layers(parameters, shapes((5, 3), 4))[2][1, 2, 4] = 1
    assert parameters[1, 4 * 5 + 5 + 2 * 5 + 4] == 1
    assert parameters.sum() == 1


def test_first_matrices_are_uniform_and_biases_zero():
    parameters = _initial(PERCEPTRON, repeats=20).parameters
    for layer in layers(parameters, shapes((5, 3), 4)):
        if layer.ndim == 2:
            assert not layer.any()
            continue
        limit = math.sqrt(6 / sum(layer.shape[1:]))
        assert np.abs(layer).max() < limit
        assert layer.std() == pytest.approx(limit / math.sqrt(3), rel=0.15)
        assert abs(layer.mean()) < 0.15 * limit
    assert len(np.unique(parameters[:, :20])) == 400
    assert not _initial(LOGISTIC).parameters.any()


def test_first_parameters_follow_from_suite_and_public_seed_alone():
    found = _initial(PERCEPTRON)
    torch.manual_seed(1)
    assert _initial(PERCEPTRON) == found
    assert _initial(PERCEPTRON, seed=bytes(32)) != found
    assert _initial(PERCEPTRON, suite=get_suite("gm")) != found
    # More repeats are more of the same.
    assert np.array_equal(_initial(PERCEPTRON, repeats=5).parameters[:3], found.parameters)


def test_fedadam_starts_with_moments_as_algorithm_2_does():
    first, second = _initial(PERCEPTRON, "fedadam").moments
    assert not first.any()
    assert (second == 0.001 * 0.001).all()
    assert _initial(PERCEPTRON).moments is None
    assert _initial(PERCEPTRON).round == 0


@pytest.mark.parametrize("strategy", ["fedavg", "fedadam"])
def test_a_stored_state_reads_back_and_damage_is_refused(strategy):
    state = _initial(PERCEPTRON, strategy)
    assert FederatedState.from_bytes(state.to_bytes()) == state
    for data in damaged(state.to_bytes()):
        try:
            found = FederatedState.from_bytes(data)
        except LocalProtocolError:
            continue
        assert found.to_bytes() == data
        assert np.isfinite(found.parameters).all()
        assert found.parameters.shape[0] == found.repeats


def test_numbers_that_are_not_finite_make_no_state():
    for bad in (np.nan, np.inf):
        with pytest.raises(LocalProtocolError, match="not finite"):
            FederatedState.of(0, np.array([[0.0, bad]]))


def test_importing_the_package_does_not_load_torch_or_opacus():
    program = (
        "import sys\n"
        "from models.horizontal import clear, evaluation, model, private_training\n"
        "from models.differential_privacy import accountant, events, gaussian\n"
        "sys.exit(bool({'torch', 'opacus', 'scipy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")
