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
from party_node.jobs import refuse, run_gates, set_status
from party_node.phases.context import PhaseContext
from party_node.store import transaction


def release(
    context: PhaseContext,
    what: dict[str, DetailValue],
    counts: dict[str, int],
    *,
    write: Callable[[], None],
    record: Callable[[Connection], None],
) -> None:
    """Write results, once the gates allow it, and log ``what`` was released.

    ``record`` adds the events that go with it. Does nothing where the job was released already;
    raises :class:`JobRefused` when a gate stops it.
    """
    node, job = context.node, context.job
    if job.status == "released":
        return
    with transaction(node.engine) as connection:
        intents = [
            event.seq
            for event in open_intents(connection)
            if event.type == "release.intended" and event.job == context.spec.job_id
        ]
        stops: tuple[Decision, ...] = ()
        if not intents:
            stops = blocking(
                run_gates(node, connection, job, "release", context.shared_customers())
            )
            if not stops:
                intents = [
                    context.event(connection, "release.intended", details=dict(what), counts=counts)
                ]
    if stops:
        raise refuse(node, job, stops)
    write()
    with transaction(node.engine) as connection:
        context.event(
            connection, "release.done", details=dict(what), counts=counts, intent=intents[0]
        )
        record(connection)
        set_status(connection, context.spec.job_id, "released")
        node.checkpoint(connection)
