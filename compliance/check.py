"""Runs every gate over a job and says what stops it. Decides; acts on nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from compliance.catalogue import bundle_digest, load_catalogue
from compliance.decision import Decision
from compliance.facts import Facts, Stage
from compliance.gates import (
    Gate,
    g02_legal_basis,
    g03_purpose,
    g10_minimum_cohort,
    g11_privacy_budget,
    g15_sector,
    g16_retention,
    g17_protections,
    g22_four_eyes,
)
from protocols.session.decoded_spec import Spec
from protocols.suite import Suite, canonical

GATES: dict[str, Gate] = {
    g02_legal_basis.GATE: g02_legal_basis.decide,
    g03_purpose.GATE: g03_purpose.decide,
    g10_minimum_cohort.GATE: g10_minimum_cohort.decide,
    g11_privacy_budget.GATE: g11_privacy_budget.decide,
    g15_sector.GATE: g15_sector.decide,
    g16_retention.GATE: g16_retention.decide,
    g17_protections.GATE: g17_protections.decide,
    g22_four_eyes.GATE: g22_four_eyes.decide,
}
"""Every gate of this release, in the order it runs."""


def evaluate(spec: Spec, *, stage: Stage, facts: Facts, suite: Suite) -> tuple[Decision, ...]:
    """Return one decision for each gate, as the party of ``facts`` sees the job at ``stage``.

    Every gate runs at every stage, so an answer given at proposal is not trusted at release.
    Each decision carries the digest of the rules and of the inputs it was taken from. Raises
    ``ValueError`` where the facts are of a party that is not in the job.
    """
    if facts.dataset.party_id not in {party.party_id for party in spec.participants}:
        raise ValueError(f"the facts are of {facts.dataset.party_id!r}, which is not in the job")
    rules = load_catalogue()
    bundle = bundle_digest(suite).hex()
    inputs = _inputs_digest(spec, stage, facts, suite).hex()
    return tuple(
        msgspec.structs.replace(
            decide(spec, stage, facts, rules), bundle_digest=bundle, inputs_digest=inputs
        )
        for decide in GATES.values()
    )


def blocking(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return the decisions that stop the job: every DENY, and every hard NEEDS_APPROVAL."""
    return tuple(decision for decision in decisions if decision.stops)


def _inputs_digest(spec: Spec, stage: Stage, facts: Facts, suite: Suite) -> bytes:
    local = canonical.encode(msgspec.json.decode(msgspec.json.encode(facts)))
    return suite.hash(
        b"fedcrm/compliance-inputs/v1\x00",
        spec.digest(suite),
        stage.encode() + b"\x00",
        local,
    )
