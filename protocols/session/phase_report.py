"""What a party tells the coordinator at the end of a phase: signed, and bound to the job.

The coordinator could alter a Flower message, so each report is signed over (spec digest, attempt,
phase, sender, status, payload digest) by its party.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from protocols.errors import DecodeError, VerifyError
from protocols.session.job_spec import JobSpec
from protocols.suite import Suite, canonical

HorizontalStep: TypeAlias = Literal[
    "advertise", "share", "contribute", "consist", "unmask", "finish"
]
"""Steps of a horizontal job: ``protocols/secure_aggregation/SPEC.md`` §3."""
Phase: TypeAlias = Literal["align", "match", "train", "evaluate", "score", "close", HorizontalStep]
Status: TypeAlias = Literal["done", "refused", "failed", "stopped", "abandoned"]
CHUNK_TYPE = "fedcrm.bytes.v1"
"""Serialisation type of an array that is bytes to Flower: it never looks inside."""
_DOMAIN = b"fedcrm/phase-report/v1\x00"


class PhaseReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The signed part; ``payload`` travels beside it."""

    spec_digest: str
    attempt: int
    phase: Phase
    sender: str
    status: Status
    payload_digest: str


class SignedReport(msgspec.Struct, frozen=True):
    """A report as it travels in a Flower message."""

    body: bytes
    payload: bytes
    signature: bytes


def phases_of(spec: JobSpec) -> tuple[Phase, ...]:
    """Return the phases of a job in order; only server-aided matching needs two to align."""
    matching: tuple[Phase, ...] = ("match",) if spec.alignment.protocol == "server_aided" else ()
    work: tuple[Phase, ...] = ("train", "evaluate")
    if spec.is_scoring:
        work = ("score",)
    return ("align", *matching, *work, "close")


def payload_digest(payload: bytes, suite: Suite) -> str:
    """Return the hex digest by which a report is bound to its payload."""
    return suite.hash(b"fedcrm/phase-payload/v1\x00", payload).hex()


def signed_bytes(body: bytes) -> bytes:
    """Return the bytes a party signs."""
    return _DOMAIN + body


def encode_report(report: PhaseReport) -> bytes:
    """Return the canonical bytes of ``report``."""
    return canonical.encode(msgspec.to_builtins(report))


def open_report(
    signed: SignedReport,
    *,
    spec_digest: bytes,
    attempt: int,
    phase: Phase,
    public_keys: dict[str, bytes],
    suite: Suite,
) -> tuple[PhaseReport, dict[str, Any]]:
    """Return the verified report and its payload.

    Raises :class:`DecodeError` or :class:`VerifyError`; a report of another job, attempt or phase
    is a :class:`VerifyError` even when it is well signed.
    """
    try:
        report = msgspec.convert(canonical.decode(signed.body), PhaseReport)
        payload = canonical.decode(signed.payload)
    except (canonical.CanonicalError, msgspec.ValidationError):
        raise DecodeError("not a phase report") from None
    if not isinstance(payload, dict):
        raise DecodeError("a phase report's payload is an object")
    key = public_keys.get(report.sender)
    if key is None:
        raise VerifyError("a report from a stranger")
    if suite.verify_each([(key, signed_bytes(signed.body), signed.signature)]):
        raise VerifyError("a report with a wrong signature", party=report.sender)
    expected = (spec_digest.hex(), attempt, phase, payload_digest(signed.payload, suite))
    if (report.spec_digest, report.attempt, report.phase, report.payload_digest) != expected:
        raise VerifyError("a report of another job, attempt or phase", party=report.sender)
    return report, payload
