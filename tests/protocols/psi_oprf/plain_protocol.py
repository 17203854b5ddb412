"""A second implementation of the whole protocol, from SPEC.md §3 and §4, in plain integers.

It computes both parties at once and uses nothing of ``protocols``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.protocols.plain_suites import PlainSuite, pack

VERSION = "fedcrm-psi-oprf/1"


@dataclass(frozen=True)
class PlainParty:
    name: str
    role: str
    private_key: bytes
    seed: bytes
    items: list[bytes]

    def purpose(self, name: str) -> bytes:
        return f"{VERSION} {self.role} {name}".encode()


@dataclass(frozen=True)
class PlainRun:
    key_id: bytes
    scalar: int
    tags: list[bytes]
    order: list[int]
    digest: bytes
    outbound: dict[str, list[bytes]]
    positions: dict[str, list[int]]
    statement: bytes
    signatures: dict[str, bytes]


def bits(number: int) -> int:
    return len(f"{number:b}") if number else 0


def run(
    suite: PlainSuite,
    receiver: PlainParty,
    sender: PlainParty,
    *,
    epoch_seed: bytes,
    quota: int,
    quota_left: int,
    context: bytes,
    cached: bool,
) -> PlainRun:
    k = suite.scalar(suite.stream(epoch_seed, f"{VERSION} epoch key".encode()))
    key_id = suite.hkdf(epoch_seed, f"{VERSION} epoch key id".encode(), 16)
    dst = VERSION.encode() + b" " + key_id
    length = max(8, -(-(40 + bits(len(sender.items)) + bits(quota)) // 8))

    def tag(item: bytes, element: bytes) -> bytes:
        return suite.hash(b"fedcrm/oprf-tag/v1\0" + key_id + item + element)[:length]

    tag_of = [tag(item, suite.multiply(k, suite.hash_to_group(item, dst))) for item in sender.items]
    order = sorted(range(len(tag_of)), key=tag_of.__getitem__)
    tags = [tag_of[i] for i in order]
    head = len(tags).to_bytes(8, "big") + bytes([length])
    assert len(tags) <= 65536
    chunk_digests = suite.hash(b"".join(tags)) if tags else b""
    digest = suite.hash(b"fedcrm/oprf-tags/v1\0" + key_id + head + chunk_digests)

    r = suite.scalar(suite.stream(receiver.seed, receiver.purpose("scalar")))
    blinded = [suite.multiply(r, suite.hash_to_group(item, dst)) for item in receiver.items]
    evaluated = [suite.multiply(k, element) for element in blinded]
    own_tags = [
        tag(item, suite.divide(r, element))
        for item, element in zip(receiver.items, evaluated, strict=True)
    ]

    place = {tag: number for number, tag in enumerate(tags)}
    shared = sorted(
        (i for i, tag in enumerate(own_tags) if tag in place), key=receiver.items.__getitem__
    )
    places = [place[own_tags[i]] for i in shared]

    statement = json.dumps(
        {
            "context": context.hex(),
            "key": key_id.hex(),
            "queries": len(receiver.items),
            "quota_left": quota_left,
            "receiver": receiver.name,
            "sender": sender.name,
            "suite": suite.name,
            "tag_bytes": length,
            "tag_set": digest.hex(),
            "tags": len(tags),
            "version": VERSION,
        },
        separators=(",", ":"),
        sort_keys=True,
    ).encode()
    signatures = {
        party.name: suite.sign(
            party.private_key,
            b"fedcrm/oprf-terms/v1\0" + statement,
            suite.hkdf(party.seed, party.purpose("signature entropy"), 32),
        )
        for party in (receiver, sender)
    }

    session = [VERSION, suite.name]
    queries = [
        pack(
            [
                *("QueryTerms", *session, receiver.name, sender.name, context),
                *(len(receiver.items), digest if cached else b""),
            ]
        ),
        pack(["TermsSignature", signatures[receiver.name]]),
    ]
    answers = [
        pack(
            [
                *("AnswerTerms", *session, sender.name, receiver.name, context, key_id),
                *(len(tags), length, digest, quota_left, signatures[sender.name]),
            ]
        )
    ]
    if tags and not cached:
        answers.append(pack(["TagChunk", b"".join(tags)]))
    if receiver.items:
        queries.append(pack(["BlindedQueries", b"".join(blinded)]))
        answers.append(pack(["EvaluatedQueries", b"".join(evaluated)]))
    queries.append(pack(["Matches", len(places)]))
    if places:
        queries.append(pack(["MatchedTags", b"".join(i.to_bytes(4, "big") for i in places)]))
    return PlainRun(
        key_id,
        k,
        tags,
        order,
        digest,
        {receiver.name: queries, sender.name: answers},
        {
            receiver.name: shared,
            sender.name: [order[i] for i in places],
        },
        statement,
        signatures,
    )
