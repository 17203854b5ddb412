"""The one command, ``fedcrm``, composed of the rooms' own Typer apps."""

import typer

from audit.cli import app as audit_app
from simulations.cli import simulate

app = typer.Typer(
    name="fedcrm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Organisations that share customers learn together; raw data never leaves its owner.",
)
app.command("simulate")(simulate)
app.add_typer(audit_app, name="audit")

if __name__ == "__main__":
    app()
