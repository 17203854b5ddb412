"""G15: questions of banking law that only people can answer (征信业管理条例 2, 7; NFRA 73).

This release has no place to record such an answer, so a job on real data that raises the question
does not start. On made-up or public data the question stays visible and stops nothing.
"""

from __future__ import annotations

from compliance.catalogue import Catalogue
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import about_nobody, cite
from protocols.session.decoded_spec import Spec

GATE = "G15"

_QUESTION_CN = (
    "is retailer data used to judge credit credit-reporting business (征信业管理条例 2, 7), and "
    "was the NFRA Art. 73 report filed 20 working days before"
)
_QUESTION_EU = "is this a high-risk use (AI Act Annex III 5(b)) and a decision under GDPR Art. 22"
_FILING = (
    "where a party is a bank or insurer that shares sensitive data in batch, its report under "
    "NFRA Art. 73 was filed 20 working days before"
)


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """NEEDS_APPROVAL where a person's credit is judged: hard, but soft on data about nobody."""
    judges_credit = spec.purpose == "creditworthiness" or spec.output_use == "lending_decision"
    if judges_credit:
        return Decision(
            gate=GATE,
            verdict=Verdict.NEEDS_APPROVAL,
            hard=not about_nobody(spec),
            reason=f"This needs a legal answer: {_questions(spec)}?",
            articles=cite(spec, cn=("CRR-2", "CRR-7", "NFRA-73"), eu=("AIA-III-5B", "GDPR-22")),
        )
    filing = cite(spec, cn=("NFRA-73",))
    if filing and not about_nobody(spec):
        return Decision(
            gate=GATE,
            verdict=Verdict.CONDITIONS,
            hard=True,
            reason=f"A {spec.purpose} job judges nobody's credit; a filing may still be due.",
            articles=filing,
            conditions=(_FILING,),
        )
    return Decision(
        gate=GATE,
        verdict=Verdict.ALLOW,
        hard=True,
        reason=f"A {spec.purpose} job for {spec.output_use} judges nobody's credit.",
        articles=cite(spec, cn=("CRR-2",), eu=("AIA-III-5B",)),
    )


def _questions(spec: Spec) -> str:
    present = {party.jurisdiction for party in spec.participants}
    asked = [q for j, q in (("CN", _QUESTION_CN), ("EU", _QUESTION_EU)) if j in present]
    return "; and ".join(asked)
