"""``fedcrm psi``: two machines, one command each, find the customers both have."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import click
import typer

from party_node import kernel_cache
from party_node.errors import NodeError
from party_node.psi.options import DEFAULT_FLOOR, DEFAULT_QUOTA, PsiOptions
from party_node.psi.streams import Deadlines
from protocols.identifiers import DEFAULT_REGION, IdentifierKind
from protocols.session.psi_spec import PsiRole

app = typer.Typer(
    name="psi",
    help="Find the customers two organisations share; nothing else of either list is shown.",
    no_args_is_help=True,
    add_completion=False,
)


def _choice(*values: str) -> click.Choice[str]:
    return click.Choice(list(values))


_DATA, _PEER, _RESULT, _TERMS, _HOW = (
    "Your data",
    "The other side",
    "What comes out, and to whom",
    "What is signed",
    "How it runs",
)

Input = Annotated[
    Path,
    typer.Option("--input", help="CSV (UTF-8, with a header) or Parquet.", rich_help_panel=_DATA),
]
Key = Annotated[
    list[str],
    typer.Option(
        "--key",
        help="Column to match on; several with --match. In the same order on both sides.",
        rich_help_panel=_DATA,
    ),
]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        click_type=_choice("phone", "resident_id", "email", "opaque"),
        help="What the column holds: one for all, or one per --key in order. Default: phone.",
        rich_help_panel=_DATA,
    ),
]
Match = Annotated[
    str,
    typer.Option(
        "--match",
        click_type=_choice("all", "first"),
        help="With several keys: all must match, or the first that does, tried in order.",
        rich_help_panel=_DATA,
    ),
]
Region = Annotated[
    str,
    typer.Option("--region", help="Country of numbers without one.", rich_help_panel=_DATA),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        help="Matching rows, for a side that gets them; row i is the same customer on both sides. "
        "Unusable rows go to OUTPUT.rejects.csv.",
        rich_help_panel=_RESULT,
    ),
]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", help="Wait here.", rich_help_panel=_PEER),
]
Connect = Annotated[
    str | None,
    typer.Option("--connect", metavar="HOST:PORT", help="Go there.", rich_help_panel=_PEER),
]
IdentityFolder = Annotated[
    Path | None,
    typer.Option(
        "--identity", help="Folder `psi keygen` made; needed without --lab.", rich_help_panel=_PEER
    ),
]
Peer = Annotated[
    Path | None,
    typer.Option(
        "--peer", help="The other side's identity.pub; needed without --lab.", rich_help_panel=_PEER
    ),
]
Log = Annotated[
    Path | None,
    typer.Option(
        "--log",
        help="Folder of this side's audit log; needed without --lab.",
        rich_help_panel=_TERMS,
    ),
]
SuiteName = Annotated[
    str,
    typer.Option(
        "--suite",
        click_type=_choice("gm", "intl"),
        help="gm: SM2, SM3, SM4 (国密). intl: Curve25519, SHA-2, AES.",
        rich_help_panel=_TERMS,
    ),
]
ProtocolName = Annotated[
    str,
    typer.Option(
        "--protocol",
        click_type=_choice("auto", "ecdh", "vole", "oprf"),
        help="auto chooses by size and says why; a sum has a protocol of its own.",
        rich_help_panel=_HOW,
    ),
]
RevealName = Annotated[
    str,
    typer.Option(
        "--reveal",
        click_type=_choice("list", "size", "sum"),
        help="The shared rows, only their number, or a sum over them.",
        rich_help_panel=_RESULT,
    ),
]
To = Annotated[
    str,
    typer.Option(
        "--to", click_type=_choice("receiver", "both"), help="Who gets it.", rich_help_panel=_RESULT
    ),
]
Purpose = Annotated[
    str,
    typer.Option(
        "--purpose",
        click_type=_choice("overlap", "credit_need", "creditworthiness", "churn"),
        help="What the result is used for.",
        rich_help_panel=_TERMS,
    ),
]
Basis = Annotated[
    str,
    typer.Option(
        "--basis",
        help="Your legal basis, such as CN13_1 (compliance/catalogue.toml); none: you name none.",
        rich_help_panel=_TERMS,
    ),
]
Floor = Annotated[
    int | None,
    typer.Option(
        "--floor",
        min=1,
        help=f"Fewest shared customers to be opened; the stricter side's holds. "
        f"Default: {DEFAULT_FLOOR}, with --lab 1.",
        rich_help_panel=_TERMS,
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Approve without asking, for scripts.", rich_help_panel=_TERMS)
]
Officer = Annotated[
    str | None,
    typer.Option(
        "--officer",
        help="Staff id (no name) of who approves. Default: operator.",
        rich_help_panel=_TERMS,
    ),
]
Exclude = Annotated[
    Path | None,
    typer.Option(
        "--exclude",
        help="File with the same key columns: whoever any of them names (withdrawn, objected) "
        "is left out.",
        rich_help_panel=_DATA,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="Folder for oprf, on both sides: the sender's holds a key and its prepared set.",
        rich_help_panel=_HOW,
    ),
]
Lab = Annotated[
    bool,
    typer.Option(
        "--lab",
        help="No TLS, no log, no question, floor 1, keys that everybody knows: for measuring, on "
        "127.0.0.1 only.",
        rich_help_panel=_HOW,
    ),
]
Cores = Annotated[
    int | None,
    typer.Option("--cores", min=1, max=64, help="Default: all there are.", rich_help_panel=_HOW),
]
Kernels = Annotated[
    str,
    typer.Option(
        "--kernels",
        click_type=_choice("auto", "portable"),
        help="portable: plain code that runs on any processor.",
        rich_help_panel=_HOW,
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait", min=1, help="Seconds for the other side to appear.", rich_help_panel=_PEER
    ),
]
Silent = Annotated[
    float,
    typer.Option(
        "--silent",
        min=5,
        help="Seconds without a sign of life, sent every second, until it counts as gone.",
        rich_help_panel=_PEER,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.", rich_help_panel=_HOW)]
Values = Annotated[
    str | None,
    typer.Option(
        "--values",
        help="Column of whole numbers for --reveal sum.",
        rich_help_panel=_RESULT,
    ),
]
Quota = Annotated[
    int,
    typer.Option(
        "--quota",
        min=1,
        help="oprf: queries a peer may make until the key is rotated.",
        rich_help_panel=_HOW,
    ),
]
Rotate = Annotated[
    bool,
    typer.Option(
        "--rotate", help="oprf: prepare the set anew under a fresh key.", rich_help_panel=_HOW
    ),
]


@app.command()
def receive(
    input_: Input,
    key: Key,
    kind: Kind = None,
    match: Match = "all",
    region: Region = DEFAULT_REGION,
    output: Output = None,
    exclude: Exclude = None,
    listen: Listen = None,
    connect: Connect = None,
    identity: IdentityFolder = None,
    peer: Peer = None,
    wait: Wait = 600.0,
    silent: Silent = 60.0,
    reveal: RevealName = "list",
    to: To = "receiver",
    log: Log = None,
    suite: SuiteName = "gm",
    purpose: Purpose = "overlap",
    basis: Basis = "none",
    floor: Floor = None,
    officer: Officer = None,
    yes: Yes = False,
    protocol: ProtocolName = "auto",
    cache: Cache = None,
    cores: Cores = None,
    kernels: Kernels = "auto",
    lab: Lab = False,
    as_json: Json = False,
) -> None:
    """Take part as the receiver: it gets the result, the sender only with --to both."""
    _run("receiver", locals())


@app.command()
def send(
    input_: Input,
    key: Key,
    kind: Kind = None,
    match: Match = "all",
    region: Region = DEFAULT_REGION,
    values: Values = None,
    output: Output = None,
    exclude: Exclude = None,
    listen: Listen = None,
    connect: Connect = None,
    identity: IdentityFolder = None,
    peer: Peer = None,
    wait: Wait = 600.0,
    silent: Silent = 60.0,
    reveal: RevealName = "list",
    to: To = "receiver",
    log: Log = None,
    suite: SuiteName = "gm",
    purpose: Purpose = "overlap",
    basis: Basis = "none",
    floor: Floor = None,
    officer: Officer = None,
    yes: Yes = False,
    protocol: ProtocolName = "auto",
    cache: Cache = None,
    quota: Quota = DEFAULT_QUOTA,
    rotate: Rotate = False,
    cores: Cores = None,
    kernels: Kernels = "auto",
    lab: Lab = False,
    as_json: Json = False,
) -> None:
    """Take part as the sender: it gets the result with --to both only."""
    _run("sender", locals())


@app.command()
def keygen(
    folder: Annotated[Path, typer.Option("--identity", help="Folder to make.")],
    name: Annotated[str, typer.Option("--name", help="What the other side calls you.")],
    suite: SuiteName = "gm",
) -> None:
    """Make this party's keys, and the file to give to the other side."""
    from audit.key_files import KeyFileError  # noqa: PLC0415
    from party_node.peer_channel.certificates import create_identity  # noqa: PLC0415
    from protocols.suite import get_suite  # noqa: PLC0415

    if not re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        _fail("--name: letters (at least one), digits, . _ and - only", "for example: bank")
    try:
        made = create_identity(folder, name, get_suite(suite))
    except KeyFileError as error:
        _fail(str(error), "an identity is made once; name another folder")
    except OSError as error:
        _fail(f"cannot write {folder} ({error.strerror})", "name a folder you can write")
    typer.echo(f"give to the other side   {folder / 'identity.pub'}")
    typer.echo(f"compare by voice         {made.fingerprint}")
    typer.echo(f"keep to yourself         everything else in {folder}", err=True)


