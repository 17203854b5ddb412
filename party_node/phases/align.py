"""Phase ``align``: which customers do we share? Size first, opened only above the floor."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, delete, insert

from audit.catalogue import DetailValue
from compliance.check import blocking
from party_node.errors import JobRefused
from party_node.jobs import refuse, run_gates, set_status
from party_node.keys import seal
from party_node.phases.context import PhaseContext, RowMap
from party_node.store import participations, row_maps, transaction
from protocols.identifiers import held_out, node_tag
from protocols.psi_ecdh import Intersection, receiver, sender
from protocols.roles import Role


def align(context: PhaseContext) -> dict[str, Any]:
    """Find the shared customers with the peer; write the sealed row map; return the sizes.

    Raises :class:`JobRefused` when a gate stops the job or the intersection is below the floor.
    """
    node, spec = context.node, context.spec
    dataset = context.dataset
    if context.is_first_run:
        with transaction(node.engine) as connection:
            _record_start(context, connection)
            stops = blocking(run_gates(node, connection, context.job, "start"))
        if stops:
            raise refuse(node, context.job, stops)

    peer = context.peer
    make = receiver if context.is_active else sender

    def role(*, seed: bytes) -> Role[Intersection]:
        return make(
            dataset.protocol_inputs,
            party=node.party_id,
            peer=peer,
            suite=context.suite,
            context=context.binding,
            floor=spec.cohort_floor,
            private_key=node.keys.signing_key,
            peer_public_key=node.pinned_keys()[peer],
            seed=seed,
        )

    intersection = context.driver.run_step(
        "align/psi",
        role,
        inputs=context.inputs(*dataset.protocol_inputs),
        encode_result=Intersection.to_bytes,
        decode_result=Intersection.from_bytes,
        on_done=lambda connection, result: _store(context, connection, result),
    )
    statement = context.statement(
        "psi.completed" if intersection.opened else "psi.refused",
        details={
            "protocol": spec.alignment.protocol,
            "statement_digest": context.suite.hash(intersection.statement).hex(),
        },
        counts={"floor": intersection.floor}
        | ({"intersection": intersection.size} if intersection.opened else {}),
    )
    context.countersign(
        "align/countersign",
        statement,
        lambda connection, signed: _record_end(
            context, connection, intersection, statement, signed
        ),
    )
    if not intersection.opened:
        raise JobRefused(
            f"fewer than {intersection.floor} shared customers: nothing was revealed",
            "the floor is the stricter party's minimum cohort",
        )
    return {
        "protocol": spec.alignment.protocol,
        "own_set": intersection.own_size,
        "peer_set": intersection.peer_size,
        "intersection": intersection.size,
        "floor": intersection.floor,
    }


def _record_start(context: PhaseContext, connection: Connection) -> None:
    dataset, terms = context.dataset, context.terms.dataset
    context.write_json(
        "dataset.json", {"rows_in_file": dataset.rows_in_file, "rejects": dataset.rejects}
    )
    context.event(
        connection,
        "dataset.registered",
        details={
            "dataset": terms.name,
            "identifier_kind": terms.identifier_kind,
            "identifier_rules": context.spec.alignment.identifier_rules,
            "dataset_digest": dataset.digest.hex(),
            "columns": [column.name for column in terms.columns],
        },
        counts={
            "rows": dataset.rows_in_file,
            "accepted": len(dataset.protocol_inputs),
            "rejected": sum(dataset.rejects.values()),
            "duplicates": dataset.rejects.get("duplicate_identifier", 0),
        },
    )
    context.event(
        connection,
        "psi.started",
        details={
            "protocol": context.spec.alignment.protocol,
            "reveal": context.spec.alignment.reveal,
            "identifier_kind": terms.identifier_kind,
            "identifier_rules": context.spec.alignment.identifier_rules,
            "parties": [p.party_id for p in context.spec.parties],
        },
        counts={
            "own_set": len(dataset.protocol_inputs),
            "floor": context.spec.cohort_floor,
            "rejected": sum(dataset.rejects.values()),
        },
    )


def _store(context: PhaseContext, connection: Connection, result: Intersection) -> None:
    """Write the sealed row map and the participation index in the step's transaction."""
    if not result.opened:
        return
    node, dataset = context.node, context.dataset
    positions = np.asarray(result.positions, dtype=np.int64)
    row_map = RowMap(tuple(int(row) for row in dataset.source_rows[positions]))
    sealed = seal(
        context.suite,
        node.keys.derived("row-maps"),
        msgspec.msgpack.encode(row_map),
        context.row_map_purpose(),
    )
    job_id = context.spec.job_id
    connection.execute(delete(row_maps).filter_by(job_id=job_id))
    connection.execute(
        insert(row_maps).values(
            job_id=job_id, dataset_digest=dataset.digest, rows=len(positions), sealed=sealed
        )
    )
    key = node.keys.identifier_key()
    kind = context.terms.dataset.identifier_kind
    connection.execute(delete(participations).filter_by(job_id=job_id))
    connection.execute(
        insert(participations),
        [
            {"job_id": job_id, "tag": node_tag(context.suite, key, kind, dataset.identifiers[p])}
            for p in positions
        ],
    )


def _record_end(
    context: PhaseContext,
    connection: Connection,
    intersection: Intersection,
    statement: bytes,
    signatures: dict[str, bytes],
) -> None:
    """Log how the intersection ended; below the floor the job is over, as a signed refusal."""
    node, spec = context.node, context.spec
    sizes = {
        "own_set": intersection.own_size,
        "peer_set": intersection.peer_size,
        "floor": intersection.floor,
    }
    common: dict[str, DetailValue] = {
        "protocol": spec.alignment.protocol,
        "statement_digest": context.suite.hash(intersection.statement).hex(),
        "parties": [p.party_id for p in spec.parties],
    }
    if not intersection.opened:
        context.event(
            connection,
            "psi.refused",
            details=common | {"reason": "below-floor"},
            counts=sizes,
            joint=(statement, signatures),
        )
        set_status(connection, spec.job_id, "refused")
        node.checkpoint(connection)
        return
    context.event(
        connection,
        "psi.completed",
        details=common
        | {
            "reveal": spec.alignment.reveal,
            "recipients": [p.party_id for p in spec.parties],
            "learned": ["which-own-customers-are-shared", "size-of-the-other-set"],
        },
        counts=sizes | {"intersection": intersection.size},
        joint=(statement, signatures),
    )
    inputs = [context.dataset.protocol_inputs[p] for p in intersection.positions]
    test = sum(
        held_out(context.suite, spec.evaluation.split_seed, spec.evaluation.held_out_percent, item)
        for item in inputs
    )
    context.event(
        connection,
        "align.created",
        counts={"rows": intersection.size, "held_out": test, "train": intersection.size - test},
    )
    run_gates(node, connection, context.job, "start", intersection.size)
    node.checkpoint(connection)
