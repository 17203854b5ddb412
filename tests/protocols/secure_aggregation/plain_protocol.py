"""A second implementation of the whole protocol for suite gm and method masks, from SPEC.md.

All parties and the coordinator at once. It uses nothing of ``protocols``: SM2, SM3 and the streams
are those of ``tests.protocols.suite.plain_gm``, SM4-GCM that of the gm channel's second
implementation, MessagePack and the sharing are written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.protocols.gm_channel.plain_channel import PlainGcm
from tests.protocols.plain_suites import pack
from tests.protocols.suite import plain_gm

VERSION = "fedcrm-secure-aggregation/1"
LABEL = VERSION.encode()
SEALED = b"fedcrm/secure-aggregation/sealed/1"
MASK = b"fedcrm/secure-aggregation/mask/1"
PRIME = 2**256 + 297
R = 2**32


def message(name: str, *fields: object) -> bytes:
    return pack([name, *fields])


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def key_pair(seed: bytes) -> tuple[int, bytes]:
    scalar = 1 + plain_gm.Stream(seed, b"sm2 agreement key").below(plain_gm.N - 2)
    return scalar, plain_gm.public_key(scalar.to_bytes(32, "big"))


def agree(scalar: int, public: bytes) -> bytes:
    point = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
    product = plain_gm.multiply(scalar, point)
    assert product is not None
    return product[0].to_bytes(32, "big")


def seal(secret: bytes, info: bytes, plaintext: bytes, seed: bytes) -> bytes:
    key = plain_gm.hkdf(secret, SEALED + framed(b"key", info), 16)
    digest = plain_gm.sm3(plaintext)
    nonce = plain_gm.hkdf(seed, SEALED + framed(b"nonce", info, digest), 12)
    return nonce + PlainGcm(key).seal(nonce, plaintext, info)


def expansion(seed: bytes, count: int) -> list[int]:
    stream = plain_gm.Stream(seed, MASK)
    return [int.from_bytes(stream.bytes(4), "little") for _ in range(count)]


def value_at(coefficients: list[int], point: int) -> bytes:
    value = sum(c * pow(point, i, PRIME) for i, c in enumerate(coefficients)) % PRIME
    return value.to_bytes(33, "big")


def at_zero(shares: Mapping[int, bytes]) -> bytes:
    value = 0
    for own, data in shares.items():
        term = int.from_bytes(data, "big")
        for other in shares:
            if other != own:
                term = term * other * pow(other - own, -1, PRIME) % PRIME
        value += term
    return (value % PRIME).to_bytes(32, "big")


@dataclass
class PlainParty:
    name: str
    private_key: bytes
    seeds: Mapping[str, bytes]
    shares: bool
    contributes: bool
    words: list[int]
    messages: dict[str, bytes] = field(default_factory=dict)
    polynomials: list[tuple[list[int], list[int]]] = field(default_factory=list)
    publics: list[bytes] = field(default_factory=list)
    scalars: list[int] = field(default_factory=list)


@dataclass
class PlainRun:
    parties: dict[str, PlainParty]
    binding: bytes
    threshold: int
    floor: int
    first: int
    sums: int
    number: int
    opening: bytes = b""
    group_key: bytes = b""
    total: list[int] = field(default_factory=list)

    @property
    def terms(self) -> bytes:
        return plain_gm.sm3(
            json.dumps(
                {
                    "version": VERSION,
                    "suite": "gm",
                    "binding": self.binding.hex(),
                    "parties": sorted(self.parties),
                    "threshold": self.threshold,
                    "floor": self.floor,
                    "epoch": 0,
                    "first": self.first,
                    "sums": self.sums,
                    "masked": True,
                },
                sort_keys=True,
                separators=(",", ":"),
            ).encode()
        )

    def secret(self, party: PlainParty, purpose: str, number: int = 0) -> bytes:
        info = framed(LABEL, purpose.encode(), self.terms, u64(number))
        return plain_gm.hkdf(party.seeds["epoch 0"], info, 32)

    def hash(self, *parts: bytes) -> bytes:
        return plain_gm.sm3(framed(LABEL, *parts))

    def derived(self, secret: bytes, *parts: bytes) -> bytes:
        return plain_gm.hkdf(secret, framed(LABEL, *parts), 32)

    def run(self) -> None:
        everybody = [self.parties[name] for name in sorted(self.parties)]
        numbers = range(self.first, self.first + self.sums)
        terms, index = self.terms, self.number - self.first

        bodies = []
        for party in everybody:
            sealing = key_pair(self.secret(party, "sealing key"))
            pairs = [key_pair(self.secret(party, "mask key", number)) for number in numbers]
            party.scalars = [sealing[0], *(scalar for scalar, _ in pairs)]
            party.publics = [sealing[1], *(public for _, public in pairs)]
            name = party.name.encode()
            commitments = [
                self.hash(
                    b"self mask commitment",
                    terms,
                    name,
                    u64(number),
                    self.secret(party, "self mask", number),
                )
                for number in numbers
            ]
            group = self.hash(b"group key commitment", terms, name, self.secret(party, "group key"))
            body = message(
                "KeyAdvertisement",
                terms,
                party.name,
                party.publics[0],
                party.publics[1:],
                commitments,
                group,
            )
            signature = plain_gm.sign(
                party.private_key,
                b"fedcrm/aggregation-keys/v1\0" + body,
                self.secret(party, "signature entropy"),
            )
            party.messages["advertise"] = message("SignedAdvertisement", body, signature)
            bodies.append(body)
        signed = [
            ["SignedAdvertisement", body, self._signature(party)]
            for body, party in zip(bodies, everybody, strict=True)
        ]
        roster = self.hash(b"roster", terms, *bodies)
        self.group_key = self.secret(everybody[0], "group key")

        sealed: dict[tuple[str, str], bytes] = {}
        for party in everybody:
            if not party.shares:
                continue
            party.messages["roster"] = message("SignedRoster", signed)
            stream = plain_gm.Stream(party.seeds["epoch 0"], framed(LABEL, b"polynomials", roster))
            for number in numbers:
                both = []
                for purpose in ("self mask", "mask key"):
                    constant = int.from_bytes(self.secret(party, purpose, number), "big")
                    rest = [stream.below(PRIME) for _ in range(self.threshold - 1)]
                    both.append([constant, *rest])
                party.polynomials.append((both[0], both[1]))
            for place, other in enumerate(everybody, 1):
                if other is party:
                    continue
                bundle = message(
                    "ShareBundle",
                    [value_at(b, place) for b, _ in party.polynomials],
                    [value_at(s, place) for _, s in party.polynomials],
                    self.group_key if party is everybody[0] else b"",
                )
                info = framed(LABEL, b"bundle", roster, party.name.encode(), other.name.encode())
                sealed[party.name, other.name] = seal(
                    agree(party.scalars[0], other.publics[0]), info, bundle, party.seeds["share 0"]
                )
            party.messages["share"] = message(
                "SealedBundles",
                roster,
                [
                    ["SealedBundle", other.name, sealed[party.name, other.name]]
                    for other in everybody
                    if other is not party
                ],
            )
        sharers = [party for party in everybody if party.shares]
        sharers_digest = self.hash(b"sharers", roster, *(party.name.encode() for party in sharers))
        for party in sharers:
            party.messages["bundles"] = message(
                "SealedBundles",
                roster,
                [
                    ["SealedBundle", other.name, sealed.get((other.name, party.name), b"")]
                    for other in sharers
                ],
            )

        contributors = [party for party in sharers if party.contributes]
        added = [0] * (len(everybody[0].words) + 4)
        notes = []
        for party in contributors:
            words = [*party.words, 1, 1, 1, 1]
            for i, word in enumerate(expansion(self._own_mask(party), len(words))):
                words[i] += word
            for other in sharers:
                if other is party:
                    continue
                sign = 1 if party.name < other.name else -1
                for i, word in enumerate(expansion(self._pair(party, other, index), len(words))):
                    words[i] += sign * word
            chunk = b"".join((word % R).to_bytes(4, "little") for word in words)
            added = [(a + word) % R for a, word in zip(added, words, strict=True)]
            body = message(
                "Contribution",
                terms,
                self.number,
                party.name,
                roster,
                sharers_digest,
                self.hash(b"chunks", plain_gm.sm3(chunk)),
                0,
                bytes(32),
            )
            signature = plain_gm.sign(
                party.private_key,
                b"fedcrm/aggregation-contribution/v1\0" + body,
                party.seeds[f"note {self.number}"],
            )
            party.messages["contribute"] = message("SignedContribution", body, signature)
            party.messages["chunk"] = chunk
            notes.append(self.hash(b"contribution", body))

        total = b"".join(word.to_bytes(4, "little") for word in added)
        listed = message(
            "ContributorList",
            terms,
            self.number,
            roster,
            sharers_digest,
            0,
            bytes(32),
            [party.name for party in contributors],
            notes,
            self.hash(b"chunks", plain_gm.sm3(total)),
        )
        signatures: list[object] = []
        for party in contributors:
            signature = plain_gm.sign(
                party.private_key,
                b"fedcrm/aggregation-contributors/v1\0" + listed,
                party.seeds[f"list {self.number}"],
            )
            party.messages["list"] = listed
            party.messages["consist"] = message("ListSignature", party.name, signature)
            signatures.append(["ListSignature", party.name, signature])
        signed_list = message("SignedList", listed, signatures)

        revelations: list[object] = []
        list_digest = self.hash(b"contributors", listed)
        for place, party in enumerate(everybody, 1):
            if party not in contributors:
                continue
            shares = [
                value_at(other.polynomials[index][0 if other in contributors else 1], place)
                for other in sharers
            ]
            info = framed(LABEL, b"revelation", roster, list_digest, party.name.encode())
            plain = message("RevealedShares", shares)
            data = seal(self.group_key, info, plain, party.seeds["reveal"])
            party.messages["signed"] = signed_list
            party.messages["unmask"] = message("Revelation", party.name, data)
            revelations.append(["Revelation", party.name, data])
        self.opening = message("OpeningNote", ["SignedList", listed, signatures], revelations)
        for party in contributors:
            party.messages["opening"] = self.opening

        self.total = self._unmask(everybody, sharers, contributors, added, index)

    def _unmask(
        self,
        everybody: list[PlainParty],
        sharers: list[PlainParty],
        contributors: list[PlainParty],
        added: list[int],
        index: int,
    ) -> list[int]:
        """Open the sum from the last ``threshold`` contributors' shares alone."""
        holders = [everybody.index(party) + 1 for party in contributors[-self.threshold :]]
        for party in sharers:
            of_seed, of_key = party.polynomials[index]
            if party in contributors:
                seed = at_zero({at: value_at(of_seed, at) for at in holders})
                mask = self._own_mask_of(party.name, seed)
                for i, word in enumerate(expansion(mask, len(added))):
                    added[i] -= word
                continue
            seed = at_zero({at: value_at(of_key, at) for at in holders})
            scalar, public = key_pair(seed)
            assert public == party.publics[1 + index]
            for other in contributors:
                secret = agree(scalar, other.publics[1 + index])
                sign = 1 if other.name < party.name else -1
                for i, word in enumerate(
                    expansion(self._pair_of(party.name, other.name, secret), len(added))
                ):
                    added[i] -= sign * word
        *words, a, b, c, d = [(word + R // 2) % R - R // 2 for word in added]
        assert {a, b, c, d} == {len(contributors)}
        return words

    def _signature(self, party: PlainParty) -> bytes:
        """Return the signature at the end of the party's advertisement."""
        data = party.messages["advertise"]
        length = next(n for n in (70, 71, 72, 69) if data[-n - 2 : -n] == bytes([0xC4, n]))
        return data[-length:]

    def _own_mask(self, party: PlainParty) -> bytes:
        return self._own_mask_of(party.name, self.secret(party, "self mask", self.number))

    def _own_mask_of(self, name: str, seed: bytes) -> bytes:
        return self.derived(seed, b"self mask", self.terms, name.encode(), u64(self.number))

    def _pair(self, party: PlainParty, other: PlainParty, index: int) -> bytes:
        secret = agree(party.scalars[1 + index], other.publics[1 + index])
        return self._pair_of(party.name, other.name, secret)

    def _pair_of(self, name: str, other: str, secret: bytes) -> bytes:
        first, second = sorted((name.encode(), other.encode()))
        return self.derived(secret, b"pair mask", self.terms, first, second, u64(self.number))
