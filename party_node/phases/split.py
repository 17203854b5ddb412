"""Which of the shared customers train the model and which measure it; alike at both parties."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.boosted_trees.table import ColumnTable
from party_node.phases.context import PhaseContext
from protocols.identifiers import held_out


@dataclass(frozen=True)
class Part:
    """This party's rows of one part of the shared customers, in the shared order."""

    table: ColumnTable = field(repr=False)
    labels: npt.NDArray[np.uint8] | None = field(repr=False)
    source_rows: npt.NDArray[np.int64] = field(repr=False)

    @property
    def rows(self) -> int:
        """How many customers this part has."""
        return len(self.source_rows)


def split(context: PhaseContext, repeat: int) -> tuple[Part, Part]:
    """Return the training part and the held-out part of the shared customers.

    ``repeat`` counts from 0: each takes another split, by the seed after the one before.

    A customer is held out by a hash of identifier digest and the spec's seed, so that both
    parties (and a comparison in the clear) choose the same ones without a message.
    """
    dataset, indices = context.dataset, context.aligned()
    terms = context.spec.evaluation
    is_test = np.array(
        [
            held_out(
                context.suite,
                terms.split_seed + repeat,
                terms.held_out_percent,
                dataset.protocol_inputs[index].tobytes(),
            )
            for index in indices
        ],
        dtype=bool,
    )

    def part(chosen: npt.NDArray[np.int64]) -> Part:
        labels = None if dataset.labels is None else dataset.labels[chosen]
        return Part(dataset.table.take(chosen), labels, dataset.source_rows[chosen])

    return part(indices[~is_test]), part(indices[is_test])
