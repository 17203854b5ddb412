"""Adding contributions chunk by chunk, each an array of residues of its own bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from protocols.errors import LocalProtocolError
from protocols.sum_ciphers.interface import MAX_CONTRIBUTIONS

Residues: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Totals:
    """The running sums of a contribution's chunks.

    ``add`` adds the second array to the first in place; both have the type ``dtype``.
    """

    def __init__(self, dtype: str, add: Callable[[Residues, Residues], None]) -> None:
        self._dtype, self._add = np.dtype(dtype), add
        self.start()

    def start(self) -> None:
        """Forget what was added."""
        self._sums: list[Residues] = []
        self._added = 0

    def add(self, chunks: Sequence[bytes]) -> None:
        """Add one contribution's chunks; raises :class:`LocalProtocolError`."""
        if self._added == MAX_CONTRIBUTIONS:
            raise LocalProtocolError(f"a sum has at most {MAX_CONTRIBUTIONS} contributions")
        arrays = [np.frombuffer(chunk, self._dtype) for chunk in chunks]
        if not self._added:
            self._sums = [array.copy() for array in arrays]
        elif [len(array) for array in arrays] != [len(total) for total in self._sums]:
            raise LocalProtocolError("contributions to one sum must have one length")
        else:
            for total, array in zip(self._sums, arrays, strict=True):
                self._add(total, array)
        self._added += 1

    def chunks(self) -> list[bytes]:
        """Return the sums' chunks; raises :class:`LocalProtocolError` if nothing was added."""
        if not self._added:
            raise LocalProtocolError("nothing was added yet")
        return [total.tobytes() for total in self._sums]
