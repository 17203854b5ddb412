"""What every step of a horizontal job needs: the node, the job, what was sent, what goes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection

from audit.catalogue import DetailValue
from models.horizontal.plan import epoch_terms
from party_node.horizontal.state import PartyState
from party_node.jobs import Job
from party_node.node import Node
from party_node.progress import ProgressFile
from party_node.reporting import Letters
from protocols.errors import RemoteProtocolError
from protocols.secure_aggregation import EpochTerms
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.horizontal_terms import MASKED
from protocols.session.phase_report import Phase
from protocols.suite import Suite


@dataclass
class StepContext:
    """One step of one job at one party."""

    node: Node
    job: Job[HorizontalSpec]
    step: Phase
    inbox: Letters
    """Letters of the coordinator, by name."""
    chunks: Mapping[str, Sequence[bytes]]
    """Long byte strings of the coordinator in pieces, by name."""
    outbox: Letters
    progress: ProgressFile
    pieces: list[bytes] = field(default_factory=list)
    """The ciphertexts that go back."""

    @property
    def spec(self) -> HorizontalSpec:
        """The job all parties signed."""
        return self.job.spec

    @property
    def suite(self) -> Suite:
        """The job's suite."""
        return self.node.keys.suite

    @property
    def party(self) -> str:
        """This party's id."""
        return self.node.party_id

    @cached_property
    def state(self) -> PartyState:
        """What is kept of this attempt."""
        return PartyState(self.node, self.job)

    @cached_property
    def public_keys(self) -> dict[str, bytes]:
        """The pinned keys of the job's parties, this node's own among them."""
        pinned = self.node.pinned_keys()
        return {party.party_id: pinned[party.party_id] for party in self.spec.parties}

    @property
    def is_masked(self) -> bool:
        """Whether masks cover each contribution."""
        return self.spec.aggregation.method in MASKED

    def epoch_terms(self, epoch: int, first: int) -> EpochTerms:
        """Return the terms of a key epoch, as every party derives them from the spec."""
        return epoch_terms(self.spec, self.job.attempt, epoch=epoch, first=first, suite=self.suite)

    def letter(self, name: str) -> bytes:
        """Return what the coordinator sent as ``name``; refuses its absence."""
        try:
            return self.inbox[name]
        except KeyError:
            raise RemoteProtocolError(
                f"sent no {name}", party="coordinator", step=self.step
            ) from None

    def number(self, name: str) -> int:
        """Return a count the coordinator sent as ``name``."""
        data = self.letter(name)
        if len(data) != 4:
            raise RemoteProtocolError(f"{name} is no count", party="coordinator", step=self.step)
        return int.from_bytes(data, "big")

    def event(
        self,
        connection: Connection,
        type_: str,
        *,
        details: dict[str, DetailValue] | None = None,
        counts: dict[str, int] | None = None,
        joint: tuple[bytes, Mapping[str, bytes]] | None = None,
    ) -> int:
        """Append an event of this step in the caller's transaction; return its seq."""
        return self.job.event(
            self.node,
            connection,
            type_,
            phase=self.step,
            details=details,
            counts=counts,
            joint=joint,
        )

    def write(self, name: str, data: bytes) -> None:
        """Write one of this party's outputs, whole or not at all."""
        self.node.write_output(self.spec.job_id, name, data)

    def write_json(self, name: str, value: object) -> None:
        """Write one of this party's outputs as JSON."""
        self.node.write_json(self.spec.job_id, name, value)
