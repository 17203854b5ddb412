"""Both logs of a run: they verify together, and without a log nothing starts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from party_node.errors import DatasetError, JobRefused, NodeError
from party_node.psi import run, setting_out
from party_node.psi.evidence import Evidence
from party_node.psi.log_folder import DATABASE, Signer, open_log
from party_node.psi.options import PsiOptions
from party_node.psi.streams import PeerEnded
from protocols.suite import get_suite
from tests.leak_scan import scan
from tests.party_node.meeting import identity
from tests.party_node.psi.logs import events_of, types_of, verified
from tests.party_node.psi.sides import (
    Watcher,
    free_port,
    options,
    run_both,
    run_side,
    secured,
    write_table,
)

WHOLE = [
    "log.opened",
    "job.proposed",
    "job.approved",
    "job.agreed",
    "psi.started",
    "psi.completed",
    "release.intended",
    "release.done",
    "log.checkpoint",
    "job.closed",
]


@pytest.fixture(autouse=True, scope="module")
def without_rehearsals() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setting_out, "rehearse", lambda *_: None)
        yield


def phones(numbers: range) -> list[tuple[str, str]]:
    return [(f"138{number:08d}", "x") for number in numbers]


def parties(tmp_path: Path, suite: str = "intl", **both: Any) -> tuple[PsiOptions, PsiOptions]:
    """The bank with 100 customers, the retailer with 90, 60 of them shared."""
    port = free_port()
    bank = write_table(tmp_path / "bank.csv", phones(range(100)))
    shop = write_table(tmp_path / "shop.csv", phones(range(40, 130)))
    both = {"kinds": ("phone",), "floor": 50, "basis": "CN13_1"} | both
    if both.get("reveal") == "size":
        both["output"] = None
    senders = {"output": None} if both.get("to") == "receiver" else {}
    return (
        options("receiver", bank, port, **(both | secured("receiver", tmp_path, suite))),
        options("sender", shop, port, **(both | senders | secured("sender", tmp_path, suite))),
    )


def logs(asked: tuple[PsiOptions, PsiOptions]) -> list[Path]:
    return [side.log for side in asked if side.log is not None]


@pytest.mark.parametrize("suite", ["gm", "intl"])
@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
def test_both_logs_verify_together(tmp_path: Path, suite: str, protocol: str) -> None:
    asked = parties(tmp_path, suite, protocol=protocol)
    for ending in run_both(*asked):
        assert ending.result.intersection == 60
    bank, shop = logs(asked)
    assert types_of(bank) == WHOLE
    assert types_of(shop) == WHOLE
    result = verified(bank, shop)
    assert result.exit_status == 0, result.findings
    assert result.joint_statements == 2
    assert set(result.kept) == {"fedcrm/node/bank", "fedcrm/node/retailer"}


def test_the_joint_statements_are_the_same_bytes(tmp_path: Path) -> None:
    asked = parties(tmp_path)
    run_both(*asked)
    joint = [[e.joint for e in events_of(log) if e.joint] for log in logs(asked)]
    assert [j.body.type for j in joint[0]] == ["job.agreed", "psi.completed"]
    assert joint[0] == joint[1]
    assert joint[0][1].body.counts == {"floor": 50, "intersection": 60}
    assert len(joint[0][1].signatures) == 2


def test_each_log_says_what_its_party_learned(tmp_path: Path) -> None:
    asked = parties(tmp_path, protocol="vole", to="receiver")
    run_both(*asked)
    learned = {}
    for log in logs(asked):
        (event,) = [e for e in events_of(log) if e.type == "psi.completed"]
        learned[log.name] = event.details["learned"], event.counts
    assert learned["bank-log"][0] == [
        "size-of-the-other-set",
        "size-of-the-intersection",
        "which-own-customers-are-shared",
    ]
    assert learned["bank-log"][1]["intersection"] == 60
    assert learned["retailer-log"][0] == ["size-of-the-other-set"]
    assert "intersection" not in learned["retailer-log"][1]
    assert "release.done" not in types_of(logs(asked)[1])
    assert verified(*logs(asked)).exit_status == 0


def test_below_the_floor_both_sign_that_nothing_was_revealed(tmp_path: Path) -> None:
    asked = parties(tmp_path, floor=61)
    for ending in run_both(*asked):
        assert not ending.result.opened
    for log in logs(asked):
        assert types_of(log)[-3:] == ["psi.refused", "log.checkpoint", "job.closed"]
        (event,) = [e for e in events_of(log) if e.type == "psi.refused"]
        assert (event.outcome.status, event.outcome.code) == ("denied", "below-floor")
        assert "intersection" not in event.counts
    assert verified(*logs(asked)).exit_status == 0


def test_who_approved_is_the_officer_or_the_scripts_yes(tmp_path: Path) -> None:
    receiver, sender = parties(tmp_path)
    asked = replace(receiver, officer="officer-7"), sender
    run_both(*asked)
    approvals = [
        next(e.actor for e in events_of(log) if e.type == "job.approved") for log in logs(asked)
    ]
    assert [(a.kind, a.id) for a in approvals] == [("human", "officer-7"), ("service", "retailer")]
    assert approvals[1].role == "automatic-approver"


def test_no_identifier_is_in_a_log_or_in_what_is_said(tmp_path: Path) -> None:
    asked = parties(tmp_path, floor=1)
    endings = run_both(*asked)
    secrets = [row[0] for row in (*phones(range(100)), *phones(range(100, 130)))]
    said = "\n".join(text for ending in endings for text in ending.watcher.said)
    assert scan(logs(asked), {"said": said.encode()}, secrets, get_suite("intl")) == []


# -- the guard ---------------------------------------------------------------------------------


def test_a_list_is_never_guarded_but_its_changes_are_counted(tmp_path: Path) -> None:
    asked = parties(tmp_path)
    run_both(*asked)
    write_table(asked[0].input, phones(range(3, 101)))
    endings = run_both(*asked)
    assert endings[0].result.opened
    last = [e for e in events_of(logs(asked)[0]) if e.type == "psi.completed"][-1]
    assert (last.counts["added"], last.counts["removed"]) == (1, 3)
    other = [e for e in events_of(logs(asked)[1]) if e.type == "psi.completed"][-1]
    assert (other.counts["added"], other.counts["removed"]) == (0, 0)
    assert verified(*logs(asked)).exit_status == 0


def test_a_nearly_equal_set_is_refused_where_only_the_size_is_told(tmp_path: Path) -> None:
    asked = parties(tmp_path, reveal="size")
    assert [ending.result.intersection for ending in run_both(*asked)] == [50, 50]
    # The same again tells nothing new; one customer more would.
    assert [ending.result.intersection for ending in run_both(*asked)] == [50, 50]
    write_table(asked[0].input, phones(range(101)))
    receiver, sender = run_both(*asked)
    assert isinstance(receiver.error, JobRefused)
    assert "fewer than 50 rows" in receiver.error.message
    assert isinstance(sender.error, PeerEnded)
    bank, shop = logs(asked)
    assert types_of(bank)[-1] == "psi.refused"
    assert events_of(bank)[-1].outcome.code == "guard"
    assert types_of(shop)[-1] == "phase.failed"
    assert verified(bank, shop).exit_status == 0
    write_table(asked[0].input, phones(range(150)))
    assert run_both(*asked)[0].result.intersection == 50


def test_rows_withdrawn_by_right_do_not_block_a_run(tmp_path: Path) -> None:
    asked = parties(tmp_path, reveal="size")
    run_both(*asked)
    gone = write_table(tmp_path / "gone.csv", phones(range(7)))
    receiver, _ = run_both(replace(asked[0], exclude=gone), asked[1])
    assert receiver.result.intersection == 50
    assert receiver.result.rows == 93


def test_a_peer_that_drops_out_with_its_result_does_not_get_round_the_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = parties(tmp_path, reveal="size")
    original = run._conclude

    def drop_out(ready: Any, *more: Any) -> Any:
        if ready.options.role == "sender":
            return original(ready, *more)
        raise DatasetError("the receiver has its size and says no more")

    with monkeypatch.context() as patch:
        patch.setattr(run, "_conclude", drop_out)
        run_both(*asked)
    write_table(asked[1].input, phones(range(40, 129)))  # one customer less at the sender
    _, sender = run_both(*asked)
    assert isinstance(sender.error, JobRefused)
    assert "fewer than 50 rows" in sender.error.message


# -- runs that end badly -----------------------------------------------------------------------


def test_a_refusal_is_in_both_logs(tmp_path: Path) -> None:
    asked = parties(tmp_path)
    endings = run_both(*asked, watchers=(Watcher(), Watcher(approves=False)))
    for ending in endings:
        assert isinstance(ending.error, JobRefused)
        assert ending.error.message == "retailer did not approve the run"
    assert types_of(logs(asked)[0])[1:] == ["job.proposed", "job.approved", "job.refused"]
    assert types_of(logs(asked)[1])[1:] == ["job.proposed", "job.refused"]
    assert verified(*logs(asked)).exit_status == 0


def test_a_failure_is_recorded_by_its_kind_and_not_by_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = parties(tmp_path)
    original = run.write_matching

    def write(path: Path, *more: Any, **options: Any) -> bytes:
        if path.name == "bank.csv":
            raise DatasetError("13800000001 is not writable")
        return original(path, *more, **options)

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_matching", write)
        receiver, sender = run_both(*asked)
    assert isinstance(receiver.error, DatasetError)
    assert isinstance(sender.error, PeerEnded)
    bank, shop = logs(asked)
    assert types_of(bank)[-3:] == ["release.intended", "release.failed", "phase.failed"]
    assert events_of(bank)[-1].details == {"reason": "error", "error": "DatasetError"}
    assert b"13800000001" not in (bank / DATABASE).read_bytes()
    assert types_of(shop)[-1] == "phase.failed"
    assert verified(bank, shop).exit_status == 0
    # The same commands go on, and both logs still agree.
    assert [ending.result.resumed for ending in run_both(*asked)] == [True, True]
    assert types_of(bank).count("psi.completed") == 1
    assert verified(bank, shop).exit_status == 0


def test_what_was_to_be_released_when_the_process_was_killed_is_settled(tmp_path: Path) -> None:
    asked = parties(tmp_path)
    run_both(*asked)
    bank = logs(asked)[0]
    own = identity("bank", "intl")
    signer = Signer("bank", own.suite, own.public_key, own.signing_key)
    evidence = Evidence.open(bank, signer, None)
    evidence.propose(run_both(*asked)[0].watcher.asked[0])
    evidence.intend_release(60)
    evidence.close()
    Evidence.open(bank, signer, None).close()
    last = events_of(bank)[-1]
    assert (last.type, last.outcome.code) == ("release.failed", "interrupted")


# -- no log, no run ----------------------------------------------------------------------------


@pytest.mark.parametrize("obstacle", ["file", "folder", "database"])
def test_without_a_log_that_can_be_written_nothing_starts(
    tmp_path: Path, obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _ = parties(tmp_path)
    log = tmp_path / "bank-log"
    if obstacle == "file":
        log.write_text("in the way")
    elif obstacle == "folder":
        (log / DATABASE).mkdir(parents=True)
    else:
        log.mkdir()
        (log / DATABASE).write_bytes(b"not a database" * 100)
    read: list[Path] = []
    monkeypatch.setattr(setting_out, "read_rounds", lambda asked, _: read.append(asked.input))
    ending = run_side(asked)
    assert isinstance(ending.error, NodeError)
    assert "audit log" in ending.error.message
    assert "without a log nothing starts" in ending.error.hint
    assert read == []


def test_another_keys_log_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    asked, _ = parties(tmp_path)
    shop = identity("retailer", "intl")
    engine, _ = open_log(
        tmp_path / "bank-log", Signer("retailer", shop.suite, shop.public_key, shop.signing_key)
    )
    engine.dispose()
    before = types_of(tmp_path / "bank-log")
    ending = run_side(asked)
    assert isinstance(ending.error, NodeError)
    assert "belongs to another key" in ending.error.message
    assert types_of(tmp_path / "bank-log") == before


def test_a_log_that_fails_during_the_run_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = parties(tmp_path)
    original = Evidence.start

    def start(self: Evidence, counts: Any) -> None:
        if self._signer.party == "bank":
            database = sqlite3.connect(tmp_path / "bank-log" / DATABASE)
            database.executescript("DROP TABLE audit_checkpoints; DROP TABLE audit_entries;")
            database.close()
        original(self, counts)

    monkeypatch.setattr(Evidence, "start", start)
    receiver, sender = run_both(*asked)
    assert isinstance(receiver.error, NodeError)
    assert "the audit log cannot be written" in receiver.error.message
    assert isinstance(sender.error, PeerEnded)
    assert not any(side.output and side.output.exists() for side in asked)
