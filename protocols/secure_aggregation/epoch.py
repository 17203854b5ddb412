"""What one key epoch is made of: its terms, a party's keys, the roster, the shares it got.

An epoch is one sharing of secrets that lasts for ``sums`` sums. Everything here but the terms and
the roster is secret, and a party destroys it when the sums are opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.errors import LocalProtocolError
from protocols.secure_aggregation.messages import (
    DIGEST_BYTES,
    MAX_NAME_BYTES,
    MAX_PARTIES,
    MAX_SUMS,
    VERSION,
    ContributorList,
)
from protocols.secure_aggregation.refusals import SecondList, StaleSum
from protocols.secure_aggregation.sealing import framed
from protocols.secure_aggregation.shamir import SHARE_BYTES
from protocols.stored import Stored
from protocols.suite import Suite, canonical
from protocols.wire import encode

SECRET_BYTES = 32
_LABEL = VERSION.encode("ascii")


@dataclass(frozen=True)
class EpochTerms:
    """What all parties of an epoch agree on beforehand, from the signed spec.

    ``binding`` names the job and the attempt (1 to 1,024 bytes). Sums ``first`` to
    ``first + sums - 1`` belong to the epoch. ``masked`` says that contributions are covered by
    masks (``masked_he``, ``masks``); without, shares and ``threshold`` are not used.
    """

    binding: bytes
    parties: tuple[str, ...]
    threshold: int
    floor: int
    epoch: int
    first: int
    sums: int
    masked: bool

    def __post_init__(self) -> None:
        """Refuse terms below the protocol's floors (SPEC.md §4)."""
        if not 1 <= len(self.binding) <= 1024:
            raise LocalProtocolError("an epoch's binding must be 1 to 1,024 bytes")
        if not 2 <= len(self.parties) <= MAX_PARTIES:
            raise LocalProtocolError(f"an epoch has 2 to {MAX_PARTIES} parties")
        if list(self.parties) != sorted(set(self.parties)) or not all(
            name.isascii() and 1 <= len(name) <= MAX_NAME_BYTES for name in self.parties
        ):
            raise LocalProtocolError("parties must be different ASCII ids in ascending order")
        if not 2 <= self.floor <= len(self.parties):
            raise LocalProtocolError("the floor must be 2 to the number of parties")
        if self.masked:
            # Two lists for one sum take 2t signatures, of which an honest party gives one
            # (SPEC.md §5): with less, one dishonest party and the coordinator could have both.
            least = (len(self.parties) + 3) // 2
            if not least <= self.threshold <= len(self.parties):
                raise LocalProtocolError(f"the threshold must be {least} to the number of parties")
        if not (self.epoch >= 0 and self.first >= 0 and 1 <= self.sums <= MAX_SUMS):
            raise LocalProtocolError(f"an epoch has 1 to {MAX_SUMS} sums, numbered from 0 on")

    @property
    def need(self) -> int:
        """How many must take part in every step, contributing and signing among them."""
        return max(self.threshold, self.floor) if self.masked else self.floor

    def index(self, number: int) -> int:
        """Return which of the epoch's sums ``number`` is; raises :class:`StaleSum`."""
        if not self.first <= number < self.first + self.sums:
            last = self.first + self.sums - 1
            raise StaleSum(f"sum {number} is none of this key epoch's, {self.first} to {last}")
        return number - self.first

    def digest(self, suite: Suite) -> bytes:
        """Return what binds every message of the epoch to these terms."""
        return suite.hash(
            canonical.encode(
                {
                    "version": VERSION,
                    "suite": suite.name,
                    "binding": self.binding.hex(),
                    "parties": list(self.parties),
                    "threshold": self.threshold if self.masked else 0,
                    "floor": self.floor,
                    "epoch": self.epoch,
                    "first": self.first,
                    "sums": self.sums,
                    "masked": self.masked,
                }
            )
        )


class EpochKeys(Stored, frozen=True, tag="secure-aggregation-keys/1"):
    """A party's own secrets of an epoch."""

    terms: bytes
    seed: bytes
    sealing_private: bytes
    mask_privates: tuple[bytes, ...]

    def __repr__(self) -> str:
        return "EpochKeys(...)"

    def _is_consistent(self) -> bool:
        secrets = (self.terms, self.seed, self.sealing_private, *self.mask_privates)
        return all(len(secret) == SECRET_BYTES for secret in secrets)

    def self_mask_seed(self, number: int, suite: Suite) -> bytes:
        """Return b, the seed of the mask that only this party has, for sum ``number``."""
        return self.derive("self mask", number, suite)

    def mask_key_seed(self, number: int, suite: Suite) -> bytes:
        """Return the seed of the agreement key s of sum ``number``, which is what is shared."""
        return self.derive("mask key", number, suite)

    def group_key(self, suite: Suite) -> bytes:
        """Return the group key this party gives the epoch if it is its key maker."""
        return self.derive("group key", 0, suite)

    def derive(self, purpose: str, number: int, suite: Suite) -> bytes:
        """Return 32 secret bytes of the epoch for one purpose and one sum."""
        info = framed(_LABEL, purpose.encode("ascii"), self.terms, number.to_bytes(8, "big"))
        return suite.derive(self.seed, info, SECRET_BYTES)


