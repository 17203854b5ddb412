"""Reading a spec somebody sent: whichever kind of job it agrees on."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from protocols.errors import DecodeError
from protocols.session.agreed_job import shortened
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.job_spec import JobSpec
from protocols.suite import canonical

Spec: TypeAlias = JobSpec | HorizontalSpec


def decode_spec(data: bytes) -> Spec:
    """Return the spec ``data`` encodes; raises :class:`DecodeError` and nothing else."""
    try:
        spec: Spec = msgspec.convert(canonical.decode(data), Spec)
    except (canonical.CanonicalError, msgspec.ValidationError) as error:
        raise DecodeError(f"not a valid JobSpec: {shortened(str(error))}") from None
    return spec
