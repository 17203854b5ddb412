"""A party killed at any point: the job goes on from the journals, to the same result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulations.run import SimulationFailed
from tests.integration.running import CrashPoint, Wire, run
from tests.integration.small_job import write_job

POINTS = 20


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, int]]:
    """The undisturbed run's scores, and how many yields each party has."""
    folder = tmp_path_factory.mktemp("reference")
    counter = CrashPoint()
    run(write_job(folder, rows=160, floor=40, trees=2), folder / "out", at_yield=counter)
    return (folder / "out" / "scores.csv").read_bytes(), counter.yields


@pytest.mark.parametrize("point", range(POINTS))
def test_resume_after_a_kill(
    reference: tuple[bytes, dict[str, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: int,
) -> None:
    scores, yields = reference
    draw = np.random.default_rng(point)  # noqa: TID251
    party = ("bank", "retailer")[point % 2]
    crash = CrashPoint(party, int(draw.integers(0, yields[party])))
    wire = Wire.tapped(monkeypatch)
    scenario = write_job(tmp_path, rows=160, floor=40, trees=2)
    with pytest.raises(SimulationFailed) as failure:
        run(scenario, tmp_path / "out", at_yield=crash)
    assert crash.crashed
    assert "--resume" in failure.value.hint
    run(scenario, tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "scores.csv").read_bytes() == scores
    assert wire.messages
    assert all(len(versions) == 1 for versions in wire.messages.values())
