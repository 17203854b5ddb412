"""What every sum cipher offers: to the parties, who hold its key, and to whoever adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.stored import Stored

Method: TypeAlias = Literal["masked_he", "ckks", "paillier", "masks"]
METHODS: frozenset[str] = frozenset(get_args(Method))
Words: TypeAlias = npt.NDArray[np.int64]
"""Words of a contribution or a sum, shape (length,)."""

MAX_CONTRIBUTIONS = 256
"""Contributions in one sum; noise and headroom of every method are chosen for them (SPEC.md §4)."""
MAX_WORDS = 1 << 26
"""Words of one contribution."""


class SumKey(Stored, frozen=True, tag="sum-key/1"):
    """The key of one job: every party has all of it, the coordinator ``public`` alone."""

    method: Method
    secret: bytes
    """Encrypts and decrypts."""
    public: bytes
    """Adds ciphertexts, and can neither open nor, but for ``paillier``, make one."""

    def __repr__(self) -> str:
        """Return everything but the secret."""
        return f"SumKey(method={self.method!r}, {len(self.public)} public bytes)"

    def _is_consistent(self) -> bool:
        return bool(self.secret and self.public)


class SumCipher(Protocol):
    """A party's side: turns words into a contribution, and an added contribution into sums."""

    method: Method
    modulus: int
    """Sums are modulo this: 2^32 of ``masks``, t of ``masked_he``; 0 where they are exact."""

    @property
    def chunk_words(self) -> int:
        """Words in each chunk of a contribution but the last."""

    @property
    def public(self) -> bytes:
        """For the :class:`CipherAdder` that adds this cipher's contributions."""

    def value_bits(self, parties: int) -> int:
        """Return how many bits, sign included, a word may have so that no sum overflows.

        A word v of b bits is in [-2^(b - 1), 2^(b - 1)); ``parties`` contributions are added.
        """

    def encrypt(self, words: Words, *, seed: bytes) -> list[bytes]:
        """Return a contribution of ``words``, at least one, in chunks.

        Words are in [0, modulus) for ``masks`` and ``masked_he``, signed for the others. ``seed``
        is 32 secret bytes for this one contribution; ``masked_he`` and ``ckks`` draw from TenSEAL
        instead, so that their chunks differ from call to call: keep what was sent. Raises
        :class:`LocalProtocolError` for words outside what the method takes.
        """

    def decrypt(self, chunks: Sequence[bytes], *, contributions: int, length: int) -> Words:
        """Return the sums in the total of ``contributions`` contributions of ``length`` words.

        In [0, modulus) where there is one, else signed and exact. Raises
        :class:`RemoteProtocolError` for chunks that are not such a total, as far as that shows.
        """


class CipherAdder(Protocol):
    """The coordinator's side: adds contributions it cannot open."""

    method: Method

    def check(self, chunks: Sequence[bytes], *, length: int) -> None:
        """Return if the chunks are a well-formed contribution of exactly ``length`` words.

        Raises :class:`RemoteProtocolError`, and nothing else, for anything else a peer can send.
        """

    def start(self) -> None:
        """Begin a new sum; what was added before is dropped."""

    def add(self, chunks: Sequence[bytes]) -> None:
        """Add a contribution that :meth:`check` let pass; all of one sum have one length.

        Raises :class:`LocalProtocolError` for a contribution of another length, and for more than
        :data:`MAX_CONTRIBUTIONS`.
        """

    def total(self) -> list[bytes]:
        """Return the chunks of the sum of what was added, at least one contribution."""


def check_words(words: Words, low: int, high: int) -> None:
    """Refuse what a cipher cannot take: words outside [low, high), or none, or too many."""
    if words.dtype != np.int64 or words.ndim != 1:
        raise LocalProtocolError("words must be an int64 array of shape (length,)")
    if not 1 <= len(words) <= MAX_WORDS:
        raise LocalProtocolError(f"a contribution has 1 to {MAX_WORDS} words, not {len(words)}")
    if int(words.min()) < low or int(words.max()) >= high:
        raise LocalProtocolError(f"words must be in [{low}, {high})")


def check_sizes(
    chunks: Sequence[bytes], *, length: int, unit_words: int, unit_bytes: int, chunk_words: int
) -> None:
    """Refuse chunks unless they have the sizes of a contribution of ``length`` words.

    A unit of ``unit_bytes`` holds ``unit_words`` words; each chunk but the last is full.
    """
    if not 1 <= length <= MAX_WORDS:
        raise LocalProtocolError(f"a contribution has 1 to {MAX_WORDS} words, not {length}")
    full = chunk_words // unit_words
    units = -(-length // unit_words)
    sizes = [min(full, units - start) * unit_bytes for start in range(0, units, full)]
    if not isinstance(chunks, list | tuple) or len(chunks) != len(sizes):
        raise RemoteProtocolError(f"a contribution of {length} words has {len(sizes)} chunks")
    for number, (chunk, size) in enumerate(zip(chunks, sizes, strict=True)):
        if not isinstance(chunk, bytes) or len(chunk) != size:
            raise RemoteProtocolError(f"chunk {number} of a contribution is not {size} bytes")


def check_contributions(contributions: int) -> None:
    """Refuse a number of contributions no sum has."""
    if not 1 <= contributions <= MAX_CONTRIBUTIONS:
        raise LocalProtocolError(
            f"a sum has 1 to {MAX_CONTRIBUTIONS} contributions, not {contributions}"
        )


def headroom_bits(parties: int) -> int:
    """Return the bits by which a sum of ``parties`` words can be longer than one."""
    check_contributions(parties)
    return (parties - 1).bit_length()
