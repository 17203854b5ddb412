"""Words of 32 or 64 bits side by side in 512, as LLVM instructions: what hashes and ciphers do.

:mod:`protocols.kernels.lanes` is for arithmetic on numbers longer than a word.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from protocols.kernels.lanes import I1, I32, I64, Value, function


class WordLanes:
    """Emits arithmetic on vectors of 512 bits, of words of 32 or 64 bits, modulo 2^bits."""

    def __init__(self, builder: Any, bits: int) -> None:
        self.builder = builder
        self.bits = bits
        self.lanes = 512 // bits
        self.vector = ir.VectorType(ir.IntType(bits), self.lanes)
        name = f"v{self.lanes}i{bits}"
        self._rotate = function(builder, f"llvm.fshl.{name}", self.vector, [self.vector] * 3)
        self._reverse = function(builder, f"llvm.bswap.{name}", self.vector, [self.vector])

    def constant(self, value: int) -> Value:
        """Return the vector that holds ``value`` in every lane."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def sum(self, *terms: Value) -> Value:
        """Return the sum of the terms."""
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.add(total, term)
        return total

    def xor(self, *terms: Value) -> Value:
        """Return the exclusive or of the terms."""
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.xor(total, term)
        return total

    def rotate(self, x: Value, bits: int) -> Value:
        """Return x rotated to the left by ``bits``, taken modulo the word's size."""
        return self.builder.call(self._rotate, [x, x, self.constant(bits % self.bits)])

    def shift_right(self, x: Value, bits: int) -> Value:
        """Return x shifted to the right by ``bits``."""
        return self.builder.lshr(x, self.constant(bits))

    def choose(self, x: Value, y: Value, z: Value) -> Value:
        """Return, bit by bit, y where x is 1 and z where it is 0."""
        return self.xor(z, self.builder.and_(x, self.xor(y, z)))

    def majority(self, x: Value, y: Value, z: Value) -> Value:
        """Return the bit that at least two of the three have."""
        either = self.builder.or_(x, y)
        return self.builder.or_(self.builder.and_(x, y), self.builder.and_(either, z))

    def reverse_bytes(self, x: Value) -> Value:
        """Return x, every word's bytes in the opposite order."""
        return self.builder.call(self._reverse, [x])

    def load(self, address: Value, count: int, present: Value | None = None) -> list[Value]:
        """Load ``count`` consecutive vectors.

        Of ``present``, a 64-bit integer, only so many words are read, and the others are zero.
        """
        vectors = []
        for k in range(count):
            place = self._place(address, k)
            if present is None:
                vectors.append(self.builder.load(place, align=self.bits // 8))
            else:
                arguments = [place, I32(self.bits // 8), self._mask(k, present), self.constant(0)]
                vectors.append(self.builder.call(self._masked("load"), arguments))
        return vectors

    def store(self, address: Value, vectors: list[Value], present: Value | None = None) -> None:
        """Store consecutive vectors, or the first ``present`` words of them."""
        for k, vector in enumerate(vectors):
            place = self._place(address, k)
            if present is None:
                self.builder.store(vector, place, align=self.bits // 8)
            else:
                arguments = [vector, place, I32(self.bits // 8), self._mask(k, present)]
                self.builder.call(self._masked("store"), arguments)

    def transpose(self, rows: list[Value]) -> list[Value]:
        """Transpose squares of words, as many rows as columns, by exchanging ever smaller blocks.

        Fewer rows than lanes are several squares side by side, each transposed by itself.
        """
        rows = list(rows)
        step = len(rows) // 2
        while step:
            upper = [k + self.lanes - step if k & step else k for k in range(self.lanes)]
            lower = [k + self.lanes if k & step else k + step for k in range(self.lanes)]
            for i in range(len(rows)):
                if not i & step:
                    pair = rows[i], rows[i + step]
                    rows[i] = self._shuffle(*pair, upper)
                    rows[i + step] = self._shuffle(*pair, lower)
            step //= 2
        return rows

    def _shuffle(self, x: Value, y: Value, places: list[int]) -> Value:
        mask = ir.Constant(ir.VectorType(I32, self.lanes), places)
        return self.builder.shuffle_vector(x, y, mask)

    def _place(self, address: Value, k: int) -> Value:
        base = self.builder.inttoptr(address, self.vector.as_pointer())
        return self.builder.gep(base, [I64(k)])

    def _mask(self, k: int, present: Value) -> Value:
        """Return which lanes of vector ``k`` are among the first ``present`` words."""
        places = ir.VectorType(I64, self.lanes)
        first = self.builder.insert_element(ir.Constant(places, ir.Undefined), present, I32(0))
        limit = self.builder.shuffle_vector(
            first, first, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        )
        numbers = ir.Constant(places, [k * self.lanes + lane for lane in range(self.lanes)])
        return self.builder.icmp_unsigned("<", numbers, limit)

    def _masked(self, what: str) -> Value:
        mask, pointer = ir.VectorType(I1, self.lanes), self.vector.as_pointer()
        name = f"llvm.masked.{what}.v{self.lanes}i{self.bits}.p0"
        if what == "load":
            arguments = [pointer, I32, mask, self.vector]
            return function(self.builder, name, self.vector, arguments)
        return function(self.builder, name, ir.VoidType(), [self.vector, pointer, I32, mask])
