"""Who learned what from a run: sentences in every language, and the counts that stand in them.

The protocols' ``SPEC.md`` files and ``docs/threat-model.md`` §5 are the source. What follows from
it, such as guessing a label from a group, is said where a party could do it.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.session.job_spec import JobSpec
from simulations.report.model import COORDINATOR, HeldOut, Learned, PsiReport


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
        Learned(
            key="gradient_sums", values={"training": held_out.trained_on, "passives": passives}
        ),
        Learned(key="held_out_sides", values={"held_out": held_out.customers}),
        *_repeated("repeated_active", spec),
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
        Learned(key="nodes", values={"training": held_out.trained_on}),
        *_repeated("repeated_passive", spec),
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


def _trains_alone(spec: JobSpec) -> bool:
    """Whether no tree asks a passive party for anything."""
    return spec.model.first_tree_active_only and spec.model.trees == 1


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


def _repeated(key: str, spec: JobSpec) -> tuple[Learned, ...]:
    repeats = spec.evaluation.repeats
    return (Learned(key=key, values={"repeats": repeats}),) if repeats > 1 else ()
