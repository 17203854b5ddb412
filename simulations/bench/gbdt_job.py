"""The job whose training is measured: two nodes with homes and keys, and the spec both hold.

The spec is what the measured options say; nothing of it was negotiated, and the dataset it names
is not read: each side is handed its columns of the shared customers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from models.table import ColumnKind
from party_node.journal import new_job_key
from party_node.node import Node
from party_node.peer_channel.certificates import create_identity
from party_node.store import jobs, transaction
from protocols.identifiers import RULES_VERSION
from protocols.session.job_spec import (
    AlignmentTerms,
    ColumnTerms,
    DatasetTerms,
    EvaluationTerms,
    JobSpec,
    LabelTerms,
    PartyRole,
    PartyTerms,
)
from protocols.session.model_terms import TreeTerms
from protocols.suite import get_suite
from simulations.bench.gbdt_tables import ACTIVE, PASSIVE

SIDES = (ACTIVE, PASSIVE)
JOB = "bench-gbdt"
_ROLES: dict[str, PartyRole] = {ACTIVE: "active_party", PASSIVE: "passive_party"}


@dataclass(frozen=True, slots=True)
class Homes:
    """Where a run of the job keeps what each side has."""

    folder: Path

    def node(self, side: str) -> Path:
        """Return the home of a side's node."""
        return self.folder / side

    def identity(self, side: str) -> Path:
        """Return the folder of a side's identity on the peer channel."""
        return self.folder / f"{side}-identity"


def set_up_job(
    folder: Path, terms: TreeTerms, kinds: Mapping[str, dict[str, ColumnKind]], suite_name: str
) -> Homes:
    """Make both nodes in the new folder ``folder``, each with the job at its first attempt."""
    homes = Homes(folder)
    suite = get_suite(suite_name)
    nodes = {s: Node.create(homes.node(s), s, suite_name, simulated=True) for s in SIDES}
    spec = _spec(terms, kinds, suite_name, {s: node.keys.public_key for s, node in nodes.items()})
    for side, node in nodes.items():
        create_identity(homes.identity(side), side, suite)
        for other in SIDES:
            if other != side:
                node.pin_peer(other, nodes[other].keys.public_key)
        with transaction(node.engine) as connection:
            connection.execute(
                insert(jobs).values(
                    job_id=spec.job_id,
                    spec=spec.to_bytes(),
                    approvals=b"{}",
                    status="running",
                    attempt=1,
                    journal_key=new_job_key(node.keys, spec.job_id),
                )
            )
        node.close()
    return homes


def open_node(home: Path, kernels: str) -> Node:
    """Open a side's node; its suite computes in bulk by ``kernels``."""
    node = Node.open(home)
    suite = get_suite(node.keys.suite.name, kernels)
    return dataclasses.replace(node, keys=dataclasses.replace(node.keys, suite=suite))


def _spec(
    terms: TreeTerms,
    kinds: Mapping[str, dict[str, ColumnKind]],
    suite_name: str,
    public_keys: Mapping[str, bytes],
) -> JobSpec:
    return JobSpec(
        job_id=JOB,
        title="Trees that are measured",
        purpose="credit_need",
        output_use="research_only",
        agreement="bench",
        suite="gm" if suite_name == "gm" else "intl",
        parties=tuple(
            PartyTerms(
                party_id=side,
                role=_ROLES[side],
                public_key=public_keys[side].hex(),
                jurisdiction="CN",
                legal_basis="synthetic_or_public_data",
                dataset=DatasetTerms(
                    name=f"{side}-columns",
                    identifier_kind="opaque",
                    columns=tuple(
                        ColumnTerms(name=f"c{i}", kind=kind)
                        for i, kind in enumerate(kinds[side].values())
                    ),
                ),
                minimum_cohort=1,
                approver=f"{side}-officer-1",
            )
            for side in SIDES
        ),
        label=LabelTerms(party_id=ACTIVE, name="label", meaning="what is predicted"),
        alignment=AlignmentTerms(
            protocol="ecdh", reveal="list", to="both", identifier_rules=RULES_VERSION
        ),
        model=terms,
        evaluation=EvaluationTerms(
            held_out_percent=20, split_seed=0, minimum_held_out=10, repeats=1, threshold="0.5"
        ),
        outputs=(),
        retention=None,
        privacy_budget="none",
        proposed_by="bench",
        created_at="2026-01-01T00:00:00Z",
        expires_at="2099-01-01T00:00:00Z",
    )
