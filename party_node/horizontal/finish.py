"""The end of a horizontal job at one party: its model, its own customers' scores, what it is worth.

Scores are of this party's own customers and go to itself alone. What a model trained on this
party's customers only would have scored is computed beside it, because that is what joining is
compared with.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from audit.catalogue import DetailValue
from audit.event import joint_message
from audit.statements import job_statement
from compliance.facts import Facts
from models.evaluation import auc, ks
from models.horizontal.evaluation import Ranking, ranking_from_counts
from models.horizontal.model import TrainedModel
from models.horizontal.prediction import predict
from models.horizontal.scaling import Scaling
from models.horizontal.state import FederatedState
from models.table import Floats
from party_node.gate_facts import facts_of
from party_node.horizontal.catching_up import check_confirmed, seal_learned
from party_node.horizontal.key_epoch import KeyEpoch
from party_node.horizontal.openings import fewest_contributors, learned, learned_digest
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.table import ledger_of, work_of
from party_node.horizontal.work import Learned, Work
from party_node.phases.log_states import first_note_after
from party_node.phases.release import release
from party_node.store import transaction
from protocols.errors import RemoteProtocolError

MODEL_FILE = "model.safetensors"
SCORES_FILE = "scores.csv"


def finish(context: StepContext) -> dict[str, Any]:
    """Release this party's results and give the others its log's signed state."""
    known = learned(context)
    work = work_of(context)
    if known.opened != work.sums:
        raise RemoteProtocolError(
            f"the job ends after {work.sums} opened sums; this party has {known.opened}",
            party="coordinator",
            step=context.step,
        )
    check_confirmed(context, known)
    if "want-state" in context.inbox:
        context.outbox["state"] = seal_learned(context, KeyEpoch.present(context), known)
    _release(context, known, work)
    context.outbox["checkpoint"] = first_note_after(
        context.node, context.spec.job_id, "release.done"
    )
    context.outbox["completed"] = context.node.keys.sign(joint_message(_completed(context, known)))
    return {"opened": known.opened, "model": learned_digest(known, context.suite).hex()}


def _completed(context: StepContext, known: Learned) -> bytes:
    """Return the statement on the training that every party builds for itself and signs."""
    return job_statement(
        "train.completed",
        job=context.spec.job_id,
        origins=context.job.origins(context.node),
        attempt=context.job.attempt,
        details={
            "algorithm": context.spec.model.kind,
            "model_digest": learned_digest(known, context.suite).hex(),
        },
        counts={"sums": known.opened},
    )


def log_completed(
    context: StepContext, connection: Connection, signatures: Mapping[str, bytes]
) -> None:
    """Log the end of training, jointly where every party of the job signed the same of it.

    Raises :class:`RemoteProtocolError` naming the first whose signature is over something else.
    """
    known = learned(context)
    statement = _completed(context, known)
    message = joint_message(statement)
    keys = context.public_keys
    parties = sorted(set(signatures) & set(keys))
    wrong = context.suite.verify_each([(keys[p], message, signatures[p]) for p in parties])
    if wrong:
        raise RemoteProtocolError(
            "signed another end of the training than this party's", party=parties[wrong[0]]
        )
    signed_by_all = set(parties) == set(keys)
    context.event(
        connection,
        "train.completed",
        details={
            "algorithm": context.spec.model.kind,
            "model_digest": learned_digest(known, context.suite).hex(),
            "learned": ["sums-over-all-contributors"],
            "dp_used": context.spec.privacy is not None,
            "parties": parties,
        },
        counts={"sums": known.opened},
        joint=(statement, {p: signatures[p] for p in parties}) if signed_by_all else None,
    )


def _release(context: StepContext, known: Learned, work: Work) -> None:
    spec, table = context.spec, work.table
    state, scaling = FederatedState.from_bytes(known.state), Scaling.from_bytes(known.scaling)
    joint = predict(state, scaling, table, spec.model)
    own = work.alone()
    rankings: list[Ranking | None] = [None] * spec.evaluation.repeats
    if known.counts:
        rankings = list(ranking_from_counts(known.counts, spec.evaluation.repeats))
    model = TrainedModel.of(state, scaling, spec.model, spec.purchases.columns).to_bytes()
    scores = _scores(work, own, joint)
    measured = [
        _measures(work, repeat, own[repeat], joint[repeat], rankings[repeat])
        for repeat in range(spec.evaluation.repeats)
    ]

    def write() -> None:
        context.write(MODEL_FILE, model)
        context.write(SCORES_FILE, scores)
        context.write_json("evaluation.json", measured)

    def record(connection: Connection) -> None:
        everybody = rankings[0]
        details: dict[str, DetailValue] = {"metric": "auc"}
        if everybody is not None and everybody.auc is not None:
            details["auc_joint"] = f"{everybody.auc:.6f}"
        # What the party measured on its own customers stays in its own outputs: others see this.
        context.event(connection, "evaluation.completed", details=details)

    release(
        context.node,
        context.job,
        context.step,
        {
            "output": "scores",
            "form": "score",
            "recipient": context.party,
            "scores_digest": context.suite.hash(scores).hex(),
        },
        {"floor": spec.evaluation.minimum_held_out},
        facts=_facts(context),
        write=write,
        record=record,
    )


def _facts(context: StepContext) -> Facts:
    """Return what this node's gates decide a release by."""
    ledger, privacy = ledger_of(context), None
    if ledger is not None:
        with transaction(context.node.engine) as connection:
            privacy = ledger.facts(connection)
    fewest = fewest_contributors(context)
    return facts_of(context.node, context.spec, contributors=fewest, privacy=privacy)


def _scores(work: Work, own: Floats, joint: Floats) -> bytes:
    """Return held-out customers of every split: own row number, label, both scores."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["split", "row", "label", "score_alone", "score_joint"])
    for repeat, held_out in enumerate(work.held_out):
        rows = np.flatnonzero(held_out)
        for row in rows[np.argsort(work.table.source_rows[rows])]:
            scores = (f"{score[repeat, row]:.9f}" for score in (own, joint))
            label = int(work.table.labels[row])
            writer.writerow([repeat + 1, work.table.source_rows[row], label, *scores])
    return text.getvalue().encode()


def _measures(
    work: Work, repeat: int, own: Floats, joint: Floats, everybody: Ranking | None
) -> dict[str, Any]:
    held_out = work.held_out[repeat]
    labels = work.table.labels[held_out]
    return {
        "held_out": int(held_out.sum()),
        "positives": int(labels.sum()),
        "trained_on": int((~held_out).sum()),
        "alone": _ranked(labels, own[held_out]),
        "joint": _ranked(labels, joint[held_out]),
        "everybody": None if everybody is None else _told(everybody),
    }


def _told(everybody: Ranking) -> dict[str, Any]:
    """Return what the opened counts say of all parties' held-out customers together."""
    return {
        "held_out": everybody.positives + everybody.negatives,
        "positives": everybody.positives,
        "auc": everybody.auc,
        "resolution": everybody.resolution,
        "ks": everybody.ks,
    }


def _ranked(labels: npt.NDArray[np.uint8], scores: Floats) -> dict[str, float | None]:
    """Return AUC and KS, or None where all customers have one label."""
    if labels.min() == labels.max():
        return {"auc": None, "ks": None}
    return {"auc": auc(labels, scores), "ks": ks(labels, scores)}
