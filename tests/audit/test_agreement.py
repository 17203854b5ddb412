"""Several bundles together: what two parties signed stands in both logs, or is named."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import text

from audit.agreement import NO_TRUST, Verification, verify_bundles
from audit.checkpoint import CheckpointError
from audit.countersign import keep_checkpoint
from audit.trust import MAX_TRUST_BYTES, Trust, TrustError, read_trust, write_trust
from protocols.suite.gm import GmSuite
from tests.audit.made_logs import (
    SERVICE,
    SUITE,
    Party,
    append_joint,
    countersigned,
    joint_body,
    small_job,
)


def trust_of(*parties: Party) -> Trust:
    return read_trust(write_trust([party.identity for party in parties]).encode())


def together(*parties: Party, trust: Trust | None = None) -> Verification:
    archives = [(f"{party.origin.split('.')[0]}.zip", party.bundle()) for party in parties]
    return verify_bundles(archives, trust)


def failures(result: Verification) -> list[str]:
    assert result.exit_status == 1
    assert result.shown == []
    assert result.conclusion.startswith("FAILED")
    return [str(finding) for finding in result.findings if finding.severity == "failed"]


def pair() -> tuple[Party, Party]:
    return Party("bank", 1), Party("retailer", 2)


def test_two_honest_logs_agree() -> None:
    bank, retailer = small_job()
    result = together(bank, retailer, trust=trust_of(bank, retailer))
    assert (result.exit_status, result.findings) == (0, [])
    assert result.joint_statements == 2
    assert result.kept == {
        "bank.example/log": {"retailer.example/log": 6},
        "retailer.example/log": {"bank.example/log": 4},
    }
    assert result.conclusion.startswith("passed")
    assert any("unless the two act together" in line for line in result.shown)
    assert any("what was recorded is true" in line for line in result.not_shown)


def test_without_trust_nobody_knows_whose_keys_they_are() -> None:
    bank, retailer = small_job()
    result = together(bank, retailer)
    assert (result.exit_status, result.conclusion) == (2, NO_TRUST)
    assert NO_TRUST == "consistent with the keys inside; who holds them was not checked"


def test_one_bundle_alone_says_whose_is_missing() -> None:
    bank, retailer = small_job()
    result = together(bank, trust=trust_of(bank, retailer))
    assert result.exit_status == 0
    assert "whether retailer.example/log's log agrees: its bundle was not given" in (
        result.not_shown
    )
    assert "in agreement" not in result.conclusion


def test_simulated_logs_say_so() -> None:
    bank, retailer = small_job("simulation")
    result = together(bank, retailer, trust=trust_of(bank, retailer))
    assert result.exit_status == 0
    assert any("one machine holds every key" in line for line in result.not_shown)


def test_log_signed_by_another_key_is_caught_by_the_trust_file() -> None:
    bank, retailer = pair()
    impostor = Party("bank", 7)
    append_joint("psi.completed", [impostor, retailer], counts={"intersection": 812})
    for party in (impostor, retailer):
        party.checkpoint()
    assert together(impostor, retailer).exit_status == 2
    found = failures(together(impostor, retailer, trust=trust_of(bank, retailer)))
    assert found == [
        "bank.zip: key.json: this log is signed by another key than the trust file has for bank"
    ]
    alone = failures(together(retailer, trust=trust_of(bank, retailer)))
    assert "the signature of bank is under another key than you trust" in alone[0]


def test_log_missing_from_the_trust_file_fails() -> None:
    bank, retailer = small_job()
    found = failures(together(bank, retailer, trust=trust_of(bank)))
    assert found == ["retailer.zip: key.json: retailer.example/log is not in the trust file"]


def test_signer_missing_from_the_trust_file_is_unchecked() -> None:
    bank, _ = small_job()
    result = together(bank, trust=trust_of(bank))
    assert result.exit_status == 2
    assert {f.severity for f in result.findings} == {"unchecked"}
    assert "not everything could be checked" in result.conclusion


def test_joint_statement_one_log_lacks_is_named() -> None:
    bank, retailer = pair()
    body = joint_body("psi.completed", [bank, retailer], counts={"intersection": 812})
    bank.append(
        "psi.completed", job="job-1", attempt=1, joint=countersigned(body, [bank, retailer])
    )
    for party in (bank, retailer):
        party.checkpoint()
    found = failures(together(bank, retailer))
    assert len(found) == 1
    assert found[0].startswith("bank.zip: events.jsonl, line 2, seq 1, byte")
    assert "retailer signed this psi.completed and its log does not have it" in found[0]


def test_joint_statement_with_another_text_is_named_in_both() -> None:
    bank, retailer = pair()
    for party, size in ((bank, 812), (retailer, 813)):
        body = joint_body("psi.completed", [bank, retailer], counts={"intersection": size})
        joint = countersigned(body, [bank, retailer])
        party.append("psi.completed", job="job-1", attempt=1, joint=joint)
        party.checkpoint()
    found = failures(together(bank, retailer))
    assert len(found) == 2
    assert "retailer's log has this psi.completed with another text, at retailer.zip" in found[0]
    assert "bank's log has this psi.completed with another text, at bank.zip" in found[1]


def test_joint_signature_under_a_key_the_counterpart_does_not_have_is_named() -> None:
    bank, retailer = pair()
    impostor = Party("retailer", 7)
    body = joint_body("psi.completed", [bank, retailer], counts={"intersection": 812})
    bank.append(
        "psi.completed", job="job-1", attempt=1, joint=countersigned(body, [bank, impostor])
    )
    retailer.append(
        "psi.completed", job="job-1", attempt=1, joint=countersigned(body, [bank, retailer])
    )
    for party in (bank, retailer):
        party.checkpoint()
    found = failures(together(bank, retailer))
    assert len(found) == 1
    assert "seq 1" in found[0]
    assert "the signature of retailer is under another key than retailer's log has" in found[0]


def test_older_copy_of_one_log_agrees_with_the_newer() -> None:
    bank, retailer = small_job()
    older = bank.bundle()
    bank.append("job.closed", job="job-1")
    bank.checkpoint()
    archives = [("old.zip", older), ("new.zip", bank.bundle()), ("r.zip", retailer.bundle())]
    result = verify_bundles(archives, trust_of(bank, retailer))
    assert (result.exit_status, result.findings) == (0, [])


def test_fork_is_named_at_the_first_entry_that_differs() -> None:
    bank, _ = small_job()
    other = bank.clone()
    for party, type_ in ((bank, "job.closed"), (other, "job.stopped")):
        party.append(type_, job="job-1")
        party.checkpoint()
    archives = [("one.zip", bank.bundle()), ("two.zip", other.bundle())]
    found = failures(verify_bundles(archives, trust_of(bank)))
    assert len(found) == 1
    assert found[0].startswith("two.zip: events.jsonl, line 8, seq 7: from this entry on")
    assert "(a fork)" in found[0]


def rewritten(bank: Party) -> Party:
    """The bank's log as its owner rewrote it after its checkpoint had been kept elsewhere."""
    forger = bank.clone()
    with forger.begin() as connection:
        for table in ("entries", "checkpoints"):
            connection.execute(text(f"DROP TRIGGER audit_{table}_no_delete"))
        connection.execute(text("DELETE FROM audit_entries WHERE seq >= 4"))
        connection.execute(text("DELETE FROM audit_checkpoints WHERE tree_size > 4"))
    for _ in range(4):
        forger.append("job.closed", job="job-1")
    forger.checkpoint()
    return forger


