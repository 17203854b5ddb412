"""The parties' exchange of signed log states, which ends the phase that releases results."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection

from audit.checkpoint import CheckpointError, parse_checkpoint
from audit.countersign import keep_checkpoint
from audit.log import read_checkpoints, read_events
from party_node.errors import NodeError
from party_node.jobs import Job, set_status
from party_node.node import Node
from party_node.phases.context import PhaseContext
from party_node.store import transaction
from protocols.errors import RemoteProtocolError
from protocols.session.decoded_spec import Spec
from protocols.session.note_exchange import exchange_notes


def exchange_checkpoints(context: PhaseContext, step: str, last: str) -> None:
    """Give the peers this log's signed state and keep theirs in this log.

    ``last`` is the type of the event that the state must cover.
    """
    node = context.node
    if not context.is_active:
        with transaction(node.engine) as connection:
            set_status(connection, context.spec.job_id, "released")
    note = first_note_after(node, context.spec.job_id, last)
    peers = tuple(p.party_id for p in context.spec.parties if p.party_id != node.party_id)
    context.driver.run_step(
        step,
        lambda *, seed: exchange_notes(note, peers=peers),
        inputs=context.inputs(),
        encode_result=msgspec.msgpack.encode,
        decode_result=lambda data: msgspec.msgpack.decode(data, type=dict[str, bytes]),
        on_done=lambda connection, notes: keep_notes(node, context.job, connection, notes),
    )


def keep_notes(
    node: Node, job: Job[Spec], connection: Connection, notes: Mapping[str, bytes]
) -> None:
    """Keep the signed log states of peers in this node's log."""
    for peer, note in notes.items():
        try:
            draft = keep_checkpoint(
                note,
                suite=node.keys.suite,
                origin=node.origin_of(peer),
                public_key=node.pinned_keys()[peer],
                actor=node.service,
                job=job.spec.job_id,
            )
        except CheckpointError as error:
            raise RemoteProtocolError(f"a wrong checkpoint: {error}", party=peer) from None
        node.record(connection, draft)
    node.checkpoint(connection)


def first_note_after(node: Node, job_id: str, type_: str) -> bytes:
    """Return the first checkpoint that covers this job's last event of ``type_``.

    Not the latest one: a replay after a crash must send the same bytes, and the log has grown.
    """
    with node.engine.connect() as connection:
        events = read_events(connection, job=job_id, type_=type_)
        seq = max(event.seq for event in events)
        for note in read_checkpoints(connection):
            checkpoint, _ = parse_checkpoint(note, digest_bytes=node.keys.suite.digest_bytes)
            if checkpoint.tree_size > seq:
                return note
    raise NodeError(f"no checkpoint covers {type_}", "run fedcrm audit fsck on this node")
