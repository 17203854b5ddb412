"""What a node writes of its held-out customers is what the report reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.table import ColumnTable
from party_node.learning import Part
from party_node.phases.evaluate import _Split
from protocols.session.model_terms import OneSideSampling
from simulations.collect import _parameters, _Scores
from simulations.report.worth import MEASURES
from tests.compliance.specs import job
from tests.simulations.sample_models import made_classes, made_numbers
from tests.simulations.sample_run import made_scores

ROWS = np.array([7, 3, 12, 1, 9, 30])
MADE = {"binary": made_scores, "regression": made_numbers, "multiclass": made_classes}


@pytest.mark.parametrize("objective", list(MADE))
def test_scores_must_be_read_as_they_were_written(tmp_path: Path, objective: Any) -> None:
    labels, scores = MADE[objective]()
    kept = slice(0, len(ROWS))
    test = Part(ColumnTable((), len(ROWS)), None, ROWS, np.zeros((len(ROWS), 32), np.uint8))
    alone, joint = (scores[which][kept] for which in ("alone", "joint"))
    written = _Split(objective, 100, test, labels[kept], alone, joint)
    path = tmp_path / "scores-1.csv"
    path.write_bytes(written.scores_csv())
    found = _Scores.read(path, objective)
    order = np.argsort(ROWS)
    assert found.rows.tolist() == sorted(ROWS.tolist())
    assert np.array_equal(found.labels, labels[kept][order])
    for which in ("alone", "joint"):
        expected = scores[which][kept][order]
        assert getattr(found, which).shape == expected.shape
        assert np.allclose(getattr(found, which), expected, rtol=0, atol=1e-9)
    told = written.measures()
    assert told["objective"] == objective
    assert ("positives" in told) == (objective == "binary")
    assert list(told["joint"]) == list(MEASURES[objective])


def test_parts_of_a_parameter_must_stand_one_by_one() -> None:
    model = job().training
    shown = _parameters(job())
    assert "kind" not in shown
    assert shown["trees"] == model.trees  # type: ignore[union-attr]
    assert not any(name.startswith("one_side_sampling") for name in shown)
    shares = OneSideSampling(top="0.2", other="0.1")
    sampled = msgspec.structs.replace(model, one_side_sampling=shares)
    shown = _parameters(job(model=sampled))
    assert shown["one_side_sampling_top"] == "0.2"
    assert shown["one_side_sampling_other"] == "0.1"
