"""How well held-out customers are ranked, from counts that add up over the parties.

A party counts its held-out customers by label and score, on one fixed grid; the sum of the counts
gives the area under the ROC curve of all parties' customers together without anybody's scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.table import Floats, Mask
from protocols.errors import LocalProtocolError

SCORE_BINS = 2048
"""Bins of equal width in log odds; the first and the last also take what lies beyond."""
FEWEST_BINS = 8
LARGEST_MARGIN = 8.0
"""The grid covers log odds within +- this: probabilities from 0.0003 to 0.9997."""
COUNT_BITS = 32
"""Two's complement bits that hold any count's sum."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the counts of one repeat say of all parties' held-out customers together."""

    positives: int
    negatives: int
    auc: float | None
    """Area under the ROC curve, customers of one bin counting as ties; None without both labels."""
    resolution: float | None
    """The exact scores' area lies within ``auc`` +- this: half the share of pairs in one bin."""
    ks: float | None
    """Largest gap between the classes' cumulative shares, looked at between the bins."""


def score_counts(
    probabilities: Floats,
    labels: npt.NDArray[np.uint8],
    held_out: Mask,
    *,
    bins: int = SCORE_BINS,
) -> list[int]:
    """Return a party's held-out customers, counted by label and score.

    ``probabilities`` and ``held_out`` are (repeats, n), ``labels`` (n,). For each repeat: label 1
    in each bin from the lowest score up, then label 0. Raises :class:`LocalProtocolError` for
    shapes that differ and probabilities outside [0, 1].
    """
    repeats, rows = probabilities.shape
    if held_out.shape != (repeats, rows) or labels.shape != (rows,):
        raise LocalProtocolError("probabilities, labels and split must be of the same customers")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise LocalProtocolError("probabilities must be between 0 and 1")
    bin_of = _bins(probabilities, bins)
    positive = labels.astype(np.bool_)
    counts: list[int] = []
    for repeat in range(repeats):
        for chosen in (held_out[repeat] & positive, held_out[repeat] & ~positive):
            counts += np.bincount(bin_of[repeat, chosen], minlength=bins).tolist()
    return counts


def counts_length(repeats: int, *, bins: int = SCORE_BINS) -> int:
    """Return how many integers :func:`score_counts` gives."""
    return 2 * bins * repeats


def ranking_from_counts(
    counts_sum: Sequence[int], repeats: int, *, bins: int = SCORE_BINS
) -> list[Ranking]:
    """Return each repeat's ranking from the sum of all parties' :func:`score_counts`.

    A negative count, as noise makes, stands for 0. Raises :class:`LocalProtocolError` for a sum
    of another length and for counts no parties have.
    """
    if len(counts_sum) != counts_length(repeats, bins=bins):
        raise LocalProtocolError("the sum of the score counts has another length")
    if any(abs(count) >= 1 << (COUNT_BITS - 1) for count in counts_sum):
        raise LocalProtocolError("more customers in one score bin than parties can have")
    counts = np.maximum(np.array(counts_sum, np.int64), 0).reshape(repeats, 2, bins)
    return [_ranking(positives, negatives) for positives, negatives in counts]


def _ranking(
    positive_counts: npt.NDArray[np.int64], negative_counts: npt.NDArray[np.int64]
) -> Ranking:
    positives, negatives = positive_counts.tolist(), negative_counts.tolist()
    ones, zeros = sum(positives), sum(negatives)
    if not ones or not zeros:
        return Ranking(ones, zeros, None, None, None)
    wins_doubled = tied = ones_below = zeros_below = 0
    gap = 0.0
    for here, others in zip(positives, negatives, strict=True):
        wins_doubled += here * (2 * zeros_below + others)
        tied += here * others
        ones_below += here
        zeros_below += others
        gap = max(gap, abs(ones_below / ones - zeros_below / zeros))
    pairs = 2 * ones * zeros
    return Ranking(ones, zeros, wins_doubled / pairs, tied / pairs, gap)


def _bins(probabilities: Floats, bins: int) -> npt.NDArray[np.int64]:
    if not FEWEST_BINS <= bins <= 1 << 16:
        raise LocalProtocolError(f"between {FEWEST_BINS} and 65536 score bins")
    with np.errstate(divide="ignore"):
        log_odds = np.log(probabilities) - np.log1p(-probabilities)
    within = np.clip(log_odds, -LARGEST_MARGIN, LARGEST_MARGIN) + LARGEST_MARGIN
    found = np.floor(within * (bins / (2 * LARGEST_MARGIN))).astype(np.int64)
    inside: npt.NDArray[np.int64] = np.minimum(found, bins - 1)
    return inside
