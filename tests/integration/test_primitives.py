"""A job touches the primitives of its suite and the printed exceptions, and fails otherwise."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from simulations.run import SimulationFailed
from tests.integration.running import run
from tests.integration.small_job import write_job


@pytest.mark.parametrize(
    ("suite", "expected"),
    [("gm", {"SM3", "SM2", "SM4-GCM", "Paillier"}), ("intl", {"SHA-256", "Ed25519", "Paillier"})],
)
def test_a_run_lists_what_it_used(tmp_path: Path, suite: str, expected: set[str]) -> None:
    run(write_job(tmp_path, rows=120, floor=40, trees=2, suite=suite), tmp_path / "out")
    for party in ("bank", "retailer"):
        (listed,) = (tmp_path / "out/nodes/parties" / party / "outputs").glob("*/primitives.json")
        used = set(json.loads(listed.read_text()))
        assert expected <= used
        foreign = ("SHA", "AES", "Ed25519") if suite == "gm" else ("SM2", "SM3", "SM4")
        assert not [name for name in used if name.startswith(foreign)]


def test_a_planted_primitive_fails_a_gm_run(tmp_path: Path) -> None:
    room: dict[str, Any] = {"__name__": "party_node.planted", "hashlib": hashlib}
    exec("def at_yield(party):\n    hashlib.sha256(b'planted')", room)
    scenario = write_job(tmp_path, rows=120, floor=40, trees=2)
    with pytest.raises(SimulationFailed, match=r"SHA-256.*party_node\.planted"):
        run(scenario, tmp_path / "out", at_yield=room["at_yield"])
