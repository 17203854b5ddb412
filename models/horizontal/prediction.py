"""What the global model says of a table's customers, for every repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.horizontal.layout import hidden_units, shapes, size
from models.horizontal.scaling import Scaling
from models.horizontal.state import FederatedState
from models.horizontal.table import TrainingTable
from models.table import Floats
from protocols.errors import LocalProtocolError
from protocols.session.horizontal_terms import HorizontalModel

FRAME_NUMBERS = 1 << 21
"""The most numbers one layer's outputs may have at once, unless a single row has more."""


def predict(
    state: FederatedState, scaling: Scaling, table: TrainingTable, model: HorizontalModel
) -> Floats:
    """Return every customer's probability of label 1 in each repeat, shape (repeats, n).

    Raises :class:`LocalProtocolError` for parts that do not fit together.
    """
    found = margins(
        state.parameters,
        table.values,
        mean=scaling.mean,
        deviation=scaling.deviation,
        hidden=hidden_units(model),
    )
    probabilities: Floats = 0.5 * (1.0 + np.tanh(0.5 * found))
    return probabilities


def margins(
    parameters: Floats, values: Floats, *, mean: Floats, deviation: Floats, hidden: Sequence[int]
) -> Floats:
    """Return log odds, shape (repeats, n), of ``values`` (n, d) under ``parameters`` (repeats, P).

    ``mean`` and ``deviation`` are (repeats, d). Raises :class:`LocalProtocolError` for parts that
    do not fit together.
    """
    import torch  # noqa: PLC0415 - takes a second

    from models.horizontal import network  # noqa: PLC0415 - loads PyTorch

    repeats, columns = len(parameters), values.shape[1]
    if mean.shape != (repeats, columns) or deviation.shape != mean.shape:
        raise LocalProtocolError("the scaling is of other columns or repeats than the parameters")
    if parameters.shape[1] != size(hidden, columns):
        raise LocalProtocolError("the table's columns are not those the model was set up for")
    # The rows of a frame depend on the model alone: a row's last bits depend on its frame.
    frame = max(1, FRAME_NUMBERS // (repeats * max(columns, *hidden, 1)))
    found = np.zeros((repeats, len(values)))
    with network.reproducible(), torch.no_grad():
        inputs = network.Inputs(values, mean, deviation)
        layers = network.tensors(parameters, shapes(hidden, columns))
        for start in range(0, len(values), frame):
            rows = torch.arange(start, min(start + frame, len(values))).expand(repeats, -1)
            found[:, start : start + frame] = network.margins(layers, inputs.take(rows)).numpy()
    return found
