"""The mathematics against PyTorch's own layers, losses and optimiser, and against differences."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

from models.split_network import network
from models.split_network.batches import batches
from models.split_network.label_noise import TrainingLabels
from models.split_network.layout import Layout, initial_weights, layers, size
from models.split_network.optimiser import AdamW
from models.split_network.options import NetworkOptions
from protocols.errors import LocalProtocolError
from protocols.session.model_terms import SplitNetworkTerms
from protocols.suite import get_suite
from tests.models.split_network.training import (
    ACTIVE,
    SUITE,
    made_case,
    options,
    seed,
    train_federated,
    uniform,
)

LAYOUT = Layout(cut_units=3, hidden_units=5)


def _weights(shapes, number=0):
    return initial_weights(shapes, SUITE.stream(seed("weights", number), b"w"))


def _inputs(rows, width, number=0):
    return uniform("inputs", rows * width, number).astype(np.float32).reshape(rows, width) - 0.5


def _sequential(weights, shapes, *after):
    """PyTorch's own modules with our weights."""
    first, first_bias, second, second_bias = map(torch.tensor, layers(weights, shapes))
    modules = nn.Linear(*first.T.shape), nn.ReLU(), nn.Linear(*second.T.shape), *after
    with torch.no_grad():
        for module, pair in (
            (modules[0], (first, first_bias)),
            (modules[2], (second, second_bias)),
        ):
            module.weight.copy_(pair[0])
            module.bias.copy_(pair[1])
    return nn.Sequential(*modules)


def test_layers_must_be_pytorchs():
    weights = _weights(LAYOUT.bottom(4))
    weights += 0.1  # biases too
    inputs = _inputs(7, 4)
    ours = network.BottomNetwork(LAYOUT, 4, weights).outputs(inputs)
    theirs = _sequential(weights, LAYOUT.bottom(4), nn.Tanh())(torch.tensor(inputs))
    assert np.allclose(ours, theirs.detach().numpy(), atol=1e-6)

    outputs = [_inputs(7, 3, number) for number in range(3)]
    top = _weights(LAYOUT.top(3), 1) + np.float32(0.1)
    margins = network.top(
        [torch.tensor(layer) for layer in layers(top, LAYOUT.top(3))],
        [torch.tensor(values) for values in outputs],
    )
    theirs = _sequential(top, LAYOUT.top(3))(torch.tensor(np.concatenate(outputs, axis=1)))
    assert np.allclose(margins.numpy(), theirs.detach().numpy()[:, 0], atol=1e-6)


@pytest.mark.parametrize("q", [0.0, 1e-9, 0.1, 0.4999])
def test_the_loss_must_be_the_likelihood_of_flipped_labels(q):
    margins = torch.linspace(-40, 40, 161, dtype=torch.float64)
    for label in (False, True):
        for margin in margins:
            ours = network.loss(margin[None], torch.tensor([label]), q)
            one = q + (1 - 2 * q) * torch.sigmoid(margin)
            expected = -torch.log(one if label else 1 - one)
            if q == 0:  # the plain formula underflows far out
                target = torch.tensor(float(label), dtype=torch.float64)
                expected = nn.functional.binary_cross_entropy_with_logits(margin, target)
            assert ours.item() == pytest.approx(expected.item(), rel=1e-6, abs=1e-9)


def test_the_corrected_loss_must_be_least_at_the_true_margin():
    # Of 10,000 rows with margin 0.8 as many are flipped as q says: the expected labels.
    q, margin = 0.3, torch.tensor([0.8], dtype=torch.float64)
    share = q + (1 - 2 * q) * torch.sigmoid(margin)
    tried = torch.linspace(-2, 3, 501, dtype=torch.float64)
    losses = [
        share * network.loss(t[None], torch.tensor([True]), q)
        + (1 - share) * network.loss(t[None], torch.tensor([False]), q)
        for t in tried
    ]
    assert tried[int(torch.stack(losses).argmin())].item() == pytest.approx(0.8, abs=0.011)


