"""The networks of all repeats side by side, in PyTorch. Import it late: that takes a second.

Layers are tensors with the repeats in front, so that one batched product serves all of them; a
repeat's numbers never meet another's. Float64 throughout. One thread and memory that PyTorch
allocates, so that the same inputs give the same bits again on the same machine: see
``models/split_network/network.py``, whose settings these are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.horizontal.layout import Shape, layers
from models.horizontal.scaling import LARGEST_INPUT
from models.split_network.network import reproducible
from models.table import Floats

__all__ = ["Inputs", "flat", "gradients", "margins", "reproducible", "tensors"]


class Inputs:
    """A table's rows as the networks take them: scaled by each repeat's own numbers.

    ``values`` is (n, d), ``mean`` and ``deviation`` are (repeats, d).
    """

    def __init__(self, values: Floats, mean: Floats, deviation: Floats) -> None:
        self._values = torch.tensor(values)
        self._mean = torch.tensor(mean)[:, None, :]
        self._deviation = torch.tensor(deviation)[:, None, :]

    def take(self, rows: Tensor) -> Tensor:
        """Return the inputs of ``rows``, int64 (repeats, b): shape (repeats, b, d)."""
        scaled = (self._values[rows] - self._mean) / self._deviation
        return scaled.clamp_(-LARGEST_INPUT, LARGEST_INPUT)


def tensors(parameters: Floats, shapes: Sequence[Shape]) -> list[Tensor]:
    """Return each layer of all repeats, (repeats, *shape), in PyTorch's own memory."""
    return [torch.tensor(layer) for layer in layers(parameters, shapes)]


def flat(found: Sequence[Tensor]) -> Floats:
    """Return the layers as vectors again, shape (repeats, P)."""
    vectors: Floats = torch.cat([layer.flatten(1) for layer in found], dim=1).numpy()
    return vectors


def margins(found: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Return log odds, (repeats, b), of inputs (repeats, b, d); ReLU between the layers."""
    last = len(found) // 2 - 1
    for place in range(last + 1):
        matrix, bias = found[2 * place], found[2 * place + 1]
        inputs = torch.baddbmm(bias[:, None, :], inputs, matrix.mT)
        if place < last:
            inputs = torch.relu(inputs)
    return inputs.squeeze(2)


def gradients(
    found: Sequence[Tensor], inputs: Tensor, labels: Tensor, shares: Tensor
) -> tuple[Tensor, ...]:
    """Return the gradient of each repeat's loss for its layers.

    The loss is the sum over its b rows of share times negative log likelihood; ``labels`` and
    ``shares`` are float64 (repeats, b). Rows with share 0 add nothing.
    """
    with torch.enable_grad():
        leaves = [layer.detach().requires_grad_() for layer in found]
        losses = binary_cross_entropy_with_logits(
            margins(leaves, inputs), labels, weight=shares, reduction="sum"
        )
        return torch.autograd.grad(losses, leaves)
