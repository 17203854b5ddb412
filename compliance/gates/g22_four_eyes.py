"""G22: whoever proposes does not approve, and each party approves for itself (NFRA 28, PIPL 51).

Staff ids are compared after Unicode normalisation, without case and surrounding space. What this
does not establish: that two ids are two people, or that an approver read the job.
"""

from __future__ import annotations

import unicodedata

from compliance.catalogue import Catalogue
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import about_nobody, cite
from protocols.session.decoded_spec import Spec

GATE = "G22"


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY a missing, shared or self-approving approver, and software approving real jobs. Hard."""
    problem = _problem(spec)
    if problem is None and facts.automatic_approval and not about_nobody(spec):
        problem = (
            "Approval is automatic, which only a research_only job on made-up or public data "
            "may have."
        )
    conditions: tuple[str, ...] = ()
    verdict = Verdict.DENY if problem else Verdict.ALLOW
    if problem is None and facts.automatic_approval:
        verdict = Verdict.CONDITIONS
        conditions = ("approval was given by software; no person read this job",)
    return Decision(
        gate=GATE,
        verdict=verdict,
        hard=True,
        reason=problem or "The proposer and each party's approver are different staff ids.",
        articles=cite(spec, cn=("NFRA-28", "PIPL-51"), eu=("GDPR-32",)),
        conditions=conditions,
    )


def _problem(spec: Spec) -> str | None:
    proposer = _same_person_form(spec.proposed_by)
    if not proposer:
        return "The job does not say who proposed it."
    approvers: dict[str, str] = {}
    for party in spec.participants:
        approver = _same_person_form(party.approver)
        if not approver:
            return f"{party.party_id} names no approver."
        if approver == proposer:
            return f"{party.party_id}'s approver is the person who proposed the job."
        if approver in approvers:
            return f"One person approves for both {approvers[approver]} and {party.party_id}."
        approvers[approver] = party.party_id
    return None


def _same_person_form(staff_id: str) -> str:
    return unicodedata.normalize("NFKC", staff_id).strip().casefold()
