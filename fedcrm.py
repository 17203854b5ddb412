"""The one command, ``fedcrm``, composed of the rooms' own Typer apps, each loaded when called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
import typer
from typer.core import TyperGroup

_ROOMS = {
    "simulate": (
        "simulations.cli",
        "simulate",
        "Run a whole federation on this machine: who learns what, what joining is worth.",
    ),
    "score": ("simulations.scoring.cli", "score", "Score new customers with a run's model."),
    "attack": ("simulations.attacks.cli", "app", "Measure what each party could infer."),
    "coordinator": ("coordinator.superlink.cli", "app", "Serve the parties of a federation."),
    "node": ("party_node.supernode.cli", "app", "Serve a coordinator as a party's node."),
    "psi": ("party_node.psi.cli", "app", "Find the customers two organisations share."),
    "audit": ("audit.cli", "app", "Read and check audit logs. Works offline."),
    "doctor": ("party_node.doctor", "doctor", "Try what this machine can do; compile for later."),
    "bench": ("simulations.bench.cli", "app", "Measure this machine; JSON on stdout."),
}


class _Rooms(TyperGroup):
    """Loads the room whose command is called and no other: `psi` needs no Flower."""

    _listing = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_ROOMS)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The list of commands needs their names and a line each, not three seconds of imports.
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _ROOMS:
            return None
        module, attribute, line = _ROOMS[name]
        if self._listing:
            return click.Command(name, help=line)
        found: Any = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(name)(found)
            found = single
        found.pretty_exceptions_enable = False
        command = typer.main.get_command(found)
        command.name = name
        return command


app = typer.Typer(
    name="fedcrm",
    cls=_Rooms,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Organisations that share customers learn together; raw data never leaves its owner.",
)


@app.callback()
def fedcrm() -> None:
    """Organisations that share customers learn together; raw data never leaves its owner."""


if __name__ == "__main__":
    app()
