"""Keeping another party's signed checkpoint in one's own log.

The entry is covered by this log's next checkpoint, so this party's key now vouches for when it
saw that state of the other log. Should the other party rewrite what came before, its new history
no longer has the root hash that stands here above its own signature.
"""

from __future__ import annotations

import base64
import binascii

from audit.checkpoint import (
    Checkpoint,
    CheckpointError,
    parse_checkpoint,
    render_note,
    verify_checkpoint,
)
from audit.event import Actor, Event, EventDraft, Outcome
from protocols.suite import Suite

KEPT = "log.checkpoint"


def keep_checkpoint(
    note: bytes,
    *,
    suite: Suite,
    origin: str,
    public_key: bytes,
    actor: Actor,
    job: str | None = None,
) -> EventDraft:
    """Return the event that keeps the note of the log ``origin``, verified under its key.

    Raises :class:`~audit.checkpoint.CheckpointError`.
    """
    checkpoint = verify_checkpoint(note, suite=suite, origin=origin, public_key=public_key)
    _, signatures = parse_checkpoint(note, digest_bytes=suite.digest_bytes)
    for line in signatures:
        rebuilt = render_note(
            checkpoint, suite=suite, public_key=public_key, signature=line.signature
        )
        if rebuilt == note:
            return EventDraft(
                type=KEPT,
                actor=actor,
                outcome=Outcome(status="success", code="kept"),
                job=job,
                counts={"tree_size": checkpoint.tree_size},
                details={
                    "origin": origin,
                    "root_hash": checkpoint.root_hash.hex(),
                    "note_signature": base64.b64encode(line.signature).decode("ascii"),
                },
            )
    raise CheckpointError("only a checkpoint with its log's signature and no other can be kept")


def kept_checkpoint(event: Event, *, suite: Suite, public_key: bytes) -> Checkpoint:
    """Return the checkpoint an event keeps, verified under ``public_key`` again.

    Raises :class:`~audit.checkpoint.CheckpointError`.
    """
    origin, root = event.details.get("origin"), event.details.get("root_hash")
    value, size = event.details.get("note_signature"), event.counts.get("tree_size")
    if not (isinstance(origin, str) and isinstance(root, str) and isinstance(value, str)):
        raise CheckpointError("the event does not hold a checkpoint")
    try:
        signature = base64.b64decode(value, validate=True)
        checkpoint = Checkpoint(origin, size or 0, bytes.fromhex(root))
    except (binascii.Error, ValueError):
        raise CheckpointError("the event does not hold a checkpoint") from None
    note = render_note(checkpoint, suite=suite, public_key=public_key, signature=signature)
    return verify_checkpoint(note, suite=suite, origin=origin, public_key=public_key)
