"""Sums over chosen rows, several rows to a ciphertext.

With k rows in a ciphertext, slot j of ciphertext i holds the number of row k i + j. A sum over a
set of rows is kept as k sums, one for each j, of the ciphertexts whose row in slot j is in the
set; in sum j only slot j is of interest. Sum j shifted by k - 1 - j slots has it in slot k - 1, so
all k shifted and added have the wanted sum there, and in the 2k - 2 other slots what nobody asked
for, which a mask hides before the key's owner sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.scorecard.columns import Codes
from models.scorecard.fixed_point import HIDING_BITS, Whole, whole
from models.table import Rows
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.paillier import Ciphertexts, PublicKey
from protocols.suite import RandomStream


@dataclass(frozen=True, slots=True)
class Slots:
    """``slots`` masked numbers of magnitude below 2^value_bits in one plaintext.

    A mask is 2^value_bits plus a uniform number of value_bits + 1 + 64 bits, so that no slot is
    ever negative and none carries into the next.
    """

    value_bits: int
    slots: int

    @classmethod
    def filling(cls, value_bits: int, bits: int) -> Slots:
        """Return as many slots as a plaintext of a key of ``bits`` holds."""
        slots = (bits - 1) // cls(value_bits, 1).slot_bits
        if slots < 1:
            raise LocalProtocolError("the numbers are too large for this key; use a longer one")
        return cls(value_bits, slots)

    @property
    def slot_bits(self) -> int:
        """Bits of one slot: a number, its mask, and the carry of their sum."""
        return self.value_bits + HIDING_BITS + 2

    def masks(self, count: int, stream: RandomStream) -> list[int]:
        """Return ``count`` random masks for one slot each."""
        bits = self.value_bits + 1 + HIDING_BITS
        size = -(-bits // 8)
        drawn = stream.bytes(size * count)
        offset, excess = 1 << self.value_bits, 8 * size - bits
        return [
            offset + (int.from_bytes(drawn[at : at + size], "big") >> excess)
            for at in range(0, len(drawn), size)
        ]

    def join(self, numbers: Sequence[int]) -> int:
        """Return one plaintext of at most ``slots`` numbers, the first in the lowest bits."""
        total = 0
        for number in reversed(numbers):
            total = (total << self.slot_bits) + number
        return total

    def part(self, plaintext: int) -> list[int]:
        """Return the numbers in a plaintext's slots.

        Raises :class:`RemoteProtocolError` for a plaintext too large to have been joined.
        """
        width = self.slot_bits
        if plaintext >> (width * self.slots):
            raise RemoteProtocolError("a decrypted value is longer than its slots")
        every, low = int(plaintext), (1 << width) - 1
        return [every >> (width * slot) & low for slot in range(self.slots)]


@dataclass(frozen=True, slots=True)
class RowPacking:
    """How rows share ciphertexts; see the module."""

    plain: Slots
    """Slots of a sum: 2k - 1 of them."""
    rows: int
    """k, the rows in one ciphertext."""

    @classmethod
    def filling(cls, value_bits: int, bits: int) -> RowPacking:
        """Return the packing for sums, in any slot, of magnitude below 2^value_bits."""
        rows = (Slots.filling(value_bits, bits).slots + 1) // 2
        return cls(Slots(value_bits, 2 * rows - 1), rows)

    @property
    def target(self) -> int:
        """The slot that ends up with the sum that was asked for."""
        return self.rows - 1

    @property
    def target_shift(self) -> int:
        """Bits below that slot."""
        return self.target * self.plain.slot_bits

    def ciphertexts(self, rows: int) -> int:
        """Return how many ciphertexts hold ``rows`` rows."""
        return -(-rows // self.rows)

    def plaintexts(self, numbers: Sequence[int]) -> list[int]:
        """Return the rows' numbers packed, ``rows`` to a plaintext."""
        step = self.rows
        return [self.plain.join(numbers[at : at + step]) for at in range(0, len(numbers), step)]

    def segments(self, codes: Codes, bins: int) -> tuple[Rows, Rows]:
        """Return positions and offsets of the k sums of each bin, bin by bin, for ``Summands``."""
        row = np.arange(len(codes), dtype=np.int64)
        key = codes * self.rows + row % self.rows
        order = np.argsort(key, kind="stable")
        counts = np.bincount(key, minlength=bins * self.rows)
        return order // self.rows, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def align(self, sums: Ciphertexts, public_key: PublicKey) -> Ciphertexts:
        """Return one ciphertext for each k sums, with the wanted sum in slot k - 1 (Horner)."""
        firsts = np.arange(len(sums) // self.rows, dtype=np.int64) * self.rows
        total = sums.take(firsts)
        for j in range(1, self.rows):
            total = public_key.add(
                public_key.shift(total, self.plain.slot_bits), sums.take(firsts + j)
            )
        return total

    def hide(
        self, sums: Ciphertexts, stream: RandomStream, *, target: bool
    ) -> tuple[list[int], Whole]:
        """Return what to add to each aligned sum, and the masks of its wanted slot.

        ``target`` says whether that slot is masked too, or its low ``value_bits`` shown to the
        key's owner: the bits above them, which no honest sum reaches, are masked either way.
        """
        every, bits = self.plain.slots, self.plain.value_bits
        masks = self.plain.masks(every * len(sums), stream)
        if not target:
            above = [(mask - (1 << bits)) >> bits for mask in masks[self.target :: every]]
            masks[self.target :: every] = [mask << bits for mask in above]
        plaintexts = [self.plain.join(masks[at : at + every]) for at in range(0, len(masks), every)]
        return plaintexts, whole(masks[self.target :: every])

    def shown(self, plaintexts: Sequence[int]) -> list[int]:
        """Return the wanted sum of each decrypted one whose wanted slot was not hidden."""
        low = (1 << self.plain.value_bits) - 1
        return [value & low for value in self.opened(plaintexts)]

    def opened(self, plaintexts: Sequence[int]) -> list[int]:
        """Return the wanted slot of each decrypted sum.

        Raises :class:`RemoteProtocolError` for a plaintext too large to have been packed.
        """
        return [self.plain.part(plaintext)[self.target] for plaintext in plaintexts]
