"""Opening a sum, at the parties alone. Round Unmasking.

Bonawitz et al. 2017, Figure 4, round 4; there the server gets the shares and the sum, here both
reach the parties only: shares are sealed under the epoch's group key (SPEC.md §3.5-6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from protocols.errors import DecodeError, LocalProtocolError
from protocols.secure_aggregation.consistency import check_members, check_signatures
from protocols.secure_aggregation.contribution import CHECK_WORDS, chunks_digest, pair_masks
from protocols.secure_aggregation.epoch import (
    BoundLists,
    EpochKeys,
    EpochShares,
    EpochTerms,
    Roster,
    list_digest,
    seed_commitment,
    self_mask,
)
from protocols.secure_aggregation.masks import centred, remove_masks
from protocols.secure_aggregation.messages import (
    VERSION,
    ContributorList,
    ListSignature,
    OpeningNote,
    RevealedShares,
    Revelation,
    SignedList,
)
from protocols.secure_aggregation.recovery import Recovery
from protocols.secure_aggregation.refusals import WrongList, WrongTotal
from protocols.secure_aggregation.sealing import framed, seal, unseal
from protocols.suite import OpenError, Suite
from protocols.wire import decode, encode

if TYPE_CHECKING:
    from protocols.sum_ciphers import SumCipher

Words = npt.NDArray[np.int64]
_LABEL = VERSION.encode("ascii")


@dataclass(frozen=True)
class Opening:
    """What opens one sum: the signed list, the sealed shares, the added ciphertexts."""

    contributors: ContributorList
    signatures: tuple[ListSignature, ...]
    revelations: tuple[Revelation, ...]
    """None without masks."""
    chunks: tuple[bytes, ...] = field(repr=False)

    def note(self) -> bytes:
        """Return everything but the ciphertexts, encoded."""
        return encode(
            OpeningNote(SignedList(encode(self.contributors), self.signatures), self.revelations)
        )

    @classmethod
    def read(cls, note: bytes, chunks: Sequence[bytes]) -> Opening:
        """Return the opening of an encoded note and its ciphertexts; raises ``DecodeError``."""
        found = decode(note, OpeningNote)
        contributors = decode(found.signed.body, ContributorList)
        return cls(contributors, found.signed.signatures, found.revelations, tuple(chunks))


@dataclass(frozen=True)
class OpenedSum:
    """The exact sum of the contributions."""

    number: int
    contributors: tuple[str, ...]
    words: Words = field(repr=False)
    """Signed, shape (length,)."""
    wrong_shares: tuple[tuple[str, str], ...] = ()
    """Shares that were left out because they were wrong: (whose secret, who revealed it)."""


def reveal(  # noqa: PLR0917 - the four parts of an epoch, then the signed list
    terms: EpochTerms,
    roster: Roster,
    keys: EpochKeys,
    shares: EpochShares,
    contributors: ContributorList,
    signatures: Sequence[ListSignature],
    *,
    lists: BoundLists,
    party: str,
    public_keys: Mapping[str, bytes],
    suite: Suite,
    seed: bytes,
) -> Revelation:
    """Return this party's shares for the signed list, sealed for the members of the epoch.

    Of a contributor the share of its self-mask seed, of every other sharer that of its mask key's
    seed: never both for one member and sum, because the party binds itself to one list. ``lists``
    are to be kept before the shares leave; ``seed`` is 32 fresh secret bytes. Raises as
    :func:`check_members` and :func:`check_signatures` do.
    """
    check_members(terms, contributors, roster=roster, shares=shares, suite=suite)
    check_signatures(
        terms, contributors, signatures, need=terms.need, public_keys=public_keys, suite=suite
    )
    lists.check(contributors, suite)
    index = terms.index(contributors.number)
    named = set(contributors.contributors)
    revealed = tuple(
        of_seed[index] if of_seed and member in named else of_key[index] if of_key else b""
        for member, of_seed, of_key in zip(
            shares.sharers, shares.seed_shares, shares.key_shares, strict=True
        )
    )
    info = _revelation_info(roster, contributors, party, suite)
    plain = encode(RevealedShares(revealed))
    return Revelation(party, seal(suite, shares.group_key, info, plain, seed))


def open_sum(
    terms: EpochTerms,
    roster: Roster,
    shares: EpochShares,
    opening: Opening,
    *,
    cipher: SumCipher,
    length: int,
    party: str,
    public_keys: Mapping[str, bytes],
    suite: Suite,
    lists: BoundLists,
) -> OpenedSum:
    """Return the sum of ``length`` words, after every check of SPEC.md §3.6.

    A party that stands by another list for this sum refuses (:class:`SecondList`). A wrong share
    is found by its owner's commitment and left out while enough others are there; else
    :class:`WrongShare` names whose secret it is. :class:`WrongTotal`: ciphertexts other than those
    signed for, or a sum that so many contributions in range cannot have.
    """
    contributors = opening.contributors
    if party not in roster.members:
        raise LocalProtocolError("only a member of the epoch opens its sums")
    check_members(terms, contributors, roster=roster, shares=shares, suite=suite)
    lists.bind(contributors, suite)
    check_signatures(
        terms,
        contributors,
        opening.signatures,
        need=terms.need,
        public_keys=public_keys,
        suite=suite,
    )
    if chunks_digest(opening.chunks, suite) != contributors.total:
        raise WrongTotal("the added ciphertexts are not those the contributors signed for")
    count = len(contributors.contributors)
    wrong: tuple[tuple[str, str], ...] = ()
    if terms.masked:
        secrets, wrong = _reconstruct(terms, roster, shares, opening, suite)
        plus, minus = _remaining_masks(terms, roster, contributors, secrets, suite)
        masked = cipher.decrypt(opening.chunks, contributions=count, length=length + CHECK_WORDS)
        words = remove_masks(masked, cipher.modulus, plus, minus, suite)
        words = _counted(centred(words, cipher.modulus), count)
    else:
        words = cipher.decrypt(opening.chunks, contributions=count, length=length)
    largest = count * ((1 << (cipher.value_bits(len(terms.parties)) - 1)) - 1)
    if not -largest <= words.min(initial=0) <= words.max(initial=0) <= largest:
        raise WrongTotal(
            f"the sum is out of range for {count} contributions: one of them was, or the "
            "coordinator added something else"
        )
    return OpenedSum(contributors.number, contributors.contributors, words, wrong)


def _counted(words: Words, count: int) -> Words:
    """Return the sum without its check words, which count the contributions."""
    if not (words[-CHECK_WORDS:] == count).all():
        raise WrongTotal(
            f"the sum is not that of the {count} contributors: masks are left in it, so the "
            "coordinator added something else, or one of them masked wrongly"
        )
    return words[:-CHECK_WORDS]


def _reconstruct(
    terms: EpochTerms, roster: Roster, shares: EpochShares, opening: Opening, suite: Suite
) -> tuple[dict[str, bytes], tuple[tuple[str, str], ...]]:
    """Return, by sharer, a contributor's self-mask seed or else its mask key, all checked.

    And the shares found wrong, as (whose secret, who revealed it).
    """
    number = opening.contributors.number
    index = terms.index(number)
    revealed = _open_revelations(roster, shares, opening, suite)
    recovery = Recovery(terms.threshold, {name: roster.point(name) for name in revealed})
    secrets = {}
    for place, member in enumerate(shares.sharers):
        commitment = roster.commitments[roster.point(member) - 1][index]
        mask_key = roster.mask_keys[roster.point(member) - 1][index]

        def committed(seed: bytes, member: str = member, to: bytes = commitment) -> bytes | None:
            found = seed_commitment(roster.terms, member, number, seed, suite)
            return seed if found == to else None

        def advertised(seed: bytes, key: bytes = mask_key) -> bytes | None:
            private, public = suite.agreement_key(seed)
            return private if public == key else None

        held = {name: each[place] for name, each in revealed.items() if each[place]}
        accept = committed if member in opening.contributors.contributors else advertised
        secrets[member] = recovery.secret(member, held, accept)
    return secrets, tuple(recovery.wrong)


def _open_revelations(
    roster: Roster, shares: EpochShares, opening: Opening, suite: Suite
) -> dict[str, tuple[bytes, ...]]:
    """Return the shares each party revealed, one for each sharer; what does not open is left out.

    Only members of the epoch can seal a revelation, and one that is unreadable costs its shares.
    """
    names = [revelation.party for revelation in opening.revelations]
    if names != sorted(set(names)) or not set(names) <= set(roster.members):
        raise WrongList("shares of strangers, repeated, or not in ascending order of parties")
    revealed = {}
    for revelation in opening.revelations:
        info = _revelation_info(roster, opening.contributors, revelation.party, suite)
        try:
            plain = unseal(suite, shares.group_key, info, revelation.sealed)
            found = decode(plain, RevealedShares)
        except (OpenError, DecodeError):
            continue
        if len(found.shares) == len(shares.sharers):
            revealed[revelation.party] = found.shares
    return revealed


def _remaining_masks(
    terms: EpochTerms,
    roster: Roster,
    contributors: ContributorList,
    secrets: Mapping[str, bytes],
    suite: Suite,
) -> tuple[list[bytes], list[bytes]]:
    """Return what is expanded to the masks left in the sum: those added, those subtracted.

    Every contributor's own, and its mask with each sharer whose contribution is not in the sum.
    """
    number = contributors.number
    index = terms.index(number)
    plus: list[bytes] = []
    minus: list[bytes] = []
    for member, secret in secrets.items():
        if member in contributors.contributors:
            plus.append(self_mask(roster.terms, member, number, secret, suite))
            continue
        masks = pair_masks(
            roster,
            member,
            contributors.contributors,
            private=secret,
            number=number,
            index=index,
            suite=suite,
        )
        for contributor, seed in masks.items():
            (plus if contributor < member else minus).append(seed)
    return plus, minus


def _revelation_info(
    roster: Roster, contributors: ContributorList, party: str, suite: Suite
) -> bytes:
    digest = list_digest(contributors, suite)
    return framed(_LABEL, b"revelation", roster.digest, digest, party.encode())
