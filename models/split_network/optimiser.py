"""AdamW, on one flat vector of weights.

Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019), algorithm 2, with
PyTorch's convention that the decay is ``learning_rate * weight_decay``. Not ``torch.optim``: its
state would have to be taken apart for every checkpoint, and importing it loads PyTorch's compiler.
Elementwise float32, so that the same gradients give the same weights on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.split_network.messages import Singles
from models.split_network.options import NetworkOptions

FIRST_DECAY = 0.9
SECOND_DECAY = 0.999
STABILITY = 1e-8


@dataclass(eq=False)
class AdamW:
    """Weights and the running moments of their gradients, each of shape (n,), changed in place."""

    weights: Singles
    first_moment: Singles
    second_moment: Singles
    steps: int

    @classmethod
    def fresh(cls, weights: Singles) -> AdamW:
        """Return the state before the first step."""
        return cls(weights, np.zeros_like(weights), np.zeros_like(weights), 0)

    def step(self, gradient: Singles, options: NetworkOptions) -> bool:
        """Move the weights against ``gradient``; return whether every number stayed finite."""
        self.steps += 1
        learning_rate = options.learning_rate
        with np.errstate(over="ignore", invalid="ignore"):
            self.weights *= np.float32(1 - learning_rate * options.weight_decay)
            self.first_moment *= np.float32(FIRST_DECAY)
            self.first_moment += np.float32(1 - FIRST_DECAY) * gradient
            self.second_moment *= np.float32(SECOND_DECAY)
            self.second_moment += np.float32(1 - SECOND_DECAY) * (gradient * gradient)
            first_scale = np.float32(learning_rate / (1 - FIRST_DECAY**self.steps))
            second_scale = np.float32(1 / (1 - SECOND_DECAY**self.steps))
            spread = np.sqrt(self.second_moment * second_scale) + np.float32(STABILITY)
            self.weights -= first_scale * self.first_moment / spread
        moved = (self.weights, self.first_moment, self.second_moment)
        return all(bool(np.isfinite(values).all()) for values in moved)
