"""The whole job through the real ServerApp and ClientApp, without Ray."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from audit.cli import app as audit_app
from protocols.suite import get_suite
from simulations.run import SimulationFailed
from tests.integration.running import Wire, run
from tests.integration.small_job import write_job
from tests.leak_scan import scan


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Wire]:
    """One finished small job: its input folder, its results, and everything it sent."""
    folder = tmp_path_factory.mktemp("job")
    with pytest.MonkeyPatch.context() as monkeypatch:
        wire = Wire.tapped(monkeypatch)
        run(write_job(folder), folder / "out")
    return folder, folder / "out", wire


def test_every_result_file_is_there(finished: tuple[Path, Path, Wire]) -> None:
    _, out, _ = finished
    names = {path.name for path in out.iterdir() if path.is_file()}
    assert names >= {
        "report.html",
        "metrics.json",
        "scores.csv",
        "wire.json",
        "trust.toml",
        "bank.zip",
        "retailer.zip",
        "coordinator.zip",
    }
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["psi"]["intersection"] == 180
    assert metrics["psi"]["sizes"] == {"bank": 210, "retailer": 210}
    assert set(metrics["audit"]) == {"bank", "retailer", "coordinator"}
    wire = json.loads((out / "wire.json").read_text())
    assert wire["bank"]["train"]["bytes"] > wire["retailer"]["train"]["bytes"] > 0


def test_auc_can_be_recomputed_from_scores(finished: tuple[Path, Path, Wire]) -> None:
    _, out, _ = finished
    metrics = json.loads((out / "metrics.json").read_text())["metrics"]
    with (out / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = [int(row["label"]) for row in rows]
    for which in ("alone", "joint"):
        scores = [float(row[f"score_{which}"]) for row in rows]
        assert roc_auc_score(labels, scores) == pytest.approx(metrics[which]["auc"], abs=1e-9)


def test_rows_of_scores_are_rows_of_the_banks_file(finished: tuple[Path, Path, Wire]) -> None:
    folder, out, _ = finished
    with (folder / "bank.csv").open() as file:
        labels = [row["wants_credit"] for row in csv.DictReader(file)]
    with (out / "scores.csv").open() as file:
        scored = list(csv.DictReader(file))
    assert len(scored) > 20
    assert all(labels[int(row["row"]) - 1] == row["label"] for row in scored)


def test_joint_equals_the_same_trees_on_the_joined_table(
    finished: tuple[Path, Path, Wire],
) -> None:
    _, out, _ = finished
    metrics = json.loads((out / "metrics.json").read_text())["metrics"]
    assert metrics["joint"] == metrics["pooled"]
    assert metrics["joint"]["auc"] > metrics["alone"]["auc"]


def test_bundles_verify_together(
    finished: tuple[Path, Path, Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = finished
    monkeypatch.chdir(out)
    bundles = ["bank.zip", "retailer.zip", "coordinator.zip"]
    passed = CliRunner().invoke(audit_app, ["verify", "--trust", "trust.toml", *bundles])
    assert passed.exit_code == 0, passed.output
    assert CliRunner().invoke(audit_app, ["verify", *bundles]).exit_code == 2
    data = bytearray((out / "bank.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (out / "altered.zip").write_bytes(bytes(data))
    altered = CliRunner().invoke(audit_app, ["verify", "altered.zip"])
    (out / "altered.zip").unlink()
    assert altered.exit_code == 1


def test_logs_hold_the_events_of_the_job_in_order(finished: tuple[Path, Path, Wire]) -> None:
    _, out, _ = finished
    seen = {}
    for name in ("bank", "retailer", "coordinator"):
        shown = CliRunner().invoke(audit_app, ["show", "--json", str(out / f"{name}.zip")])
        assert shown.exit_code == 0, shown.output
        seen[name] = [json.loads(line)["type"] for line in shown.output.splitlines()]
    common = ["log.opened", "job.proposed", "job.approved", "psi.completed", "job.closed"]
    for name, types in seen.items():
        order = [types.index(type_) for type_ in common]
        assert order == sorted(order), name
    party = ["policy.evaluated", "job.agreed", "dataset.registered", "psi.started"]
    party += ["align.created", "train.started", "train.completed", "model.registered"]
    for name in ("bank", "retailer"):
        assert set(party) <= set(seen[name])
        assert {"align.deleted", "journal.destroyed", "log.checkpoint"} <= set(seen[name])
    assert {"he.key_generated", "release.intended", "release.done"} <= set(seen["bank"])
    assert "comparison.pooled" in seen["coordinator"]


def test_no_identifier_is_written_or_sent(finished: tuple[Path, Path, Wire]) -> None:
    folder, out, wire = finished
    identifiers = _identifiers(folder)
    assert len(identifiers) == 420
    sent = {"all frames": b"\x00".join(wire.frames)}
    assert len(sent["all frames"]) > 100_000
    assert scan([out], sent, identifiers, get_suite("gm")) == []


def test_the_leak_scan_finds_a_planted_identifier(finished: tuple[Path, Path, Wire]) -> None:
    folder, _, wire = finished
    identifiers = _identifiers(folder)
    digest = get_suite("gm").hash(identifiers[5].encode())
    sent = {"frames": b"\x00".join(wire.frames[:20]) + digest.hex().encode()}
    findings = scan([], sent, identifiers, get_suite("gm"))
    assert [finding.identifier for finding in findings] == [5]


def test_nothing_secret_is_left_after_the_job(finished: tuple[Path, Path, Wire]) -> None:
    _, out, _ = finished
    for party in ("bank", "retailer"):
        home = out / "nodes" / "parties" / party
        assert (home / "keys" / "signing.key").stat().st_mode & 0o077 == 0
        assert (home / "node.sqlite").stat().st_mode & 0o077 == 0
        assert not (home / "errors.log").exists()


def test_a_floor_that_is_not_met_is_a_signed_refusal(tmp_path: Path) -> None:
    scenario = write_job(tmp_path, floor=181)
    with pytest.raises(SimulationFailed) as failure:
        run(scenario, tmp_path / "out")
    assert "fewer than 181 shared customers: no customer was revealed" in failure.value.message


def test_the_same_seed_gives_the_same_scores(
    finished: tuple[Path, Path, Wire], tmp_path: Path
) -> None:
    folder, out, _ = finished
    run(folder / "small.toml", tmp_path / "again")
    first = np.loadtxt(out / "scores.csv", delimiter=",", skiprows=1)
    again = np.loadtxt(tmp_path / "again" / "scores.csv", delimiter=",", skiprows=1)
    assert np.array_equal(first, again)


def _identifiers(folder: Path) -> list[str]:
    found = []
    for name, column in (("bank.csv", "phone"), ("retailer.csv", "mobile")):
        with (folder / name).open() as file:
            found += [row[column] for row in csv.DictReader(file)]
    return found
