"""Phase ``align``: which customers do we share? Size first, opened only above the floor."""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert

from audit.catalogue import DetailValue
from compliance.check import blocking
from party_node import quality
from party_node.errors import JobRefused
from party_node.gate_facts import facts_of
from party_node.jobs import refuse, run_gates, set_status
from party_node.keys import seal
from party_node.phases.context import PhaseContext, RowMap
from party_node.plan import alignment_step, common_step, psi_step, token_keys_step
from party_node.store import participations, row_maps, transaction
from protocols.common_customers import CommonCustomers, narrow_active, narrow_passive
from protocols.identifiers import held_out, node_tag
from protocols.intersection import Intersection
from protocols.psi_ecdh import receiver, sender
from protocols.psi_server_aided import VERSION as PSI_VERSION
from protocols.psi_server_aided import TokenKeys, TokenList, agree_keys, tokens
from protocols.wire import encode


def align(context: PhaseContext) -> dict[str, Any]:
    """Find the customers all parties share; write the sealed row map; return the sizes.

    Raises :class:`JobRefused` when a gate stops the job or an intersection is below the floor.
    """
    if context.is_first_run:
        with transaction(context.node.engine) as connection:
            _record_start(context, connection)
            stops = blocking(
                run_gates(
                    context.node,
                    connection,
                    context.job,
                    "start",
                    facts_of(context.node, context.spec),
                )
            )
        if stops:
            raise refuse(context.node, context.job, stops)
    if context.spec.alignment.protocol == "server_aided":
        return _offer_tokens(context)
    return settle(context, {peer: _intersect(context, peer) for peer in context.psi_peers})


def _offer_tokens(context: PhaseContext) -> dict[str, Any]:
    """Agree on keys with each peer and hand the coordinator this party's tokens for it."""
    for peer in context.psi_peers:
        own = tokens(context.dataset.protocol_inputs, token_keys(context, peer), context.suite)
        message = TokenList(PSI_VERSION, context.node.party_id, peer, context.binding, own.tokens)
        context.outbox[peer] = encode(message)
    return {
        "protocol": context.spec.alignment.protocol,
        "own_set": len(context.dataset.protocol_inputs),
    }


def token_keys(context: PhaseContext, peer: str) -> TokenKeys:
    """Return the keys of the tokens that this party and ``peer`` send the coordinator."""
    node = context.node
    return context.driver.run_step(
        token_keys_step(context.passive_of(peer)),
        partial(
            agree_keys,
            party=node.party_id,
            peer=peer,
            suite=context.suite,
            context=context.binding,
            private_key=node.keys.signing_key,
            peer_public_key=node.pinned_keys()[peer],
        ),
        inputs=context.inputs(),
        encode_result=TokenKeys.to_bytes,
        decode_result=TokenKeys.from_bytes,
    )


def _intersect(context: PhaseContext, peer: str) -> Intersection:
    """Run ECDH-PSI with ``peer``; the active party is the Receiver."""
    node = context.node
    return context.driver.run_step(
        psi_step(context.spec, context.passive_of(peer)),
        partial(
            receiver if context.is_active else sender,
            context.dataset.protocol_inputs,
            party=node.party_id,
            peer=peer,
            suite=context.suite,
            context=context.binding,
            floor=context.spec.cohort_floor,
            private_key=node.keys.signing_key,
            peer_public_key=node.pinned_keys()[peer],
        ),
        inputs=context.inputs(context.dataset.protocol_inputs.tobytes()),
        encode_result=Intersection.to_bytes,
        decode_result=Intersection.from_bytes,
    )


def settle(context: PhaseContext, found: dict[str, Intersection]) -> dict[str, Any]:
    """Make one alignment of the intersections ``found`` by peer; sign and log how it ended."""
    for intersection in found.values():
        if not intersection.opened:
            sizes = {"own_set": intersection.own_size, "peer_set": intersection.peer_size}
            floor = {"floor": intersection.floor}
            _refuse_below_floor(context, intersection.statement, sizes | floor)
    positions, agreed = _common(context, found)
    statement = context.statement(
        "psi.completed",
        details={
            "protocol": context.spec.alignment.protocol,
            "statement_digest": context.suite.hash(agreed).hex(),
        },
        counts={"floor": context.spec.cohort_floor, "intersection": len(positions)},
    )
    context.countersign(
        alignment_step(context.spec),
        statement,
        lambda connection, signatures: _record_end(
            context, connection, found, positions, (statement, signatures)
        ),
    )
    return {
        "protocol": context.spec.alignment.protocol,
        "intersection": len(positions),
        "floor": context.spec.cohort_floor,
    }


