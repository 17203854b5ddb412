"""Labels made differentially private before training: the only ones the training ever sees.

Randomised response (Warner, JASA 60, 1965): each label is flipped with probability
q = 1 / (1 + e^epsilon). Training on the result is LP-1ST of Ghazi, Golowich, Kumar, Manurangsi and
Zhang, "Deep Learning with Label Differential Privacy" (NeurIPS 2021): their multi-stage training
with one stage, whose prior is uniform.

The response is permanent (RAPPOR, Erlingsson, Pihur and Korolova, CCS 2014): whether a
customer's label is flipped is a pseudorandom function of a secret key, the customer, the label
and epsilon. A second attempt after a crash, another split, another job with the same key shows the
same randomised label again and nothing new; fresh coins would add epsilon to epsilon each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from models.split_network.options import NetworkOptions
from protocols.errors import LocalProtocolError
from protocols.suite import Items, Suite

_DOMAIN = b"fedcrm/split-network/1 randomised response/"
_ROUND_UP = Context(prec=50, rounding=ROUND_CEILING)


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """What training takes for the labels: 0 or 1 for each row, mostly but not always the true one.

    ``flip_probability`` is how often it is not; 0 where the options ask for no protection.
    """

    values: npt.NDArray[np.uint8] = field(repr=False)
    flip_probability: float

    @property
    def base_rate(self) -> float:
        """The share of ones among the true labels, as far as the randomised ones tell.

        The unbiased estimate, kept inside (0, 1) by half a row on either side.
        """
        rows, q = len(self.values), self.flip_probability
        estimate = (float(self.values.mean()) - q) / (1 - 2 * q)
        return min(max(estimate, 0.5 / rows), 1 - 0.5 / rows)


def training_labels(
    labels: npt.NDArray[Any],
    identities: Items,
    *,
    options: NetworkOptions,
    suite: Suite,
    key: bytes,
) -> TrainingLabels:
    """Return the labels to train on: randomised with ``options.label_epsilon``.

    ``labels`` (n,) in {0, 1}; ``identities`` (n, bytes) uint8 names each row's customer, always by
    the same bytes, no two alike. ``key``: 32 secret bytes of the active party that outlive the job
    and belong to this meaning of the label alone. Raises :class:`LocalProtocolError`.
    """
    labels = checked_labels(labels)
    if identities.shape[:1] != labels.shape or identities.ndim != 2:
        raise LocalProtocolError("there must be one identity per label")
    if options.label_epsilon is None:
        return TrainingLabels(labels, 0.0)
    threshold = flip_threshold(options.label_epsilon)
    # Epsilon is in the key: under two epsilons one coin would tell a flip from its absence.
    epsilon = repr(options.label_epsilon).encode()
    coin_key = suite.derive(key, _DOMAIN + epsilon, 32)
    flipped = [
        int.from_bytes(suite.mac(coin_key, identity.tobytes(), bytes((label,)))[:8], "big")
        < threshold
        for identity, label in zip(identities, labels.tolist(), strict=True)
    ]
    return TrainingLabels(labels ^ np.array(flipped, np.uint8), threshold / 2**64)


def flip_threshold(epsilon: float) -> int:
    """Return the 64-bit integer below which a coin flips its label, rounded up.

    Up, so that the flip probability is never below 1 / (1 + e^epsilon) and epsilon never above
    what was stated.
    """
    odds = _ROUND_UP.exp(Decimal(repr(epsilon)).copy_negate())
    share = _ROUND_UP.divide(odds, 1 + odds)
    return int(_ROUND_UP.multiply(share, Decimal(2**64)).to_integral_value(ROUND_CEILING))


def checked_labels(labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return ``labels`` as uint8; raises :class:`LocalProtocolError` unless they are 0 and 1.

    Labels of one class only are let through: to refuse them would answer a question about the
    true labels before any were randomised.
    """
    if labels.ndim != 1 or len(labels) == 0 or not np.isin(labels, (0, 1)).all():
        raise LocalProtocolError("labels must be 0 or 1, at least one")
    return labels.astype(np.uint8)
