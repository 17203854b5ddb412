"""``fedcrm simulate``: the whole federation on this machine, from a name or a scenario file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer
from rich.console import Console

from simulations.collect import CollectError
from simulations.engine import EngineError
from simulations.federation import SimulationFailed
from simulations.report.model import RunReport, metrics_json
from simulations.run import Simulation
from simulations.scenario import BUILTIN, ScenarioError
from simulations.summary import print_summary
from simulations.workspace import Workspace, WorkspaceError

_MANY_REJECTS = 0.05


def simulate(
    scenario: Annotated[
        str,
        typer.Argument(help=f"{', '.join(BUILTIN)}, or the path of a scenario file (TOML)."),
    ] = "credit-need",
    out: Annotated[
        Path | None, typer.Option(help="Folder for results; default out/<scenario>.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run from its journals.")
    ] = False,
    suite: Annotated[
        str | None,
        typer.Option(
            click_type=click.Choice(["gm", "intl"]), help="Cryptography; default: the scenario's."
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            click_type=click.Choice(["ecdh", "server_aided"]),
            help="How shared customers are found; default: the scenario's.",
        ),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(help="Split, train and measure this often; 1 to 20.")
    ] = None,
    trees: Annotated[
        int | None,
        typer.Option(help="Trees to grow; with 1, only the bank's columns, nothing encrypted."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            click_type=click.Choice(["boosted_trees", "scorecard", "split_network"]),
            help="What to train, with its defaults; default: the scenario's.",
        ),
    ] = None,
    parties: Annotated[
        int | None,
        typer.Option(help="A made population instead of a scenario: 2 to 5 parties, with --rows."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="Rows of each party of the made population.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made population.")] = 1,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only say what training would take, in time and bytes."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print metrics.json on stdout instead of the table.")
    ] = False,
) -> None:
    """Run a bank and its partners on this machine: who is shared, what joining is worth.

    SCENARIO is credit-need, credit-risk, or the path of a scenario file (TOML).

    Writes report.html, metrics.json, scores.csv, wire.json, one audit bundle per party and
    trust.toml. Exit status: 0 done, 1 the job failed or was refused, 2 a wrong call.
    """
    if (parties is None) != (rows is None):
        _fail("--parties and --rows go together", "for example: --parties 3 --rows 10000", 2)
    made = None if parties is None or rows is None else (parties, rows, seed)
    try:
        simulation = Simulation.of(
            scenario,
            out,
            made=made,
            suite=suite,
            protocol=protocol,
            repeats=repeats,
            trees=trees,
            model=model,
        )
        if plan:
            expected, text = simulation.expected()
            said = f"training would take {text}, if all were shared"
            facts = {"seconds": expected.seconds, "bytes": expected.bytes, "text": said}
            typer.echo(json.dumps(facts, indent=2) if as_json else said)
            return
        report = simulation.run(resume=resume)
    except (ScenarioError, WorkspaceError) as error:
        _fail(error.message, error.hint, 2)
    except SimulationFailed as error:
        _fail(error.message, error.hint, 1)
    except (CollectError, EngineError) as error:
        _fail(str(error), "", 1)
    _warn_of_rejects(report, simulation.workspace)
    if as_json:
        typer.echo(json.dumps(metrics_json(report), indent=2, sort_keys=True))
    else:
        print_summary(report, Console(), simulation.workspace.root)


def _warn_of_rejects(report: RunReport, workspace: Workspace) -> None:
    """Say where rows went when more than a few of a party's could not be used."""
    for party in report.parties:
        reasons = {k: n for k, n in report.rejects[party.party_id].items() if k != "no_consent"}
        share = sum(reasons.values()) / party.rows_in_file
        if share > _MANY_REJECTS:
            most = max(reasons, key=lambda reason: reasons[reason])
            folder = workspace.party(party.party_id) / "rejects"
            typer.echo(
                f"warning: {share:.1%} of the rows of {party.party_id} cannot be used, most often: "
                f"{most}; each row's reason is in {folder}",
                err=True,
            )


def _fail(message: str, hint: str, status: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    raise typer.Exit(status)
