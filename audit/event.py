"""The event: one line of the log, strictly typed, with exactly one byte string.

The bytes are those of ``protocols.suite.canonical`` (RFC 8785, restricted to strings, booleans,
arrays, objects and integers up to 2^53 - 1). msgspec writes them, fifty times faster; a test
holds the two encoders equal on every code point and on generated events. Absent fields are left
out. Decoding accepts only bytes that re-encode to themselves.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

from audit.catalogue import (
    CATALOGUE,
    DetailValue,
    EventType,
    RetentionClass,
    Visibility,
    shown,
)
from audit.detail_kinds import DETAIL_KINDS, is_code, is_digest, is_label
from protocols.suite import Suite

MAX_ENTRY_BYTES = 65_535
MAX_JOINT_PARTIES = 100
SALT_BYTES = 32

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Source: TypeAlias = Literal["party_node", "simulation"]

_JOINT_PREFIX = b"fedcrm/joint/v1\x00"
_PAYLOAD_PREFIX = b"fedcrm/payload/v1\x00"
_ESCAPES = re.compile(rb'(?:[^\\]|\\["\\])*')
_KEY_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TIME_BYTES = len("2026-11-21T08:00:00.000Z")


class EventError(ValueError):
    """Bytes that are not an event."""


class EventRefused(ValueError):
    """A draft the catalogue does not allow. Nothing was written; the job must not go on."""


class _Part(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of the event's parts. Defaults are None or empty, so that absence has one encoding."""


class Actor(_Part, frozen=True, kw_only=True):
    """Who did it."""

    kind: Literal["human", "service", "peer"]
    id: str
    """Pseudonymous staff id, service name or party id; never a person's name."""
    role: str
    authn: str
    """How the actor was recognised, for example ``password``, ``signature``, ``tls``."""


class Object(_Part, frozen=True, kw_only=True):
    """What it was done to."""

    kind: str
    id: str
    version: str | None = None
    digest: str | None = None


class Outcome(_Part, frozen=True, kw_only=True):
    """How it ended."""

    status: Literal["success", "denied", "failed", "partial"]
    code: str


class Policy(_Part, frozen=True, kw_only=True):
    """Under which decision of the compliance rules."""

    decision: str
    rules_digest: str
    verdict: Literal["allow", "conditions", "needs_approval", "deny"]


class JointBody(_Part, frozen=True, kw_only=True, tag_field="version", tag="fedcrm-joint/1"):
    """A statement with identical bytes in every party's log, signed by each of ``parties``."""

    type: str
    job: str
    attempt: Count | None = None
    parties: tuple[str, ...]
    """Origins of the logs whose owners sign, sorted."""
    counts: dict[str, Count] = {}
    details: dict[str, DetailValue] = {}


class JointSignature(_Part, frozen=True, kw_only=True):
    """One party's signature over :func:`joint_message` of the body."""

    origin: str
    public_key: str
    signature: str


class Joint(_Part, frozen=True, kw_only=True):
    """A joint statement as it stands in a log."""

    body: JointBody
    digest: str
    signatures: tuple[JointSignature, ...]


class JointDraft(_Part, frozen=True, kw_only=True):
    """A joint statement to be logged: the agreed bytes, and a signature of every party."""

    body: bytes
    signatures: tuple[JointSignature, ...]


class EventDraft(_Part, frozen=True, kw_only=True):
    """What a caller knows about an event; the log fills in the rest.

    Who may see the event and how long it is kept follow from its type (``catalogue.py``).
    """

    type: str
    actor: Actor
    outcome: Outcome
    object: Object | None = None
    job: str | None = None
    attempt: int | None = None
    phase: str | None = None
    purpose: str | None = None
    legal_basis: tuple[str, ...] = ()
    contract_digest: str | None = None
    """Digest of the signed JobSpec, in hex."""
    policy: Policy | None = None
    counts: dict[str, int] = {}
    details: dict[str, DetailValue] = {}
    payload_digest: str | None = None
    """:func:`payload_digest` of what is kept outside the log and may be erased."""
    intent: int | None = None
    """``seq`` of the ``…intended`` event that this one ends."""
    joint: JointDraft | None = None


