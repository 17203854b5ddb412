"""A whole deployment on this machine: gateway, SuperLink and SuperNodes as processes, over TLS.

What a test starts ends with it: each command is started on a lifeline (its standard input), so
that even a killed test run leaves no process behind.

    with Deployment(folder) as deployment:
        deployment.start()
        deployment.add_node(home)
        deployment.wait_online(1)
        deployment.run(job_id)
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from sqlalchemy import select

from coordinator.coordinator import Coordinator
from coordinator.store import jobs
from coordinator.superlink.control import ControlClient, RunStatus, SuperLinkError
from coordinator.superlink.settings import gateway_files, installed_bundle, serving
from party_node.supernode.node_key import create_node_key, node_public_key
from party_node.supernode.settings import node_key_path
from protocols.session.app_bundle import CLIENT_APP, SERVER_APP, AppBundle
from simulations.workspace import Workspace

_HERE = Path(__file__).parent
START_S = 90.0


def job_ids(home: Path) -> list[str]:
    """Return the jobs the coordinator at ``home`` knows."""
    coordinator = Coordinator.open(home)
    try:
        with coordinator.engine.connect() as connection:
            return list(connection.execute(select(jobs.c.job_id)).scalars())
    finally:
        coordinator.close()


@dataclass
class Deployment:
    """A coordinator and the nodes that were added to it; ``folder`` has the logs."""

    folder: Path
    home: Path | None = None
    """The coordinator's; without one, ``folder / "coordinator"`` is made."""
    suite: str = "gm"
    client_app: str = CLIENT_APP
    server_app: str = SERVER_APP
    _commands: dict[Path, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def coordinator(self) -> Path:
        """The coordinator's home; :meth:`start` makes one where there is none."""
        return self.home or self.folder / "coordinator"

    @property
    def bundle(self) -> AppBundle:
        """What the nodes of this deployment run."""
        return installed_bundle(client_app=self.client_app, server_app=self.server_app)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for home in reversed(list(self._commands)):
            self.end(home)
        if error is not None:
            for log in sorted(self.folder.glob("*.log")):
                sys.stderr.write(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")

    # -- the coordinator ---------------------------------------------------------------------

    def serve(self, workspace: Workspace) -> Callable[[ServerApp, ClientApp, int], None]:
        """Return an engine that runs a simulation's job on this deployment, to its end.

        The job, its approvals and the parties' homes are the simulation's; its two apps are not
        used, for the coordinator and the nodes have their own installed.
        """

        def run_engine(server_app: ServerApp, client_app: ClientApp, parties: int) -> None:
            del server_app, client_app
            (job,) = job_ids(self.coordinator)
            homes = sorted(workspace.party("x").parent.iterdir())
            self.start()
            for home in homes:
                # Parties of a vertical job meet on loopback, each in its own home's folder.
                if not (home / "meeting").exists():
                    (home / "meeting").symlink_to(workspace.meeting.resolve())
                self.add_node(home.resolve())
            self.wait_online(parties)
            status = self.run(job, 300)
            if not status.completed:
                raise RuntimeError(f"the run {status.sub_status}: {status.details}")

        return run_engine

    def start(self) -> None:
        """Start gateway and SuperLink, and wait until they answer."""
        if not (self.coordinator / "coordinator.sqlite").exists():
            Coordinator.create(self.coordinator, self.suite, simulated=False).close()
        self._launch(
            self.coordinator,
            "coordinator.superlink.cli",
            *("serve", "--home", str(self.coordinator), "--port", "0"),
        )
        self.wait_for(self._answers, "the SuperLink answers")

    @property
    def service(self) -> dict[str, Any]:
        """What the coordinator tells of its processes: ports, and process ids by name."""
        told: dict[str, Any] = json.loads((self.coordinator / "flower/service.json").read_text())
        return told

    def _answers(self) -> bool:
        """Tell whether the SuperLink answers; raises for a coordinator that has ended."""
        if self.status(self.coordinator) is not None:
            raise RuntimeError("the coordinator ended while it started")
        try:
            with self.control() as control:
                control.nodes()
        except (SuperLinkError, FileNotFoundError):
            return False
        return True

    def control(self) -> ControlClient:
        """Return a connection to the SuperLink; close it, or use it in a ``with``."""
        return ControlClient(serving(self.coordinator).upstream)

    @property
    def gateway(self) -> str:
        """``host:port`` nodes connect to."""
        return f"127.0.0.1:{self.service['gateway_port']}"

    @property
    def superlink_port(self) -> int:
        """On loopback, behind the gateway."""
        return int(self.service["superlink_port"])

    def kill_superlink(self) -> None:
        """``kill -9`` of the SuperLink; the coordinator starts another."""
        before = self.service["pids"]["superlink"]
        os.kill(before, signal.SIGKILL)
        self.wait_for(lambda: self.service["pids"]["superlink"] != before, "another SuperLink")
        self.wait_for(self._answers, "the SuperLink answers again")

    # -- nodes -------------------------------------------------------------------------------

    def add_node(self, home: Path, *, register: bool = True) -> None:
        """Start the node of ``home``, which exists, and let it in; it need not be online yet."""
        key = node_key_path(home)
        public = node_public_key(key) if key.exists() else create_node_key(key)
        if register:
            with self.control() as control:
                control.register_node(public, home.name)
        self.start_node(home)

    def start_node(self, home: Path) -> None:
        """Start the node of ``home`` (again)."""
        self._launch(
            home,
            "party_node.supernode.cli",
            *("serve", "--home", str(home), "--coordinator", self.gateway),
            *("--root-certificate", str(gateway_files(self.coordinator).root)),
            *("--client-app", self.client_app, "--server-app", self.server_app),
        )

    def kill_node(self, home: Path, process: str = "SuperNode") -> None:
        """``kill -9`` one process of a node: ``SuperNode``, ``task runner``, or ``node`` itself."""
        os.kill(self.node_processes(home)[process], signal.SIGKILL)

    def node_processes(self, home: Path) -> dict[str, int]:
        """Return a node's process ids by name."""
        told: dict[str, int] = json.loads((home / "flower" / "processes.json").read_text())
        return told

    def online(self) -> int:
        """Return how many nodes are online."""
        with self.control() as control:
            return list(control.nodes().values()).count("online")

    def wait_online(self, count: int) -> None:
        """Wait until exactly ``count`` nodes are online."""
        self.wait_for(lambda: self.online() == count, f"{count} nodes are online")

    # -- runs --------------------------------------------------------------------------------

    def begin(self, job_id: str, bundle: AppBundle | None = None) -> int:
        """Start the run of a job (with another bundle than the nodes'); return its number."""
        with self.control() as control:
            return control.start_run(bundle or self.bundle, job_id)

    def wait(self, run_id: int, deadline_s: float = 120.0) -> RunStatus:
        """Wait for a run's end."""
        with self.control() as control:
            return control.wait(run_id, deadline_s)

    def run(self, job_id: str, deadline_s: float = 120.0) -> RunStatus:
        """Start the run of a job and wait for its end."""
        return self.wait(self.begin(job_id), deadline_s)

    # -- processes ---------------------------------------------------------------------------

    def end(self, home: Path, number: signal.Signals = signal.SIGTERM) -> int:
        """End the command that serves ``home`` and wait for it; return its exit status."""
        process = self._commands.pop(home)
        process.send_signal(number)
        try:
            status = process.wait(30)
        except subprocess.TimeoutExpired:
            status = -1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin:
            process.stdin.close()
        return status

    def status(self, home: Path) -> int | None:
        """Return the exit status of the command that serves ``home``; None while it runs."""
        return self._commands[home].poll()

    def log(self, home: Path) -> str:
        """Return what the processes of ``home`` have written."""
        return (self.folder / f"{home.name}.log").read_text(errors="replace")

    def wait_for(self, holds: Callable[[], bool], what: str, seconds: float = START_S) -> float:
        """Wait until ``holds``; return the seconds it took."""
        started = time.monotonic()
        while not holds():
            if time.monotonic() > started + seconds:
                raise TimeoutError(f"not after {seconds:.0f} s: {what}")
            time.sleep(0.1)
        return time.monotonic() - started

    def _launch(self, home: Path, module: str, *arguments: str) -> None:
        with (self.folder / f"{home.name}.log").open("ab") as log:
            self._commands[home] = subprocess.Popen(
                [sys.executable, str(_HERE / "on_a_lifeline.py"), module, *arguments],
                env=os.environ | {"PYTHONPATH": f"{_HERE.parents[1]}{os.pathsep}{_HERE}"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
