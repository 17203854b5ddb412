"""What the parties agreed to train."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from protocols.errors import LocalProtocolError
from protocols.session.model_terms import Objective, TreeTerms


@dataclass(frozen=True, slots=True)
class OneSideShares:
    """Gradient-based one-side sampling (Ke et al., NeurIPS 2017, algorithm 2): its two shares."""

    top: Decimal
    """Share of the rows taken for the size of their gradients."""
    other: Decimal
    """Share of all rows drawn from the rest, whose gradients count ``amplification`` times."""

    @property
    def amplification(self) -> float:
        """(1 - top) / other, at least 1."""
        return float((1 - self.top) / self.other)


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """Options every party of a job holds alike; SPEC.md §4 gives each its reason.

    Raises :class:`LocalProtocolError` for a value outside its range.
    """

    trees: int
    depth: int
    bins: int
    learning_rate: float
    l2: float
    minimum_bin_count: int
    first_tree_active_only: bool
    objective: Objective = "binary"
    classes: int = 1
    """Classes of a multi-class label; 1 for the other objectives."""
    class_weights: Literal["none", "balanced"] = "none"
    row_sample: Decimal = Decimal(1)
    """Share of the training rows each tree learns from."""
    one_side_sampling: OneSideShares | None = None
    early_stopping_rounds: int = 0
    """Trees without a better loss on the validation rows before growing stops; 0 never stops."""

    def __post_init__(self) -> None:
        """Refuse values outside their ranges, and options that exclude each other."""
        classes = (3, 20) if self.objective == "multiclass" else (1, 1)
        for name, value, low, high in (
            ("trees", self.trees, 1, 500),
            ("depth", self.depth, 1, 8),
            ("bins", self.bins, 2, 256),
            ("minimum_bin_count", self.minimum_bin_count, 5, 1_000_000),
            ("l2", self.l2, 0, 1000),
            ("classes", self.classes, *classes),
            ("early_stopping_rounds", self.early_stopping_rounds, 0, 100),
        ):
            if not low <= value <= high:
                raise LocalProtocolError(f"{name} must be between {low} and {high}")
        if not 0 < self.learning_rate <= 1:
            raise LocalProtocolError("learning_rate must be in (0, 1]")
        if not 0 < self.row_sample <= 1:
            raise LocalProtocolError("row_sample must be in (0, 1]")
        if self.objective == "regression" and self.class_weights != "none":
            raise LocalProtocolError("class_weights need classes; a regression has none")
        shares = self.one_side_sampling
        if shares is not None:
            if not (shares.top > 0 and shares.other > 0 and shares.top + shares.other <= 1):
                raise LocalProtocolError("top and other must be positive, at most 1 together")
            if self.row_sample != 1:
                raise LocalProtocolError("row_sample and one_side_sampling exclude each other")

    @classmethod
    def from_terms(cls, terms: TreeTerms) -> TreeOptions:
        """Return the options a signed JobSpec states."""
        shares = terms.one_side_sampling
        return cls(
            trees=terms.trees,
            depth=terms.depth,
            bins=terms.bins,
            learning_rate=float(terms.learning_rate),
            l2=float(terms.l2),
            minimum_bin_count=terms.minimum_bin_count,
            first_tree_active_only=terms.first_tree_active_only,
            objective=terms.objective,
            classes=terms.classes,
            class_weights=terms.class_weights,
            row_sample=Decimal(terms.row_sample),
            one_side_sampling=(
                None
                if shares is None
                else OneSideShares(Decimal(shares.top), Decimal(shares.other))
            ),
            early_stopping_rounds=terms.early_stopping_rounds,
        )

    @property
    def outputs(self) -> int:
        """Numbers a leaf holds: one for each class of a multi-class label, else one."""
        return self.classes

    @property
    def samples_rows(self) -> bool:
        """Whether trees learn from some of the training rows only."""
        return self.row_sample != 1 or self.one_side_sampling is not None

    def is_active_only(self, tree: int) -> bool:
        """Whether tree number ``tree`` (from 0) uses the active party's columns alone."""
        return tree == 0 and self.first_tree_active_only
