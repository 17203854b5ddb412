"""``fedcrm simulate``: the whole federation on this machine, from a name or a scenario file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer
from rich.console import Console

from simulations.engine import EngineError
from simulations.evidence import CollectError
from simulations.federation import SimulationFailed
from simulations.horizontal import command as horizontal
from simulations.horizontal.scenario import BUILTIN as HORIZONTAL
from simulations.horizontal.scenario import is_horizontal
from simulations.report.model import RunReport, metrics_json
from simulations.run import Simulation
from simulations.scenario import BUILTIN, ScenarioError
from simulations.summary import print_summary
from simulations.workspace import Workspace, WorkspaceError

_MANY_REJECTS = 0.05
_SHARED_MODELS = ("boosted_trees", "scorecard", "split_network")


def simulate(
    scenario: Annotated[
        str,
        typer.Argument(
            help=f"{', '.join((*BUILTIN, *HORIZONTAL))}, or the path of a scenario file (TOML)."
        ),
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
            click_type=click.Choice([*_SHARED_MODELS, *horizontal.MODELS]),
            help="What to train, with its defaults; default: the scenario's.",
        ),
    ] = None,
    parties: Annotated[
        int | None,
        typer.Option(
            help="A made population instead of a scenario: 2 to 5 parties, with --rows; "
            "for churn 3 to 100 retailers."
        ),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="Rows, or customers, of each party of the made population.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the made population.")] = 1,
    method: Annotated[
        str | None,
        typer.Option(
            click_type=click.Choice(horizontal.METHODS),
            help="Of churn: how updates are added; default: the scenario's.",
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            click_type=click.Choice(horizontal.STRATEGIES),
            help="Of churn: what is done with the mean; default: the scenario's.",
        ),
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Of churn: training rounds.")] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Of churn: whose a sample's customer is: home_store | country | random | "
            "dirichlet:ALPHA."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Of churn: folder of the files a scenario names.")
    ] = None,
    one_away: Annotated[
        bool,
        typer.Option("--one-away", help="Of churn: in each round one party's part is lost."),
    ] = False,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only say what training would take, in time and bytes."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print metrics.json on stdout instead of the table.")
    ] = False,
) -> None:
    """Run a whole federation on this machine: who learns what, and what joining is worth.

    SCENARIO is credit-need, credit-risk or churn-vertical (a bank and a retailer with shared
    customers), churn or churn-online-retail (several retailers with customers of their own), or the
    path of a scenario file (TOML).

    Writes report.html, metrics.json, scores.csv, wire.json, one audit bundle per party and
    trust.toml. Exit status: 0 done, 1 the job failed or was refused, 2 a wrong call.
    """
    if (parties is None) != (rows is None):
        _fail("--parties and --rows go together", "for example: --parties 3 --rows 10000", 2)
    of_churn = {
        "method": method,
        "strategy": strategy,
        "rounds": rounds,
        "split": split,
        "data": data,
        "one-away": one_away or None,
    }
    of_shared = {"protocol": protocol, "trees": trees, "plan": plan or None}
    if is_horizontal(scenario):
        _refuse_options(of_shared, "a horizontal scenario")
        with _told():
            simulation, report = horizontal.run(
                horizontal.Options(
                    scenario,
                    out,
                    resume=resume,
                    suite=suite,
                    repeats=repeats,
                    model=model,
                    made=None if parties is None or rows is None else (parties, rows, seed),
                    method=method,
                    strategy=strategy,
                    rounds=rounds,
                    split=split,
                    data=data,
                    one_away=one_away,
                )
            )
        horizontal.show(simulation, report, as_json=as_json)
        return
    _refuse_options(of_churn, "a scenario of shared customers")
    made = None if parties is None or rows is None else (parties, rows, seed)
    with _told():
        vertical = Simulation.of(
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
            expected, text = vertical.expected()
            said = f"training would take {text}, if all were shared"
            facts = {"seconds": expected.seconds, "bytes": expected.bytes, "text": said}
            typer.echo(json.dumps(facts, indent=2) if as_json else said)
            return
        found = vertical.run(resume=resume)
    _warn_of_rejects(found, vertical.workspace)
    if as_json:
        typer.echo(json.dumps(metrics_json(found), indent=2, sort_keys=True))
    else:
        print_summary(found, Console(), vertical.workspace.root)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what can go wrong into a message, a hint and an exit status."""
    try:
        yield
    except (ScenarioError, WorkspaceError) as error:
        _fail(error.message, error.hint, 2)
    except SimulationFailed as error:
        _fail(error.message, error.hint, 1)
    except (CollectError, EngineError) as error:
        _fail(str(error), "", 1)


def _refuse_options(options: Mapping[str, object], kind: str) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        _fail(f"--{given[0]} is not an option of {kind}", "see fedcrm simulate --help", 2)


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
