"""Runs a horizontal scenario from its file to its report: sets up the parties, starts the engine.

What an operator and an officer do at a real node is done here by software, and recorded as that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coordinator.coordinator import Coordinator
from party_node.client_app import AtStep
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.suite import get_suite
from simulations import engine
from simulations.federation import Engine, Federation, SimulationFailed
from simulations.horizontal import collect, sample, scenario
from simulations.horizontal.faults import OneAwayEachRound
from simulations.horizontal.job import horizontal_spec
from simulations.horizontal.memory import watched
from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.sample import Setting
from simulations.horizontal.scenario import HorizontalScenario
from simulations.job_times import job_times
from simulations.workspace import Workspace


@dataclass(frozen=True)
class HorizontalSimulation:
    """One scenario and the folder it runs in."""

    scenario: HorizontalScenario
    workspace: Workspace
    command: str
    """What a person types to run it, for hints."""
    one_away: bool = False
    """Whether in each round one party's contribution is lost."""

    @classmethod
    def of(
        cls,
        source: str,
        out: Path | None = None,
        *,
        changes: Mapping[str, Any],
        options: str = "",
        data: Path | None = None,
        one_away: bool = False,
    ) -> HorizontalSimulation:
        """Read the scenario ``source``; results go to ``out`` or ``out/<scenario>``.

        ``options`` is how ``changes`` were given, for the command a hint shows. Raises
        :class:`ScenarioError`.
        """
        found = scenario.load(source, changes, data)
        where = [f"--out {out}"] if out else []
        command = " ".join(["fedcrm simulate", source, *([options] if options else []), *where])
        return cls(found, Workspace(out or Path("out") / found.name), command, one_away)

    def run(
        self,
        *,
        resume: bool = False,
        run_engine: Engine = engine.run_in_turns,
        at_step: AtStep | None = None,
    ) -> HorizontalReport:
        """Run, or continue, the job to its end and write every result.

        Raises :class:`SimulationFailed` when a party refused or the job failed.
        """
        suite = get_suite(self.scenario.suite)
        if resume:
            self.workspace.must_exist()
            setting = sample.placed(self.scenario, self.workspace.inputs)
        else:
            self.workspace.start_over()
            setting = sample.prepare(self.scenario, self.workspace.inputs, suite)
            self._set_up(setting)
        federation = self._federation(setting)
        record = federation.latest_horizontal()
        if resume:
            self._check_unchanged(setting, record.spec)
        peak_memory = None
        if record.status not in ("closed", "refused"):
            with watched() as peak:
                federation.drive(record, run_engine, at_step=at_step or self._faults(setting))
            record, peak_memory = federation.latest_horizontal(), peak.bytes
        if record.status != "closed":
            raise federation.failure(record, f"{self.command} --resume")
        return collect.collect(
            self.scenario, setting, self.workspace, record, peak_memory=peak_memory
        )

    def _federation(self, setting: Setting) -> Federation:
        parties = tuple(retailer.id for retailer in setting.retailers)
        return Federation(self.workspace, self.scenario.suite, parties)

    def _faults(self, setting: Setting) -> AtStep:
        if self.one_away:
            return OneAwayEachRound(tuple(retailer.id for retailer in setting.retailers))
        return _nothing_goes_wrong

    # -- what people would do ----------------------------------------------------------------

    def _set_up(self, setting: Setting) -> None:
        """Create every node, register the purchase files, propose and approve the job."""
        placeholders = {r.id: f"{number:04x}" for number, r in enumerate(setting.retailers)}
        self._spec(setting, placeholders, datetime.now(UTC))  # refused before anything is made
        Coordinator.create(self.workspace.coordinator, self.scenario.suite, simulated=True).close()
        federation = self._federation(setting)
        with federation.nodes(create=True) as nodes:
            keys = {party: node.keys.public_key for party, node in nodes.items()}
            for retailer in setting.retailers:
                node = nodes[retailer.id]
                node.register_purchases(retailer.registration)
                for peer, key in keys.items():
                    if peer != retailer.id:
                        node.pin_peer(peer, key)
            hexed = {party: key.hex() for party, key in keys.items()}
            federation.agree(self._spec(setting, hexed, datetime.now(UTC)), nodes)

    def _spec(self, setting: Setting, keys: Mapping[str, str], now: datetime) -> HorizontalSpec:
        now = now.replace(microsecond=0)
        created_at, expires_at = job_times(now)
        return horizontal_spec(
            self.scenario,
            setting.retailers,
            setting.purchases,
            keys,
            job_id=f"{self.scenario.name}-{now:%Y%m%dT%H%M%SZ}",
            created_at=created_at,
            expires_at=expires_at,
        )

    def _check_unchanged(self, setting: Setting, spec: HorizontalSpec) -> None:
        """Refuse to resume a job under a scenario that says something else by now."""
        today = horizontal_spec(
            self.scenario,
            setting.retailers,
            setting.purchases,
            {party.party_id: party.public_key for party in spec.parties},
            job_id=spec.job_id,
            created_at=spec.created_at,
            expires_at=spec.expires_at,
        )
        if today != spec:
            raise SimulationFailed(
                f"{self.scenario.source} or an option changed since this run began",
                "change it back, or run it anew without --resume",
            )


def _nothing_goes_wrong(*_: object) -> None:
    """Let every party do its part."""
