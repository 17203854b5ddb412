"""This machine's speeds are measured with real calls, once, and with a key that hides nothing."""

from __future__ import annotations

from typing import get_args

import pytest

from models.cost import Operation
from party_node.operation_speeds import Speeds, measure_operations
from protocols.errors import LocalProtocolError
from protocols.suite import get_suite


def test_every_kind_of_work_is_measured_once_in_a_process():
    speeds = measure_operations(get_suite("gm"), 2048)
    assert set(speeds.microseconds) == set(get_args(Operation))
    assert set(speeds.call_microseconds) == set(get_args(Operation))
    assert all(value >= 0 for value in speeds.call_microseconds.values())
    assert all(value > 0 for value in speeds.microseconds.values())
    assert measure_operations(get_suite("gm"), 2048) is speeds
    # What must hold on any machine: an exponentiation takes hundreds of products.
    assert speeds.microseconds["rerandomisations"] > 20 * speeds.microseconds["products"]
    assert speeds.microseconds["decryptions"] > 20 * speeds.microseconds["squarings"]


def test_counts_become_seconds():
    speeds = Speeds(2048, "portable", {"encryptions": 250.0, "additions": 2.0}, {"additions": 9.0})
    assert speeds.seconds({"encryptions": 4000, "additions": 500_000}) == pytest.approx(2.0)
    assert speeds.seconds_of_calls({"additions": 1000}) == pytest.approx(0.009)
    assert speeds.seconds({}) == speeds.seconds_of_calls({}) == 0


def test_a_size_no_key_has_is_refused():
    with pytest.raises(LocalProtocolError, match="2048 or 3072"):
        measure_operations(get_suite("gm"), 1024)
