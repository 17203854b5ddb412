"""Phase ``close``: the job's left-overs are destroyed, and the log is signed a last time."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, select, update

from audit.catalogue import DetailValue
from party_node.jobs import Job, set_status
from party_node.journal import Journal, forget_attempts
from party_node.node import Node
from party_node.store import jobs, row_maps, transaction


def close(node: Node, job: Job) -> dict[str, Any]:
    """Destroy journal, encryption key and row map; sign the log. Running it again is harmless."""
    if job.status == "closed":
        return {"status": "closed"}
    job_id = job.spec.job_id
    cost = Journal(node.engine, node.keys, job_id, job.attempt).cost()
    (node.outputs(job_id) / "cost.json").write_text(json.dumps(cost, indent=2, sort_keys=True))
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
        if job.spec.active_party.party_id == node.party_id:
            job.event(
                node,
                connection,
                "he.key_destroyed",
                phase="close",
                details={"scheme": "paillier", "reason": "job-closed", "method": "with-journal"},
            )
        forget_attempts(connection, job_id)
        connection.execute(update(jobs).filter_by(job_id=job_id).values(journal_key=None))
        job.event(
            node,
            connection,
            "journal.destroyed",
            phase="close",
            details={"reason": "job-closed", "method": "rows-and-key-overwritten"},
        )
        set_status(connection, job_id, "closed")
        details: dict[str, DetailValue] = {
            "reason": "released",
            "outputs": [o.name for o in job.spec.outputs if o.recipient == node.party_id],
        }
        if terms is not None:
            details["delete_after"] = node.days_from_now(terms.model_days)
        job.event(node, connection, "job.closed", phase="close", details=details)
        node.checkpoint(connection)
    node.forget_deleted_pages()
    return {"status": "closed"}
