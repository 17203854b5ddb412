"""What is done with the mean of a round's updates: at every party, with the same result.

Elementwise numpy float64 throughout. Addition, multiplication, division and square root are
rounded as IEEE 754 says, one at a time, so that the same mean gives the same bits everywhere.
"""

from __future__ import annotations

import numpy as np

from models.horizontal.not_finite import NotFinite
from models.horizontal.state import FederatedState
from models.table import Floats
from protocols.errors import LocalProtocolError
from protocols.session.horizontal_terms import FederatedTraining


def apply_mean(state: FederatedState, mean: Floats, training: FederatedTraining) -> FederatedState:
    """Return the state after a round whose updates have this weighted mean, (repeats, P).

    fedavg and fedprox add it to the parameters (McMahan et al., AISTATS 2017, Algorithm 1; Li et
    al., MLSys 2020, Algorithm 2). fedadam: Reddi et al., "Adaptive Federated Optimization" (ICLR
    2021), Algorithm 2, in its symbols, without bias correction as there:
    Delta_t = beta1 Delta_{t-1} + (1 - beta1) mean, v_t = beta2 v_{t-1} + (1 - beta2) Delta_t^2,
    x_{t+1} = x_t + eta Delta_t / (sqrt(v_t) + tau).

    Raises :class:`NotFinite` if a number is, or becomes, infinite or no number, and
    :class:`LocalProtocolError` for a mean of another shape or a state of another strategy.
    """
    parameters = state.parameters
    if mean.shape != parameters.shape or mean.dtype != np.float64:
        raise LocalProtocolError("the mean of the updates has another shape than the parameters")
    if (state.moments is None) == (training.strategy == "fedadam"):
        raise LocalProtocolError("the state is of another strategy")
    moments = None
    with np.errstate(over="ignore", invalid="ignore"):
        if state.moments is None:
            parameters = parameters + mean
        else:
            beta1, beta2 = float(training.beta1), float(training.beta2)
            delta, v = state.moments
            delta = beta1 * delta + (1 - beta1) * mean
            v = beta2 * v + (1 - beta2) * (delta * delta)
            step = float(training.server_learning_rate) * delta
            parameters = parameters + step / (np.sqrt(v) + float(training.tau))
            moments = (delta, v)
    for array in (parameters, *(moments or ())):
        if not np.isfinite(array).all():
            raise NotFinite(
                f"the global model is not finite after round {state.round + 1}: a party's update "
                "was not, or a learning rate is too high"
            )
    return FederatedState.of(state.round + 1, parameters, moments)
