"""What the parties agreed to train."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.errors import LocalProtocolError
from protocols.session.job_spec import TreeTerms


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

    def __post_init__(self) -> None:
        """Refuse values outside their ranges."""
        for name, value, low, high in (
            ("trees", self.trees, 1, 500),
            ("depth", self.depth, 1, 8),
            ("bins", self.bins, 2, 256),
            ("minimum_bin_count", self.minimum_bin_count, 5, 1_000_000),
            ("l2", self.l2, 0, 1000),
        ):
            if not low <= value <= high:
                raise LocalProtocolError(f"{name} must be between {low} and {high}")
        if not 0 < self.learning_rate <= 1:
            raise LocalProtocolError("learning_rate must be in (0, 1]")

    @classmethod
    def from_terms(cls, terms: TreeTerms) -> TreeOptions:
        """Return the options a signed JobSpec states."""
        return cls(
            trees=terms.trees,
            depth=terms.depth,
            bins=terms.bins,
            learning_rate=float(terms.learning_rate),
            l2=float(terms.l2),
            minimum_bin_count=terms.minimum_bin_count,
            first_tree_active_only=terms.first_tree_active_only,
        )

    def is_active_only(self, tree: int) -> bool:
        """Whether tree number ``tree`` (from 0) uses the active party's columns alone."""
        return tree == 0 and self.first_tree_active_only