class Event(_Part, frozen=True, kw_only=True, tag_field="specversion", tag="fedcrm-event/1"):
    """One entry of the log."""

    id: str
    type: str
    source: Source
    log_origin: str
    seq: Count
    time: str
    """UTC, RFC 3339 with milliseconds, ending in ``Z``."""
    actor: Actor
    outcome: Outcome
    object: Object | None = None
    job: str | None = None
    attempt: Count | None = None
    phase: str | None = None
    purpose: str | None = None
    legal_basis: tuple[str, ...] = ()
    contract_digest: str | None = None
    policy: Policy | None = None
    counts: dict[str, Count] = {}
    details: dict[str, DetailValue] = {}
    payload_digest: str | None = None
    intent: Count | None = None
    joint: Joint | None = None
    visibility: Visibility
    retention_class: RetentionClass
    prev_hash: str
    """Leaf hash of the entry before, in hex; zeros in the first entry."""


_ENCODER = msgspec.json.Encoder(order="sorted")
_EVENT_DECODER = msgspec.json.Decoder(Event)
_BODY_DECODER = msgspec.json.Decoder(JointBody)


def encode_event(event: Event) -> bytes:
    """Return the canonical bytes of ``event``."""
    return _ENCODER.encode(event)


def decode_event(entry: bytes) -> Event:
    """Return the event that ``entry`` encodes; raises :class:`EventError` and nothing else."""
    _check_text(entry)
    try:
        event = _EVENT_DECODER.decode(entry)
        canonical = _ENCODER.encode(event)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # The library's text can quote the input, and the input may be hostile.
        raise EventError("not an event of the form fedcrm-event/1") from None
    if canonical != entry:
        raise EventError("the event is not in canonical form")
    try:
        when = datetime.fromisoformat(event.time)
    except ValueError:
        raise EventError("the event's time is malformed") from None
    if format_time(when) != event.time:
        raise EventError("the event's time is not UTC with milliseconds")
    return event


def encode_body(body: JointBody) -> bytes:
    """Return the canonical bytes of a joint statement: what the parties compare and sign."""
    return _ENCODER.encode(body)


def decode_body(data: bytes) -> JointBody:
    """Return the statement ``data`` encodes; raises :class:`EventError` and nothing else."""
    _check_text(data)
    try:
        body = _BODY_DECODER.decode(data)
        canonical = _ENCODER.encode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise EventError("not a statement of the form fedcrm-joint/1") from None
    if canonical != data:
        raise EventError("the joint statement is not in canonical form")
    return body


def joint_message(body: bytes) -> bytes:
    """Return what a party signs to make ``body`` its own.

    The prefix holds a NUL, which no checkpoint may contain: a signature of one kind can never
    pass for the other, though one key makes both.
    """
    return _JOINT_PREFIX + body


def joint_digest(suite: Suite, body: bytes) -> str:
    """Return the digest, in hex, by which a joint statement is compared across logs."""
    return suite.hash(_JOINT_PREFIX, body).hex()