def test_history_rewritten_by_its_owner_is_caught_by_the_checkpoint_the_other_kept() -> None:
    bank, retailer = small_job()
    forger = rewritten(bank)
    assert together(forger, trust=trust_of(bank, retailer)).exit_status == 0
    found = failures(together(forger, retailer, trust=trust_of(bank, retailer)))
    assert len(found) == 1
    assert found[0].startswith("retailer.zip: events.jsonl, line 5, seq 4, byte")
    assert "had signed another history of its first 6 entries" in found[0]


def test_copy_older_than_the_checkpoint_the_other_kept_is_refused() -> None:
    bank, retailer = Party("bank", 1), Party("retailer", 2)
    bank.checkpoint()
    older = bank.bundle()
    bank.append("job.closed", job="job-1")
    bank.checkpoint()
    retailer.keep_checkpoint_of(bank)
    retailer.checkpoint()
    archives = [("bank.zip", older), ("retailer.zip", retailer.bundle())]
    found = failures(verify_bundles(archives, None))
    assert "had signed 2 entries when this was written, and bank.zip has fewer" in found[0]


def test_kept_checkpoint_that_was_never_signed_is_refused() -> None:
    bank, retailer = pair()
    bank.checkpoint()
    made_up = keep_checkpoint(
        bank.latest_note(),
        suite=SUITE,
        origin="bank",
        public_key=bank.identity.public_key,
        actor=SERVICE,
    )
    with retailer.begin() as connection:
        retailer.log.append(connection, msgspec.structs.replace(made_up, counts={"tree_size": 9}))
    retailer.checkpoint()
    found = failures(together(bank, retailer))
    assert "the kept checkpoint of bank is not" in found[0]


