"""What ends an attempt, and what a node refuses to run whatever the coordinator says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from flwr.app import ConfigRecord, RecordDict
from typer.testing import CliRunner

from audit.cli import app as audit_app
from coordinator.coordinator import Coordinator
from party_node import reporting
from party_node.peer_channel.link import Deadlines
from party_node.phases.runner import PhaseRunner
from protocols.session.job_spec import JobSpec
from protocols.session.phase_report import SignedReport
from simulations.run import Simulation, SimulationFailed
from tests.integration.running import CrashPoint, run
from tests.integration.small_job import write_job


def event_types(out: Path, party: str) -> list[str]:
    shown = CliRunner().invoke(audit_app, ["show", "--json", str(out / f"{party}.zip")])
    assert shown.exit_code == 0, shown.output
    return [json.loads(line)["type"] for line in shown.output.splitlines()]


def test_a_restored_backup_starts_a_new_attempt_with_the_same_result(tmp_path: Path) -> None:
    scenario, out = write_job(tmp_path, rows=160, floor=40, trees=2), tmp_path / "out"
    run(scenario, tmp_path / "undisturbed")
    home = out / "nodes" / "parties" / "bank"
    with pytest.raises(SimulationFailed):
        run(scenario, out, at_yield=CrashPoint("bank", 14))
    shutil.copytree(home, tmp_path / "backup")
    with pytest.raises(SimulationFailed):
        run(scenario, out, resume=True, at_yield=CrashPoint("bank", 8))
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    run(scenario, out, resume=True)
    scores = (out / "scores.csv").read_bytes()
    assert scores == (tmp_path / "undisturbed" / "scores.csv").read_bytes()
    for party in ("bank", "retailer", "coordinator"):
        assert "attempt.abandoned" in event_types(out, party)


def test_a_refused_job_keeps_no_journal_and_does_not_resume(tmp_path: Path) -> None:
    scenario, out = write_job(tmp_path, floor=200), tmp_path / "out"
    with pytest.raises(SimulationFailed):
        run(scenario, out)
    with pytest.raises(SimulationFailed, match="fewer than 200"):
        run(scenario, out, resume=True)
    node_file = out / "nodes/parties/bank/node.sqlite"
    shown = CliRunner().invoke(audit_app, ["show", "--json", str(node_file)])
    types = [json.loads(line)["type"] for line in shown.output.splitlines()]
    assert types.index("psi.refused") < types.index("journal.destroyed")
    assert "release.done" not in types


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A bank that approved a job and crashed in it, and a valid phase start."""
    folder = tmp_path_factory.mktemp("agreed")
    scenario = write_job(folder, rows=160, floor=40, trees=2)
    with pytest.raises(SimulationFailed):
        run(scenario, folder / "out", at_yield=CrashPoint("bank", 0))
    coordinator = Coordinator.open(
        Simulation.of(str(scenario), folder / "out").workspace.coordinator
    )
    record = coordinator.latest_job(JobSpec, lambda spec: True)
    coordinator.close()
    assert record is not None
    start: dict[str, object] = {
        "job": record.spec.job_id,
        "spec": record.spec.to_bytes(),
        "approvals": record.approvals,
        "attempt": 1,
        "phase": "train",
    }
    return folder / "out" / "nodes" / "parties" / "bank", start


def answer(home: Path, start: dict[str, object]) -> SignedReport:
    runner = PhaseRunner(home.parent, Deadlines(1, 1), lambda party: None)
    report, outbox = reporting.answer(
        home,
        "train",
        RecordDict({"start": ConfigRecord(start)}),  # type: ignore[arg-type]
        lambda node, job, inbox, outbox: runner.run(node, job.of(JobSpec), "train", inbox, outbox),
    )
    assert outbox == {}
    return report


def test_a_changed_spec_is_refused(agreed: tuple[Path, dict[str, object]]) -> None:
    home, start = agreed
    spec = start["spec"]
    assert isinstance(spec, bytes)
    for old, new in (
        (b'"trees":2', b'"trees":3'),
        (b'"minimum_cohort":40', b'"minimum_cohort":1'),
        (b'"purpose":"credit_need"', b'"purpose":"churn"'),
    ):
        assert old in spec
        report = answer(home, start | {"spec": spec.replace(old, new)})
        assert b'"status":"refused"' in report.body
        assert b"not the spec that was approved here" in report.payload


def test_a_missing_or_foreign_approval_is_refused(
    agreed: tuple[Path, dict[str, object]],
) -> None:
    home, start = agreed
    approvals = json.loads(bytes(start["approvals"]))  # type: ignore[call-overload]
    for changed in (
        {"bank": approvals["bank"]},
        {"bank": approvals["bank"], "retailer": approvals["bank"]},
        approvals | {"stranger": approvals["bank"]},
        {"bank": approvals["bank"], "retailer": "00"},
    ):
        report = answer(home, start | {"approvals": json.dumps(changed).encode()})
        assert b'"status":"failed"' in report.body


@pytest.mark.parametrize(
    "change",
    [
        {"spec": b"{}"},
        {"spec": b"\xff"},
        {"approvals": b"[]"},
        {"approvals": b"not json"},
        {"approvals": b'{"bank": 5}'},
        {"job": "another", "spec": b"[1]"},
    ],
)
def test_garbage_from_the_coordinator_is_answered_not_run(
    agreed: tuple[Path, dict[str, object]], change: dict[str, object]
) -> None:
    home, start = agreed
    report = answer(home, start | change)
    assert b'"status":"done"' not in report.body
    assert b"unforeseen" not in report.payload


def test_a_start_without_its_fields_never_runs(agreed: tuple[Path, dict[str, object]]) -> None:
    home, start = agreed
    for record in ({}, {"job": "x"}, start | {"phase": "evaluate"}, start | {"more": 1}):
        report = answer(home, record)
        assert b'"status":"refused"' in report.body


def test_a_changed_scenario_does_not_resume_the_old_job(tmp_path: Path) -> None:
    scenario = write_job(tmp_path, rows=160, floor=40, trees=2)
    with pytest.raises(SimulationFailed):
        run(scenario, tmp_path / "out", at_yield=CrashPoint("bank", 0))
    scenario.write_text(scenario.read_text().replace("depth = 2", "depth = 3"))
    with pytest.raises(SimulationFailed, match="changed since this run began"):
        run(scenario, tmp_path / "out", resume=True)
