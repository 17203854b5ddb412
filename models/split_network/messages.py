"""The messages of training and evaluation; SPEC.md §3 says when each is sent."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from protocols.errors import DecodeError, RemoteProtocolError
from protocols.wire import Message

Singles: TypeAlias = npt.NDArray[np.float32]

FRAME_ROWS = 4096
"""Rows in one frame of cut outputs outside training; the last frame has what is left."""

LARGEST_GRADIENT = 1e6
"""Gradients of a mean loss are far below 1; beyond this a training has diverged, or somebody
tries to push the other's network out of float32."""


class CutOutputs(Message, frozen=True):
    """Passive to active: its network's outputs for the next rows, ``cut_units`` numbers a row."""

    max_bytes: ClassVar[int] = 1 << 25
    values: bytes


class CutGradients(Message, frozen=True):
    """Active to passive: the loss's gradient with respect to the outputs it just sent."""

    max_bytes: ClassVar[int] = 1 << 25
    values: bytes


def to_bytes(values: Singles) -> bytes:
    """Return float32 numbers, little endian, row after row."""
    return values.astype("<f4").tobytes()


def outputs_from_bytes(data: bytes, rows: int, units: int) -> Singles:
    """Return outputs, shape (rows, units); raises :class:`RemoteProtocolError`.

    An output is a hyperbolic tangent: anything outside [-1, 1] was not made by one.
    """
    outputs = _from_bytes(data, rows, units)
    if not (np.abs(outputs) <= 1).all():
        raise RemoteProtocolError("a cut output outside [-1, 1]")
    return outputs


def gradients_from_bytes(data: bytes, rows: int, units: int) -> Singles:
    """Return gradients, shape (rows, units); raises :class:`RemoteProtocolError`."""
    gradients = _from_bytes(data, rows, units)
    if not (np.abs(gradients) <= LARGEST_GRADIENT).all():
        raise RemoteProtocolError("a gradient out of any range a training has")
    return gradients


def _from_bytes(data: bytes, rows: int, units: int) -> Singles:
    if len(data) != 4 * rows * units:
        raise DecodeError(f"{len(data)} bytes where {rows} rows of {units} numbers were due")
    values = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(values).all():
        raise DecodeError("a number that is not finite")
    return values.reshape(rows, units)
