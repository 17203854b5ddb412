"""Who is held out follows from the customer and the seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from models.horizontal.splits import splits
from protocols.identifiers import held_out
from protocols.suite import get_suite
from tests.models.horizontal.made import SUITE, digests, evaluation


@pytest.mark.parametrize("suite", ["gm", "intl"])
@pytest.mark.parametrize("percent", [5, 33, 50])
def test_each_repeat_is_the_rule_all_jobs_share_with_its_own_seed(suite, percent):
    suite, customers = get_suite(suite), digests("a", 80)
    terms = evaluation(held_out_percent=percent, repeats=3)
    expected = [
        [held_out(suite, terms.split_seed + repeat, percent, c.tobytes()) for c in customers]
        for repeat in range(3)
    ]
    assert np.array_equal(splits(customers, terms, suite), np.array(expected))


def test_the_share_held_out_is_about_what_was_agreed():
    found = splits(digests("a", 2000), evaluation(repeats=4), SUITE)
    # 25 % of 2,000 with a standard deviation of 1 %.
    assert np.abs(found.mean(axis=1) - 0.25).max() < 0.04
    assert len({row.tobytes() for row in found}) == 4


def test_order_and_company_change_nothing():
    customers, terms = digests("a", 50), evaluation()
    found = splits(customers, terms, SUITE)
    backwards = splits(np.ascontiguousarray(customers[::-1]), terms, SUITE)
    assert np.array_equal(backwards, found[:, ::-1])
    assert np.array_equal(splits(customers[10:20], terms, SUITE), found[:, 10:20])
    assert splits(customers[:0], terms, SUITE).shape == (2, 0)
