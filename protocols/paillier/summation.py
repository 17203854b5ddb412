"""Sums over chosen subsets of many ciphertexts: the histograms of a passive party."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gmpy2 import f_divmod, invert, mpz

from protocols.paillier.public_key import PublicKey


class Summands:
    """Ciphertexts prepared to be added many times over.

    Each is held as A * (1 + n t) modulo n^2 (see ``fixed_base``), so that adding one more costs
    a multiplication by |n| bits instead of 2 |n|. The preparation is worth about three
    additions.
    """

    def __init__(self, public_key: PublicKey) -> None:
        self.public_key = public_key
        self._residues: list[mpz] = []
        self._slopes: list[mpz] = []

    def __len__(self) -> int:
        return len(self._residues)

    def extend(self, ciphertexts: Iterable[mpz]) -> None:
        """Append ``ciphertexts``, which came through ``decode_ciphertexts``."""
        n = self.public_key.n
        for ciphertext in ciphertexts:
            quotient, residue = f_divmod(ciphertext, n)
            self._residues.append(residue)
            self._slopes.append(quotient * invert(residue, n) % n)

    def sums(self, segments: Iterable[Sequence[int]]) -> list[mpz]:
        """Return, for each segment of positions, a ciphertext of the sum of what stands there.

        An empty segment gives 1, a ciphertext of zero with no randomness: results are to be
        re-randomised before they leave the party.
        """
        n, n_squared = self.public_key.n, self.public_key.n_squared
        residues, slopes = self._residues, self._slopes
        results = []
        for segment in segments:
            product, slope = mpz(1), mpz(0)
            for position in segment:
                product = product * residues[position] % n_squared
                slope += slopes[position]
            results.append(product * (1 + n * (slope % n)) % n_squared)
        return results
