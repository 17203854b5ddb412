"""Phase ``score``: newly aligned customers are scored with a model the parties trained before.

The scores go to the active party alone, whose customers and purpose they are, in the form the spec
allows; every other party learns that it was done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Connection

from models.predictions import Predictions
from models.scoring import needed_columns, score_customers, take_columns
from party_node.agreed_half import check_half
from party_node.errors import JobRefused
from party_node.gate_facts import facts_of
from party_node.learning import Learner, Part, learner_for
from party_node.model_store import StoredHalf, load_half
from party_node.phases.context import PhaseContext
from party_node.phases.log_states import exchange_checkpoints
from party_node.phases.release import release
from party_node.plan import SCORE_CHECKPOINTS_STEP, SCORE_STEP, SCORED_STEP
from party_node.store import transaction
from protocols.errors import LocalProtocolError

SCORES_FILE = "scored.csv"


def score(context: PhaseContext) -> dict[str, Any]:
    """Score the shared customers with the stored halves; the active party gets its file."""
    terms = context.spec.scoring
    stored = check_half(context.node, context.spec)
    part = _customers(context, stored)
    learner = learner_for(context, terms.trained)
    if context.is_first_run:
        with transaction(context.node.engine) as connection:
            _record_start(context, stored, part, connection)
    half = load_half(context.node, terms.model_id, 0)
    predictions = learner.predict(SCORE_STEP, half, part)
    _countersign(context, stored, part)
    if predictions is not None:
        _release(context, learner, half, part, predictions)
    last = "release.done" if context.is_active else "score.completed"
    exchange_checkpoints(context, SCORE_CHECKPOINTS_STEP, last)
    return {"customers": part.rows}


def _customers(context: PhaseContext, stored: StoredHalf) -> Part:
    """Return the shared customers with the columns the half needs, in its order."""
    dataset, indices = context.dataset, context.aligned()
    try:
        # Of all registered columns: one that is constant among these customers is still needed.
        table = take_columns(needed_columns(stored.facts), dataset.registered)
    except LocalProtocolError as error:
        raise JobRefused(
            f"{context.node.party_id}: {error}", "bring the columns the model was trained on"
        ) from None
    items = dataset.protocol_inputs[indices]
    return Part(table.take(indices), None, dataset.source_rows[indices], items)


def _record_start(
    context: PhaseContext, stored: StoredHalf, part: Part, connection: Connection
) -> None:
    terms = context.spec.scoring
    context.event(
        connection,
        "score.started",
        details={
            "algorithm": stored.kind,
            "model_id": terms.model_id,
            "model_digest": stored.digest,
            "form": terms.form,
            "parties": [p.party_id for p in context.spec.parties],
        },
        counts={"rows": part.rows, "features": len(part.table.columns)},
    )


def _countersign(context: PhaseContext, stored: StoredHalf, part: Part) -> None:
    """Have every party sign that these customers were scored, and log it."""
    terms = context.spec.scoring
    told = {"algorithm": stored.kind, "model_id": terms.model_id, "form": terms.form}
    learned = ["scores-of-shared-customers"] if context.is_active else ["that-they-were-scored"]
    statement = context.statement("score.completed", dict(told), {"rows": part.rows})

    def record(connection: Connection, signatures: dict[str, bytes]) -> None:
        context.event(
            connection,
            "score.completed",
            details={**told, "model_digest": stored.digest, "learned": learned},
            counts={"rows": part.rows},
            joint=(statement, signatures),
        )
        context.node.checkpoint(connection)

    context.countersign(SCORED_STEP, statement, record)


def _release(
    context: PhaseContext, learner: Learner, half: bytes, part: Part, predictions: Predictions
) -> None:
    terms = context.spec.scoring
    try:
        scored = score_customers(
            terms,
            predictions,
            objective=learner.objective(half),
            group_names={party: f"columns of {party}" for party in context.passives},
        )
    except LocalProtocolError as error:
        raise JobRefused(str(error), "ask for another form of result") from None
    data = scored.to_csv(part.source_rows.astype(np.int64))
    release(
        context.node,
        context.job,
        context.phase,
        {
            "output": "scores",
            "form": terms.form,
            "recipient": context.node.party_id,
            "model_id": terms.model_id,
            "scores_digest": context.suite.hash(data).hex(),
        },
        {"customers": part.rows, "floor": context.spec.cohort_floor},
        facts=facts_of(context.node, context.spec, intersection=context.shared_customers()),
        write=lambda: context.write(SCORES_FILE, data),
        record=lambda connection: None,
    )
