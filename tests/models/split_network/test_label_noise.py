"""Randomised response: how often, for whom, and never fresh."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.split_network.label_noise import flip_threshold, training_labels
from protocols.errors import LocalProtocolError
from tests.models.split_network.training import LABEL_KEY, SUITE, identities, options, randomised

ROWS = 4000
ONES = np.ones(ROWS, np.uint8)
ZEROS = np.zeros(ROWS, np.uint8)


@given(st.floats(0.01, 20))
def test_epsilon_must_never_be_above_what_was_stated(epsilon):
    threshold = flip_threshold(epsilon)
    assert 0 < threshold <= 2**63
    # The exact ratio of probabilities against 100 digits of e^epsilon.
    odds = Decimal(2**64 - threshold) / Decimal(threshold)
    assert odds.ln() <= Decimal(repr(epsilon))
    assert threshold == pytest.approx(2**64 / (1 + math.exp(epsilon)), rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("labels", [ONES, ZEROS], ids=["ones", "zeros"])
def test_labels_must_flip_as_often_as_epsilon_says(labels, epsilon):
    training = randomised(labels, options(label_epsilon=epsilon))
    q = 1 / (1 + math.exp(epsilon))
    assert training.flip_probability == pytest.approx(q, rel=1e-12)
    flipped = np.count_nonzero(training.values != labels)
    assert abs(flipped - q * ROWS) < 5 * math.sqrt(q * (1 - q) * ROWS)


def test_the_same_customer_and_label_must_always_get_the_same_answer():
    labels = (np.arange(ROWS) % 3 == 0).astype(np.uint8)
    opts = options()
    whole = randomised(labels, opts).values
    assert np.array_equal(randomised(labels, opts).values, whole)

    # Other rows around it, another order: a later split or a second attempt shows nothing new.
    some = np.arange(ROWS)[::-7]
    part = training_labels(
        labels[some], identities(ROWS)[some], options=opts, suite=SUITE, key=LABEL_KEY
    )
    assert np.array_equal(part.values, whole[some])


def test_coins_must_be_independent_of_key_label_and_epsilon():
    def flips(labels, key=b"\7" * 32, epsilon=1.0):
        return randomised(labels, options(label_epsilon=epsilon), key).values != labels

    q = 1 / (1 + math.exp(1))
    first = flips(ONES)
    for other in (flips(ONES, b"\10" * 32), flips(ZEROS), flips(ONES, epsilon=1.0000001)):
        both = np.count_nonzero(first & other) / ROWS
        assert abs(both - q * q) < 5 * math.sqrt(q * q * (1 - q * q) / ROWS)


def test_the_base_rate_must_be_estimated_from_the_randomised_labels():
    labels = (np.arange(ROWS) % 5 == 0).astype(np.uint8)
    for epsilon in (0.5, 2.0):
        training = randomised(labels, options(label_epsilon=epsilon))
        q = training.flip_probability
        spread = math.sqrt(q * (1 - q) / ROWS) / (1 - 2 * q)
        assert abs(training.base_rate - 0.2) < 5 * spread
    assert randomised(labels, options(label_epsilon=None)).base_rate == pytest.approx(0.2)
    for labels in (ONES, ZEROS):
        assert 0 < randomised(labels, options()).base_rate < 1


def test_without_an_epsilon_labels_must_stay_as_they_are():
    labels = (np.arange(ROWS) % 2).astype(np.uint8)
    training = randomised(labels, options(label_epsilon=None))
    assert np.array_equal(training.values, labels)
    assert training.flip_probability == 0


@pytest.mark.parametrize(
    "labels",
    [np.array([]), np.array([0, 1, 2]), np.array([0.5, 1]), np.array([np.nan]), np.zeros((2, 2))],
)
def test_what_is_no_label_must_be_refused(labels):
    with pytest.raises(LocalProtocolError, match="labels"):
        randomised(labels, options())


def test_labels_without_identities_must_be_refused():
    with pytest.raises(LocalProtocolError, match="identity"):
        training_labels(ONES, identities(3), options=options(), suite=SUITE, key=bytes(32))
