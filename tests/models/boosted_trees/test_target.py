"""Labels, gradients and losses of the three objectives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from models.boosted_trees.gradients import Fixed
from models.boosted_trees.target import Target
from protocols.errors import LocalProtocolError
from tests.models.boosted_trees.training import options, uniform

OBJECTIVES = ("binary", "regression", "multiclass")
ROWS = np.arange(40)


def _target(objective, weights="none", rows=40):
    classes = 4 if objective == "multiclass" else 1
    opts = options(objective=objective, classes=classes, class_weights=weights)
    if objective == "regression":
        labels = np.exp(3 * uniform("numbers", rows))
    else:
        labels = (uniform("labels", rows) ** 2 * max(classes, 2)).astype(np.uint8)
    return Target.of(labels, np.ones(rows, np.bool_), opts), labels, opts


def _gradients(target, margins, opts, weights=None):
    ones = np.ones(len(ROWS)) if weights is None else weights
    return target.gradients(margins, ROWS, ones, 1.0, Fixed.of(opts))


@pytest.mark.parametrize(
    ("objective", "weights"),
    [(objective, "none") for objective in OBJECTIVES]
    + [("binary", "balanced"), ("multiclass", "balanced")],
)
def test_gradients_must_be_the_derivatives_of_the_loss(objective, weights):
    target, _, opts = _target(objective, weights)
    spread = np.stack([uniform("margins", 40, k) for k in range(opts.outputs)], axis=1)
    margins = (spread - 0.5) * (0.5 if objective == "regression" else 4)
    gradients = _gradients(target, margins, opts)
    step = 1e-5
    total = target.weights.sum() * target.largest_weight
    # The loss of a regression is the square without its half.
    scale = total * (0.5 if objective == "regression" else 1.0)
    for row, output in ((0, 0), (7, opts.outputs - 1), (23, 0)):
        moved = margins.copy()
        losses = []
        for by in (step, -step, 0.0):
            moved[row, output] = margins[row, output] + by
            losses.append(target.loss(moved, ROWS) * scale)
        first = gradients.first[row, output] * gradients.first_unit
        second = gradients.second[row, output] * gradients.second_unit
        assert first == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-4)
        curvature = (losses[0] + losses[1] - 2 * losses[2]) / step**2
        assert second == pytest.approx(curvature, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(OBJECTIVES), st.data())
def test_gradients_must_keep_within_their_bounds_at_any_margin(objective, data):
    weights = (
        "none" if objective == "regression" else data.draw(st.sampled_from(["none", "balanced"]))
    )
    target, _, opts = _target(objective, weights)
    numbers = st.floats(-1e300, 1e300)
    drawn = data.draw(st.lists(numbers, min_size=opts.outputs, max_size=opts.outputs))
    margins = np.tile(np.array(drawn), (40, 1))
    fixed = Fixed.of(opts)
    gradients = _gradients(
        target, margins, opts, weights=np.full(40, data.draw(st.floats(0.01, 1)))
    )
    assert np.abs(gradients.first).max() <= fixed.first_bound
    assert gradients.second.min() >= 1
    assert gradients.second.max() <= fixed.second_bound
    assert "array" not in repr(gradients)


def test_binary_gradients_must_be_the_rounded_derivatives():
    labels = np.array([1, 0, 1, 0, 1])
    opts = options()
    target = Target.of(labels, np.ones(5, np.bool_), opts)
    margins = np.array([[0.0], [2.0], [-800.0], [800.0], [1e308]])
    gradients = target.gradients(margins, np.arange(5), np.ones(5), 1.0, Fixed.of(opts))
    probability = 1 / (1 + np.exp(-2.0))
    one = 1 << 16
    assert gradients.first[:, 0].tolist() == [-one // 2, round(probability * one), -one, one, 0]
    assert gradients.second[:, 0].tolist() == [
        one // 4, round(probability * (1 - probability) * one), 1, 1, 1,
    ]  # fmt: skip
    assert (gradients.first_unit, gradients.second_unit) == (2**-16, 2**-16)


def test_balanced_weights_must_be_those_of_scikit_learn():
    for objective in ("binary", "multiclass"):
        target, labels, _ = _target(objective, "balanced")
        classes = np.unique(labels)
        expected = compute_class_weight("balanced", classes=classes, y=labels)
        ours = target.weights * target.largest_weight
        np.testing.assert_allclose(ours, expected[np.searchsorted(classes, labels)])
        assert ours.mean() == pytest.approx(1.0)
        # Every class counts the same, so the start favours none.
        assert np.ptp(target.base) == pytest.approx(0.0, abs=1e-12)


def test_starting_margins_must_be_those_of_the_training_rows():
    labels = np.array([1, 0, 0, 0, 1, 1, 1, 1])
    training = np.arange(8) < 4
    target = Target.of(labels, training, options())
    assert target.initial_margins().tolist() == [[pytest.approx(np.log(1 / 3))]] * 8
    numbers = np.array([10.0, 20.0, 30.0, 1000.0])
    target = Target.of(numbers, np.arange(4) < 3, options(objective="regression"))
    assert (target.center, target.scale) == (20.0, 20.0)
    assert target.values.tolist() == [-0.5, 0.0, 0.5, 49.0]


@pytest.mark.parametrize(
    ("labels", "changes"),
    [
        pytest.param(np.array([0, 0, 0, 1]), {}, id="a class only among validation rows"),
        pytest.param(np.array([0, 1, 2, 0]), {}, id="a class too many"),
        pytest.param(np.array([0, 1, 0]), {}, id="another length"),
        pytest.param(
            np.array([0, 1, 1, 2]), {"objective": "multiclass", "classes": 3}, id="class missing"
        ),
        pytest.param(np.array([3.0, 3.0, 3.0, 9.0]), {"objective": "regression"}, id="all equal"),
        pytest.param(np.array([1.0, 2.0, np.nan, 0]), {"objective": "regression"}, id="a NaN"),
        pytest.param(
            np.array([1e308, -1e308, 1e308, 0]), {"objective": "regression"}, id="too large"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_labels_with_nothing_to_learn_must_be_refused(labels, changes):
    with pytest.raises(LocalProtocolError, match="label"):
        Target.of(labels, np.arange(4) < 3, options(**changes))
