"""The last thing a simulation prints: what came out, for somebody who runs a business."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from compliance.decision import Verdict
from simulations.report import figures, wording
from simulations.report.english import ENGLISH
from simulations.report.model import ReportedRun, RunReport
from simulations.report.scales import Scale, estimated, measured
from simulations.report.strings import Strings

_INDENT = (0, 0, 0, 2)


def print_summary(run: RunReport, console: Console, out: Path, t: Strings = ENGLISH) -> None:
    """Print the closing table; ``out`` is the folder the report and bundles are in.

    Whatever a scenario file says is printed as it is, never as markup.
    """
    console.print()
    console.print(f"[bold]{escape(run.title)}[/bold]", highlight=False)
    console.print()
    console.print(Padding(_customers(run, t), _INDENT))
    console.print()
    console.print(Padding(_predictions(run, t), _INDENT))
    console.print()
    console.print(wording.headline(run, t), style="bold", highlight=False, markup=False)
    console.print(wording.against_pooled(run, t), highlight=False, markup=False)
    print_open_questions(run, console, t)
    _print_learned(run, console, t)
    console.print()
    console.print(Padding(_files(run, out, t), _INDENT))
    _print_check(run, out, console, t)


def _customers(run: RunReport, t: Strings) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for party in run.parties:
        left_out = sum(run.rejects.get(party.party_id, {}).values())
        table.add_row(
            escape(t["tile_customers"].format(party=party.party_id)),
            figures.whole(run.psi.sizes[party.party_id]),
            t["summary_left_out"].format(rows=left_out) if left_out else "",
        )
    table.add_row(
        t["tile_common" if len(run.partners) > 1 else "tile_shared"],
        f"[bold]{figures.whole(run.psi.intersection)}[/bold]",
        t["summary_floor"].format(floor=figures.whole(run.psi.floor)),
    )
    return table


def _predictions(run: RunReport, t: Strings) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    predicted = t["summary_can_predict_first" if run.repeats else "summary_can_predict"]
    table.add_column(escape(predicted.format(label=run.label, repeats=len(run.repeats))), ratio=1)
    scale = Scale.of(run)
    for measure in scale.measures:
        table.add_column(scale.head(measure, t), justify="right", no_wrap=True)
        if measure == scale.first:
            table.add_column(t["interval"], justify="right", no_wrap=True)
    for which in run.models:
        value, low, high = (
            scale.shown(scale.first, number, t) for number in estimated(run, which, scale.first)
        )
        others = (scale.shown(name, measured(run, which, name), t) for name in scale.measures[1:])
        table.add_row(
            escape(wording.model_name(run, which, t)),
            f"[bold]{value}[/bold]",
            f"{low} – {high}",
            *others,
        )
    return table


def print_open_questions(run: ReportedRun, console: Console, t: Strings) -> None:
    """Print what a gate left to people, or refused."""
    for outcome in wording.gate_outcomes(run):
        if outcome.verdict in (Verdict.NEEDS_APPROVAL, Verdict.DENY):
            title = "legal_title" if outcome.verdict is Verdict.NEEDS_APPROVAL else "stopped_title"
            console.print()
            console.print(f"{t[title]} ({outcome.gate})", style="bold yellow", highlight=False)
            console.print(Padding(escape(outcome.reason), _INDENT), highlight=False)


def _print_learned(run: RunReport, console: Console, t: Strings) -> None:
    console.print()
    console.print(t["learned"], style="bold")
    for party, sentences in run.learned.items():
        for sentence in sentences:
            line = t["summary_learned"].format(
                party=wording.party_name(party, t), learned=sentence.said(t)
            )
            console.print(Padding(escape(line), _INDENT), highlight=False)


def _files(run: RunReport, out: Path, t: Strings) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    sent = {
        party.party_id: sum(traffic.bytes for traffic in run.wire.get(party.party_id, {}).values())
        for party in run.parties
    }
    train = run.train
    if train.model != "boosted_trees":
        table.add_row(t["model"], t[f"model_{train.model}"])
    for sentence in wording.points_kept(run, t):
        table.add_row("", escape(sentence))
    for party, count in sent.items():
        table.add_row(escape(t["summary_sent"].format(party=party)), figures.size(count))
    table.add_row(t["seconds"], figures.seconds(sum(run.phase_s.values())))
    if train.predicted_s is not None:
        took = _beside(figures.seconds(train.wall_s), figures.seconds(train.predicted_s), t)
        table.add_row(t["summary_took"], took)
    if train.predicted_bytes is not None:
        sent_by_all = _beside(figures.size(train.bytes), figures.size(train.predicted_bytes), t)
        table.add_row(t["summary_training_sent"], sent_by_all)
    table.add_row(t["summary_report"], escape(str(out / "report.html")))
    bundles = ", ".join(run.audit[party].bundle for party in sorted(run.audit))
    table.add_row(t["summary_bundles"], escape(f"{bundles} ({out})"))
    return table


def _beside(measured: str, predicted: str, t: Strings) -> str:
    """Return what something took beside what was predicted before."""
    return t["summary_predicted"].format(measured=measured, predicted=predicted)


def _print_check(run: RunReport, out: Path, console: Console, t: Strings) -> None:
    """Print the command on a line of its own, never wrapped: it is there to be copied."""
    console.print()
    console.print(t["summary_verify"], style="dim")
    command = wording.verify_command(run, str(out))
    console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