@app.command()
def trust(
    identities: Annotated[
        list[Path], typer.Argument(metavar="IDENTITY.PUB...", help="identity.pub of each party.")
    ],
) -> None:
    """Print a trust file for `fedcrm audit verify`: whose key signs whose log.

    It is as good as the comparison of the identities' fingerprints.
    """
    from audit.identity import LogIdentity, log_origin  # noqa: PLC0415
    from audit.key_files import KeyFileError  # noqa: PLC0415
    from audit.trust import write_trust  # noqa: PLC0415
    from party_node.peer_channel.certificates import load_peer  # noqa: PLC0415

    try:
        parties = [load_peer(path) for path in identities]
    except KeyFileError as error:
        _fail(str(error), "name the identity.pub files the parties gave each other")
    typer.echo(
        write_trust(
            LogIdentity(
                origin=log_origin(party.name, "party_node"),
                suite=party.suite,
                public_key=party.public_key,
                source="party_node",
            )
            for party in parties
        ),
        nl=False,
    )
    for party in parties:
        typer.echo(f"compared by voice?  {party.name}: {party.fingerprint}", err=True)


def _run(role: PsiRole, given: dict[str, Any]) -> None:
    kernel_cache.prepare()
    # Loads numba, Arrow and, without --lab, the audit log: not for `--help`.
    from party_node.psi.run import run_psi  # noqa: PLC0415
    from party_node.psi.terminal import Terminal, print_summary  # noqa: PLC0415
    from protocols.errors import ProtocolError  # noqa: PLC0415

    as_json = given["as_json"]
    try:
        options = _options(role, given)
    except NodeError as error:
        _fail(error.message, error.hint, status=2)
    try:
        with Terminal(ask=not (given["yes"] or given["lab"])) as terminal:
            summary = run_psi(options, terminal)
    except NodeError as error:
        _fail(error.message, error.hint)
    except ProtocolError as error:
        _fail(str(error), "the other side was told: compare both sides' options and releases")
    except OSError as error:
        _fail(f"{error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        _fail("stopped", "the same command goes on from the parts that are finished")
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(summary)) + "\n")
    else:
        print_summary(summary, options)
    if not summary.opened:
        raise typer.Exit(1)


