"""``fedcrm bench``: how fast, how many bytes, how much memory; JSON on stdout."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer

from simulations.bench.psi import BenchError, PsiBench, bench_psi

app = typer.Typer(
    name="bench",
    help="Measure this machine; JSON on stdout.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def bench() -> None:
    """Measure this machine; JSON on stdout."""


@app.command()
def psi(
    sizes: Annotated[
        list[str],
        typer.Option(
            "--sizes", help="Rows of receiver and sender, such as 100000x1000000; may be repeated."
        ),
    ] = ["100000x100000"],  # noqa: B006 - Typer reads it once
    protocol: Annotated[
        list[str],
        typer.Option(
            "--protocol",
            click_type=click.Choice(["ecdh", "vole", "oprf"]),
            help="May be repeated.",
        ),
    ] = ["ecdh"],  # noqa: B006
    suite: Annotated[
        list[str], typer.Option("--suite", click_type=click.Choice(["gm", "intl"]))
    ] = ["gm"],  # noqa: B006
    kind: Annotated[
        str,
        typer.Option("--kind", click_type=click.Choice(["opaque", "phone"])),
    ] = "opaque",
    kernels: Annotated[
        str, typer.Option("--kernels", click_type=click.Choice(["auto", "portable"]))
    ] = "auto",
    to: Annotated[
        str, typer.Option("--to", click_type=click.Choice(["receiver", "both"]))
    ] = "both",
    runs: Annotated[int, typer.Option("--runs", min=1, help="Measured runs of each.")] = 3,
    warm: Annotated[
        bool,
        typer.Option("--warm", help="Measure the second run in one process instead of the first."),
    ] = False,
    peer: Annotated[
        str | None,
        typer.Option(
            "--peer",
            help="Command of another system on the same files, {a} and {b}, run in turn; its last "
            "line is JSON with wall_s, and cpu_s, rss_mib if it has them.",
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep the files here instead of removing them.")
    ] = None,
) -> None:
    """Two processes on loopback, one core each, CSV to CSV; medians, ratios, bytes, memory.

    Wall times are taken from outside, less those of a run on empty files.
    """
    try:
        pairs = [_sizes(text) for text in sizes]
        for receiver, sender in pairs:
            for name in protocol:
                for suite_name in suite:
                    asked = PsiBench(
                        receiver, sender, name, suite_name, kind, kernels, to, runs, warm, peer
                    )
                    sys.stdout.write(json.dumps(bench_psi(asked, folder)) + "\n")
                    sys.stdout.flush()
    except BenchError as error:
        _fail(str(error))


def _sizes(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if found is None:
        raise BenchError(f"--sizes {text}: write RECEIVERxSENDER, such as 100000x1000000")
    return int(found[1]), int(found[2])


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)
