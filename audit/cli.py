"""``fedcrm audit``: show, verify, export and check logs; no network, no key, nothing changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from audit.agreement import Verification, verify_bundles
from audit.archive import MAX_ARCHIVE_BYTES
from audit.bundle import export as export_bundle
from audit.bundle import open_bundle
from audit.chain import WITHHELD_PREFIX
from audit.event import Event, EventError, decode_event, encode_event
from audit.findings import Finding, Findings
from audit.fsck import fsck as check_database
from audit.identity import LogIdentity, identity_of
from audit.log import AuditError, log_identity, read_events
from audit.timeline import heading, rows
from audit.trust import MAX_TRUST_BYTES, Trust, TrustError, read_trust
from audit.verify import OnProgress

app = typer.Typer(
    name="audit",
    help="Read and check audit logs. Works offline, on bundles or on a node's own database.",
    no_args_is_help=True,
)

_SQLITE_MAGIC = b"SQLite format 3\x00"
_SEVERITY_STYLE = {"failed": "red", "unchecked": "yellow", "note": "dim"}

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def show(
    log: Annotated[Path, typer.Argument(metavar="BUNDLE|DB", help="A bundle or a database.")],
    job: Annotated[str | None, typer.Option(help="Only events of this job.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only events of this type.")] = None,
    json: Json = False,
) -> None:
    """Print what a log records, oldest first, in plain words. Checks nothing."""
    console = Console(highlight=False)
    if _starts_with(log, _SQLITE_MAGIC):
        with _database(log) as connection:
            everything = list(read_events(connection))
            identity, withheld = log_identity(connection), 0
    else:
        identity, everything, withheld = _read_bundle(log)
    chosen = [e for e in everything if job in (None, e.job) and type_ in (None, e.type)]
    if json:
        for event in chosen:
            sys.stdout.buffer.write(encode_event(event) + b"\n")
        return
    for line in heading(identity, len(everything) + withheld):
        console.print(line)
    if withheld:
        console.print(f"{withheld} entries are not shown in this copy", style="yellow")
    for row in rows(chosen):
        console.print(row)
    typer.echo("hint: shown as it stands; to check it: fedcrm audit verify or fsck", err=True)


@app.command()
def verify(
    bundles: Annotated[list[Path], typer.Argument(metavar="BUNDLE...", help="One or several.")],
    trust: Annotated[
        Path | None, typer.Option(help="Key fingerprints you obtained outside the bundles.")
    ] = None,
    json: Json = False,
) -> None:
    """Check bundles offline: each against its signatures, and all against each other.

    Exit status 0: all of it holds. 1: something does not, and the place is named. 2: nothing
    wrong was found, but not everything could be checked.
    """
    known = _trust(trust) if trust else None
    archives = [(str(path), _read(path, MAX_ARCHIVE_BYTES)) for path in bundles]
    with _progress() as on_progress:
        result = verify_bundles(archives, known, on_progress=on_progress)
    if json:
        _print_json(_verification_json(result))
    else:
        _print_verification(result)
    raise typer.Exit(result.exit_status)


@app.command()
def export(
    database: Annotated[Path, typer.Option(help="The database that holds the log.")],
    out: Annotated[Path, typer.Option(help="The bundle to write; an existing file is kept.")],
    joint_only: Annotated[
        bool,
        typer.Option(
            "--joint-only",
            help="For the other parties: replace this party's own entries by their hashes.",
        ),
    ] = False,
) -> None:
    """Write a log up to its latest checkpoint as a bundle that anyone can verify offline."""
    with _database(database) as connection:
        archive = export_bundle(connection, joint_only=joint_only)
    try:
        with out.open("xb") as file:
            file.write(archive)
    except FileExistsError:
        _fail(f"{out} exists already", "name another file; evidence is not overwritten")
    except OSError as error:
        _fail(f"cannot write {out}: {error.strerror}", "check the folder and its permissions")
    typer.echo(f"{out}: {len(archive):,} bytes")


@app.command()
def fsck(
    database: Annotated[Path, typer.Option(help="The database that holds the log.")],
    json: Json = False,
) -> None:
    """Rebuild a log's tree from its database and compare it with every checkpoint it signed."""
    with _database(database) as connection, _progress() as on_progress:
        result = check_database(connection, str(database), on_progress=on_progress)
    findings = result.findings
    status = 1 if findings.any_failed else 0
    if json:
        _print_json(
            {
                "exit_status": status,
                "origin": result.identity.origin,
                "fingerprint": result.identity.fingerprint,
                "entries": result.entries,
                "signed": result.signed,
                "root_hash": result.root_hash.hex(),
                "findings": [msgspec.to_builtins(finding) for finding in findings],
                "more_findings": findings.more,
            }
        )
        raise typer.Exit(status)
    console = Console(highlight=False)
    for line in heading(result.identity, result.entries):
        console.print(line)
    console.print(f"root hash {result.root_hash.hex()}", soft_wrap=True)
    _print_findings(console, list(findings), findings.more)
    console.print(
        f"the first {result.signed} entries are those that were signed"
        if status == 0
        else "this log was altered",
        style="green" if status == 0 else "red",
    )
    raise typer.Exit(status)


