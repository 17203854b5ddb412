"""Several rows in one ciphertext, and the sums that come back out of it (SPEC.md §4).

A plaintext has slots ``pitch`` bits apart. Row k i + j stands in slot j of ciphertext i. A sum
over one slot's rows carries along what its neighbours in the same ciphertexts hold: junk, which
nobody asked for and the active party must not see. Shifting the k sums of one candidate against
each other puts the k wanted parts on top of each other, with k - 1 slots of junk on either side;
the passive party buries the junk under random numbers before the result leaves it. It buries
everything but the bits of the sums: what stands above a sum in its own slot, and above the last
one, is nothing if rows are gradients, and what somebody put there if they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from gmpy2 import mpz

from models.boosted_trees.expectation import ColumnShape, expected_results
from models.boosted_trees.gradients import RowEncoding
from models.boosted_trees.options import TreeOptions
from protocols.errors import LocalProtocolError
from protocols.paillier import Ciphertexts, PublicKey
from protocols.roles import Progress, Role
from protocols.suite import RandomStream

HIDING_BITS = 64
"""What is left of the junk is within 2^-64 of nothing, for every run of junk slots."""
MOST_ROWS = 16
FORWARD_COST = 400
"""Making, sending and preparing one ciphertext, in squarings modulo n^2, for :func:`choose`."""
RETURN_COST = 2000
"""Re-randomising, sending and decrypting one ciphertext, in the same unit."""


@dataclass(frozen=True, slots=True)
class Window:
    """Bits of a returned plaintext that must not be seen: a number below ``numbers``.

    ``start`` is its lowest bit; ``junk`` the magnitude that junk does not exceed, in units of that
    bit. Masks are uniform in [junk, numbers - junk), so that no sum is touched from below.
    """

    start: int
    numbers: int
    junk: int


@dataclass(frozen=True, slots=True)
class RowPacking:
    """``rows`` rows in a ciphertext on the way out, ``results`` sums in one on the way back.

    ``largest`` is the magnitude that no sum of encoded rows exceeds. Raises
    :class:`LocalProtocolError` if a plaintext of ``key_bits`` cannot hold one result.
    """

    rows: int
    largest: int
    key_bits: int

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        if self.results < 1:
            raise LocalProtocolError("the sums are too large for one plaintext of this key")

    @property
    def slot_bits(self) -> int:
        """Bits of a sum and its sign."""
        return self.largest.bit_length() + 1

    @property
    def pitch(self) -> int:
        """Distance of two slots.

        Of two results in one ciphertext the junk of neighbours meets, two numbers of magnitude at
        most ``largest`` in a slot. So k - 1 slots of junk are worth at most B with
        B (2^pitch - 1) <= 2 largest (2^((k - 1) pitch) - 1). Hidden to 2^-64 among the numbers
        that the k - 1 slots hold means 2 B (2^64 + 1) <= 2^((k - 1) pitch), which this ensures.
        A window that begins lower, right above a sum, has masks and junk larger by one factor.
        """
        if self.rows == 1:
            return self.slot_bits
        return (4 * self.largest * ((1 << HIDING_BITS) + 1)).bit_length()

    @property
    def results(self) -> int:
        """Sums in one returned ciphertext: each has k slots, and k - 1 are left over at an end."""
        slots = (self.key_bits - 1) // self.pitch  # 2^(key_bits - 1) < n
        return (slots - (self.rows - 1)) // self.rows

    @property
    def shifts(self) -> int:
        """Shifts by ``pitch`` bits that packing one full ciphertext takes."""
        return self.rows * self.results - 1

    @property
    def junk_bound(self) -> int:
        """Magnitude that k - 1 slots of junk do not exceed, in units of their lowest bit."""
        one = (1 << self.pitch) - 1
        return 2 * self.largest * (((1 << (self.rows - 1) * self.pitch) - 1) // one)

    @property
    def sums_at(self) -> list[int]:
        """The lowest bit of each of the ``results`` sums; each takes ``slot_bits``."""
        first, step = (self.rows - 1) * self.pitch, self.rows * self.pitch
        return [first + step * result for result in range(self.results)]

    def windows(self, n: int) -> list[Window]:
        """Return everything but the sums' bits, in a plaintext below the modulus ``n``.

        The first window is the junk below the first sum. The others begin right above a sum: what
        is left of its slot, then junk. The last one goes on as far as a number below n can.
        """
        below = Window(0, 1 << self.sums_at[0], self.junk_bound)
        starts = [at + self.slot_bits for at in self.sums_at]
        junk = self.junk_bound << (self.pitch - self.slot_bits)
        between = [
            Window(start, 1 << (at - start), junk)
            for start, at in zip(starts, self.sums_at[1:], strict=False)
        ]
        return [below, *between, Window(starts[-1], n >> starts[-1], junk)]

    def ciphertexts(self, rows: int) -> int:
        """Return how many ciphertexts ``rows`` rows take."""
        return -(-rows // self.rows)

    def plaintexts(self, encoded: Sequence[int]) -> list[int]:
        """Return the plaintexts of encoded rows, ``rows`` consecutive ones in each."""
        k, pitch = self.rows, self.pitch
        padded = [*encoded, *[0] * (-len(encoded) % k)]
        total = padded[k - 1 :: k]
        for slot in range(k - 2, -1, -1):
            total = [(t << pitch) + v for t, v in zip(total, padded[slot::k], strict=True)]
        return total

    def pack(
        self, sums: Ciphertexts, public_key: PublicKey, progress: Progress
    ) -> Role[Ciphertexts]:
        """Return packed sums, ``results`` in each ciphertext; what is missing at the end is zero.

        ``sums`` has k parts of equal length: for each candidate the sum over the left rows of slot
        0, then for each candidate that of slot 1, and so on. By Horner's rule over all slots of
        all results; junk is in the open and nothing is re-randomised, which :meth:`hide` mends.
        """
        k, wanted = self.rows, len(sums) // self.rows
        count = -(-wanted // self.results)
        padded = Ciphertexts.join([sums, public_key.zeros(1)])
        firsts = np.arange(count, dtype=np.int64) * self.results
        total = None
        for step in range(k * self.results - 1, -1, -1):
            result, slot = step // k, k - 1 - step % k
            candidates = firsts + result
            at = np.where(candidates < wanted, slot * wanted + candidates, len(sums))
            summand = padded.take(at)
            if total is not None:
                yield progress
                summand = public_key.add(public_key.shift(total, self.pitch), summand)
            total = summand
        return public_key.zeros(0) if total is None else total

    def hide(self, packed: Ciphertexts, public_key: PublicKey, stream: RandomStream) -> Ciphertexts:
        """Return what may leave: sums made non-negative, all else masked, randomness fresh."""
        windows = self.windows(int(public_key.n))
        offsets = [self._offset(windows, stream) for _ in range(len(packed))]
        return public_key.rerandomise(public_key.add_plaintexts(packed, offsets), stream)

    def _offset(self, windows: Sequence[Window], stream: RandomStream) -> int:
        total = sum(1 << (at + self.slot_bits - 1) for at in self.sums_at)
        for window in windows:
            mask = window.junk + stream.below(window.numbers - 2 * window.junk)
            total += mask << window.start
        return total

    def unpack(self, plaintext: int) -> list[int]:
        """Return the ``results`` sums in one decrypted plaintext, each in [-2^(b - 1), 2^(b - 1)).

        b is ``slot_bits``. Every plaintext has such sums; all its other bits are masks.
        """
        whole, zero, low = mpz(plaintext), 1 << (self.slot_bits - 1), (1 << self.slot_bits) - 1
        return [int(whole >> at & low) - zero for at in self.sums_at]


def choose(
    encoding: RowEncoding, options: TreeOptions, *, passive_columns: int, key_bits: int
) -> RowPacking:
    """Return the packing with the least expected work, alike at every party.

    More rows in a ciphertext save ciphertexts on the way out and cost squarings on the way back.
    ``passive_columns`` is the largest number of columns of a passive party.
    """
    results = expected_results(
        encoding.rows, [ColumnShape(options.bins)] * passive_columns, options
    )
    best, least = None, Fraction(0)
    for rows in range(1, min(MOST_ROWS, encoding.rows) + 1):
        try:
            packing = RowPacking(rows, encoding.largest_sum, key_bits)
        except LocalProtocolError:
            break
        returned = Fraction(results, packing.results)
        work = FORWARD_COST * packing.ciphertexts(encoding.rows) + returned * (
            packing.shifts * packing.pitch + RETURN_COST
        )
        if best is None or work < least:
            best, least = packing, work
    if best is None:
        raise LocalProtocolError("the sums are too large for one plaintext of this key")
    return best
