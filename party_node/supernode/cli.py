"""``fedcrm node``: connect a node to its coordinator, and the key it is known by there."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from audit.key_files import KeyFileError
from party_node.errors import NodeError
from party_node.supernode.node_key import create_node_key, node_public_key
from party_node.supernode.settings import SuperNodeSettings, node_key_path
from party_node.supernode.supervisor import Supervisor
from protocols.session.app_bundle import CLIENT_APP, SERVER_APP

app = typer.Typer(
    name="node",
    help="Serve a node: it asks its coordinator for work and runs installed code only.",
    no_args_is_help=True,
    add_completion=False,
)

Home = Annotated[Path, typer.Option("--home", envvar="FEDCRM_NODE_HOME", help="The node's home.")]


@app.command()
def key(home: Home) -> None:
    """Print the key the coordinator has to register for this node; make it on first use."""
    path = node_key_path(_home(home))
    try:
        public = node_public_key(path) if path.exists() else create_node_key(path)
    except KeyFileError as error:
        _fail(str(error))
    sys.stdout.write(public.decode())


@app.command()
def serve(
    home: Home,
    coordinator: Annotated[
        str,
        typer.Option(envvar="FEDCRM_COORDINATOR", help="The coordinator's gateway, HOST:PORT."),
    ],
    root_certificate: Annotated[
        Path,
        typer.Option(
            envvar="FEDCRM_ROOT_CERTIFICATE",
            help="PEM file with the certificate that signed the gateway's; from its operator.",
        ),
    ],
    client_app: Annotated[str, typer.Option(hidden=True)] = CLIENT_APP,
    server_app: Annotated[str, typer.Option(hidden=True)] = SERVER_APP,
) -> None:
    """Ask the coordinator for work until ended; never listens beyond this machine."""
    if not root_certificate.is_file():
        _fail(f"there is no certificate in {root_certificate}", "ask the coordinator's operator")
    settings = SuperNodeSettings(
        home=str(_home(home)),
        coordinator=coordinator,
        root_certificate=str(root_certificate.resolve()),
        client_app=client_app,
        server_app=server_app,
    )

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        Supervisor(settings, say, time.monotonic).run()
    except (NodeError, KeyFileError) as error:
        _fail(str(error), getattr(error, "hint", ""))


def _home(home: Path) -> Path:
    if not (home / "node.toml").is_file():
        _fail(f"{home} is not a node's home", "docs/deployment.md says how a home is made")
    return home.resolve()


def _fail(message: str, hint: str = "") -> NoReturn:
    sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
