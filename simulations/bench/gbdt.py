"""Boosted trees as a job trains them: two processes on loopback, every core theirs.

Each process is a node with its own home: the training's steps run through its driver and its
encrypted journal, and the messages over the peer channel, TLS and (suite ``gm``) the gm channel in
it. Another system's command runs in turn with ours (A B A B). The halves are compared with the
same trees grown in the clear, byte by byte, before any figure is given.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.boosted_trees import clear
from models.boosted_trees.options import TreeOptions
from models.evaluation import auc, ks
from models.table import ColumnTable
from party_node.peer_channel.certificates import PUBLIC_FILE
from protocols.session.model_terms import TreeTerms
from simulations.bench.gbdt_job import SIDES, Homes, set_up_job
from simulations.bench.gbdt_tables import (
    ACTIVE,
    PASSIVE,
    JoinedFiles,
    join_files,
    make_tables,
    read_side,
)
from simulations.bench.gbdt_training import SideOptions
from simulations.bench.two_processes import BenchError, free_address, run_pair, run_peer


@dataclass(frozen=True, slots=True)
class GbdtBench:
    """What is measured."""

    terms: TreeTerms
    suite: str = "gm"
    kernels: str = "auto"
    runs: int = 1
    peer: str | None = None
    files: tuple[Path, Path] | None = None
    """Tables of the active and the passive party; made ones if None."""
    id_column: str = "id"
    label_column: str = "y"
    rows: int = 30_000
    active_columns: int = 13
    passive_columns: int = 10
    """Of made tables."""


@dataclass(frozen=True, slots=True)
class _Truth:
    """The same trees grown in the clear, and what they and the labels say of the held out."""

    halves: dict[str, bytes] = field(repr=False)
    scores: npt.NDArray[np.float64] = field(repr=False)
    labels: npt.NDArray[np.uint8] = field(repr=False)
    trained_on: int


def bench_gbdt(asked: GbdtBench, keep: Path | None) -> dict[str, Any]:
    """Return the figures as one JSON object; raises :class:`BenchError`.

    ``keep`` is a folder for files and homes, which are removed if it is None.
    """
    folder = Path(tempfile.mkdtemp(prefix="fedcrm-bench-")) if keep is None else keep
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _bench(asked, folder)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _bench(asked: GbdtBench, folder: Path) -> dict[str, Any]:
    sources = asked.files
    if sources is None:
        sources = folder / "active.csv", folder / "passive.csv"
        make_tables(sources, asked.rows, asked.active_columns, asked.passive_columns)
    joined = join_files(sources, folder, id_column=asked.id_column, label_column=asked.label_column)
    truth = _grow_in_the_clear(asked, joined)
    _warm_up(asked, folder / "warm-up")
    ours, theirs = [], []
    for run in range(asked.runs):
        ours.append(_pair(asked, joined, folder / f"run-{run + 1}"))
        _check(ours[-1], truth)
        if asked.peer is not None:
            files = {ACTIVE: sources[0], PASSIVE: sources[1]}
            theirs.append(run_peer(asked.peer, files))
    return _figures(asked, joined, truth, ours) | _against(asked, ours, theirs)


def _grow_in_the_clear(asked: GbdtBench, joined: JoinedFiles) -> _Truth:
    parts = {side: read_side(joined.files[side], joined.kinds[side]) for side in SIDES}
    training: dict[str, ColumnTable] = {side: parts[side][0].table for side in SIDES}
    model = clear.train(
        training,
        parts[ACTIVE][0].known_labels(),
        TreeOptions.from_terms(asked.terms),
        active=ACTIVE,
        passives=(PASSIVE,),
    )
    held_out = {side: parts[side][1].table for side in SIDES}
    return _Truth(
        {
            ACTIVE: model.active_half.to_bytes(),
            PASSIVE: model.passive_halves[PASSIVE].to_bytes(),
        },
        model.predict(held_out).probabilities,
        parts[ACTIVE][1].known_labels(),
        parts[ACTIVE][0].rows,
    )


def _warm_up(asked: GbdtBench, folder: Path) -> None:
    """Grow two small trees: what is not in the cache of compiled kernels yet goes there."""
    folder.mkdir(exist_ok=True)
    files = folder / "active.csv", folder / "passive.csv"
    make_tables(files, 1000, 2, 2)
    joined = join_files(files, folder, id_column="id", label_column="y")
    terms = msgspec.structs.replace(asked.terms, trees=2, depth=2, first_tree_active_only=True)
    _pair(replace(asked, terms=terms), joined, folder / "run")


def _pair(asked: GbdtBench, joined: JoinedFiles, folder: Path) -> list[dict[str, Any]]:
    """Train once in two processes; return what each side reports, and its half."""
    folder.mkdir(exist_ok=True)
    homes = set_up_job(folder / "homes", asked.terms, joined.kinds, asked.suite)
    address = free_address()
    commands = [
        [
            sys.executable,
            "-m",
            "simulations.bench.gbdt_side",
            side_options(
                side,
                homes,
                joined,
                address=address,
                kernels=asked.kernels,
                half=folder / f"{side}.half",
            ),
        ]
        for side in SIDES
    ]
    sides = run_pair((commands[0], commands[1]))
    return [
        side.reports[0] | {"half": (folder / f"{name}.half").read_bytes()}
        for name, side in zip(SIDES, sides, strict=True)
    ]


def side_options(
    side: str, homes: Homes, joined: JoinedFiles, *, address: str, kernels: str, half: Path
) -> str:
    """Return what the process of ``side`` is told, as JSON; ``half`` is where its model goes."""
    (other,) = set(SIDES) - {side}
    options = SideOptions(
        side=side,
        node=str(homes.node(side)),
        identity=str(homes.identity(side)),
        peer_identity=str(homes.identity(other) / PUBLIC_FILE),
        listens=side == ACTIVE,
        address=address,
        file=str(joined.files[side]),
        kinds=dict(joined.kinds[side]),
        kernels=kernels,
        half=str(half),
    )
    return msgspec.json.encode(options).decode()


def _check(sides: Sequence[dict[str, Any]], truth: _Truth) -> None:
    """Refuse figures unless both halves are those grown in the clear, and the scores theirs."""
    for name, side in zip(SIDES, sides, strict=True):
        if side["half"] != truth.halves[name]:
            raise BenchError(
                f"the {name} party's trees are not those grown in the clear: no figures"
            )
    if not np.array_equal(np.array(sides[0]["scores"]), truth.scores):
        raise BenchError("the scores are not those of the trees grown in the clear: no figures")


def _figures(
    asked: GbdtBench,
    joined: JoinedFiles,
    truth: _Truth,
    ours: Sequence[list[dict[str, Any]]],
) -> dict[str, Any]:
    terms, last = asked.terms, ours[-1]
    walls = [_wall(sides) for sides in ours]
    steps = [seconds / 1000 for seconds in last[0]["steps_ms"].values()]
    trees = steps[2:] if terms.first_tree_active_only and len(steps) > 2 else steps[1:]
    scores = np.array(last[0]["scores"])
    return {
        "bench": "gbdt",
        "system": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
        },
        "suite": asked.suite,
        "kernels": last[0]["kernels"],
        "mode": {name: last[i]["mode"] for i, name in enumerate(SIDES)},
        "channel": "TLS 1.3, gm channel" if asked.suite == "gm" else "TLS 1.3",
        "rows": joined.rows,
        "trained_on": truth.trained_on,
        "columns": {side: len(joined.kinds[side]) for side in SIDES},
        "trees": terms.trees,
        "depth": terms.depth,
        "bins": terms.bins,
        "learning_rate": terms.learning_rate,
        "l2": terms.l2,
        "key_bits": terms.paillier_bits,
        "protections": {
            "first_tree_active_only": terms.first_tree_active_only,
            "minimum_bin_count": terms.minimum_bin_count,
            "replies": "coarsened, shuffled, re-randomised",
            "thresholds": "kept by their owner",
        },
        "runs": asked.runs,
        "wall_s": round(statistics.median(walls), 3),
        "s_per_tree": round(statistics.median(walls) / terms.trees, 3),
        "wall_s_each": [round(wall, 3) for wall in walls],
        "keys_s": round(steps[0], 3),
        "joint_tree_s": round(statistics.median(trees), 3),
        "cpu_s": {
            name: round(statistics.median(sides[i]["cpu_s"] for sides in ours), 3)
            for i, name in enumerate(SIDES)
        },
        "bytes": sum(side["bytes_sent"] for side in last),
        "bytes_sent": {name: last[i]["bytes_sent"] for i, name in enumerate(SIDES)},
        "bytes_by_type": {name: last[i]["bytes_by_type"] for i, name in enumerate(SIDES)},
        "rss_mib": {
            name: max(sides[i]["rss_mib"] for sides in ours) for i, name in enumerate(SIDES)
        },
        "auc": round(auc(truth.labels, scores), 5),
        "ks": round(ks(truth.labels, scores), 5),
        "auc_clear": round(auc(truth.labels, truth.scores), 5),
        "equal_to_clear": True,
    }


def _wall(sides: Sequence[dict[str, Any]]) -> float:
    """Return the seconds from both being connected until both have the last tree.

    The sides read one clock: ``time.monotonic`` is the machine's.
    """
    begun: float = min(side["started"] for side in sides)
    ended: float = max(side["ended"] for side in sides)
    return ended - begun


def _against(
    asked: GbdtBench, ours: Sequence[list[dict[str, Any]]], theirs: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the other system's figures and how they compare, a tree with a tree."""
    if not theirs:
        return {}
    walls = [report["wall_s"] for report in theirs]
    own_tree = statistics.median(_wall(sides) for sides in ours) / asked.terms.trees
    # It may have grown fewer trees than we did; unless it says so, it grew as many.
    tree = statistics.median(
        report.get("s_per_tree", report["wall_s"] / asked.terms.trees) for report in theirs
    )
    known = {
        name: theirs[-1].get(name)
        for name in ("system", "scheme", "trees", "depth", "bins", "cpu_s", "auc", "ks")
    }
    return {
        "peer": {
            "command": asked.peer,
            **known,
            "wall_s": round(statistics.median(walls), 3),
            "wall_s_each": [round(wall, 3) for wall in walls],
            "s_per_tree": round(tree, 3),
        },
        "times_faster": round(tree / own_tree, 2),
    }


def _processor() -> str:
    """Return the processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
