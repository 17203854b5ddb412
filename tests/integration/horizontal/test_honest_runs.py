"""Every method, strategy and model, undisturbed: plain averaging within what is stated."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from audit.cli import app as audit_app
from models.horizontal.state import FederatedState
from party_node.horizontal import openings, work
from party_node.horizontal.work import Learned, Work
from protocols.suite import get_suite
from simulations.evidence import TRUST_FILE
from simulations.horizontal import collect, sample
from simulations.horizontal.clear import InTheClear
from tests.integration.horizontal.conftest import MakeJob
from tests.integration.horizontal.faulty_job import FaultyJob

CASES: dict[str, dict[str, Any]] = {
    "masks": {"training__strategy": "fedprox"},
    "masked_he": {
        "model__kind": "multilayer_perceptron",
        "model__hidden": [4],
        "training__strategy": "fedadam",
        "parties": 4,
    },
    "ckks": {"parties": 3},
    "paillier": {"parties": 3, "training__rounds": 1},
}


@dataclass
class Run:
    """A finished job, with what its parties put in and what they opened."""

    job: FaultyJob
    method: str
    words: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    opened: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    learned: dict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def noting(self, patch: pytest.MonkeyPatch) -> None:
        lock, words, apply = threading.Lock(), Work.words, work.apply

        def words_of(own: Work, known: Learned, *args: Any) -> Any:
            found = words(own, known, *args)
            with lock:
                self.words[known.opened].append(found)
            return found

        def applied(known: Learned, total: Any, **named: Any) -> Learned:
            new = apply(known, total, **named)
            with lock:
                self.opened[known.opened].append(total)
                self.learned[new.opened].add(new.to_bytes())
            return new

        patch.setattr(Work, "words", words_of)
        patch.setattr(openings, "apply", applied)


@pytest.fixture(scope="module", params=CASES)
def run(request: pytest.FixtureRequest, make_job: MakeJob) -> Run:
    method = str(request.param)
    found = Run(make_job(aggregation__method=method, **CASES[method]), method)
    with pytest.MonkeyPatch.context() as patch:
        found.noting(patch)
        found.job.drive()
    assert found.job.record.status == "closed", found.job.told()
    return found


def test_what_is_opened_is_the_exact_sum(run: Run) -> None:
    sums = run.job.spec.training.rounds + 2
    parties = len(run.job.parties)
    assert sorted(run.words) == sorted(run.opened) == list(range(sums))
    for number in range(sums):
        assert len(run.words[number]) == len(run.opened[number]) == parties
        total = np.sum(run.words[number], axis=0)
        for opened in run.opened[number]:
            assert np.array_equal(opened, total)


def test_every_round_is_plain_federated_averaging(run: Run) -> None:
    job, spec = run.job, run.job.spec
    setting = sample.placed(job.simulation.scenario, job.simulation.workspace.inputs)
    clear = InTheClear.read(setting, spec, get_suite(spec.suite), {})
    bound = collect._stated_precision(spec, clear)
    for number, plain in enumerate(clear.averaged.states):
        (learned,) = run.learned[number + 1]  # the same bytes at every party
        state = FederatedState.from_bytes(Learned.from_bytes(learned).state)
        assert state.round == number
        assert (
            np.abs(state.parameters - plain.parameters).max()
            <= bound * number / spec.training.rounds
        )


def test_every_party_has_its_outputs_and_the_same_model(run: Run) -> None:
    assert set(run.job.models()) == set(run.job.parties)
    assert len(set(run.job.models().values())) == 1
    for party in run.job.parties:
        names = {path.name for path in run.job.outputs(party).iterdir()}
        assert names >= {"evaluation.json", "purchases.json", "scores.csv", "gates.jsonl"}


def test_all_logs_verify_and_agree(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run.job.report()
    assert report.precision is not None
    assert report.precision.largest_difference <= report.precision.bound
    monkeypatch.chdir(run.job.simulation.workspace.root)
    bundles = [f"{name}.zip" for name in (*run.job.parties, "coordinator")]
    told = CliRunner().invoke(audit_app, ["verify", "--trust", TRUST_FILE, *bundles])
    assert told.exit_code == 0, told.output
