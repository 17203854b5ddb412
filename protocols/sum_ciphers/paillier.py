"""Method ``paillier``: many words in one Paillier ciphertext, opened by ``phe`` as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from protocols.paillier import Ciphertexts, PrivateKey, PublicKey, generate_private_key
from protocols.suite import Suite
from protocols.sum_ciphers.interface import (
    MAX_CONTRIBUTIONS,
    Method,
    SumKey,
    Words,
    check_contributions,
    check_sizes,
    check_words,
    headroom_bits,
)

SLOT_BITS = 32
CHUNK_CIPHERTEXTS = 8192
"""4 MiB of ciphertexts at 2048 bits, 6 MiB at 3072."""

KEY_INFO = b"fedcrm/sum-cipher/1 paillier key"
RANDOMNESS_INFO = b"fedcrm/sum-cipher/1 paillier randomness"


class Slots:
    """Where words stand in a plaintext: w_0 + w_1 2^32 + w_2 2^64 + ..., words signed.

    The sum of plaintexts holds the sums of the words, as long as each is in [-2^31, 2^31): then
    adding 2^31 to every slot leaves nothing negative and no slot borrows from the next.
    """

    def __init__(self, modulus_bits: int) -> None:
        self.count = (modulus_bits - 1) // SLOT_BITS  # 2^(bits - 1) < n
        self._offset = int.from_bytes(b"\x00\x00\x00\x80" * self.count, "little")

    def pack(self, words: Words) -> list[int]:
        """Return the plaintexts of words in [-2^31, 2^31); the last is filled with zeros."""
        missing = -len(words) % self.count
        raised = (np.pad(words, (0, missing)) + (1 << 31)).astype("<u4").tobytes()
        size = self.count * 4
        return [
            int.from_bytes(raised[start : start + size], "little") - self._offset
            for start in range(0, len(raised), size)
        ]

    def unpack(self, plaintexts: Sequence[int], n: int) -> Words:
        """Return the words of plaintexts in [0, n); raises :class:`RemoteProtocolError`."""
        try:
            data = b"".join(
                ((plaintext + self._offset) % n).to_bytes(self.count * 4, "little")
                for plaintext in plaintexts
            )
        except OverflowError:
            raise RemoteProtocolError("opened sums are longer than their slots") from None
        return np.frombuffer(data, "<u4").astype(np.int64) - (1 << 31)


class PaillierCipher:
    """Encrypts and opens with the job's private key."""

    method: Method = "paillier"
    modulus = 0

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self._slots = Slots(key.public_key.bits)

    @property
    def public(self) -> bytes:
        """The modulus n."""
        return self._key.public_key.to_bytes()

    @property
    def chunk_words(self) -> int:
        """Words in each chunk but the last: 516,096 at 2048 bits, 778,240 at 3072."""
        return self._slots.count * CHUNK_CIPHERTEXTS

    def value_bits(self, parties: int) -> int:
        """Return 32 less the bits by which sums grow."""
        return SLOT_BITS - headroom_bits(parties)

    def encrypt(self, words: Words, *, seed: bytes) -> list[bytes]:
        """Return ciphertexts of the words; deterministic in the secret ``seed``."""
        check_words(words, -(1 << 31), 1 << 31)
        public_key = self._key.public_key
        stream = public_key.suite.stream(seed, RANDOMNESS_INFO)
        plaintexts = self._slots.pack(words)
        return [
            public_key.encode(
                self._key.encrypt(plaintexts[start : start + CHUNK_CIPHERTEXTS], stream)
            )
            for start in range(0, len(plaintexts), CHUNK_CIPHERTEXTS)
        ]

    def decrypt(self, chunks: Sequence[bytes], *, contributions: int, length: int) -> Words:
        """Return the signed sums, exact.

        Raises :class:`RemoteProtocolError` for a total whose words do not fit their slots.
        """
        check_contributions(contributions)
        public_key = self._key.public_key
        _check_sizes(chunks, length, public_key)
        plaintexts = [
            plaintext
            for chunk in chunks
            for plaintext in self._key.decrypt(public_key.decode(chunk))
        ]
        return self._slots.unpack(plaintexts, int(public_key.n))[:length]


class PaillierAdder:
    """Adds by multiplying ciphertexts modulo n^2."""

    method: Method = "paillier"

    def __init__(self, public: bytes, suite: Suite) -> None:
        self._public_key = PublicKey.from_bytes(public, suite)
        self._checked: list[tuple[bytes, Ciphertexts]] = []
        self.start()

    def check(self, chunks: Sequence[bytes], *, length: int) -> None:
        """Refuse what is not ciphertexts of ``length`` words: in (0, n^2), coprime with n."""
        _check_sizes(chunks, length, self._public_key)
        terms = []
        for number, chunk in enumerate(chunks):
            try:
                terms.append(self._public_key.decode(chunk))
            except DecodeError as error:
                raise DecodeError(f"chunk {number}: {error.reason}") from None
        self._checked = list(zip(chunks, terms, strict=True))

    def start(self) -> None:
        """Begin a new sum."""
        self._sums: list[Ciphertexts] = []
        self._added = 0

    def add(self, chunks: Sequence[bytes]) -> None:
        """Add a contribution that was checked."""
        if self._added == MAX_CONTRIBUTIONS:
            raise LocalProtocolError(f"a sum has at most {MAX_CONTRIBUTIONS} contributions")
        terms = self._decoded(chunks)
        if not self._added:
            self._sums = terms
        elif [len(term) for term in terms] != [len(total) for total in self._sums]:
            raise LocalProtocolError("contributions to one sum must have one length")
        else:
            self._sums = list(map(self._public_key.add, self._sums, terms))
        self._added += 1

    def total(self) -> list[bytes]:
        """Return the sum's chunks."""
        if not self._added:
            raise LocalProtocolError("nothing was added yet")
        return [self._public_key.encode(total) for total in self._sums]

    def _decoded(self, chunks: Sequence[bytes]) -> list[Ciphertexts]:
        """Return the chunks' ciphertexts, those that :meth:`check` just decoded if they are."""
        checked, self._checked = self._checked, []
        if len(checked) == len(chunks) and all(
            chunk is known for chunk, (known, _) in zip(chunks, checked, strict=True)
        ):
            return [terms for _, terms in checked]
        return [self._public_key.decode(chunk) for chunk in chunks]


def generate(bits: int, *, suite: Suite, seed: bytes) -> SumKey:
    """Return the key of ``bits``, 2048 or 3072, that ``seed`` gives."""
    key = generate_private_key(bits, suite.stream(seed, KEY_INFO), suite)
    return SumKey("paillier", key.to_bytes(), key.public_key.to_bytes())


def _check_sizes(chunks: Sequence[bytes], length: int, public_key: PublicKey) -> None:
    slots = Slots(public_key.bits).count
    check_sizes(
        chunks,
        length=length,
        unit_words=slots,
        unit_bytes=public_key.ciphertext_bytes,
        chunk_words=slots * CHUNK_CIPHERTEXTS,
    )
