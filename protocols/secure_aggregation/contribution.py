"""A party's contribution to a sum: its masks and its signed note. Round MaskedInputCollection.

Bonawitz et al. 2017, Figure 4, round 2, with the mask keys of this one sum (SPEC.md §3.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocols.errors import LocalProtocolError
from protocols.secure_aggregation.epoch import (
    EpochKeys,
    EpochShares,
    EpochTerms,
    Roster,
    pair_mask,
    self_mask,
)
from protocols.secure_aggregation.masks import add_masks
from protocols.secure_aggregation.messages import (
    CONTRIBUTION_PREFIX,
    VERSION,
    Contribution,
    SignedContribution,
)
from protocols.secure_aggregation.refusals import StaleSum, WrongRoster
from protocols.secure_aggregation.sealing import framed
from protocols.suite import InvalidElement, Suite
from protocols.wire import encode

Words = npt.NDArray[np.int64]
CHECK_WORDS = 4
"""Words of 1 behind a masked contribution: 2^128 wrong sums for one that passes."""
_LABEL = VERSION.encode("ascii")


def mask(  # noqa: PLR0917 - the four parts of an epoch, then what is masked
    terms: EpochTerms,
    roster: Roster,
    keys: EpochKeys,
    shares: EpochShares,
    number: int,
    words: Words,
    *,
    party: str,
    modulus: int,
    suite: Suite,
) -> Words:
    """Return ``words`` modulo ``modulus`` under this party's masks of sum ``number``.

    Behind them stand :data:`CHECK_WORDS` words more, each 1 under its mask: in the opened sum they
    count the contributions, and show masks that do not cancel.

    **Once for each sum**: two vectors under the same masks give away their difference, so the
    caller keeps the contribution before it sends it and sends that one again. Raises
    :class:`StaleSum` for a sum of another epoch, :class:`WrongRoster` with the member whose mask
    key is no key.
    """
    check_epoch(terms, roster, shares, suite)
    if not terms.masked or keys.terms != roster.terms:
        raise LocalProtocolError("keys of another epoch, or a method that has no masks")
    index = terms.index(number)
    if party not in shares.sharers:
        raise StaleSum(
            "this party's shares did not reach the others: it contributes again in the next epoch"
        )
    seeds = pair_masks(
        roster,
        party,
        [member for member in shares.sharers if member != party],
        private=keys.mask_privates[index],
        number=number,
        index=index,
        suite=suite,
    )
    own = self_mask(roster.terms, party, number, keys.self_mask_seed(number, suite), suite)
    plus = [own, *(seed for member, seed in seeds.items() if party < member)]
    minus = [seed for member, seed in seeds.items() if party > member]
    counted = np.concatenate([words, np.ones(CHECK_WORDS, np.int64)])
    return add_masks(counted, modulus, plus, minus, suite)


def pair_masks(
    roster: Roster,
    party: str,
    others: Sequence[str],
    *,
    private: bytes,
    number: int,
    index: int,
    suite: Suite,
) -> dict[str, bytes]:
    """Return what is expanded to the mask of ``party`` with each of ``others``.

    ``private`` is the mask key of ``party`` for this sum.
    """
    publics = [roster.mask_keys[roster.members.index(member)][index] for member in others]
    try:
        secrets = suite.agree_each(private, publics)
    except InvalidElement as error:
        raise WrongRoster(
            "the mask key is not a valid public key", party=others[error.index]
        ) from None
    return {
        member: pair_mask(roster.terms, (party, member), number, secret, suite)
        for member, secret in zip(others, secrets, strict=True)
    }


def chunks_digest(chunks: Sequence[bytes], suite: Suite) -> bytes:
    """Return the digest of ciphertexts: of each one's digest, in order."""
    return suite.hash(framed(_LABEL, b"chunks", *(suite.hash(chunk) for chunk in chunks)))


def sign_contribution(
    terms: EpochTerms, note: Contribution, *, private_key: bytes, suite: Suite, entropy: bytes
) -> SignedContribution:
    """Sign what goes with a contribution. ``entropy`` is 32 fresh secret bytes."""
    if note.terms != terms.digest(suite):
        raise LocalProtocolError("the note is for other terms than these")
    terms.index(note.number)
    body = encode(note)
    signature = suite.sign(private_key, CONTRIBUTION_PREFIX + body, entropy)
    return SignedContribution(body, signature)


def contribution_digest(signed: SignedContribution, suite: Suite) -> bytes:
    """Return the digest of a note, by which a list of contributors names it."""
    return suite.hash(framed(_LABEL, b"contribution", signed.body))


def check_epoch(terms: EpochTerms, roster: Roster, shares: EpochShares, suite: Suite) -> None:
    """Refuse a caller's roster or shares of another epoch than ``terms``."""
    if not (roster.terms == shares.terms == terms.digest(suite) and roster.digest == shares.roster):
        raise LocalProtocolError("roster or shares are of another epoch than these terms")
