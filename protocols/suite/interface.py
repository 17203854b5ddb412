"""What a suite offers. Callers hold a :class:`Suite` and never name a primitive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Octets: TypeAlias = npt.NDArray[np.uint8]
Words: TypeAlias = npt.NDArray[np.uint64]
Indices: TypeAlias = npt.NDArray[np.int64]
Items: TypeAlias = npt.NDArray[np.uint8]
"""Items of one length, one to a row: shape (n, bytes), contiguous."""
SignedMessage: TypeAlias = tuple[bytes, bytes, bytes]
"""A public key, a message and a signature."""


class OpenError(Exception):
    """Sealed data that was not made with this key, nonce and associated data."""


class InvalidSignature(Exception):
    """A signature that does not verify, or is not in its one canonical encoding.

    Also a public key that is none: whoever verifies cannot tell the two apart.
    """


class InvalidElement(ValueError):
    """Bytes that are not an element of the group; ``index`` says which of the batch.

    A single element, such as a peer's key in :meth:`Suite.agree`, has index 0.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"element {index} is not a valid group element")
        self.index = index


class RandomStream(Protocol):
    """Deterministic randomness from a secret seed (a stream cipher's key stream)."""

    def bytes(self, length: int) -> bytes:
        """Return the next ``length`` bytes of the stream."""

    def below(self, bound: int) -> int:
        """Return the next uniform integer in [0, bound), by rejection."""

    def words(self, count: int) -> Words:
        """Return the next ``8 * count`` bytes of the stream as little-endian 64-bit words."""

    def permutation(self, length: int) -> Indices:
        """Return the next uniform permutation of ``range(length)`` (Fisher-Yates).

        What the stream's bytes become is fixed, so that two implementations agree: see
        :class:`protocols.suite.keystream.Keystream`.
        """


class BlockHash(Protocol):
    """One fixed key's x -> E(x) xor x, block by block (Matyas, Meyer and Oseas 1985).

    Correlation robust in the ideal-cipher model (Guo, Katz, Wang and Yu, IEEE S&P 2020, §3). The
    key is public or shared by both parties; a key serves one purpose.
    """

    def hash_blocks(self, blocks: Words, out: Words) -> None:
        """Write the hash of each 16-byte block of ``blocks`` to ``out``; they may be one array.

        Both are contiguous and of one shape, two 64-bit little-endian words a block.
        """


class Group(Protocol):
    """A prime-order group for Diffie-Hellman PSI, in batches.

    Elements travel as ``element_bytes`` each, concatenated; the two multiplications are where
    faster kernels plug in.
    """

    element_bytes: int

    def random_scalar(self, stream: RandomStream) -> int:
        """Return a secret scalar, uniform over those the group's multiplications take."""

    def check(self, elements: bytes) -> None:
        """Return if every one of the concatenated elements is in the group.

        Raises :class:`InvalidElement` with the index of the first that is not, and
        ``ValueError`` if the length is not a multiple of ``element_bytes``.
        """

    def hash_and_multiply(self, scalar: int, items: Items, dst: bytes) -> bytes:
        """Return ``scalar * hash_to_curve(item)`` for each item (row), concatenated.

        The domain separation tag is ``dst`` followed by ``-with-`` and the group's own
        hash-to-curve suite id (RFC 9380 §3.1).
        """

    def multiply(self, scalar: int, elements: bytes) -> bytes:
        """Return ``scalar * element`` for each of the concatenated elements.

        Raises as :meth:`check` does, before any multiplication.
        """

    def divide(self, scalar: int, elements: bytes) -> bytes:
        """Return what :meth:`multiply` made the elements of, for elements it returned.

        Multiplies by the inverse of ``scalar`` modulo the group's prime order, whatever form the
        inverse has. Raises as :meth:`check` does.
        """


