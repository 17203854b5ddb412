"""The joint statements of a job: bytes that every party builds for itself and then signs.

Equal inputs give equal bytes, so that two logs can be compared by digest alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from audit.catalogue import DetailValue
from audit.event import JointBody, encode_body


def job_statement(
    type_: str,
    *,
    job: str,
    origins: Iterable[str],
    attempt: int | None = None,
    details: Mapping[str, DetailValue] | None = None,
    counts: Mapping[str, int] | None = None,
) -> bytes:
    """Return the canonical bytes of a joint statement of ``type_`` by the logs ``origins``."""
    return encode_body(
        JointBody(
            type=type_,
            job=job,
            attempt=attempt,
            parties=tuple(sorted(origins)),
            details=dict(details or {}),
            counts=dict(counts or {}),
        )
    )


def approval_statement(job: str, origins: Iterable[str], spec_digest: str) -> bytes:
    """Return what each party signs to approve a job: the job and its spec's digest, no more."""
    return job_statement(
        "job.agreed", job=job, origins=origins, details={"spec_digest": spec_digest}
    )
