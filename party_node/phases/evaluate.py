"""Phase ``evaluate``: what is the joint model worth on customers no model learned from?

Scores and measures go to the active party alone, whose customers and purpose they are.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from audit.catalogue import DetailValue
from audit.checkpoint import CheckpointError, parse_checkpoint
from audit.countersign import keep_checkpoint
from audit.log import open_intents, read_checkpoints, read_events
from compliance.check import blocking
from compliance.decision import Decision
from models.boosted_trees import active_party, passive_party
from models.boosted_trees.clear import ClearModel, train_alone
from models.boosted_trees.model import ActiveModel, PassiveModel
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import Predictions
from models.evaluation import auc, ks
from party_node.errors import JobRefused, NodeError
from party_node.jobs import refuse, run_gates, set_status
from party_node.keys import unseal
from party_node.phases.context import PhaseContext
from party_node.phases.split import Part, split
from party_node.phases.train import model_purpose
from party_node.plan import predict_step
from party_node.store import model_halves, transaction
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.session.note_exchange import exchange_notes


@dataclass(frozen=True)
class _Split:
    """What one split's held-out customers say of the model alone and joint."""

    trained_on: int
    test: Part
    labels: npt.NDArray[np.uint8] = field(repr=False)
    alone: npt.NDArray[np.float64] = field(repr=False)
    joint: npt.NDArray[np.float64] = field(repr=False)

    def measures(self) -> dict[str, Any]:
        """Return the measures of both models on these customers."""
        return {
            "held_out": self.test.rows,
            "positives": int(self.labels.sum()),
            "trained_on": self.trained_on,
            "alone": {"auc": auc(self.labels, self.alone), "ks": ks(self.labels, self.alone)},
            "joint": {"auc": auc(self.labels, self.joint), "ks": ks(self.labels, self.joint)},
        }

    def scores_csv(self) -> bytes:
        """Return held-out customers by own row number, in file order: label and both scores."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("row", "label", "score_alone", "score_joint"))
        rows = self.test.source_rows
        for i in np.argsort(rows):
            row, label = int(rows[i]), int(self.labels[i])
            writer.writerow((row, label, f"{self.alone[i]:.9f}", f"{self.joint[i]:.9f}"))
        return text.getvalue().encode()


def scores_file(repeat: int) -> str:
    """Return the name of the file of one split's scores; ``repeat`` counts from 0."""
    return f"scores-{repeat + 1}.csv"


def evaluate(context: PhaseContext) -> dict[str, Any]:
    """Predict the held-out customers together; the active party gets scores and measures."""
    splits = []
    for repeat in range(context.spec.evaluation.repeats):
        training, test = split(context, repeat)
        _check_enough(context, test)
        if context.is_active:
            splits.append(_predict_as_active(context, repeat, training, test))
        else:
            _predict_as_passive(context, repeat, test)
    if context.is_active:
        _release(context, splits)
    _exchange_checkpoints(context)
    return {"repeats": context.spec.evaluation.repeats}


def _check_enough(context: PhaseContext, test: Part) -> None:
    minimum = context.spec.evaluation.minimum_held_out
    if test.rows < minimum:
        raise JobRefused(
            f"only {test.rows} held-out customers; at least {minimum} are needed to release any "
            "result",
            "bring more customers, or hold out a larger part",
        )


def _predict_as_passive(context: PhaseContext, repeat: int, test: Part) -> None:
    half = PassiveModel.from_bytes(_own_half(context, repeat))
    context.driver.run_step(
        predict_step(repeat),
        lambda *, seed: passive_party.evaluate(model=half, table=test.table, active=context.active),
        inputs=context.inputs(half.to_bytes()),
        encode_result=lambda _: b"",
        decode_result=lambda _: None,
    )
    if repeat == 0:
        context.write_json("importance.json", {"columns": half.importance()})


def _predict_as_active(context: PhaseContext, repeat: int, training: Part, test: Part) -> _Split:
    half = ActiveModel.from_bytes(_own_half(context, repeat))
    joint = context.driver.run_step(
        predict_step(repeat),
        lambda *, seed: active_party.evaluate(
            model=half, table=test.table, passives=context.passives
        ),
        inputs=context.inputs(half.to_bytes()),
        encode_result=Predictions.to_bytes,
        decode_result=Predictions.from_bytes,
    ).probabilities
    if training.labels is None or test.labels is None:
        raise LocalProtocolError("the active party's dataset has no label")
    options = TreeOptions.from_terms(context.spec.model)
    alone_half = train_alone(training.table, training.labels, options)
    alone = ClearModel(context.active, alone_half, {}).predict({context.active: test.table})
    if repeat == 0:
        context.write_json(
            "importance.json", {"columns": half.importance(), "by_party": half.peer_importance()}
        )
    return _Split(training.rows, test, test.labels, alone.probabilities, joint)


