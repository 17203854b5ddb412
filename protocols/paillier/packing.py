"""Several signed sums in one ciphertext, in slots wide enough that none can overflow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gmpy2 import mpz, unpack

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier.ciphertexts import Ciphertexts
from protocols.paillier.public_key import PublicKey


@dataclass(frozen=True, slots=True)
class Packing:
    """``slots`` integers in (-2^(slot_bits - 1), 2^(slot_bits - 1)) per ciphertext.

    A slot holds its value plus 2^(slot_bits - 1), which is never negative, so no slot borrows
    from the next. The first value stands in the lowest bits.
    """

    slot_bits: int
    slots: int

    @classmethod
    def for_magnitude(cls, largest: int, public_key: PublicKey) -> Packing:
        """Return the packing of values v with ``abs(v) <= largest``.

        Raises :class:`LocalProtocolError` if a plaintext of this key cannot hold even one.
        """
        slot_bits = largest.bit_length() + 1
        slots = (public_key.bits - 1) // slot_bits  # 2^(bits - 1) < n
        if slots < 1:
            raise LocalProtocolError("the sums are too large for one plaintext of this key")
        return cls(slot_bits, slots)

    @property
    def _offset(self) -> int:
        every_slot = ((1 << self.slot_bits * self.slots) - 1) // ((1 << self.slot_bits) - 1)
        return every_slot << (self.slot_bits - 1)

    def pack(self, ciphertexts: Ciphertexts, public_key: PublicKey) -> Ciphertexts:
        """Return packed ciphertexts, ``slots`` values each; what is missing at the end is zero.

        By Horner's rule: ``slot_bits`` squarings for each value. The result is not
        re-randomised.
        """
        if not len(ciphertexts):
            return ciphertexts
        packed = -(-len(ciphertexts) // self.slots)
        missing = public_key.zeros(packed * self.slots - len(ciphertexts))
        padded = Ciphertexts.join([ciphertexts, missing])
        firsts = np.arange(packed, dtype=np.int64) * self.slots
        top = min(self.slots, len(ciphertexts)) - 1
        total = padded.take(firsts + top)
        for slot in range(top - 1, -1, -1):
            total = public_key.add(
                public_key.shift(total, self.slot_bits), padded.take(firsts + slot)
            )
        return public_key.add_plaintexts(total, [self._offset] * packed)

    def unpack(self, plaintext: int) -> list[int]:
        """Return the ``slots`` values of one decrypted plaintext.

        Raises :class:`DecodeError` for a plaintext too large to have been packed.
        """
        if plaintext >> (self.slot_bits * self.slots):
            raise DecodeError("decrypted value is longer than its slots")
        zero = 1 << (self.slot_bits - 1)
        # The bit above the top slot keeps ``unpack`` from dropping slots that are all zero bits.
        marked = plaintext | (mpz(1) << self.slot_bits * self.slots)
        return [int(value) - zero for value in unpack(marked, self.slot_bits)[: self.slots]]
