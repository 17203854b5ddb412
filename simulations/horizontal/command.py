"""What ``fedcrm simulate`` does with a horizontal scenario: options in, run, results out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import typer
from rich.console import Console

from protocols.session.horizontal_terms import AggregationMethod, Strategy
from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.report.outputs import metrics_json
from simulations.horizontal.report.summary import print_summary
from simulations.horizontal.run import HorizontalSimulation

MODELS = ("logistic_regression", "multilayer_perceptron")
METHODS: tuple[str, ...] = get_args(AggregationMethod)
STRATEGIES: tuple[str, ...] = get_args(Strategy)
_MANY_REJECTS = 0.05
_FEWEST_MADE = 10
"""Held-out customers that a made population may be measured on: they are nobody."""


@dataclass(frozen=True)
class Options:
    """The command line's options; None is the scenario's own value."""

    scenario: str
    out: Path | None
    resume: bool = False
    suite: str | None = None
    repeats: int | None = None
    model: str | None = None
    made: tuple[int, int, int] | None = None
    """A made population instead of the scenario's sample: parties, customers of each, seed."""
    method: str | None = None
    strategy: str | None = None
    rounds: int | None = None
    split: str | None = None
    data: Path | None = None
    one_away: bool = False

    def changes(self) -> dict[str, Any]:
        """Return what the options change in the scenario file, by dotted key."""
        changed: dict[str, Any] = {}
        if self.made is not None:
            parties, rows, seed = self.made
            changed["sample"] = {"name": "made_purchases", "parties": parties, "rows": rows}
            changed["seed"] = seed
            changed["pooled_on_this_machine"] = "synthetic"
            changed["evaluation.minimum_held_out"] = _FEWEST_MADE
        named = {
            "suite": self.suite,
            "evaluation.repeats": self.repeats,
            "model.kind": self.model,
            "aggregation.method": self.method,
            "training.strategy": self.strategy,
            "training.rounds": self.rounds,
            "sample.split": self.split,
        }
        return changed | {name: value for name, value in named.items() if value is not None}

    def typed(self) -> str:
        """Return the options as they are typed, for the command a hint shows."""
        words: list[str] = []
        if self.made is not None:
            parties, rows, seed = self.made
            words += ["--parties", str(parties), "--rows", str(rows), "--seed", str(seed)]
        for name in ("suite", "repeats", "model", "method", "strategy", "rounds", "split", "data"):
            value = getattr(self, name)
            if value is not None:
                words += [f"--{name}", str(value)]
        return " ".join([*words, *(["--one-away"] if self.one_away else [])])


def run(options: Options) -> tuple[HorizontalSimulation, HorizontalReport]:
    """Run the scenario the options describe."""
    simulation = HorizontalSimulation.of(
        options.scenario,
        options.out,
        changes=options.changes(),
        options=options.typed(),
        data=options.data,
        one_away=options.one_away,
    )
    return simulation, simulation.run(resume=options.resume)


def show(simulation: HorizontalSimulation, report: HorizontalReport, *, as_json: bool) -> None:
    """Print what came out."""
    for party in report.parties:
        rejected = sum(party.rejected.values())
        if rejected > _MANY_REJECTS * party.lines_read:
            folder = simulation.workspace.party(party.party_id) / "rejects"
            typer.echo(
                f"warning: {rejected / party.lines_read:.1%} of the lines of {party.party_id} "
                f"cannot be used; each line's reason is in {folder}",
                err=True,
            )
    if as_json:
        typer.echo(json.dumps(metrics_json(report), indent=2, sort_keys=True))
    else:
        print_summary(report, Console(), simulation.workspace.root)
