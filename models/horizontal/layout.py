"""Which numbers of a flat vector are which layer's, and what they are before the first round.

Layers from the inputs on; of each layer its matrix, row after row, shape (outputs, inputs), then
its biases, shape (outputs,): the order of ``torch.nn.Linear``'s parameters. Logistic regression is
the network without a hidden layer: d weights and the intercept. All repeats' vectors stand below
one another: shape (repeats, P).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from models.table import Floats
from protocols.session.horizontal_terms import HorizontalModel, PerceptronTerms
from protocols.suite import Suite

Shape: TypeAlias = tuple[int, ...]


def hidden_units(model: HorizontalModel) -> tuple[int, ...]:
    """Return the units of each hidden layer, from the inputs on; none in logistic regression."""
    return model.hidden if isinstance(model, PerceptronTerms) else ()


def shapes(hidden: Sequence[int], columns: int) -> list[Shape]:
    """Return the shapes of all layers' matrices and biases, in order."""
    found: list[Shape] = []
    for inputs, outputs in zip((columns, *hidden), (*hidden, 1), strict=True):
        found += [(outputs, inputs), (outputs,)]
    return found


def size(hidden: Sequence[int], columns: int) -> int:
    """Return P: how many parameters the model has."""
    return sum(math.prod(shape) for shape in shapes(hidden, columns))


def layers(parameters: Floats, layer_shapes: Sequence[Shape]) -> list[Floats]:
    """Return each layer's part of all repeats, (repeats, *shape), in place where memory allows."""
    ends = np.cumsum([math.prod(shape) for shape in layer_shapes])
    pieces = np.split(parameters, ends[:-1], axis=1)
    return [piece.reshape(-1, *shape) for piece, shape in zip(pieces, layer_shapes, strict=True)]


def initial_parameters(
    model: HorizontalModel, columns: int, repeats: int, *, suite: Suite, public_seed: bytes
) -> Floats:
    """Return every repeat's first parameters, shape (repeats, P), alike at every party.

    Matrices uniform in +-sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010, eq. 16), biases 0;
    logistic regression, which is convex, starts at 0. The numbers are those of the suite's stream:
    53 bits each, so that they do not depend on a library's generator.
    """
    hidden = hidden_units(model)
    parameters = np.zeros((repeats, size(hidden, columns)))
    if not hidden:
        return parameters
    for repeat in range(repeats):
        stream = suite.stream(public_seed, f"horizontal/1 parameters {repeat}".encode())
        for layer in layers(parameters[repeat : repeat + 1], shapes(hidden, columns)):
            if layer.ndim == 3:
                words = stream.words(layer.size) >> np.uint64(11)
                limit = math.sqrt(6 / sum(layer.shape[1:]))
                layer[:] = (limit * (words * 2.0**-52 - 1)).reshape(layer.shape)
    return parameters
