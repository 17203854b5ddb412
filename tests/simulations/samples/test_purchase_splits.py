"""One shop's customers given to several retailers: everybody to one, in the way that was asked."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.suite import RandomStream, get_suite
from simulations.samples.purchase_files import SplitError, retailer_ids
from simulations.samples.purchase_splits import at_random, by_label, concentration_of, in_runs

SUITE = get_suite("gm")


def stream(purpose: bytes = b"split") -> RandomStream:
    return SUITE.stream(bytes(32), purpose)


def test_a_random_split_must_be_even() -> None:
    places = at_random(1003, 5, stream())
    assert sorted(np.bincount(places)) == [200, 200, 201, 201, 201]
    assert (places == at_random(1003, 5, stream())).all()
    assert (places != at_random(1003, 5, stream(b"another"))).any()


def test_runs_must_be_contiguous_and_nearly_even() -> None:
    sizes = np.array([5, 1, 9, 3, 3, 8, 1, 1, 6, 3])
    places = in_runs(sizes, 4)
    assert (np.diff(places) >= 0).all()
    assert list(np.bincount(places, weights=sizes)) == [6, 15, 9, 10]
    with pytest.raises(SplitError, match="3 groups cannot be cut into 4 runs"):
        in_runs(np.array([1, 1, 1]), 4)
    with pytest.raises(SplitError, match="cannot be cut"):
        in_runs(np.array([1, 1, 100, 1]), 4)


def test_a_smaller_concentration_must_skew_the_labels_more() -> None:
    classes = np.array([0] * 800 + [1] * 200 + [-1] * 100)

    def spread(concentration: float) -> float:
        places = by_label(classes, 5, concentration, stream())
        assert set(places) == {0, 1, 2, 3, 4}
        assert np.bincount(places[classes >= 0], minlength=5).min() >= 40
        rates = [float((classes[(places == p) & (classes >= 0)] == 1).mean()) for p in range(5)]
        return max(rates) - min(rates)

    assert spread(0.3) > 3 * spread(1000)
    assert spread(1000) < 0.15


def test_a_skew_that_starves_a_retailer_must_be_refused() -> None:
    with pytest.raises(SplitError, match="no split of 60 customers into 30"):
        by_label(np.array([0, 1] * 30), 30, 0.01, stream())


@pytest.mark.parametrize(
    ("split", "concentration"), [("random", None), ("dirichlet:0.5", 0.5), ("dirichlet:10", 10.0)]
)
def test_concentration_must_be_read(split: str, concentration: float | None) -> None:
    assert concentration_of(split) == concentration


@pytest.mark.parametrize("split", ["dirichlet:", "dirichlet:0", "dirichlet:x", "dirichlet:nan"])
def test_a_concentration_that_is_none_must_be_refused(split: str) -> None:
    with pytest.raises(SplitError, match=r"the number must be in \[0.01, 1000\]"):
        concentration_of(split)


def test_retailers_names_must_sort_as_their_numbers() -> None:
    assert retailer_ids(5) == tuple(f"retailer-{n}" for n in range(1, 6))
    assert list(retailer_ids(100)) == sorted(retailer_ids(100))
    for parties in (2, 101):
        with pytest.raises(SplitError, match=f"3 to 100 retailers, not {parties}"):
            retailer_ids(parties)
