"""fsck finds what was altered once the triggers were out of the way."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from audit.fsck import Fsck, fsck
from audit.log import AuditError
from tests.audit.made_logs import Party, small_job

TRIGGERS = [
    f"audit_{table}_{what}"
    for table in ("entries", "checkpoints")
    for what in ("no_update", "no_delete", "in_order")
]


def checked(party: Party) -> Fsck:
    with party.begin() as connection:
        return fsck(connection, "node.sqlite")


def altered(*statements: str) -> list[str]:
    """Return what fsck says after someone with the database file ran ``statements``."""
    party, _ = small_job()
    with party.begin() as connection:
        for trigger in TRIGGERS:
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        for statement in statements:
            connection.execute(text(statement))
    result = checked(party)
    assert result.findings.any_failed
    texts = [str(finding) for finding in result.findings]
    return [line for line in texts if "trigger" not in line]


def test_intact_log_passes() -> None:
    bank, _ = small_job()
    result = checked(bank)
    assert list(result.findings) == []
    assert (result.entries, result.signed) == (7, 7)


def test_entries_after_the_last_checkpoint_are_only_noted() -> None:
    bank, _ = small_job()
    bank.append("job.closed", job="job-1")
    result = checked(bank)
    assert not result.findings.any_failed
    assert [str(f) for f in result.findings] == [
        "node.sqlite: audit_entries, seq 7: 1 entries from here on are not signed yet"
    ]


def test_dropped_or_changed_triggers_are_named() -> None:
    party, _ = small_job()
    with party.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_delete"))
        connection.execute(text("DROP TRIGGER audit_entries_no_update"))
        connection.execute(
            text(
                "CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries "
                "WHEN 0 BEGIN SELECT 1; END"
            )
        )
    named = [finding.place.file for finding in checked(party).findings]
    assert named == ["audit_entries_no_update", "audit_entries_no_delete"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE audit_entries SET entry = CAST(replace(entry, '1200', '1100') AS BLOB) "
            "WHERE seq = 1",
            "seq 1: the stored leaf hash is not of the stored entry",
        ),
        (
            "UPDATE audit_entries SET entry = CAST(replace(entry, '1200', '1100') AS BLOB) "
            "WHERE seq = 1",
            "seq 1: this entry was changed after it was written",
        ),
        (
            "UPDATE audit_entries SET entry = CAST(replace(entry, '1200', '1100') AS BLOB) "
            "WHERE seq = 1",
            "entries 0 to 2 are not those that were signed",
        ),
        (
            "UPDATE audit_entries SET leaf_hash = zeroblob(32) WHERE seq = 2",
            "seq 2: the stored leaf hash is not of the stored entry",
        ),
        (
            "UPDATE audit_entries SET job = 'job-9' WHERE seq = 4",
            "seq 4: the look-up columns differ from the entry",
        ),
        ("DELETE FROM audit_entries WHERE seq = 3", "entry 3 should stand here, not entry 4"),
        ("DELETE FROM audit_entries WHERE seq = 6", "entry 6 and those after it are missing"),
        (
            'UPDATE audit_entries SET entry = CAST(\'{"leaf_hash":"\' || lower(hex(leaf_hash)) || '
            "'\"}' AS BLOB) WHERE seq = 1",
            "seq 1: the entry was replaced by its hash",
        ),
        ("UPDATE audit_entries SET entry = 'text' WHERE seq = 1", "seq 1: not an event"),
        ("UPDATE audit_checkpoints SET note = x'00'", "audit_checkpoints, line 1: the note"),
        (
            "UPDATE audit_checkpoints SET frontier = x'00'",
            "line 1: the stored frontier is not the frontier of 3 leaves",
        ),
        (
            "UPDATE audit_checkpoints SET frontier = zeroblob(length(frontier))",
            "line 1: the stored frontier is not that of the signed note",
        ),
    ],
)
def test_altered_row_is_named(statement: str, expected: str) -> None:
    lines = altered(statement)
    assert any(expected in line for line in lines), lines


def test_database_without_a_log_is_an_error() -> None:
    party = Party("bank", 1)
    with party.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_delete"))
        connection.execute(text("DELETE FROM audit_entries"))
        with pytest.raises(AuditError, match="holds no log"):
            fsck(connection, "node.sqlite")
