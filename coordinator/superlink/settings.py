"""Where a coordinator keeps what is Flower's, and how its processes are told."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec

from coordinator.superlink.certificates import ServerFiles
from coordinator.superlink.gateway import Upstream
from protocols.session.app_bundle import AppBundle, app_bundle

HOME_VARIABLE = "FEDCRM_COORDINATOR_HOME"
"""Names the coordinator's home to the ServerApp, which Flower starts."""


class SuperLinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SuperLink: whose home it serves, and on which port of loopback."""

    home: str
    """The coordinator's home, absolute."""
    port: int
    """On 127.0.0.1; the gateway forwards to it."""

    @property
    def folder(self) -> Path:
        """Flower's own files: mode 0700, because Flower trusts whatever it finds there."""
        return Path(self.home) / "flower"

    @property
    def database(self) -> Path:
        """The SuperLink's state: registered nodes, runs, messages on their way."""
        return self.folder / "superlink.sqlite"

    @property
    def inside(self) -> ServerFiles:
        """TLS files of the SuperLink itself."""
        return ServerFiles(self.folder / "tls")

    @property
    def task_secret(self) -> Path:
        """Shared by SuperLink and SuperExec, so that no other process here is given a task."""
        return self.folder / "task.secret"

    @property
    def upstream(self) -> Upstream:
        """The SuperLink as gateway and control client reach it."""
        return Upstream(self.port, self.inside.root)

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes: Flower calls nobody."""
        beside_python = str(Path(sys.executable).parent)
        return (
            {"FLWR_LOG_LEVEL": "WARNING"}
            | os.environ
            | {
                # SuperExec finds flwr-serverapp by its name alone.
                "PATH": os.pathsep.join((beside_python, os.environ.get("PATH", os.defpath))),
                HOME_VARIABLE: self.home,
                "FLWR_HOME": str(self.folder),
                "FLWR_TELEMETRY_ENABLED": "0",
                "FLWR_DISABLE_UPDATE_CHECK": "1",
                "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
                "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",
                "NO_PROXY": "127.0.0.1,localhost",
                "no_proxy": "127.0.0.1,localhost",
            }
        )


def installed_bundle(**apps: str) -> AppBundle:
    """Return this release's bundle, whose runs the coordinator starts."""
    return app_bundle(version("fedcrm"), **apps)


def serving(home: Path) -> SuperLinkSettings:
    """Return the settings of the SuperLink that serves ``home`` at present.

    Raises ``FileNotFoundError`` when none does.
    """
    told = msgspec.json.decode((home / "flower" / "service.json").read_bytes())
    return SuperLinkSettings(home=str(home.resolve()), port=int(told["superlink_port"]))


def gateway_files(home: Path) -> ServerFiles:
    """Return where the gateway's TLS files are: its root certificate is given to every node."""
    return ServerFiles(home / "gateway-tls")
