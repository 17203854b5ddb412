"""Private set intersection as a user runs it: two processes, two CSV files in, two out.

Another system's command runs in turn with ours (A B A B), on the same files, so that both meet
the same machine. What a run found is compared with the truth before any figure is given.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulations.bench.made_ids import write_id_files
from simulations.bench.two_processes import BenchError, Side, free_address, run_pair, run_peer


@dataclass(frozen=True, slots=True)
class PsiBench:
    """What is measured."""

    receiver_rows: int
    sender_rows: int
    protocol: str
    suite: str
    kind: str
    kernels: str
    to: str
    runs: int
    warm: bool
    peer: str | None


def bench_psi(asked: PsiBench, keep: Path | None) -> dict[str, Any]:
    """Return the figures as one JSON object; raises :class:`BenchError`."""
    folder = Path(tempfile.mkdtemp(prefix="fedcrm-bench-")) if keep is None else keep
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _bench(asked, folder)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _bench(asked: PsiBench, folder: Path) -> dict[str, Any]:
    overlap = min(asked.receiver_rows, asked.sender_rows) * 3 // 10
    files = folder / "receiver.csv", folder / "sender.csv"
    truth = write_id_files(files, asked.receiver_rows, asked.sender_rows, overlap, asked.kind)
    empty = folder / "empty-receiver.csv", folder / "empty-sender.csv"
    write_id_files(empty, 0, 0, 0, asked.kind)

    _pair(asked, empty, folder)  # compiles what is not in the cache yet
    idle, ours, theirs = [], [], []
    for _ in range(asked.runs):
        if not asked.warm:
            idle.append(_pair(asked, empty, folder)[0].wall_s)
        ours.append(_pair(asked, files, folder))
        _check(asked, folder, truth)
        if asked.peer is not None:
            theirs.append(run_peer(asked.peer, {"a": files[0], "b": files[1]}))
    return _figures(asked, ours, statistics.median(idle) if idle else 0.0, theirs)


def _figures(
    asked: PsiBench,
    ours: Sequence[tuple[Side, Side]],
    idle_s: float,
    theirs: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    last = [[side.reports[-1] for side in pair] for pair in ours]
    if asked.warm:
        walls = [max(report["run_s"] for report in pair) for pair in last]
    else:
        walls = [pair[0].wall_s - idle_s for pair in ours]
    items = asked.receiver_rows + asked.sender_rows
    sent = last[0][0]["bytes_sent"] + last[0][1]["bytes_sent"]
    figures: dict[str, Any] = {
        "bench": "psi",
        "protocol": asked.protocol,
        "suite": asked.suite,
        "kernels": last[0][0]["kernels"],
        "kind": asked.kind,
        "rows": asked.receiver_rows,
        "peer_rows": asked.sender_rows,
        "intersection": last[0][0]["intersection"],
        "run": "second in one process" if asked.warm else "fresh process",
        "runs": asked.runs,
        "wall_s": round(statistics.median(walls), 3),
        "wall_s_each": [round(wall, 3) for wall in walls],
        "empty_run_s": round(idle_s, 3),
        "cpu_s": [
            round(statistics.median(pair[i]["run_cpu_s"] for pair in last), 3) for i in (0, 1)
        ],
        "bytes": sent,
        "bytes_per_item": round(sent / max(1, items // 2), 2),
        "rss_mib": [max(pair[i]["rss_mib"] for pair in last) for i in (0, 1)],
    }
    if theirs:
        peer_walls = [report["wall_s"] for report in theirs]
        figures["peer"] = {
            "command": asked.peer,
            "system": theirs[0].get("system"),
            "wall_s": round(statistics.median(peer_walls), 3),
            "wall_s_each": [round(wall, 3) for wall in peer_walls],
            "cpu_s": theirs[-1].get("cpu_s"),
            "rss_mib": theirs[-1].get("rss_mib"),
        }
        figures["times_faster"] = round(
            statistics.median(peer_walls) / max(1e-9, statistics.median(walls)), 2
        )
    return figures


def _pair(asked: PsiBench, files: tuple[Path, Path], folder: Path) -> tuple[Side, Side]:
    """Run both sides, one core each where there are two; return what they took."""
    address = free_address()
    commands: list[list[str]] = []
    for i, (role, door) in enumerate((("receiver", "--listen"), ("sender", "--connect"))):
        output = folder / f"out-{role}.csv"
        output.unlink(missing_ok=True)
        command = [
            sys.executable, "-m", "simulations.bench.psi_side",
            role, str(files[i]), str(output), door, address,
            asked.protocol, asked.suite, asked.kind, asked.kernels, asked.to,
            str(2 if asked.warm else 1), str(folder / f"cache-{role}"),
        ]  # fmt: skip
        commands.append(command)
    return run_pair((commands[0], commands[1]), cores=sorted(os.sched_getaffinity(0)))


def _check(asked: PsiBench, folder: Path, truth: Sequence[str]) -> None:
    """Compare both output files with the truth: the same customers, row by row."""
    outputs = [folder / "out-receiver.csv", folder / "out-sender.csv"]
    found = [
        path.read_text().split("\n")[1:-1]
        for path in (outputs if asked.to == "both" else outputs[:1])
    ]
    if any(rows != found[0] for rows in found) or sorted(found[0]) != sorted(truth):
        raise BenchError("the output files are not the intersection in one order: no figures")