def test_gradients_must_be_those_of_finite_differences():
    rows, labels = np.arange(6), TrainingLabels(np.array([0, 1, 1, 0, 1, 0], np.uint8), 0.2)
    inputs, peer_inputs = _inputs(6, 4), _inputs(6, 2, 1)
    own = _weights(LAYOUT.active(4, 1))
    peer = _weights(LAYOUT.bottom(2), 2)

    def value(own, peer):
        with torch.no_grad():
            active = [torch.tensor(x).double() for x in layers(own, LAYOUT.active(4, 1))]
            passive = [torch.tensor(x).double() for x in layers(peer, LAYOUT.bottom(2))]
            outputs = [
                network.bottom(active[:4], torch.tensor(inputs).double()),
                network.bottom(passive, torch.tensor(peer_inputs).double()),
            ]
            truth = network.label_tensor(labels, rows)
            return network.loss(network.top(active[4:], outputs), truth, 0.2).item()

    bottom = network.BottomNetwork(LAYOUT, 2, peer)
    outputs = bottom.outputs(peer_inputs)
    of_own, (of_outputs,) = network.ActiveNetwork(LAYOUT, 4, 1, own).gradients(
        inputs, [outputs], labels, rows
    )
    of_peer = bottom.gradient(of_outputs)
    for weights, gradient, at in ((own, of_own, 0), (peer, of_peer, 1)):
        for i in range(0, len(weights), 3):
            shifted = [np.float64(own), np.float64(peer)]
            shifted[at] = shifted[at].copy()
            shifted[at][i] += 1e-5
            above = value(*shifted)
            shifted[at][i] -= 2e-5
            assert gradient[i] == pytest.approx((above - value(*shifted)) / 2e-5, abs=2e-5)


def test_the_optimiser_must_be_pytorchs():
    opts = options(learning_rate=0.02, weight_decay=0.3)
    start = _inputs(1, 50)[0]
    ours = AdamW.fresh(start.copy())
    theirs = torch.tensor(start, requires_grad=True)
    adam = torch.optim.AdamW([theirs], lr=0.02, weight_decay=0.3, foreach=False)
    for number in range(30):
        gradient = _inputs(1, 50, number)[0]
        assert ours.step(gradient, opts)
        theirs.grad = torch.tensor(gradient)
        adam.step()
    assert np.allclose(ours.weights, theirs.detach().numpy(), atol=1e-6)


def test_the_optimiser_must_say_when_numbers_leave_float32():
    ours = AdamW.fresh(np.zeros(2, np.float32))
    assert not ours.step(np.array([1e30, 0], np.float32), options())


def test_first_weights_must_be_uniform_and_of_their_seed():
    shapes = [(100, 60), (100,)]
    weights = _weights(shapes)
    matrix, bias = layers(weights, shapes)
    bound = np.sqrt(6 / 160)
    assert size(shapes) == len(weights) == 6100
    assert not bias.any()
    assert 0.99 * bound < matrix.max() <= bound
    assert -bound <= matrix.min() < -0.99 * bound
    assert abs(matrix.mean()) < 5 * bound / np.sqrt(3 * 6000)
    assert np.array_equal(weights, _weights(shapes))
    assert not np.array_equal(weights, _weights(shapes, 1))


def test_batches_must_hold_every_row_once_in_an_order_of_the_epoch():
    opts = options(batch_rows=32)
    given = {"options": opts, "suite": SUITE, "public_seed": bytes(32)}
    first = batches(100, 0, **given)
    assert [len(rows) for rows in first] == [25, 25, 25, 25]
    assert sorted(np.concatenate(first)) == list(range(100))
    assert not np.array_equal(np.concatenate(first), np.concatenate(batches(100, 1, **given)))
    again = batches(100, 0, **given)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_pytorchs_settings_must_be_as_before():
    tables, labels = made_case(60, passives=("retailer",))
    threads = torch.get_num_threads()
    state = torch.random.get_rng_state()
    try:
        torch.set_num_threads(2)
        torch.set_float32_matmul_precision("medium")
        halves = train_federated(tables, labels, options()).halves
        assert torch.get_num_threads() == 2
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled()
    torch.manual_seed(1)  # whatever the caller does with PyTorch's own generator
    again = train_federated(tables, labels, options()).halves
    assert again[ACTIVE].to_bytes() == halves[ACTIVE].to_bytes()


