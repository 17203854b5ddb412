"""The whole job through the real ServerApp and ClientApp, without Ray."""

from __future__ import annotations

from pathlib import Path

from simulations.run import Simulation
from tests.integration import thread_grid
from tests.integration.small_job import write_job


def test_a_small_job_runs_to_its_report(tmp_path: Path) -> None:
    simulation = Simulation.of(str(write_job(tmp_path)), tmp_path / "out")
    report = simulation.run(run_engine=thread_grid.run)
    assert report.psi.intersection == 180
    assert report.metrics.pooled is not None
    assert report.metrics.joint.auc == report.metrics.pooled.auc
