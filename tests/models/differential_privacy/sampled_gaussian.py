"""A second implementation of the accountant, in 50-digit numbers and by numerical integration.

Mironov, Talwar and Zhang 2019 (arXiv 1908.10530), §3.3: for an integer order a, the divergence of
the sampled Gaussian mechanism is log(A) / (a - 1) with
A = sum over k of C(a, k) (1 - q)^(a - k) q^k exp((k^2 - k) / (2 sigma^2)).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Context, Decimal, localcontext
from functools import cache

import numpy as np
from scipy import integrate

WHOLE_ORDERS = (*range(2, 64), 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024)
BROKEN_ORDERS = tuple(1 + step / 8 for step in range(1, 32) if step % 8)


@cache
def divergence(rate: float, noise: float, order: int) -> float:
    """Return the Renyi divergence of one step at a whole order."""
    if rate == 1:
        return order / (2 * noise**2)  # Mironov 2017, proposition 7
    with localcontext(Context(prec=50)):
        q, variance = Decimal(rate), Decimal(noise) ** 2
        total = sum(
            math.comb(order, k)
            * (1 - q) ** (order - k)
            * q**k
            * (Decimal(k * k - k) / (2 * variance)).exp()
            for k in range(order + 1)
        )
        return float(total.ln() / (order - 1))


def divergence_by_integration(rate: float, noise: float, order: float) -> float:
    """Return the same at any order above 1, as the integral of §3.3 (mu over mu_0)."""

    def integrand(z: float) -> float:
        log_density = -z * z / (2 * noise**2) - math.log(noise * math.sqrt(2 * math.pi))
        log_ratio = np.logaddexp(
            math.log1p(-rate) if rate < 1 else -np.inf,
            math.log(rate) + (2 * z - 1) / (2 * noise**2),
        )
        return math.exp(log_density + order * log_ratio)

    reach = 12 * noise + order
    value, _ = integrate.quad(integrand, -reach, reach, limit=500, epsabs=0, epsrel=1e-12)
    return math.log(value) / (order - 1)


def epsilon(
    steps: Iterable[tuple[float, float, int]], delta: float, *, classic: bool = False
) -> float:
    """Return epsilon of (rate, noise multiplier, steps).

    ``classic``: Mironov 2017, proposition 3, which older publications use; otherwise Balle et al.
    2020, theorem 21.
    """
    runs = list(steps)
    found = math.inf
    for order in (*WHOLE_ORDERS, *BROKEN_ORDERS):
        at = divergence if isinstance(order, int) else divergence_by_integration
        total = sum(count * at(rate, noise, order) for rate, noise, count in runs)
        if classic:
            bound = total - math.log(delta) / (order - 1)
        else:
            bound = (
                total
                + math.log((order - 1) / order)
                - (math.log(delta) + math.log(order)) / (order - 1)
            )
        found = min(found, bound)
    return found
