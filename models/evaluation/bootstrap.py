"""How sure one can be of a Kolmogorov-Smirnov distance: a stratified bootstrap.

Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979) 1-26, with
the basic limits of Davison and Hinkley, "Bootstrap Methods and their Application" (1997) §5.2:
twice the estimate minus the draws' percentiles. Each draw takes as many positives and as many
negatives as there are, with replacement, from their own class.

Why not the percentiles themselves: the distance is a maximum, a sample's is on average larger
than the truth, and a resample's larger again. Mirroring takes that lean out once. In simulations
of 200 to 3,000 customers with distances from 0.08 to 0.55 the basic limits held the truth in 85
to 94 % of samples, percentiles in 59 to 85 %. So they are still somewhat too narrow, most of all
near 0. They speak of the choice of these customers only, not of models trained on others.

What is drawn is no secret and protects nothing, so it does not come from a cryptographic stream:
one seed gives one interval, whatever suite a job uses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.delong import Interval
from models.evaluation.inputs import FloatArray, checked

DRAWS = 1000
_WORDS_AT_ONCE = 1 << 20
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def ks_interval(labels: ArrayLike, scores: ArrayLike, *, seed: int, draws: int = DRAWS) -> Interval:
    """Return the KS distance of ``scores`` (n,) with its 95 % bootstrap interval within [0, 1].

    ``labels`` (n,) in {0, 1}; ``seed`` in [0, 2^64). The interval always holds the estimate; the
    standard error is that of the draws. Raises ``ValueError`` as :func:`models.evaluation.ks` does,
    and for fewer than two draws.
    """
    positive, score = checked(labels, scores)
    if not 0 <= seed < 1 << 64:
        raise ValueError("seed must be in [0, 2^64)")
    if draws < 2:
        raise ValueError("an interval needs at least two draws")
    distinct, group = np.unique(score, return_inverse=True)
    of_positives, of_negatives = group[positive], group[~positive]
    counts = [np.bincount(rows, minlength=distinct.size) for rows in (of_positives, of_negatives)]
    estimate = float(_distances(counts[0][None, :], counts[1][None, :])[0])

    drawn = np.empty(draws)
    at_once = max(1, _WORDS_AT_ONCE // score.size)
    for first in range(0, draws, at_once):
        now = min(at_once, draws - first)
        # Draw d takes words d*n ... d*n + n - 1 of the sequence, however many are made at once.
        words = splitmix64(seed, first * score.size, now * score.size).reshape(now, score.size)
        split = of_positives.size
        drawn[first : first + now] = _distances(
            _resampled(of_positives, words[:, :split], distinct.size),
            _resampled(of_negatives, words[:, split:], distinct.size),
        )
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(
        estimate=estimate,
        standard_error=float(drawn.std(ddof=1)),
        low=min(max(0.0, 2 * estimate - float(high)), estimate),
        high=max(min(1.0, 2 * estimate - float(low)), estimate),
    )


def splitmix64(seed: int, first: int, count: int) -> NDArray[np.uint64]:
    """Return ``count`` words of SplitMix64's sequence for ``seed``, from word ``first`` on.

    Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, with
    Vigna's constants: word i is a mix of seed + (i + 1) * 0x9E3779B97F4A7C15 modulo 2^64, so any
    part of the sequence is made without the rest. Statistically good, and predictable.
    """
    with np.errstate(over="ignore"):
        counter = np.arange(first + 1, first + count + 1, dtype=np.uint64)
        word: NDArray[np.uint64] = np.uint64(seed) + counter * _GAMMA
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _resampled(rows: NDArray[np.intp], words: NDArray[np.uint64], groups: int) -> NDArray[np.int64]:
    """Return how often each draw (d, k) takes each group of equal scores, of shape (d, groups).

    The upper half of a word times the number of rows, over 2^32: a row's chance differs from that
    of another by less than one in 2^32 over the number of rows.
    """
    draws = len(words)
    place = ((words >> np.uint64(32)) * np.uint64(rows.size)) >> np.uint64(32)
    taken = rows[place.astype(np.intp)] + groups * np.arange(draws)[:, None]
    return np.bincount(taken.ravel(), minlength=draws * groups).reshape(draws, groups)


def _distances(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> FloatArray:
    """Return the KS distance of each row of counts by distinct score, from the lowest score up."""
    below = [np.cumsum(counts, axis=1) for counts in (positives, negatives)]
    gaps = below[0] / below[0][:, -1:] - below[1] / below[1][:, -1:]
    distances: FloatArray = np.abs(gaps).max(axis=1)
    return distances
