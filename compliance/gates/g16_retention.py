"""G16: every left-over of a job has a deletion date (PIPL 19, 47; GDPR 5(1)(e)).

What this does not establish: that anything is deleted; deleting is the party node's act.
"""

from __future__ import annotations

from compliance.catalogue import Catalogue, RetentionDays
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import cite
from protocols.session.agreed_job import RetentionTerms
from protocols.session.decoded_spec import Spec

GATE = "G16"


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY missing terms, terms below one day and terms beyond the policy's longest. Hard."""
    articles = cite(spec, cn=("PIPL-19", "PIPL-47"), eu=("GDPR-5-1-E",))
    if spec.retention is None:
        return Decision(
            gate=GATE,
            verdict=Verdict.DENY,
            hard=True,
            reason="The job does not say when its row map, intermediate data, model and scores "
            "are deleted.",
            articles=articles,
        )
    agreed = _by_kind(spec.retention)
    longest = _limits(rules.policy.retention_longest_days)
    wrong = [
        f"{kind} {days} days (allowed: 1 to {longest[kind]})"
        for kind, days in agreed.items()
        if not 1 <= days <= longest[kind]
    ]
    if wrong:
        return Decision(
            gate=GATE,
            verdict=Verdict.DENY,
            hard=True,
            reason=f"Retention is out of range: {', '.join(wrong)}.",
            articles=articles,
        )
    usual = _limits(rules.policy.retention_usual_days)
    conditions = tuple(
        f"write down why the {kind} is kept {days} days; {usual[kind]} is usual"
        for kind, days in agreed.items()
        if days > usual[kind]
    )
    return Decision(
        gate=GATE,
        verdict=Verdict.CONDITIONS if conditions else Verdict.ALLOW,
        hard=True,
        reason="Days kept after the job ends: "
        + ", ".join(f"{kind} {days}" for kind, days in agreed.items())
        + ".",
        articles=articles,
        conditions=conditions,
    )


def _by_kind(terms: RetentionTerms) -> dict[str, int]:
    return {
        "row map": terms.row_map_days,
        "intermediate data": terms.intermediate_days,
        "model": terms.model_days,
        "score table": terms.scores_days,
    }


def _limits(days: RetentionDays) -> dict[str, int]:
    return {
        "row map": days.row_map,
        "intermediate data": days.intermediate,
        "model": days.model,
        "score table": days.scores,
    }
