"""What the processes of a SuperNode are told, and where they keep what is Flower's."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import msgspec

from protocols.session.app_bundle import CLIENT_APP, SERVER_APP, AppBundle, app_bundle

ACTIVATION_REFUSED = 75
"""Exit status (EX_TEMPFAIL): the coordinator does not accept this node's key at present."""
NOT_THE_COORDINATOR = 76
"""Exit status (EX_PROTOCOL): the other end shows no certificate this node accepts."""


class SuperNodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SuperNode: whose home it serves, and which coordinator it asks for messages."""

    home: str
    """The node's home, absolute."""
    coordinator: str
    """``host:port`` of the coordinator's gateway."""
    root_certificate: str
    """PEM file with the certificate that signed the gateway's."""
    runtime_port: int = 0
    """Loopback port on which the SuperNode hands tasks to its runner."""
    client_app: str = CLIENT_APP
    """``module:attribute`` of the installed ClientApp."""
    server_app: str = SERVER_APP
    """What the coordinator's half of the bundle names; nothing here imports it."""

    @property
    def folder(self) -> Path:
        """Flower's own files: mode 0700, because Flower trusts whatever it finds there."""
        return Path(self.home) / "flower"

    @property
    def task_secret(self) -> Path:
        """Shared by SuperNode and runner, so that no other process here is given a task."""
        return self.folder / "task.secret"

    @property
    def node_key(self) -> Path:
        """The key the coordinator knows this node by."""
        return node_key_path(Path(self.home))

    @property
    def runtime_address(self) -> str:
        """``host:port`` of the SuperNode's task interface."""
        return f"127.0.0.1:{self.runtime_port}"

    def bundle(self) -> AppBundle:
        """Return the one app this node runs."""
        return app_bundle(version("fedcrm"), client_app=self.client_app, server_app=self.server_app)

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes: Flower calls nobody but the coordinator."""
        loopback = "127.0.0.1,localhost"
        beyond = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        no_proxy = f"{loopback},{beyond}".rstrip(",")
        return (
            {"FLWR_LOG_LEVEL": "WARNING"}
            | os.environ
            | {
                "FLWR_HOME": str(self.folder),
                "FLWR_TELEMETRY_ENABLED": "0",
                "FLWR_DISABLE_UPDATE_CHECK": "1",
                # Tasks are handed over on loopback; a proxy for the outside must not see them.
                "NO_PROXY": no_proxy,
                "no_proxy": no_proxy,
            }
        )


def node_key_path(home: Path) -> Path:
    """Return where a node keeps its key for Flower."""
    return home / "keys" / "flower.key"


def encode(settings: SuperNodeSettings) -> str:
    """Return the settings as one command-line argument; they hold no secret."""
    return msgspec.json.encode(settings).decode()


def decode(argument: str) -> SuperNodeSettings:
    """Return what :func:`encode` wrote."""
    return msgspec.json.decode(argument, type=SuperNodeSettings)
