"""A party's round with differential privacy of one customer, by its own noise alone.

DP-SGD (Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar and Zhang, "Deep Learning with
Differential Privacy", CCS 2016, Algorithm 1): every step takes each customer independently with one
probability, cuts each one's gradient to ``clip_norm``, and adds Gaussian noise to their sum. What
leaves the party are functions of these noisy sums and of what is public, so that neither who opens
the round's sum nor whoever sees every other party's part learns more than the accountant says.

Two more things of a party's customers would leave it otherwise: how many there are, and their
columns' sums. The number is published with noise (:func:`private_statistics`); the columns are
scaled by public ranges, and their sums are not used at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec
import numpy as np

from models.differential_privacy.events import GaussianEvent, rounded_up
from models.differential_privacy.gaussian import gaussian
from models.horizontal.layout import hidden_units
from models.horizontal.local_training import LocalUpdate, Progressed, check_parts, diverged
from models.horizontal.scaling import FRACTION_BITS, LARGEST_VALUE, Scaling, check_split
from models.horizontal.state import FederatedState
from models.horizontal.table import TrainingTable
from models.table import Floats, Mask
from protocols.errors import LocalProtocolError
from protocols.identifiers.keys import framed
from protocols.session.horizontal_terms import FederatedTraining, HorizontalModel
from protocols.suite import Suite


@dataclass(frozen=True, slots=True)
class Sampling:
    """How customers are drawn: ``steps`` a round, each with every customer at ``rate``."""

    rate: float
    steps: int

    def event(self, noise_multiplier: float, rounds: int = 1) -> GaussianEvent:
        """Return what so many rounds with this noise cost."""
        return GaussianEvent(self.rate, noise_multiplier, self.steps * rounds)


def sampling(rows: int, training: FederatedTraining) -> Sampling:
    """Return the sampling of a party that told of ``rows`` training rows (with noise).

    ``batch_rows`` customers a step, as many steps as make ``local_epochs`` passes, on average.
    """
    rate = min(1.0, rounded_up(training.batch_rows / max(rows, 1)))
    return Sampling(rate, math.ceil(training.local_epochs / rate))


def counting(noise_multiplier: float) -> GaussianEvent:
    """Return what :func:`private_statistics` costs."""
    return GaussianEvent(1.0, noise_multiplier, 1)


def private_statistics(
    table: TrainingTable,
    held_out: Mask,
    ranges: Floats,
    *,
    noise_multiplier: float,
    suite: Suite,
    seed: bytes,
) -> list[int]:
    """Return what stands for :func:`.scaling.statistics` where there is a privacy budget.

    One repeat: the number of training rows with noise, at least 1; for positives 0; and for the
    columns the sums that so many rows of the agreed ``ranges`` would have, shape (d, 2), lowest and
    highest usual value: mean halfway between the two, deviation a quarter of their distance. So the
    parties' sum gives :func:`.scaling.scaling_from` the public scaling and a noisy row total. The
    first number is the party's row count for :func:`sampling` and :func:`private_update`.

    One customer changes the count by 1: the release is :func:`counting`. Raises
    :class:`LocalProtocolError` for ranges without extent and more than one repeat.
    """
    check_split(table, held_out)
    if len(held_out) != 1:
        raise LocalProtocolError("with a privacy budget customers are learned from once: 1 repeat")
    if ranges.shape != (len(table.columns), 2) or not np.isfinite(ranges).all():
        raise LocalProtocolError("ranges must be a lowest and a highest value of each column")
    if not (ranges[:, 0] < ranges[:, 1]).all() or np.abs(ranges).max() > LARGEST_VALUE:
        raise LocalProtocolError("a column's range must ascend and lie within 2^32")
    true_rows = int((~held_out).sum())
    rows = max(1, noisy_counts([true_rows], noise_multiplier, suite=suite, seed=seed)[0])
    sums, squares = [], []
    for low, high in ranges.tolist():
        middle = (Fraction(low) + Fraction(high)) / 2
        deviation = (Fraction(high) - Fraction(low)) / 4
        sums.append(round(rows * middle * 2**FRACTION_BITS))
        # Up: rounding must not make the variance of a narrow range negative.
        squares.append(math.ceil(rows * (middle**2 + deviation**2) * 2 ** (2 * FRACTION_BITS)))
    return [rows, 0, *sums, *squares]


def noisy_counts(
    counts: Sequence[int], noise_multiplier: float, *, suite: Suite, seed: bytes
) -> list[int]:
    """Return counts of which one customer changes one, by 1, with rounded Gaussian noise.

    :func:`counting` is what it costs. The noise is drawn from ``seed`` and the counts: the same
    counts get the same noise again, so that telling them twice tells nothing new, and others get
    noise of their own.
    """
    bound_to = f"horizontal/1 noisy counts {noise_multiplier!r} {list(counts)}".encode()
    noise = gaussian(suite.stream(seed, bound_to), len(counts))
    rounded = np.rint(noise_multiplier * noise).astype(np.int64).tolist()
    return [count + extra for count, extra in zip(counts, rounded, strict=True)]


def private_update(
    state: FederatedState,
    scaling: Scaling,
    table: TrainingTable,
    held_out: Mask,
    *,
    model: HorizontalModel,
    training: FederatedTraining,
    rows: int,
    clip_norm: float,
    noise_multiplier: float,
    suite: Suite,
    seed: bytes,
    progress: Progressed | None = None,
) -> LocalUpdate:
    """Return the party's update of round ``state.round + 1``; one repeat.

    ``rows`` is the party's noisy row count (:func:`private_statistics`): it decides the sampling
    rate and the weight of the update. The round costs ``sampling(rows, training).event(
    noise_multiplier)``. The penalties (l2, proximal) are added after the noise; they do not look at
    customers.

    ``seed`` is a secret of the party. Draws and noise are made of it and of everything the update
    depends on: a round done again gives the same update and costs nothing more, and no two
    different rounds, states or tables ever share noise, which their difference would take away.

    ``progress`` is called with (steps done, steps in all). Raises as :func:`.local_update`.
    """
    import torch  # noqa: PLC0415 - takes a second

    from models.horizontal import network, private_steps  # noqa: PLC0415 - loads PyTorch, Opacus

    (training_rows,) = check_parts(state, scaling, table, held_out, model)
    plan = sampling(rows, training)
    bound_to = suite.hash(
        framed(
            state.to_bytes(),
            scaling.to_bytes(),
            table.values[training_rows].tobytes(),
            table.labels[training_rows].tobytes(),
            msgspec.msgpack.encode((model, training, rows, clip_norm, noise_multiplier)),
        )
    )
    with network.reproducible():
        inputs = network.Inputs(table.values[training_rows], scaling.mean, scaling.deviation)
        scaled = inputs.take(torch.arange(len(training_rows))[None])[0]
        labels = torch.tensor(table.labels[training_rows], dtype=torch.float64)
        moved = private_steps.descend(
            state.parameters[0],
            hidden_units(model),
            scaled,
            labels,
            rate=plan.rate,
            steps=plan.steps,
            expected_rows=plan.rate * rows,
            clip_norm=clip_norm,
            noise_multiplier=noise_multiplier,
            learning_rate=float(training.learning_rate),
            l2=float(model.l2),
            proximal=float(training.proximal),
            sample_stream=suite.stream(seed, b"horizontal/1 sample " + bound_to),
            noise_stream=suite.stream(seed, b"horizontal/1 noise " + bound_to),
            progress=progress,
        )
    if not np.isfinite(moved).all():
        raise diverged(state.round, training)
    return LocalUpdate((moved - state.parameters[0])[None], np.array([rows], np.int64))
