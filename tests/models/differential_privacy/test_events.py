"""Events as they are kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.differential_privacy.events import GaussianEvent, rounded_up
from protocols.errors import LocalProtocolError
from tests.models.horizontal.made import damaged


@given(st.floats(1e-6, 1), st.floats(1e-3, 1e6), st.integers(1, 10**6))
def test_a_stored_event_reads_back(rate, noise, steps):
    event = GaussianEvent(rate, noise, steps)
    assert GaussianEvent.from_bytes(event.to_bytes()) == event


def test_damaged_events_raise_nothing_else():
    event = GaussianEvent(0.25, 1.5, 40)
    for data in damaged(event.to_bytes(), changes=300):
        try:
            found = GaussianEvent.from_bytes(data)
        except LocalProtocolError:
            continue
        assert found.to_bytes() == data
        assert 0 < found.rate <= 1
        assert found.noise_multiplier > 0


@pytest.mark.parametrize(
    ("rate", "noise", "steps"),
    [
        (0.0, 1.0, 1),
        (1.1, 1.0, 1),
        (math.nan, 1.0, 1),
        (0.1, 0.0, 1),
        (0.1, -1.0, 1),
        (0.1, math.inf, 1),
        (0.1, math.nan, 1),
        (0.1, 1.0, 0),
    ],
)
def test_what_is_no_event_is_refused(rate, noise, steps):
    with pytest.raises(LocalProtocolError, match="privacy event"):
        GaussianEvent(rate, noise, steps)


@given(st.floats(0, 1e6))
def test_rounding_goes_up_by_less_than_one_decimal(value):
    found = rounded_up(value)
    assert value <= found <= value + 1.01e-6
    assert float(f"{found:.6f}") == found
