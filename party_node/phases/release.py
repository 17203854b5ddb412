"""The release of results to this party's operator, between two events of the log.

A crash between the two leaves an open intent; running the phase again settles it.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from audit.catalogue import DetailValue
from audit.log import open_intents
from compliance.check import blocking
from compliance.decision import Decision
from compliance.facts import Facts
from party_node.jobs import Job, refuse, run_gates, set_status
from party_node.node import Node
from party_node.store import transaction
from protocols.session.decoded_spec import Spec


def release(
    node: Node,
    job: Job[Spec],
    phase: str,
    what: dict[str, DetailValue],
    counts: dict[str, int],
    *,
    facts: Facts,
    write: Callable[[], None],
    record: Callable[[Connection], None],
) -> None:
    """Write results, once the gates allow it, and log ``what`` was released.

    ``record`` adds the events that go with it; ``facts`` are what the gates decide by. Does nothing
    where the job was released already; raises :class:`JobRefused` when a gate stops it.
    """
    job_id = job.spec.job_id
    if job.status == "released":
        return
    with transaction(node.engine) as connection:
        intents = [
            event.seq
            for event in open_intents(connection)
            if event.type == "release.intended" and event.job == job_id
        ]
        stops: tuple[Decision, ...] = ()
        if not intents:
            stops = blocking(run_gates(node, connection, job, "release", facts))
            if not stops:
                intended = job.event(
                    node,
                    connection,
                    "release.intended",
                    phase=phase,
                    details=dict(what),
                    counts=counts,
                )
                intents = [intended]
    if stops:
        raise refuse(node, job, stops)
    write()
    with transaction(node.engine) as connection:
        job.event(
            node,
            connection,
            "release.done",
            phase=phase,
            details=dict(what),
            counts=counts,
            intent=intents[0],
        )
        record(connection)
        set_status(connection, job_id, "released")
        node.checkpoint(connection)
