"""G03: data serves the purposes it was collected for (PIPL 6, 14, 23; GDPR 5(1)(b), 6(4)).

Credit need (who will want financing) and creditworthiness (who will repay) are different purposes
with different law; data or results of the first are refused for the second. What this does not
establish: that the owner's record of allowed purposes matches what people were really told.
"""

from __future__ import annotations

from compliance.catalogue import Catalogue
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import cite
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec

GATE = "G03"


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY a purpose the dataset does not allow, or a use the purpose does not carry. Hard."""
    problem = (
        _wrong_dataset(spec, facts)
        or _inconsistent_use(spec, rules)
        or _not_allowed(spec, facts)
        or _wrong_label(spec, facts)
    )
    allowed = (
        f"{facts.dataset.party_id}'s dataset {facts.dataset.name!r} may serve {spec.purpose}, "
        f"and results are for {spec.output_use}."
    )
    return Decision(
        gate=GATE,
        verdict=Verdict.DENY if problem else Verdict.ALLOW,
        hard=True,
        reason=problem or allowed,
        articles=cite(spec, cn=("PIPL-6", "PIPL-14", "PIPL-23"), eu=("GDPR-5-1-B", "GDPR-6")),
    )


def _wrong_dataset(spec: Spec, facts: Facts) -> str | None:
    named = spec.participant(facts.dataset.party_id).dataset_name
    if facts.dataset.name == named:
        return None
    return (
        f"The job names {facts.dataset.party_id}'s dataset {named!r}, but the facts given are "
        f"about {facts.dataset.name!r}, so no purpose of it is known."
    )


def _inconsistent_use(spec: Spec, rules: Catalogue) -> str | None:
    purpose = rules.purpose(spec.purpose)
    if purpose is None:
        return f"Purpose {spec.purpose!r} is not in the catalogue of purposes."
    if spec.output_use in purpose.uses:
        return None
    return (
        f"Results of a {purpose.id} job cannot be used for {spec.output_use!r}; "
        f"this purpose carries {' or '.join(purpose.uses)}."
    )


def _not_allowed(spec: Spec, facts: Facts) -> str | None:
    dataset = facts.dataset
    if spec.purpose in dataset.allowed_purposes:
        return None
    if spec.purpose == "creditworthiness" and "credit_need" in dataset.allowed_purposes:
        return (
            f"{dataset.party_id}'s dataset {dataset.name!r} was collected for credit need; "
            "using it to judge creditworthiness is a new purpose that needs a new basis."
        )
    allowed = ", ".join(dataset.allowed_purposes) or "no purpose"
    return f"{dataset.party_id}'s dataset {dataset.name!r} may serve {allowed}, not {spec.purpose}."


def _wrong_label(spec: Spec, facts: Facts) -> str | None:
    dataset = facts.dataset
    # In a horizontal job every party knows the label of its own customers.
    holds_it = isinstance(spec, HorizontalSpec) or spec.label.party_id == dataset.party_id
    if not holds_it or dataset.label_purpose == spec.purpose:
        return None
    if dataset.label_purpose is None:
        return (
            f"{dataset.party_id} has not declared which purpose its label {spec.label.name!r} "
            "serves."
        )
    return (
        f"{dataset.party_id}'s label {spec.label.name!r} serves {dataset.label_purpose}; "
        f"a job on it cannot be called {spec.purpose}."
    )
