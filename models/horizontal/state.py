"""What every party holds between two rounds: the global parameters and the server's optimiser."""

from __future__ import annotations

import numpy as np

from models.horizontal.layout import initial_parameters
from models.table import Floats
from protocols.errors import LocalProtocolError
from protocols.session.horizontal_terms import FederatedTraining, HorizontalModel
from protocols.stored import Stored
from protocols.suite import Suite


class FederatedState(Stored, frozen=True):
    """The global model after ``round`` means; the same bytes at every party.

    ``to_bytes`` is its one encoding and what a digest of the model is taken of. Arrays are
    float64, little endian, row after row; the moments are empty unless the strategy is fedadam.
    """

    round: int
    """Means applied so far."""
    repeats: int
    parameter_bytes: bytes
    first_moment_bytes: bytes
    second_moment_bytes: bytes

    @classmethod
    def of(
        cls,
        round: int,
        parameters: Floats,
        moments: tuple[Floats, Floats] | None = None,
    ) -> FederatedState:
        """Return the state with these arrays, each of shape (repeats, P).

        Raises :class:`LocalProtocolError` for numbers that are not finite.
        """
        first, second = moments or (np.zeros(0), np.zeros(0))
        for array in (parameters, first, second):
            if not np.isfinite(array).all():
                raise LocalProtocolError("a global model holds a number that is not finite")
        return cls(round, len(parameters), *map(_bytes, (parameters, first, second)))

    @property
    def parameters(self) -> Floats:
        """The parameters of every repeat, shape (repeats, P); read only."""
        return _floats(self.parameter_bytes, self.repeats)

    @property
    def moments(self) -> tuple[Floats, Floats] | None:
        """FedAdam's first and second moment, each (repeats, P), read only; None elsewhere."""
        if not self.first_moment_bytes:
            return None
        first, second = self.first_moment_bytes, self.second_moment_bytes
        return _floats(first, self.repeats), _floats(second, self.repeats)

    def _is_consistent(self) -> bool:
        lengths = {len(self.first_moment_bytes), len(self.second_moment_bytes)}
        length = len(self.parameter_bytes)
        if self.round < 0 or self.repeats < 1 or not length or length % (8 * self.repeats):
            return False
        if lengths not in ({0}, {length}):
            return False
        arrays = (self.parameter_bytes, self.first_moment_bytes, self.second_moment_bytes)
        return all(bool(np.isfinite(np.frombuffer(data, "<f8")).all()) for data in arrays)


def initial_state(
    model: HorizontalModel,
    training: FederatedTraining,
    columns: int,
    repeats: int,
    *,
    suite: Suite,
    public_seed: bytes,
) -> FederatedState:
    """Return the state before the first round, alike at every party.

    FedAdam's moments start at 0 and tau^2 (Reddi et al. 2021, Algorithm 2: v_{-1} >= tau^2).
    """
    parameters = initial_parameters(model, columns, repeats, suite=suite, public_seed=public_seed)
    if training.strategy != "fedadam":
        return FederatedState.of(0, parameters)
    tau = float(training.tau)
    moments = (np.zeros_like(parameters), np.full_like(parameters, tau * tau))
    return FederatedState.of(0, parameters, moments)


def _bytes(array: Floats) -> bytes:
    return array.astype("<f8", copy=False).tobytes()


def _floats(data: bytes, repeats: int) -> Floats:
    return np.frombuffer(data, "<f8").astype(np.float64, copy=False).reshape(repeats, -1)