def _options(role: PsiRole, given: dict[str, Any]) -> PsiOptions:
    lab, keys = given["lab"], tuple(given["key"])
    kinds = given["kind"] or ["phone"]
    if len(kinds) == 1:
        kinds = kinds * len(keys)
    officer = None if given["yes"] or lab else (given["officer"] or "operator")
    floor = given["floor"] or (1 if lab else DEFAULT_FLOOR)
    return PsiOptions(
        role=role,
        input=given["input_"],
        keys=keys,
        kinds=cast(tuple[IdentifierKind, ...], tuple(kinds)),
        match=given["match"],
        region=given["region"],
        output=given["output"],
        listen=given["listen"],
        connect=given["connect"],
        suite=given["suite"],
        protocol=given["protocol"],
        reveal=given["reveal"],
        to=given["to"],
        values=given.get("values"),
        purpose=given["purpose"],
        basis=given["basis"],
        floor=floor,
        identity=given["identity"],
        peer=given["peer"],
        log=given["log"],
        exclude=given["exclude"],
        cache=given["cache"],
        quota=given.get("quota", DEFAULT_QUOTA),
        rotate=given.get("rotate", False),
        lab=lab,
        officer=officer,
        cores=given["cores"] or len(os.sched_getaffinity(0)),
        kernels=given["kernels"],
        deadlines=Deadlines(connect_s=given["wait"], silent_s=given["silent"]),
    )


def _fail(message: str, hint: str = "", *, status: int = 1) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    raise typer.Exit(status)
