"""G17: protections of a model and of sums are at the policy's strength (PIPL 51, GDPR 32).

The numbers are this project's policy, from what its own attacks measured (``docs/privacy.md``).
What this does not establish: that a model with every protection on tells nothing; it does.
"""

from __future__ import annotations

from decimal import Decimal

from compliance.catalogue import Catalogue, Policy
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from compliance.gates import about_nobody, cite
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.horizontal_terms import MASKED
from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import ScorecardTerms, SplitNetworkTerms, TreeTerms

GATE = "G17"


def decide(spec: Spec, stage: Stage, facts: Facts, rules: Catalogue) -> Decision:
    """DENY fewer customers in a cell than the policy's; ask about what shows labels. Soft.

    Of a horizontal job it asks about sums whose single contributions one party can help to read,
    and about noise that is all the protection there is and too little. Where no data is about
    anybody all of this is allowed on condition.
    """
    del stage, facts
    small: tuple[str, ...] = ()
    if isinstance(spec, HorizontalSpec):
        open_questions = (*_shows_updates(spec), *_little_noise(spec, rules.policy))
    else:
        small = _too_small(spec, rules.policy.minimum_cell)
        open_questions = _shows_labels(spec, Decimal(rules.policy.label_epsilon))
    weak = (*small, *open_questions)
    verdict = Verdict.ALLOW
    if weak and about_nobody(spec):
        verdict = Verdict.CONDITIONS
    elif small:
        verdict = Verdict.DENY
    elif open_questions:
        verdict = Verdict.NEEDS_APPROVAL
    return Decision(
        gate=GATE,
        verdict=verdict,
        hard=False,
        reason=" ".join(weak) or "The model's protections are at the policy's strength.",
        articles=cite(spec, cn=("PIPL-51",), eu=("GDPR-32",)),
        conditions=("these protections must not be used on real customers",)
        if verdict is Verdict.CONDITIONS
        else (),
    )


def _too_small(spec: JobSpec, minimum: int) -> tuple[str, ...]:
    match spec.model:
        case TreeTerms() as terms if terms.minimum_bin_count < minimum:
            return (
                f"Splits may leave {terms.minimum_bin_count} customers on a side, fewer than the "
                f"policy's {minimum}: sums of so few can be matched with single customers.",
            )
        case ScorecardTerms() as terms if terms.minimum_class_count < minimum:
            return (
                f"Bins may hold {terms.minimum_class_count} customers of a class, fewer than the "
                f"policy's {minimum}: evidence of so few tells of single customers.",
            )
    return ()


def _shows_labels(spec: JobSpec, largest: Decimal) -> tuple[str, ...]:
    match spec.model:
        case TreeTerms() as terms if terms.one_side_sampling is not None:
            return (
                "One-side sampling shows the passive parties which customers have large "
                "gradients, and with that most labels of the rarer class.",
            )
        case SplitNetworkTerms() as terms if Decimal(terms.label_epsilon) > largest:
            return (
                f"An epsilon of {terms.label_epsilon} for the labels, above the policy's "
                f"{largest}, hides them little.",
            )
    return ()


def _shows_updates(spec: HorizontalSpec) -> tuple[str, ...]:
    if spec.aggregation.method in MASKED:
        return ()
    return (
        f"With {spec.aggregation.method} alone every party holds the key, so a coordinator that "
        "colludes with one of them reads every single update; masked_he does not allow that.",
    )


def _little_noise(spec: HorizontalSpec, policy: Policy) -> tuple[str, ...]:
    """Ask about noise that is all that hides an update; G10 refuses such sums without noise."""
    if spec.privacy is None or spec.floor >= policy.minimum_contributors:
        return ()
    if Decimal(spec.privacy.epsilon) <= Decimal(policy.noise_alone_epsilon):
        return ()
    return (
        f"Sums of {spec.floor} contributions are protected by each party's own noise alone, and "
        f"its epsilon of {spec.privacy.epsilon} is above the policy's "
        f"{policy.noise_alone_epsilon}.",
    )
