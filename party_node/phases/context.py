"""What every phase of a job needs: the node, the job, its dataset and its place in the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from audit.catalogue import DetailValue
from audit.event import joint_message
from audit.statements import job_statement
from party_node.datasets import Dataset, read_dataset
from party_node.driver import Driver
from party_node.errors import DatasetError, NodeError
from party_node.jobs import Job
from party_node.journal import Journal
from party_node.keys import unseal
from party_node.node import Node
from party_node.store import row_maps
from protocols.session.agreed_job import session_binding
from protocols.session.countersign import countersign
from protocols.session.job_spec import EvaluationTerms, JobSpec, PartyTerms
from protocols.session.model_terms import TrainingTerms
from protocols.suite import Suite


class RowMap(msgspec.Struct, frozen=True):
    """The private way back from the shared order to this party's own file rows."""

    source_rows: tuple[int, ...]
    """1-based data row in the file, in the order both parties share."""


@dataclass
class PhaseContext:
    """One phase of one job at one party."""

    node: Node
    job: Job[JobSpec]
    phase: str
    journal: Journal
    driver: Driver
    is_first_run: bool
    """Whether nothing of this phase is in the journal yet."""
    inbox: Mapping[str, bytes]
    """What the coordinator sent with the phase start, by the peer it concerns."""
    outbox: dict[str, bytes] = field(default_factory=dict)
    """What goes to the coordinator with the report, by the peer it concerns."""

    @property
    def spec(self) -> JobSpec:
        """The job all parties signed."""
        return self.job.spec

    @property
    def suite(self) -> Suite:
        """The job's suite."""
        return self.node.keys.suite

    @property
    def terms(self) -> PartyTerms:
        """This party's part of the spec."""
        return self.spec.party(self.node.party_id)

    @property
    def is_active(self) -> bool:
        """Whether this party holds the label."""
        return self.terms.role == "active_party"

    @property
    def active(self) -> str:
        """The active party's id."""
        return self.spec.active_party.party_id

    @property
    def passives(self) -> tuple[str, ...]:
        """The passive parties' ids, in the spec's order."""
        return tuple(party.party_id for party in self.spec.passive_parties)

    @property
    def training_terms(self) -> TrainingTerms:
        """What this job trains; only the phases of a training job ask."""
        return self.spec.training

    @property
    def evaluation(self) -> EvaluationTerms:
        """How this job measures what it trained."""
        return self.spec.measurement

    @property
    def outputs(self) -> Path:
        """Where this party's own results go."""
        return self.node.outputs(self.spec.job_id)

    def write(self, name: str, data: bytes) -> None:
        """Write one of this party's outputs, whole or not at all."""
        self.node.write_output(self.spec.job_id, name, data)

    def write_json(self, name: str, value: object) -> None:
        """Write one of this party's outputs as JSON."""
        self.node.write_json(self.spec.job_id, name, value)

    @property
    def binding(self) -> bytes:
        """Spec digest and attempt: what every signature and hash of a protocol is bound to."""
        return session_binding(self.spec, self.job.attempt, self.suite)

    @cached_property
    def dataset(self) -> Dataset:
        """This party's table as registered, read now."""
        registration = self.node.dataset(self.terms.dataset.name)
        if registration.columns != self.terms.dataset.columns:
            raise DatasetError("the registered columns are not those of the signed spec")
        reject_file = self.node.home / "rejects" / f"{registration.name}.csv"
        return read_dataset(registration, self.suite, reject_file)

    @property
    def psi_peers(self) -> tuple[str, ...]:
        """The parties this one intersects with: all passive ones, or the active one."""
        return self.passives if self.is_active else (self.active,)

    def passive_of(self, peer: str) -> str:
        """Return which of this party and ``peer`` is the passive one."""
        return peer if self.is_active else self.node.party_id

    def other_keys(self) -> dict[str, bytes]:
        """Return the pinned keys of every other party of the job, in the spec's order."""
        pinned = self.node.pinned_keys()
        others = (p.party_id for p in self.spec.parties if p.party_id != self.node.party_id)
        return {party: pinned[party] for party in others}

    def event(
        self,
        connection: Connection,
        type_: str,
        *,
        details: dict[str, DetailValue] | None = None,
        counts: dict[str, int] | None = None,
        joint: tuple[bytes, Mapping[str, bytes]] | None = None,
        intent: int | None = None,
    ) -> int:
        """Append an event of this job and phase in the caller's transaction; return its seq."""
        return self.job.event(
            self.node,
            connection,
            type_,
            phase=self.phase,
            details=details,
            counts=counts,
            joint=joint,
            intent=intent,
        )

    def statement(
        self, type_: str, details: dict[str, DetailValue], counts: dict[str, int]
    ) -> bytes:
        """Return the joint statement every party of the job builds for itself."""
        return job_statement(
            type_,
            job=self.spec.job_id,
            origins=self.job.origins(self.node),
            attempt=self.job.attempt,
            details=details,
            counts=counts,
        )

    def countersign(
        self,
        step: str,
        statement: bytes,
        on_done: Callable[[Connection, dict[str, bytes]], None],
    ) -> dict[str, bytes]:
        """Exchange signatures over ``statement`` with every other party, as a step of the plan."""
        return self.driver.run_step(
            step,
            lambda *, seed: countersign(
                joint_message(statement),
                party=self.node.party_id,
                private_key=self.node.keys.signing_key,
                peer_keys=self.other_keys(),
                suite=self.suite,
                seed=seed,
            ),
            inputs=self.inputs(statement),
            encode_result=msgspec.msgpack.encode,
            decode_result=lambda data: msgspec.msgpack.decode(data, type=dict[str, bytes]),
            on_done=on_done,
        )

    def inputs(self, *parts: bytes) -> bytes:
        """Return the digest a step's journal entry is bound to: spec, attempt and ``parts``."""
        framed = (len(part).to_bytes(8, "big") + part for part in parts)
        return self.suite.hash(b"fedcrm/step-inputs/v1\x00", self.binding, *framed)

    def row_map_purpose(self) -> bytes:
        """Return what the sealed row map is bound to."""
        return f"fedcrm/row-map/v1/{self.spec.job_id}".encode()

    def shared_customers(self) -> int:
        """Return the size of the intersection, from the row map."""
        with self.node.engine.connect() as connection:
            rows: int = connection.execute(
                select(row_maps.c.rows).filter_by(job_id=self.spec.job_id)
            ).scalar_one()
        return rows

    def aligned(self) -> npt.NDArray[np.int64]:
        """Return the dataset's indices of the shared customers, in the shared order.

        Raises :class:`DatasetError` when the file changed since the alignment.
        """
        with self.node.engine.connect() as connection:
            row = connection.execute(
                select(row_maps.c.dataset_digest, row_maps.c.sealed).filter_by(
                    job_id=self.spec.job_id
                )
            ).one_or_none()
        if row is None:
            raise NodeError("there is no alignment to train on", "the align phase comes first")
        if row.dataset_digest != self.dataset.digest:
            raise DatasetError(
                f"the file of dataset {self.terms.dataset.name!r} changed since the alignment",
                "restore the file, or start a new job",
            )
        sealed = unseal(
            self.suite, self.node.keys.derived("row-maps"), row.sealed, self.row_map_purpose()
        )
        wanted = msgspec.msgpack.decode(sealed, type=RowMap).source_rows
        index_of = {int(row): index for index, row in enumerate(self.dataset.source_rows)}
        return np.array([index_of[row] for row in wanted], dtype=np.int64)
