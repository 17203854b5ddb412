"""The same job in its variants: suites, protocols, several parties, several splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audit.cli import app as audit_app
from simulations.run import SimulationFailed
from tests.integration.running import CrashPoint, run
from tests.integration.small_job import write_job

PARTNERS = ("retailer", "insurer", "telecom", "grocer")


def finished(folder: Path, **settings: Any) -> tuple[Path, dict[str, Any]]:
    """Run a small job of these settings; return its folder and metrics.json."""
    folder.mkdir(exist_ok=True)
    run(write_job(folder, **settings), folder / "out")
    return folder / "out", json.loads((folder / "out" / "metrics.json").read_text())


def assert_bundles_verify(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(out)
    bundles = [path.name for path in sorted(out.glob("*.zip"))]
    verified = CliRunner().invoke(audit_app, ["verify", "--trust", "trust.toml", *bundles])
    assert verified.exit_code == 0, verified.output


@pytest.mark.parametrize("protocol", ["ecdh", "server_aided"])
@pytest.mark.parametrize("suite", ["gm", "intl"])
def test_suites_and_protocols_give_the_same_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str, protocol: str
) -> None:
    out, metrics = finished(tmp_path / "job", rows=160, suite=suite, protocol=protocol, trees=2)
    assert metrics["suite"] == suite
    assert metrics["psi"]["protocol"] == protocol
    assert metrics["psi"]["intersection"] == 120
    assert metrics["metrics"]["joint"] == metrics["metrics"]["pooled"]
    assert_bundles_verify(out, monkeypatch)


@pytest.mark.parametrize("protocol", ["ecdh", "server_aided"])
def test_five_parties_use_only_common_customers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    out, metrics = finished(
        tmp_path / "job", rows=240, partners=PARTNERS, protocol=protocol, trees=2, suite="intl"
    )
    assert metrics["psi"]["intersection"] == 90
    assert metrics["metrics"]["joint"] == metrics["metrics"]["pooled"]
    assert set(metrics["learned"]) == {"bank", *PARTNERS, "coordinator"}
    assert_bundles_verify(out, monkeypatch)


def test_one_partner_below_the_floor_refuses_for_all(tmp_path: Path) -> None:
    scenario = write_job(tmp_path, floor=100, partners=PARTNERS[:2], suite="intl")
    (tmp_path / "insurer.csv").write_text(
        "\n".join((tmp_path / "insurer.csv").read_text().splitlines()[:90]) + "\n"
    )
    with pytest.raises(SimulationFailed, match="fewer than 100 shared customers"):
        run(scenario, tmp_path / "out")


def test_several_splits_are_trained_and_measured(tmp_path: Path) -> None:
    out, metrics = finished(tmp_path / "job", repeats=3, trees=2, suite="intl")
    assert len(metrics["repeats"]) == 3
    assert len({repeat["joint"]["auc"] for repeat in metrics["repeats"]}) > 1
    outputs = next((out / "nodes/parties/bank/outputs").iterdir())
    assert {p.name for p in outputs.glob("scores-*.csv")} == {f"scores-{i}.csv" for i in (1, 2, 3)}


@pytest.mark.parametrize("point", [0, 3, 4])
def test_a_killed_party_of_three_resumes(tmp_path: Path, point: int) -> None:
    settings = {"rows": 160, "floor": 40, "trees": 2, "partners": PARTNERS[:2], "suite": "intl"}
    protocol = ("ecdh", "server_aided")[point % 2]
    scenario = write_job(tmp_path, protocol=protocol, **settings)
    run(scenario, tmp_path / "undisturbed")
    party = ("bank", "retailer", "insurer")[point // 2]
    crash = CrashPoint(party, 3 + 4 * point)
    with pytest.raises(SimulationFailed):
        run(scenario, tmp_path / "out", at_yield=crash)
    assert crash.crashed
    run(scenario, tmp_path / "out", resume=True)
    scores = (tmp_path / "out" / "scores.csv").read_bytes()
    assert scores == (tmp_path / "undisturbed" / "scores.csv").read_bytes()