def test_roles_in_threads_must_get_the_same_weights():
    tables, labels = made_case(60, passives=("retailer",))
    expected = train_federated(tables, labels, options()).halves[ACTIVE].to_bytes()
    found = []

    def run():
        found.append(train_federated(tables, labels, options()).halves[ACTIVE].to_bytes())

    threads = [threading.Thread(target=run) for _ in range(3)]
    before = torch.get_num_threads()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
    assert torch.get_num_threads() == before


def test_another_suite_must_do_and_give_other_weights():
    shapes = LAYOUT.bottom(4)
    gm = initial_weights(shapes, get_suite("gm").stream(seed("weights"), b"w"))
    assert gm.shape == _weights(shapes).shape
    assert not np.array_equal(gm, _weights(shapes))


def test_importing_the_room_must_not_load_pytorch():
    names = "options messages label_noise encoding model state active_party passive_party clear"
    code = "import sys; " + "; ".join(f"import models.split_network.{n}" for n in names.split())
    code += "; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == 0


def test_options_out_of_range_must_be_refused():
    for changes in (
        {"cut_units": 0},
        {"cut_units": 65},
        {"hidden_units": 0},
        {"hidden_units": 1025},
        {"epochs": 0},
        {"batch_rows": 15},
        {"learning_rate": 0.0},
        {"learning_rate": 1.1},
        {"weight_decay": -0.1},
        {"label_epsilon": 0.0099},
        {"label_epsilon": 20.1},
        {"label_epsilon": float("nan")},
    ):
        with pytest.raises(LocalProtocolError):
            options(**changes)


def test_options_must_be_those_of_the_terms():
    terms = SplitNetworkTerms(
        cut_units=3,
        hidden_units=8,
        epochs=2,
        batch_rows=32,
        learning_rate="0.01",
        weight_decay="0.01",
        label_epsilon="2",
    )
    assert NetworkOptions.from_terms(terms) == options()


def _misplaced(array, offset):
    """The same numbers, ``offset`` bytes past a multiple of 64."""
    memory = np.zeros(array.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    placed = memory[start : start + array.nbytes].view(np.float32).reshape(array.shape)
    placed[:] = array
    return placed


@pytest.mark.parametrize("offset", [4, 16, 52])
@pytest.mark.parametrize(("cut", "hidden"), [(8, 33), (1, 128), (1, 1)])
def test_where_arrays_lie_in_memory_must_not_matter(cut, hidden, offset):
    layout, rows = Layout(cut, hidden), np.arange(243)
    labels = TrainingLabels((rows % 3 == 0).astype(np.uint8), 0.1)
    inputs, weights = _inputs(243, 17), _weights(layout.active(17, 2))
    peers = [_inputs(243, cut, number) for number in (1, 2)]
    own, back = network.ActiveNetwork(layout, 17, 2, weights).gradients(inputs, peers, labels, rows)
    moved = network.ActiveNetwork(layout, 17, 2, _misplaced(weights, offset))
    own_moved, back_moved = moved.gradients(
        _misplaced(inputs, offset), [_misplaced(peer, offset) for peer in peers], labels, rows
    )
    assert np.array_equal(own, own_moved)
    for gradients, again in zip(back, back_moved, strict=True):
        assert np.array_equal(gradients, again)

    below = _weights(layout.bottom(17))
    bottom = network.BottomNetwork(layout, 17, below)
    bottom_moved = network.BottomNetwork(layout, 17, _misplaced(below, offset))
    assert np.array_equal(bottom.outputs(inputs), bottom_moved.outputs(_misplaced(inputs, offset)))
    assert np.array_equal(
        bottom.gradient(back[0]), bottom_moved.gradient(_misplaced(back[0], offset))
    )
