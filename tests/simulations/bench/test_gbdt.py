"""``fedcrm bench gbdt`` on small tables: the figures it gives, and when it gives none."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulations.bench import gbdt
from simulations.bench.gbdt import GbdtBench, bench_gbdt
from simulations.bench.two_processes import BenchError
from tests.simulations.bench.terms import tree_terms

PEER = "import json, sys; print(json.dumps({'wall_s': 60, 's_per_tree': 30, 'auc': 0.7}))"


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    asked = GbdtBench(
        tree_terms(trees=3),
        peer=shlex.join([sys.executable, "-c", PEER, "{active}", "{passive}"]),
        rows=600,
        active_columns=2,
        passive_columns=2,
    )
    return bench_gbdt(asked, None)


def test_the_figures_must_say_what_was_measured(figures: dict[str, Any]) -> None:
    json.dumps(figures)
    expected = {
        "bench": "gbdt",
        "suite": "gm",
        "channel": "TLS 1.3, gm channel",
        "rows": 600,
        "columns": {"active": 2, "passive": 2},
        "trees": 3,
        "depth": 2,
        "bins": 8,
        "key_bits": 2048,
        "runs": 1,
    }
    assert {name: figures[name] for name in expected} == expected
    assert figures["protections"]["minimum_bin_count"] == 20
    assert figures["protections"]["first_tree_active_only"] is True
    assert figures["trained_on"] < 600
    assert figures["mode"]


def test_times_and_bytes_must_add_up(figures: dict[str, Any]) -> None:
    assert figures["wall_s_each"] == [figures["wall_s"]]
    assert figures["s_per_tree"] == pytest.approx(figures["wall_s"] / 3, abs=0.001)
    assert 0 < figures["keys_s"] + 2 * figures["joint_tree_s"] < 1.5 * figures["wall_s"]
    assert min(figures["cpu_s"].values()) > 0
    assert min(figures["rss_mib"].values()) > 50
    assert figures["bytes"] == sum(figures["bytes_sent"].values())
    for side, by_type in figures["bytes_by_type"].items():
        # What TLS, the gm channel and the link add to the messages is little.
        assert sum(by_type.values()) < figures["bytes_sent"][side]
        assert figures["bytes_sent"][side] < 1.1 * sum(by_type.values()) + 20_000
    assert "EncryptedGradients" in figures["bytes_by_type"]["active"]
    assert "CandidateSums" in figures["bytes_by_type"]["passive"]


def test_the_model_must_be_worth_what_the_clear_one_is(figures: dict[str, Any]) -> None:
    assert figures["auc"] == figures["auc_clear"] > 0.6
    assert figures["equal_to_clear"] is True
    assert 0 < figures["ks"] < 1


def test_another_system_must_be_compared_tree_by_tree(figures: dict[str, Any]) -> None:
    assert figures["peer"]["wall_s_each"] == [60]
    assert figures["peer"]["auc"] == 0.7
    assert figures["times_faster"] == pytest.approx(30 / figures["s_per_tree"], rel=0.01)


@pytest.fixture
def truth() -> gbdt._Truth:
    halves = {"active": b"one half", "passive": b"the other"}
    return gbdt._Truth(halves, np.array([0.25, 0.5]), np.array([0, 1], np.uint8), 2)


def report(**changes: Any) -> list[dict[str, Any]]:
    sides = [{"half": b"one half", "scores": [0.25, 0.5]}, {"half": b"the other"}]
    return [side | changes.get(name, {}) for name, side in zip(gbdt.SIDES, sides, strict=True)]


def test_equal_trees_must_pass(truth: gbdt._Truth) -> None:
    assert gbdt._check(report(), truth) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"active": {"half": b"another"}}, "the active party's trees"),
        ({"passive": {"half": b"another"}}, "the passive party's trees"),
        ({"active": {"scores": [0.25, 0.5000001]}}, "the scores"),
    ],
)
def test_other_trees_than_in_the_clear_must_give_no_figures(
    truth: gbdt._Truth, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(BenchError, match=words):
        gbdt._check(report(**change), truth)


def test_a_folder_that_is_given_must_keep_the_files(tmp_path: Path) -> None:
    asked = GbdtBench(tree_terms(), files=(tmp_path / "none.csv", tmp_path / "none.csv"))
    with pytest.raises(BenchError, match="cannot read"):
        bench_gbdt(asked, tmp_path / "kept")
    assert (tmp_path / "kept").is_dir()
