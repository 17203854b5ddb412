"""G11: what a dataset tells a recipient about one customer stays within a budget (GDPR 25).

The unit is one customer; the measure is differential privacy, composed by the party's own ledger
over every job with the same dataset, recipient and purpose. The numbers are this project's policy;
no statute sets them. What this does not establish: that the noise was drawn as planned, that two
names are two recipients, that recipients do not pool what they got, or that another dataset does
not hold the same customers.
"""

from __future__ import annotations

from decimal import Decimal

from compliance.catalogue import Catalogue, Policy
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, PrivacyFacts, Stage
from compliance.gates import cite
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.horizontal_terms import PrivacyTerms

GATE = "G11"


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY what would exceed the budget, and a balance that is unknown. Hard.

    A job without differential privacy is allowed, and "none" recorded. At proposal a party need
    not have planned its releases: then the start decides, and the condition says so.
    """
    terms = spec.privacy if isinstance(spec, HorizontalSpec) else None
    if terms is None:
        problem, reason = None, "The job names no privacy budget; none is recorded."
        conditions: tuple[str, ...] = ()
    else:
        problem = _problem(terms, stage, facts, rules.policy)
        reason = f"The job may cost each party epsilon {terms.epsilon}, delta {terms.delta}. "
        reason += _balance(facts.privacy, rules.policy)
        conditions = _open(facts.privacy)
    verdict = Verdict.CONDITIONS if conditions else Verdict.ALLOW
    return Decision(
        gate=GATE,
        verdict=Verdict.DENY if problem else verdict,
        hard=True,
        reason=problem or reason,
        articles=cite(spec, cn=("PIPL-51",), eu=("GDPR-25",)),
        conditions=() if problem else conditions,
    )


def _balance(privacy: PrivacyFacts | None, policy: Policy) -> str:
    if privacy is None or privacy.after_epsilon is None:
        return "The budget is not used up."
    return (
        f"With all it may release, {privacy.after_epsilon} of {policy.privacy_epsilon} is used for "
        f"{privacy.recipient}."
    )


def _open(privacy: PrivacyFacts | None) -> tuple[str, ...]:
    if privacy is not None and privacy.after_epsilon is None:
        return ("the start decides again, once the party has planned its releases",)
    return ()


def _problem(terms: PrivacyTerms, stage: Stage, facts: Facts, policy: Policy) -> str | None:
    total = Decimal(policy.privacy_epsilon)
    party, privacy = facts.dataset.party_id, facts.privacy
    if Decimal(terms.delta) > Decimal(policy.privacy_delta):
        return f"The job's delta of {terms.delta} is above the policy's {policy.privacy_delta}."
    if Decimal(terms.epsilon) > total:
        return f"The job's epsilon of {terms.epsilon} is above the policy's {total} in all."
    if privacy is None or Decimal(privacy.delta) != Decimal(policy.privacy_delta):
        return (
            f"{party}'s privacy ledger was not asked what is left at the policy's delta of "
            f"{policy.privacy_delta}."
        )
    if privacy.after_epsilon is None:
        if stage != "proposal":
            return f"{party} has not planned what the job releases, so no budget can be reserved."
        spent_up = Decimal(privacy.spent_epsilon) >= total
    else:
        spent_up = Decimal(privacy.after_epsilon) > total
    if not spent_up:
        return None
    return (
        f"The privacy budget of {party}'s dataset {facts.dataset.name!r} for {privacy.recipient} "
        f"does not allow this job: {privacy.spent_epsilon} of {total} is used, and with this job "
        f"it would be {privacy.after_epsilon or 'more'}."
    )
