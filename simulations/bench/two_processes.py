"""Two sides as two processes of this machine, and another system's command beside them."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DEADLINE_S = 3600.0


class BenchError(Exception):
    """A measurement that could not be made."""


@dataclass(frozen=True, slots=True)
class Side:
    """One process's end."""

    wall_s: float
    """From before both processes were started until both had ended."""
    reports: list[dict[str, Any]]
    """What the process printed: a line of JSON for each of its runs."""


def free_address() -> str:
    """Return a loopback address at which nobody listens just now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def run_pair(
    commands: tuple[Sequence[str], Sequence[str]], *, cores: Sequence[int] | None = None
) -> tuple[Side, Side]:
    """Run both commands at once to their ends; raises :class:`BenchError` if one fails.

    With ``cores``, each has one of them to itself where there are two.
    """
    started = time.monotonic()
    sides = [
        subprocess.Popen(  # noqa: S603 - our own modules
            _pinned(command, None if cores is None else cores[i % len(cores)]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i, command in enumerate(commands)
    ]
    try:
        outputs = [side.communicate(timeout=_DEADLINE_S) for side in sides]
    except subprocess.TimeoutExpired:
        raise BenchError(f"a side took longer than {_DEADLINE_S:.0f} s") from None
    finally:
        for side in sides:
            side.kill()
    wall_s = time.monotonic() - started
    failures = [
        errors.strip()[-1000:]
        for side, (_, errors) in zip(sides, outputs, strict=True)
        if side.returncode
    ]
    if failures:
        raise BenchError("a run failed: " + " | ".join(failures))
    first, second = (
        Side(wall_s, [json.loads(line) for line in output.splitlines()]) for output, _ in outputs
    )
    return first, second


def _pinned(command: Sequence[str], core: int | None) -> list[str]:
    if core is None or not shutil.which("taskset"):
        return list(command)
    return ["taskset", "-c", str(core), *command]


def run_peer(template: str, files: Mapping[str, Path]) -> dict[str, Any]:
    """Run the other system's command, ``{name}`` replaced by its file; return its last line's JSON.

    Raises :class:`BenchError` unless that holds ``wall_s``.
    """
    command = shlex.split(template)
    for name, path in files.items():
        command = [part.replace(f"{{{name}}}", str(path)) for part in command]
    done = subprocess.run(  # noqa: S603 - what the user asked to measure
        command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
    )
    try:
        report = json.loads(done.stdout.strip().splitlines()[-1])
        report["wall_s"] = float(report["wall_s"])
    except (IndexError, KeyError, ValueError, TypeError):
        raise BenchError(
            f"the peer's command (exit status {done.returncode}) printed no JSON with wall_s: "
            f"{done.stderr.strip()[-500:]}"
        ) from None
    return report  # type: ignore[no-any-return]
