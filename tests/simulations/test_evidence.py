"""What a run leaves is read from the nodes' own outputs, and their logs verify as bundles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.database import transaction
from coordinator.coordinator import Coordinator
from fedcrm import app
from party_node.primitive_trace import EXEMPTIONS
from simulations.evidence import (
    CollectError,
    PartyOutputs,
    export_bundles,
    primitives_of,
    spec_digest,
    versions,
    write_json,
)
from tests.integration.horizontal.faulty_job import FaultyJob


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> FaultyJob:
    """A job three nodes and a coordinator have approved: each has something in its log."""
    return FaultyJob.made(tmp_path_factory.mktemp("agreed") / "run", {}, parties=3)


def outputs(folder: Path, used: dict[str, list[str]]) -> PartyOutputs:
    folder.mkdir()
    (folder / "primitives.json").write_text(json.dumps(used))
    return PartyOutputs(folder)


def test_primitives_of_all_parties_are_put_together_with_their_reasons(tmp_path: Path) -> None:
    found, reasons = primitives_of(
        {
            "east": outputs(tmp_path / "east", {"SM3": ["suite", "b"], "BFV": ["ciphers"]}),
            "west": outputs(tmp_path / "west", {"SM3": ["a", "suite"]}),
        }
    )
    assert found == {"BFV": ("ciphers",), "SM3": ("a", "b", "suite")}
    assert list(found) == ["BFV", "SM3"]
    (reason,) = {e.reason for e in EXEMPTIONS if e.primitive == "BFV"}
    assert reasons == {"BFV": reason}


@pytest.mark.parametrize("text", [None, "", "{not json"])
def test_results_that_are_not_there_are_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "evaluation.json").write_text(text)
    found = PartyOutputs(tmp_path)
    assert found.has("evaluation.json") == (text is not None)
    with pytest.raises(CollectError, match=r"evaluation\.json: (FileNotFound|JSONDecode)Error"):
        found.json("evaluation.json")


def test_a_partys_decisions_are_its_own_words_each_once(agreed: FaultyJob, tmp_path: Path) -> None:
    (party, *_) = agreed.parties
    kept = (agreed.outputs(party) / "gates.jsonl").read_bytes()
    (tmp_path / "gates.jsonl").write_bytes(kept * 2)
    found = PartyOutputs(tmp_path).decisions(party)
    assert len(found) == len(kept.splitlines()) == len(set(found))
    assert {decision.stage for decision in found} == {"proposal"}
    assert {decision.party for decision in found} == {party}
    assert "G02" in {decision.gate for decision in found}
    assert all(decision.reason for decision in found)


def test_the_digest_is_that_of_the_spec_all_signed(agreed: FaultyJob) -> None:
    workspace = agreed.simulation.workspace
    told = {
        event.details["spec_digest"]
        for party in (*agreed.parties, "coordinator")
        for event in agreed.events(party, "job.approved")
    }
    assert told == {spec_digest(workspace, agreed.spec)}


def test_bundles_of_every_log_verify_with_the_trust_file(agreed: FaultyJob, tmp_path: Path) -> None:
    job = agreed.copied(tmp_path / "copy")
    root = job.simulation.workspace.root
    coordinator = Coordinator.open(job.coordinator_home)
    with transaction(coordinator.engine) as connection:
        coordinator.checkpoint(connection)  # what it does when a sum is opened, or the job ends
    coordinator.close()
    reports = export_bundles(job.simulation.workspace, job.spec)
    assert set(reports) == {*job.parties, "coordinator"}
    for name, report in reports.items():
        assert report.bundle == f"{name}.zip"
        assert report.events > 1
        assert len(bytes.fromhex(report.root)) == 32
    bundles = [str(root / report.bundle) for report in reports.values()]
    verify = ["audit", "verify", "--trust", str(root / "trust.toml"), *bundles]
    result = CliRunner().invoke(app, verify)
    assert result.exit_code == 0, result.output
    assert (root / "trust.toml").read_text().startswith("# Keys of this simulation's logs")


def test_results_for_machines_are_written_the_same_way_each_time(tmp_path: Path) -> None:
    write_json(tmp_path / "one.json", {"b": 1, "a": [2]})
    write_json(tmp_path / "two.json", {"a": [2], "b": 1})
    one = (tmp_path / "one.json").read_bytes()
    assert one == (tmp_path / "two.json").read_bytes()
    assert json.loads(one) == {"a": [2], "b": 1}
    assert {"fedcrm", "python", "flwr"} <= set(versions())
