"""The random-band OKVS of SPEC.md: from keys to rows, from values to a vector, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protocols.kernels import band
from protocols.suite import Indices, Suite, Words

VERSION = "fedcrm-okvs/1"
MAX_KEYS = 1 << 24
SEED_BYTES = 32

EXPANSION = (11, 10)
"""Possible starts per key, as a fraction: 1 + epsilon = 1.1."""
_GRANULE = 64
_KEY_BYTES = 16
_CHUNK = 8192
"""Keys hashed at once: in and out, they stay in the second-level cache."""


class DuplicateKeys(ValueError):
    """Two keys are the same one; ``first`` and ``second`` are their indices."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"keys {first} and {second} are the same")
        self.first, self.second = first, second


class EncodingFailure(Exception):
    """The rows are not linearly independent: try again under another seed (SPEC.md §4)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a set of keys, in ascending order of their starts."""

    columns: int
    places: Words
    """start * 2^32 + index of the key, shape (n,)."""
    low: Words
    """Coefficients 0 to 127 from the start on, shape (n, 2)."""
    high: Words
    """Coefficients 128 to 255, shape (n, 2)."""

    def __len__(self) -> int:
        return len(self.places)

    @property
    def order(self) -> Indices:
        """Which key each row belongs to."""
        return (self.places & np.uint64(0xFFFFFFFF)).astype(np.int64)


def columns_for(size: int) -> int:
    """Return how many columns ``size`` keys need: a multiple of 64, about 1.1 times as many."""
    if not 0 <= size <= MAX_KEYS:
        raise ValueError(f"an OKVS holds at most {MAX_KEYS} keys")
    numerator, denominator = EXPANSION
    starts = -(-size * numerator // denominator)
    return -(-(starts + band.MARGIN - 1) // _GRANULE) * _GRANULE


class Okvs:
    """A system with room for ``size`` keys under one public ``seed``, SPEC.md §3.

    A. Bienstock, S. Patel, J. Y. Seo and K. Yeo, "Near-Optimal Oblivious Key-Value Stores for
    Efficient PSI, PSU and Volume-Hiding Multi-Maps", USENIX Security 2023, §3 (RB-OKVS).

    A key is 16 bytes, two little-endian words; a value a 64-bit word, an element of GF(2^64),
    whose addition is exclusive or.
    """

    def __init__(self, size: int, *, suite: Suite, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"an OKVS seed has {SEED_BYTES} bytes")
        self.columns = columns_for(size)
        self._portable = suite.kernels == "portable"
        self._start, self._low, self._high = (
            suite.block_hash(suite.derive(seed, f"{VERSION} {purpose}".encode("ascii"), _KEY_BYTES))
            for purpose in ("start", "low", "high")
        )

    def rows(self, keys: Words) -> tuple[Rows, Words]:
        """Return the rows of ``keys``, shape (n, 2), and the keys in the order of the rows.

        Raises :class:`DuplicateKeys`, and ``ValueError`` for more keys than fit an index.
        """
        if len(keys) > MAX_KEYS:
            raise ValueError(f"{len(keys)} keys; at most {MAX_KEYS}")
        starts = self.columns - band.MARGIN + 1
        places = np.empty(len(keys), np.uint64)
        hashes = np.empty((min(_CHUNK, len(keys)), 2), np.uint64)
        for first in range(0, len(keys), _CHUNK):
            chunk = keys[first : first + _CHUNK]
            self._start.hash_blocks(chunk, hashes[: len(chunk)])
            band.place(hashes[: len(chunk)], first, starts, places[first : first + _CHUNK])
        band.sort_places(places, np.empty_like(places), starts.bit_length())

        placed = np.empty((len(keys), 2), np.uint64)
        band.gather(keys, places, placed)
        repeated = band.first_repeated(places, placed)
        if repeated >= 0:
            same = np.flatnonzero((keys == placed[repeated]).all(axis=1))
            raise DuplicateKeys(int(same[0]), int(same[1]))

        low, high = np.empty_like(placed), np.empty_like(placed)
        for first in range(0, len(keys), _CHUNK):
            chunk = placed[first : first + _CHUNK]
            self._low.hash_blocks(chunk, low[first : first + _CHUNK])
            self._high.hash_blocks(chunk, high[first : first + _CHUNK])
        return Rows(self.columns, places, low, high), placed

    def encode(self, rows: Rows, values: Words, solution: Words) -> None:
        """Make ``solution``, shape (columns,), give ``values[i]`` at row i.

        Free columns keep what ``solution`` held before: uniformly random words make the encoding
        oblivious; zeros do where the caller adds a uniformly random mask to the whole vector.
        Raises :class:`EncodingFailure` with the probability of SPEC.md §4.
        """
        if solution.shape != (self.columns,) or values.shape != (len(rows),):
            raise ValueError("a value per row and a word per column, please")
        pivots = np.zeros((self.columns, band.PIVOT_WORDS), np.uint64)
        if not band.eliminate(rows.places, rows.low, rows.high, values, pivots):
            raise EncodingFailure
        band.back_substitute(pivots, solution, portable=self._portable)

    def decode(
        self, rows: Rows, planes: tuple[Words, Words], out: tuple[Words, Words], start: int = 0
    ) -> None:
        """Write the values that two vectors have at the rows from ``start`` on, as ``out`` holds.

        ``planes`` are of shape (columns,); to decode one vector give it twice.
        """
        part = slice(start, start + len(out[0]))
        band.decode(
            rows.places[part],
            rows.low[part],
            rows.high[part],
            planes,
            out,
            portable=self._portable,
        )
