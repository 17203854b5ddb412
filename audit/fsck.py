"""Rebuilds the tree from the entries in a database and compares it with what was signed.

Run it on the node's own database after a crash, a restore or an alarm. It reads only.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from audit.chain import Chain
from audit.checkpoint import Checkpoint, CheckpointError, verify_checkpoint
from audit.event import Event
from audit.findings import Findings, Place
from audit.identity import LogIdentity
from audit.log import AuditError, log_identity
from audit.merkle import Frontier
from audit.tables import checkpoints, entries, missing_triggers
from audit.verify import OnProgress, Signatures, check_joint_signatures, check_roots, no_progress

_SIGNED = "audit_checkpoints"


@dataclass
class Fsck:
    """What the database holds, and what is wrong with it."""

    identity: LogIdentity
    entries: int
    signed: int
    """Entries covered by the latest checkpoint; later ones are not protected by a signature."""
    root_hash: bytes
    """Root hash over all entries."""
    findings: Findings


def fsck(connection: Connection, source: str, *, on_progress: OnProgress = no_progress) -> Fsck:
    """Check every entry, checkpoint and trigger; raises AuditError if there is no log at all."""
    identity = log_identity(connection)
    findings = Findings()
    chain = Chain(identity.suite, findings, identity)
    try:
        for name in missing_triggers(connection):
            findings.failed(
                Place(source=source, file=name),
                "this trigger is missing or was changed: rows could be altered since",
            )
        _check_entries(connection, chain, source, on_progress)
        signed = _check_checkpoints(connection, chain, identity, source)
    except SQLAlchemyError as error:
        raise AuditError("the database cannot be read to its end") from error
    check_joint_signatures(chain, identity, Signatures(), on_progress)
    frontier = Frontier(identity.suite)
    for leaf in chain.leaf_hashes:
        frontier.append(leaf)
    covered = signed[-1].tree_size if signed else 0
    if covered < frontier.size:
        findings.add(
            "note",
            Place(source=source, file="audit_entries", seq=covered),
            f"{frontier.size - covered} entries from here on are not signed yet",
        )
    return Fsck(identity, frontier.size, covered, frontier.root(), findings)


def _check_entries(
    connection: Connection, chain: Chain, source: str, on_progress: OnProgress
) -> None:
    query = select(entries).order_by(entries.c.seq)
    for row in connection.execute(query):
        position = len(chain.leaf_hashes)
        place = Place(source=source, file="audit_entries", seq=row.seq)
        event = chain.read(row.entry, place)
        if chain.leaf_hashes[position] != row.leaf_hash:
            chain.findings.failed(place, "the stored leaf hash is not of the stored entry")
        if event is not None and _columns(event) != (
            row.seq,
            row.type,
            row.job,
            row.intent,
            row.joint_digest,
        ):
            chain.findings.failed(place, "the look-up columns differ from the entry")
        if event is None and row.entry.startswith(b'{"leaf_hash"'):
            chain.findings.failed(place, "the entry was replaced by its hash")
        if position % 8192 == 0:
            on_progress(f"{source}: entries", position, position)
    chain.finish()


def _columns(event: Event) -> tuple[int, str, str | None, int | None, str | None]:
    digest = event.joint.digest if event.joint else None
    return event.seq, event.type, event.job, event.intent, digest


def _check_checkpoints(
    connection: Connection, chain: Chain, identity: LogIdentity, source: str
) -> list[Checkpoint]:
    signed: list[tuple[Place, Checkpoint]] = []
    query = select(checkpoints).order_by(checkpoints.c.tree_size)
    for row in connection.execute(query):
        place = Place(source=source, file=_SIGNED, line=len(signed) + 1)
        try:
            checkpoint = verify_checkpoint(
                row.note,
                suite=identity.suite,
                origin=identity.origin,
                public_key=identity.public_key,
            )
            frontier = Frontier.from_bytes(identity.suite, row.tree_size, row.frontier)
        except CheckpointError as error:
            chain.findings.failed(place, str(error))
            continue
        except ValueError as error:
            chain.findings.failed(place, f"the stored frontier is {error}")
            continue
        if (frontier.size, frontier.root()) != (checkpoint.tree_size, checkpoint.root_hash):
            chain.findings.failed(place, "the stored frontier is not that of the signed note")
        signed.append((place, checkpoint))
    check_roots(chain, signed, chain.findings)
    return [checkpoint for _, checkpoint in signed]
