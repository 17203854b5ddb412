"""The federation of a simulation's folder: its nodes, its coordinator, and a job among them.

What an operator and an officer do at a real node is done here by software, and recorded as that.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from coordinator.coordinator import Coordinator, JobRecord
from coordinator.job_drive import MAX_ATTEMPTS
from party_node.client_app import AtStep, make_client_app, stop_file
from party_node.errors import JobRefused
from party_node.jobs import approve, propose
from party_node.node import Node
from party_node.peer_channel.link import Deadlines
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.job_spec import JobSpec
from simulations.progress import watch
from simulations.workspace import Workspace

Engine = Callable[[ServerApp, ClientApp, int], None]


class SimulationFailed(Exception):
    """The job did not reach its end; ``hint`` says how to go on."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Federation:
    """The parties and the coordinator whose homes are in one workspace."""

    workspace: Workspace
    suite: str
    parties: tuple[str, ...]

    @classmethod
    def of(cls, workspace: Workspace) -> Federation:
        """Return the federation that set up ``workspace``; raises :class:`SimulationFailed`."""
        spec = cls(workspace, "", ()).latest().spec
        return cls(workspace, spec.suite, tuple(party.party_id for party in spec.parties))

    def agree(self, spec: Spec, nodes: dict[str, Node]) -> None:
        """Propose ``spec`` to every node and approve it; raises :class:`SimulationFailed`."""
        keys = {party: node.keys.public_key for party, node in nodes.items()}
        coordinator = Coordinator.open(self.workspace.coordinator)
        try:
            coordinator.propose(spec)
            for party, node in nodes.items():
                try:
                    propose(node, spec)
                except JobRefused as refusal:
                    coordinator.record_refusal(spec, party, refusal.message)
                    raise SimulationFailed(refusal.message, refusal.hint) from None
            approvals = {
                party: approve(node, spec.job_id, spec.participant(party).approver)
                for party, node in nodes.items()
            }
            coordinator.record_approvals(spec, approvals, keys)
        finally:
            coordinator.close()

    @contextlib.contextmanager
    def nodes(self, *, create: bool = False) -> Iterator[dict[str, Node]]:
        """Open (or create) every party's node, by party."""
        nodes: dict[str, Node] = {}
        try:
            for party in self.parties:
                home = self.workspace.party(party)
                nodes[party] = (
                    Node.create(home, party, self.suite, simulated=True)
                    if create
                    else Node.open(home)
                )
            yield nodes
        finally:
            for node in nodes.values():
                node.close()

    def drive(
        self,
        record: JobRecord[Spec],
        run_engine: Engine,
        deadlines: Deadlines | None = None,
        *,
        at_yield: Callable[[str], None] = lambda party: None,
        at_step: AtStep = lambda party, step, letters, when: None,
    ) -> None:
        """Run the job from where it stands until it ends, well or not."""
        self.workspace.clear_meeting_place()
        spec = record.spec
        parties = [party.party_id for party in spec.participants]
        homes = {i: self.workspace.party(party).resolve() for i, party in enumerate(parties)}
        meeting = self.workspace.meeting.resolve()
        coordinator = Coordinator.open(self.workspace.coordinator)
        finished = threading.Event()
        estimate = None
        if isinstance(spec, JobSpec):
            outputs = self.workspace.party(spec.active_party.party_id) / "outputs" / spec.job_id
            estimate = outputs / "estimate.json"
        try:
            server_app = coordinator.server_app(
                spec.job_id,
                {p.party_id: bytes.fromhex(p.public_key) for p in spec.participants},
                stop=lambda attempt: stop_file(meeting, attempt).touch(),
            )
            client_app = make_client_app(
                homes, meeting, deadlines=deadlines, at_yield=at_yield, at_step=at_step
            )

            def stop_every_attempt() -> None:
                for attempt in range(1, MAX_ATTEMPTS + 1):
                    stop_file(meeting, attempt).touch()

            with (
                watch({party: homes[i] for i, party in enumerate(parties)}, estimate, finished),
                on_interrupt(stop_every_attempt),
            ):
                run_engine(server_app, client_app, len(parties))
        finally:
            finished.set()
            coordinator.close()

    def latest(self, *, scoring: bool = False) -> JobRecord[JobSpec]:
        """Return the job proposed last, of those that score or of those that train."""
        coordinator = Coordinator.open(self.workspace.coordinator)
        try:
            record = coordinator.latest_job(JobSpec, lambda spec: spec.is_scoring == scoring)
        finally:
            coordinator.close()
        if record is None:
            raise SimulationFailed(
                f"the run in {self.workspace.root} was never proposed", "run it without --resume"
            )
        return record

    def latest_horizontal(self) -> JobRecord[HorizontalSpec]:
        """Return the horizontal job proposed last."""
        coordinator = Coordinator.open(self.workspace.coordinator)
        try:
            record = coordinator.latest_job(HorizontalSpec, lambda spec: True)
        finally:
            coordinator.close()
        if record is None:
            raise SimulationFailed(
                f"the run in {self.workspace.root} was never proposed", "run it without --resume"
            )
        return record

    def failure(self, record: JobRecord[Spec], again: str) -> SimulationFailed:
        """Return why the job ended as it did; ``again`` is the command that goes on."""
        reports = record.outcome.get("reports", {})
        order = ("refused", "failed", "abandoned", "stopped")
        told = sorted(
            (r for r in reports.values() if r["status"] in order),
            key=lambda r: order.index(r["status"]),
        )
        lost = record.outcome.get("lost", "")
        if told and told[0]["status"] == "refused":
            payload = told[0]["payload"]
            return SimulationFailed(payload["message"], payload.get("hint", ""))
        if lost:
            silent = sorted({p.party_id for p in record.spec.participants} - set(reports))
            return SimulationFailed(
                f"{', '.join(silent) or 'a party'}: {lost}",
                f"its journal is intact: {again}",
            )
        payload = told[0]["payload"] if told else {"message": f"job is {record.status}"}
        hint = payload.get("hint", "")
        return SimulationFailed(payload["message"], f"{hint}; to go on: {again}".lstrip("; "))


@contextlib.contextmanager
def on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Make the first Ctrl-C ask the job to stop, so that it ends as one that can be resumed.

    A second one does what Ctrl-C does. Only a main thread can do this; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupted(number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.signal(signal.SIGINT, before)
        print("stopping; press Ctrl-C again to end at once", file=sys.stderr)  # noqa: T201
        stop()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
