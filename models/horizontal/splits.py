"""Which customers train a model and which measure it: for each repeat, another split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocols.identifiers.keys import HELD_OUT_DOMAIN, framed
from protocols.session.job_spec import EvaluationTerms
from protocols.suite import Items, Suite


def splits(customers: Items, evaluation: EvaluationTerms, suite: Suite) -> npt.NDArray[np.bool_]:
    """Return which customers are held out in each repeat, shape (repeats, n).

    For each customer and repeat what :func:`protocols.identifiers.held_out` says with the seed
    ``split_seed + repeat``: a hash decides, so that a customer two parties have is held out at
    both or at none, and no party's choice of rows can pick what is measured.
    """
    rows, length = customers.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * length
    data = np.ascontiguousarray(customers).reshape(-1)
    held_out = np.zeros((evaluation.repeats, rows), np.bool_)
    # The largest hash held out, as 64 bits: hash * 100 < percent << 64, without overflow.
    last = np.uint64(((evaluation.held_out_percent << 64) - 1) // 100)
    for repeat in range(evaluation.repeats):
        seed = (evaluation.split_seed + repeat).to_bytes(8, "big")
        hashes = suite.hash_many(framed(HELD_OUT_DOMAIN, seed), data, offsets, framed=True)
        held_out[repeat] = np.ascontiguousarray(hashes[:, :8]).view(">u8")[:, 0] <= last
    return held_out
