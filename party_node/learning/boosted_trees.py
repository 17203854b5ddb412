"""Boosted trees at a node: one checkpoint for the key, one for each tree."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.catalogue import DetailValue
from models.binning import BinnedTable, learn_binning
from models.boosted_trees import active_party, passive_party
from models.boosted_trees.clear import ClearModel, Sampling, train_alone
from models.boosted_trees.model import ActiveModel, PassiveModel
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.results import (
    ActiveTreeResult,
    PassiveTreeResult,
    active_model,
    initial_margins,
    passive_model,
)
from models.boosted_trees.tree import OwnSplit
from models.predictions import Predictions
from models.table import Mask
from party_node.errors import JobRefused
from party_node.learning.learner import Learner, Part
from party_node.plan import KEYS_STEP, tree_step
from protocols.errors import LocalProtocolError
from protocols.paillier import PrivateKey, PublicKey
from protocols.roles import Role
from protocols.session.model_terms import Objective, TreeTerms

ROW_SAMPLE = b"fedcrm/row-sample/v1\x00"
"""What the public seed of the rows each tree learns from is for."""


class TreeLearner(Learner):
    """See :class:`party_node.learning.learner.Learner`."""

    scheme = "paillier"
    _private_key: PrivateKey
    _public_key: PublicKey

    @property
    def _terms(self) -> TreeTerms:
        terms = self.context.training_terms
        assert isinstance(terms, TreeTerms)
        return terms

    @property
    def _options(self) -> TreeOptions:
        return TreeOptions.from_terms(self._terms)

    @property
    def mode(self) -> str:
        """Return the key's line; see :class:`Learner`."""
        return self._private_key.mode if self.context.is_active else self._public_key.mode

    # -- training ----------------------------------------------------------------------------

    def set_up(self) -> None:
        """Make the key pair, or receive the public key."""
        context, terms = self.context, self._terms
        if context.is_active:
            self._private_key = context.driver.run_step(
                KEYS_STEP,
                partial(
                    active_party.make_keys,
                    passives=context.passives,
                    suite=context.suite,
                    bits=terms.paillier_bits,
                    randomness=terms.paillier_randomness,
                ),
                inputs=context.inputs(),
                encode_result=PrivateKey.to_bytes,
                decode_result=lambda data: PrivateKey.from_bytes(
                    data, context.suite, randomness=terms.paillier_randomness
                ),
                on_done=lambda connection, key: self.record_key(connection, key.public_key),
            )
        else:
            self._public_key = context.driver.run_step(
                KEYS_STEP,
                lambda *, seed: passive_party.receive_key(
                    active=context.active, suite=context.suite, bits=terms.paillier_bits
                ),
                inputs=context.inputs(),
                encode_result=PublicKey.to_bytes,
                decode_result=lambda data: PublicKey.from_bytes(data, context.suite),
            )

    def fit(self, repeat: int, training: Part) -> bytes:
        """Grow the trees of one split, each a checkpoint."""
        return (
            self._fit_as_active(repeat, training)
            if self.context.is_active
            else self._fit_as_passive(repeat, training)
        )

    def _fit_as_active(self, repeat: int, training: Part) -> bytes:
        context, options, labels = self.context, self._options, training.known_labels()
        try:
            margins = initial_margins(labels, options, training.validation)
        except LocalProtocolError as error:
            raise JobRefused(
                f"{context.node.party_id}: {error}", "look at the label rule"
            ) from None
        binned = _binned(training, options)
        table_digest = context.suite.hash(_bytes(binned, training.validation), labels.tobytes())
        results: list[ActiveTreeResult] = []
        for tree in range(options.trees):
            losses = results[-1].losses if results else ()
            role: Any = partial(
                active_party.grow_tree,
                tree=tree,
                binned=binned,
                labels=labels,
                margins=margins,
                options=options,
                passives=context.passives,
                passive_columns=self._passive_columns,
                private_key=self._private_key,
                suite=context.suite,
                sampling_seed=self.public_seed(ROW_SAMPLE, repeat),
                validation=training.validation,
                losses=losses,
            )
            if results and results[-1].stopped:
                role = partial(_nothing_more, results[-1])
            result = context.driver.run_step(
                tree_step(repeat, tree),
                role,
                inputs=context.inputs(table_digest, margins.tobytes()),
                encode_result=ActiveTreeResult.to_bytes,
                decode_result=ActiveTreeResult.from_bytes,
            )
            if not (results and results[-1].stopped):
                results.append(result)
                margins = result.margins
        half = active_model(binned.binning, labels, options, results, training.validation)
        return half.to_bytes()

    def _fit_as_passive(self, repeat: int, training: Part) -> bytes:
        context, options = self.context, self._options
        binned = _binned(training, options)
        table_digest = context.suite.hash(_bytes(binned, training.validation))
        results: list[PassiveTreeResult] = []
        for tree in range(options.trees):
            role: Any = partial(
                passive_party.grow_tree,
                tree=tree,
                binned=binned,
                options=options,
                active=context.active,
                passive_columns=self._passive_columns,
                public_key=self._public_key,
                suite=context.suite,
                sampling_seed=self.public_seed(ROW_SAMPLE, repeat),
                validation=training.validation,
            )
            if results and results[-1].stopped:
                role = partial(_nothing_more, results[-1])
            result = context.driver.run_step(
                tree_step(repeat, tree),
                role,
                inputs=context.inputs(table_digest),
                encode_result=PassiveTreeResult.to_bytes,
                decode_result=PassiveTreeResult.from_bytes,
            )
            if not (results and results[-1].stopped):
                results.append(result)
        return passive_model(binned.binning, results).to_bytes()

    @property
    def _passive_columns(self) -> int:
        """The largest number of columns of a passive party, from the spec: alike at all parties."""
        return max(len(party.dataset.columns) for party in self.context.spec.passive_parties)

    # -- prediction --------------------------------------------------------------------------

    def predict(self, step: str, half: bytes, part: Part) -> Predictions | None:
        """Predict with the peers, each answering for its own splits."""
        context, table = self.context, part.table
        if context.is_active:
            own = ActiveModel.from_bytes(half)
            role: Any = partial(
                active_party.evaluate, model=own, table=table, passives=context.passives
            )
        else:
            held = PassiveModel.from_bytes(half)
            role = partial(passive_party.evaluate, model=held, table=table, active=context.active)
        return self.run_prediction(step, half, role)

    def alone(self, training: Part, test: Part) -> npt.NDArray[np.float64]:
        """Return what the same trees, grown on this party's columns only, say of ``test``."""
        context = self.context
        seed = context.suite.hash(b"fedcrm/alone/v1\x00", context.binding)
        sampling = Sampling(
            context.suite, seed, lambda tree: context.suite.hash(seed, tree.to_bytes(4, "big"))
        )
        half = train_alone(
            training.table,
            training.known_labels(),
            self._options,
            validation=training.validation,
            sampling=sampling,
        )
        found = ClearModel(context.active, half, {}).predict({context.active: test.table})
        return found.margins if half.objective == "regression" else found.probabilities

    # -- what is said of a half ---------------------------------------------------------------

    def objective(self, half: bytes) -> Objective:
        """Return what kind of label the model predicts; only the active party's half says it."""
        return ActiveModel.from_bytes(half).objective

    def importance(self, half: bytes) -> dict[str, Any]:
        """Return gain by own column and by party; at a passive party, rows divided by column."""
        if self.context.is_active:
            model = ActiveModel.from_bytes(half)
            return {"columns": model.importance(), "by_party": model.peer_importance()}
        return {"columns": PassiveModel.from_bytes(half).importance()}

    def readable(self, half: bytes) -> list[dict[str, Any]]:
        """Return each split of this party: tree, node and test."""
        if self.context.is_active:
            model = ActiveModel.from_bytes(half)
            described = [
                (tree.tree, node.node, model.binning.columns[node.column].describe(*node.test))
                for tree in model.trees
                for node in tree.nodes
                if isinstance(node, OwnSplit)
            ]
        else:
            described = PassiveModel.from_bytes(half).describe()
        return [{"tree": t, "node": n, "test": test} for t, n, test in described]

    def started(self) -> tuple[dict[str, DetailValue], dict[str, int]]:
        """Return the trees' parameters."""
        terms = self._terms
        details: dict[str, DetailValue] = {
            "learning_rate": terms.learning_rate,
            "l2": terms.l2,
            "first_tree_active_only": terms.first_tree_active_only,
            "dp_used": False,
        }
        counts = {
            "trees": terms.trees,
            "depth": terms.depth,
            "bins": terms.bins,
            "minimum_bin_count": terms.minimum_bin_count,
            "key_bits": terms.paillier_bits,
        }
        return details, counts

    def finished(self, half: bytes) -> dict[str, int]:
        """Count trees and columns."""
        model = (
            ActiveModel.from_bytes(half)
            if self.context.is_active
            else PassiveModel.from_bytes(half)
        )
        return {"trees": len(model.trees), "features": len(model.binning.columns)}

    def learned(self) -> list[str]:
        """Return what the trees' SPEC.md §5 says of this party."""
        if self.context.is_active:
            return [
                "sums-of-gradients-per-shuffled-candidate-split",
                "left-rows-of-the-peers-splits",
            ]
        learned = ["which-training-customers-reach-each-node", "shape-of-the-trees"]
        if self._terms.one_side_sampling is not None:
            learned.append("which-training-customers-each-tree-learned-from")
        return learned


def _nothing_more(result: Any, *, seed: bytes) -> Role[Any]:
    """Take the place of a tree that is not grown, because growing stopped early."""
    del seed
    yield from ()
    return result


def _binned(training: Part, options: TreeOptions) -> BinnedTable:
    """Return the part's codes by bins learned on the rows that trees learn from."""
    learned_on = training.table
    if training.validation is not None:
        learned_on = learned_on.take(np.flatnonzero(~training.validation))
    return learn_binning(learned_on, options.bins).apply(training.table)


def _bytes(binned: BinnedTable, validation: Mask | None) -> bytes:
    marked = b"" if validation is None else np.packbits(validation).tobytes()
    return b"".join(codes.tobytes() for codes in binned.codes) + marked
