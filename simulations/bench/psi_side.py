"""One side of a measured run, once or twice in one process; a line of JSON for each."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from party_node import kernel_cache


class _Quiet:
    """Watches nothing and approves: `--lab` asks nobody."""

    def say(self, text: str) -> None:
        """Ignore the line."""

    def connected(self, connection: Any) -> None:
        """Show no bytes."""

    def progress(self, step: str, done: int, total: int) -> None:
        """Ignore the progress."""

    def confirm(self, spec: Any, own: str) -> bool:
        """Approve."""
        return True


def main(arguments: list[str]) -> None:
    """Run the side that :func:`simulations.bench.psi._pair` asks for."""
    kernel_cache.prepare()
    from party_node.psi.run import run_psi  # noqa: PLC0415

    options = _options(arguments)
    for _ in range(int(arguments[10])):
        started, cpu = time.monotonic(), time.process_time()
        summary = run_psi(options, _Quiet())
        report = dataclasses.asdict(summary) | {
            "run_s": time.monotonic() - started,
            "run_cpu_s": time.process_time() - cpu,
        }
        sys.stdout.write(json.dumps(report) + "\n")


def _options(arguments: list[str]) -> Any:
    from party_node.psi.options import DEFAULT_QUOTA, PsiOptions  # noqa: PLC0415
    from party_node.psi.streams import Deadlines  # noqa: PLC0415

    role, input_, output, door, address, protocol, suite, kind, kernels, to = arguments[:10]
    learns = to == "both" or role == "receiver"
    return PsiOptions(
        role=role,  # type: ignore[arg-type]
        input=Path(input_),
        keys=("id",),
        kinds=(kind,),  # type: ignore[arg-type]
        match="all",
        region="CN",
        output=Path(output) if learns else None,
        listen=address if door == "--listen" else None,
        connect=address if door == "--connect" else None,
        suite=suite,  # type: ignore[arg-type]
        protocol=protocol,  # type: ignore[arg-type]
        reveal="list",
        to=to,  # type: ignore[arg-type]
        values=None,
        purpose="overlap",
        basis="made-data",
        floor=1,
        identity=None,
        peer=None,
        log=None,
        exclude=None,
        cache=Path(arguments[11]) if protocol == "oprf" else None,
        quota=DEFAULT_QUOTA,
        rotate=False,
        lab=True,
        officer=None,
        cores=len(os.sched_getaffinity(0)),
        kernels=kernels,  # type: ignore[arg-type]
        deadlines=Deadlines(connect_s=600.0),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
