"""Phase ``evaluate``: what is the joint model worth on customers no model learned from?

Scores and measures go to the active party alone, whose customers and purpose they are.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from models.evaluation import auc, ks
from models.evaluation.multiclass import class_measures
from models.evaluation.regression import regression_measures
from party_node.errors import JobRefused
from party_node.gate_facts import facts_of
from party_node.learning import Learner, Part, learner_for
from party_node.model_store import load_half
from party_node.phases.context import PhaseContext
from party_node.phases.log_states import exchange_checkpoints
from party_node.phases.release import release
from party_node.phases.split import split
from party_node.plan import EVALUATE_CHECKPOINTS_STEP, joint_table_step, predict_step
from protocols.session.model_terms import Objective, ScorecardTerms


@dataclass(frozen=True)
class _Split:
    """What one split's held-out customers say of the model alone and joint."""

    objective: Objective
    trained_on: int
    test: Part
    labels: npt.NDArray[Any] = field(repr=False)
    alone: npt.NDArray[np.float64] = field(repr=False)
    """Probabilities of the label, shape (rows,), or of each class; of a regression, numbers."""
    joint: npt.NDArray[np.float64] = field(repr=False)

    def measures(self) -> dict[str, Any]:
        """Return the measures of both models on these customers."""
        counted = {"held_out": self.test.rows, "trained_on": self.trained_on}
        if self.objective == "binary":
            counted["positives"] = int(self.labels.sum())
        return {
            "objective": self.objective,
            **counted,
            "alone": measures(self.objective, self.labels, self.alone),
            "joint": measures(self.objective, self.labels, self.joint),
        }

    def scores_csv(self) -> bytes:
        """Return held-out customers by own row number, in file order: label and both scores."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        columns = np.stack([self.alone, self.joint], axis=-1).reshape(self.test.rows, -1)
        names = ["score_alone", "score_joint"]
        if self.objective == "multiclass":
            classes = range(self.joint.shape[1])
            names = [f"{model}_{k}" for k in classes for model in ("alone", "joint")]
        writer.writerow(("row", "label", *names))
        rows = self.test.source_rows
        for i in np.argsort(rows):
            scores = [f"{score:.9f}" for score in columns[i]]
            writer.writerow((int(rows[i]), self.labels[i], *scores))
        return text.getvalue().encode()


def measures(
    objective: Objective, labels: npt.NDArray[Any], scores: npt.NDArray[np.float64]
) -> dict[str, float]:
    """Return how well scores fit the labels, in the measures of the objective."""
    match objective:
        case "binary":
            return {"auc": auc(labels, scores), "ks": ks(labels, scores)}
        case "regression":
            return regression_measures(labels, scores)
        case "multiclass":
            return class_measures(labels, scores)


def scores_file(repeat: int) -> str:
    """Return the name of the file of one split's scores; ``repeat`` counts from 0."""
    return f"scores-{repeat + 1}.csv"


def evaluate(context: PhaseContext) -> dict[str, Any]:
    """Predict the held-out customers together; the active party gets scores and measures."""
    learner = learner_for(context, context.training_terms.kind)
    splits = []
    for repeat in range(context.evaluation.repeats):
        training, test = split(context, repeat)
        _check_enough(context, test)
        half = load_half(context.node, context.spec.job_id, repeat)
        predictions = learner.predict(predict_step(repeat), half, test)
        if repeat == 0:
            context.write_json("importance.json", learner.importance(half))
            context.write_json("model.json", {"half": learner.readable(half)})
        if predictions is not None:
            objective = learner.objective(half)
            scores = predictions.margins if objective == "regression" else predictions.probabilities
            labels, alone = test.known_labels(), learner.alone(training, test)
            splits.append(_Split(objective, training.rows, test, labels, alone, scores))
    _exchange_joint_table(context, learner)
    if context.is_active:
        _release(context, splits)
    exchange_checkpoints(
        context,
        EVALUATE_CHECKPOINTS_STEP,
        "release.done" if context.is_active else "train.completed",
    )
    return {"repeats": context.evaluation.repeats}


def _check_enough(context: PhaseContext, test: Part) -> None:
    minimum = context.evaluation.minimum_held_out
    if test.rows < minimum:
        raise JobRefused(
            f"only {test.rows} held-out customers; at least {minimum} are needed to release any "
            "result",
            "bring more customers, or hold out a larger part",
        )


def _release(context: PhaseContext, splits: list[_Split]) -> None:
    """Write scores and measures into this party's outputs, and log that they were."""
    scores = [split.scores_csv() for split in splits]
    measured = [split.measures() for split in splits]

    def write() -> None:
        for repeat, data in enumerate(scores):
            context.write(scores_file(repeat), data)
        context.write_json("evaluation.json", measured)

    def record(connection: Connection) -> None:
        for each in measured:
            told = {
                f"{measure}_{model}": f"{each[model][measure]:.6f}"
                for model in ("alone", "joint")
                for measure in ("auc", "ks", "rmse", "accuracy")
                if measure in each[model]
            }
            metric = {"binary": "auc", "regression": "rmse", "multiclass": "accuracy"}
            context.event(
                connection,
                "evaluation.completed",
                details={"metric": metric[each["objective"]], **told},
                counts={name: each[name] for name in ("held_out", "positives") if name in each},
            )

    release(
        context.node,
        context.job,
        context.phase,
        {
            "output": "scores",
            "form": "score",
            "recipient": context.node.party_id,
            "scores_digest": context.suite.hash(*map(context.suite.hash, scores)).hex(),
        },
        {
            "customers": splits[0].test.rows,
            "floor": context.evaluation.minimum_held_out,
        },
        facts=facts_of(context.node, context.spec, intersection=context.shared_customers()),
        write=write,
        record=record,
    )


def _exchange_joint_table(context: PhaseContext, learner: Learner) -> None:
    """Bring the parties' points into one table at the active party, where the spec says so."""
    terms = context.training_terms
    if not isinstance(terms, ScorecardTerms) or not terms.joint_table:
        return
    for repeat in range(context.evaluation.repeats):
        half = load_half(context.node, context.spec.job_id, repeat)
        table = learner.joint_table(joint_table_step(repeat), half)
        if table is not None and repeat == 0:
            context.write_json("joint-table.json", {"rows": table})
