"""``fedcrm coordinator``: serve nodes, let them in, run an approved job."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvicorn

from coordinator.superlink.certificates import create_server_files
from coordinator.superlink.control import ControlClient, SuperLinkError
from coordinator.superlink.gateway import Limits, gateway
from coordinator.superlink.service import SuperLinkService
from coordinator.superlink.settings import (
    SuperLinkSettings,
    gateway_files,
    installed_bundle,
    serving,
)
from protocols.session.app_bundle import CLIENT_APP, SERVER_APP

app = typer.Typer(
    name="coordinator",
    help="Serve the nodes of a federation; their data never comes here.",
    no_args_is_help=True,
    add_completion=False,
)

Home = Annotated[
    Path, typer.Option("--home", envvar="FEDCRM_COORDINATOR_HOME", help="The coordinator's home.")
]
_GATEWAY_DAYS = 825


@app.command()
def serve(
    home: Home,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8443,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name or IP address nodes reach this by; for the first certificate."),
    ] = None,
) -> None:
    """Serve nodes until ended. Flower itself listens on loopback only."""
    home = _home(home)
    files = gateway_files(home)
    if not files.exist():
        create_server_files(files.folder, name or [host], days=_GATEWAY_DAYS, now=datetime.now(UTC))
    port = port or _free_port(host)
    settings = SuperLinkSettings(home=str(home), port=_free_port("127.0.0.1"))
    service = SuperLinkService(settings, port, _say)
    _say(f"nodes reach this at {host}:{port}; give them {files.root}")
    uvicorn.run(
        gateway(settings.upstream, limits := Limits(), service.running()),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=files.certificate,
        ssl_keyfile=files.key,
        ssl_context_factory=_tls,
        limit_concurrency=limits.connections,
        timeout_keep_alive=75,  # longer than a quiet node's heartbeat: its connection stays
        timeout_graceful_shutdown=5,
    )


@app.command()
def register(
    home: Home,
    party: Annotated[str, typer.Argument(help="The party's id.")],
    key: Annotated[Path, typer.Argument(help="File with what `fedcrm node key` printed.")],
) -> None:
    """Let a party's node in."""
    with _control(home) as control:
        try:
            node_id = control.register_node(key.read_bytes(), party)
        except SuperLinkError as error:
            _fail(str(error))
    sys.stdout.write(f"{node_id}\n")


@app.command()
def run(
    home: Home,
    job: Annotated[str, typer.Argument(help="Id of an approved job.")],
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for its end.")] = 0.0,
    client_app: Annotated[str, typer.Option(hidden=True)] = CLIENT_APP,
    server_app: Annotated[str, typer.Option(hidden=True)] = SERVER_APP,
) -> None:
    """Start a job, or go on with it from where it stands."""
    bundle = installed_bundle(client_app=client_app, server_app=server_app)
    with _control(home) as control:
        try:
            run_id = control.start_run(bundle, job)
            told: dict[str, Any] = {"run": run_id}
            if wait:
                told |= {"status": control.wait(run_id, wait).sub_status}
        except SuperLinkError as error:
            _fail(str(error))
        except TimeoutError as error:
            _fail(str(error), "it goes on; ask again later")
    sys.stdout.write(json.dumps(told) + "\n")


def _control(home: Path) -> ControlClient:
    try:
        return ControlClient(serving(_home(home)).upstream)
    except FileNotFoundError:
        _fail(f"nobody serves {home}", "start it with: fedcrm coordinator serve")


def _home(home: Path) -> Path:
    if not (home / "coordinator.sqlite").is_file():
        _fail(f"{home} is not a coordinator's home")
    return home.resolve()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _tls(config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    del config
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _fail(message: str, hint: str = "") -> NoReturn:
    sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
