"""The KS interval against a slow bootstrap, its generator's vector, and its real coverage."""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from models.evaluation import ks
from models.evaluation.bootstrap import ks_interval, splitmix64
from tests.models.evaluation.samples import Draws, samples

MASK = (1 << 64) - 1
VECTOR = (  # splitmix64.c of S. Vigna, seed 1234567
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)


def shifted(seed: bytes, customers: int, rate: float, by: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and normal scores that lie ``by`` standard deviations higher for positives."""
    labels = (np.arange(customers) < customers * rate).astype(int)
    return labels, Draws(seed).normal(customers) + by * labels


def words_by_definition(seed: int, count: int) -> list[int]:
    """SplitMix64 as published: a state that grows, and a mix of it."""
    state, words = seed, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        words.append(z ^ (z >> 31))
    return words


def test_generator_must_give_the_published_words() -> None:
    assert tuple(splitmix64(1234567, 0, 5).tolist()) == VECTOR


@given(seed=st.integers(0, MASK), first=st.integers(0, 50), count=st.integers(0, 50))
def test_generator_must_equal_its_definition_from_any_word_on(
    seed: int, first: int, count: int
) -> None:
    words = words_by_definition(seed, first + count)
    assert splitmix64(seed, first, count).tolist() == words[first:]


def test_interval_must_equal_a_bootstrap_that_resamples_row_by_row() -> None:
    labels, scores = shifted(b"slow", 90, 0.3, 0.7)
    scores = np.round(scores, 1)  # ties
    rows = [np.flatnonzero(labels == 1).tolist(), np.flatnonzero(labels == 0).tolist()]
    draws, at, distances = 60, 0, []
    words = words_by_definition(9, draws * len(labels))
    for _ in range(draws):
        taken = []
        for own in rows:
            mine = words[at : at + len(own)]
            at += len(own)
            taken.append([own[((word >> 32) * len(own)) >> 32] for word in mine])
        distances.append(ks_2samp(scores[taken[0]], scores[taken[1]]).statistic)
    low, high = np.quantile(distances, (0.025, 0.975))
    found = ks_interval(labels, scores, seed=9, draws=draws)
    estimate = ks(labels, scores)
    assert found.estimate == pytest.approx(estimate)
    assert found.low == pytest.approx(max(0, 2 * estimate - high))
    assert found.high == pytest.approx(max(estimate, 2 * estimate - low))
    assert found.standard_error == pytest.approx(np.std(distances, ddof=1))


def test_how_draws_are_batched_must_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores = shifted(b"batches", 50, 0.4, 0.5)
    whole = ks_interval(labels, scores, seed=3, draws=40)
    monkeypatch.setattr("models.evaluation.bootstrap._WORDS_AT_ONCE", 170)
    assert ks_interval(labels, scores, seed=3, draws=40) == whole
    assert ks_interval(labels, scores, seed=4, draws=40) != whole


@given(sample=samples(), seed=st.integers(0, MASK))
def test_interval_must_hold_the_estimate_and_stay_on_the_scale(
    sample: tuple[list[int], list[float]], seed: int
) -> None:
    labels, scores = sample
    found = ks_interval(labels, scores, seed=seed, draws=20)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.estimate == pytest.approx(ks(labels, scores))


def test_perfect_separation_must_give_a_point() -> None:
    found = ks_interval([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], seed=1)
    assert (found.low, found.estimate, found.high) == (1, 1, 1)


def test_interval_must_hold_the_truth_about_as_often_as_its_docstring_says() -> None:
    by, held, repeats = 0.8, 0, 150
    truth = math.erf(by / 2 / math.sqrt(2))  # KS of two unit normals: 2 Phi(by / 2) - 1
    for repeat in range(repeats):
        labels, scores = shifted(b"coverage%d" % repeat, 400, 0.3, by)
        found = ks_interval(labels, scores, seed=repeat, draws=200)
        held += found.low <= truth <= found.high
    assert 0.85 <= held / repeats <= 0.99


def test_more_customers_must_give_a_narrower_interval() -> None:
    widths = []
    for customers in (200, 800, 3200):
        found = ks_interval(*shifted(b"width", customers, 0.3, 0.8), seed=1, draws=300)
        widths.append(found.high - found.low)
    assert all(wide > 1.5 * narrow for wide, narrow in pairwise(widths))


def test_six_thousand_rows_must_take_less_than_a_second() -> None:
    labels, scores = shifted(b"speed", 6000, 0.2, 0.5)
    best = math.inf
    for _ in range(3):
        begin = time.perf_counter()
        ks_interval(labels, scores, seed=1)
        best = min(best, time.perf_counter() - begin)
    assert best < 1


@pytest.mark.parametrize(
    ("labels", "arguments", "said"),
    [
        ([1, 1], {"seed": 1}, "negative"),
        ([0, 1], {"seed": -1}, "seed"),
        ([0, 1], {"seed": 1 << 64}, "seed"),
        ([0, 1], {"seed": 1, "draws": 1}, "two draws"),
    ],
)
def test_what_gives_no_interval_must_be_refused(
    labels: list[int], arguments: dict[str, int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ks_interval(labels, [0.1, 0.9], **arguments)
