"""A scorecard at a node: checkpoints for keys, binning, each epoch and the points."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.catalogue import DetailValue
from models.predictions import Predictions
from models.scorecard import active_party, clear, passive_party
from models.scorecard.columns import WeighedColumns
from models.scorecard.keys import Keys
from models.scorecard.messages import PointsTable, TableRow
from models.scorecard.model import ActiveScorecard, PassiveScorecard
from models.scorecard.options import ScorecardOptions
from models.scorecard.regression import TrainingState
from party_node.errors import JobRefused
from party_node.learning.learner import BATCH_ORDER, Learner, Part
from party_node.plan import KEYS_STEP, binning_step, epoch_step, finish_step
from protocols.errors import LocalProtocolError
from protocols.session.model_terms import ScorecardTerms
from protocols.wire import decode, encode


class ScorecardLearner(Learner):
    """See :class:`party_node.learning.learner.Learner`."""

    scheme = "paillier-and-secret-sharing"
    _keys: Keys

    @property
    def _terms(self) -> ScorecardTerms:
        terms = self.context.training_terms
        assert isinstance(terms, ScorecardTerms)
        return terms

    @property
    def _options(self) -> ScorecardOptions:
        return ScorecardOptions.from_terms(self._terms)

    @property
    def mode(self) -> str:
        """Return this party's own key's line; see :class:`Learner`."""
        return self._keys.own.mode

    # -- training ----------------------------------------------------------------------------

    def set_up(self) -> None:
        """Make this party's key pair and get the peer's public key."""
        context, terms = self.context, self._terms
        of_role: Any = (
            partial(active_party.make_keys, passives=context.passives)
            if context.is_active
            else partial(passive_party.make_keys, active=context.active)
        )
        self._keys = context.driver.run_step(
            KEYS_STEP,
            partial(
                of_role,
                suite=context.suite,
                bits=terms.paillier_bits,
                randomness=terms.paillier_randomness,
            ),
            inputs=context.inputs(),
            encode_result=Keys.to_bytes,
            decode_result=lambda data: Keys.from_bytes(
                data, context.suite, terms.paillier_randomness
            ),
            on_done=lambda connection, keys: self.record_key(connection, keys.own.public_key),
        )

    def fit(self, repeat: int, training: Part) -> bytes:
        """Weigh the bins, train on shares epoch by epoch, turn coefficients into points."""
        context, options = self.context, self._options
        labels = training.known_labels() if context.is_active else None
        peers: dict[str, Any] = (
            {"passives": context.passives, "labels": labels}
            if context.is_active
            else {"active": context.active}
        )
        role: Any = active_party if context.is_active else passive_party
        table = training.table
        digest = context.suite.hash(
            context.binding,
            training.items.tobytes(),
            b"" if labels is None else labels.tobytes(),
            context.dataset.digest,
        )
        common = {"table": table, "options": options, **peers}
        try:
            weighed = context.driver.run_step(
                binning_step(repeat),
                partial(role.weigh_columns, keys=self._keys, suite=context.suite, **common),
                inputs=context.inputs(digest),
                encode_result=WeighedColumns.to_bytes,
                decode_result=WeighedColumns.from_bytes,
            )
        except LocalProtocolError as error:
            raise JobRefused(
                f"{context.node.party_id}: {error}", "look at the label and the columns"
            ) from None
        state: TrainingState | None = None
        for epoch in range(options.epochs):
            before = b"" if state is None else state.to_bytes()
            state = context.driver.run_step(
                epoch_step(repeat, epoch),
                partial(
                    role.train_epoch,
                    epoch=epoch,
                    weighed=weighed,
                    state=state,
                    keys=self._keys,
                    suite=context.suite,
                    public_seed=self.public_seed(BATCH_ORDER, repeat),
                    **common,
                ),
                inputs=context.inputs(digest, before),
                encode_result=TrainingState.to_bytes,
                decode_result=TrainingState.from_bytes,
            )
        assert state is not None  # a scorecard has at least one epoch
        trained = state
        half: ActiveScorecard | PassiveScorecard = context.driver.run_step(
            finish_step(repeat),
            lambda *, seed: role.finish(weighed=weighed, state=trained, **common),
            inputs=context.inputs(digest, trained.to_bytes()),
            encode_result=lambda found: found.to_bytes(),
            decode_result=self._half,
        )
        return half.to_bytes()

    def _half(self, data: bytes) -> ActiveScorecard | PassiveScorecard:
        if self.context.is_active:
            return ActiveScorecard.from_bytes(data)
        return PassiveScorecard.from_bytes(data)

    # -- prediction --------------------------------------------------------------------------

    def predict(self, step: str, half: bytes, part: Part) -> Predictions | None:
        """Add up the points of both parties' columns at the active party."""
        context, table = self.context, part.table
        if context.is_active:
            own = ActiveScorecard.from_bytes(half)
            role: Any = partial(
                active_party.score, half=own, table=table, passives=context.passives
            )
        else:
            held = PassiveScorecard.from_bytes(half)
            role = partial(passive_party.score, half=held, table=table, active=context.active)
        return self.run_prediction(step, half, role)

    def alone(self, training: Part, test: Part) -> npt.NDArray[np.float64]:
        """Return what a scorecard of this party's columns only says of ``test``."""
        context = self.context
        card = clear.train_alone(
            training.table,
            training.known_labels(),
            self._options,
            suite=context.suite,
            public_seed=context.suite.hash(b"fedcrm/alone/v1\x00", context.binding),
        )
        return card.predict_alone(test.table).probabilities

    def joint_table(self, step: str, half: bytes) -> list[dict[str, Any]] | None:
        """Bring the passive party's rows to the active party, as the signed spec asks."""
        context, options = self.context, self._options
        if not context.is_active:
            held = PassiveScorecard.from_bytes(half)
            context.driver.run_step(
                step,
                lambda *, seed: passive_party.join_tables(
                    half=held, options=options, active=context.active
                ),
                inputs=context.inputs(half),
                encode_result=lambda _: b"",
                decode_result=lambda _: None,
            )
            return None
        card = ActiveScorecard.from_bytes(half)
        rows = context.driver.run_step(
            step,
            lambda *, seed: active_party.join_tables(
                half=card, options=options, passives=context.passives
            ),
            inputs=context.inputs(half),
            encode_result=lambda rows: encode(PointsTable(tuple(row for _, row in rows))),
            decode_result=lambda data: [
                (card.passive, row) for row in decode(data, PointsTable).rows
            ],
        )
        own = context.node.party_id
        return [{"party": own, **row} for row in self.readable(half)] + [
            {"party": party, **_plain(row)} for party, row in rows
        ]

    # -- what is said of a half ---------------------------------------------------------------

    def importance(self, half: bytes) -> dict[str, Any]:
        """Return the spread of each own column: what it can move the log odds by."""
        return {"columns": self._half(half).importance()}

    def readable(self, half: bytes) -> list[dict[str, Any]]:
        """Return the half as points per bin."""
        return [_plain(row) for row in self._half(half).table()]

    def started(self) -> tuple[dict[str, DetailValue], dict[str, int]]:
        """Return the scorecard's parameters."""
        terms = self._terms
        details: dict[str, DetailValue] = {
            "learning_rate": terms.learning_rate,
            "l2": terms.l2,
            "dp_used": False,
        }
        counts = {
            "rounds": terms.epochs,
            "bins": terms.bins,
            "minimum_bin_count": terms.minimum_class_count,
            "key_bits": terms.paillier_bits,
        }
        return details, counts

    def finished(self, half: bytes) -> dict[str, int]:
        """Count the columns that were kept."""
        return {"features": len(self._half(half).columns)}

    def learned(self) -> list[str]:
        """Return what the scorecard's SPEC.md §5 says of this party."""
        if self.context.is_active:
            return [
                "class-counts-of-the-peers-shuffled-bins",
                "own-coefficients",
                "the-peers-part-of-each-training-score",
            ]
        return [
            "weight-of-evidence-of-own-bins",
            "class-counts-of-own-bins-above-the-floor",
            "own-coefficients",
        ]


def _plain(row: TableRow) -> dict[str, Any]:
    return {
        "column": row.column,
        "bin": row.bin,
        "share": row.rows_share,
        "woe": row.weight_of_evidence,
        "iv": row.information_value,
        "coefficient": row.coefficient,
        "points": row.points,
    }
