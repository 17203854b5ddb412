"""Drives one job through its phases over a Flower Grid; believed by nobody, so it claims nothing.

A phase start is only a signal: parties run what the signed spec says. Flower neither cancels a
running ClientApp nor bounds its time, so the push/pull loop, its deadline and the stop signal are
ours (Flower 1.41 ``send_and_receive`` returns fewer replies on a time-out and says no more).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from coordinator.token_matching import match_tokens
from protocols.errors import RemoteProtocolError
from protocols.session.agreed_job import session_binding
from protocols.session.job_spec import JobSpec
from protocols.session.phase_report import (
    Phase,
    PhaseReport,
    SignedReport,
    open_report,
    payload_digest,
    phases_of,
)
from protocols.suite import Suite

MAX_ATTEMPTS = 3
_MESSAGE_TYPES: dict[str, str] = {
    "align": "query.align",
    "match": "query.match",
    "train": "train",
    "evaluate": "evaluate",
    "score": "query.score",
    "close": "query.close",
}


@dataclass(frozen=True)
class PhaseOutcome:
    """How a phase ended: each party's verified report, and what went wrong, if anything."""

    phase: Phase
    attempt: int
    reports: Mapping[str, tuple[PhaseReport, dict[str, Any]]]
    lost: str = ""
    """Why not every party reported; empty when all did."""

    @property
    def status(self) -> str:
        """The phase's status: ``done`` only when every party says so."""
        statuses = {report.status for report, _ in self.reports.values()}
        for status in ("abandoned", "refused", "failed"):
            if status in statuses:
                return status
        if self.lost:
            return "failed"
        return "stopped" if "stopped" in statuses else "done"