def _release(context: PhaseContext, splits: list[_Split]) -> None:
    """Write scores and measures into this party's outputs, between two events of the log.

    A crash between the two leaves an open intent; running the phase again settles it.
    """
    node, job = context.node, context.job
    if job.status == "released":
        return
    scores = [split.scores_csv() for split in splits]
    what: dict[str, DetailValue] = {
        "output": "scores",
        "form": "score",
        "recipient": node.party_id,
        "scores_digest": context.suite.hash(*map(context.suite.hash, scores)).hex(),
    }
    counts = {
        "customers": splits[0].test.rows,
        "floor": context.spec.evaluation.minimum_held_out,
    }
    with transaction(node.engine) as connection:
        intents = [
            event.seq
            for event in open_intents(connection)
            if event.type == "release.intended" and event.job == context.spec.job_id
        ]
        stops: tuple[Decision, ...] = ()
        if not intents:
            stops = blocking(
                run_gates(node, connection, job, "release", context.shared_customers())
            )
            if not stops:
                intents = [
                    context.event(connection, "release.intended", details=dict(what), counts=counts)
                ]
    if stops:
        raise refuse(node, job, stops)
    for repeat, data in enumerate(scores):
        context.write(scores_file(repeat), data)
    measures = [split.measures() for split in splits]
    context.write_json("evaluation.json", measures)
    with transaction(node.engine) as connection:
        context.event(
            connection, "release.done", details=dict(what), counts=counts, intent=intents[0]
        )
        for split_measures in measures:
            alone, joint = split_measures["alone"], split_measures["joint"]
            context.event(
                connection,
                "evaluation.completed",
                details={
                    "metric": "auc",
                    "auc_alone": f"{alone['auc']:.6f}",
                    "ks_alone": f"{alone['ks']:.6f}",
                    "auc_joint": f"{joint['auc']:.6f}",
                    "ks_joint": f"{joint['ks']:.6f}",
                },
                counts={name: split_measures[name] for name in ("held_out", "positives")},
            )
        set_status(connection, context.spec.job_id, "released")
        node.checkpoint(connection)


def _exchange_checkpoints(context: PhaseContext) -> None:
    """Give the peers this log's signed state and keep theirs in this log."""
    node = context.node
    if not context.is_active:
        with transaction(node.engine) as connection:
            set_status(connection, context.spec.job_id, "released")
    last = "release.done" if context.is_active else "train.completed"
    note = _first_note_after(context, last)
    peers = tuple(p.party_id for p in context.spec.parties if p.party_id != node.party_id)
    context.driver.run_step(
        "evaluate/checkpoints",
        lambda *, seed: exchange_notes(note, peers=peers),
        inputs=context.inputs(),
        encode_result=msgspec.msgpack.encode,
        decode_result=lambda data: msgspec.msgpack.decode(data, type=dict[str, bytes]),
        on_done=lambda connection, notes: _keep_notes(context, connection, notes),
    )


def _keep_notes(context: PhaseContext, connection: Connection, notes: dict[str, bytes]) -> None:
    node = context.node
    for peer, note in notes.items():
        try:
            draft = keep_checkpoint(
                note,
                suite=context.suite,
                origin=node.origin_of(peer),
                public_key=node.pinned_keys()[peer],
                actor=node.service,
                job=context.spec.job_id,
            )
        except CheckpointError as error:
            raise RemoteProtocolError(f"a wrong checkpoint: {error}", party=peer) from None
        node.record(connection, draft)
    node.checkpoint(connection)


def _first_note_after(context: PhaseContext, type_: str) -> bytes:
    """Return the first checkpoint that covers this job's last event of ``type_``.

    Not the latest one: a replay after a crash must send the same bytes, and the log has grown.
    """
    with context.node.engine.connect() as connection:
        events = read_events(connection, job=context.spec.job_id, type_=type_)
        seq = max(event.seq for event in events)
        for note in read_checkpoints(connection):
            checkpoint, _ = parse_checkpoint(note, digest_bytes=context.suite.digest_bytes)
            if checkpoint.tree_size > seq:
                return note
    raise NodeError(f"no checkpoint covers {type_}", "run fedcrm audit fsck on this node")


def _own_half(context: PhaseContext, repeat: int) -> bytes:
    job_id = context.spec.job_id
    with context.node.engine.connect() as connection:
        sealed = connection.execute(
            select(model_halves.c.sealed).filter_by(job_id=job_id, repeat=repeat)
        ).scalar_one_or_none()
    if sealed is None:
        raise NodeError("there is no model to evaluate", "the train phase comes first")
    key = context.node.keys.derived("model-halves")
    return unseal(context.suite, key, sealed, model_purpose(job_id, repeat))
