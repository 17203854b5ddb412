"""Which of the shared customers train the model and which measure it; alike at both parties."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party_node.learning import Part
from party_node.phases.context import PhaseContext
from protocols.identifiers import held_out
from protocols.session.model_terms import TreeTerms
from protocols.suite import Items, Suite

VALIDATION_SEED = 1 << 40
"""Added to the split's seed for the rows that decide when training stops early."""


def split(context: PhaseContext, repeat: int) -> tuple[Part, Part]:
    """Return the training part and the held-out part of the shared customers.

    ``repeat`` counts from 0: each takes another split, by the seed after the one before.

    A customer is held out by a hash of identifier digest and the spec's seed, so that both
    parties (and a comparison in the clear) choose the same ones without a message; so are those
    that decide when training stops.
    """
    dataset, indices = context.dataset, context.aligned()
    items = dataset.protocol_inputs[indices]
    terms, model = context.evaluation, context.training_terms
    seed = terms.split_seed + repeat
    is_test = chosen_rows(context.suite, seed, terms.held_out_percent, items)
    is_validation = None
    if isinstance(model, TreeTerms) and model.early_stopping_rounds:
        percent = model.validation_percent
        is_validation = chosen_rows(context.suite, VALIDATION_SEED + seed, percent, items)

    def part(chosen: npt.NDArray[np.bool_], validation: npt.NDArray[np.bool_] | None) -> Part:
        rows = indices[chosen]
        labels = None if dataset.labels is None else dataset.labels[rows]
        marked = None if validation is None else validation[chosen]
        return Part(
            dataset.table.take(rows), labels, dataset.source_rows[rows], items[chosen], marked
        )

    return part(~is_test, is_validation), part(is_test, None)


def chosen_rows(suite: Suite, seed: int, percent: int, items: Items) -> npt.NDArray[np.bool_]:
    """Return which of the protocol inputs the hash rule takes, as every party computes it."""
    return np.array([held_out(suite, seed, percent, item.tobytes()) for item in items], dtype=bool)
