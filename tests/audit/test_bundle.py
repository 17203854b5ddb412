"""A bundle is a function of the log: deterministic, complete, and fit for its reader."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import text

from audit.agreement import verify_bundles
from audit.checkpoint import verifier_key
from audit.log import AuditError, read_events
from audit.readme import README
from audit.trust import read_trust, write_trust
from tests.audit.forging import contents_of, lines_of
from tests.audit.made_logs import SUITE, Party, small_job


def test_two_exports_of_one_state_are_the_same_bytes() -> None:
    bank, _ = small_job()
    bundle = bank.bundle()
    assert bank.bundle() == bundle
    # Entries not yet signed are not in it, so they do not change it either.
    bank.append("job.closed", job="job-1")
    assert bank.bundle() == bundle
    bank.checkpoint()
    assert bank.bundle() != bundle


def test_bundle_holds_the_log_and_says_whose_it_is() -> None:
    bank, _ = small_job()
    contents = contents_of(bank.bundle())
    assert list(contents) == [
        "README.txt",
        "key.json",
        "events.jsonl",
        "checkpoints.jsonl",
        "checkpoint",
        "manifest.json",
    ]
    with bank.begin() as connection:
        assert [json.loads(line)["id"] for line in contents["events.jsonl"].splitlines()] == [
            event.id for event in read_events(connection)
        ]
    key = json.loads(contents["key.json"])
    assert key["origin"] == "bank.example/log"
    assert key["public_key"] == bank.identity.public_key.hex()
    assert key["fingerprint"] == SUITE.fingerprint(bank.identity.public_key)
    assert key["verifier_key"] == verifier_key(SUITE, bank.origin, bank.identity.public_key)
    manifest = json.loads(contents["manifest.json"])
    for name, stated in manifest["files"].items():
        assert stated == {
            "bytes": len(contents[name]),
            "digest": SUITE.hash(contents[name]).hex(),
        }
    assert manifest["files"].keys() == contents.keys() - {"manifest.json"}
    assert contents["checkpoint"] == bank.latest_note()
    assert len(contents["checkpoints.jsonl"].splitlines()) == 2


def test_readme_is_part_of_the_format() -> None:
    # Another text makes older bundles fail: give the format a new number with it.
    assert SUITE.hash(README.encode()).hex() == (
        "e2c2854ee159b273072e577565ea3a1f91726634101c2cb70dc3746600f9109c"
    )
    assert all(len(line) <= 100 for line in README.splitlines())
    assert README.isascii()


def test_copy_for_other_parties_shows_joint_entries_only_and_still_verifies() -> None:
    bank, retailer = small_job()
    whole, joint = bank.bundle(), bank.bundle(joint_only=True)
    shown = [line for line in lines_of(joint) if not line.startswith(b'{"leaf_hash":')]
    assert {json.loads(line)["visibility"] for line in shown} == {"joint"}
    assert len(lines_of(joint)) == len(lines_of(whole))
    hidden = [line for line in lines_of(whole) if line not in shown]
    assert [json.loads(line)["type"] for line in hidden] == ["dataset.registered"]
    assert "年收入".encode() in whole
    assert "年收入".encode() not in joint
    trust = read_trust(write_trust([bank.identity, retailer.identity]).encode())
    others = ("retailer.zip", retailer.bundle(joint_only=True))
    result = verify_bundles([("bank.zip", joint), others], trust)
    assert (result.exit_status, result.findings) == (0, [])
    assert any("2 entries say that these copies do not show" in line for line in result.not_shown)


def test_nothing_signed_is_nothing_to_export() -> None:
    with pytest.raises(AuditError, match="no checkpoint yet"):
        Party("bank", 1).bundle()


def test_damaged_log_is_exported_as_it_is_but_not_in_part() -> None:
    bank, _ = small_job()
    with bank.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_update"))
        connection.execute(text("UPDATE audit_entries SET entry = x'7b7d' WHERE seq = 1"))
    assert verify_bundles([("bank.zip", bank.bundle())], None).exit_status == 1
    with pytest.raises(AuditError, match="entry 1: not an event"):
        bank.bundle(joint_only=True)


def test_bundle_names_no_machine_and_no_time_of_export() -> None:
    bank, _ = small_job()
    files = {n: c for n, c in contents_of(bank.bundle()).items() if n != "events.jsonl"}
    for content in files.values():
        assert not re.search(rb"20\d\d-\d\d-\d\d|/home/|/tmp/", content)
