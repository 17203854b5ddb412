"""``fedcrm bench``: how fast, how many bytes, how much memory; JSON on stdout."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, NoReturn, cast

import click
import typer

from protocols.session.horizontal_terms import MAX_PARTIES
from protocols.session.model_terms import TreeTerms
from protocols.sum_ciphers import Method
from simulations.bench.psi import PsiBench, bench_psi
from simulations.bench.two_processes import BenchError

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


@app.command()
def paillier(
    bits: Annotated[int, typer.Option("--bits", help="2048 or 3072.")] = 2048,
    kernels: Annotated[
        str, typer.Option("--kernels", click_type=click.Choice(["auto", "portable"]))
    ] = "auto",
    runs: Annotated[int, typer.Option("--runs", min=1, help="Measured runs of each.")] = 3,
    peer: Annotated[
        str | None,
        typer.Option(
            "--peer",
            help="Command of another system, run in turn; its last line is JSON with encrypt_us, "
            "decrypt_us, add_us, bucket_add_us.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON is what is printed.")] = True,
) -> None:
    """Encrypted sums: microseconds of CPU per operation on one core, beside phe's."""
    del as_json
    from simulations.bench.paillier import bench_paillier  # noqa: PLC0415

    try:
        figures = bench_paillier(bits, kernels, runs, peer)
    except BenchError as error:
        _fail(str(error))
    sys.stdout.write(json.dumps(figures) + "\n")


@app.command()
def aggregation(
    parameters: Annotated[int, typer.Option(min=1, help="Of the model.")] = 1_000_000,
    parties: Annotated[
        list[int],
        typer.Option(min=2, max=MAX_PARTIES, help="How many contribute; may be repeated."),
    ] = [3, 10],  # noqa: B006 - Typer reads it once
    method: Annotated[
        list[str],
        typer.Option(
            click_type=click.Choice(["masked_he", "ckks", "paillier", "masks"]),
            help="May be repeated; all if not given.",
        ),
    ] = ["masked_he", "ckks", "paillier", "masks"],  # noqa: B006
    suite: Annotated[str, typer.Option(click_type=click.Choice(["gm", "intl"]))] = "gm",
    kernels: Annotated[str, typer.Option(click_type=click.Choice(["auto", "portable"]))] = "auto",
    bits: Annotated[int, typer.Option(help="Of the Paillier key: 2048 or 3072.")] = 2048,
    runs: Annotated[int, typer.Option(min=1, help="Measured runs of each.")] = 5,
    phe_ciphertexts: Annotated[
        int, typer.Option(min=1, help="What phe is measured on, and scaled from.")
    ] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="JSON is what is printed.")] = True,
) -> None:
    """Adding up updates: CPU seconds at a party and the coordinator, bytes, beside TenSEAL, phe."""
    del as_json
    from simulations.bench.aggregation import AggregationBench, bench_aggregation  # noqa: PLC0415

    if bits not in (2048, 3072):
        _fail("--bits must be 2048 or 3072")
    try:
        for name in method:
            for count in parties:
                asked = AggregationBench(
                    method=cast(Method, name),
                    parties=count,
                    parameters=parameters,
                    suite=suite,
                    kernels=kernels,
                    paillier_bits=bits,
                    runs=runs,
                    phe_ciphertexts=phe_ciphertexts,
                )
                sys.stdout.write(json.dumps(bench_aggregation(asked)) + "\n")
                sys.stdout.flush()
    except BenchError as error:
        _fail(str(error))


@app.command()
def gbdt(
    active: Annotated[
        Path | None,
        typer.Option(help="CSV of the active party: id, label, columns; made tables if not given."),
    ] = None,
    passive: Annotated[Path | None, typer.Option(help="CSV of the passive party.")] = None,
    id_column: Annotated[str, typer.Option("--id", help="Column that joins the tables.")] = "id",
    label: Annotated[str, typer.Option(help="The active party's label column.")] = "y",
    rows: Annotated[int, typer.Option(help="Rows of the made tables.")] = 30_000,
    active_columns: Annotated[int, typer.Option(help="Columns of the made tables.")] = 13,
    passive_columns: Annotated[int, typer.Option(help="Columns of the made tables.")] = 10,
    trees: Annotated[int, typer.Option()] = 20,
    depth: Annotated[int, typer.Option()] = 3,
    bins: Annotated[int, typer.Option()] = 32,
    learning_rate: Annotated[str, typer.Option()] = "0.3",
    minimum_bin_count: Annotated[int, typer.Option()] = 20,
    row_sample: Annotated[str, typer.Option(help="Share of the rows each tree uses.")] = "1",
    bits: Annotated[int, typer.Option(help="Of the Paillier key.")] = 2048,
    suite: Annotated[str, typer.Option(click_type=click.Choice(["gm", "intl"]))] = "gm",
    kernels: Annotated[str, typer.Option(click_type=click.Choice(["auto", "portable"]))] = "auto",
    runs: Annotated[int, typer.Option(min=1, help="Measured runs of each.")] = 1,
    peer: Annotated[
        str | None,
        typer.Option(
            help="Command of another system on the same tables, run in turn; its last line is "
            "JSON with wall_s, and cpu_s, auc, s_per_tree if it has them."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Keep files and homes here instead of removing them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON is what is printed.")] = True,
) -> None:
    """Boosted trees between two processes on loopback, protections on, equal to the clear ones."""
    del as_json
    from simulations.bench.gbdt import GbdtBench, bench_gbdt  # noqa: PLC0415

    if (active is None) != (passive is None):
        _fail("--active and --passive go together")
    try:
        terms = TreeTerms(
            objective="binary",
            classes=1,
            trees=trees,
            depth=depth,
            bins=bins,
            learning_rate=learning_rate,
            l2="1",
            minimum_bin_count=minimum_bin_count,
            first_tree_active_only=True,
            class_weights="none",
            row_sample=row_sample,
            one_side_sampling=None,
            early_stopping_rounds=0,
            validation_percent=0,
            paillier_bits=bits,
            paillier_randomness="exact",
        )
    except ValueError as error:
        _fail(str(error))
    asked = GbdtBench(
        terms=terms,
        suite=suite,
        kernels=kernels,
        runs=runs,
        peer=peer,
        files=None if active is None or passive is None else (active, passive),
        id_column=id_column,
        label_column=label,
        rows=rows,
        active_columns=active_columns,
        passive_columns=passive_columns,
    )
    try:
        figures = bench_gbdt(asked, folder)
    except BenchError as error:
        _fail(str(error))
    sys.stdout.write(json.dumps(figures) + "\n")


def _sizes(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if found is None:
        raise BenchError(f"--sizes {text}: write RECEIVERxSENDER, such as 100000x1000000")
    return int(found[1]), int(found[2])


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)
