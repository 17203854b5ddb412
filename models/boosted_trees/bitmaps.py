"""Sets of a node's rows on the wire: one bit a row, the first row in the lowest bit."""

from __future__ import annotations

import numpy as np

from models.table import Mask
from protocols.errors import DecodeError


def pack_rows(mask: Mask) -> bytes:
    """Return ``ceil(rows / 8)`` bytes; unused bits of the last are zero."""
    return np.packbits(mask, bitorder="little").tobytes()


def unpack_rows(data: bytes, rows: int) -> Mask:
    """Return the mask over ``rows`` rows; raises :class:`DecodeError` for any other encoding."""
    if len(data) != (rows + 7) // 8:
        raise DecodeError(f"a set of {rows} rows cannot have {len(data)} bytes")
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    if bits[rows:].any():
        raise DecodeError("a set of rows has bits beyond its last row")
    return bits[:rows].astype(np.bool_)
