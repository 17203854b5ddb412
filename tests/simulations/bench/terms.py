"""Options of trees for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from protocols.session.model_terms import TreeTerms

DEFAULTS = TreeTerms(
    objective="binary",
    classes=1,
    trees=3,
    depth=2,
    bins=8,
    learning_rate="0.3",
    l2="1",
    minimum_bin_count=20,
    first_tree_active_only=True,
    class_weights="none",
    row_sample="1",
    one_side_sampling=None,
    early_stopping_rounds=0,
    validation_percent=0,
    paillier_bits=2048,
    paillier_randomness="exact",
)


def tree_terms(**changes: Any) -> TreeTerms:
    return msgspec.structs.replace(DEFAULTS, **changes)
