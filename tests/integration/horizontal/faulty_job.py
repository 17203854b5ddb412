"""A small horizontal job in one process, with a place to reach into everything that is sent."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.supercore.task_identity import TaskIdentity

from audit.event import Event
from audit.log import read_events
from coordinator.coordinator import Coordinator, JobRecord
from coordinator.horizontal.recorder import Recorder, SumRecord
from party_node.client_app import AtStep
from party_node.horizontal import steps
from party_node.horizontal.finish import MODEL_FILE
from party_node.horizontal.step_context import StepContext
from party_node.node import Node
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.phase_report import Phase
from protocols.suite import get_suite
from simulations.evidence import PartyOutputs
from simulations.federation import Federation
from simulations.horizontal import collect, sample
from simulations.horizontal.clear import InTheClear
from simulations.horizontal.report.model import HorizontalReport, PrecisionReport
from simulations.horizontal.run import HorizontalSimulation
from tests.integration.thread_grid import ThreadGrid

Changes: TypeAlias = Mapping[str, Any]
Step: TypeAlias = Callable[[StepContext], dict[str, Any]]
SMALL: Changes = {
    "suite": "intl",
    "aggregation.method": "masks",
    "training.rounds": 2,
    "evaluation.repeats": 1,
    "evaluation.minimum_held_out": 10,
    "evaluation.held_out_percent": 40,
}
ROWS = 160


class Killed(BaseException):
    """Stands for kill -9 of a process."""


class Tap:
    """Sees, and may change, every message of the coordinator and every reply; this one does not."""

    grid: TappedGrid

    def request(self, party: str, step: str, message: Message) -> Message:
        """Return what reaches the party."""
        del party, step
        return message

    def reply(self, party: str, step: str, reply: Message) -> Message:
        """Return what reaches the coordinator."""
        del party, step
        return reply

    def sent(self, step: str) -> None:
        """Called when the coordinator has sent a step's messages."""


class TappedGrid(ThreadGrid):
    """A Grid of threads whose lines somebody holds."""

    def __init__(self, client_app: ClientApp, parties: tuple[str, ...], tap: Tap) -> None:
        super().__init__(client_app, len(parties))
        self._parties = parties
        self._tap = tap
        tap.grid = self

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Start each message's handling, then tell the tap which step it was."""
        pushed = list(messages)
        ids = list(super().push_messages(pushed))
        for step in {_step(message) for message in pushed}:
            self._tap.sent(step)
        return ids

    def served(self, message: Message) -> Message:
        """Return a node's reply to a message, which nobody changes."""
        return super()._call(message)

    def _call(self, message: Message) -> Message:
        party, step = self._parties[message.metadata.dst_node_id - 1], _step(message)
        return self._tap.reply(party, step, self.served(self._tap.request(party, step, message)))

    def wait(self) -> None:
        """Return when no node works any more: what a killed process does not do."""
        self._pool.shutdown(wait=True)


def letters(message: Message) -> ConfigRecord:
    """Return the letters beside a start, or beside a report."""
    name = "inbox" if "inbox" in message.content else "outbox"
    return message.content.config_records[name]


def _step(message: Message) -> str:
    return str(message.metadata.message_type.rpartition(".")[2])


