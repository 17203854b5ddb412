"""What each tree gives each party, when growing ends, and the model the trees add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.binning import Binning
from models.boosted_trees.model import ActiveModel, PassiveModel
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.sampling import training_mask
from models.boosted_trees.target import Target
from models.boosted_trees.tree import ActiveTreeHalf, PassiveTreeHalf
from models.table import Floats, Mask
from protocols.errors import DecodeError, RemoteProtocolError
from protocols.wire import Message, decode, encode


@dataclass(frozen=True, eq=False)
class ActiveTreeResult:
    """What growing one tree gives the active party."""

    half: ActiveTreeHalf
    margins: Floats = field(repr=False)
    """Every row's margins after this tree, validation rows among them; shape (rows, outputs)."""
    losses: tuple[float, ...] = field(repr=False)
    """The validation rows' loss after each tree so far; empty if growing never stops early."""
    kept: int
    """0 while growing goes on, else the number of trees the model has."""

    @property
    def stopped(self) -> bool:
        """Whether no further tree is to be grown."""
        return self.kept > 0

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        margins = self.margins.astype("<f8").tobytes()
        return encode(_EncodedResult(self.half, margins, self.losses, self.kept))

    @classmethod
    def from_bytes(cls, data: bytes) -> ActiveTreeResult:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        result = decode(data, _EncodedResult)
        if len(result.margins) % (8 * result.half.outputs):
            raise DecodeError("margins do not fill their bytes")
        margins = np.frombuffer(result.margins, "<f8").astype(np.float64)
        if not (np.isfinite(margins).all() and np.isfinite(result.losses).all()):
            raise DecodeError("a margin or a loss is not finite")
        shaped = margins.reshape(-1, result.half.outputs)
        return cls(result.half, shaped, result.losses, result.kept)


class _EncodedResult(Message, frozen=True):
    half: ActiveTreeHalf
    margins: bytes
    losses: tuple[float, ...]
    kept: int

    def __post_init__(self) -> None:
        if not 0 <= self.kept <= self.half.tree + 1:
            raise ValueError("more trees kept than there are")


class PassiveTreeResult(Message, frozen=True):
    """What growing one tree gives a passive party."""

    half: PassiveTreeHalf
    kept: int
    """0 while growing goes on, else the number of trees the model has."""

    def __post_init__(self) -> None:
        """Refuse more trees kept than there are."""
        if not 0 <= self.kept <= self.half.tree + 1:
            raise ValueError("more trees kept than there are")

    @property
    def stopped(self) -> bool:
        """Whether no further tree is to be grown."""
        return self.kept > 0

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> PassiveTreeResult:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        return decode(data, cls)


def says_when_to_stop(tree: int, options: TreeOptions) -> bool:
    """Whether the parties agree after this tree how many trees the model has.

    Not after an active party's own first tree, which no message follows: it cannot be the last
    but in a model of one tree, which keeps it anyway.
    """
    return options.early_stopping_rounds > 0 and not options.is_active_only(tree)


def trees_kept(losses: Sequence[float], options: TreeOptions) -> int:
    """Return how many trees the model has if growing ends after these losses, or 0 if it goes on.

    The trees up to the first with the least loss are kept. Growing ends when the last
    ``early_stopping_rounds`` trees brought no smaller one, and with the last tree.
    """
    best = int(np.argmin(losses)) + 1
    waited = len(losses) - best
    ends = waited >= options.early_stopping_rounds or len(losses) == options.trees
    return best if ends else 0


def check_trees_kept(kept: int, tree: int, options: TreeOptions) -> None:
    """Raise :class:`RemoteProtocolError` unless :func:`trees_kept` can say this after ``tree``."""
    grown, waited = tree + 1, tree + 1 - kept
    if kept == 0:
        possible = grown < options.trees
    elif grown < options.trees:
        possible = waited == options.early_stopping_rounds
    else:
        possible = 0 <= waited <= options.early_stopping_rounds
    if not possible:
        raise RemoteProtocolError("another number of trees kept than these options allow")


def initial_margins(
    labels: npt.NDArray[Any], options: TreeOptions, validation: Mask | None = None
) -> Floats:
    """Return every row's margins before the first tree, shape (rows, outputs).

    ``labels`` has the validation rows', too, marked by ``validation``; only the training rows
    count. Raises :class:`LocalProtocolError` for labels there is nothing to learn from.
    """
    return Target.of(labels, training_mask(validation, len(labels)), options).initial_margins()


def active_model(
    binning: Binning,
    labels: npt.NDArray[Any],
    options: TreeOptions,
    results: Sequence[ActiveTreeResult],
    validation: Mask | None = None,
) -> ActiveModel:
    """Return the active party's half of the model: of all ``results`` the trees that are kept."""
    target = Target.of(labels, training_mask(validation, len(labels)), options)
    trees = tuple(result.half for result in results)
    return ActiveModel(
        options.objective,
        target.base,
        target.center,
        target.scale,
        binning,
        trees[: results[-1].kept or len(trees)],
    )


def passive_model(binning: Binning, results: Sequence[PassiveTreeResult]) -> PassiveModel:
    """Return a passive party's half of the model: of all ``results`` the trees that are kept."""
    trees = tuple(result.half for result in results)
    return PassiveModel(binning, trees[: results[-1].kept or len(trees)])
