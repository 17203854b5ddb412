"""G10: nobody is singled out by a small intersection, and no party by a small sum (PIPL 73, WP216).

The numbers are this project's policy; no statute sets them. What this does not establish: a party
that pads its set with rows of its own reaches any floor, and parties that pool what they know
subtract their own contributions from a sum.
"""

from __future__ import annotations

from compliance.catalogue import Catalogue, Policy
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import about_nobody, cite
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.job_spec import JobSpec

GATE = "G10"


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY a floor below the party's minimum, and what was opened below the floor. Hard.

    The floor is of customers in an intersection, or of contributions in a horizontal job's sum. A
    floor of customers below the policy's is allowed on condition where no data is about anybody;
    one of contributions, where each party's own noise meets a privacy budget. Nothing is released
    while the size is unknown. Reasons state floors, never a size below one.
    """
    if isinstance(spec, HorizontalSpec):
        problem = _wrong_sum(spec, stage, facts, rules.policy)
        reached, conditions = _contributions(spec, facts, rules.policy)
    else:
        problem = _wrong_intersection(spec, stage, facts, rules.policy)
        reached, conditions = _customers(spec, facts, rules.policy)
    verdict = Verdict.CONDITIONS if conditions else Verdict.ALLOW
    return Decision(
        gate=GATE,
        verdict=Verdict.DENY if problem else verdict,
        hard=True,
        reason=problem or reached,
        articles=cite(spec, cn=("PIPL-73",), eu=("WP216",)),
        conditions=() if problem else conditions,
    )


def _customers(spec: JobSpec, facts: Facts, policy: Policy) -> tuple[str, tuple[str, ...]]:
    floor = spec.floor
    reached = (
        f"The agreed floor is {floor:,} customers; the intersection is not known yet."
        if facts.intersection_size is None
        else f"The intersection reaches the agreed floor of {floor:,} customers."
    )
    if floor >= policy.minimum_cohort:
        return reached, ()
    return reached, (
        f"the floor of {floor:,} is below the policy's {policy.minimum_cohort:,} because every "
        "party declares made-up or public data; this job must not run on real customers",
    )


def _wrong_intersection(spec: JobSpec, stage: Stage, facts: Facts, policy: Policy) -> str | None:
    floor = spec.floor
    if facts.minimum_cohort is not None and floor < facts.minimum_cohort:
        return (
            f"The job opens intersections of {floor:,} customers, fewer than the "
            f"{facts.minimum_cohort:,} that {facts.dataset.party_id} requires."
        )
    if floor < policy.minimum_cohort and not about_nobody(spec):
        return (
            f"The job opens intersections of {floor:,} customers, fewer than the policy's "
            f"{policy.minimum_cohort:,}, which only a research_only job on made-up or public data "
            "may do."
        )
    if facts.intersection_size is None:
        if stage == "release":
            return "Nothing is released before the size of the intersection is known."
        return None
    if facts.intersection_size < floor:
        return f"The intersection is smaller than the agreed floor of {floor:,} customers."
    return None


def _contributions(
    spec: HorizontalSpec, facts: Facts, policy: Policy
) -> tuple[str, tuple[str, ...]]:
    floor = spec.floor
    reached = (
        f"A sum is opened from {floor} contributions on; none has been opened yet."
        if facts.contributors is None
        else f"Every sum that was opened holds at least {floor} contributions."
    )
    if floor >= policy.minimum_contributors:
        return reached, ()
    return reached, (
        f"a sum of {floor} contributions is fewer than the policy's {policy.minimum_contributors}: "
        "whoever made all but one of them computes the last, and its party's own noise is all "
        "that protects it",
    )


def _wrong_sum(spec: HorizontalSpec, stage: Stage, facts: Facts, policy: Policy) -> str | None:
    floor = spec.floor
    if facts.minimum_contributors is not None and floor < facts.minimum_contributors:
        return (
            f"The job opens sums of {floor} contributions, fewer than the "
            f"{facts.minimum_contributors} that {facts.dataset.party_id} requires."
        )
    if floor < policy.minimum_contributors and spec.privacy is None:
        return (
            f"The job opens sums of {floor} contributions, fewer than the policy's "
            f"{policy.minimum_contributors}, which only a job with a privacy budget may do."
        )
    if facts.contributors is None:
        return "Nothing is released before a sum has been opened." if stage == "release" else None
    if facts.contributors < floor:
        return f"A sum of fewer than the agreed floor of {floor} contributions was opened."
    return None
