"""DP-SGD's steps, by Opacus with randomness from a suite's streams. Import it late.

Opacus' hooks give every customer's own gradient (``GradSampleModule``) and its optimiser cuts and
adds them (``DPOptimizer``). The two places where Opacus draws from PyTorch's generator, noise and
Poisson sampling, are ours: that generator is no cipher, and its whole state follows from a seed
of 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
from opacus.optimizers.optimizer import _check_processed_flag, _mark_as_processed
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.differential_privacy.gaussian import gaussian
from models.horizontal.layout import layers, shapes
from models.table import Floats, Rows
from protocols.suite import RandomStream

GRADIENT_NUMBERS = 1 << 23
"""The most numbers of customers' own gradients at once, unless a single customer has more."""


class StreamNoiseOptimizer(DPOptimizer):  # type: ignore[misc]  # Opacus is not typed
    """Opacus' optimiser with Gaussian noise from a suite's stream.

    ``noise_multiplier`` x ``max_grad_norm`` is the noise's standard deviation, as in the base.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *, stream: RandomStream, **options: Any):
        super().__init__(optimizer, **options)
        self._stream = stream

    def add_noise(self) -> None:
        """Add noise to the clipped gradients' sum, and keep the result as the gradient."""
        deviation = self.noise_multiplier * self.max_grad_norm
        for parameter in self.params:
            _check_processed_flag(parameter.summed_grad)
            noise = torch.from_numpy(gaussian(self._stream, parameter.numel()))
            noisy = parameter.summed_grad + deviation * noise.view_as(parameter)
            parameter.grad = noisy.view_as(parameter)
            _mark_as_processed(parameter.summed_grad)


def descend(
    parameters: Floats,
    hidden: Sequence[int],
    inputs: Tensor,
    labels: Tensor,
    *,
    rate: float,
    steps: int,
    expected_rows: float,
    clip_norm: float,
    noise_multiplier: float,
    learning_rate: float,
    l2: float,
    proximal: float,
    sample_stream: RandomStream,
    noise_stream: RandomStream,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Return the parameters, shape (P,), after ``steps`` of DP-SGD from ``parameters``.

    ``inputs`` (n, d) and ``labels`` (n,) are float64. A step's gradient is the noisy sum over
    ``expected_rows``, a public number: dividing by how many were drawn would tell it.
    """
    module = _module(parameters, hidden, inputs.shape[1])
    sampled = GradSampleModule(module, loss_reduction="sum")
    optimiser = StreamNoiseOptimizer(
        torch.optim.SGD(sampled.parameters(), lr=learning_rate),
        stream=noise_stream,
        noise_multiplier=noise_multiplier,
        max_grad_norm=clip_norm,
        expected_batch_size=expected_rows,
        loss_reduction="mean",
    )
    origin = [parameter.detach().clone() for parameter in module.parameters()]
    optimiser.attach_step_hook(partial(_add_penalties, origin=origin, l2=l2, proximal=proximal))
    at_once = max(1, GRADIENT_NUMBERS // len(parameters))
    with torch.enable_grad():
        for step in range(steps):
            chosen = sample(len(inputs), rate, sample_stream)
            # An empty draw is a step as well: its noise is what hides that it was empty.
            parts = np.array_split(chosen, max(1, -(-len(chosen) // at_once)))
            for number, part in enumerate(parts, start=1):
                optimiser.signal_skip_step(do_skip=number < len(parts))
                rows = torch.tensor(part)
                margins = sampled(inputs[rows].requires_grad_()).squeeze(1)
                loss = binary_cross_entropy_with_logits(margins, labels[rows], reduction="sum")
                torch.autograd.backward([loss])
                optimiser.step()
                optimiser.zero_grad()
            if progress is not None:
                progress(step + 1, steps)
    found: Floats = torch.cat([p.detach().flatten() for p in module.parameters()]).numpy()
    return found


def sample(rows: int, rate: float, stream: RandomStream) -> Rows:
    """Return the rows of one Poisson draw: each with probability ``rate``, never more.

    64 bits a row, rounded down.
    """
    if rate >= 1:
        return np.arange(rows)
    return np.flatnonzero(stream.words(rows) < np.uint64(int(rate * 2.0**64)))


def _module(parameters: Floats, hidden: Sequence[int], columns: int) -> nn.Sequential:
    """Return the network as PyTorch's own modules, which Opacus has gradients for."""
    modules: list[nn.Module] = []
    found = layers(parameters[None], shapes(hidden, columns))
    for matrix, bias in zip(found[::2], found[1::2], strict=True):
        outputs, inputs = matrix.shape[1:]
        # Made without memory first: its initialisation would draw from PyTorch's global generator.
        linear = nn.Linear(inputs, outputs, dtype=torch.float64, device="meta")
        linear.to_empty(device="cpu")
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(matrix[0]))
            linear.bias.copy_(torch.tensor(bias[0]))
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def _add_penalties(
    optimiser: DPOptimizer, *, origin: Sequence[Tensor], l2: float, proximal: float
) -> None:
    """Add the gradients of l2/2 |matrices|^2 and of FedProx's mu/2 |w - w^t|^2."""
    for parameter, start in zip(optimiser.params, origin, strict=True):
        current = parameter.detach()
        if l2 and current.ndim == 2:
            parameter.grad.add_(current, alpha=l2)
        if proximal:
            parameter.grad.add_(current - start, alpha=proximal)
