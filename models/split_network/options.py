"""What the parties agreed to train."""

from __future__ import annotations

from dataclasses import dataclass

from models.split_network.layout import Layout
from protocols.errors import LocalProtocolError
from protocols.session.model_terms import SplitNetworkTerms


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Options every party of a job holds alike; SPEC.md §4 gives each its reason.

    Raises :class:`LocalProtocolError` for a value outside its range.
    """

    cut_units: int
    hidden_units: int
    epochs: int
    batch_rows: int
    learning_rate: float
    weight_decay: float
    label_epsilon: float | None
    """Epsilon of the labels' differential privacy. ``None`` trains on the labels as they are:
    for experiments on what that leaks; no JobSpec can say it."""

    def __post_init__(self) -> None:
        """Refuse values outside their ranges."""
        for name, value, low, high in (
            ("cut_units", self.cut_units, 1, 64),
            ("hidden_units", self.hidden_units, 1, 1024),
            ("epochs", self.epochs, 1, 500),
            ("batch_rows", self.batch_rows, 16, 100_000),
            ("weight_decay", self.weight_decay, 0, 1),
        ):
            if not low <= value <= high:
                raise LocalProtocolError(f"{name} must be between {low} and {high}")
        if not 0 < self.learning_rate <= 1:
            raise LocalProtocolError("learning_rate must be in (0, 1]")
        if self.label_epsilon is not None and not 0.01 <= self.label_epsilon <= 20:
            raise LocalProtocolError("label_epsilon must be between 0.01 and 20")

    @classmethod
    def from_terms(cls, terms: SplitNetworkTerms) -> NetworkOptions:
        """Return the options a signed JobSpec states."""
        return cls(
            cut_units=terms.cut_units,
            hidden_units=terms.hidden_units,
            epochs=terms.epochs,
            batch_rows=terms.batch_rows,
            learning_rate=float(terms.learning_rate),
            weight_decay=float(terms.weight_decay),
            label_epsilon=float(terms.label_epsilon),
        )

    @property
    def layout(self) -> Layout:
        """The layers of the networks."""
        return Layout(self.cut_units, self.hidden_units)
