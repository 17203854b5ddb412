"""How well the gradients a passive party received tell the labels: the two attacks of Li et al.

Li, Sun, Yang, Gao, Zhang, Xie, Smith and Wang, "Label Leakage and Protection in Two-party Split
Learning" (ICLR 2022): by norm and by direction (cosine). Both score the rows of one mini-batch,
whose gradients come from one state of the network, and are judged by the AUC of their scores
against the true labels, which the attacker does not have: 0.5 is a guess, 1 is every label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation import auc
from models.split_network.messages import Singles
from models.table import Floats


@dataclass(frozen=True, slots=True)
class Leakage:
    """Mean AUC over the mini-batches of what is looked at."""

    norm: float
    direction: float


def leakage(
    gradients: Sequence[Singles], labels: Sequence[npt.NDArray[Any]], *, known: int = 1
) -> Leakage:
    """Return the leakage of mini-batches' gradients, each (rows, cut_units), with their labels.

    ``known`` is how many positives of each batch the direction attack is told: one in the paper.
    With randomised labels that one's gradient points the wrong way with the flip probability, and
    several outvote it. Batches without two positives and a negative say nothing and are passed
    over. Raises ``ValueError`` if none is left.
    """
    both = [
        (values, truth)
        for values, truth in zip(gradients, labels, strict=True)
        if 1 < np.count_nonzero(truth) < len(truth)
    ]
    if not both:
        raise ValueError("no batch has two positives and a negative")
    norms = [auc(truth, norm_scores(values)) for values, truth in both]
    directions = [direction_auc(values, truth, known) for values, truth in both]
    return Leakage(float(np.mean(norms)), float(np.mean(directions)))


def norm_scores(gradients: Singles) -> Floats:
    """Return the length of each row's gradient.

    A row's gradient is proportional to how far its prediction is from its label, which is further
    for the rarer label.
    """
    lengths: Floats = np.linalg.norm(gradients.astype(np.float64), axis=1)
    return lengths


def direction_scores(gradients: Singles, known: Singles) -> Floats:
    """Return each row's cosine with the mean direction of ``known``, gradients of known positives.

    Gradients of rows with unlike labels point in opposite directions as long as the top network is
    close to linear. A row or a mean without a direction scores 0.
    """
    cosines: Floats = _unit(gradients) @ _unit(_unit(known).mean(axis=0, keepdims=True))[0]
    return cosines


def direction_auc(gradients: Singles, labels: npt.NDArray[Any], known: int) -> float:
    """Return the direction attack's AUC for an attacker who knows the first ``known`` positives.

    Of all positives but one, if there are fewer; the known ones are not scored. Raises
    ``ValueError`` unless two rows are positive and one is not.
    """
    positives = np.flatnonzero(labels)
    given = positives[: min(known, len(positives) - 1)]
    scores = direction_scores(gradients, gradients[given])
    return auc(np.delete(labels, given), np.delete(scores, given))


def _unit(vectors: npt.NDArray[Any]) -> Floats:
    values = vectors.astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    units: Floats = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    return units


def best_auc_against(flip_probability: float) -> float:
    """Return the AUC of an attacker who reads the randomised labels without error.

    He knows which label is more likely for each row and nothing else of it: 1 - q, for any base
    rate. An attacker can do better only by what customers like this one do, which the model itself
    is there to say.
    """
    return 1 - flip_probability