def test_only_a_verified_checkpoint_is_kept() -> None:
    bank, retailer = pair()
    for party in (bank, retailer):
        party.checkpoint()
    good, key = bank.latest_note(), bank.identity.public_key
    foreign = retailer.latest_note().split(b"\n\n")[1]
    for note in (b"", good.replace(b"bank\n1\n", b"bank\n2\n"), good + foreign):
        with pytest.raises(CheckpointError):
            keep_checkpoint(note, suite=SUITE, origin="bank", public_key=key, actor=SERVICE)


GOOD_TRUST = '[[party]]\norigin = "bank"\nsuite = "gm"\nfingerprint = "{}"\n'


def test_fingerprint_may_be_typed_as_people_write_it() -> None:
    bank, _ = pair()
    bank.checkpoint()
    typed = bank.identity.fingerprint.replace(" ", "").upper()
    assert together(bank, trust=read_trust(GOOD_TRUST.format(typed).encode())).exit_status == 0


def test_key_is_expected_in_its_own_suite_only() -> None:
    class OtherSuite(GmSuite):
        name = "other"

    bank, _ = pair()
    trust, key = trust_of(bank), bank.identity.public_key
    assert trust.expects(SUITE, "bank", key)
    assert not trust.expects(OtherSuite("portable"), "bank", key)
    assert not trust.expects(SUITE, "bank", key[:-1])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a trust file"),
        (b"party = []", "names no party"),
        (b"\xff", "not a TOML file"),
        (b"= nonsense", "not a TOML file"),
        (b"x = " + b"[" * 5000, "not a TOML file"),
        (GOOD_TRUST.format("00").encode(), "64 hex digits"),
        (GOOD_TRUST.replace("gm", "none").format("00" * 32).encode(), "suite must be one of gm"),
        (GOOD_TRUST.replace("bank", "a b").format("00" * 32).encode(), "origin"),
        ((GOOD_TRUST * 2).format("00" * 32, "00" * 32).encode(), "listed twice"),
        ((GOOD_TRUST + "more = 1").format("00" * 32).encode(), "not a trust file"),
        (b"#" * (MAX_TRUST_BYTES + 1), "at most"),
    ],
)
def test_other_trust_files_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(TrustError, match=reason):
        read_trust(content)


def test_hostile_bundle_beside_a_good_one_is_named() -> None:
    bank, retailer = small_job()
    archives = [("bank.zip", bank.bundle()), ("junk.zip", b"PK\x03\x04junk")]
    found = failures(verify_bundles(archives, trust_of(bank, retailer)))
    assert all(line.startswith("junk.zip") for line in found)
