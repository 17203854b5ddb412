"""Estimates, and sentences that say no more than the figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simulations.attacks.outcome import Attack, Estimate, Side, compare

ATTACK = Attack("guess", "model", "one", "the other", "method", "AUC", "guessing")
CHANCE = [0.5, 0.52, 0.48, 0.5]


def _result(without, protected, side=None):
    return compare(
        ATTACK,
        protection="noise",
        without_is="off",
        with_is="on",
        data="made",
        baseline=CHANCE,
        without=without,
        protected=protected,
        side=side,
    )


def test_an_interval_must_be_students():
    values = [0.71, 0.64, 0.8, 0.69, 0.74]
    estimate = Estimate.of(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert estimate.mean == pytest.approx(np.mean(values))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))


@pytest.mark.parametrize("values", [[], [0.5], [0.5, float("nan")], [0.5, float("inf")]])
def test_an_interval_must_not_come_from_too_little(values):
    with pytest.raises(ValueError, match="two finite"):
        Estimate.of(values)


def test_a_protection_that_works_must_be_said_to_lower():
    meaning = _result([0.9, 0.91, 0.92, 0.9], [0.5, 0.51, 0.49, 0.5]).meaning
    assert "lowers the attacker's success from 0.907 to 0.500" in meaning
    assert "cannot be told from the baseline of 0.500" in meaning


def test_a_protection_that_does_nothing_must_not_be_praised():
    meaning = _result([0.9, 0.91, 0.92, 0.9], [0.91, 0.9, 0.91, 0.91]).meaning
    assert "makes no difference that 4 runs can show" in meaning
    assert "the attacker still gains over the baseline" in meaning


def test_a_protection_that_helps_the_attacker_must_be_said_to():
    meaning = _result([0.6, 0.61, 0.6, 0.62], [0.8, 0.81, 0.8, 0.83]).meaning
    assert "raises the attacker's success" in meaning


def test_what_a_protection_costs_must_be_in_the_sentence_and_the_json():
    side = Side.of("AUC of the model", [0.8, 0.82, 0.81, 0.8], [0.7, 0.72, 0.71, 0.7])
    result = _result([0.9, 0.91, 0.92, 0.9], [0.5, 0.51, 0.49, 0.5], side)
    assert "(AUC of the model: 0.808 to 0.708)" in result.meaning
    found = result.as_json()
    assert found["side"]["without"]["mean"] == pytest.approx(0.8075)
    assert found["difference"]["mean"] == pytest.approx(-0.4075)
    assert found["with"]["is"] == "on"
    assert found["seeds"] == 4
