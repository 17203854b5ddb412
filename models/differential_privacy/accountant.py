"""How much privacy a list of events costs: Renyi accounting, by Opacus.

Each event's Renyi divergence at many orders (Mironov, Talwar and Zhang 2019, §3.3), added up over
the events (Mironov, "Renyi Differential Privacy", CSF 2017, proposition 1), and turned into
(epsilon, delta) at the best order (Balle, Barthe, Gaboardi, Hsu and Sato, "Hypothesis Testing
Interpretations and Renyi Differential Privacy", AISTATS 2020, theorem 21). Every order gives a true
bound, so that the choice of orders costs tightness only.

Opacus computes the divergences. It is imported at the first call and brings PyTorch with it, which
takes some seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from models.differential_privacy.events import DECIMALS, GaussianEvent, rounded_up
from models.table import Floats
from protocols.errors import LocalProtocolError

ORDERS: tuple[float, ...] = (
    *(1 + tenth / 10 for tenth in range(1, 100)),
    *(float(order) for order in range(11, 64)),
    *(float(order) for order in (64, 72, 80, 96, 112, 128, 160, 192, 256, 384, 512, 768, 1024)),
)
"""Renyi orders looked at. The largest serve small budgets; beyond 1,029 the binomials overflow."""
LARGEST_FRACTIONAL_NOISE = 20.0
"""With more noise only whole orders are looked at: others take seconds and are hardly ever best."""
LARGEST_NOISE = 1_000_000.0


def epsilon(events: Sequence[GaussianEvent], delta: float) -> float:
    """Return an epsilon for which all events together are (epsilon, delta)-differentially private.

    0 for no event. Raises :class:`LocalProtocolError` for a delta outside (0, 1).
    """
    _check_delta(delta)
    if not events:
        return 0.0
    return _best(np.sum([_divergences(event) for event in events], axis=0), delta)


def noise_for(
    budget: float,
    delta: float,
    rate: float,
    steps: int,
    *,
    besides: Sequence[GaussianEvent] = (),
) -> float:
    """Return the least noise multiplier with which ``steps`` at ``rate`` keep to the budget.

    ``budget`` is the epsilon of these steps and of the events ``besides`` together. Found by
    bisection to 0.1 %, rounded up to 6 decimals, and checked: the answer meets the budget. Raises
    :class:`LocalProtocolError` where no noise does.
    """
    _check_delta(delta)
    if not budget > 0:
        raise LocalProtocolError("a privacy budget is an epsilon above 0")
    spent = np.sum([np.zeros(len(ORDERS)), *map(_divergences, besides)], axis=0)

    def cost(noise: float) -> float:
        return _best(spent + _divergences(GaussianEvent(rate, noise, steps)), delta)

    if cost(LARGEST_NOISE) > budget:
        raise LocalProtocolError(
            f"no noise keeps to epsilon {budget:g} at delta {delta:g}: allow a larger epsilon or "
            "delta, or spend less on other releases"
        )
    low, high = 2.0**-7, 1.0
    while cost(high) > budget:
        low, high = high, 2 * high
    while high > low * 1.001 and high - low > 10.0**-DECIMALS:
        middle = (low + high) / 2
        low, high = (low, middle) if cost(middle) <= budget else (middle, high)
    return rounded_up(high)


def _divergences(event: GaussianEvent) -> Floats:
    """Return the event's Renyi divergence at each of :data:`ORDERS`; infinite where not wanted."""
    from opacus.accountants.analysis import rdp  # noqa: PLC0415 - loads PyTorch

    whole = event.noise_multiplier > LARGEST_FRACTIONAL_NOISE
    wanted = np.array([not whole or order.is_integer() for order in ORDERS])
    found = np.full(len(ORDERS), np.inf)
    found[wanted] = rdp.compute_rdp(
        q=event.rate,
        noise_multiplier=event.noise_multiplier,
        steps=event.steps,
        orders=np.array(ORDERS)[wanted].tolist(),
    )
    return found


def _best(divergences: Floats, delta: float) -> float:
    """Return the smallest epsilon of all orders, at least 0 (Balle et al. 2020, theorem 21)."""
    orders = np.array(ORDERS)
    found = (
        divergences
        + np.log((orders - 1) / orders)
        - (math.log(delta) + np.log(orders)) / (orders - 1)
    )
    return max(0.0, float(np.nanmin(found)))


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise LocalProtocolError("delta must be between 0 and 1")
