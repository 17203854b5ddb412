"""Phase ``close``: the left-overs of a released or refused job are destroyed, the log signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, select, update

from audit.catalogue import DetailValue
from party_node.jobs import Job, set_status
from party_node.journal import forget_attempts, has_journal
from party_node.node import Node
from party_node.store import jobs, row_maps, transaction
from protocols.session.decoded_spec import Spec
from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import ScorecardTerms, TreeTerms


def close(
    node: Node,
    job: Job[Spec],
    *,
    log_destroyed: Callable[[Connection], None] = lambda connection: None,
) -> dict[str, Any]:
    """Destroy journal, encryption key and row map; sign the log. Running it again is harmless.

    ``log_destroyed`` appends the events of what else goes with the journal.

    A job that is not over yet, because another party refused it, ends here as stopped.
    """
    job_id = job.spec.job_id
    if not has_journal(node.engine, job_id):
        return {"status": job.status}
    status = job.status if job.status in ("released", "refused") else "stopped"
    released = status == "released"
    terms = job.spec.retention
    with transaction(node.engine) as connection:
        mapped = connection.execute(
            select(row_maps.c.rows).filter_by(job_id=job_id)
        ).scalar_one_or_none()
        if mapped is not None:
            connection.execute(delete(row_maps).filter_by(job_id=job_id))
            job.event(
                node,
                connection,
                "align.deleted",
                phase="close",
                details={"reason": "job-closed", "method": "row-deleted-and-overwritten"},
                counts={"rows": mapped},
            )
        if released and _had_a_key(node, job):
            job.event(
                node,
                connection,
                "he.key_destroyed",
                phase="close",
                details={"scheme": "paillier", "reason": "job-closed", "method": "with-journal"},
            )
        log_destroyed(connection)
        forget_attempts(connection, job_id)
        connection.execute(update(jobs).filter_by(job_id=job_id).values(journal_key=None))
        job.event(
            node,
            connection,
            "journal.destroyed",
            phase="close",
            details={"reason": "job-closed", "method": "rows-and-key-overwritten"},
        )
        details: dict[str, DetailValue] = {"reason": status}
        set_status(connection, job_id, "closed" if released else status)
        if released:
            own = [output for output in job.spec.outputs if output.recipient == node.party_id]
            details["outputs"] = [str(output.name) for output in own]
        if released and terms is not None:
            details["delete_after"] = node.days_from_now(terms.model_days)
        job.event(node, connection, "job.closed", phase="close", details=details)
        node.checkpoint(connection)
    node.forget_deleted_pages()
    return {"status": "closed" if released else status}


def _had_a_key(node: Node, job: Job[Spec]) -> bool:
    """Whether this party made a Paillier key for the job; for a scorecard, all did."""
    spec = job.spec
    if not isinstance(spec, JobSpec):
        return False
    if isinstance(spec.model, ScorecardTerms):
        return True
    is_active = spec.active_party.party_id == node.party_id
    return is_active and isinstance(spec.model, TreeTerms)