def _print_verification(result: Verification) -> None:
    console = Console(highlight=False)
    for bundle in result.bundles:
        if bundle.identity is None:
            console.print(Text(f"{bundle.source}: not readable as a bundle", style="red"))
            continue
        size = bundle.checkpoint.tree_size if bundle.checkpoint else 0
        console.print(
            Text.assemble(
                (bundle.identity.origin, "bold cyan"),
                f"  {bundle.source}: {size} entries signed, {bundle.checkpoints} checkpoints",
            )
        )
        console.print(Text(f"  signing key {bundle.identity.fingerprint}"))
    _print_findings(console, result.findings, result.more_findings)
    style = {0: "bold green", 1: "bold red", 2: "bold yellow"}[result.exit_status]
    console.print(Text(f"\n{result.conclusion}", style=style))
    for title, lines in (("This shows:", result.shown), ("No check shows:", result.not_shown)):
        if lines:
            console.print(Text(f"\n{title}"))
        for line in lines:
            console.print(Text(f"- {line}"))


def _print_findings(console: Console, findings: list[Finding], more: int) -> None:
    for finding in findings:
        style = _SEVERITY_STYLE[finding.severity]
        console.print(Text(f"{finding.severity}: {finding}", style=style))
    if more:
        console.print(f"… and {more} findings more", style="red")


def _verification_json(result: Verification) -> dict[str, Any]:
    return {
        "exit_status": result.exit_status,
        "conclusion": result.conclusion,
        "bundles": [
            {
                "bundle": bundle.source,
                "origin": bundle.origin,
                "source": bundle.identity.source if bundle.identity else None,
                "suite": bundle.identity.suite.name if bundle.identity else None,
                "fingerprint": bundle.identity.fingerprint if bundle.identity else None,
                "entries": bundle.checkpoint.tree_size if bundle.checkpoint else None,
                "root_hash": bundle.checkpoint.root_hash.hex() if bundle.checkpoint else None,
                "checkpoints": bundle.checkpoints,
                "withheld": bundle.chain.withheld if bundle.chain else None,
                "jobs": sorted(bundle.chain.jobs) if bundle.chain else [],
            }
            for bundle in result.bundles
        ],
        "joint_statements": result.joint_statements,
        "kept_checkpoints": result.kept,
        "trust_checked": result.trust is not None,
        "findings": [msgspec.to_builtins(finding) for finding in result.findings],
        "more_findings": result.more_findings,
        "shown": result.shown,
        "not_shown": result.not_shown,
    }


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _read_bundle(path: Path) -> tuple[LogIdentity, list[Event], int]:
    """Return what a bundle says, unverified, if it is a bundle at all."""
    findings = Findings()
    bundle = open_bundle(_read(path, MAX_ARCHIVE_BYTES), str(path), findings)
    if bundle is None or findings.any_failed:
        _fail(str(findings[0]), "this is not an intact bundle; see: fedcrm audit verify")
    lines = [line for _, line in bundle.lines("events.jsonl")]
    shown = [line for line in lines if not line.startswith(WITHHELD_PREFIX)]
    try:
        events = [decode_event(line) for line in shown]
        if not events:
            raise EventError("the bundle has no entries")
        return identity_of(events[0]), events, len(lines) - len(shown)
    except EventError as error:
        _fail(f"{path}: {error}", "find the place with: fedcrm audit verify")


def _trust(path: Path) -> Trust:
    try:
        return read_trust(_read(path, MAX_TRUST_BYTES))
    except TrustError as error:
        _fail(
            f"{path}: {error}",
            "a trust file has one [[party]] block per log with origin, suite and fingerprint",
        )


def _read(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            _fail(f"{path} is larger than {limit:,} bytes", "this is not one of our files")
        return path.read_bytes()
    except OSError as error:
        _fail(f"cannot read {path}: {error.strerror}", "check the name and its permissions")


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        _fail(f"cannot read {path}: {error.strerror}", "check the name and its permissions")


@contextmanager
def _database(path: Path) -> Iterator[Connection]:
    """Open a node's database for reading only."""
    if not _starts_with(path, _SQLITE_MAGIC):
        _fail(f"{path} is not an SQLite database", "name the node's database file")
    uri = f"sqlite:///{path.resolve().as_uri()}?mode=ro&uri=true"
    try:
        with create_engine(uri, poolclass=NullPool).connect() as connection:
            yield connection
    except AuditError as error:
        _fail(f"{path}: {error}", "is this the database of a node?")
    except SQLAlchemyError as error:
        _fail(
            f"{path}: {type(error).__name__}",
            "if it is on a read-only medium, copy it to a folder you can write to",
        )


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """Show a bar on stderr, while there is a terminal to show it on."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield _updater(bar)


def _updater(bar: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, Any] = {}

    def update(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step, total=None)
        bar.update(tasks[step], completed=done, total=total)

    return update


def _fail(error: str, hint: str) -> NoReturn:
    typer.echo(f"error: {error}", err=True)
    typer.echo(f"hint: {hint}", err=True)
    raise typer.Exit(1)
