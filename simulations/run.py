"""Runs a scenario from its file to its report: sets up the parties, starts the engine, collects.

What an operator and an officer do at a real node is done here by software, and recorded as that.
Each party's rows are opened by its own ClientApp; only the comparison in the clear, where the
scenario allows it, reads both files in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from coordinator.coordinator import Coordinator
from party_node import kernel_cache
from party_node.cost_estimate import Estimate
from party_node.datasets import read_dataset
from party_node.errors import DatasetError
from party_node.expected_cost import expected_training
from party_node.peer_channel.link import Deadlines
from protocols.session.job_spec import JobSpec
from protocols.suite import Suite, get_suite
from simulations import collect, engine
from simulations.federation import Engine, Federation, SimulationFailed
from simulations.job import job_spec, registration
from simulations.job_times import job_times
from simulations.report.model import RunReport
from simulations.scenario import Scenario, ScenarioError, changed, load, made_scenario, prepare
from simulations.workspace import Workspace


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
        model: str | None = None,
    ) -> Simulation:
        """Read the scenario ``source``; results go to ``out`` or ``out/<scenario>``.

        ``made`` asks for a made population instead: parties, rows of each, seed. The other
        arguments replace what the scenario says. Raises :class:`ScenarioError`.
        """
        scenario = load(source) if made is None else made_scenario(*made)
        changes = {
            "model": model,
            "suite": suite,
            "protocol": protocol,
            "repeats": repeats,
            "trees": trees,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        scenario = changed(scenario, given)
        options = [f"--{name} {value}" for name, value in given.items()]
        options += [f"--out {out}"] if out else []
        command = " ".join(["fedcrm simulate", scenario.source_argument, *options])
        return cls(scenario, Workspace(out or Path("out") / scenario.name), command)

    @property
    def federation(self) -> Federation:
        """The nodes and the coordinator of this run."""
        parties = tuple(party.id for party in self.scenario.parties)
        return Federation(self.workspace, self.scenario.suite, parties)

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
        record = self.federation.latest()
        self._check_unchanged(scenario, record.spec)
        if record.status not in ("closed", "refused"):
            self.federation.drive(record, run_engine, deadlines, at_yield=at_yield)
            record = self.federation.latest()
        if record.status != "closed":
            raise self.federation.failure(record, f"{self.command} --resume")
        return collect.collect(scenario, self.workspace, record.spec)

    def expected(self) -> tuple[Estimate, str]:
        """Return what training would take if every customer of the smallest table were shared.

        Nothing is aligned or trained; a sample's files are written where the run would have them.
        Raises :class:`ScenarioError`.
        """
        kernel_cache.prepare()
        suite = get_suite(self.scenario.suite)
        spec = self._check_parameters()
        with TemporaryDirectory(prefix="fedcrm-expected-") as made:
            scenario = prepare(self.scenario, Path(made), suite)
            try:
                rows = min(_usable(scenario, party.id, suite, made) for party in scenario.parties)
            except DatasetError as error:
                raise ScenarioError(error.message, error.hint) from None
            training = rows - rows * spec.measurement.held_out_percent // 100
            return expected_training(
                spec, training, suite=suite, folder=Path(made), one_machine=True
            )

    def _check_parameters(self) -> JobSpec:
        """Return the spec of placeholder keys; raises :class:`ScenarioError` for what none may say.

        It comes before anything is emptied.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        created_at, expires_at = job_times(now)
        return job_spec(
            self.scenario,
            {party.id: f"{number:02x}" for number, party in enumerate(self.scenario.parties)},
            job_id=self.scenario.name,
            created_at=created_at,
            expires_at=expires_at,
        )

    # -- what people would do ----------------------------------------------------------------

    def _set_up(self, scenario: Scenario) -> None:
        """Create every node, register the tables, propose and approve the job."""
        Coordinator.create(self.workspace.coordinator, scenario.suite, simulated=True).close()
        with self.federation.nodes(create=True) as nodes:
            keys = {party: node.keys.public_key for party, node in nodes.items()}
            for party, node in nodes.items():
                node.register_dataset(registration(scenario, party))
                for peer, key in keys.items():
                    if peer != party:
                        node.pin_peer(peer, key)
            now = datetime.now(UTC).replace(microsecond=0)
            created_at, expires_at = job_times(now)
            spec = job_spec(
                scenario,
                {party: key.hex() for party, key in keys.items()},
                job_id=f"{scenario.name}-{now:%Y%m%dT%H%M%SZ}",
                created_at=created_at,
                expires_at=expires_at,
            )
            self.federation.agree(spec, nodes)

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


def _usable(scenario: Scenario, party: str, suite: Suite, folder: str) -> int:
    """Return how many customers of a party's table can be used."""
    rejects = Path(folder) / f"{party}-rejects.csv"
    return len(read_dataset(registration(scenario, party), suite, rejects).protocol_inputs)
