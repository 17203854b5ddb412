"""Either side's process killed by the system while trees grow: the same model, byte for byte."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.session.model_terms import TreeTerms
from simulations.bench.gbdt import side_options
from simulations.bench.gbdt_job import SIDES, set_up_job
from simulations.bench.gbdt_tables import JoinedFiles, join_files, make_tables
from simulations.bench.two_processes import free_address
from tests.simulations.bench.terms import tree_terms

PROGRAM = Path(__file__).with_name("dying_trainer.py")
POINTS = 20
LIFETIME_S = 120


@dataclass(frozen=True)
class Training:
    """What two processes ended with."""

    halves: dict[str, bytes]
    reports: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """A small training, and how it ends if nobody is killed."""

    joined: JoinedFiles
    terms: TreeTerms
    undisturbed: Training


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("undisturbed")
    files = folder / "active.csv", folder / "passive.csv"
    make_tables(files, 200, 2, 2)
    joined = join_files(files, folder, id_column="id", label_column="y")
    terms = tree_terms(trees=3, depth=2, bins=6, minimum_bin_count=5)
    return Job(joined, terms, train(joined, terms, folder / "homes"))


def train(
    joined: JoinedFiles,
    terms: TreeTerms,
    folder: Path,
    *,
    killed: str = "",
    at: int = -1,
    delay_s: float = 0.0,
) -> Training:
    """Train in two processes; the one called ``killed`` dies on the way and is started again."""
    homes = set_up_job(folder, terms, joined.kinds, "gm")
    address = free_address()

    def start(side: str, at: int) -> subprocess.Popen[str]:
        half = folder / f"{side}.half"
        options = side_options(side, homes, joined, address=address, kernels="portable", half=half)
        process = running.enter_context(
            subprocess.Popen(
                [sys.executable, str(PROGRAM), options, str(at), str(delay_s)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        running.callback(process.kill)
        return process

    with ExitStack() as running:
        processes = {side: start(side, at if side == killed else -1) for side in SIDES}
        if killed:
            processes[killed].communicate(timeout=LIFETIME_S)
            assert processes[killed].returncode == -signal.SIGKILL
            processes[killed] = start(killed, -1)
        reports = {}
        for side, process in processes.items():
            output, errors = process.communicate(timeout=LIFETIME_S)
            assert process.returncode == 0, errors[-2000:]
            reports[side] = json.loads(output)
    return Training({s: (folder / f"{s}.half").read_bytes() for s in SIDES}, reports)


def points(job: Job, count: int) -> Iterator[tuple[str, int, float]]:
    """Yield which side dies, at which of its yields, and how much later: all steps have a turn.

    Half of the deaths come at the yield itself, half a moment later, in the middle of whatever the
    process is doing then.
    """
    draw = np.random.default_rng(5)  # noqa: TID251
    for number in range(count):
        side = SIDES[number % 2]
        yields = job.undisturbed.reports[side]["yields"]
        first, last = number * yields // count, (number + 1) * yields // count
        delay_s = float(draw.uniform(0, 0.03)) if number % 4 < 2 else 0.0
        yield side, int(draw.integers(first, max(first + 1, last))) + 1, delay_s


def check_deaths(job: Job, folder: Path, count: int) -> None:
    for number, (side, at, delay_s) in enumerate(points(job, count)):
        ended = train(
            job.joined, job.terms, folder / f"{number}", killed=side, at=at, delay_s=delay_s
        )
        assert ended.halves == job.undisturbed.halves
        assert ended.reports["active"]["scores"] == job.undisturbed.reports["active"]["scores"]
        # What was finished was not done again.
        assert ended.reports[side]["yields"] < job.undisturbed.reports[side]["yields"] or at <= 2


def test_a_side_killed_early_and_late_ends_with_the_same_model(job: Job, tmp_path: Path) -> None:
    check_deaths(job, tmp_path, 4)


@pytest.mark.slow
def test_a_side_killed_at_any_point_ends_with_the_same_model(job: Job, tmp_path: Path) -> None:
    check_deaths(job, tmp_path, POINTS)
