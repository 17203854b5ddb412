"""The coordinator's part: collect, check, add, send on. It holds no secret and opens nothing.

What one party sends is checked and either taken or refused with a reason that is kept; the others
go on. SPEC.md §3; Bonawitz et al. 2017, Figure 4, the server's side, less the unmasking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.secure_aggregation.contribution import (
    CHECK_WORDS,
    chunks_digest,
    contribution_digest,
)
from protocols.secure_aggregation.epoch import EpochTerms, roster_digest, sharers_digest
from protocols.secure_aggregation.key_setup import read_advertisement
from protocols.secure_aggregation.messages import (
    CONTRIBUTION_PREFIX,
    CONTRIBUTORS_PREFIX,
    KEYS_PREFIX,
    Contribution,
    ContributorList,
    ListSignature,
    Revelation,
    SealedBundles,
    SignedAdvertisement,
    SignedContribution,
    SignedList,
    SignedRoster,
)
from protocols.secure_aggregation.refusals import (
    StaleSum,
    TooFew,
    WrongBundle,
    WrongContribution,
    WrongRoster,
    WrongSignature,
)
from protocols.secure_aggregation.unmasking import Opening
from protocols.suite import InvalidElement, Suite
from protocols.wire import decode, encode

if TYPE_CHECKING:
    from protocols.sum_ciphers import CipherAdder


@dataclass(frozen=True)
class Refusal:
    """Something a party sent that was not taken."""

    party: str
    step: str
    """``advertise``, ``share``, ``contribute``, ``consist`` or ``unmask``."""
    reason: str


@dataclass
class _Collector:
    """What both parts of the coordinator do with what a party sends."""

    terms: EpochTerms
    public_keys: Mapping[str, bytes]
    """The parties' signature keys, by id."""
    suite: Suite
    refused: list[Refusal] = field(default_factory=list)

    def _take(self, party: str, step: str, take: Callable[[], None]) -> bool:
        """Return whether ``take`` took what the party sent; keep the reason where not."""
        try:
            if party not in self.terms.parties:
                raise WrongRoster("no party of the epoch")
            take()
        except RemoteProtocolError as error:
            self.refused.append(Refusal(party, step, error.reason))
            return False
        return True

    def _verify(self, party: str, prefix: bytes, body: bytes, signature: bytes) -> None:
        if self.suite.verify_each([(self.public_keys[party], prefix + body, signature)]):
            raise WrongSignature("not signed by this party", party=party)


@dataclass(frozen=True)
class Enrolled:
    """Who is in an epoch, and the sealed bundles on their way: all that the coordinator keeps."""

    terms: EpochTerms
    roster: bytes
    """The roster's digest."""
    members: tuple[str, ...]
    sharers: tuple[str, ...]
    sharers_digest: bytes
    sealed: Mapping[str, Mapping[str, bytes]] = field(repr=False)
    """By sharer, then by whom a bundle is for."""

    def bundles_for(self, party: str) -> SealedBundles:
        """Return what the sharers sealed for ``party``; nothing in its own name, if it is one."""
        return SealedBundles.of(
            self.roster,
            {sharer: sealed.get(party, b"") for sharer, sealed in self.sealed.items()},
        )


