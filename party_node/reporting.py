"""How a node answers the coordinator: it checks the start, works, and signs what it says.

What the coordinator sent is a signal only: the spec must be the one this node approved. Whatever
happens there is an answer, signed over the job, the attempt and the phase, and no text in it holds
a value.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from flwr.app import RecordDict

from audit.catalogue import DetailValue
from audit.event import EventRefused, Outcome
from audit.key_files import KeyFileError
from audit.log import AuditError
from party_node.errors import (
    AttemptAbandoned,
    ForeignPrimitive,
    JobRefused,
    JobStopped,
    NodeError,
)
from party_node.jobs import Job, accept_start, load
from party_node.node import Node
from party_node.primitive_trace import check, tracing
from party_node.store import transaction
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.session.approval import decode_approvals
from protocols.session.decoded_spec import Spec
from protocols.session.phase_report import (
    Phase,
    PhaseReport,
    SignedReport,
    Status,
    encode_report,
    payload_digest,
    signed_bytes,
)
from protocols.suite import canonical

_LISTED = "the suite and its exceptions are listed in party_node/primitive_trace.py"

Letters: TypeAlias = dict[str, bytes]
"""What travels beside a start or a report, by name."""
Work: TypeAlias = Callable[[Node, Job[Spec], Letters, Letters], dict[str, Any]]
"""Works on (node, job, inbox, outbox); fills the outbox and returns the report's payload."""


class _Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A phase start as the coordinator sends it."""

    job: str
    spec: bytes
    approvals: bytes
    attempt: int
    phase: Phase


def answer(
    home: Path, phase: Phase, content: RecordDict, work: Work
) -> tuple[SignedReport, Letters]:
    """Do ``work`` at the node in ``home`` if ``content`` starts ``phase`` of a job it approved.

    Returns a signed report, and what goes to the coordinator beside it.
    """
    node = Node.open(home)
    outbox: Letters = {}
    try:
        start = _decode_start(content, phase)
        if start is None:
            nothing = _Start("", b"", b"", 0, phase)
            refusal = _said(JobRefused("not a phase start"))
            return _sign(node, nothing, phase, "refused", refusal), {}
        inbox = dict(content.config_records.get("inbox") or {})
        with tracing() as trace:
            status, payload = _outcome(node, phase, start, inbox, outbox=outbox, work=work)
        foreign = check(node.keys.suite.name, trace.used)
        if foreign:
            status, payload = "failed", _said(ForeignPrimitive(foreign[0], _LISTED))
        _keep_primitives(node, start.job, trace.used)
        if status != "done":
            outbox.clear()
            _record_failure(node, start.job, phase, status, payload)
        payload["outbox"] = {
            name: payload_digest(data, node.keys.suite) for name, data in outbox.items()
        }
        return _sign(node, start, phase, status, payload), outbox
    finally:
        node.close()


def _outcome(
    node: Node,
    phase: Phase,
    start: _Start,
    inbox: dict[str, Any],
    *,
    outbox: Letters,
    work: Work,
) -> tuple[Status, dict[str, Any]]:
    try:
        approvals = decode_approvals(start.approvals)
        job = accept_start(node, start.spec, approvals, start.attempt, phase)
        try:
            letters = msgspec.convert(inbox, dict[str, bytes])
        except msgspec.ValidationError:
            raise RemoteProtocolError("unreadable letters", party="coordinator") from None
        return "done", work(node, job, letters, outbox)
    except JobRefused as error:
        return "refused", _said(error)
    except JobStopped as error:
        return "stopped", _said(error)
    except AttemptAbandoned as error:
        return "abandoned", _said(error)
    except NodeError as error:
        return "failed", _said(error)
    except RemoteProtocolError as error:
        return "failed", {
            "error": type(error).__name__,
            "party": error.party,
            "step": error.step or phase,
            "message": f"{error.party or 'a peer'} broke the protocol in "
            f"{error.step or phase}: {error.reason}",
            "hint": "the job ends here; ask that party's operator",
        }
    except (KeyFileError, EventRefused, AuditError, LocalProtocolError) as error:
        return "failed", {"error": type(error).__name__, "message": str(error), "hint": ""}
    except Exception as error:  # noqa: BLE001
        # Text of an unforeseen exception may hold a value: it stays on this node.
        log = node.home / "errors.log"
        with log.open("a") as file:
            traceback.print_exc(file=file)
        return "failed", {
            "error": type(error).__name__,
            "message": f"{node.party_id}: an unforeseen {type(error).__name__} in {phase}",
            "hint": f"details stay on the node, in {log}",
        }


def _record_failure(
    node: Node, job_id: str, phase: Phase, status: Status, payload: dict[str, Any]
) -> None:
    """Log how a phase ended that did not end well; a job never heard of leaves no trace here."""
    try:
        job = load(node, job_id)
    except NodeError:
        return
    details: dict[str, DetailValue] = {"error": payload["error"]}
    if payload.get("party"):
        details |= {"party": payload["party"], "step": payload["step"]}
        type_ = "message.refused"
    else:
        details |= {"step": phase, "reason": status}
        type_ = "phase.failed"
    with transaction(node.engine) as connection:
        job.event(
            node,
            connection,
            type_,
            phase=phase,
            details=details,
            outcome=Outcome(status="denied" if status == "refused" else "failed", code=status),
        )
        node.checkpoint(connection)


def _keep_primitives(node: Node, job_id: str, used: Mapping[str, set[str]]) -> None:
    """Add to this node's list of the primitives a job touched, and which modules did."""
    try:
        load(node, job_id)
    except NodeError:
        return
    path = node.outputs(job_id) / "primitives.json"
    known: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
    for primitive, modules in used.items():
        known[primitive] = sorted({*known.get(primitive, []), *modules})
    path.write_text(json.dumps(known, indent=2, sort_keys=True))


def _decode_start(content: RecordDict, phase: Phase) -> _Start | None:
    """Return the phase start, or None for content that is not one for ``phase``."""
    try:
        start = msgspec.convert(dict(content.config_records.get("start") or {}), _Start)
    except msgspec.ValidationError:
        return None
    return start if start.phase == phase else None


def _said(error: NodeError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": error.message, "hint": error.hint}


def _sign(
    node: Node, start: _Start, phase: Phase, status: Status, payload: dict[str, Any]
) -> SignedReport:
    suite = node.keys.suite
    data = canonical.encode(payload)
    body = encode_report(
        PhaseReport(
            spec_digest=suite.hash(b"fedcrm/job-spec/v1\x00", start.spec).hex(),
            attempt=start.attempt,
            phase=phase,
            sender=node.party_id,
            status=status,
            payload_digest=payload_digest(data, suite),
        )
    )
    return SignedReport(body, data, node.keys.sign(signed_bytes(body)))
