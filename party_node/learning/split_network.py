"""A split network at a node: one checkpoint for each epoch, one for the finished half."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from audit.catalogue import DetailValue
from models.predictions import Predictions
from models.split_network import active_party, passive_party
from models.split_network.clear import train_alone
from models.split_network.encoding import learn_encoding
from models.split_network.label_noise import TrainingLabels, training_labels
from models.split_network.layout import layers, size
from models.split_network.model import ActiveModel, PassiveModel
from models.split_network.options import NetworkOptions
from models.split_network.state import NetworkState
from party_node.errors import JobRefused
from party_node.learning.learner import BATCH_ORDER, Learner, Part
from party_node.plan import epoch_step, finish_step
from protocols.errors import LocalProtocolError
from protocols.session.model_terms import SplitNetworkTerms


class SplitNetworkLearner(Learner):
    """See :class:`party_node.learning.learner.Learner`."""

    scheme = "label-differential-privacy"

    @property
    def _terms(self) -> SplitNetworkTerms:
        terms = self.context.training_terms
        assert isinstance(terms, SplitNetworkTerms)
        return terms

    @property
    def _options(self) -> NetworkOptions:
        return NetworkOptions.from_terms(self._terms)

    # -- training ----------------------------------------------------------------------------

    def set_up(self) -> None:
        """Nothing is shared between splits: there is no key."""

    def fit(self, repeat: int, training: Part) -> bytes:
        """Train epoch by epoch, then make this party's half."""
        context, options = self.context, self._options
        encoding = learn_encoding(training.table)
        inputs = encoding.apply(training.table)
        public_seed = self.public_seed(BATCH_ORDER, repeat)
        role: Any = active_party if context.is_active else passive_party
        peers: dict[str, Any] = {"active": context.active}
        digest = context.suite.hash(context.binding, inputs.tobytes())
        if context.is_active:
            peers = {"passives": context.passives}
            labels = self._randomised(training)
            digest = context.suite.hash(digest, labels.values.tobytes())
        state: NetworkState | None = None
        for epoch in range(options.epochs):
            before = b"" if state is None else state.to_bytes()
            state = context.driver.run_step(
                epoch_step(repeat, epoch),
                partial(
                    role.train_epoch,
                    state=state,
                    inputs=inputs,
                    options=options,
                    suite=context.suite,
                    public_seed=public_seed,
                    **peers,
                    **({"labels": labels} if context.is_active else {}),
                ),
                inputs=context.inputs(digest, before),
                encode_result=NetworkState.to_bytes,
                decode_result=NetworkState.from_bytes,
            )
        assert state is not None  # a network has at least one epoch
        finish: dict[str, Any] = {
            "state": state,
            "inputs": inputs,
            "encoding": encoding,
            "options": options,
            **peers,
        }
        if context.is_active:
            digest = context.suite.hash(digest, training.known_labels().tobytes())
            finish |= {
                "labels": training.known_labels(),
                "suite": context.suite,
                "public_seed": public_seed,
            }
        half: ActiveModel | PassiveModel = context.driver.run_step(
            finish_step(repeat),
            lambda *, seed: role.finish_training(**finish),
            inputs=context.inputs(digest, state.to_bytes()),
            encode_result=lambda found: found.to_bytes(),
            decode_result=self._half,
        )
        return half.to_bytes()

    def _randomised(self, training: Part) -> TrainingLabels:
        """Return the labels as training sees them: each customer's coin falls once, for good.

        The key outlives the job and belongs to this rule of the label, so that training again
        shows the same randomised labels and not new draws that could be averaged.
        """
        context = self.context
        rule = msgspec.json.encode(context.node.dataset(context.terms.dataset.name).label)
        purpose = f"label-noise/{context.suite.hash(rule).hex()}"
        try:
            return training_labels(
                training.known_labels(),
                training.items,
                options=self._options,
                suite=context.suite,
                key=context.suite.hash(context.node.keys.derived(purpose)),
            )
        except LocalProtocolError as error:
            raise JobRefused(
                f"{context.node.party_id}: {error}", "look at the label rule"
            ) from None

    def _half(self, data: bytes) -> ActiveModel | PassiveModel:
        if self.context.is_active:
            return ActiveModel.from_bytes(data)
        return PassiveModel.from_bytes(data)

    # -- prediction --------------------------------------------------------------------------

    def predict(self, step: str, half: bytes, part: Part) -> Predictions | None:
        """Predict with the peers' outputs for the same customers."""
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
        """Return what a network of this party's columns and true labels says of ``test``."""
        context = self.context
        model = train_alone(
            training.table,
            training.known_labels(),
            self._options,
            suite=context.suite,
            seed=context.suite.hash(b"fedcrm/alone/v1\x00", context.binding),
        )
        return model.predict(model.encoding.apply(test.table), ()).probabilities

    # -- what is said of a half ---------------------------------------------------------------

    def importance(self, half: bytes) -> dict[str, Any]:
        """Return how strongly the first layer weighs each own column's inputs."""
        model = self._half(half)
        shapes = model.layout.bottom(model.encoding.width)
        own_weights = model.weights[: size(shapes)]  # the active half has the top network after it
        first = layers(own_weights, shapes)[0]
        places = model.encoding.places()
        return {
            "columns": {
                name: float(np.linalg.norm(first[:, place])) for name, place in places.items()
            }
        }

    def readable(self, half: bytes) -> list[dict[str, Any]]:
        """Return the sizes of the layers this party holds."""
        model = self._half(half)
        shapes = {"own columns": model.layout.bottom(model.encoding.width)}
        if isinstance(model, ActiveModel):
            shapes["all parties"] = model.layout.top(1 + len(model.passives))
        return [
            {"layer": f"{part} {number}", "inputs": weights[1], "units": weights[0]}
            for part, parts in shapes.items()
            for number, weights in enumerate((s for s in parts if len(s) == 2), start=1)
        ]

    def started(self) -> tuple[dict[str, DetailValue], dict[str, int]]:
        """Return the network's parameters."""
        terms = self._terms
        details: dict[str, DetailValue] = {
            "learning_rate": terms.learning_rate,
            "dp_used": True,
            "epsilon": terms.label_epsilon,
        }
        return details, {"rounds": terms.epochs}

    def finished(self, half: bytes) -> dict[str, int]:
        """Count the columns."""
        return {"features": len(self._half(half).encoding.columns)}

    def learned(self) -> list[str]:
        """Return what the network's SPEC.md §5 says of this party."""
        if self.context.is_active:
            return ["outputs-of-the-peers-networks"]
        return ["gradients-from-randomised-labels"]
