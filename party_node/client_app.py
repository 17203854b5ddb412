"""The node's Flower ClientApp: it opens the party's home, checks the start, runs the phase.

Flower's processes serve one party now and another next, so nothing of a party is kept outside this
call. What the coordinator sent is a signal only: the spec must be the one this node approved, and
where the party's data lies is never taken from a message.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from audit.catalogue import DetailValue
from audit.event import EventRefused, Outcome
from audit.key_files import KeyFileError
from audit.log import AuditError
from party_node.driver import Driver
from party_node.errors import (
    AttemptAbandoned,
    ForeignPrimitive,
    JobRefused,
    JobStopped,
    NodeError,
)
from party_node.jobs import Job, accept_start, load
from party_node.journal import Journal
from party_node.node import Node
from party_node.peer_channel import PeerLink, Session
from party_node.peer_channel.link import Deadlines
from party_node.peer_channel.loopback import LoopbackDialer
from party_node.phases.align import align
from party_node.phases.close import close
from party_node.phases.context import PhaseContext
from party_node.phases.evaluate import evaluate
from party_node.phases.match import match
from party_node.phases.score import score
from party_node.phases.train import train
from party_node.plan import Plan
from party_node.primitive_trace import check, tracing
from party_node.progress import ProgressFile
from party_node.store import transaction
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.session.approval import decode_approvals
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
_PHASES: dict[Phase, Callable[[PhaseContext], dict[str, Any]]] = {
    "align": align,
    "match": match,
    "train": train,
    "evaluate": evaluate,
    "score": score,
}


def stop_file(meeting_place: Path, attempt: int) -> Path:
    """Return the file whose presence stops every phase of an attempt at its next yield."""
    return meeting_place / f"stop-attempt-{attempt}"


def make_client_app(
    homes: Mapping[int, Path],
    meeting_place: Path,
    *,
    deadlines: Deadlines | None = None,
    at_yield: Callable[[str], None] = lambda party: None,
) -> ClientApp:
    """Return the ClientApp of a simulation whose node ``i`` is the party at ``homes[i]``.

    ``meeting_place`` is the folder in which the parties find each other's loopback port and the
    stop file. ``at_yield`` is called with the party's id at every yield of a role.
    """
    app = ClientApp()

    def run(phase: Phase, message: Message, context: Context) -> Message:
        home = homes[int(context.node_config["partition-id"])]
        runner = PhaseRunner(home, meeting_place, deadlines or Deadlines(), at_yield)
        signed, outbox = runner.run(phase, message.content)
        report = ConfigRecord(
            {"body": signed.body, "payload": signed.payload, "signature": signed.signature}
        )
        content = RecordDict({"report": report, "outbox": ConfigRecord(dict(outbox))})
        return Message(content, reply_to=message)

    @app.query("align")
    def _align(message: Message, context: Context) -> Message:
        return run("align", message, context)

    @app.query("match")
    def _match(message: Message, context: Context) -> Message:
        return run("match", message, context)

    @app.train()
    def _train(message: Message, context: Context) -> Message:
        return run("train", message, context)

    @app.evaluate()
    def _evaluate(message: Message, context: Context) -> Message:
        return run("evaluate", message, context)

    @app.query("score")
    def _score(message: Message, context: Context) -> Message:
        return run("score", message, context)

    @app.query("close")
    def _close(message: Message, context: Context) -> Message:
        return run("close", message, context)

    return app


class _Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A phase start as the coordinator sends it."""

    job: str
    spec: bytes
    approvals: bytes
    attempt: int
    phase: Phase


