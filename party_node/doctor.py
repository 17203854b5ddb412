"""``fedcrm doctor``: what this machine can do, tried out; and the kernels compiled for later."""

from __future__ import annotations

import os
import platform
import secrets
import time
from functools import partial
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from party_node import kernel_cache
from party_node.errors import NodeError
from protocols.errors import LocalProtocolError


def doctor() -> None:
    """Try every protocol in both suites, compile what is not compiled yet, and say what is used."""
    cache = kernel_cache.prepare()
    from party_node.psi.rehearsal import PROTOCOLS, rehearse  # noqa: PLC0415
    from protocols.kernels import cpu  # noqa: PLC0415
    from protocols.paillier import rehearse as rehearse_paillier  # noqa: PLC0415
    from protocols.suite import get_suite  # noqa: PLC0415

    console = Console(highlight=False)
    cores = len(os.sched_getaffinity(0))
    console.print(Text(f"Python {platform.python_version()}, {cores} cores"))
    for name, wanted in (
        ("AVX-512 IFMA (curves, Paillier)", cpu.IFMA),
        ("VAES (AES)", cpu.VAES),
        ("GFNI (SM4)", cpu.GFNI),
        ("carry-less multiplication", cpu.CLMUL),
    ):
        console.print(Text(f"  {name}: {'yes' if cpu.has(wanted) else 'no'}"))
    console.print(Text(f"compiled kernels are kept in {cache}"))
    failed = False
    for suite_name in ("gm", "intl"):
        for kernels in ("auto", "portable"):
            suite = get_suite(suite_name, kernels)
            trials: dict[str, Any] = {
                protocol: partial(rehearse, suite, protocol) for protocol in PROTOCOLS
            }
            stream = suite.stream(secrets.token_bytes(32), b"rehearsal")
            trials["paillier"] = partial(rehearse_paillier, suite, stream)
            for protocol, tried in trials.items():
                started = time.monotonic()
                try:
                    with console.status(f"{suite_name} {protocol} ..."):
                        tried()
                    verdict = "right"
                except NodeError as error:
                    verdict, failed = f"WRONG: {error.message}", True
                except LocalProtocolError as error:
                    verdict, failed = f"WRONG: {error}", True
                console.print(
                    Text(
                        f"  {suite_name:4} {protocol:8} {suite.kernels:8} {verdict}, "
                        f"{time.monotonic() - started:.1f} s"
                    )
                )
            if suite.kernels == "portable":
                break
    if failed:
        raise typer.Exit(1)
