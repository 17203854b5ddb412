"""Each party's half of the model, and its bytes.

The passive half is an encoding and a network that ends at the cut; the active half has the active
party's own, the top network, and what each passive party's outputs are on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from models import model_file
from models.model_file import Array, ModelFile
from models.predictions import Predictions
from models.split_network.batches import frames
from models.split_network.encoding import MOST_LEVELS, ColumnEncoding, TableEncoding
from models.split_network.layout import Layout, size
from models.split_network.messages import Singles
from models.table import ColumnKind, Floats
from protocols.errors import DecodeError
from protocols.roles import PartyId

KIND = "split_network"


@dataclass(frozen=True, eq=False)
class PassiveModel:
    """A passive party's half: ``weights`` is flat, as :meth:`Layout.bottom` lists the layers."""

    layout: Layout
    encoding: TableEncoding
    weights: Singles = field(repr=False)

    def to_bytes(self) -> bytes:
        """Return the half as a model file."""
        return _encode("passive_party", self, (), {})

    @classmethod
    def from_bytes(cls, data: bytes) -> PassiveModel:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        file = model_file.decode(data, kind=KIND, role="passive_party", arrays=_ARRAYS)
        facts = _facts(file)
        if facts.passives:
            raise DecodeError("a passive party's half that names passive parties")
        encoding = _encoding(file, facts)
        weights = file.array("weights", "f4", (size(facts.layout.bottom(encoding.width)),))
        return cls(facts.layout, encoding, weights)


@dataclass(frozen=True, eq=False)
class ActiveModel:
    """The active party's half: ``weights`` is flat, as :meth:`Layout.active` lists the layers.

    ``peer_means``, shape (passives, cut_units), is what each passive party's outputs are on
    average over the training rows: what stands for a party left out.
    """

    layout: Layout
    encoding: TableEncoding
    weights: Singles = field(repr=False)
    passives: tuple[PartyId, ...]
    peer_means: Singles = field(repr=False)

    def predict(self, inputs: Singles, outputs: Sequence[Singles]) -> Predictions:
        """Return each row's margin, and what it owes to each own column and to each passive party.

        ``inputs`` (rows, width) encoded; ``outputs`` of every passive party in order. A share is
        the margin less the margin with that column (or all of that party's outputs) at its
        training mean: occlusion, Zeiler and Fergus 2014. Shares need not add up to the margin.
        """
        from models.split_network.network import ActiveNetwork  # noqa: PLC0415 - loads PyTorch

        network = ActiveNetwork(self.layout, self.encoding.width, len(self.passives), self.weights)
        places = self.encoding.places()
        margins = np.zeros(len(inputs))
        own = {name: np.zeros(len(inputs)) for name in places}
        of_peers = {party: np.zeros(len(inputs)) for party in self.passives}
        for rows in frames(len(inputs)):
            here, peers = inputs[rows], [values[rows] for values in outputs]
            margins[rows] = network.margins(here, peers)
            for name, place in places.items():
                without = here.copy()
                without[:, place] = self.encoding.means[place]
                own[name][rows] = margins[rows] - network.margins(without, peers)
            for number, party in enumerate(self.passives):
                others = list(peers)
                others[number] = np.tile(self.peer_means[number], (len(here), 1))
                of_peers[party][rows] = margins[rows] - network.margins(here, others)
        return Predictions(margins, own, of_peers)

    def to_bytes(self) -> bytes:
        """Return the half as a model file."""
        return _encode("active_party", self, self.passives, {"peer_means": self.peer_means})

    @classmethod
    def from_bytes(cls, data: bytes) -> ActiveModel:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        file = model_file.decode(
            data, kind=KIND, role="active_party", arrays={*_ARRAYS, "peer_means"}
        )
        facts = _facts(file)
        layout, passives, encoding = facts.layout, tuple(facts.passives), _encoding(file, facts)
        if len(set(passives)) != len(passives):
            raise DecodeError("a half that names a passive party twice")
        shapes = layout.active(encoding.width, len(passives))
        weights = file.array("weights", "f4", (size(shapes),))
        means = file.array("peer_means", "f4", (len(passives), layout.cut_units))
        return cls(layout, encoding, weights, passives, means)


_ARRAYS = frozenset({"numbers", "input_means", "weights"})


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    kind: ColumnKind


class _Inputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a column becomes, less its numbers, which are an array."""

    levels: list[str]
    other: bool
    missing: bool


class _Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a half that is no array."""

    columns: list[_Named]
    inputs: list[_Inputs]
    cut_units: int
    hidden_units: int
    passives: list[PartyId]

    def __post_init__(self) -> None:
        """Refuse sizes no options allow, and columns that do not fit together."""
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names) or len(self.inputs) != len(names):
            raise ValueError("columns must have distinct names, and inputs each")
        if not (1 <= self.cut_units <= 64 and 1 <= self.hidden_units <= 1024):
            raise ValueError("layers out of range")
        for column, inputs in zip(self.columns, self.inputs, strict=True):
            levels = inputs.levels
            if levels != sorted(set(levels)) or len(levels) + inputs.other > MOST_LEVELS:
                raise ValueError("levels must be few, distinct and in order")
            if column.kind == "numeric" and (levels or inputs.other):
                raise ValueError("a numeric column has no levels")

    @property
    def layout(self) -> Layout:
        return Layout(self.cut_units, self.hidden_units)


def _encode(
    role: Literal["active_party", "passive_party"],
    half: PassiveModel | ActiveModel,
    passives: tuple[PartyId, ...],
    more: dict[str, Singles],
) -> bytes:
    columns = half.encoding.columns
    facts = _Facts(
        [_Named(column.name, column.kind) for column in columns],
        [_Inputs(list(column.levels), column.other, column.missing) for column in columns],
        half.layout.cut_units,
        half.layout.hidden_units,
        list(passives),
    )
    numbers: Floats = np.array([(c.mean, c.scale) for c in columns], np.float64).reshape(-1, 2)
    arrays: dict[str, Array] = {
        "numbers": numbers,
        "input_means": half.encoding.means,
        "weights": half.weights,
    }
    return model_file.encode(ModelFile(KIND, role, msgspec.to_builtins(facts), {**arrays, **more}))


def _facts(file: ModelFile) -> _Facts:
    try:
        return msgspec.convert(dict(file.facts), _Facts)
    except (msgspec.ValidationError, ValueError):
        raise DecodeError("not the facts of a half of a split network") from None


def _encoding(file: ModelFile, facts: _Facts) -> TableEncoding:
    numbers = file.array("numbers", "f8", (len(facts.columns), 2))
    means, scales = np.abs(numbers[:, 0]), numbers[:, 1]
    if not (scales > 0).all() or (means / 1e10 > scales).any():
        raise DecodeError("a column without a scale")
    columns = tuple(
        ColumnEncoding(
            named.name, named.kind, float(mean), float(scale), tuple(i.levels), i.other, i.missing
        )
        for named, i, (mean, scale) in zip(facts.columns, facts.inputs, numbers, strict=True)
    )
    width = sum(column.width for column in columns)
    return TableEncoding(columns, file.array("input_means", "f4", (width,)))
