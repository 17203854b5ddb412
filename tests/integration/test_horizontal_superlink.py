"""Several retailers' churn on a real SuperLink: four SuperNodes as processes, TLS, node keys.

The job, its parties and what they agreed are a simulation's; what runs them is not.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from coordinator.coordinator import Coordinator
from coordinator.horizontal.recorder import Recorder, SumRecord
from protocols.session.horizontal_spec import HorizontalSpec
from simulations.horizontal.run import HorizontalSimulation
from simulations.workspace import Workspace
from tests.integration.deployed import Deployment

PARTIES = ("retailer-1", "retailer-2", "retailer-3", "retailer-4")


def simulation(folder: Path, *, rounds: int, deadline_s: int) -> HorizontalSimulation:
    """Return a small job of four parties."""
    return HorizontalSimulation.of(
        "churn",
        folder / "out",
        changes={
            "sample": {"name": "made_purchases", "parties": len(PARTIES), "rows": 120},
            "pooled_on_this_machine": "synthetic",
            "evaluation.minimum_held_out": 10,
            "evaluation.repeats": 1,
            "training.rounds": rounds,
            "aggregation.round_deadline_s": deadline_s,
        },
    )


def sums_of(workspace: Workspace) -> list[SumRecord]:
    """Return the sums of the job so far, as the coordinator knows them."""
    coordinator = Coordinator.open(workspace.coordinator)
    try:
        record = coordinator.latest_job(HorizontalSpec, lambda spec: True)
        assert record is not None
        return Recorder(coordinator, record.spec, record.attempt).sums()
    finally:
        coordinator.close()


def opened(workspace: Workspace) -> int:
    """Return how many sums the parties could open so far."""
    return sum(one.status == "opened" for one in sums_of(workspace))


@pytest.fixture
def deployment(tmp_path: Path):
    logs = tmp_path / "logs"
    logs.mkdir()
    home = tmp_path / "out" / "nodes" / "coordinator"
    with Deployment(logs, home) as running:
        yield running


def test_four_supernodes_learn_one_model(tmp_path: Path, deployment: Deployment) -> None:
    job = simulation(tmp_path, rounds=1, deadline_s=120)
    report = job.run(run_engine=deployment.serve(job.workspace))
    assert [one.what for one in report.sums] == ["statistics", "round", "evaluation"]
    assert all(one.contributors == PARTIES and one.opened for one in report.sums)
    assert report.precision is not None
    assert report.precision.largest_difference <= report.precision.bound
    models = {
        next((job.workspace.party(party) / "outputs").glob("*/model.safetensors")).read_bytes()
        for party in PARTIES
    }
    assert len(models) == 1
    metrics = json.loads((job.workspace.root / "metrics.json").read_text())
    assert set(metrics["audit"]) == {*PARTIES, "coordinator"}


def disturbed(
    deployment: Deployment, workspace: Workspace, when: int, disturb: Callable[[], None]
) -> Callable[[ServerApp, ClientApp, int], None]:
    """Return an engine on ``deployment`` in which ``disturb`` happens once, after ``when`` sums."""
    serve = deployment.serve(workspace)

    def run_engine(server_app: ServerApp, client_app: ClientApp, parties: int) -> None:
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                if opened(workspace) >= when:
                    disturb()
                    return
                time.sleep(0.2)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            serve(server_app, client_app, parties)
        finally:
            done.set()
            watcher.join()

    return run_engine


@pytest.mark.slow
def test_a_killed_supernode_comes_back(tmp_path: Path, deployment: Deployment) -> None:
    job = simulation(tmp_path, rounds=12, deadline_s=40)
    home = job.workspace.party("retailer-2").resolve()
    engine = disturbed(deployment, job.workspace, 3, lambda: deployment.kill_node(home))
    report = job.run(run_engine=engine)
    present = ["retailer-2" in one.contributors for one in report.sums if one.opened]
    assert present[0]
    assert present[-1], "the node was killed after the third sum and is back before the last"
    assert report.precision is not None
    assert report.precision.largest_difference <= report.precision.bound


@pytest.mark.slow
def test_a_new_run_goes_on_where_a_killed_superlink_ended(
    tmp_path: Path, deployment: Deployment
) -> None:
    job = simulation(tmp_path, rounds=5, deadline_s=60)
    workspace = job.workspace

    def run_engine(server_app: ServerApp, client_app: ClientApp, parties: int) -> None:
        with pytest.raises(RuntimeError, match="the run failed"):
            disturbed(deployment, workspace, 2, deployment.kill_superlink)(
                server_app, client_app, parties
            )
        before = [(one.number, one.status) for one in sums_of(workspace)]
        assert 2 <= sum(status == "opened" for _, status in before) < 7
        deployment.wait_online(parties)
        (job_id,) = (path.name for path in (workspace.coordinator / "horizontal").iterdir())
        assert deployment.run(job_id, 300).completed
        after = [(one.number, one.status) for one in sums_of(workspace)]
        assert [one for one in after if one in before and one[1] == "opened"] == [
            one for one in before if one[1] == "opened"
        ]

    report = job.run(run_engine=run_engine)
    numbers = [one.number for one in report.sums]
    assert len(set(numbers)) == len(numbers)
    assert [one.what for one in report.sums if one.opened] == [
        "statistics",
        *["round"] * 5,
        "evaluation",
    ]
    assert report.precision is not None
    assert report.precision.largest_difference <= report.precision.bound
