"""Predictions survive their encoding; nothing else decodes to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.predictions import Predictions
from protocols.errors import DecodeError


def made(shape: tuple[int, ...]) -> Predictions:
    count = int(np.prod(shape))
    numbers = np.linspace(-3, 3, max(1, count))[:count].reshape(shape)
    return Predictions(numbers, {"income": numbers / 2}, {"retailer": -numbers})


@pytest.mark.parametrize("shape", [(0,), (1,), (5,), (4, 3), (0, 3)])
def test_every_shape_must_survive(shape: tuple[int, ...]) -> None:
    before = made(shape)
    after = Predictions.from_bytes(before.to_bytes())
    np.testing.assert_array_equal(after.margins, before.margins)
    assert after.contributions["income"].shape == shape
    np.testing.assert_array_equal(after.peer_contributions["retailer"], -before.margins)


def test_probabilities_must_be_the_logistic_and_the_softmax() -> None:
    margins = np.array([-2.0, 0.0, 800.0])
    np.testing.assert_allclose(
        Predictions(margins).probabilities, [1 / (1 + np.exp(2.0)), 0.5, 1.0], rtol=1e-12
    )
    classes = np.array([[0.0, np.log(3.0)], [900.0, 900.0]])
    np.testing.assert_allclose(
        Predictions(classes).probabilities, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-12
    )


def test_numbers_that_do_not_fill_their_shape_must_be_refused() -> None:
    whole = made((4, 3)).to_bytes()
    cut = whole.replace(made((4, 3)).margins.tobytes(), made((4, 3)).margins.tobytes()[:-8])
    for wrong in (whole[:-1], whole + b"\x00", cut, b""):
        with pytest.raises(DecodeError):
            Predictions.from_bytes(wrong)
    with pytest.raises(DecodeError):
        Predictions.from_bytes(Predictions(np.array([np.inf])).to_bytes())


@given(st.binary(max_size=60))
def test_only_a_decode_error_may_escape(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Predictions.from_bytes(data)