@dataclass
class FaultyJob:
    """One job in a folder of its own, agreed by all parties and not yet run."""

    simulation: HorizontalSimulation

    @classmethod
    def made(cls, folder: Path, changes: Changes, *, parties: int = 5) -> FaultyJob:
        """Write the sample, set up the nodes, propose and approve."""
        # A sample has three parties at least; for two, the others' files are left aside.
        table = {"name": "made_purchases", "parties": max(parties, 3), "rows": ROWS}
        simulation = HorizontalSimulation.of(
            "churn", folder, changes={**SMALL, "sample": table, **changes}
        )
        simulation.workspace.start_over()
        suite = get_suite(simulation.scenario.suite)
        setting = sample.prepare(simulation.scenario, simulation.workspace.inputs, suite)
        simulation._set_up(replace(setting, retailers=setting.retailers[:parties]))
        return cls(simulation)

    def copied(self, folder: Path) -> FaultyJob:
        """Return the same job in another folder."""
        shutil.copytree(self.simulation.workspace.root, folder)
        workspace = type(self.simulation.workspace)(folder)
        found = self.simulation
        return FaultyJob(HorizontalSimulation(found.scenario, workspace, found.command))

    def agree_anew(self, *, minutes: int) -> None:
        """Propose and approve the same job once more, dated some minutes later."""
        found, federation = self.simulation, self._federation()
        setting = sample.placed(found.scenario, found.workspace.inputs)
        setting = replace(setting, retailers=setting.retailers[: len(self.parties)])
        with federation.nodes() as nodes:
            keys = {party: node.keys.public_key.hex() for party, node in nodes.items()}
            later = datetime.now(UTC) + timedelta(minutes=minutes)
            federation.agree(found._spec(setting, keys, later), nodes)

    def drive(self, tap: Tap | None = None, at_step: AtStep | None = None) -> JobRecord[Any]:
        """Run the job from where it stands; return what the coordinator has of it then."""

        def engine(server_app: ServerApp, client_app: ClientApp, parties: int) -> None:
            del parties
            TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
            grid = TappedGrid(client_app, self.parties, tap or Tap())
            context = Context(1, 0, {}, RecordDict(), {})
            try:
                server_app(grid, context)
            finally:
                grid.wait()

        federation = self._federation()
        if at_step is None:
            federation.drive(self.record, engine)
        else:
            federation.drive(self.record, engine, at_step=at_step)
        return self.record

    def report(self) -> HorizontalReport:
        """Return the report of a job that is closed: nothing runs."""

        def nothing(*_: object) -> None:
            raise AssertionError("the job was closed already")

        return self.simulation.run(resume=True, run_engine=nothing)

    def precision(self) -> PrecisionReport:
        """Return how far the models are from plain averaging of who was in each sum."""
        spec, workspace = self.spec, self.simulation.workspace
        setting = sample.placed(self.simulation.scenario, workspace.inputs)
        absent = collect._Coordinated.read(workspace, self.record).absent(spec)
        clear = InTheClear.read(setting, spec, get_suite(spec.suite), absent)
        outputs = {party: PartyOutputs(self.outputs(party)) for party in self.models()}
        found = collect._precision(spec, outputs, clear)
        assert found is not None
        return found

    # -- what is there -----------------------------------------------------------------------

    @property
    def record(self) -> JobRecord[HorizontalSpec]:
        """The job as the coordinator knows it."""
        return self._federation().latest_horizontal()

    @property
    def spec(self) -> HorizontalSpec:
        """The job."""
        return self.record.spec

    @property
    def parties(self) -> tuple[str, ...]:
        """Its parties, in the order of their Flower nodes."""
        names = (self.simulation.workspace.root / "nodes" / "parties").iterdir()
        return tuple(sorted(path.name for path in names))

    def home(self, party: str) -> Path:
        """A node's home."""
        return self.simulation.workspace.party(party)

    @property
    def coordinator_home(self) -> Path:
        """The coordinator's home."""
        return self.simulation.workspace.coordinator

    def outputs(self, party: str) -> Path:
        """Where a party's results are."""
        return self.home(party) / "outputs" / self.spec.job_id

    def models(self) -> dict[str, bytes]:
        """Return the model file of each party that has one."""
        files = {party: self.outputs(party) / MODEL_FILE for party in self.parties}
        return {party: path.read_bytes() for party, path in files.items() if path.exists()}

    def sums(self) -> list[SumRecord]:
        """Return every sum as the coordinator knows it."""
        coordinator = Coordinator.open(self.coordinator_home)
        try:
            record = self.record
            return Recorder(coordinator, record.spec, record.attempt).sums()
        finally:
            coordinator.close()

    def opened(self) -> list[SumRecord]:
        """Return the sums that were opened."""
        return [one for one in self.sums() if one.status == "opened"]

    def events(self, party: str, type_: str) -> list[Event]:
        """Return the events of one type in a party's log, or in the ``coordinator``'s."""
        if party == "coordinator":
            coordinator = Coordinator.open(self.coordinator_home)
            with coordinator.engine.connect() as connection:
                found = list(read_events(connection, type_=type_))
            coordinator.close()
            return found
        node = Node.open(self.home(party))
        try:
            with node.engine.connect() as connection:
                return list(read_events(connection, type_=type_))
        finally:
            node.close()

    def refusals(self, party: str) -> list[str]:
        """Return the names of the errors in a party's log."""
        types = ("message.refused", "phase.failed")
        return [str(e.details["error"]) for type_ in types for e in self.events(party, type_)]

    def told(self) -> dict[str, str]:
        """Return why the job ended: ``message``, ``hint`` and ``party``."""
        reports = self.record.outcome["reports"]
        (report,) = reports.values()
        return dict(report["payload"])

    def _federation(self) -> Federation:
        names = (self.simulation.workspace.root / "nodes" / "parties").iterdir()
        parties = tuple(sorted(path.name for path in names))
        return Federation(self.simulation.workspace, self.simulation.scenario.suite, parties)


def replace_step(
    monkeypatch: pytest.MonkeyPatch, step: Phase, acted: Callable[[StepContext, Step], Any]
) -> None:
    """Have every party do ``acted(context, what an honest party does)`` in ``step``."""
    honest = steps._STEPS[step]
    monkeypatch.setitem(steps._STEPS, step, lambda context: acted(context, honest))
