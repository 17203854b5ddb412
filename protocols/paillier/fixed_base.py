"""Many powers of one unit modulo N^2, from a table of its powers (Brickell et al., EUROCRYPT 1992).

Every modulus of Paillier's scheme is a square N^2, and a unit W modulo N^2 is
A * (1 + N * t) with A = W mod N and t in [0, N). Because (1 + N * s)(1 + N * t) is
1 + N * (s + t) modulo N^2, a product of units is the product of their A, times 1 + N * (sum of
their t): each factor costs a multiplication by a number of half the length and an addition.

Table look-ups depend on the exponent: a process that can time this one closely is outside the
threat model.
"""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import f_divmod, invert, mpz

WINDOW = 256  # one exponent byte selects one entry of each row


class FixedBase:
    """Powers of ``base`` modulo ``root**2``, exponents below ``256**exponent_bytes``.

    ``base`` must be a unit. The table holds ``256 * exponent_bytes`` entries of the modulus'
    size; building it costs about as much as 750 powers.
    """

    def __init__(self, base: mpz, root: mpz, exponent_bytes: int) -> None:
        self._root = root
        self._modulus = root * root
        self._exponent_bytes = exponent_bytes
        self._rows: list[tuple[list[mpz], list[mpz]]] = []
        step, step_inverse = base % self._modulus, invert(base, root)
        for _ in range(exponent_bytes):
            residues, slopes, step, step_inverse = self._row(step, step_inverse)
            self._rows.append((residues, slopes))

    def _row(self, step: mpz, step_inverse: mpz) -> tuple[list[mpz], list[mpz], mpz, mpz]:
        """Return A and t of step^0 .. step^255, then step^256 and its inverse modulo N."""
        residues, slopes = [], []
        power, inverse = mpz(1), mpz(1)
        for _ in range(WINDOW):
            quotient, residue = f_divmod(power, self._root)
            residues.append(residue)
            slopes.append(quotient * inverse % self._root)
            power = power * step % self._modulus
            inverse = inverse * step_inverse % self._root
        return residues, slopes, power, inverse

    def powers(self, exponents: Sequence[mpz]) -> list[mpz]:
        """Return base^exponent modulo root^2 for each exponent.

        Row by row for the whole batch, so that a row is read from memory once; batches of about
        a thousand are fastest.

        Raises ``OverflowError`` for an exponent outside [0, 256^exponent_bytes).
        """
        if not exponents:
            return []
        modulus, root = self._modulus, self._root
        digits = [exponent.to_bytes(self._exponent_bytes, "little") for exponent in exponents]
        products, sums = [mpz(1)] * len(digits), [mpz(0)] * len(digits)
        for (residues, slopes), column in zip(self._rows, zip(*digits, strict=True), strict=True):
            products = [p * residues[d] % modulus for p, d in zip(products, column, strict=True)]
            sums = [s + slopes[d] for s, d in zip(sums, column, strict=True)]
        return [p * (1 + root * (s % root)) % modulus for p, s in zip(products, sums, strict=True)]