class Roster(Stored, frozen=True, tag="secure-aggregation-roster/1"):
    """The members of an epoch and their verified public keys, in ascending order of ids."""

    terms: bytes
    digest: bytes
    members: tuple[str, ...]
    sealing_keys: tuple[bytes, ...]
    mask_keys: tuple[tuple[bytes, ...], ...]
    """By member, then by sum."""
    commitments: tuple[tuple[bytes, ...], ...]
    """Of the self-mask seeds, by member, then by sum."""
    group_commitment: bytes
    """Of the group key that the key maker gives everybody."""

    def _is_consistent(self) -> bool:
        lengths = {
            len(self.members),
            len(self.sealing_keys),
            len(self.mask_keys),
            len(self.commitments),
        }
        sums = {len(each) for each in (*self.mask_keys, *self.commitments)}
        return len(lengths) == 1 and len(sums) == 1 and len(self.digest) == DIGEST_BYTES

    @property
    def key_maker(self) -> str:
        """The member that draws the group key and the homomorphic key: the first."""
        return self.members[0]

    def point(self, member: str) -> int:
        """Return where the polynomials' shares of ``member`` are: its place, from 1 on."""
        return self.members.index(member) + 1


class EpochShares(Stored, frozen=True, tag="secure-aggregation-shares/1"):
    """What a party holds of the others' secrets, and the epoch's group key."""

    terms: bytes
    roster: bytes
    sharers: tuple[str, ...]
    """Members whose bundles came, this party among them: whose masks are in contributions."""
    sharers_digest: bytes
    seed_shares: tuple[tuple[bytes, ...], ...]
    """Of self-mask seeds, by sharer, then by sum; empty for an unreadable one."""
    key_shares: tuple[tuple[bytes, ...], ...]
    """Of mask keys' seeds, likewise."""
    group_key: bytes

    def __repr__(self) -> str:
        return "EpochShares(...)"

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Sharers whose bundle for this party did not open: it has no share of theirs."""
        if not any(self.seed_shares):  # without masks nobody shares anything
            return ()
        held = zip(self.sharers, self.seed_shares, strict=True)
        return tuple(name for name, shares in held if not shares)

    def _is_consistent(self) -> bool:
        shares = [share for each in (*self.seed_shares, *self.key_shares) for share in each]
        return (
            len(self.sharers) == len(self.seed_shares) == len(self.key_shares)
            and len(self.group_key) == SECRET_BYTES
            and all(len(share) == SHARE_BYTES for share in shares)
        )


class BoundLists(Stored, frozen=True, tag="secure-aggregation-lists/1"):
    """The one list of contributors this party stands by for each sum of an attempt.

    A party that signed, or revealed shares, for two lists of one sum would help to read single
    updates (SPEC.md §5). So it binds itself and keeps that before what it made leaves.
    """

    lists: tuple[tuple[int, bytes], ...] = ()
    """Sums' numbers, ascending, and the digest of the list for each."""

    def _is_consistent(self) -> bool:
        numbers = [number for number, _ in self.lists]
        digests = [digest for _, digest in self.lists]
        return numbers == sorted(set(numbers)) and {*map(len, digests)} <= {DIGEST_BYTES}

    def bind(self, contributors: ContributorList, suite: Suite) -> BoundLists:
        """Return what the party stands by once it accepts ``contributors``; to be kept first.

        Raises :class:`SecondList` where it stands by another list for this sum.
        """
        digest, known = list_digest(contributors, suite), dict(self.lists)
        if known.setdefault(contributors.number, digest) != digest:
            raise SecondList(
                f"a second list of contributors for sum {contributors.number}: this party stands "
                "by another, and neither signs nor reveals for two"
            )
        return BoundLists(tuple(sorted(known.items())))

    def check(self, contributors: ContributorList, suite: Suite) -> None:
        """Return if the party is bound to ``contributors``; its caller must have bound it."""
        if contributors.number not in dict(self.lists):
            raise LocalProtocolError(
                "bind a list of contributors before signing or revealing for it"
            )
        self.bind(contributors, suite)


def list_digest(contributors: ContributorList, suite: Suite) -> bytes:
    """Return the digest of a list of contributors."""
    return suite.hash(framed(_LABEL, b"contributors", encode(contributors)))


def roster_digest(terms: bytes, bodies: Sequence[bytes], suite: Suite) -> bytes:
    """Return the digest of a roster: of its terms and of every advertisement, in order."""
    return suite.hash(framed(_LABEL, b"roster", terms, *bodies))


def sharers_digest(roster: bytes, sharers: Sequence[str], suite: Suite) -> bytes:
    """Return the digest of who shared its secrets in the epoch of ``roster``."""
    return suite.hash(framed(_LABEL, b"sharers", roster, *(name.encode() for name in sharers)))


def seed_commitment(terms: bytes, party: str, number: int, seed: bytes, suite: Suite) -> bytes:
    """Return the commitment to a self-mask seed: 32 secret bytes need no further blinding."""
    place = (party.encode(), number.to_bytes(8, "big"))
    return suite.hash(framed(_LABEL, b"self mask commitment", terms, *place, seed))


def group_key_commitment(terms: bytes, party: str, group_key: bytes, suite: Suite) -> bytes:
    """Return the commitment to the group key ``party`` gives if it is the epoch's key maker."""
    return suite.hash(
        framed(_LABEL, b"group key commitment", terms, party.encode("ascii"), group_key)
    )


def self_mask(terms: bytes, party: str, number: int, seed: bytes, suite: Suite) -> bytes:
    """Return what is expanded to the mask of ``party`` alone."""
    info = framed(_LABEL, b"self mask", terms, party.encode(), number.to_bytes(8, "big"))
    return suite.derive(seed, info, SECRET_BYTES)


def pair_mask(
    terms: bytes, pair: tuple[str, str], number: int, secret: bytes, suite: Suite
) -> bytes:
    """Return what is expanded to the mask of two members, of their raw agreement ``secret``."""
    first, second = sorted(pair)
    info = framed(
        _LABEL, b"pair mask", terms, first.encode(), second.encode(), number.to_bytes(8, "big")
    )
    return suite.derive(secret, info, SECRET_BYTES)
