"""The one command, ``fedcrm``, composed of the rooms' own Typer apps, each loaded when called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
import typer
from typer.core import TyperGroup

_ROOMS = {
    "simulate": ("simulations.cli", "simulate"),
    "psi": ("party_node.psi.cli", "app"),
    "audit": ("audit.cli", "app"),
    "doctor": ("party_node.doctor", "doctor"),
    "bench": ("simulations.bench.cli", "app"),
}


class _Rooms(TyperGroup):
    """Loads the room whose command is called and no other: `psi` needs no Flower."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_ROOMS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _ROOMS:
            return None
        module, attribute = _ROOMS[name]
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
