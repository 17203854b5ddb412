"""The plan of a horizontal job, which every party and the coordinator derive from the spec alike.

Which sums are opened, in order: statistics for scaling, one sum a training round, counts of scores.
"""

from __future__ import annotations

from models.horizontal.evaluation import COUNT_BITS, counts_length
from models.horizontal.layout import hidden_units, size
from models.horizontal.scaling import STATISTICS_BITS, statistics_length
from protocols.secure_aggregation import LIMB_BITS, EpochTerms
from protocols.session.agreed_job import session_binding
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.horizontal_terms import MASKED
from protocols.suite import Suite

STATISTICS_LIMBS = -(-STATISTICS_BITS // LIMB_BITS)
COUNT_LIMBS = -(-COUNT_BITS // LIMB_BITS)


def sums_of(spec: HorizontalSpec) -> int:
    """Return how many sums the job opens.

    With a privacy budget scores are not counted: the noise that would have to cover the counts of a
    few hundred customers would leave nothing of them.
    """
    return spec.training.rounds + (1 if spec.privacy is not None else 2)


def sum_name(spec: HorizontalSpec, opened: int) -> str:
    """Return what the sum after ``opened`` opened ones is, as an event names it."""
    if opened == 0:
        return "statistics"
    return f"round-{opened}" if opened <= spec.training.rounds else "evaluation"


def words_of(spec: HorizontalSpec, opened: int) -> int:
    """Return how many words the sum after ``opened`` opened ones has."""
    repeats, columns = spec.evaluation.repeats, len(spec.purchases.columns)
    if opened == 0:
        return statistics_length(columns, repeats) * STATISTICS_LIMBS
    if opened <= spec.training.rounds:
        return repeats * (size(hidden_units(spec.model), columns) + 1)
    return counts_length(repeats) * COUNT_LIMBS


def epoch_terms(
    spec: HorizontalSpec, attempt: int, *, epoch: int, first: int, suite: Suite
) -> EpochTerms:
    """Return the terms of a key epoch whose sums are numbered from ``first`` on."""
    masked = spec.aggregation.method in MASKED
    return EpochTerms(
        binding=session_binding(spec, attempt, suite),
        parties=tuple(sorted(party.party_id for party in spec.parties)),
        threshold=spec.aggregation.threshold if masked else spec.floor,
        floor=spec.floor,
        epoch=epoch,
        first=first,
        sums=spec.aggregation.key_rounds,
        masked=masked,
    )
