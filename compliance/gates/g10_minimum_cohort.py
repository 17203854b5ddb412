"""G10: nobody is singled out by a small intersection (PIPL 73, WP216).

The numbers are this project's policy; no statute sets them. What this does not establish: a party
that pads its set with rows of its own reaches any floor.
"""

from __future__ import annotations

from compliance.catalogue import Catalogue
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import about_nobody, cite
from protocols.session.job_spec import JobSpec

GATE = "G10"


def decide(spec: JobSpec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY a floor below the party's minimum, and an intersection below the floor. Hard.

    A floor below the policy's is allowed on condition where no data is about anybody. Nothing is
    released while the size of the intersection is unknown. Reasons state floors, never a size
    below one.
    """
    floor = spec.cohort_floor
    policy = rules.policy.minimum_cohort
    problem = _problem(spec, stage, facts, policy)
    lowered = problem is None and floor < policy
    verdict = Verdict.CONDITIONS if lowered else Verdict.ALLOW
    reached = (
        f"The agreed floor is {floor:,} customers; the intersection is not known yet."
        if facts.intersection_size is None
        else f"The intersection reaches the agreed floor of {floor:,} customers."
    )
    return Decision(
        gate=GATE,
        verdict=Verdict.DENY if problem else verdict,
        hard=True,
        reason=problem or reached,
        articles=cite(spec, cn=("PIPL-73",), eu=("WP216",)),
        conditions=(
            f"the floor of {floor:,} is below the policy's {policy:,} because every party declares "
            "made-up or public data; this job must not run on real customers",
        )
        if lowered
        else (),
    )


def _problem(spec: JobSpec, stage: Stage, facts: Facts, policy: int) -> str | None:
    floor = spec.cohort_floor
    if facts.minimum_cohort is not None and floor < facts.minimum_cohort:
        return (
            f"The job opens intersections of {floor:,} customers, fewer than the "
            f"{facts.minimum_cohort:,} that {facts.dataset.party_id} requires."
        )
    if floor < policy and not about_nobody(spec):
        return (
            f"The job opens intersections of {floor:,} customers, fewer than the policy's "
            f"{policy:,}, which only a research_only job on made-up or public data may do."
        )
    if facts.intersection_size is None:
        if stage == "release":
            return "Nothing is released before the size of the intersection is known."
        return None
    if facts.intersection_size < floor:
        return f"The intersection is smaller than the agreed floor of {floor:,} customers."
    return None
