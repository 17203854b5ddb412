"""What a job's training will cost, from its signed spec and the number of training customers."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from models.boosted_trees import cost as trees_cost
from models.boosted_trees.expectation import ColumnShape
from models.boosted_trees.options import TreeOptions
from models.cost import Cost
from models.scorecard import cost as scorecard_cost
from models.scorecard.options import ScorecardOptions
from models.split_network import cost as network_cost
from models.split_network.options import NetworkOptions
from party_node.cost_estimate import Estimate, estimate
from party_node.link_speed import measure_link
from party_node.operation_speeds import measure_operations
from protocols.session.job_spec import JobSpec, PartyTerms
from protocols.session.model_terms import ScorecardTerms, SplitNetworkTerms, TreeTerms
from protocols.suite import Suite


def training_cost(spec: JobSpec, customers: int) -> Cost:
    """Return what training one model of ``spec`` on ``customers`` is expected to cost.

    Of the parties' columns it knows what the spec says: how many there are.
    """
    active, terms = spec.active_party, spec.training
    match terms:
        case TreeTerms():
            options = TreeOptions.from_terms(terms)
            validation = customers * terms.validation_percent // 100
            return trees_cost.training_cost(
                rows=customers - validation,
                options=options,
                key_bits=terms.paillier_bits,
                active=active.party_id,
                active_columns=len(active.dataset.columns),
                passive_columns={
                    party.party_id: [ColumnShape(terms.bins)] * len(party.dataset.columns)
                    for party in spec.passive_parties
                },
                validation_rows=validation,
            )
        case ScorecardTerms():
            (passive, *_) = spec.passive_parties
            return scorecard_cost.training_cost(
                rows=customers,
                options=ScorecardOptions.from_terms(terms),
                key_bits=terms.paillier_bits,
                active=active.party_id,
                passive=passive.party_id,
                active_bins=_fine_bins(active, terms),
                passive_bins=_fine_bins(passive, terms),
            )
        case SplitNetworkTerms():
            return network_cost.training_cost(
                rows=customers,
                options=NetworkOptions.from_terms(terms),
                active=active.party_id,
                passives=tuple(party.party_id for party in spec.passive_parties),
            )


def expected_training(
    spec: JobSpec, customers: int, *, suite: Suite, folder: Path, one_machine: bool
) -> tuple[Estimate, str]:
    """Return the time and bytes of all of a job's training, and a line that says them.

    Measures this machine for about two seconds, which count: a run does it too, at its start.
    ``folder`` is on the disk of the node's database.
    """
    started = time.monotonic()
    terms = spec.training
    repeats = spec.measurement.repeats
    bits = 2048 if isinstance(terms, SplitNetworkTerms) else terms.paillier_bits
    once = estimate(
        training_cost(spec, customers),
        measure_operations(suite, bits),
        measure_link(suite, folder),
        one_machine=one_machine,
    )
    measuring_s = time.monotonic() - started
    whole = replace(
        once,
        seconds=once.seconds * repeats + measuring_s,
        bytes=once.bytes * repeats,
        by_part={part: seconds * repeats for part, seconds in once.by_part.items()},
    )
    rounds = f"{terms.trees} trees" if isinstance(terms, TreeTerms) else f"{terms.epochs} epochs"
    splits = f", {repeats} times" if repeats > 1 else ""
    return whole, whole.text(f"{rounds}, {customers:,} training customers{splits}")


def _fine_bins(party: PartyTerms, terms: ScorecardTerms) -> list[int]:
    return [terms.bins + 1] * len(party.dataset.columns)
