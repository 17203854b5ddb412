"""Agreeing on who is in a sum before anything opens it. Round ConsistencyCheck.

Bonawitz et al. 2017, Figure 4, round 3: every party signs one list of contributors, and shares are
revealed only for a list that enough have signed (SPEC.md §3.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocols.secure_aggregation.contribution import check_epoch, contribution_digest
from protocols.secure_aggregation.epoch import BoundLists, EpochShares, EpochTerms, Roster
from protocols.secure_aggregation.messages import (
    CONTRIBUTORS_PREFIX,
    DIGEST_BYTES,
    Contribution,
    ContributorList,
    ListSignature,
    SignedContribution,
)
from protocols.secure_aggregation.refusals import (
    RepeatedSum,
    StaleSum,
    TooFew,
    WrongList,
    WrongSignature,
)
from protocols.suite import Suite
from protocols.wire import decode, encode


def check_list(
    terms: EpochTerms,
    contributors: ContributorList,
    *,
    roster: Roster,
    shares: EpochShares,
    party: str,
    own: SignedContribution | None,
    suite: Suite,
    before: Sequence[ContributorList] = (),
) -> None:
    """Return if this party can stand by the list; ``own`` is its contribution, if it made one.

    ``before`` are lists this party stood by for the same work, whose sums were lost. Raises
    :class:`StaleSum`, :class:`TooFew`, :class:`WrongList` or :class:`RepeatedSum`.
    """
    check_members(terms, contributors, roster=roster, shares=shares, suite=suite)
    if own is None:
        if party in contributors.contributors:
            raise WrongList("the list names this party, which contributed nothing to the sum")
    else:
        _check_own(contributors, party, own, suite)
    for earlier in before:
        check_repeat(contributors, earlier)


def check_members(
    terms: EpochTerms,
    contributors: ContributorList,
    *,
    roster: Roster,
    shares: EpochShares,
    suite: Suite,
) -> None:
    """Return if the list is one of this epoch, of sharers alone, and of enough of them."""
    check_epoch(terms, roster, shares, suite)
    if contributors.terms != roster.terms:
        raise StaleSum("a list of contributors for other terms: another epoch, attempt or spec")
    terms.index(contributors.number)
    if contributors.roster != roster.digest or contributors.sharers != shares.sharers_digest:
        raise WrongList("the list is of another roster or other sharers than this party's")
    names = contributors.contributors
    if list(names) != sorted(set(names)) or not set(names) <= set(shares.sharers):
        raise WrongList("the list names somebody twice, out of order, or who shared no secrets")
    if len(contributors.contributions) != len(names) or not all(
        len(digest) == DIGEST_BYTES
        for digest in (*contributors.contributions, contributors.total, contributors.model)
    ):
        raise WrongList("the list has not one digest for each contributor and for the sum")
    if len(names) < terms.need:
        raise TooFew(f"{len(names)} contributions; at least {terms.need} are added")


def _check_own(
    contributors: ContributorList, party: str, own: SignedContribution, suite: Suite
) -> None:
    note = decode(own.body, Contribution)
    if note.number != contributors.number:
        raise StaleSum(
            f"a list for sum {contributors.number}; this party contributed to {note.number}"
        )
    if party not in contributors.contributors:
        raise WrongList("the list leaves out this party, which contributed to the sum")
    place = contributors.contributors.index(party)
    if contributors.contributions[place] != contribution_digest(own, suite):
        raise WrongList("the list holds another contribution of this party than it made")
    if (contributors.opened, contributors.model) != (note.opened, note.model):
        raise WrongList("the list is of contributions that started from another model")


def check_repeat(later: ContributorList, earlier: ContributorList) -> None:
    """Refuse a list for work that was done before with other contributors.

    Sums of the same work over different lists give away single parties' part by subtraction, and
    several lists that each differ in many parties do so together. A sum that was said to be lost
    may have been opened by whoever said so, so only the same contributors may do its work again.
    """
    differing = set(later.contributors) ^ set(earlier.contributors)
    if differing:
        raise RepeatedSum(
            f"the list for sum {later.number} differs from that of sum {earlier.number}, the same "
            f"work, in {len(differing)} parties; only the same contributors may do it again"
        )


def sign_list(
    terms: EpochTerms,
    contributors: ContributorList,
    *,
    lists: BoundLists,
    party: str,
    private_key: bytes,
    suite: Suite,
    entropy: bytes,
) -> ListSignature:
    """Sign a list that this party checked (:func:`check_list`) and bound itself to.

    ``lists`` are to be kept before the signature leaves. ``entropy`` is 32 fresh secret bytes.
    """
    terms.index(contributors.number)
    lists.check(contributors, suite)
    signed = CONTRIBUTORS_PREFIX + encode(contributors)
    return ListSignature(party, suite.sign(private_key, signed, entropy))


def check_signatures(
    terms: EpochTerms,
    contributors: ContributorList,
    signatures: Sequence[ListSignature],
    *,
    need: int,
    public_keys: Mapping[str, bytes],
    suite: Suite,
) -> None:
    """Return if at least ``need`` parties of the epoch signed this list, all of them rightly.

    Raises :class:`WrongSignature` with the party, :class:`WrongList` for strangers and
    repetitions, :class:`TooFew`.
    """
    names = [signature.party for signature in signatures]
    if names != sorted(set(names)) or not set(names) <= set(terms.parties):
        raise WrongList("signatures of strangers, repeated, or not in ascending order of parties")
    if len(names) < need:
        raise TooFew(f"{len(names)} signatures of the list of contributors; {need} are needed")
    body = CONTRIBUTORS_PREFIX + encode(contributors)
    refused = suite.verify_each([(public_keys[s.party], body, s.signature) for s in signatures])
    if refused:
        raise WrongSignature(
            "the list of contributors is not signed by this party", party=names[refused[0]]
        )
