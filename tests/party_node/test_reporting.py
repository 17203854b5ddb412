"""Whatever happens at a node in a step is a signed answer, and no text in it holds a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flwr.app import ConfigRecord, RecordDict

from audit.event import Event
from audit.log import read_events
from party_node.errors import AttemptAbandoned, JobRefused, JobStopped, PeerUnreachable
from party_node.node import Node
from party_node.reporting import answer
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.session.phase_report import PhaseReport, SignedReport, open_report, payload_digest
from protocols.suite import get_suite
from tests.integration.horizontal.faulty_job import FaultyJob

PARTY = "retailer-1"
PHASE = "share"
SUITE = get_suite("intl")
SECRET = "138-0000-4711"
FOREIGN = """
def work(node, job, inbox, outbox):
    import hashlib
    hashlib.md5(b"x", usedforsecurity=False)
    return {}
"""


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> FaultyJob:
    """A job three nodes approved."""
    return FaultyJob.made(tmp_path_factory.mktemp("agreed") / "run", {}, parties=3)


@pytest.fixture
def job(agreed: FaultyJob, tmp_path: Path) -> FaultyJob:
    return agreed.copied(tmp_path / "copy")


def start(job: FaultyJob, inbox: dict[str, Any] | None = None, **changes: Any) -> RecordDict:
    record = job.record
    fields = {
        "job": record.spec.job_id,
        "spec": record.spec.to_bytes(),
        "approvals": record.approvals,
        "attempt": 1,
        "phase": PHASE,
    }
    return RecordDict({"start": ConfigRecord(fields | changes), "inbox": ConfigRecord(inbox or {})})


def opened(job: FaultyJob, report: SignedReport) -> tuple[PhaseReport, dict[str, Any]]:
    """Return what the coordinator makes of an answer: the signature holds."""
    spec = job.spec
    return open_report(
        report,
        spec_digest=spec.digest(SUITE),
        attempt=1,
        phase=PHASE,
        public_keys={p.party_id: bytes.fromhex(p.public_key) for p in spec.parties},
        suite=SUITE,
    )


def done(node: Node, job: Any, inbox: dict[str, bytes], outbox: dict[str, bytes]) -> dict[str, Any]:
    outbox["letter"] = b"to the others"
    return {"told": inbox["asked"].decode(), "by": node.party_id, "attempt": job.attempt}


def failing(error: BaseException) -> Callable[..., dict[str, Any]]:
    def work(node: Node, job: Any, inbox: Any, outbox: dict[str, bytes]) -> dict[str, Any]:
        outbox["letter"] = b"half of it"
        raise error

    return work


def events(job: FaultyJob) -> list[Event]:
    node = Node.open(job.home(PARTY))
    try:
        with node.engine.connect() as connection:
            return list(read_events(connection))
    finally:
        node.close()


def test_work_that_is_done_is_reported_with_what_goes_beside_it(job: FaultyJob) -> None:
    signed, outbox = answer(job.home(PARTY), PHASE, start(job, {"asked": b"this"}), done)
    report, payload = opened(job, signed)
    assert (report.sender, report.status) == (PARTY, "done")
    assert (payload["told"], payload["by"], payload["attempt"]) == ("this", PARTY, 1)
    assert outbox == {"letter": b"to the others"}
    assert payload["outbox"] == {"letter": payload_digest(b"to the others", SUITE)}
    assert [event.type for event in events(job)][-1] == "job.agreed"
    kept = json.loads((job.outputs(PARTY) / "primitives.json").read_text())
    assert kept["Ed25519"] == ["protocols.suite.ed25519_signature"]


def test_primitives_of_all_steps_are_kept_together(job: FaultyJob) -> None:
    path = job.outputs(PARTY) / "primitives.json"
    path.write_text(json.dumps({"made up": ["a.module"], "Ed25519": ["another.module"]}))
    answer(job.home(PARTY), PHASE, start(job, {"asked": b""}), done)
    kept = json.loads(path.read_text())
    assert kept["made up"] == ["a.module"]
    assert "another.module" in kept["Ed25519"]
    assert len(kept["Ed25519"]) > 1


@pytest.mark.parametrize(
    ("error", "status", "type_"),
    [
        (JobRefused("a floor says no", "change the job"), "refused", "phase.failed"),
        (JobStopped("somebody stopped it"), "stopped", "phase.failed"),
        (AttemptAbandoned("journals do not fit"), "abandoned", "phase.failed"),
        (PeerUnreachable("north did not connect", "see its log"), "failed", "phase.failed"),
        (LocalProtocolError("the table has no rows"), "failed", "phase.failed"),
        (
            RemoteProtocolError("a share of nobody", party="coordinator"),
            "failed",
            "message.refused",
        ),
    ],
)
def test_each_error_is_an_answer_and_an_event(
    job: FaultyJob, error: Exception, status: str, type_: str
) -> None:
    signed, outbox = answer(job.home(PARTY), PHASE, start(job), failing(error))
    report, payload = opened(job, signed)
    assert report.status == status
    assert payload["error"] == type(error).__name__
    assert str(getattr(error, "reason", error)) in payload["message"]
    assert payload["hint"] == getattr(error, "hint", payload["hint"])
    assert (outbox, payload["outbox"]) == ({}, {})
    last = events(job)[-1]
    assert (last.type, last.outcome.code, last.phase) == (type_, status, PHASE)
    assert last.outcome.status == ("denied" if status == "refused" else "failed")
    assert last.details["error"] == type(error).__name__


def test_text_of_an_unforeseen_error_stays_on_the_node(job: FaultyJob) -> None:
    signed, outbox = answer(job.home(PARTY), PHASE, start(job), failing(ValueError(SECRET)))
    report, payload = opened(job, signed)
    assert report.status == "failed"
    assert payload["message"] == f"{PARTY}: an unforeseen ValueError in {PHASE}"
    assert SECRET.encode() not in signed.payload
    assert not outbox
    log = job.home(PARTY) / "errors.log"
    assert SECRET in log.read_text()
    assert str(log) in payload["hint"]
    assert SECRET not in str(events(job)[-1])


def test_a_foreign_primitive_fails_the_step(job: FaultyJob) -> None:
    room: dict[str, Any] = {"__name__": "party_node.made_up"}
    exec(FOREIGN, room)
    signed, _ = answer(job.home(PARTY), PHASE, start(job), room["work"])
    report, payload = opened(job, signed)
    assert (report.status, payload["error"]) == ("failed", "ForeignPrimitive")
    assert " in party_node.made_up: not a primitive of suite intl" in payload["message"]
    kept = json.loads((job.outputs(PARTY) / "primitives.json").read_text())
    assert ["party_node.made_up"] in kept.values()


@pytest.mark.parametrize(
    "content",
    [
        RecordDict(),
        RecordDict({"start": ConfigRecord({"job": "churn"})}),
        RecordDict(
            {
                "start": ConfigRecord(
                    {"job": "j", "spec": b"", "approvals": b"", "attempt": 1, "phase": "unmask"}
                )
            }
        ),
    ],
)
def test_what_does_not_start_this_phase_is_refused(job: FaultyJob, content: RecordDict) -> None:
    before = len(events(job))
    signed, outbox = answer(job.home(PARTY), PHASE, content, failing(AssertionError("ran")))
    assert outbox == {}
    assert json.loads(signed.payload)["message"] == "not a phase start"
    assert json.loads(signed.body)["status"] == "refused"
    assert len(events(job)) == before


def test_a_job_nobody_here_heard_of_leaves_no_trace(job: FaultyJob) -> None:
    before = len(events(job))
    unheard = msgspec.structs.replace(job.spec, job_id="churn-unheard-of")
    content = start(job, spec=unheard.to_bytes())
    content.config_records["start"]["job"] = unheard.job_id
    signed, _ = answer(job.home(PARTY), PHASE, content, failing(AssertionError("ran")))
    assert json.loads(signed.body)["status"] == "refused"
    assert json.loads(signed.payload)["message"] == f"{PARTY} has no job churn-unheard-of"
    assert len(events(job)) == before
    assert not (job.home(PARTY) / "outputs" / unheard.job_id).exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"attempt": 0}, "attempt 0 was abandoned"),
        ({"approvals": b"{}"}, "approvals are not those of the spec's parties"),
        ({"spec": b"{}"}, "broke the protocol"),
    ],
)
def test_the_coordinator_is_not_believed(
    job: FaultyJob, changes: dict[str, Any], told: str
) -> None:
    signed, _ = answer(
        job.home(PARTY), PHASE, start(job, **changes), failing(AssertionError("ran"))
    )
    assert json.loads(signed.body)["status"] in ("refused", "failed")
    assert told in json.loads(signed.payload)["message"]


def test_letters_are_bytes(job: FaultyJob) -> None:
    content = start(job, {"asked": 1.5})
    signed, _ = answer(job.home(PARTY), PHASE, content, failing(AssertionError("ran")))
    _, payload = opened(job, signed)
    assert payload["party"] == "coordinator"
    assert "unreadable letters" in payload["message"]