class PhaseRunner:
    """Runs one phase of one job at the party whose home it is given."""

    def __init__(
        self,
        home: Path,
        meeting_place: Path,
        deadlines: Deadlines,
        at_yield: Callable[[str], None],
    ) -> None:
        self._home = home
        self._meeting_place = meeting_place
        self._deadlines = deadlines
        self._at_yield = at_yield

    def run(self, phase: Phase, content: RecordDict) -> tuple[SignedReport, dict[str, bytes]]:
        """Run ``phase``; return a signed report, and what goes to the coordinator beside it.

        Whatever happens there is a report, and no text in it holds a value.
        """
        node = Node.open(self._home)
        outbox: dict[str, bytes] = {}
        try:
            start = _decode_start(content, phase)
            if start is None:
                nothing = _Start("", b"", b"", 0, phase)
                refusal = _said(JobRefused("not a phase start"))
                return _sign(node, nothing, phase, "refused", refusal), {}
            inbox = dict(content.config_records.get("inbox") or {})
            with tracing() as trace:
                status, payload = self._outcome(node, phase, start, inbox, outbox)
            foreign = check(node.keys.suite.name, trace.used)
            if foreign:
                status, payload = "failed", _said(ForeignPrimitive(foreign[0], _LISTED))
            _keep_primitives(node, start.job, trace.used)
            if status != "done":
                _record_failure(node, start.job, phase, status, payload)
            payload["outbox"] = {
                peer: payload_digest(data, node.keys.suite) for peer, data in outbox.items()
            }
            return _sign(node, start, phase, status, payload), outbox
        finally:
            node.close()

    def _outcome(
        self,
        node: Node,
        phase: Phase,
        start: _Start,
        inbox: dict[str, Any],
        outbox: dict[str, bytes],
    ) -> tuple[Status, dict[str, Any]]:
        try:
            approvals = decode_approvals(start.approvals)
            job = accept_start(node, start.spec, approvals, start.attempt, phase)
            try:
                letters = msgspec.convert(inbox, dict[str, bytes])
            except msgspec.ValidationError:
                raise RemoteProtocolError("unreadable answers", party="coordinator") from None
            return "done", self._run_phase(node, job, phase, letters, outbox)
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

    def _run_phase(
        self,
        node: Node,
        job: Job,
        phase: Phase,
        inbox: dict[str, bytes],
        outbox: dict[str, bytes],
    ) -> dict[str, Any]:
        if phase == "close":
            return close(node, job)
        journal = Journal(node.engine, node.keys, job.spec.job_id, job.attempt)
        steps = Plan.of(job.spec)
        begun = journal.begun_steps()
        own = steps.of_party(node.party_id)
        first_open = next((i for i in own if not begun.get(i)), len(steps.steps))
        of_phase = steps.of_party(node.party_id, phase)
        is_first_run = not any(i in begun for i in of_phase)
        stopped = stop_file(self._meeting_place, job.attempt).exists
        if not is_first_run and first_open in of_phase:
            with transaction(node.engine) as connection:
                job.event(
                    node,
                    connection,
                    "job.resumed",
                    phase=phase,
                    details={"step": steps.steps[first_open].name, "reason": "restart"},
                )
        links = {
            peer.party_id: PeerLink(
                peer.party_id,
                Session(
                    node.party_id, job.spec.job_id, job.spec.digest(node.keys.suite), job.attempt
                ),
                LoopbackDialer(node.party_id, peer.party_id, self._meeting_place),
                journal,
                deadlines=self._deadlines,
                start_ordinal=first_open,
            )
            for peer in job.spec.parties
            if peer.party_id != node.party_id
        }
        with ProgressFile(node.home / "progress.json", phase) as progress:
            driver = Driver(
                journal,
                links,
                plan=steps,
                stopped=stopped,
                on_progress=progress.update,
                at_yield=lambda: self._at_yield(node.party_id),
            )
            context = PhaseContext(node, job, phase, journal, driver, is_first_run, inbox, outbox)
            try:
                started = time.monotonic()
                result = _PHASES[phase](context)
                for link in links.values():
                    link.linger(stopped)
                if first_open in of_phase:
                    _record_completion(context, started)
                return result
            except AttemptAbandoned as error:
                for link in links.values():
                    link.abandon(error.message)
                raise
            finally:
                for link in links.values():
                    link.close()


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


def _record_completion(context: PhaseContext, started: float) -> None:
    """Log what the phase cost: wall time, and what went to peers and to the coordinator."""
    spent = context.journal.cost().get(context.phase, {})
    counts = {
        name: spent.get(name, 0)
        for name in ("messages_sent", "bytes_sent", "messages_received", "bytes_received")
    }
    counts["messages_sent"] += len(context.outbox)
    counts["bytes_sent"] += sum(map(len, context.outbox.values()))
    counts["messages_received"] += len(context.inbox)
    counts["bytes_received"] += sum(map(len, context.inbox.values()))
    counts["duration_ms"] = round((time.monotonic() - started) * 1000)
    with transaction(context.node.engine) as connection:
        context.event(connection, "phase.completed", details={"step": context.phase}, counts=counts)
        context.node.checkpoint(connection)


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
