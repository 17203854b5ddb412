"""The networks themselves: numpy in and out, PyTorch inside. Import it late: that takes a second.

The same inputs give the same bits again on the same machine, which takes two things. Every
operation runs on one thread: a sum of products split over threads is rounded in another order. And
every array is copied into memory PyTorch allocates, which starts at a multiple of 64 bytes, as
numpy's does not: matrices that lie otherwise are multiplied in another order, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

from models.split_network.label_noise import TrainingLabels
from models.split_network.layout import Layout, layers
from models.split_network.messages import Singles
from models.table import Rows

_settings = Lock()


@contextmanager
def reproducible() -> Iterator[None]:
    """Compute on one thread in full float32; give PyTorch's process-wide settings back after.

    One role of a process at a time: the settings are PyTorch's, for all threads.
    """
    with _settings:
        threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
        torch.set_num_threads(1)
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)
            torch.set_num_threads(threads)


def bottom(weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Return the cut outputs, in [-1, 1]; ``weights`` as :meth:`Layout.bottom` lists them."""
    first, first_bias, second, second_bias = weights
    return torch.tanh(linear(torch.relu(linear(inputs, first, first_bias)), second, second_bias))


def top(weights: Sequence[Tensor], outputs: Sequence[Tensor]) -> Tensor:
    """Return one margin (log odds) per row; ``outputs`` are all parties', the active's first."""
    first, first_bias, second, second_bias = weights
    hidden = torch.relu(linear(torch.cat(list(outputs), dim=1), first, first_bias))
    return linear(hidden, second, second_bias).squeeze(1)


def loss(margins: Tensor, labels: Tensor, flip_probability: float) -> Tensor:
    """Return the mean negative log likelihood of labels flipped with ``flip_probability`` q.

    P(label) = q + (1 - 2 q) sigmoid(+-margin): the forward correction of Patrini et al. (CVPR
    2017, theorem 2), whose minimum is at the margins of the labels before the flips. With
    u = +-margin, in logarithms: softplus(-u) - log(1 - q + q e^-u).
    """
    agreement = torch.where(labels, margins, -margins)
    losses = softplus(-agreement)
    if flip_probability:
        kept = torch.full_like(agreement, 1 - flip_probability).log()
        flipped = torch.full_like(agreement, flip_probability).log() - agreement
        losses = losses - torch.logaddexp(kept, flipped)
    return losses.mean()


def leaves(weights: Sequence[Singles]) -> list[Tensor]:
    """Return the arrays as tensors whose gradients can be asked for."""
    return [torch.tensor(array, requires_grad=True) for array in weights]


def label_tensor(labels: TrainingLabels, rows: Rows) -> Tensor:
    """Return the labels of ``rows`` as :func:`loss` takes them."""
    return torch.tensor(labels.values[rows].astype(np.bool_))


class BottomNetwork:
    """A passive party's network: outputs forward, their gradient back.

    It computes with what ``weights`` holds at the time.
    """

    def __init__(self, layout: Layout, inputs: int, weights: Singles) -> None:
        self._layers = layers(weights, layout.bottom(inputs))
        self._leaves: list[Tensor] = []
        self._outputs: Tensor | None = None

    def outputs(self, inputs: Singles) -> Singles:
        """Return the cut outputs, shape (rows, cut_units), and remember how they came about."""
        with reproducible(), torch.enable_grad():
            self._leaves = leaves(self._layers)
            self._outputs = bottom(self._leaves, torch.tensor(inputs))
            return self._outputs.detach().numpy().copy()

    def gradient(self, of_outputs: Singles) -> Singles:
        """Return the gradient of all weights, flat, from that of the outputs just returned."""
        outputs, self._outputs = self._outputs, None
        assert outputs is not None, "outputs() comes first"
        with reproducible():
            return flat(torch.autograd.grad(outputs, self._leaves, torch.tensor(of_outputs)))


class ActiveNetwork:
    """The active party's two networks: the bottom one of its own columns, and the top one.

    They compute with what ``weights`` holds at the time.
    """

    def __init__(self, layout: Layout, inputs: int, passives: int, weights: Singles) -> None:
        self._layers = layers(weights, layout.active(inputs, passives))
        self._below = len(layout.bottom(inputs))

    def gradients(
        self, inputs: Singles, peers: Sequence[Singles], labels: TrainingLabels, rows: Rows
    ) -> tuple[Singles, list[Singles]]:
        """Return the gradient of all weights, flat, and that of each peer's outputs.

        ``inputs`` and ``peers`` are of the batch ``rows``, ``labels`` of all rows.
        """
        with reproducible(), torch.enable_grad():
            own, outputs = leaves(self._layers), leaves(peers)
            margins = self._forward(own, inputs, outputs)
            value = loss(margins, label_tensor(labels, rows), labels.flip_probability)
            gradients = torch.autograd.grad(value, [*own, *outputs])
            of_peers = [gradient.contiguous().numpy() for gradient in gradients[len(own) :]]
            return flat(gradients[: len(own)]), of_peers

    def margins(self, inputs: Singles, peers: Sequence[Singles]) -> Singles:
        """Return one margin per row, shape (rows,)."""
        with reproducible(), torch.no_grad():
            return self._forward(leaves(self._layers), inputs, leaves(peers)).numpy()

    def _forward(self, own: list[Tensor], inputs: Singles, outputs: list[Tensor]) -> Tensor:
        below, above = own[: self._below], own[self._below :]
        return top(above, [bottom(below, torch.tensor(inputs)), *outputs])


def flat(gradients: Sequence[Tensor]) -> Singles:
    """Return the gradients of all layers as one vector, in the layers' order."""
    return np.concatenate([gradient.reshape(-1).numpy() for gradient in gradients])
