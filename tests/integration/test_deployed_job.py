"""A whole job of a bank and a retailer on a real SuperLink, with the installed apps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulations.run import Simulation
from tests.integration.deployed import Deployment
from tests.integration.small_job import write_job


@pytest.mark.slow
def test_the_installed_apps_run_a_job_to_its_end(tmp_path: Path) -> None:
    simulation = Simulation.of(str(write_job(tmp_path, trees=1)), tmp_path / "out")
    logs = tmp_path / "logs"
    logs.mkdir()
    with Deployment(logs, simulation.workspace.coordinator) as deployment:
        simulation.run(run_engine=deployment.serve(simulation.workspace))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["psi"]["intersection"] == 180
    assert set(metrics["audit"]) == {"bank", "retailer", "coordinator"}
