"""Runs one phase of a job on shared customers: its links, its journal, its place in the plan."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from party_node.driver import Driver
from party_node.errors import AttemptAbandoned
from party_node.jobs import Job
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
from party_node.progress import ProgressFile
from party_node.reporting import Letters
from party_node.store import transaction
from protocols.session.job_spec import JobSpec
from protocols.session.phase_report import Phase

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


class PhaseRunner:
    """Runs phases of a party whose peers are found at a meeting place."""

    def __init__(
        self,
        meeting_place: Path,
        deadlines: Deadlines,
        at_yield: Callable[[str], None],
    ) -> None:
        self._meeting_place = meeting_place
        self._deadlines = deadlines
        self._at_yield = at_yield

    def run(
        self, node: Node, job: Job[JobSpec], phase: Phase, inbox: Letters, outbox: Letters
    ) -> dict[str, Any]:
        """Run ``phase``; return the report's payload and fill ``outbox``."""
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
