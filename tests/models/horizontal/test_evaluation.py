"""The area under the curve from counts, against the exact one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models.evaluation import auc, ks
from models.horizontal.evaluation import (
    COUNT_BITS,
    SCORE_BINS,
    counts_length,
    ranking_from_counts,
    score_counts,
)
from protocols.errors import LocalProtocolError
from tests.models.horizontal.made import uniform


def _scores(name, rows, spread=3.0):
    margins = spread * (uniform(f"{name} margins", 2, rows) - 0.5)
    probabilities = 1 / (1 + np.exp(-margins))
    labels = (uniform(f"{name} labels", rows) < probabilities[0]).astype(np.uint8)
    return probabilities, labels, uniform(f"{name} out", 2, rows) < 0.4


def test_counts_of_several_parties_give_the_auc_of_all_their_customers():
    parts = [_scores(name, 400) for name in "abc"]
    counts = [score_counts(*part) for part in parts]
    found = ranking_from_counts([sum(c) for c in zip(*counts, strict=True)], 2)
    assert len(counts[0]) == counts_length(2) == 2 * 2 * SCORE_BINS
    for repeat, ranking in enumerate(found):
        scores = np.concatenate([p[repeat, out[repeat]] for p, _, out in parts])
        labels = np.concatenate([l[out[repeat]] for _, l, out in parts])
        exact = roc_auc_score(labels, scores)
        assert (ranking.positives, ranking.negatives) == (labels.sum(), (1 - labels).sum())
        assert abs(ranking.auc - exact) <= ranking.resolution
        assert ranking.resolution < 0.003
        assert ranking.ks == pytest.approx(ks(labels, scores), abs=0.02)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_the_stated_resolution_bounds_the_error(data):
    rows = data.draw(st.integers(2, 40))
    chance = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1 - 2**-53])
    scores = np.array([data.draw(st.lists(chance, min_size=rows, max_size=rows))])
    labels = np.array(data.draw(st.lists(st.sampled_from([0, 1]), min_size=rows, max_size=rows)))
    bins = data.draw(st.sampled_from([8, 200, SCORE_BINS]))
    counts = score_counts(scores, labels.astype(np.uint8), np.ones((1, rows), bool), bins=bins)
    (found,) = ranking_from_counts(counts, 1, bins=bins)
    if len(set(labels.tolist())) == 1:
        assert (found.auc, found.resolution, found.ks) == (None, None, None)
        return
    assert abs(found.auc - auc(labels, scores[0])) <= found.resolution + 1e-12
    assert found.ks <= ks(labels, scores[0]) + 1e-12


def test_the_bound_is_reached_where_a_bin_hides_a_perfect_order():
    scores, labels = np.array([[0.5, 0.5001]]), np.array([0, 1], np.uint8)
    (found,) = ranking_from_counts(score_counts(scores, labels, np.ones((1, 2), bool)), 1)
    assert (found.auc, found.resolution) == (0.5, 0.5)
    assert auc(labels, scores[0]) == 1


def test_equal_scores_count_one_half():
    scores, labels = np.array([[0.3, 0.3, 0.9, 0.1]]), np.array([0, 1, 1, 0], np.uint8)
    (found,) = ranking_from_counts(score_counts(scores, labels, np.ones((1, 4), bool)), 1)
    assert found.auc == auc(labels, scores[0]) == 3.5 / 4


def test_only_held_out_customers_count():
    scores, labels, out = _scores("a", 100)
    none = score_counts(scores, labels, np.zeros_like(out))
    assert set(none) == {0}
    (first, _) = ranking_from_counts(none, 2)
    assert (first.positives, first.negatives, first.auc) == (0, 0, None)


def test_negative_counts_of_noise_stand_for_none():
    counts = score_counts(*_scores("a", 100), bins=8)
    low = [count - 1000 if place % 8 == 0 else count for place, count in enumerate(counts)]
    zero = [0 if place % 8 == 0 else count for place, count in enumerate(counts)]
    assert ranking_from_counts(low, 2, bins=8) == ranking_from_counts(zero, 2, bins=8)


def test_what_cannot_be_counted_is_refused():
    scores, labels, out = _scores("a", 20)
    for bad in (scores + 1, scores * np.nan, -scores):
        with pytest.raises(LocalProtocolError, match="between 0 and 1"):
            score_counts(bad, labels, out)
    with pytest.raises(LocalProtocolError, match="same customers"):
        score_counts(scores, labels[1:], out)
    with pytest.raises(LocalProtocolError, match="same customers"):
        score_counts(scores, labels, out[:1])
    with pytest.raises(LocalProtocolError, match="score bins"):
        score_counts(scores, labels, out, bins=2)
    with pytest.raises(LocalProtocolError, match="another length"):
        ranking_from_counts([0] * 7, 1)
    with pytest.raises(LocalProtocolError, match="more customers"):
        ranking_from_counts([2**COUNT_BITS, *[0] * 15], 1, bins=8)
