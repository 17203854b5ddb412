"""``fedcrm bench aggregation`` on small vectors: the figures it gives, and when it gives none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fedcrm import app
from protocols.sum_ciphers import METHODS
from simulations.bench import aggregation
from simulations.bench.aggregation import AggregationBench, bench_aggregation
from simulations.bench.two_processes import BenchError

STEPS = ["quantise", "mask", "encrypt", "open", "unmask"]
BYTES = {"masked_he": 65_536, "ckks": 65_536, "paillier": 5 * 512, "masks": 1200}
PEERS = {"masked_he": "tenseal", "ckks": "tenseal", "paillier": "phe"}


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_figures_must_say_what_was_measured(method):
    asked = AggregationBench(method, parties=3, parameters=300, runs=2, phe_ciphertexts=2)
    figures = bench_aggregation(asked)
    expected = {
        "bench": "aggregation",
        "method": method,
        "suite": "gm",
        "parameters": 300,
        "parties": 3,
        "value_bits": {"masked_he": 37, "ckks": 24, "paillier": 30, "masks": 30}[method],
        "paillier_bits": 2048 if method == "paillier" else None,
        "bytes_per_party": BYTES[method],
        "bytes_per_parameter": round(BYTES[method] / 300, 2),
        "runs": 2,
        "checked": True,
    }
    assert {name: figures[name] for name in expected} == expected
    assert list(figures["party_s"]) == [*STEPS, "total"]
    assert figures["party_s"]["total"] == pytest.approx(
        sum(figures["party_s"][step] for step in STEPS), abs=0.001
    )
    assert figures["coordinator_s"] >= 0
    assert ("peer" in figures) == (method != "masks")
    if method != "masks":
        peer = figures["peer"]
        assert peer["name"] == PEERS[method]
        assert list(peer["ratio"]) == ["encrypt", "add", "open", "all"]
        assert list(peer["party_s"]) == ["encrypt", "open"]
        assert min(*peer["ratio"].values(), *peer["party_s"].values()) > 0
        assert peer["bytes_per_party"] == pytest.approx(figures["bytes_per_party"], rel=0.1)
    if method == "paillier":
        assert peer["gmpy2"] is True
        assert (peer["measured_ciphertexts"], peer["scaled_to_ciphertexts"]) == (2, 5)


def test_the_command_must_print_a_line_for_each_method_and_number_of_parties():
    ran = CliRunner().invoke(
        app,
        [
            "bench",
            "aggregation",
            "--parameters",
            "50",
            "--parties",
            "2",
            "--parties",
            "4",
            "--method",
            "masks",
            "--runs",
            "1",
            "--suite",
            "intl",
            "--json",
        ],
    )
    assert ran.exit_code == 0, ran.output
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line["parties"] for line in lines] == [2, 4]
    assert {(line["method"], line["suite"]) for line in lines} == {("masks", "intl")}


def test_a_key_size_that_is_not_offered_must_be_refused():
    ran = CliRunner().invoke(app, ["bench", "aggregation", "--bits", "1024"])
    assert ran.exit_code == 1
    assert "2048 or 3072" in ran.output


def test_a_wrong_sum_must_give_no_figures(monkeypatch):
    asked = AggregationBench("masks", parties=2, parameters=20, runs=1)
    honest = aggregation._Round.open

    def wrong(self, total):
        opened = honest(self, total)
        opened[3] += 1
        return opened

    assert aggregation._measure(asked)["checked"] is True
    monkeypatch.setattr(aggregation._Round, "open", wrong)
    with pytest.raises(BenchError, match="no figures"):
        aggregation._measure(asked)
    with pytest.raises(BenchError, match="no figures"):
        aggregation._check(np.array([], np.int64), np.array([], np.int64))


def test_a_process_that_fails_must_be_told():
    with pytest.raises(BenchError, match="gave no figures"):
        bench_aggregation(AggregationBench("paillier", parties=2, parameters=20, paillier_bits=512))
