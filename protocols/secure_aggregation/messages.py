"""The messages of secure aggregation (SPEC.md §3), and what is signed.

A signed message travels as ``body`` and ``signature``, and the signature is over a prefix of its
kind and the body's bytes as they came: nothing is encoded a second time before it is verified.
Digests and keys have their exact lengths checked where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from protocols.wire import Message

VERSION = "fedcrm-secure-aggregation/1"

KEYS_PREFIX = b"fedcrm/aggregation-keys/v1\x00"
CONTRIBUTION_PREFIX = b"fedcrm/aggregation-contribution/v1\x00"
CONTRIBUTORS_PREFIX = b"fedcrm/aggregation-contributors/v1\x00"
"""Stand before what is signed: one key signs other things elsewhere."""

MAX_PARTIES = 100
MAX_SUMS = 64
"""Sums in an epoch."""
MAX_NAME_BYTES = 100
DIGEST_BYTES = 32

_KEY_BYTES = 72  # a public key or a digest with what frames it
_SIGNED_BYTES = 256  # a signature, a type's name and what frames them
_SEALED_BYTES = 2 * 35 * MAX_SUMS + 256  # shares of two secrets per sum, and what is around them


class KeyAdvertisement(Message, frozen=True):
    """A party's public keys for one epoch, in the order of the epoch's sums."""

    max_bytes: ClassVar[int] = 2 * _KEY_BYTES * MAX_SUMS + 512

    terms: bytes
    """Digest of the epoch's terms."""
    party: str
    sealing_key: bytes
    """Of the agreement under whose keys shares are sealed; c in the paper."""
    mask_keys: tuple[bytes, ...]
    """Of the agreements that give pairwise masks; s in the paper, here one for each sum."""
    commitments: tuple[bytes, ...]
    """Digest of each sum's self-mask seed b, so that a reconstructed one can be checked."""
    group_commitment: bytes
    """Digest of the group key it gives if it becomes the key maker: the same key to everybody."""


class SignedAdvertisement(Message, frozen=True):
    """A :class:`KeyAdvertisement` and its owner's signature."""

    max_bytes: ClassVar[int] = KeyAdvertisement.max_bytes + _SIGNED_BYTES

    body: bytes
    signature: bytes


class SignedRoster(Message, frozen=True):
    """Everybody's advertisements, by party id in ascending order: what the coordinator sends on."""

    max_bytes: ClassVar[int] = MAX_PARTIES * SignedAdvertisement.max_bytes

    advertisements: tuple[SignedAdvertisement, ...]


class ShareBundle(Message, frozen=True):
    """What one member seals for another: its shares of every sum's secrets, in order."""

    max_bytes: ClassVar[int] = _SEALED_BYTES

    seed_shares: tuple[bytes, ...]
    """Of the self-mask seeds b."""
    key_shares: tuple[bytes, ...]
    """Of the seeds of the mask keys s."""
    group_key: bytes
    """The epoch's group key, from its key maker alone; empty from everybody else."""


class SealedBundle(Message, frozen=True):
    """A sealed :class:`ShareBundle`, and whom it is for (or, once delivered, whom it is from)."""

    party: str
    sealed: bytes


class SealedBundles(Message, frozen=True):
    """All bundles of one member, or all for one: by party id in ascending order."""

    max_bytes: ClassVar[int] = MAX_PARTIES * (_SEALED_BYTES + 2 * MAX_NAME_BYTES) + 512

    roster: bytes
    bundles: tuple[SealedBundle, ...]

    def __post_init__(self) -> None:
        names = [bundle.party for bundle in self.bundles]
        if names != sorted(set(names)):
            raise ValueError("bundles must be in ascending order of party ids")

    @classmethod
    def of(cls, roster: bytes, sealed: Mapping[str, bytes]) -> SealedBundles:
        """Return the message of sealed bundles by party, of the roster with this digest."""
        return cls(roster, tuple(SealedBundle(party, sealed[party]) for party in sorted(sealed)))

    def by_party(self) -> dict[str, bytes]:
        """Return the sealed bundles by party."""
        return {bundle.party: bundle.sealed for bundle in self.bundles}


class Contribution(Message, frozen=True):
    """What a party says of its contribution to a sum."""

    max_bytes: ClassVar[int] = 1024

    terms: bytes
    number: int
    party: str
    roster: bytes
    """Digest of the roster among which its masks were agreed."""
    sharers: bytes
    """Digest of the members whose masks are in it."""
    chunks: bytes
    """Digest of its ciphertexts."""
    opened: int
    """How many sums the party had opened before."""
    model: bytes
    """Digest of what the party's work started from: its global model."""


class SignedContribution(Message, frozen=True):
    """A :class:`Contribution` and its party's signature."""

    max_bytes: ClassVar[int] = Contribution.max_bytes + _SIGNED_BYTES

    body: bytes
    signature: bytes


class ContributorList(Message, frozen=True):
    """Who is in a sum, and what the sum is: one for each sum."""

    max_bytes: ClassVar[int] = MAX_PARTIES * (MAX_NAME_BYTES + 40) + 1024

    terms: bytes
    number: int
    roster: bytes
    sharers: bytes
    opened: int
    model: bytes
    contributors: tuple[str, ...]
    """In ascending order."""
    contributions: tuple[bytes, ...]
    """Digest of each one's signed note, in the same order."""
    total: bytes
    """Digest of the added ciphertexts."""


class ListSignature(Message, frozen=True):
    """A party's signature over a :class:`ContributorList`."""

    max_bytes: ClassVar[int] = MAX_NAME_BYTES + _SIGNED_BYTES

    party: str
    signature: bytes


class SignedList(Message, frozen=True):
    """A list of contributors and the signatures it has, by party id in ascending order."""

    max_bytes: ClassVar[int] = ContributorList.max_bytes + MAX_PARTIES * ListSignature.max_bytes

    body: bytes
    """The encoded :class:`ContributorList`."""
    signatures: tuple[ListSignature, ...]


class RevealedShares(Message, frozen=True):
    """One share for each sharer in ascending order, empty where this party got none it could read.

    Of the self-mask seed of a contributor, of the mask key's seed of everybody else.
    """

    max_bytes: ClassVar[int] = 36 * MAX_PARTIES + 256

    shares: tuple[bytes, ...]


class Revelation(Message, frozen=True):
    """A party's :class:`RevealedShares`, sealed under the group key."""

    max_bytes: ClassVar[int] = RevealedShares.max_bytes + MAX_NAME_BYTES + 256

    party: str
    sealed: bytes


class OpeningNote(Message, frozen=True):
    """What opens a sum, beside the added ciphertexts: the signed list and the sealed shares."""

    max_bytes: ClassVar[int] = SignedList.max_bytes + MAX_PARTIES * Revelation.max_bytes

    signed: SignedList
    revelations: tuple[Revelation, ...]
