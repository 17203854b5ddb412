"""Every party and the coordinator derive the same sums, of the same lengths, from a job."""

from __future__ import annotations

import msgspec
import pytest

from models.horizontal.evaluation import score_counts
from models.horizontal.plan import (
    COUNT_LIMBS,
    STATISTICS_LIMBS,
    epoch_terms,
    sum_name,
    sums_of,
    words_of,
)
from models.horizontal.scaling import statistics
from models.horizontal.splits import splits
from models.horizontal.state import initial_state
from protocols.secure_aggregation import limbs
from protocols.session.agreed_job import session_binding
from protocols.session.horizontal_terms import PerceptronTerms
from protocols.suite import get_suite
from tests.compliance.horizontal_specs import PRIVACY, horizontal
from tests.models.horizontal.made import evaluation, made_table

SUITE = get_suite("gm")


def test_statistics_come_first_and_counts_last() -> None:
    spec = horizontal()
    assert sums_of(spec) == 12
    names = [sum_name(spec, opened) for opened in range(sums_of(spec))]
    assert names == ["statistics", *(f"round-{n}" for n in range(1, 11)), "evaluation"]


def test_scores_are_not_counted_under_a_privacy_budget() -> None:
    spec = horizontal(privacy=PRIVACY)
    assert sums_of(spec) == 11
    assert sum_name(spec, sums_of(spec) - 1) == "round-10"


@pytest.mark.parametrize(("hidden", "parameters"), [((), 3), ((4, 2), 4 * 3 + 2 * 5 + 3)])
def test_lengths_are_those_of_what_is_added(hidden: tuple[int, ...], parameters: int) -> None:
    spec = horizontal(evaluation=evaluation(repeats=3))
    if hidden:
        spec = msgspec.structs.replace(spec, model=PerceptronTerms(hidden=hidden, l2="0.01"))
    table = made_table("east", 40, 2)
    held_out = splits(table.customers, spec.evaluation, SUITE)
    assert words_of(spec, 0) == len(limbs(statistics(table, held_out), STATISTICS_LIMBS))
    state = initial_state(spec.model, spec.training, 2, 3, suite=SUITE, public_seed=bytes(32))
    assert state.parameters.shape == (3, parameters)
    # One word for each parameter of each repeat, and one for the repeat's share of the rows.
    assert words_of(spec, 1) == words_of(spec, 10) == 3 * (parameters + 1)
    counts = score_counts(held_out * 0.5, table.labels, held_out)
    assert words_of(spec, 11) == len(limbs(counts, COUNT_LIMBS))


def test_a_key_epoch_is_of_this_job_and_this_attempt() -> None:
    spec = horizontal()
    terms = epoch_terms(spec, 2, epoch=1, first=9, suite=SUITE)
    assert terms.binding == session_binding(spec, 2, SUITE)
    assert terms.binding != epoch_terms(spec, 1, epoch=1, first=9, suite=SUITE).binding
    assert terms.parties == ("centre", "east", "north", "south", "west")
    assert (terms.threshold, terms.floor, terms.masked) == (4, 3, True)
    assert (terms.epoch, terms.first, terms.sums) == (1, 9, spec.aggregation.key_rounds)


@pytest.mark.parametrize("method", ["ckks", "paillier"])
def test_without_masks_the_floor_is_all_that_is_needed(method: str) -> None:
    terms = epoch_terms(
        horizontal(aggregation={"method": method}), 1, epoch=0, first=0, suite=SUITE
    )
    assert not terms.masked
    assert terms.need == terms.threshold == 3
