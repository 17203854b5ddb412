"""n parties and a coordinator in memory, everything through its encoding, with drops where chosen.

It is also the shortest complete example of how the room is used: what each side keeps, in which
order it calls what, and what travels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from protocols.secure_aggregation import (
    BoundLists,
    Contribution,
    ContributorList,
    Enrolled,
    Enrolment,
    EpochKeys,
    EpochShares,
    EpochTerms,
    OpenedSum,
    Opening,
    Roster,
    SealedBundles,
    SignedAdvertisement,
    SignedContribution,
    SignedList,
    SignedRoster,
    SumCollection,
    advertise,
    check_list,
    check_roster,
    chunks_digest,
    mask,
    open_bundles,
    open_sum,
    reveal,
    share,
    sign_contribution,
    sign_list,
)
from protocols.suite import Suite
from protocols.sum_ciphers import CipherAdder, SumCipher, SumKey, adder, cipher
from protocols.wire import decode, encode

Words = npt.NDArray[np.int64]
MODEL = bytes(32)
NOBODY: frozenset[str] = frozenset()


@dataclass
class Party:
    """One party: what it keeps between the steps, and its part of each."""

    name: str
    suite: Suite
    private_key: bytes
    public_keys: Mapping[str, bytes]
    cipher: SumCipher
    root: bytes
    keys: EpochKeys | None = None
    own: SignedAdvertisement | None = None
    roster: Roster | None = None
    shares: EpochShares | None = None
    lists: BoundLists = field(default_factory=BoundLists)
    notes: dict[int, SignedContribution] = field(default_factory=dict)
    opened: int = 0

    def seed(self, purpose: str) -> bytes:
        """Return fresh secret bytes; a node draws them once and keeps them."""
        return self.suite.derive(self.root, purpose.encode(), 32)

    def advertise(self, terms: EpochTerms) -> bytes:
        self.keys, self.own = advertise(
            terms,
            party=self.name,
            suite=self.suite,
            private_key=self.private_key,
            seed=self.seed(f"epoch {terms.epoch}"),
        )
        return encode(self.own)

    def share(self, terms: EpochTerms, roster: bytes) -> bytes:
        assert self.keys is not None
        assert self.own is not None
        self.roster = check_roster(
            terms,
            decode(roster, SignedRoster).advertisements,
            party=self.name,
            own=self.own,
            public_keys=self.public_keys,
            suite=self.suite,
        )
        seed = self.seed(f"share {terms.epoch}")
        sealed = share(terms, self.roster, self.keys, party=self.name, suite=self.suite, seed=seed)
        return encode(SealedBundles.of(self.roster.digest, sealed))

    def receive(self, terms: EpochTerms, bundles: bytes) -> None:
        assert self.keys is not None
        assert self.roster is not None
        self.shares = open_bundles(
            terms,
            self.roster,
            self.keys,
            decode(bundles, SealedBundles).by_party(),
            party=self.name,
            suite=self.suite,
        )

    def contribute(
        self, terms: EpochTerms, number: int, words: Words, model: bytes = MODEL
    ) -> tuple[bytes, list[bytes]]:
        assert self.keys is not None
        assert self.roster is not None
        assert self.shares is not None
        if terms.masked:
            words = mask(
                terms,
                self.roster,
                self.keys,
                self.shares,
                number,
                words,
                party=self.name,
                modulus=self.cipher.modulus,
                suite=self.suite,
            )
        chunks = self.cipher.encrypt(words, seed=self.seed(f"chunks {number}"))
        note = Contribution(
            terms=terms.digest(self.suite),
            number=number,
            party=self.name,
            roster=self.roster.digest,
            sharers=self.shares.sharers_digest,
            chunks=chunks_digest(chunks, self.suite),
            opened=self.opened,
            model=model,
        )
        self.notes[number] = sign_contribution(
            terms,
            note,
            private_key=self.private_key,
            suite=self.suite,
            entropy=self.seed(f"note {number}"),
        )
        return encode(self.notes[number]), chunks

    def consist(self, terms: EpochTerms, contributors: bytes) -> bytes:
        assert self.roster is not None
        assert self.shares is not None
        found = decode(contributors, ContributorList)
        check_list(
            terms,
            found,
            roster=self.roster,
            shares=self.shares,
            party=self.name,
            own=self.notes.get(found.number),
            suite=self.suite,
        )
        self.lists = self.lists.bind(found, self.suite)
        signature = sign_list(
            terms,
            found,
            lists=self.lists,
            party=self.name,
            private_key=self.private_key,
            suite=self.suite,
            entropy=self.seed(f"list {found.number}"),
        )
        return encode(signature)

    def unmask(self, terms: EpochTerms, signed: bytes) -> bytes:
        assert self.keys is not None
        assert self.roster is not None
        assert self.shares is not None
        found = decode(signed, SignedList)
        contributors = decode(found.body, ContributorList)
        lists = self.lists.bind(contributors, self.suite)
        revelation = reveal(
            terms,
            self.roster,
            self.keys,
            self.shares,
            contributors,
            found.signatures,
            lists=lists,
            party=self.name,
            public_keys=self.public_keys,
            suite=self.suite,
            seed=self.seed(f"reveal {contributors.number}"),
        )
        self.lists = lists  # kept before the shares leave, and only now: the list was signed
        return encode(revelation)

    def open(self, terms: EpochTerms, opening: Opening, length: int) -> OpenedSum:
        assert self.roster is not None
        assert self.shares is not None
        opened = open_sum(
            terms,
            self.roster,
            self.shares,
            opening,
            cipher=self.cipher,
            length=length,
            party=self.name,
            public_keys=self.public_keys,
            suite=self.suite,
            lists=self.lists,
        )
        self.opened += 1
        return opened


Change = Callable[[str, str, bytes], bytes]
"""(step, party, what passes between it and the coordinator) -> what arrives instead."""


@dataclass
class Federation:
    """Parties and a coordinator. ``seen`` is every byte string the coordinator got."""

    suite: Suite
    names: tuple[str, ...]
    threshold: int
    floor: int
    sums: int = 2
    key: SumKey | None = None
    method: str = "masks"
    binding: bytes = b"job 1, attempt 1"
    change: Change = field(default=lambda step, party, data: data)
    parties: dict[str, Party] = field(init=False)
    public_keys: dict[str, bytes] = field(init=False)
    terms: EpochTerms = field(init=False)
    enrolment: Enrolment = field(init=False)
    enrolled: Enrolled = field(init=False)
    seen: list[bytes] = field(init=False, default_factory=list)
    coordinators: list[object] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        signing = {
            name: self.suite.generate_signing_key(self.suite.hash(b"signing", name.encode()))
            for name in self.names
        }
        self.public_keys = {name: public for name, (_, public) in signing.items()}
        self.parties = {
            name: Party(
                name,
                self.suite,
                signing[name][0],
                self.public_keys,
                cipher(self.key, self.method, self.suite),  # type: ignore[arg-type]
                self.suite.hash(b"root", name.encode()),
            )
            for name in self.names
        }

    # -- key setup ---------------------------------------------------------------------------

    def set_up(
        self,
        epoch: int = 0,
        first: int = 0,
        *,
        silent: Collection[str] = NOBODY,
        lost: Collection[str] = NOBODY,
    ) -> None:
        """Run the key setup of an epoch; ``silent`` do not advertise, ``lost`` do not share."""
        self.terms = EpochTerms(
            self.binding,
            self.names,
            self.threshold,
            self.floor,
            epoch,
            first,
            self.sums,
            self.method in ("masks", "masked_he"),
        )
        self.enrolment = Enrolment(self.terms, self.public_keys, self.suite)
        self.coordinators.append(self.enrolment)
        for name in self._without(silent):
            self.enrolment.advertisement(
                name, self._up("advertise", name, self.parties[name].advertise(self.terms))
            )
        roster = encode(self.enrolment.roster())
        present = [name for name in self._without(silent) if name not in lost]
        for name in present:
            sent = self._down("roster", name, roster)
            self.enrolment.bundles(
                name, self._up("share", name, self.parties[name].share(self.terms, sent))
            )
        self.enrolled = self.enrolment.close()
        self.coordinators.append(self.enrolled)
        for name in present:
            self.deliver(name)

    def deliver(self, name: str) -> None:
        """Give a member the bundles that were sealed for it."""
        bundles = encode(self.enrolled.bundles_for(name))
        self.parties[name].receive(self.terms, self._down("bundles", name, bundles))

    # -- one sum -----------------------------------------------------------------------------

    def collection(self, number: int, length: int) -> SumCollection:
        """Return the coordinator's side of a new sum."""

        def new_adder() -> CipherAdder:
            public = b"" if self.key is None else self.key.public
            return adder(public, self.method, self.suite)  # type: ignore[arg-type]

        collection = SumCollection(
            self.terms,
            self.public_keys,
            self.suite,
            enrolled=self.enrolled,
            number=number,
            length=length,
            new_adder=new_adder,
        )
        self.coordinators.append(collection)
        return collection

    def contribute(self, collection: SumCollection, words: Mapping[str, Words]) -> None:
        """Let everybody in ``words`` contribute them."""
        for name, own in words.items():
            note, chunks = self.parties[name].contribute(self.terms, collection.number, own)
            self.seen.extend(chunks)
            collection.contribution(name, self._up("contribute", name, note), chunks)

    def consist(self, collection: SumCollection, names: Iterable[str]) -> None:
        """Let ``names`` check and sign the list of contributors."""
        contributors = encode(collection.contributor_list())
        for name in names:
            found = self._down("list", name, contributors)
            collection.signature(
                name, self._up("consist", name, self.parties[name].consist(self.terms, found))
            )

    def unmask(self, collection: SumCollection, names: Iterable[str]) -> None:
        """Let ``names`` reveal their shares for the signed list."""
        signed = encode(collection.signed_list())
        for name in names if self.terms.masked else ():
            found = self._down("signed", name, signed)
            collection.revelation(
                name, self._up("unmask", name, self.parties[name].unmask(self.terms, found))
            )

    def open(self, collection: SumCollection, names: Iterable[str]) -> dict[str, OpenedSum]:
        """Deliver the opening to ``names``; return what each opened."""
        opening = collection.opening()
        note = opening.note()
        return {
            name: self.parties[name].open(
                self.terms,
                Opening.read(self._down("opening", name, note), opening.chunks),
                collection.length,
            )
            for name in names
        }

    def run_sum(
        self,
        number: int,
        words: Mapping[str, Words],
        *,
        signers: Collection[str] | None = None,
        revealers: Collection[str] | None = None,
        readers: Collection[str] | None = None,
    ) -> dict[str, OpenedSum]:
        """Run one sum of those in ``words``; the other steps are all sharers' unless said."""
        everybody = self.enrolled.sharers
        collection = self.collection(number, len(next(iter(words.values()))))
        self.contribute(collection, words)
        self.consist(collection, everybody if signers is None else signers)
        self.unmask(collection, everybody if revealers is None else revealers)
        return self.open(collection, everybody if readers is None else readers)

    def _without(self, names: Collection[str]) -> list[str]:
        return [name for name in self.names if name not in names]

    def _up(self, step: str, party: str, data: bytes) -> bytes:
        data = self.change(step, party, data)
        self.seen.append(data)
        return data

    def _down(self, step: str, party: str, data: bytes) -> bytes:
        return self.change(step, party, data)


def names(count: int) -> tuple[str, ...]:
    """Return ids of ``count`` parties."""
    return tuple(f"retailer-{i:03d}" for i in range(count))


def words_of(
    parties: Collection[str], length: int, suite: Suite, value_bits: int
) -> dict[str, Words]:
    """Return made-up words, over the whole range that words of ``value_bits`` have."""
    largest = (1 << (value_bits - 1)) - 1
    made = {}
    for party in parties:
        stream = suite.stream(suite.hash(b"words", party.encode()), b"words")
        raw = stream.words(length) % np.uint64(2 * largest + 1)
        made[party] = raw.astype(np.int64) - largest
    return made


def total(words: Mapping[str, Words], parties: Collection[str]) -> Words:
    """Return the sum in the clear."""
    return np.sum([words[party] for party in parties], axis=0)
