"""Who learned what from a run: sentences in every language, and the counts that stand in them.

The protocols' ``SPEC.md`` files and ``docs/threat-model.md`` §5 are the source. What follows from
it, such as guessing a label from a group, is said where a party could do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import ScorecardTerms, SplitNetworkTerms, TreeTerms
from simulations.report.model import COORDINATOR, Learned, PsiReport
from simulations.report.worth import HeldOut

_Values: TypeAlias = dict[str, int | str | tuple[str, ...]]


def what_each_learned(
    spec: JobSpec, psi: PsiReport, held_out: HeldOut
) -> dict[str, tuple[Learned, ...]]:
    """Return what each party and the coordinator learned beyond their own data."""
    active = spec.active_party.party_id
    passives = tuple(party.party_id for party in spec.passive_parties)
    learned = {active: _active(spec, psi, held_out, passives)}
    for passive in passives:
        others = tuple(party for party in passives if party != passive)
        learned[passive] = _passive(spec, psi, held_out, passive, others)
    learned[COORDINATOR] = _coordinator(spec)
    return learned


def _active(
    spec: JobSpec, psi: PsiReport, held_out: HeldOut, passives: tuple[str, ...]
) -> tuple[Learned, ...]:
    active = spec.active_party.party_id
    columns = Learned(key="columns", values={"others": passives})
    shared = tuple(_shared(psi, active, passive, psi.pairwise[passive]) for passive in passives)
    common: tuple[Learned, ...] = ()
    if len(passives) > 1:
        common = (Learned(key="only_common", values={"common": psi.intersection}),)
    if _trains_alone(spec):
        return (columns, *shared, *common, Learned(key="own_tree"))
    return (
        columns,
        *shared,
        *common,
        *_active_in_training(spec, held_out, passives),
        *_repeated(spec, active=True),
    )


def _passive(
    spec: JobSpec, psi: PsiReport, held_out: HeldOut, passive: str, others: tuple[str, ...]
) -> tuple[Learned, ...]:
    active = spec.active_party.party_id
    common: tuple[Learned, ...] = ()
    if others:
        values: Mapping[str, int | tuple[str, ...]] = {"common": psi.intersection, "others": others}
        common = (Learned(key="which_common", values={**values}),)
    training: tuple[Learned, ...] = (
        *_passive_in_training(spec, held_out, others=(active, *others)),
        *_repeated(spec, active=False),
    )
    if _trains_alone(spec):
        training = (Learned(key="active_tree", values={"active": active}),)
    return (
        Learned(key="columns_and_label", values={"others": (active, *others)}),
        _shared(psi, passive, active, psi.pairwise[passive]),
        *common,
        *training,
        Learned(key="no_scores"),
    )


def _coordinator(spec: JobSpec) -> tuple[Learned, ...]:
    """What it learned, and what it did not: every organisation asks the second first."""
    if spec.alignment.protocol == "server_aided":
        return (Learned(key="job_terms"), Learned(key="token_matches"), Learned(key="no_names"))
    return (Learned(key="job_terms"), Learned(key="sizes"), Learned(key="no_contents"))


def _active_in_training(
    spec: JobSpec, held_out: HeldOut, passives: tuple[str, ...]
) -> tuple[Learned, ...]:
    training: _Values = {"training": held_out.trained_on, "passives": passives}
    both: _Values = training | {"held_out": held_out.customers}
    match spec.training:
        case TreeTerms():
            return (
                Learned(key="gradient_sums", values=training),
                Learned(key="held_out_sides", values={"held_out": held_out.customers}),
            )
        case ScorecardTerms() as terms:
            table = Learned(key="joint_table", values={"passives": passives})
            return (
                Learned(key="bin_classes", values=training),
                Learned(key="own_coefficients", values={"others": passives}),
                Learned(key="partial_scores", values=both),
                *((table,) if terms.joint_table else ()),
            )
        case SplitNetworkTerms() as terms:
            return (Learned(key="cut_outputs", values=both | {"units": terms.cut_units}),)


def _passive_in_training(
    spec: JobSpec, held_out: HeldOut, others: tuple[str, ...]
) -> tuple[Learned, ...]:
    training: _Values = {"training": held_out.trained_on}
    match spec.training:
        case TreeTerms() as terms:
            sampled = (Learned(key="training_rows"),) if terms.one_side_sampling else ()
            return (Learned(key="nodes", values=training), *sampled)
        case ScorecardTerms():
            return (
                Learned(key="own_evidence", values=training),
                Learned(key="own_coefficients", values={"others": others}),
            )
        case SplitNetworkTerms() as terms:
            bounded: _Values = training | {"epsilon": terms.label_epsilon}
            return (Learned(key="private_gradients", values=bounded),)


def _trains_alone(spec: JobSpec) -> bool:
    """Whether no tree asks a passive party for anything."""
    terms = spec.training
    return isinstance(terms, TreeTerms) and terms.first_tree_active_only and terms.trees == 1


def _shared(psi: PsiReport, own: str, other: str, shared: int) -> Learned:
    return Learned(
        key="shared",
        values={
            "shared": shared,
            "own": psi.sizes[own],
            "other": other,
            "others_size": psi.sizes[other],
        },
    )


def _repeated(spec: JobSpec, *, active: bool) -> tuple[Learned, ...]:
    """Return what training on several splits of the same customers tells beyond one."""
    repeats = spec.measurement.repeats
    if repeats < 2:
        return ()
    match spec.training:
        case TreeTerms():
            key = "repeated_active" if active else "repeated_passive"
        case ScorecardTerms():
            key = "repeated_same" if active else "repeated_evidence"
        case SplitNetworkTerms():
            key = "repeated_same" if active else "repeated_private"
    return (Learned(key=key, values={"repeats": repeats}),)
