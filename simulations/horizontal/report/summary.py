"""The last thing a horizontal simulation prints, for somebody who runs a business."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from simulations.horizontal.report import wording
from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.report.strings import IN_ENGLISH
from simulations.horizontal.report.worth import PartyWorth, by_party, overall
from simulations.report import figures
from simulations.report.model import COORDINATOR
from simulations.report.strings import Strings
from simulations.report.wording import verify_command
from simulations.summary import print_open_questions

_INDENT = (0, 0, 0, 2)
_MOST_PARTIES = 12
"""Organisations listed one by one; the report has all."""


def print_summary(
    run: HorizontalReport, console: Console, out: Path, t: Strings = IN_ENGLISH
) -> None:
    """Print the closing tables; ``out`` is the folder the report and bundles are in.

    Whatever a scenario file says is printed as it is, never as markup.
    """
    whole, worths = overall(run), by_party(run)
    console.print()
    console.print(f"[bold]{escape(run.title)}[/bold]", highlight=False)
    console.print()
    console.print(Padding(_parties(run, worths, t), _INDENT))
    console.print()
    console.print(wording.headline(run, whole, t), style="bold", highlight=False, markup=False)
    console.print(wording.against_pooled(run, whole, t), highlight=False, markup=False)
    if said := wording.precision(run, t):
        style = "" if wording.precise(run) else "bold yellow"
        console.print(said, style=style, highlight=False, markup=False)
    console.print(wording.presence(run, t), highlight=False, markup=False)
    print_open_questions(run, console, t)
    _print_reads(run, console, t)
    console.print()
    console.print(Padding(_files(run, out, t), _INDENT))
    console.print()
    console.print(t["summary_verify"], style="dim")
    # On a line of its own, never wrapped: it is there to be copied.
    command = verify_command(run, str(out))
    console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)


def _parties(run: HorizontalReport, worths: Sequence[PartyWorth], t: Strings) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(escape(t["organisation"]), overflow="fold")
    for name in ("customers", "left", "alone", "together"):
        table.add_column(t[name], justify="right", no_wrap=True)
    table.add_column(t["gain_interval"], justify="right")
    for party, worth in list(zip(run.parties, worths, strict=True))[:_MOST_PARTIES]:
        gain = "" if worth.gain is None else wording.estimate(worth.gain, t)
        table.add_row(
            escape(party.party_id),
            figures.whole(party.customers),
            figures.percent_1(party.left_share, t),
            t["not_measured"] if worth.alone is None else figures.metric(worth.alone),
            "" if worth.joint is None else f"[bold]{figures.metric(worth.joint)}[/bold]",
            gain,
        )
    if (more := len(run.parties) - _MOST_PARTIES) > 0:
        table.add_row(t["summary_more_parties"].format(more=more), style="dim")
    return table


def _print_reads(run: HorizontalReport, console: Console, t: Strings) -> None:
    console.print()
    console.print(t["summary_reads"], style="bold")
    # The line to read where there is room for one, and the one about privacy; the report has all.
    for sentence in dict.fromkeys((*run.review[:1], *run.review[-1:])):
        console.print(Padding(escape(sentence.said(t)), _INDENT), highlight=False)


def _files(run: HorizontalReport, out: Path, t: Strings) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    kind = t[f"model_{run.model}"].format(parameters=figures.whole(run.model_parameters))
    table.add_row(t["model"], kind)
    table.add_row(
        t["strategy"],
        t["strategy_of"].format(strategy=t[f"setting_{run.strategy}"], rounds=run.rounds),
    )
    table.add_row(t["method"], escape(t[f"method_{run.method}"]))
    if run.privacy is not None and run.privacy.spent:
        spent = max(run.privacy.spent.values())
        told = t["tile_epsilon"].format(epsilon=run.privacy.epsilon)
        table.add_row(t["privacy"], f"{spent:.3g} {told}")
    sent = [
        sum(step.bytes_sent for step in steps.values())
        for party, steps in run.wire.items()
        if party != COORDINATOR
    ]
    if sent:
        table.add_row(t["summary_sent_mean"], figures.size(round(sum(sent) / len(sent))))
    table.add_row(t["seconds"], figures.seconds(run.wall_s))
    rounds = [one.seconds for one in run.sums if one.what == "round"]
    if rounds:
        table.add_row(t["per_round"], figures.seconds(median(rounds)))
    if run.peak_memory_bytes is not None:
        table.add_row(t["memory"], figures.size(run.peak_memory_bytes))
    table.add_row(t["summary_report"], escape(str(out / "report.html")))
    bundles = wording.shortened([run.audit[party].bundle for party in sorted(run.audit)], t)
    table.add_row(t["summary_bundles"], escape(f"{bundles} ({out})"))
    return table
