"""What joining was worth agrees with other implementations, and with adding up by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from models.evaluation import auc_difference_interval
from simulations.horizontal.report.worth import (
    HeldOutScores,
    by_party,
    cost_of,
    gain_of,
    measured,
    overall,
    within,
)
from tests.simulations.horizontal.sample_report import made_scores, names, sample_report


def three() -> dict[str, HeldOutScores]:
    return {
        party: made_scores(at, 0, 60 + 7 * at, pooled=True) for at, party in enumerate(names(3))
    }


def test_areas_must_agree_with_another_implementation() -> None:
    scored = three()
    split = measured(7, scored)
    for party, scores in scored.items():
        found = split.parties[party]
        assert found.alone == pytest.approx(roc_auc_score(scores.labels, scores.alone))
        assert found.joint == pytest.approx(roc_auc_score(scores.labels, scores.joint))
        assert found.pooled == pytest.approx(roc_auc_score(scores.labels, scores.pooled))
        assert (found.held_out, found.left) == (len(scores.labels), scores.labels.sum())
    labels = np.concatenate([scores.labels for scores in scored.values()])
    joint = np.concatenate([scores.joint for scores in scored.values()])
    assert split.joint == pytest.approx(roc_auc_score(labels, joint))
    assert split.held_out == sum(len(scores.labels) for scores in scored.values())


def test_mean_within_the_parties_must_be_weighted_by_held_out_customers() -> None:
    split = measured(7, three())
    scores = list(split.parties.values())
    expected = np.average([s.alone for s in scores], weights=[s.held_out for s in scores])
    assert within(split, "alone") == pytest.approx(expected)
    gain = np.average([s.joint - s.alone for s in scores], weights=[s.held_out for s in scores])
    assert gain_of(split) == pytest.approx(gain)
    assert cost_of(split) == pytest.approx(split.joint - (split.pooled or 0))


def test_interval_of_one_split_must_add_up_the_parties_variances() -> None:
    scored = three()
    whole = overall(sample_report(parties=3))
    assert whole.gain is not None
    customers = sum(len(s.labels) for s in scored.values())
    variance = sum(
        (len(s.labels) / customers) ** 2
        * auc_difference_interval(s.labels, s.alone, s.joint).standard_error ** 2
        for s in scored.values()
    )
    margin = stats.norm.ppf(0.975) * np.sqrt(variance)
    assert whole.gain.high - whole.gain.value == pytest.approx(margin)
    assert whole.gain.value - whole.gain.low == pytest.approx(margin)


def test_interval_of_several_splits_must_be_the_corrected_resampled_one() -> None:
    run = sample_report(parties=3, splits=10)
    whole = overall(run)
    for gap, of in ((whole.gain, gain_of), (whole.cost, cost_of)):
        values = np.array([of(split) for split in run.splits], dtype=np.float64)
        ratio = sum(s.held_out for s in run.splits) / sum(s.trained_on for s in run.splits)
        error = np.sqrt((1 / 10 + ratio) * values.var(ddof=1))
        assert gap is not None
        assert gap.value == pytest.approx(values.mean())
        assert gap.high == pytest.approx(values.mean() + stats.t.ppf(0.975, 9) * error)
    for worth in by_party(run):
        alone = [split.parties[worth.party_id].alone for split in run.splits]
        assert worth.alone == pytest.approx(np.mean(alone))
        assert worth.gain is not None
        assert -1 <= worth.gain.low <= worth.gain.value <= worth.gain.high <= 1


def test_party_with_one_outcome_must_have_no_area_and_no_weight() -> None:
    scored = three()
    first = scored["retailer-01"]
    one_class = HeldOutScores(
        trained_on=first.trained_on,
        rows=first.rows,
        labels=np.zeros_like(first.labels),
        alone=first.alone,
        joint=first.joint,
        pooled=first.pooled,
    )
    split = measured(7, scored | {"retailer-01": one_class})
    found = split.parties["retailer-01"]
    assert (found.alone, found.joint, found.pooled, found.gain_error) == (None, None, None, None)
    others = [split.parties[party] for party in names(3)[1:]]
    expected = np.average([s.alone for s in others], weights=[s.held_out for s in others])
    assert within(split, "alone") == pytest.approx(expected)


def test_pooled_scores_of_some_parties_only_must_be_refused() -> None:
    scored = three() | {"retailer-03": made_scores(2, 0, 74, pooled=False)}
    with pytest.raises(ValueError, match="pooled"):
        measured(7, scored)