def payload_digest(suite: Suite, salt: bytes, payload: bytes) -> str:
    """Return the digest, in hex, of a payload kept outside the log.

    ``salt`` is 32 fresh random bytes, kept with the payload and erased with it: afterwards the
    digest says nothing about what was erased.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"the salt must be {SALT_BYTES} random bytes")
    return suite.hash(_PAYLOAD_PREFIX, salt, payload).hex()


def from_hex(text: str) -> bytes:
    """Return the bytes of lower-case hex; raises ``ValueError`` for any other spelling."""
    value = bytes.fromhex(text)
    if value.hex() != text:
        raise ValueError("not lower-case hex")
    return value


def format_time(when: datetime) -> str:
    """Return ``when`` as events state time: UTC, milliseconds, ``Z``."""
    if when.tzinfo is not UTC:
        when = when.astimezone(UTC)
    return when.isoformat(timespec="milliseconds")[:-6] + "Z"


def uuid7(unix_ms: int, random: bytes) -> str:
    """Return the UUID version 7 of a time and ten random bytes (RFC 9562 §5.7)."""
    if not 0 <= unix_ms < 1 << 48 or len(random) != 10:
        raise ValueError("a UUIDv7 takes 48 bits of milliseconds and ten random bytes")
    rand = int.from_bytes(random, "big")
    rand_a, rand_b = rand >> 68, rand & ((1 << 62) - 1)
    value = unix_ms << 80 | 7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def check_draft(draft: EventDraft) -> EventType:
    """Return the draft's catalogue row; raises :class:`EventRefused` for what it does not allow.

    The errors name keys, never values.
    """
    row = CATALOGUE.get(draft.type)
    if row is None:
        raise EventRefused(
            "this event type is not in the catalogue; audit/catalogue.py lists those there are"
        )
    where = row.name
    _check_named(where, draft)
    _check_contents(where, row, draft.details, draft.counts)
    return row


def check_body(body: JointBody) -> None:
    """Raise :class:`EventRefused` unless the catalogue allows what a joint statement says."""
    row = CATALOGUE.get(body.type)
    if row is None or row.visibility != "joint":
        raise EventRefused("a joint statement must be of a type the catalogue calls joint")
    where = f"the joint statement of {row.name}"
    if not is_code(body.job):
        raise EventRefused(f"{where}: the job is not a short ASCII token")
    if not 2 <= len(body.parties) <= MAX_JOINT_PARTIES:
        raise EventRefused(f"{where}: it takes 2 to {MAX_JOINT_PARTIES} parties")
    if list(body.parties) != sorted(set(body.parties)):
        raise EventRefused(f"{where}: the parties must be sorted, each once")
    _check_contents(where, row, body.details, body.counts)


def _check_named(where: str, draft: EventDraft) -> None:
    tokens = {
        "actor.id": draft.actor.id,
        "actor.role": draft.actor.role,
        "actor.authn": draft.actor.authn,
        "outcome.code": draft.outcome.code,
        "object.kind": draft.object.kind if draft.object else None,
        "object.version": draft.object.version if draft.object else None,
        "job": draft.job,
        "phase": draft.phase,
        "purpose": draft.purpose,
        "policy.decision": draft.policy.decision if draft.policy else None,
        **{f"legal_basis[{at}]": basis for at, basis in enumerate(draft.legal_basis)},
    }
    for name, token in tokens.items():
        if token is not None and not is_code(token):
            raise EventRefused(
                f"{where}: {name} must be a short ASCII token (letters, digits, . _ : / + -) that "
                "is not shaped like a phone, ID or e-mail; use a pseudonymous id"
            )
    if draft.object and not is_label(draft.object.id):
        raise EventRefused(
            f"{where}: object.id must be a printable name that is not shaped like an identifier"
        )
    digests = {
        "contract_digest": draft.contract_digest,
        "payload_digest": draft.payload_digest,
        "object.digest": draft.object.digest if draft.object else None,
        "policy.rules_digest": draft.policy.rules_digest if draft.policy else None,
    }
    for name, digest in digests.items():
        if digest is not None and not is_digest(digest):
            raise EventRefused(f"{where}: {name} must be lower-case hex")


def _check_contents(
    where: str, row: EventType, details: dict[str, DetailValue], counts: dict[str, int]
) -> None:
    for key, value in details.items():
        if key not in row.details:
            raise EventRefused(
                f"{where}: {_named(key)} is not a detail it takes; it takes {shown(row.details)}"
            )
        if not DETAIL_KINDS[key].accepts(value):
            raise EventRefused(f"{where}: {key} must be {DETAIL_KINDS[key].description}")
    for key, count in counts.items():
        if key not in row.counts:
            raise EventRefused(
                f"{where}: {_named(key)} is not a count it takes; it takes {shown(row.counts)}"
            )
        if type(count) is not int or not 0 <= count < 2**53:
            raise EventRefused(f"{where}: the count {key} must be an integer from 0 to 2^53 - 1")


def _named(key: object) -> str:
    """Return ``key`` if it can only be a field's name: a value used as a key stays unseen."""
    return repr(key) if isinstance(key, str) and _KEY_NAME.fullmatch(key) else "that key"


def _check_text(entry: bytes) -> None:
    """Refuse what a terminal or a reader could be misled by: control and format characters."""
    if len(entry) > MAX_ENTRY_BYTES:
        raise EventError(f"an entry is at most {MAX_ENTRY_BYTES} bytes")
    try:
        text = entry.decode("utf-8")
    except UnicodeDecodeError:
        raise EventError("the entry is not UTF-8") from None
    if not text.isprintable() or (b"\\" in entry and not _ESCAPES.fullmatch(entry)):
        raise EventError("the entry has control characters")
