"""The trained model as every party keeps it: columns, their scaling, and one repeat's parameters.

Unlike the halves of a vertical model it is whole and the same at every party.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np

from models import model_file
from models.horizontal.layout import hidden_units, size
from models.horizontal.prediction import margins
from models.horizontal.scaling import LARGEST_INPUT, Scaling
from models.horizontal.state import FederatedState
from models.model_file import ModelFile
from models.predictions import Predictions
from models.table import ColumnKind, Floats
from protocols.errors import DecodeError, LocalProtocolError
from protocols.session.horizontal_terms import HorizontalModel

KINDS = ("logistic_regression", "multilayer_perceptron")
_ARRAYS = frozenset({"mean", "deviation", "parameters"})


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model that scores; d columns, P parameters in the order of :mod:`.layout`."""

    columns: tuple[str, ...]
    hidden: tuple[int, ...]
    """Units of each hidden layer; none is logistic regression."""
    mean: Floats = field(repr=False)
    deviation: Floats = field(repr=False)
    parameters: Floats = field(repr=False)

    @classmethod
    def of(
        cls,
        state: FederatedState,
        scaling: Scaling,
        model: HorizontalModel,
        columns: tuple[str, ...],
        *,
        repeat: int = 0,
    ) -> TrainedModel:
        """Return the model of one repeat."""
        return cls(
            columns,
            hidden_units(model),
            scaling.mean[repeat],
            scaling.deviation[repeat],
            state.parameters[repeat],
        )

    @property
    def kind(self) -> str:
        """What the model is, as the spec of its job named it."""
        return KINDS[bool(self.hidden)]

    def predict(self, columns: tuple[str, ...], values: Floats) -> Predictions:
        """Return each row's log odds of label 1; ``values`` (n, d) finite, of ``columns`` in order.

        For logistic regression also each column's share in them: weight times scaled value, which
        is 0 at the training mean; the intercept and the shares add up to the log odds. A network
        has no such shares. Raises :class:`LocalProtocolError` for other columns and values that
        are not finite.
        """
        if columns != self.columns:
            raise LocalProtocolError(
                "the table's columns are not the model's, in the model's order: "
                f"{', '.join(self.columns)}"
            )
        if values.shape[1:] != (len(columns),) or not np.isfinite(values).all():
            raise LocalProtocolError("values must be finite, one row a customer")
        found = margins(
            self.parameters[None],
            values,
            mean=self.mean[None],
            deviation=self.deviation[None],
            hidden=self.hidden,
        )[0]
        if self.hidden:
            return Predictions(found)
        scaled = np.clip((values - self.mean) / self.deviation, -LARGEST_INPUT, LARGEST_INPUT)
        shares = scaled * self.parameters[: len(columns)]
        return Predictions(found, {name: shares[:, at] for at, name in enumerate(columns)})

    def to_bytes(self) -> bytes:
        """Return the model as a model file: the same bytes at every party."""
        facts = _Facts([_Named(name, "numeric") for name in self.columns], list(self.hidden))
        arrays = {"mean": self.mean, "deviation": self.deviation, "parameters": self.parameters}
        return model_file.encode(ModelFile(self.kind, "party", msgspec.to_builtins(facts), arrays))

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainedModel:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        kind = model_file.read(data).kind
        if kind not in KINDS:
            raise DecodeError(f"a {kind} model; one of {' or '.join(KINDS)} is needed")
        file = model_file.decode(data, kind=kind, role="party", arrays=_ARRAYS)
        try:
            facts = msgspec.convert(dict(file.facts), _Facts)
        except (msgspec.ValidationError, ValueError):
            raise DecodeError("not the facts of a horizontal model") from None
        columns, hidden = tuple(named.name for named in facts.columns), tuple(facts.hidden)
        if bool(hidden) != bool(KINDS.index(kind)):
            raise DecodeError("the layers of another kind of model")
        found = cls(
            columns,
            hidden,
            file.array("mean", "f8", (len(columns),)),
            file.array("deviation", "f8", (len(columns),)),
            file.array("parameters", "f8", (size(hidden, len(columns)),)),
        )
        if not (found.deviation > 0).all():
            raise DecodeError("a column without a deviation")
        return found


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    kind: ColumnKind


class _Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a model that is no array."""

    columns: list[_Named]
    hidden: list[int]

    def __post_init__(self) -> None:
        """Refuse what no spec allows."""
        names = [column.name for column in self.columns]
        if not names or len(set(names)) != len(names):
            raise ValueError("columns must have distinct names")
        if any(column.kind != "numeric" for column in self.columns):
            raise ValueError("columns are numeric")
        if len(self.hidden) > 4 or not all(1 <= units <= 4096 for units in self.hidden):
            raise ValueError("layers out of range")
