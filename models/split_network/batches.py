"""Which rows each message speaks for: public, and alike at every party."""

from __future__ import annotations

import numpy as np

from models.split_network.messages import FRAME_ROWS
from models.split_network.options import NetworkOptions
from models.table import Rows
from protocols.suite import Suite


def batches(
    rows: int, epoch: int, *, options: NetworkOptions, suite: Suite, public_seed: bytes
) -> list[Rows]:
    """Return the row positions of every mini-batch of ``epoch`` (from 0), in order.

    All rows, in an order drawn from ``public_seed``, in the fewest batches of at most
    ``batch_rows``, whose sizes differ by one at most.
    """
    order = suite.stream(public_seed, f"split-network/1 batches {epoch}".encode()).permutation(rows)
    return np.array_split(order, -(-rows // options.batch_rows))


def frames(rows: int) -> list[slice]:
    """Return the rows of each message outside training: in order, :data:`FRAME_ROWS` at a time.

    Who computes outputs must do it by these frames: a row's last bits depend on how many rows are
    multiplied at once.
    """
    return [slice(start, min(start + FRAME_ROWS, rows)) for start in range(0, rows, FRAME_ROWS)]
