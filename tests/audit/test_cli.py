"""The commands as people and scripts use them: output, hints and exit status."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audit.cli import app
from audit.event import decode_event
from audit.trust import write_trust
from tests.audit.forging import lines_of
from tests.audit.made_logs import Party, small_job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Bundles, a trust file and the bank's database, as an auditor would have them."""
    bank, retailer = small_job("simulation")
    (tmp_path / "bank.zip").write_bytes(bank.bundle())
    (tmp_path / "joint.zip").write_bytes(bank.bundle(joint_only=True))
    (tmp_path / "retailer.zip").write_bytes(retailer.bundle())
    (tmp_path / "trust.toml").write_text(write_trust([bank.identity, retailer.identity]))
    save(bank, tmp_path / "node.sqlite")
    return tmp_path


def save(party: Party, path: Path) -> None:
    raw = party.engine.raw_connection()
    with sqlite3.connect(path) as copy:
        raw.driver_connection.backup(copy)
    copy.close()
    raw.close()


def run(*arguments: object, columns: int = 100) -> Result:
    environment = {"COLUMNS": str(columns), "TZ": "UTC", "TERM": "dumb", "NO_COLOR": "1"}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def test_verify_passes_with_trust(folder: Path) -> None:
    bundles = (folder / "bank.zip", folder / "retailer.zip")
    result = run("verify", *bundles, "--trust", folder / "trust.toml")
    assert result.exit_code == 0
    assert "passed: signed by the keys you trust" in result.stdout
    assert "No check shows:" in result.stdout
    assert "one machine holds every key" in result.stdout.replace("\n", " ")
    assert result.stderr == ""


def test_verify_without_trust_is_status_two(folder: Path) -> None:
    result = run("verify", folder / "bank.zip")
    assert result.exit_code == 2
    assert "who holds them was not checked" in result.stdout


def test_verify_names_the_place_of_a_change(folder: Path) -> None:
    path = folder / "bank.zip"
    path.write_bytes(path.read_bytes().replace(b'"rows":1200', b'"rows":1201'))
    result = run("verify", path, "--trust", folder / "trust.toml")
    assert result.exit_code == 1
    assert "seq 1" in result.stdout
    assert "FAILED" in result.stdout
    assert "This shows" not in result.stdout


def test_verify_for_machines(folder: Path) -> None:
    result = run("verify", folder / "bank.zip", folder / "retailer.zip", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["exit_status"], report["findings"]) == (2, 2, [])
    assert [bundle["origin"] for bundle in report["bundles"]] == [
        "bank.example/log",
        "retailer.example/log",
    ]
    assert report["bundles"][0]["entries"] == 7
    assert report["joint_statements"] == 2
    assert report["trust_checked"] is False
    path = folder / "bank.zip"
    path.write_bytes(path.read_bytes()[:-1])
    result = run("verify", path, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["exit_status"], report["shown"]) == (1, 1, [])
    assert report["findings"][0]["severity"] == "failed"
    assert report["findings"][0]["place"]["source"] == str(path)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["verify", "absent.zip"], "cannot read absent.zip"),
        (["show", "absent.zip"], "cannot read absent.zip"),
        (["fsck", "--database", "absent"], "cannot read absent"),
        (["verify", "bank.zip", "--trust", "absent"], "cannot read absent"),
        (["verify", "bank.zip", "--trust", "bank.zip"], "bank.zip: not a TOML file"),
        (["show", "trust.toml"], "trust.toml: README.txt, byte 0"),
        (["fsck", "--database", "bank.zip"], "bank.zip is not an SQLite database"),
        (["export", "--database", "node.sqlite", "--out", "bank.zip"], "bank.zip exists already"),
        (["export", "--database", "node.sqlite", "--out", "no/x.zip"], "cannot write no/x.zip"),
        (["fsck", "--database", "other.sqlite"], "other.sqlite: this database holds no"),
        (["show", "other.sqlite"], "other.sqlite: this database holds no"),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    monkeypatch.chdir(folder)
    with sqlite3.connect("other.sqlite") as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    result = run(*arguments)
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert first.startswith(f"error: {error}")
    assert second.startswith("hint: ")
    assert result.stdout == ""


@pytest.mark.parametrize("columns", [40, 100])
@pytest.mark.parametrize("name", ["bank.zip", "node.sqlite"])
def test_show_reads_well_at_any_width(folder: Path, name: str, columns: int) -> None:
    result = run("show", folder / name, columns=columns)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert all(len(line) <= columns for line in lines)
    words = " ".join(result.stdout.split())
    assert "Written by a simulation" in words
    assert "The shared customers were found" in words
    assert "08:00:00 UTC" in words
    assert "release.done success" in words
    assert "rows=1,200" in words
    assert "verify" in result.stderr


def test_show_filters(folder: Path) -> None:
    events = [
        json.loads(line)
        for line in run("show", folder / "bank.zip", "--json", "--job", "job-1").stdout.splitlines()
    ]
    assert [event["seq"] for event in events] == [2, 3, 4, 5]
    only = run("show", folder / "node.sqlite", "--json", "--type", "psi.completed").stdout
    assert [json.loads(line)["seq"] for line in only.splitlines()] == [3]
    assert run("show", folder / "bank.zip", "--type", "no.such").exit_code == 0


def test_show_for_machines_is_the_evidence_itself(folder: Path) -> None:
    shown = run("show", folder / "bank.zip", "--json").stdout_bytes.splitlines()
    assert shown == lines_of((folder / "bank.zip").read_bytes())
    assert all(decode_event(line).seq == at for at, line in enumerate(shown))


def test_show_says_what_a_copy_withholds(folder: Path) -> None:
    result = run("show", folder / "joint.zip")
    assert "1 entries are not shown in this copy" in result.stdout
    assert "7 entries" in result.stdout


def test_show_of_a_damaged_bundle_is_refused(folder: Path) -> None:
    path = folder / "bank.zip"
    path.write_bytes(path.read_bytes().replace(b'"rows":1200', b'"rows":1201'))
    result = run("show", path)
    assert result.exit_code == 1
    assert "not an intact bundle" in result.stderr


def test_export_writes_the_same_bundle_and_changes_nothing(folder: Path) -> None:
    before = (folder / "node.sqlite").read_bytes()
    result = run("export", "--database", folder / "node.sqlite", "--out", folder / "new.zip")
    assert result.exit_code == 0
    assert (folder / "new.zip").read_bytes() == (folder / "bank.zip").read_bytes()
    assert (folder / "node.sqlite").read_bytes() == before
    run("export", "--database", folder / "node.sqlite", "--out", folder / "j.zip", "--joint-only")
    assert (folder / "j.zip").read_bytes() == (folder / "joint.zip").read_bytes()


def test_fsck_passes_and_fails(folder: Path) -> None:
    database = folder / "node.sqlite"
    good = run("fsck", "--database", database)
    assert good.exit_code == 0
    assert "the first 7 entries are those that were signed" in good.stdout
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TRIGGER audit_entries_no_delete")
        connection.execute("DELETE FROM audit_entries WHERE seq = 3")
    connection.close()
    bad = run("fsck", "--database", database)
    assert bad.exit_code == 1
    assert "entry 3 should stand here, not entry 4" in bad.stdout.replace("\n", " ")
    report = json.loads(run("fsck", "--database", database, "--json").stdout)
    assert (report["exit_status"], report["entries"], report["signed"]) == (1, 6, 7)
    assert report["findings"][0]["place"]["file"] == "audit_entries_no_delete"
