"""Runs a scenario from its file to its report: sets up the parties, starts the engine, collects.

What an operator and an officer do at a real node is done here by software, and recorded as that.
Each party's rows are opened by its own ClientApp; only the comparison in the clear, where the
scenario allows it, reads both files in one place.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from coordinator.coordinator import Coordinator, JobRecord
from coordinator.job_drive import MAX_ATTEMPTS
from party_node.client_app import make_client_app, stop_file
from party_node.errors import JobRefused
from party_node.jobs import approve, propose
from party_node.node import Node
from party_node.peer_channel.link import Deadlines
from protocols.session.job_spec import JobSpec
from protocols.suite import get_suite
from simulations import collect, engine
from simulations.job import job_spec, registration
from simulations.progress import watch
from simulations.report.model import RunReport
from simulations.scenario import Scenario, changed, load, made_scenario, prepare
from simulations.workspace import Workspace

Engine = Callable[[ServerApp, ClientApp, int], None]


class SimulationFailed(Exception):
    """The job did not reach its end; ``hint`` says how to go on."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Simulation:
    """One scenario and the folder it runs in."""

    scenario: Scenario
    workspace: Workspace
    command: str
    """What a person types to run it, for hints."""

    @classmethod
    def of(
        cls,
        source: str,
        out: Path | None = None,
        *,
        made: tuple[int, int, int] | None = None,
        suite: str | None = None,
        protocol: str | None = None,
        repeats: int | None = None,
        trees: int | None = None,
    ) -> Simulation:
        """Read the scenario ``source``; results go to ``out`` or ``out/<scenario>``.

        ``made`` asks for a made population instead: parties, rows of each, seed. The other
        arguments replace what the scenario says. Raises :class:`ScenarioError`.
        """
        scenario = load(source) if made is None else made_scenario(*made)
        changes = {"suite": suite, "protocol": protocol, "repeats": repeats, "trees": trees}
        given = {name: value for name, value in changes.items() if value is not None}
        scenario = changed(scenario, given)
        options = [f"--{name} {value}" for name, value in given.items()]
        options += [f"--out {out}"] if out else []
        command = " ".join(["fedcrm simulate", scenario.source_argument, *options])
        return cls(scenario, Workspace(out or Path("out") / scenario.name), command)

    def run(
        self,
        *,
        resume: bool = False,
        run_engine: Engine = engine.run,
        deadlines: Deadlines | None = None,
        at_yield: Callable[[str], None] = lambda party: None,
    ) -> RunReport:
        """Run, or continue, the job to its end and write every result.

        Raises :class:`SimulationFailed` when a party refused, failed or was lost.
        """
        suite = get_suite(self.scenario.suite)
        if resume:
            self.workspace.must_exist()
        else:
            self._check_parameters()
            self.workspace.start_over()
        if resume:
            scenario = self.scenario.placed(self.workspace.inputs)
        else:
            scenario = prepare(self.scenario, self.workspace.inputs, suite)
            self._set_up(scenario)
        record = self._latest()
        self._check_unchanged(scenario, record.spec)
        if record.status not in ("closed", "refused"):
            self._drive(record, run_engine, deadlines, at_yield)
            record = self._latest()
        if record.status != "closed":
            raise self._failure(record)
        return collect.collect(scenario, self.workspace, record.spec)

    def _check_parameters(self) -> None:
        """Raise :class:`ScenarioError` for what no spec may say, before anything is emptied."""
        now = datetime.now(UTC).replace(microsecond=0)
        job_spec(
            self.scenario,
            {party.id: f"{number:02x}" for number, party in enumerate(self.scenario.parties)},
            job_id=self.scenario.name,
            created_at=_rfc3339(now),
            expires_at=_rfc3339(now + timedelta(days=7)),
        )

    # -- what people would do ----------------------------------------------------------------

    def _set_up(self, scenario: Scenario) -> None:
        """Create every node, register the tables, propose and approve the job."""
        Coordinator.create(self.workspace.coordinator, scenario.suite, simulated=True).close()
        with self._nodes(scenario, create=True) as nodes:
            keys = {party: node.keys.public_key for party, node in nodes.items()}
            for party, node in nodes.items():
                node.register_dataset(registration(scenario, party))
                for peer, key in keys.items():
                    if peer != party:
                        node.pin_peer(peer, key)
            now = datetime.now(UTC).replace(microsecond=0)
            spec = job_spec(
                scenario,
                {party: key.hex() for party, key in keys.items()},
                job_id=f"{scenario.name}-{now:%Y%m%dT%H%M%SZ}",
                created_at=_rfc3339(now),
                expires_at=_rfc3339(now + timedelta(days=7)),
            )
            self._agree(spec, nodes, keys)

    def _agree(self, spec: JobSpec, nodes: dict[str, Node], keys: dict[str, bytes]) -> None:
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
                party: approve(node, spec.job_id, spec.party(party).approver)
                for party, node in nodes.items()
            }
            coordinator.record_approvals(spec, approvals, keys)
        finally:
            coordinator.close()

    @contextlib.contextmanager
    def _nodes(self, scenario: Scenario, *, create: bool = False) -> Iterator[dict[str, Node]]:
        nodes: dict[str, Node] = {}
        try:
            for party in scenario.parties:
                home = self.workspace.party(party.id)
                nodes[party.id] = (
                    Node.create(home, party.id, scenario.suite, simulated=True)
                    if create
                    else Node.open(home)
                )
            yield nodes
        finally:
            for node in nodes.values():
                node.close()

    # -- what the machines do ----------------------------------------------------------------

    def _drive(
        self,
        record: JobRecord,
        run_engine: Engine,
        deadlines: Deadlines | None,
        at_yield: Callable[[str], None],
    ) -> None:
        self.workspace.clear_meeting_place()
        parties = [party.party_id for party in record.spec.parties]
        homes = {i: self.workspace.party(party).resolve() for i, party in enumerate(parties)}
        meeting = self.workspace.meeting.resolve()
        coordinator = Coordinator.open(self.workspace.coordinator)
        finished = threading.Event()
        try:
            server_app = coordinator.server_app(
                record.spec.job_id,
                {p.party_id: bytes.fromhex(p.public_key) for p in record.spec.parties},
                stop=lambda attempt: stop_file(meeting, attempt).touch(),
            )
            client_app = make_client_app(homes, meeting, deadlines=deadlines, at_yield=at_yield)

            def stop_every_attempt() -> None:
                for attempt in range(1, MAX_ATTEMPTS + 1):
                    stop_file(meeting, attempt).touch()

            with (
                watch({party: homes[i] for i, party in enumerate(parties)}, finished),
                on_interrupt(stop_every_attempt),
            ):
                run_engine(server_app, client_app, len(parties))
        finally:
            finished.set()
            coordinator.close()

    def _latest(self) -> JobRecord:
        coordinator = Coordinator.open(self.workspace.coordinator)
        try:
            record = coordinator.latest_job()
        finally:
            coordinator.close()
        if record is None:
            raise SimulationFailed(
                f"the run in {self.workspace.root} was never proposed", "run it without --resume"
            )
        return record

    def _check_unchanged(self, scenario: Scenario, spec: JobSpec) -> None:
        """Refuse to resume a job under a scenario that says something else by now."""
        today = job_spec(
            scenario,
            {party.party_id: party.public_key for party in spec.parties},
            job_id=spec.job_id,
            created_at=spec.created_at,
            expires_at=spec.expires_at,
        )
        if today != spec:
            raise SimulationFailed(
                f"{scenario.source} changed since this run began",
                "undo the change to resume, or run without --resume to start over",
            )

    def _failure(self, record: JobRecord) -> SimulationFailed:
        reports = record.outcome.get("reports", {})
        order = ("refused", "failed", "abandoned", "stopped")
        told = sorted(
            (r for r in reports.values() if r["status"] in order),
            key=lambda r: order.index(r["status"]),
        )
        lost = record.outcome.get("lost", "")
        again = f"{self.command} --resume"
        if told and told[0]["status"] == "refused":
            payload = told[0]["payload"]
            return SimulationFailed(payload["message"], payload.get("hint", ""))
        if lost:
            silent = sorted({p.party_id for p in record.spec.parties} - set(reports))
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


def _rfc3339(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