@dataclass
class JobDrive:
    """One job, from its present phase to its end."""

    spec: JobSpec
    approvals: bytes
    suite: Suite
    public_keys: dict[str, bytes]
    attempt: int
    first_phase: Phase
    """Where to go on: every party has finished the phases before it in this attempt."""
    on_phase: Callable[[Phase, int], None]
    """Called before a phase starts, with its attempt: the place to make both durable."""
    on_outcome: Callable[[PhaseOutcome], None]
    stop: Callable[[int], None]
    """Asks every party to leave its phase of an attempt at the next yield."""
    phase_deadline_s: float = 12 * 3600.0
    stop_grace_s: float = 90.0
    poll_s: float = 0.1
    _party_of_node: dict[int, str] = field(default_factory=dict, init=False)
    _tokens: dict[str, dict[str, bytes]] = field(default_factory=dict, init=False)

    def run(self, grid: Grid) -> None:
        """Run phase after phase, and again from the first where an attempt was abandoned."""
        nodes = self._wait_for_nodes(grid)
        every = phases_of(self.spec)
        phases = every[every.index(self.first_phase) :]
        while True:
            outcome = self._run_phases(grid, nodes, phases)
            if outcome.status == "refused":
                # Over for good: what the parties kept for a resume is destroyed.
                self._run_phase(grid, nodes, "close")
            if outcome.status != "abandoned" or self.attempt >= MAX_ATTEMPTS:
                return
            self.attempt += 1
            phases = every

    def _run_phases(self, grid: Grid, nodes: list[int], phases: tuple[Phase, ...]) -> PhaseOutcome:
        """Run ``phases`` until one does not end well; return the last one's outcome."""
        for phase in phases:
            self.on_phase(phase, self.attempt)
            outcome = self._run_phase(grid, nodes, phase)
            self.on_outcome(outcome)
            if outcome.status != "done":
                break
        return outcome

    def _wait_for_nodes(self, grid: Grid) -> list[int]:
        give_up = time.monotonic() + 120
        while True:
            nodes = sorted(grid.get_node_ids())
            if len(nodes) == len(self.spec.parties):
                return nodes
            if time.monotonic() > give_up:
                raise TimeoutError(f"{len(nodes)} of {len(self.spec.parties)} nodes appeared")
            time.sleep(self.poll_s)

    def _run_phase(self, grid: Grid, nodes: list[int], phase: Phase) -> PhaseOutcome:
        reports: dict[str, tuple[PhaseReport, dict[str, Any]]] = {}
        lost = ""
        answers: dict[str, dict[str, bytes]] = {}
        if phase == "match":
            try:
                binding = session_binding(self.spec, self.attempt, self.suite)
                answers = match_tokens(self.spec, binding, self._tokens)
            except RemoteProtocolError as error:
                return PhaseOutcome(phase, self.attempt, reports, str(error))
        starts = [
            self._start(node, phase, answers.get(self._party_of_node.get(node, ""), {}))
            for node in nodes
        ]
        waiting = set(grid.push_messages(starts))
        give_up = time.monotonic() + self.phase_deadline_s
        while waiting:
            for reply in grid.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                try:
                    report, payload = self._open(reply, phase)
                    reports[report.sender] = (report, payload)
                    self._party_of_node[reply.metadata.src_node_id] = report.sender
                    self._tokens[report.sender] = self._outbox(reply, report.sender, payload)
                except RemoteProtocolError as error:
                    lost = lost or str(error)
            going_wrong = lost or any(r.status != "done" for r, _ in reports.values())
            if waiting and going_wrong and give_up > time.monotonic() + self.stop_grace_s:
                self.stop(self.attempt)
                give_up = time.monotonic() + self.stop_grace_s
            if waiting and time.monotonic() > give_up:
                missing = sorted({p.party_id for p in self.spec.parties} - set(reports))
                lost = lost or f"no report from {', '.join(missing)} before the deadline"
                self.stop(self.attempt)
                break
            if waiting:
                time.sleep(self.poll_s)
        return PhaseOutcome(phase, self.attempt, reports, lost)

    def _start(self, node: int, phase: Phase, inbox: dict[str, bytes]) -> Message:
        record = ConfigRecord(
            {
                "job": self.spec.job_id,
                "spec": self.spec.to_bytes(),
                "approvals": self.approvals,
                "attempt": self.attempt,
                "phase": phase,
            }
        )
        return Message(
            RecordDict({"start": record, "inbox": ConfigRecord(dict(inbox))}),
            dst_node_id=node,
            message_type=_MESSAGE_TYPES[phase],
            ttl=self.phase_deadline_s + 2 * self.stop_grace_s,
        )

    def _open(self, reply: Message, phase: Phase) -> tuple[PhaseReport, dict[str, Any]]:
        if reply.has_error():
            # Flower's text may carry anything the app raised; only its code is kept.
            raise RemoteProtocolError(
                f"a party's process ended in phase {phase} (Flower error {reply.error.code})"
            )
        record = reply.content.config_records.get("report")
        try:
            fields = [bytes(record[name]) for name in ("body", "payload", "signature")]  # type: ignore[index,arg-type]
        except (TypeError, KeyError, ValueError):
            raise RemoteProtocolError(f"an unreadable report in phase {phase}") from None
        return open_report(
            SignedReport(*fields),
            spec_digest=self.spec.digest(self.suite),
            attempt=self.attempt,
            phase=phase,
            public_keys=self.public_keys,
            suite=self.suite,
        )

    def _outbox(self, reply: Message, party: str, payload: dict[str, Any]) -> dict[str, bytes]:
        """Return what came beside a report, if it is what the report signs."""
        record = dict(reply.content.config_records.get("outbox") or ConfigRecord())
        signed = payload.get("outbox", {})
        outbox = {str(peer): data for peer, data in record.items() if isinstance(data, bytes)}
        digests = {peer: payload_digest(data, self.suite) for peer, data in outbox.items()}
        if digests != signed:
            raise RemoteProtocolError("what came with the report is not what it signs", party=party)
        return outbox
