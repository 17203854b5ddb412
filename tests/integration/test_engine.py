"""The command as a user runs it: Flower's engine, Ray's processes, and a real kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.running import run
from tests.integration.small_job import write_job

COMMAND = [sys.executable, "-m", "fedcrm", "simulate"]


def test_a_killed_party_process_is_named_and_the_job_resumes(tmp_path: Path) -> None:
    scenario = write_job(tmp_path, rows=400, floor=40, trees=6)
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, str(scenario), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        os.kill(_party_process(out, "retailer", "train", started), signal.SIGKILL)
        stdout, stderr = started.communicate(timeout=120)
    assert started.returncode == 1, stderr
    assert stdout == ""
    assert "error: retailer: " in stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr

    resumed = subprocess.run(
        [*COMMAND, str(scenario), "--out", str(out), "--resume", "--json"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    metrics = json.loads(resumed.stdout)
    assert metrics == json.loads((out / "metrics.json").read_text())
    assert metrics["metrics"]["joint"] == metrics["metrics"]["pooled"]

    run(scenario, tmp_path / "undisturbed")
    undisturbed = (tmp_path / "undisturbed" / "scores.csv").read_bytes()
    assert (out / "scores.csv").read_bytes() == undisturbed


def _party_process(out: Path, party: str, phase: str, started: subprocess.Popen[str]) -> int:
    """Return the id of the process that runs ``phase`` for ``party``: it has its database open."""
    home = out / "nodes" / "parties" / party
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        assert started.poll() is None, started.communicate()
        try:
            state = json.loads((home / "progress.json").read_text())
        except (OSError, ValueError):
            state = {}
        if state.get("phase") == phase and state.get("step"):
            for process in Path("/proc").glob("[0-9]*"):
                if process.name != str(started.pid) and _has_open(process, home / "node.sqlite"):
                    return int(process.name)
        time.sleep(0.05)
    raise AssertionError(f"{party} never reached {phase}")


def _has_open(process: Path, file: Path) -> bool:
    try:
        return any(link.resolve() == file.resolve() for link in (process / "fd").iterdir())
    except OSError:
        return False


def test_an_interrupted_run_stops_soon_and_resumes(tmp_path: Path) -> None:
    scenario = write_job(tmp_path, rows=400, floor=40, trees=20)
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, str(scenario), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        _party_process(out, "retailer", "train", started)
        os.killpg(started.pid, signal.SIGINT)
        _, stderr = started.communicate(timeout=60)
    assert started.returncode == 1, stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