@dataclass
class Enrolment(_Collector):
    """Key setup of one epoch: advertisements in, roster out, sealed bundles in."""

    _advertisements: dict[str, SignedAdvertisement] = field(default_factory=dict, init=False)
    _roster: bytes = field(default=b"", init=False)
    _sealed: dict[str, dict[str, bytes]] = field(default_factory=dict, init=False)

    def advertisement(self, party: str, data: bytes) -> bool:
        """Take an encoded :class:`SignedAdvertisement` of ``party``; return whether it was."""

        def take() -> None:
            if self._roster:
                raise StaleSum("the roster was sent already; the next epoch takes this party in")
            if party in self._advertisements:
                raise StaleSum("keys for this epoch were taken from this party already")
            signed = decode(data, SignedAdvertisement)
            found = read_advertisement(self.terms, signed, self.suite)
            if found.party != party:
                raise WrongSignature("an advertisement of another party", party=party)
            self._verify(party, KEYS_PREFIX, signed.body, signed.signature)
            self._check_keys((found.sealing_key, *found.mask_keys), party)
            self._advertisements[party] = signed

        return self._take(party, "advertise", take)

    def _check_keys(self, keys: Sequence[bytes], party: str) -> None:
        """Refuse what is no public key here, so that it stops one party and not all others."""
        anybody, _ = self.suite.agreement_key(bytes(32))
        try:
            self.suite.agree_each(anybody, keys)
        except InvalidElement:
            raise WrongRoster("advertised something that is no public key", party=party) from None

    def roster(self) -> SignedRoster:
        """Return what every member is sent; no advertisement is taken after this.

        Raises :class:`TooFew`.
        """
        members = sorted(self._advertisements)
        if len(members) < self.terms.need:
            raise TooFew(f"{len(members)} parties advertised keys; {self.terms.need} are needed")
        signed = tuple(self._advertisements[member] for member in members)
        bodies = [each.body for each in signed]
        self._roster = roster_digest(self.terms.digest(self.suite), bodies, self.suite)
        return SignedRoster(signed)

    def bundles(self, party: str, data: bytes) -> bool:
        """Take the encoded :class:`SealedBundles` of ``party``; return whether they were."""

        def take() -> None:
            if party not in self._advertisements:
                raise WrongRoster("no member of the roster")
            if party in self._sealed:
                raise StaleSum("bundles for this epoch were taken from this party already")
            found = decode(data, SealedBundles)
            if not self._roster or found.roster != self._roster:
                raise StaleSum("bundles for another roster")
            members = sorted(self._advertisements)
            others = [member for member in members if member != party]
            expected = others if self.terms.masked or party == members[0] else []
            if list(found.by_party()) != expected:
                raise WrongBundle("not one bundle for each other member", party=party)
            self._sealed[party] = found.by_party()

        return self._take(party, "share", take)

    def close(self) -> Enrolled:
        """Return the epoch, ready for its sums.

        Raises :class:`TooFew`, or :class:`WrongBundle` with the key maker where it is the one
        that did not share: the next epoch has another.
        """
        members = sorted(self._advertisements)
        if not self._roster:
            raise LocalProtocolError("send the roster before closing the epoch's key setup")
        if members[0] not in self._sealed:
            raise WrongBundle(
                "the key maker shared nothing: the epoch has no group key", party=members[0]
            )
        sharers = tuple(sorted(self._sealed)) if self.terms.masked else tuple(members)
        if len(sharers) < self.terms.need:
            raise TooFew(f"{len(sharers)} parties shared their secrets; need {self.terms.need}")
        digest = sharers_digest(self._roster, sharers, self.suite)
        return Enrolled(self.terms, self._roster, tuple(members), sharers, digest, self._sealed)


_Start: TypeAlias = tuple[int, bytes]  # what contributions must agree on: sums opened, model


@dataclass
class _Adding:
    """A running total of contributions that started from the same model."""

    adder: CipherAdder
    notes: dict[str, bytes] = field(default_factory=dict)
    """Digest of each contributor's note."""


