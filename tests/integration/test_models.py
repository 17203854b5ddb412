"""Every kind of model and label through the whole federation, and scores that come back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audit.log import read_events
from fedcrm import app as fedcrm_app
from party_node.errors import NodeError
from party_node.node import Node
from simulations.federation import SimulationFailed
from simulations.scenario_tables import ScenarioError
from simulations.scoring.job import Scored, ScoringRequest, score
from simulations.workspace import Workspace
from tests.integration import thread_grid
from tests.integration.running import DEADLINES, CrashPoint, Killed, run
from tests.integration.small_job import write_job

SCORECARD = """kind = "scorecard"
bins = 4
minimum_class_count = 5
minimum_information_value = 0
epochs = 2
batch_rows = 64
joint_table = true"""
NETWORK = """kind = "split_network"
epochs = 3
batch_rows = 32
hidden_units = 8
label_epsilon = 4"""


def scored(
    out: Path, folder: Path, form: str = "score", at_yield: Any = lambda party: None, **changes: Any
) -> Scored:
    request: dict[str, Any] = {
        "files": {party: folder / f"{party}.csv" for party in ("bank", "retailer")},
        "form": form,
        "bands": ("0.3", "0.6") if form == "band" else (),
        "threshold": "0.5",
        "reasons": 2,
    }
    return score(
        Workspace(out),
        ScoringRequest(**(request | changes)),
        None,
        run_engine=thread_grid.run,
        deadlines=DEADLINES,
        at_yield=at_yield,
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def metrics_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return found


def types_of(out: Path, party: str) -> list[str]:
    node = Node.open(Workspace(out).party(party))
    try:
        with node.engine.connect() as connection:
            return [event.type for event in read_events(connection)]
    finally:
        node.close()


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    run(write_job(folder), folder / "out")
    return folder


def test_held_out_customers_get_the_scores_they_were_measured_with(trees: Path) -> None:
    result = scored(trees / "out", trees)
    found = {row["row"]: row["score"] for row in rows_of(result.path)}
    measured = rows_of(trees / "out" / "scores.csv")
    assert result.customers == len(found) == metrics_of(trees / "out")["psi"]["intersection"]
    for row in measured:
        assert float(found[row["row"]]) == pytest.approx(float(row["score_joint"]), abs=1e-6)


@pytest.mark.parametrize("form", ["band", "label"])
def test_only_the_agreed_form_comes_back(trees: Path, form: str) -> None:
    rows = rows_of(scored(trees / "out", trees, form).path)
    assert list(rows[0]) == ["row", form, "reason_1", "reason_2"]
    values = {row[form] for row in rows}
    assert values <= ({"1", "2", "3"} if form == "band" else {"0", "1"})
    assert len(values) > 1


def test_a_reason_never_names_a_column_of_another_party(trees: Path) -> None:
    rows = rows_of(scored(trees / "out", trees).path)
    reasons = {row[f"reason_{i}"] for row in rows for i in (1, 2)}
    assert reasons <= {"income", "job", "columns of retailer", ""}
    assert "columns of retailer" in reasons


def test_scoring_is_logged_by_every_party_and_only_one_gets_scores(trees: Path) -> None:
    result = scored(trees / "out", trees)
    for party in ("bank", "retailer"):
        types = types_of(trees / "out", party)
        assert types.count("score.started") == types.count("score.completed") >= 1
    held = Workspace(trees / "out").party("retailer") / "outputs" / result.spec.job_id
    assert not list(held.glob("*.csv"))


def test_a_missing_column_is_named(trees: Path, tmp_path: Path) -> None:
    lines = (trees / "bank.csv").read_text().replace("income", "earnings")
    changed = tmp_path / "bank.csv"
    changed.write_text(lines)
    files = {"bank": changed, "retailer": trees / "retailer.csv"}
    with pytest.raises(SimulationFailed, match="income"):
        scored(trees / "out", trees, files=files)


def test_a_party_without_a_file_is_named(trees: Path) -> None:
    with pytest.raises(ScenarioError, match="no file for retailer"):
        scored(trees / "out", trees, files={"bank": trees / "bank.csv"})


def test_a_half_of_another_training_is_refused(trees: Path, tmp_path: Path) -> None:
    from sqlalchemy import text

    folder = tmp_path / "other"
    folder.mkdir()
    run(write_job(folder), folder / "out")
    node = Node.open(Workspace(folder / "out").party("retailer"))
    with node.engine.begin() as connection:
        connection.execute(text("UPDATE model_halves SET sealed = zeroblob(length(sealed))"))
    node.close()
    with pytest.raises(NodeError, match="cannot be opened"):
        scored(folder / "out", folder)
    called = CliRunner().invoke(
        fedcrm_app,
        [
            "score",
            str(folder / "out"),
            *(f"--file={party}={folder / party}.csv" for party in ("bank", "retailer")),
        ],
    )
    assert called.exit_code == 1
    assert "cannot be opened" in called.output


def test_a_killed_scoring_can_be_asked_for_again(trees: Path) -> None:
    with pytest.raises((Killed, SimulationFailed)):
        scored(trees / "out", trees, at_yield=CrashPoint("retailer", 6))
    assert scored(trees / "out", trees).customers > 0


def test_a_scorecard_is_trained_measured_and_scores(tmp_path: Path) -> None:
    run(write_job(tmp_path, rows=400, model=SCORECARD), tmp_path / "out")
    found = metrics_of(tmp_path / "out")
    assert found["train"]["model"] == "scorecard"
    assert found["metrics"]["joint"]["auc"] == pytest.approx(
        found["metrics"]["pooled"]["auc"], abs=0.03
    )
    outputs = next((tmp_path / "out/nodes/parties/bank/outputs").iterdir())
    joint = json.loads((outputs / "joint-table.json").read_text())["rows"]
    assert {row["party"] for row in joint} == {"bank", "retailer"}
    assert {"column", "bin", "share", "woe", "iv", "coefficient", "points", "party"} == set(
        joint[0]
    )
    result = scored(tmp_path / "out", tmp_path, "band")
    assert {row["band"] for row in rows_of(result.path)} <= {"1", "2", "3"}


def test_a_split_network_is_trained_measured_and_scores(tmp_path: Path) -> None:
    run(write_job(tmp_path, model=NETWORK), tmp_path / "out")
    found = metrics_of(tmp_path / "out")
    assert found["train"]["model"] == "split_network"
    assert found["metrics"]["joint"]["auc"] > 0.6
    assert scored(tmp_path / "out", tmp_path).customers == found["psi"]["intersection"]


def test_numbers_are_predicted_in_their_own_unit(tmp_path: Path) -> None:
    run(write_job(tmp_path, label="number = true"), tmp_path / "out")
    joint = metrics_of(tmp_path / "out")["metrics"]["joint"]
    assert joint["rmse"] > 0
    assert joint["r2"] > 0.2
    rows = rows_of(scored(tmp_path / "out", tmp_path).path)
    assert any(float(row["score"]) < 0 for row in rows)
    with pytest.raises(SimulationFailed, match="a regression model gives no label"):
        scored(tmp_path / "out", tmp_path, "label")


def test_several_classes_are_told_apart(tmp_path: Path) -> None:
    label = 'classes = ["low", "middle", "high"]'
    run(write_job(tmp_path, rows=400, label=label), tmp_path / "out")
    joint = metrics_of(tmp_path / "out")["metrics"]["joint"]
    assert joint["accuracy"] > 0.4
    rows = rows_of(scored(tmp_path / "out", tmp_path, "label").path)
    assert {row["label"] for row in rows} <= {"0", "1", "2"}


def test_growing_stops_early_at_all_parties_alike(tmp_path: Path) -> None:
    model = """trees = 12
depth = 2
bins = 8
learning_rate = 1
early_stopping_rounds = 1
validation_percent = 30"""
    run(write_job(tmp_path, rows=400, model=model), tmp_path / "out")
    found = metrics_of(tmp_path / "out")
    assert found["metrics"]["joint"] == found["metrics"]["pooled"]
    grown = {
        party: len(
            {
                split["tree"]
                for split in json.loads(
                    next((tmp_path / f"out/nodes/parties/{party}/outputs").iterdir())
                    .joinpath("model.json")
                    .read_text()
                )["half"]
            }
        )
        for party in ("bank", "retailer")
    }
    assert max(grown.values()) < 12
