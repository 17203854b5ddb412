"""The attackers' learners against independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import normalized_mutual_info_score

from models.table import Column, ColumnTable
from simulations.attacks.communities import louvain
from simulations.attacks.customers import stream_of
from simulations.attacks.learners import (
    logistic_scores,
    one_hot,
    plain_features,
    rank_correlation,
    ridge_estimates,
    scaled,
    two_means,
)


def _normals(rows, columns, number=1):
    words = stream_of(number, "test").words(rows * columns)
    uniform = (words >> np.uint64(11)).astype(np.float64) / 2**53
    return stats.norm.ppf(np.clip(uniform, 1e-9, 1 - 1e-9)).reshape(rows, columns)


def test_logistic_scores_must_be_those_of_scikit_learn():
    features = _normals(120, 7)
    labels = (features[:, 0] + _normals(120, 1, 2)[:, 0] > 0.3).astype(np.float64)
    known = np.arange(60)
    reference = LogisticRegression(C=1 / 2.5, tol=1e-10, max_iter=1000)
    reference.fit(features[known], labels[known])
    found = logistic_scores(features, known, labels[known], l2=2.5)
    np.testing.assert_allclose(found, reference.decision_function(features), atol=1e-5)


def test_logistic_scores_must_be_finite_where_labels_separate():
    features = np.concatenate([np.full((20, 3), -1.0), np.full((20, 3), 1.0)])
    labels = np.repeat([0.0, 1.0], 20)
    found = logistic_scores(features, np.arange(40), labels)
    assert np.isfinite(found).all()
    assert found[0] < 0 < found[-1]


def test_ridge_must_be_that_of_scikit_learn():
    features, values = _normals(80, 5), _normals(80, 1, 3)[:, 0]
    known = np.arange(0, 80, 2)
    reference = Ridge(alpha=1.5).fit(features[known], values[known])
    found = ridge_estimates(features, known, values[known], l2=1.5)
    np.testing.assert_allclose(found, reference.predict(features), atol=1e-9)


@given(
    arrays.arrays(np.float64, 20, elements=st.integers(-4, 4).map(float)),
    arrays.arrays(np.float64, 20, elements=st.integers(-4, 4).map(float)),
)
@settings(max_examples=50, deadline=None)
def test_rank_correlation_must_be_spearmans(first, second):
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert rank_correlation(first, second) == 0.0
    else:
        expected = stats.spearmanr(first, second).statistic
        assert rank_correlation(first, second) == pytest.approx(expected)


def test_two_means_must_part_two_clouds():
    features = np.concatenate([_normals(40, 3), _normals(60, 3, 2) + 8])
    found = two_means(features, stream_of(1, "clusters"))
    assert len(np.unique(found[:40])) == len(np.unique(found[40:])) == 1
    assert found[0] != found[-1]


def test_communities_must_be_the_planted_ones():
    truth = np.repeat([0, 1, 2], [30, 40, 50])
    words = stream_of(5, "edges").words(120 * 120).reshape(120, 120)
    chance = np.where(truth[:, None] == truth[None, :], 0.4, 0.05)
    edges = np.triu((words >> np.uint64(11)).astype(np.float64) / 2**53 < chance, 1)
    found = louvain((edges | edges.T).astype(np.float64), stream_of(1, "order"))
    assert normalized_mutual_info_score(truth, found) > 0.9


def test_a_graph_without_edges_must_have_no_communities():
    assert sorted(louvain(np.zeros((5, 5)), stream_of(1, "order")).tolist()) == [0, 1, 2, 3, 4]


def test_features_must_keep_missing_values_and_levels_apart():
    table = ColumnTable(
        (
            Column("amount", "numeric", np.array([1.0, np.nan, 3.0, 5.0])),
            Column("kind", "categorical", np.array(["a", None, "b", "a"], object)),
            Column("same", "numeric", np.ones(4)),
        ),
        4,
    )
    features = plain_features(table)
    assert features.shape == (4, 5)  # amount, its missing, a, b, missing kind; not `same`
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(features.std(axis=0), 1)


def test_groups_must_become_one_column_each():
    found = one_hot([np.array([3, 5, 3]), np.array([-1, 2, 2])])
    assert found.tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 1]]
    assert scaled(np.ones((3, 2))).shape == (3, 0)
