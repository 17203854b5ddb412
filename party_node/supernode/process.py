"""The SuperNode as a process: Flower's own entry point, after :mod:`installed_app` has set it up.

Started by the supervisor: ``python -m party_node.supernode.process SETTINGS``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from flwr.supernode.cli.flower_supernode import flower_supernode

from party_node.errors import NodeError
from party_node.supernode import lifeline
from party_node.supernode.installed_app import install, quicken
from party_node.supernode.refusals import Refusals
from party_node.supernode.settings import SuperNodeSettings, decode


def main(argument: str) -> int:
    """Serve until ended; return the exit status."""
    settings = decode(argument)
    # On SIGTERM Flower takes its leave of the coordinator; nothing here would do that for it.
    lifeline.end_with(sys.stdin.fileno(), signal.SIGTERM)
    refusals = Refusals(Path(settings.home))
    try:
        install(settings.bundle(), settings.folder / "trusted.yaml", refusals.record)
        quicken()
    except NodeError as error:
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
        return 1
    sys.argv = ["flower-supernode", *_arguments(settings)]
    try:
        flower_supernode()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 1  # its loop ends by itself only after an error, which it has logged


def _arguments(settings: SuperNodeSettings) -> list[str]:
    node_config = settings.folder / "node.toml"
    # A JSON string is a TOML string as long as nothing is written as a surrogate pair.
    node_config.write_text(f"home = {json.dumps(settings.home, ensure_ascii=False)}\n")
    return [
        "--superlink",
        settings.coordinator,
        "--root-certificates",
        settings.root_certificate,
        "--auth-supernode-private-key",
        str(settings.node_key),
        "--node-config",
        str(node_config),
        "--trusted-entities",
        str(settings.folder / "trusted.yaml"),
        "--isolation",
        "process",
        "--superexec-auth-secret-file",
        str(settings.task_secret),
        "--host",
        "127.0.0.1",
        "--port",
        str(settings.runtime_port),
    ]


if __name__ == "__main__":
    status = main(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    # Flower's server thread would keep a process alive whose loop has ended.
    os._exit(status)