class PointGroup(Protocol):
    """A prime-order group whose elements are added: full points, not x-coordinates alone.

    For base oblivious transfers and additively homomorphic values. Points travel compressed
    (SEC 1 §2.3.3, GB/T 32918.1 §4.2.9), ``point_bytes`` each, concatenated; infinity has no
    encoding and no operation here may end in it: a ``ValueError`` says so.
    """

    name: str
    order: int
    point_bytes: int
    generator: bytes

    def random_scalars(self, stream: RandomStream, count: int) -> list[int]:
        """Return ``count`` uniform secret scalars in [1, order - 1]."""

    def check(self, points: bytes) -> None:
        """Return if each is a point of the group; raises :class:`InvalidElement`."""

    def multiply_base(self, scalars: Sequence[int]) -> bytes:
        """Return scalar_i G for each scalar in [1, order - 1]."""

    def multiply_each(self, scalars: Sequence[int], points: bytes) -> bytes:
        """Return scalar_i P_i for each pair. Raises as :meth:`check` does."""

    def multiply(self, scalar: int, points: bytes) -> bytes:
        """Return scalar P_i for each point. Raises as :meth:`check` does."""

    def add(self, points: bytes, others: bytes) -> bytes:
        """Return P_i + Q_i for each pair. Raises as :meth:`check` does, and for opposites."""

    def negate(self, points: bytes) -> bytes:
        """Return -P_i for each point. Raises as :meth:`check` does."""

    def sum(self, points: bytes) -> bytes:
        """Return the sum of all points, at least one. Raises as :meth:`check` does."""


class Suite(Protocol):
    """One family of primitives. Keys, nonces and seeds are arguments; nothing is drawn here."""

    name: str
    digest_bytes: int
    key_bytes: int
    nonce_bytes: int
    group: Group
    points: PointGroup
    kernels: str
    """Which twin computes in bulk on this machine: ``avx512`` or ``portable``."""
    primitives: dict[str, str]
    """What the suite uses for what, in words for a report."""

    def hash(self, *parts: bytes) -> bytes:
        """Return the hash of the parts' concatenation; callers frame ambiguous parts."""

    def hash_many(self, prefix: bytes, data: Octets, offsets: Indices, *, framed: bool) -> Octets:
        """Return the hash of ``prefix`` and each value, shape (n, 32).

        Value i is ``data[offsets[i]:offsets[i + 1]]``, as Arrow lays out a column of text;
        ``framed`` puts its length between, four bytes big endian, as :meth:`hash` of
        ``prefix + len(value).to_bytes(4, "big") + value``.
        """

    def block_hash(self, key: bytes) -> BlockHash:
        """Return the fixed-key hash of a 16-byte key: SM4, or AES-128 in ``intl``."""

    def mac(self, key: bytes, *parts: bytes) -> bytes:
        """Return HMAC over the parts' concatenation."""

    def derive(self, key: bytes, info: bytes, length: int) -> bytes:
        """Return ``length`` bytes of HKDF (RFC 5869) over the suite's hash, empty salt."""

    def stream(self, seed: bytes, info: bytes) -> RandomStream:
        """Return the random stream of ``seed`` for one purpose ``info``."""

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Return ciphertext and tag of the suite's AEAD; a nonce serves once per key."""

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Return the plaintext; raises :class:`OpenError`."""

    def encrypt_blocks(self, key: bytes, blocks: bytes) -> bytes:
        """Return each 16-byte block under the block cipher by itself, a pseudorandom permutation.

        For tokens made of values that are already pseudorandom; it is no encryption of messages.
        """

    def generate_signing_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key) bytes, deterministic in a 32-byte secret seed."""

    def public_key(self, private_key: bytes) -> bytes:
        """Return the public key bytes that belong to ``private_key``."""

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        """Return a signature. ``entropy`` (32 fresh secret bytes) hedges the nonce, if any."""

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Return if the signature verifies; raises :class:`InvalidSignature` otherwise."""

    def verify_each(self, items: Sequence[SignedMessage]) -> list[int]:
        """Return the indices, ascending, of the items that :meth:`verify` refuses; none is good.

        An item is (public key, message, signature). Whether one is refused does not depend on the
        others.
        """

    def agreement_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return an ephemeral (private key, public key), deterministic in a 32-byte secret seed."""

    def agree(self, private_key: bytes, peer_public_key: bytes) -> bytes:
        """Return the 32-byte raw Diffie-Hellman secret; only :meth:`derive` may take it.

        Unauthenticated: the caller's protocol signs the public keys. Raises
        :class:`InvalidElement` for a peer key that is invalid or gives a secret known to all.
        """

    def agree_each(self, private_key: bytes, peer_public_keys: Sequence[bytes]) -> list[bytes]:
        """Return what :meth:`agree` does for each of the peers' keys.

        Raises :class:`InvalidElement` with the index of the first that :meth:`agree` refuses.
        """

    def fingerprint(self, public_key: bytes) -> str:
        """Return the key's fingerprint as people compare it: hex of the hash in groups."""