@dataclass
class SumCollection(_Collector):
    """One sum: contributions in and added, the list out, signatures and sealed shares in."""

    enrolled: Enrolled = field(kw_only=True)
    number: int = field(kw_only=True)
    length: int = field(kw_only=True)
    """Words a party contributes, without the check words of masked methods."""
    new_adder: Callable[[], CipherAdder] = field(kw_only=True)
    _adding: dict[_Start, _Adding] = field(default_factory=dict, init=False)
    _list: ContributorList | None = field(default=None, init=False)
    _total: tuple[bytes, ...] = field(default=(), init=False)
    _signatures: dict[str, ListSignature] = field(default_factory=dict, init=False)
    _revelations: dict[str, Revelation] = field(default_factory=dict, init=False)

    def contribution(self, party: str, note: bytes, chunks: Sequence[bytes]) -> bool:
        """Take and add an encoded :class:`SignedContribution` with its ciphertexts."""

        def take() -> None:
            if self._list is not None:
                raise StaleSum("the list of contributors is closed")
            signed = decode(note, SignedContribution)
            found = self._checked_note(party, signed)
            if any(party in adding.notes for adding in self._adding.values()):
                raise StaleSum("a contribution to this sum was taken from this party already")
            if found.chunks != chunks_digest(chunks, self.suite):
                raise WrongContribution("the ciphertexts are not those the note is about")
            start = (found.opened, found.model)
            adding = self._adding.get(start) or self._start()
            masked_words = CHECK_WORDS if self.terms.masked else 0
            adding.adder.check(chunks, length=self.length + masked_words)
            adding.adder.add(chunks)
            adding.notes[party] = contribution_digest(signed, self.suite)
            self._adding[start] = adding

        return self._take(party, "contribute", take)

    def _checked_note(self, party: str, signed: SignedContribution) -> Contribution:
        self._verify(party, CONTRIBUTION_PREFIX, signed.body, signed.signature)
        found = decode(signed.body, Contribution)
        if found.party != party:
            raise WrongContribution("a contribution in another party's name", party=party)
        if found.terms != self.terms.digest(self.suite) or found.number != self.number:
            raise StaleSum(f"a contribution to another sum than {self.number} of this epoch")
        if found.roster != self.enrolled.roster or party not in self.enrolled.sharers:
            raise WrongContribution("a contribution of another roster, or of who shared nothing")
        if found.sharers != self.enrolled.sharers_digest:
            raise WrongContribution("its masks are agreed with other sharers than the epoch's")
        if found.opened < 0 or len(found.model) != self.suite.digest_bytes:
            raise WrongContribution("its note says nothing of the model it started from")
        return found

    def _start(self) -> _Adding:
        adding = _Adding(self.new_adder())
        adding.adder.start()
        return adding

    def contributor_list(self) -> ContributorList:
        """Return who is in the sum; no contribution is taken after this.

        Contributions that did not start from what most did are left out, with the reason. Raises
        :class:`TooFew`: then the sum is lost.
        """
        if self._list is not None:
            return self._list
        if not self._adding:
            raise TooFew("nobody contributed")
        # Ties are broken by the model's digest, so that what is chosen has one answer.
        chosen = max(self._adding, key=lambda start: (len(self._adding[start].notes), start))
        for start, adding in self._adding.items():
            if start != chosen:
                reason = "started from another model than most contributions"
                self.refused.extend(Refusal(p, "contribute", reason) for p in adding.notes)
        notes = self._adding[chosen].notes
        contributors = tuple(sorted(notes))
        if len(contributors) < self.terms.need:
            raise TooFew(f"{len(contributors)} contributions; at least {self.terms.need} are added")
        self._total = tuple(self._adding[chosen].adder.total())
        self._adding = {}
        self._list = ContributorList(
            self.terms.digest(self.suite),
            self.number,
            self.enrolled.roster,
            self.enrolled.sharers_digest,
            *chosen,
            contributors,
            tuple(notes[name] for name in contributors),
            chunks_digest(self._total, self.suite),
        )
        return self._list

    def signature(self, party: str, data: bytes) -> bool:
        """Take an encoded :class:`ListSignature` of ``party``."""

        def take() -> None:
            found = decode(data, ListSignature)
            body = encode(self.contributor_list())
            if found.party != party or party in self._signatures:
                raise WrongSignature("another party's signature, or a second one", party=party)
            self._verify(party, CONTRIBUTORS_PREFIX, body, found.signature)
            self._signatures[party] = found

        return self._take(party, "consist", take)

    def signed_list(self) -> SignedList:
        """Return the list with its signatures, which is what shares are revealed for.

        Raises :class:`TooFew`: then the sum is lost.
        """
        if len(self._signatures) < self.terms.need:
            raise TooFew(
                f"{len(self._signatures)} parties signed the list of contributors; "
                f"{self.terms.need} must"
            )
        signatures = tuple(self._signatures[name] for name in sorted(self._signatures))
        return SignedList(encode(self.contributor_list()), signatures)

    def revelation(self, party: str, data: bytes) -> bool:
        """Take an encoded :class:`Revelation` of ``party``; what is in it stays sealed."""

        def take() -> None:
            found = decode(data, Revelation)
            if found.party != party or party not in self.enrolled.members:
                raise WrongBundle("shares in another name, or of no member", party=party)
            if party in self._revelations:
                raise StaleSum("shares for this sum were taken from this party already")
            self._revelations[party] = found

        return self._take(party, "unmask", take)

    def opening(self) -> Opening:
        """Return what opens the sum at the parties; raises :class:`TooFew`: then it is lost."""
        signed = self.signed_list()
        if self.terms.masked and len(self._revelations) < self.terms.threshold:
            raise TooFew(
                f"{len(self._revelations)} parties revealed their shares; "
                f"{self.terms.threshold} recover the masks"
            )
        revelations = tuple(self._revelations[name] for name in sorted(self._revelations))
        return Opening(self.contributor_list(), signed.signatures, revelations, self._total)
