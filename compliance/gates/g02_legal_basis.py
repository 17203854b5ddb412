"""G02: each party names a legal basis from its own jurisdiction's list (PIPL 13, GDPR 6).

What this does not establish: that the basis named is the right one, or that consent was given.
"""

from __future__ import annotations

from compliance.catalogue import MADE_OR_PUBLIC, Catalogue, LegalBasis
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import cite
from protocols.session.agreed_job import Participant
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec

GATE = "G02"

_ARTICLE = {"CN": "PIPL Art. 13", "EU": "GDPR Art. 6"}


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY a missing, unknown or foreign basis; otherwise state the conditions that come with it.

    Hard. A basis for simulations is refused unless results serve research only.
    """
    problems: list[str] = []
    relying: dict[LegalBasis, list[str]] = {}
    articles = cite(spec, cn=("PIPL-13",), eu=("GDPR-6",))
    extra: list[str] = []
    for party in spec.participants:
        basis = _basis(spec, party, rules)
        if isinstance(basis, str):
            problems.append(basis)
        else:
            relying.setdefault(basis, []).append(party.party_id)
            extra += [
                clause
                for clause in (*basis.clauses, *basis.condition_clauses)
                if rules.clause(clause).jurisdiction == party.jurisdiction
            ]
    if problems:
        return Decision(
            gate=GATE,
            verdict=Verdict.DENY,
            hard=True,
            reason="; ".join(problems) + ".",
            articles=articles,
        )
    named = ", ".join(f"{party.party_id} {party.legal_basis}" for party in spec.participants)
    return Decision(
        gate=GATE,
        verdict=Verdict.CONDITIONS,
        hard=True,
        reason=f"Every party names a legal basis from its own list: {named}.",
        articles=tuple(dict.fromkeys((*articles, *extra))),
        conditions=tuple(
            f"{', '.join(names)} ({basis.id}): {_condition(spec, basis)}"
            for basis, names in relying.items()
        ),
    )


def _condition(spec: Spec, basis: LegalBasis) -> str:
    """Return what comes with the basis; a horizontal job tells nobody who is a customer."""
    if isinstance(spec, HorizontalSpec) and basis.condition_without_list:
        return basis.condition_without_list
    return basis.condition


def _basis(spec: Spec, party: Participant, rules: Catalogue) -> LegalBasis | str:
    """Return the basis the party may rely on, or why it may not rely on what it names."""
    article = _ARTICLE[party.jurisdiction]
    if not party.legal_basis.strip():
        return f"{party.party_id} names no legal basis, which {article} requires"
    basis = rules.legal_basis(party.legal_basis)
    if basis is None:
        return (
            f"{party.party_id} names legal basis {party.legal_basis!r}, "
            f"which is not among those of {article}"
        )
    if basis.jurisdiction not in (party.jurisdiction, "any"):
        return (
            f"{party.party_id} is in {party.jurisdiction} and cannot rely on "
            f"{basis.jurisdiction} basis {basis.id} ({basis.summary_en.rstrip('.').lower()}); "
            f"{article} lists the bases it may name"
        )
    if basis.id == MADE_OR_PUBLIC and spec.output_use != "research_only":
        return (
            f"{party.party_id} declares made-up or public data, which stands in for a basis under "
            f"{article} only where results serve research_only, not {spec.output_use!r}"
        )
    return basis
