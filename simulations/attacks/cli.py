"""``fedcrm attack``: attackers of the vertical models, with and without each protection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from typing import Annotated

import click
import typer
from rich.console import Console
from rich.table import Table

from party_node import kernel_cache
from simulations.attacks.outcome import Result
from simulations.attacks.plan import Plan
from simulations.scenario_tables import ScenarioError

ATTACKS = {
    "label-inference": ("label_inference",),
    "reverse-sum": ("sum_matching", "crafted_sums"),
    "feature-reconstruction": ("feature_reconstruction",),
    "split-labels": ("split_labels",),
    "membership": ("membership",),
    "scorecard": ("scorecard", "scorecard_partials"),
}
"""The modules of each attack, imported when it is run: some load PyTorch or compiled kernels."""

_WIDE = 160

app = typer.Typer(name="attack", add_completion=False)


@app.command()
def attack(
    name: Annotated[
        str, typer.Argument(click_type=click.Choice(["all", *ATTACKS]), help="Which attack.")
    ] = "all",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per attack and line instead of tables.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=2, max=100, help="Independent runs; more make intervals narrower.")
    ] = 8,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer customers: seconds instead of minutes.")
    ] = False,
) -> None:
    """Attack the vertical models on sample data: success with and without each protection.

    The figures of docs/privacy.md come from here. Nothing leaves this machine, and no party's real
    data is read. Exit status: 0 done, 1 a sample is missing, 2 a wrong call.
    """
    kernel_cache.prepare()
    plan = Plan(seeds=seeds, quick=quick, shown=True)
    for each in ATTACKS if name == "all" else (name,):
        try:
            results = list(run(each, plan))
        except ScenarioError as error:
            typer.echo(f"error: {error.message}", err=True)
            typer.echo(f"hint: {error.hint}", err=True)
            raise typer.Exit(1) from None
        if as_json:
            found = [result.as_json() for result in results]
            typer.echo(
                json.dumps({"attack": each, "seeds": seeds, "quick": quick, "results": found})
            )
        else:
            _print(results)


def run(name: str, plan: Plan) -> Iterator[Result]:
    """Yield the results of the attack called ``name``; raises ``KeyError`` for none of ours."""
    for module in ATTACKS[name]:
        yield from import_module(f"simulations.attacks.{module}").run(plan)


def _print(results: list[Result]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    for attack in dict.fromkeys(result.attack for result in results):
        table = Table(
            title=f"{attack.name}: {attack.attacker} against {attack.target} ({attack.model})",
            caption=f"{attack.method}. Figures: {attack.measure}. Baseline: {attack.baseline}. "
            f"In brackets: 95 % over seeds.",
            title_justify="left",
            caption_justify="left",
        )
        for heading in ("protection", "baseline", "without", "with", "difference"):
            table.add_column(heading)
        rows = [result for result in results if result.attack == attack]
        for data, of_data in groupby(rows, key=lambda result: result.data):
            table.add_section()
            table.add_row(f"[bold]{data}[/bold]")
            for result in of_data:
                table.add_row(
                    f"{result.protection}: {result.with_is} instead of {result.without_is}",
                    str(result.baseline),
                    str(result.without),
                    str(result.protected),
                    str(result.difference),
                )
        console.print(table)
        for result in rows:
            console.print(f"- {result.data.split(',')[0]}: {result.meaning}", highlight=False)
        console.print()
