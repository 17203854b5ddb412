"""``fedcrm score``: scores for new customers, from the model a run on this machine trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer

from party_node.errors import NodeError
from simulations.engine import EngineError
from simulations.federation import SimulationFailed
from simulations.scenario import ScenarioError
from simulations.scoring.job import ScoringRequest
from simulations.scoring.job import score as run_scoring
from simulations.workspace import Workspace, WorkspaceError


def score(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, such as out/credit-need.")],
    file: Annotated[
        list[str],
        typer.Option(
            "--file", help="PARTY=PATH, once for each party: its table of customers to score."
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            click_type=click.Choice(["score", "band", "label"]),
            help="What comes back: the probability, a band of it, or yes and no.",
        ),
    ] = "score",
    bands: Annotated[
        str | None, typer.Option(help="Where bands part, ascending, for example 0.05,0.2,0.5.")
    ] = None,
    threshold: Annotated[str, typer.Option(help="Probability from which the label is yes.")] = (
        "0.5"
    ),
    reasons: Annotated[int, typer.Option(help="Reason codes for each customer; 0 to 10.")] = 3,
    out: Annotated[
        Path | None, typer.Option(help="Where the scores go; default RUN/scored.csv.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say on stdout what was done as JSON.")
    ] = False,
) -> None:
    """Score customers the parties of RUN share, with the model they trained.

    RUN is the folder of a finished run, such as out/credit-need.

    Each party's table has the columns it trained with; a label column is not needed and not read.
    The scores of the active party's own customers go to its CSV: row number in its file, score,
    band or label, and reasons. A reason is a column of its own, or another party's name for all
    of that party's columns. Exit status: 0 done, 1 refused or failed, 2 a wrong call.
    """
    files: dict[str, Path] = {}
    for given in file:
        party, found, path = given.partition("=")
        if not found or not path or party in files:
            _fail(f"--file {given} is not PARTY=PATH, once for each party", "", 2)
        files[party] = Path(path)
        if not files[party].is_file():
            _fail(f"{path} does not exist", "give the path of a CSV or Parquet file", 2)
    cuts = tuple(cut.strip() for cut in bands.split(",")) if bands else ()
    request = ScoringRequest(files, form, cuts, threshold, reasons)  # type: ignore[arg-type]
    try:
        scored = run_scoring(Workspace(run), request, out)
    except (ScenarioError, WorkspaceError) as error:
        _fail(error.message, error.hint, 2)
    except (SimulationFailed, NodeError) as error:
        _fail(error.message, error.hint, 1)
    except EngineError as error:
        _fail(str(error), "", 1)
    if as_json:
        facts = {
            "job": scored.spec.job_id,
            "customers": scored.customers,
            "form": form,
            "scores": str(scored.path),
        }
        typer.echo(json.dumps(facts, indent=2))
    else:
        typer.echo(f"{scored.customers:,} customers scored; {form}s are in {scored.path}")


def _fail(message: str, hint: str, status: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    raise typer.Exit(status)
