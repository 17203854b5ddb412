"""What the phases ask of a kind of model, whichever it is.

A learner is one party's side: it runs the model's roles as steps of the plan, each a checkpoint,
and hands back this party's half as bytes. It is made anew for each phase.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from audit.catalogue import DetailValue
from models.predictions import Predictions
from models.table import ColumnTable
from protocols.errors import LocalProtocolError
from protocols.paillier import PublicKey
from protocols.roles import Role
from protocols.session.model_terms import Objective
from protocols.suite import Items

if TYPE_CHECKING:
    from party_node.phases.context import PhaseContext

BATCH_ORDER = b"fedcrm/batch-order/v1\x00"
"""What the public seed of the order of batches is for."""


@dataclass(frozen=True)
class Part:
    """This party's rows of one part of the shared customers, in the shared order."""

    table: ColumnTable = field(repr=False)
    labels: npt.NDArray[Any] | None = field(repr=False)
    source_rows: npt.NDArray[np.int64] = field(repr=False)
    items: Items = field(repr=False)
    """Protocol input of each customer: the same bytes for the same customer, in every job."""
    validation: npt.NDArray[np.bool_] | None = field(default=None, repr=False)
    """Of a training part: the rows that decide when to stop, alike at every party."""

    @property
    def rows(self) -> int:
        """How many customers this part has."""
        return len(self.source_rows)

    def known_labels(self) -> npt.NDArray[Any]:
        """Return the labels; raises :class:`LocalProtocolError` at a party that has none."""
        if self.labels is None:
            raise LocalProtocolError("the active party's dataset has no label")
        return self.labels


class Learner(ABC):
    """One party's side of one kind of model; see the module."""

    scheme: str
    """What protects the training, as it stands in the log."""

    def __init__(self, context: PhaseContext) -> None:
        self.context = context

    @property
    def mode(self) -> str:
        """How ciphertexts are computed and how long their random exponents are, in one line.

        Known after :meth:`set_up`; empty where nothing is encrypted.
        """
        return ""

    @abstractmethod
    def set_up(self) -> None:
        """Run what all splits share, such as making keys; before the first :meth:`fit`."""

    @abstractmethod
    def fit(self, repeat: int, training: Part) -> bytes:
        """Train on one split with the peers; return this party's half."""

    @abstractmethod
    def predict(self, step: str, half: bytes, part: Part) -> Predictions | None:
        """Predict with the peers; the active party gets the predictions, the others None.

        Raises ``LocalProtocolError`` that names what differs where the half does not fit the
        part's columns.
        """

    @abstractmethod
    def alone(self, training: Part, test: Part) -> npt.NDArray[np.float64]:
        """Return the scores of ``test`` by the same kind of model, of this party's columns only."""

    @abstractmethod
    def importance(self, half: bytes) -> dict[str, Any]:
        """Return ``columns``, how much the half uses each own column, and ``by_party``."""

    @abstractmethod
    def readable(self, half: bytes) -> list[dict[str, Any]]:
        """Return the half as a table its owner can read; rows of plain values."""

    @abstractmethod
    def started(self) -> tuple[dict[str, DetailValue], dict[str, int]]:
        """Return what the log says of the parameters when training starts: details and counts."""

    @abstractmethod
    def finished(self, half: bytes) -> dict[str, int]:
        """Return what the log counts in a finished half."""

    @abstractmethod
    def learned(self) -> list[str]:
        """Return what this party learned in training, as codes of the log."""

    def public_seed(self, purpose: bytes, repeat: int) -> bytes:
        """Return a seed of one split that every party computes alike, for one purpose."""
        context = self.context
        return context.suite.hash(purpose, context.spec.digest(context.suite), bytes([repeat]))

    def record_key(self, connection: Connection, key: PublicKey) -> None:
        """Log that this party made a key pair; ``key`` is its public half."""
        self.context.event(
            connection,
            "he.key_generated",
            details={
                "scheme": "paillier",
                "key_id": self.context.suite.hash(key.to_bytes()).hex()[:32],
            },
            counts={"key_bits": key.bits},
        )

    def run_prediction(
        self, step: str, half: bytes, role: Callable[[], Role[Any]]
    ) -> Predictions | None:
        """Run this party's role of a prediction as a step; only the active one's returns any."""

        def make(*, seed: bytes) -> Role[Any]:
            del seed  # predicting draws nothing
            return role()

        driver, inputs = self.context.driver, self.context.inputs(half)
        found: Predictions | None
        if self.context.is_active:
            found = driver.run_step(
                step,
                make,
                inputs=inputs,
                encode_result=Predictions.to_bytes,
                decode_result=Predictions.from_bytes,
            )
        else:
            found = driver.run_step(
                step,
                make,
                inputs=inputs,
                encode_result=lambda _: b"",
                decode_result=lambda _: None,
            )
        return found

    def objective(self, half: bytes) -> Objective:
        """Return what kind of label the model predicts."""
        del half
        return "binary"

    def joint_table(self, step: str, half: bytes) -> list[dict[str, Any]] | None:
        """Bring all parties' halves into one readable table, which the active party gets.

        Only kinds whose spec can ask for it have one.
        """
        raise LocalProtocolError("this kind of model has no joint table")


def learner_for(context: PhaseContext, kind: str) -> Learner:
    """Return this party's learner of a kind of model."""
    # Imported here: only a split network's job pays for loading torch.
    if kind == "boosted_trees":
        from party_node.learning.boosted_trees import TreeLearner  # noqa: PLC0415

        return TreeLearner(context)
    if kind == "scorecard":
        from party_node.learning.scorecard import ScorecardLearner  # noqa: PLC0415

        return ScorecardLearner(context)
    from party_node.learning.split_network import SplitNetworkLearner  # noqa: PLC0415

    return SplitNetworkLearner(context)