def _common(
    context: PhaseContext, found: dict[str, Intersection]
) -> tuple[npt.NDArray[np.int64], bytes]:
    """Return this party's items that all parties share, in the common order, and what was signed.

    With one passive party that is the intersection itself.
    """
    if len(context.passives) == 1:
        (intersection,) = found.values()
        return intersection.positions, intersection.statement
    node, others = context.node, context.other_keys()
    active_role = partial(narrow_active, found) if context.is_active else None
    narrow = active_role or partial(narrow_passive, found[context.active], active=context.active)
    role = partial(
        narrow,
        party=node.party_id,
        passives=context.passives,
        suite=context.suite,
        context=context.binding,
        floor=context.spec.cohort_floor,
        private_key=node.keys.signing_key,
        peer_keys=others,
    )
    common: CommonCustomers = context.driver.run_step(
        common_step(context.spec),
        role,
        inputs=context.inputs(*(found[peer].statement for peer in context.psi_peers)),
        encode_result=CommonCustomers.to_bytes,
        decode_result=CommonCustomers.from_bytes,
    )
    if not common.opened:
        _refuse_below_floor(context, common.statement, {"floor": common.floor})
    return np.array(common.positions, dtype=np.int64), common.statement


def _record_start(context: PhaseContext, connection: Connection) -> None:
    dataset, terms = context.dataset, context.terms.dataset
    context.write_json(
        "dataset.json",
        {
            "rows_in_file": dataset.rows_in_file,
            "rejects": dataset.rejects,
            "left_out": dataset.left_out,
        },
    )
    registration = context.node.dataset(terms.name)
    context.write("quality.json", quality.profile(registration, dataset).to_json())
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


def _refuse_below_floor(context: PhaseContext, signed: bytes, counts: dict[str, int]) -> NoReturn:
    """Log the refusal and raise it: nothing more was revealed, and the job is over.

    Between two parties both sign it. Of several, those whose own intersections sufficed may not
    know of it, and are stopped by the coordinator.
    """

    def record(connection: Connection, joint: tuple[bytes, dict[str, bytes]] | None) -> None:
        context.event(
            connection,
            "psi.refused",
            details=common | {"parties": [p.party_id for p in context.spec.parties]},
            counts=counts,
            joint=joint,
        )
        set_status(connection, context.spec.job_id, "refused")
        context.node.checkpoint(connection)

    floor = context.spec.cohort_floor
    common: dict[str, DetailValue] = {
        "protocol": context.spec.alignment.protocol,
        "statement_digest": context.suite.hash(signed).hex(),
        "reason": "below-floor",
    }
    if len(context.spec.parties) == 2:
        statement = context.statement("psi.refused", common, {"floor": floor})
        context.countersign(
            alignment_step(context.spec),
            statement,
            lambda connection, signatures: record(connection, (statement, signatures)),
        )
    else:
        with transaction(context.node.engine) as connection:
            record(connection, None)
    raise JobRefused(
        f"fewer than {floor} shared customers: no customer was revealed",
        "the floor is the strictest party's minimum cohort",
    )


def _record_end(
    context: PhaseContext,
    connection: Connection,
    found: dict[str, Intersection],
    positions: npt.NDArray[np.int64],
    joint: tuple[bytes, dict[str, bytes]],
) -> None:
    """Write row map, participation index and events, in the transaction that ends the phase."""
    node, spec = context.node, context.spec
    _store_row_map(context, connection, positions)
    for at, (peer, intersection) in enumerate(found.items()):
        details: dict[str, DetailValue] = {
            "protocol": spec.alignment.protocol,
            "statement_digest": context.suite.hash(intersection.statement).hex(),
            "parties": [node.party_id, peer],
            "reveal": spec.alignment.reveal,
            "recipients": [node.party_id, peer],
            "learned": ["which-own-customers-are-shared", "size-of-the-other-set"],
        }
        context.event(
            connection,
            "psi.completed",
            details=details,
            counts={
                "own_set": intersection.own_size,
                "peer_set": intersection.peer_size,
                "floor": intersection.floor,
                "intersection": len(intersection.positions),
            },
            joint=joint if at == 0 else None,
        )
    context.event(connection, "align.created", counts=_parts(context, positions))
    facts = facts_of(node, context.spec, intersection=len(positions))
    run_gates(node, connection, context.job, "start", facts)
    node.checkpoint(connection)


def _parts(context: PhaseContext, positions: npt.NDArray[np.int64]) -> dict[str, int]:
    """Return how many customers are shared, and of a job that trains, how many measure."""
    terms, rows = context.spec.evaluation, len(positions)
    if terms is None:
        return {"rows": rows}
    test = sum(
        held_out(context.suite, terms.split_seed, terms.held_out_percent, item.tobytes())
        for item in context.dataset.protocol_inputs[positions]
    )
    return {"rows": rows, "held_out": test, "train": rows - test}


def _store_row_map(
    context: PhaseContext, connection: Connection, positions: npt.NDArray[np.int64]
) -> None:
    node, dataset, job_id = context.node, context.dataset, context.spec.job_id
    row_map = RowMap(tuple(int(row) for row in dataset.source_rows[positions]))
    sealed = seal(
        context.suite,
        node.keys.derived("row-maps"),
        msgspec.msgpack.encode(row_map),
        context.row_map_purpose(),
    )
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
