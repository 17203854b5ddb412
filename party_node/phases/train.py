"""Phase ``train``: the parties train the model together; each stores its own half, sealed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete

from party_node.expected_cost import expected_training
from party_node.learning import Learner, Part, learner_for
from party_node.model_store import half_digest, save_half
from party_node.phases.context import PhaseContext
from party_node.phases.split import split
from party_node.plan import TRAINED_STEP
from party_node.store import model_halves, transaction


def train(context: PhaseContext) -> dict[str, Any]:
    """Train with the peers, once per split; store this party's halves, sealed."""
    terms = context.training_terms
    learner = learner_for(context, terms.kind)
    if context.is_first_run:
        _tell_cost(context)
        with transaction(context.node.engine) as connection:
            _record_start(context, learner, connection, *split(context, 0))
    learner.set_up()
    if learner.mode:
        context.write_json("encryption.json", {"mode": learner.mode})
    halves: list[bytes] = []
    rows = 0
    for repeat in range(context.evaluation.repeats):
        training, _ = split(context, repeat)
        rows = rows or training.rows
        halves.append(learner.fit(repeat, training))
    statement = context.statement(
        "train.completed",
        details={"algorithm": terms.kind, "scheme": learner.scheme},
        counts={"train": rows, "rounds": len(halves)},
    )
    context.countersign(
        TRAINED_STEP,
        statement,
        lambda connection, signatures: _record_end(
            context, learner, connection, halves, rows=rows, joint=(statement, signatures)
        ),
    )
    return {"models": len(halves)}


def _tell_cost(context: PhaseContext) -> None:
    """Write what training is expected to take, before it begins; the active party does."""
    if not context.is_active:
        return
    training, _ = split(context, 0)
    expected, text = expected_training(
        context.spec,
        training.rows,
        suite=context.suite,
        folder=context.node.home,
        one_machine=context.node.simulated,
    )
    context.write_json(
        "estimate.json", {"seconds": expected.seconds, "bytes": expected.bytes, "text": text}
    )


def _record_start(
    context: PhaseContext, learner: Learner, connection: Connection, training: Part, test: Part
) -> None:
    details, counts = learner.started()
    context.event(
        connection,
        "train.started",
        details={
            "algorithm": context.training_terms.kind,
            "scheme": learner.scheme,
            "protections_on": True,
            "parties": [p.party_id for p in context.spec.parties],
            **details,
        },
        counts={
            "rows": training.rows + test.rows,
            "train": training.rows,
            "held_out": test.rows,
            "features": len(context.terms.dataset.columns),
            **counts,
        },
    )


def _record_end(
    context: PhaseContext,
    learner: Learner,
    connection: Connection,
    halves: list[bytes],
    *,
    rows: int,
    joint: tuple[bytes, dict[str, bytes]],
) -> None:
    """Store the halves and log them, in the transaction that finishes the phase's last step."""
    node, job_id, kind = context.node, context.spec.job_id, context.training_terms.kind
    context.event(
        connection,
        "train.completed",
        details={"algorithm": kind, "scheme": learner.scheme, "learned": learner.learned()},
        counts={"train": rows, "rounds": len(halves)},
        joint=joint,
    )
    connection.execute(delete(model_halves).filter_by(job_id=job_id))
    for repeat, half in enumerate(halves):
        save_half(connection, node, job_id, repeat, half)
        context.event(
            connection,
            "model.registered",
            details={
                "algorithm": kind,
                "model_id": f"{job_id}/{node.party_id}/{repeat + 1}",
                "model_digest": half_digest(context.suite, half),
            },
            counts=learner.finished(half),
        )
    node.checkpoint(connection)
